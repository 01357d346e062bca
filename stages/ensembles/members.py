"""Which runs make which ensemble: the five submissions of the paper.

A run is judged on the videos that it was not trained on: validation for the official split, its
own part for a fold, the videos held out for a mix. Nothing here sees a test video.

References
----------
Y. Deng et al. Multi-modal information fusion for action unit detection in the wild. CVPR
Workshops 2023, section 4.6.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NAMES, NOT_ANNOTATED
from stages.learning.metrics import f1_per_au
from stages.sequence.dataset import Video
from stages.sequence.predictions import RunPredictions
from stages.sequence.settings import FRAME_HEAD
from stages.sequence.splits import LABELLED

SUBMISSIONS: Final = ("au_top", "model", "kfold", "train_val_mix", "kfold_mix")


@dataclass(frozen=True)
class Chosen:
    """A run within an ensemble, and the AUs that it is asked for."""

    run: str
    aus: tuple[str, ...] = AU_NAMES


def held_out_f1(
    predictions: RunPredictions, videos: Mapping[str, Video]
) -> NDArray[np.float64] | None:
    """F1 of each AU of a run on its held-out train and validation videos.

    Returns
    -------
    (12,) np.ndarray or None
        Mean over the run's seeds; None where nothing that is annotated was held out.
    """
    names = [
        name
        for name in predictions.videos
        if name in videos and videos[name].split in LABELLED and not videos[name].masked
    ]
    if not any((videos[name].labels != NOT_ANNOTATED).any() for name in names):
        return None
    labels = np.concatenate([videos[name].labels for name in names])
    by_seed = [
        f1_per_au(labels, np.concatenate([seed[name] for name in names]) >= 0)
        for seed in predictions.seeds
    ]
    return np.asarray(np.mean(by_seed, axis=0))


def kind_of(split: str) -> str:
    """Kind of split: ``official``, ``fold`` or ``mix``."""
    return split.rstrip("0123456789")


def choose_members(
    submission: str,
    splits: Mapping[str, str],
    f1: Mapping[str, NDArray[np.float64] | None],
    members: int,
    baselines: Collection[str] = (),
) -> list[Chosen]:
    """Choose the members of one of the five ensembles, or of the baseline.

    Parameters
    ----------
    submission : str
        ``au_top``: for each AU the run that is best on it; ``model``: the best runs of the official
        split; ``kfold``: the runs of all folds; ``train_val_mix``: the runs of all mixes;
        ``kfold_mix``: the best of those two; ``frame_head``: the first run of the official split
        that is a baseline.
    splits : mapping of str to str
        Split of each run.
    f1 : mapping of str to (12,) np.ndarray or None
        See :func:`held_out_f1`. A run that cannot be judged is in no ensemble that chooses.
    members : int
        Runs that ``model`` and ``kfold_mix`` take.
    baselines : collection of str
        Runs of the model ``frame_head``, which are in no other ensemble.

    Returns
    -------
    list of Chosen
        Empty where too few runs are trained for this ensemble.
    """

    def of(*kinds: str) -> list[str]:
        return sorted(
            name
            for name, split in splits.items()
            if kind_of(split) in kinds and name not in baselines
        )

    known = {name: values for name, values in f1.items() if values is not None}

    def best(names: Sequence[str]) -> list[Chosen]:
        ranked = sorted(names, key=lambda name: (-float(known[name].mean()), name))
        return [Chosen(name) for name in sorted(ranked[:members])]

    if submission == FRAME_HEAD:
        heads = sorted(name for name in baselines if splits[name] == "official")
        return [Chosen(name) for name in heads[:1]]
    folds, mixes = of("fold"), of("mix")
    official = [name for name in of("official") if name in known]
    if submission == "au_top" and len(official) >= members:
        winners = [
            min(official, key=lambda name: (-float(known[name][au]), name))
            for au in range(len(AU_NAMES))
        ]
        return [
            Chosen(
                name, tuple(au for au, won in zip(AU_NAMES, winners, strict=True) if won == name)
            )
            for name in sorted(set(winners))
        ]
    if submission == "model" and len(official) >= members:
        return best(official)
    if submission == "kfold" and len(folds) > 1:
        return [Chosen(name) for name in folds]
    if submission == "train_val_mix" and len(mixes) > 1:
        return [Chosen(name) for name in mixes]
    if submission == "kfold_mix" and len(folds) > 1 and len(mixes) > 1:
        return best([*folds, *mixes]) if {*folds, *mixes} <= set(known) else []
    return []
