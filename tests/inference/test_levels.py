"""Presence and intensity as they are written: never one without the other."""

import numpy as np
import pytest

from stages.ensembles.calibration import Calibration
from stages.inference.columns import COLUMNS
from stages.inference.levels import levels_of, written_intensities
from stages.inference.row_assembler import Frame, Row
from stages.inference.writing import cells


def test_levels_are_the_intensities_of_thresholds() -> None:
    levels = levels_of([0.5, 1 / (1 + np.exp(-2.0)), 0.0, 1.0])
    assert levels.tolist() == [1.75, 2.75, 0.001, 5.0]


@pytest.mark.parametrize("threshold", [0.0, 0.004, 0.031, 0.3, 0.500123, 0.97, 0.9991, 1.0])
def test_an_au_is_present_exactly_from_its_level_on(threshold: float) -> None:
    near = threshold + np.linspace(-4e-4, 4e-4, 801)
    probabilities = np.round(np.clip(np.concatenate([near, np.linspace(0, 1, 501)]), 0, 1), 6)
    active = probabilities >= threshold
    level = levels_of([threshold])
    strong = written_intensities(probabilities[:, None], active[:, None], level)[:, 0]
    assert ((strong >= level) == active).all()
    assert strong.min() >= 0
    assert strong.max() <= 5
    order = np.argsort(probabilities, kind="stable")
    assert (np.diff(strong[order]) >= 0).all(), "it still rises with the probability"


def test_written_rows_say_the_same_of_presence_and_intensity() -> None:
    thresholds = (0.4, 0.5, 0.61) * 4
    calibration = Calibration(thresholds=thresholds)
    for shift in np.linspace(-3e-5, 3e-5, 61):
        said = np.asarray(thresholds, np.float32) + np.float32(shift)
        frame = Frame(1, 0.0, np.zeros(0, np.float16), [Row(1, "face", None, said)])
        row = dict(zip(COLUMNS, next(cells(frame, calibration)), strict=True))
        for name, level in zip(("AU01", "AU02", "AU04"), levels_of(thresholds), strict=False):
            assert (row[f"{name}_r"] >= level) == (row[f"{name}_c"] == 1)
