"""The figures of a split: F1, intensities, base rates."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import NOT_ANNOTATED
from stages.core.intensity import intensity_of
from stages.ensembles.ensemble import sigmoid
from stages.learning.metrics import THRESHOLD, all_ones_f1, base_rates, by_au, f1_per_au, icc_per_au
from stages.sequence.dataset import Video

Probabilities = NDArray[np.float32]


def predicted(
    videos: Sequence[Video], seeds: Sequence[Mapping[str, NDArray[np.float32]]]
) -> list[Probabilities]:
    """Probabilities of all frames of some videos, one after another.

    Parameters
    ----------
    videos : sequence of Video
    seeds : sequence of mapping of str to (frames, 12) np.ndarray
        What each network of a run says, by video.

    Returns
    -------
    list of (frames, 12) np.ndarray
        One per network; empty where the run says nothing of one of the videos.
    """
    if any(video.name not in seed for seed in seeds for video in videos):
        return []
    return [sigmoid(np.concatenate([seed[video.name] for video in videos])) for seed in seeds]


def score_split(
    labels: NDArray[np.int8],
    face: NDArray[np.bool_],
    predictions: Mapping[str, Sequence[Probabilities]],
) -> dict[str, Any]:
    """All figures of one split.

    Parameters
    ----------
    labels : (frames, 12) np.ndarray
    face : (frames,) np.ndarray
        Whether a face was found.
    predictions : mapping of str to sequence of (frames, 12) np.ndarray
        Probabilities by the name of their row of F1, one array per seed: the row is the mean of the
        seeds' F1, and of several seeds ``NAME_spread`` is its standard deviation.

    Returns
    -------
    dict
        Numbers, and dicts of numbers by AU.
    """
    scores: dict[str, Any] = {}
    for row, seeds in predictions.items():
        f1 = np.stack([f1_per_au(labels, probabilities >= THRESHOLD) for probabilities in seeds])
        scores[row] = by_au(f1.mean(0))
        if len(f1) > 1:
            spread = by_au(f1.std(0, ddof=1))
            scores[f"{row}_spread"] = {**spread, "macro": round(float(f1.mean(1).std(ddof=1)), 6)}
    scores["f1_all_ones"] = by_au(all_ones_f1(labels))
    scores["base_rate"] = by_au(base_rates(labels))
    scores["frames"] = len(labels)
    scores["annotated_frames"] = int((labels != NOT_ANNOTATED).all(1).sum())
    scores["no_face_share"] = round(float(1 - face.mean()), 6)
    return scores


def intensity_scores(
    videos: Sequence[Video], predictions: Mapping[str, Sequence[Probabilities]]
) -> dict[str, dict[str, float]]:
    """ICC(3,1) of the intensities of some videos, by row; empty where none is known.

    Parameters
    ----------
    videos : sequence of Video
    predictions : mapping of str to sequence of (frames, 12) np.ndarray
        Probabilities by the name of their row of F1, one array per seed.
    """
    if all(video.intensity is None for video in videos):
        return {}
    unknown = np.float32(np.nan)
    truth = np.concatenate(
        [
            np.full(video.labels.shape, unknown) if video.intensity is None else video.intensity
            for video in videos
        ]
    )
    return {
        row.replace("f1", "icc", 1): by_au(
            np.mean([icc_per_au(truth, intensity_of(said)) for said in seeds], axis=0)
        )
        for row, seeds in predictions.items()
    }
