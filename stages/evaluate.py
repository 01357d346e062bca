"""Score runs and ensemble on validation and test (`dvc repro evaluate`).

In: what the runs `main` and `visual` say (models/runs), the ensemble's figures
(metrics/ensembles.json), labels and faces (data/inputs.h5). Out: metrics/scores.json (mean F1 and
each AU's, base rates, the all-ones baseline, the share of frames without a face; numbers only,
tracked by git).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.errors import DataError
from stages.core.facs import NOT_ANNOTATED
from stages.core.files import write_json
from stages.core.intensity import intensity_of
from stages.ensembles.ensemble import sigmoid
from stages.learning.metrics import THRESHOLD, all_ones_f1, base_rates, by_au, f1_per_au, icc_per_au
from stages.reporting import score_table
from stages.reporting.figure_files import main_ensemble, read_json
from stages.sequence.dataset import Video, load_videos
from stages.sequence.predictions import FILE, read_predictions
from stages.settings.params import load_params

SPLITS = ("validation", "test")
MAIN, WITHOUT_SOUND = "main", "visual"  # the runs that are reported beside the ensemble ...
BASELINE = "frame_head"  # ... and the encoders alone, where that run is there
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


def main() -> None:
    """Score the runs and the ensemble on every split that has labels."""
    params = load_params()
    label = params.data_label
    main_run = read_predictions(paths.RUN_RESULTS / MAIN / FILE)
    visual = read_predictions(paths.RUN_RESULTS / WITHOUT_SOUND / FILE)
    ensembles = read_json(paths.ENSEMBLE_SCORES).get(label, {})
    exported = main_ensemble(params.ensemble.main, ensembles)
    if exported not in ensembles:
        raise DataError(f"{paths.ENSEMBLE_SCORES} lacks the ensemble: run `dvc repro ensemble`.")
    steps = ensembles[exported]
    frames = (
        read_predictions(path).seeds
        if (path := paths.RUN_RESULTS / BASELINE / FILE).is_file()
        else ()
    )
    scores: dict[str, Any] = {}
    for split in SPLITS:
        videos = load_videos(split)
        if not videos:
            continue
        labels = np.concatenate([video.labels for video in videos])
        if (labels == NOT_ANNOTATED).all():
            say(f"{split}: no labels, not scored")
            continue
        said = {
            "f1": predicted(videos, main_run.seeds),
            "f1_sound_withheld": predicted(videos, main_run.muted),
            "f1_trained_without_sound": predicted(videos, visual.seeds),
            "f1_frame_head": predicted(videos, frames),
        }
        predictions = {row: seeds for row, seeds in said.items() if seeds}
        if "f1" not in predictions:
            raise DataError(
                f"Run {MAIN} says nothing of some {split} videos: is its split official?"
            )
        face = np.concatenate([video.face for video in videos])
        scores[split] = score_split(labels, face, predictions)
        scores[split] |= intensity_scores(videos, predictions)
        for step, row in (("raw", "f1_ensemble"), ("smoothing", "f1_ensemble_calibrated")):
            if split in steps[step]:
                scores[split][row] = steps[step][split]
        if split in steps.get("intensity_icc", {}):
            scores[split]["icc_ensemble"] = steps["intensity_icc"][split]
    if not scores:
        raise DataError("Neither the validation nor the test split has labels: nothing to score.")
    split = next(name for name in reversed(SPLITS) if name in scores)
    write_json(paths.SCORES, {label: scores})
    say(score_table.describe(label, split))
    say(score_table.as_markdown(score_table.table_rows(scores[split])))


if __name__ == "__main__":
    run_stage(main)
