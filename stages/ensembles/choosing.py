"""Which ensemble is exported: the best that beats the encoders alone."""

from collections.abc import Mapping

import numpy as np

from stages.core.console import say
from stages.core.errors import DataError
from stages.ensembles.calibration_steps import Fit
from stages.learning.metrics import f1_per_au
from stages.sequence.dataset import Video
from stages.sequence.settings import AUTO, FRAME_HEAD


def unbeaten(
    fits: Mapping[str, Fit], videos: Mapping[str, Video]
) -> tuple[str, dict[str, tuple[float, float]]]:
    """Choose the best ensemble on validation that beats the baseline; else the baseline.

    Parameters
    ----------
    fits : mapping of str to Fit
        With ``frame_head`` or without.
    videos : mapping of str to Video

    Returns
    -------
    str
        The chosen one.
    dict of str to (float, float)
        By ensemble, how much higher its validation F1 is than the baseline's, and the standard
        error of that: jackknife over people, who are left out one by one.
    """
    others = [name for name in fits if name != FRAME_HEAD]

    def f1(name: str, left_out: str = "") -> float:
        said = {
            video: rows
            for video, rows in fits[name].validation.items()
            if videos[video].group != left_out
        }
        if not said:
            return 0.0
        labels = np.concatenate([videos[video].labels for video in said])
        return float(f1_per_au(labels, np.concatenate(list(said.values()))).mean())

    best = max(others, key=f1) if others else FRAME_HEAD
    if FRAME_HEAD not in fits:
        return best, {}
    groups = sorted({videos[name].group for name in fits[FRAME_HEAD].validation})
    without = {name: np.array([f1(name, group) for group in groups]) for name in fits}
    margins = {}
    for name in others:
        spread = without[name] - without[FRAME_HEAD]
        error = np.sqrt(max(len(groups) - 1, 0) * spread.var()) if len(groups) else 0.0
        margins[name] = (f1(name) - f1(FRAME_HEAD), float(error))
    beaten = [name for name, (gain, error) in margins.items() if gain > error]
    return (max(beaten, key=f1) if beaten else FRAME_HEAD), margins


def choose_main(setting: str, fits: Mapping[str, Fit], videos: Mapping[str, Video]) -> str:
    """Choose what is exported, and say whether it beats the baseline.

    Raises
    ------
    DataError
        When the setting names an ensemble for which runs are missing.
    """
    if not fits or (setting not in fits and setting != AUTO):
        raise DataError(
            f"ensemble.main = {setting!r} needs runs that `runs` does not have; "
            f"with those it has there can be: {', '.join(fits) or 'none'}."
        )
    best, margins = unbeaten(fits, videos)
    for name, (gain, error) in margins.items():
        say(f"{name} against frame_head: validation F1 {gain:+.3f}, standard error {error:.3f}")
    if setting not in (AUTO, best):
        say(f"ensemble.main is {setting}; by validation F1 it would be {best}")
    return best if setting == AUTO else setting
