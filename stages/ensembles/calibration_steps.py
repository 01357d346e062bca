"""The calibration of an ensemble, and what each step of it is worth."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stages.core.console import say
from stages.core.facs import AU_NAMES, NOT_ANNOTATED
from stages.core.intensity import intensity_of
from stages.ensembles.calibration import Calibration, Judged, decide, f1_of
from stages.ensembles.calibration_fit import Limits, alarms_at_rest, cross_fit, fit_calibration
from stages.ensembles.joining import Probabilities
from stages.ensembles.settings import EnsembleSettings
from stages.learning.metrics import icc_per_au
from stages.sequence.dataset import Video
from stages.sequence.splits import LABELLED, assign_parts, label_counts

LADDER = ("raw", "thresholds", "smoothing")


def judged(
    probabilities: Probabilities, videos: Mapping[str, Video], *splits: str
) -> dict[str, Judged]:
    """Bring together labels and probabilities of the videos of some splits."""
    return {
        name: Judged(videos[name].labels, rows, videos[name].group)
        for name, rows in probabilities.items()
        if videos[name].split in splits and not videos[name].masked
    }


@dataclass(frozen=True)
class Fit:
    """What calibration made of an ensemble.

    Attributes
    ----------
    calibration : Calibration
        Fitted on all train and validation videos that no member was trained on.
    f1 : dict of str to dict of str to (12,) np.ndarray
        By step and split: on validation cross-fitted, on test by what was fitted elsewhere.
    icc : dict of str to (12,) np.ndarray
        ICC(3,1) of the intensities by split: on validation without smoothing, for nothing is fitted
        then, on test with it. Only where the intensities are known.
    validation : dict of str to (frames, 12) bool np.ndarray
        Cross-fitted decisions on the validation videos.
    """

    calibration: Calibration
    f1: dict[str, dict[str, NDArray[np.float64]]]
    icc: dict[str, NDArray[np.float64]]
    validation: dict[str, NDArray[np.bool_]]


def intensity_icc(
    found: Probabilities, videos: Mapping[str, Video], split: str, calibration: Calibration
) -> NDArray[np.float64] | None:
    """ICC(3,1) of each AU's intensity on a split, (12,); None where no intensity is known."""
    pairs = [
        (video.intensity, intensity_of(calibration.smooth(found[name])))
        for name, video in sorted(videos.items())
        if video.split == split
        and not video.masked
        and video.intensity is not None
        and name in found
    ]
    if not pairs:
        return None
    truth, said = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return icc_per_au(truth, said)


def ladder(
    settings: EnsembleSettings, probabilities: Probabilities, videos: Mapping[str, Video]
) -> Fit:
    """Fit the calibration, and say what each step of it is worth.

    Returns
    -------
    Fit
    """
    fitting = judged(probabilities, videos, *LABELLED)
    test = judged(probabilities, videos, "test")
    if all((video.labels == NOT_ANNOTATED).all() for video in test.values()):
        test = {}  # a user's test videos may have no labels
    names = sorted(fitting)
    parts = assign_parts(label_counts([videos[name] for name in names]), settings.parts)
    limits = Limits(*settings.thresholds, false_alarms=settings.false_alarms)
    validation = [name for name in names if videos[name].split == "validation"]
    f1: dict[str, dict[str, NDArray[np.float64]]] = {}
    calibration = Calibration()
    for step in LADDER:
        if step == "raw":
            decisions = decide([fitting[name] for name in names], calibration)
        else:
            widths = settings.smoothing if step == "smoothing" else (0,)
            decisions = cross_fit([fitting[name] for name in names], parts, widths, limits)
            calibration = fit_calibration([fitting[name] for name in names], widths, limits)
        said = dict(zip(names, decisions, strict=True))
        f1[step] = {}
        if validation:
            mine = [fitting[name] for name in validation]
            f1[step]["validation"] = f1_of(mine, [said[name] for name in validation])
        if test:
            f1[step]["test"] = f1_of(list(test.values()), decide(list(test.values()), calibration))
    if settings.false_alarms is not None:
        rates = alarms_at_rest([fitting[name] for name in names], calibration)
        over = [
            f"{au} {100 * rate:.1f} %"
            for au, rate in zip(AU_NAMES, rates, strict=True)
            if rate > settings.false_alarms + 1e-9
        ]
        if over:
            say(
                f"more false alarms at rest than asked, at the highest threshold: {', '.join(over)}"
            )
    if settings.offsets:
        moved = tuple(settings.offsets.get(au, 0.0) for au in AU_NAMES)
        calibration = replace(calibration, offsets=moved)
        if test:
            decisions = decide(list(test.values()), calibration)
            f1["offsets"] = {"test": f1_of(list(test.values()), decisions)}
    icc = {
        split: values
        for split, fitted in (("validation", Calibration()), ("test", calibration))
        if (values := intensity_icc(probabilities, videos, split, fitted)) is not None
    }
    return Fit(calibration, f1, icc, {name: said[name] for name in validation})
