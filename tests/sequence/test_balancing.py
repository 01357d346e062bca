"""Masked copies: which AUs they are made for, and which stretches are copied."""

import numpy as np
import pytest
from scipy import ndimage

from stages.core.facs import AU_NAMES
from stages.learning.metrics import below_average
from stages.sequence.balancing import balanced_aus, find_stretches


def test_balanced_are_the_rare_aus_or_those_that_the_paper_lists() -> None:
    labels = (np.random.default_rng(0).random((500, 12)) < np.linspace(0.1, 0.9, 12)).astype(
        np.int8
    )
    np.testing.assert_array_equal(balanced_aus(labels, "below_average"), below_average(labels))
    listed = "AU1, AU2, AU4, AU5, AU12, AU15, AU23, AU24, AU26".replace("AU", "").split(", ")
    expected = [str(int(name[2:])) in listed for name in AU_NAMES]
    assert balanced_aus(labels, "paper").tolist() == expected


def stretches_by_morphology(active: np.ndarray, gap: int, minimum: int, context: int) -> list:
    """The same by labelling: fill holes, drop what is short, dilate, and label again."""
    filled = active.copy()
    holes, count = ndimage.label(~active)
    for (hole,) in ndimage.find_objects(holes, count):
        inside = hole.start > 0 and hole.stop < len(active)
        if inside and hole.stop - hole.start <= gap:
            filled[hole] = True
    for (run,) in ndimage.find_objects(ndimage.label(filled)[0]):
        if run.stop - run.start < minimum:
            filled[run] = False
    if context and filled.any():
        filled = ndimage.binary_dilation(filled, iterations=context)
    return [(run.start, run.stop) for (run,) in ndimage.find_objects(ndimage.label(filled)[0])]


@pytest.mark.parametrize(
    ("gap", "minimum", "context"), [(0, 1, 0), (5, 1, 0), (3, 8, 2), (6, 10, 12)]
)
@pytest.mark.parametrize("seed", range(4))
def test_stretches_are_those_of_mathematical_morphology(
    gap: int, minimum: int, context: int, seed: int
) -> None:
    noise = np.random.default_rng(seed).normal(size=300)
    active = ndimage.gaussian_filter1d(noise, 3) > 0.2
    ours = find_stretches(active, gap=gap, minimum=minimum, context=context)
    assert ours == stretches_by_morphology(active, gap, minimum, context)


def test_no_activity_is_no_stretch() -> None:
    assert find_stretches(np.zeros(50, bool), gap=9, minimum=1, context=9) == []
    assert find_stretches(np.zeros(0, bool), gap=9, minimum=1, context=9) == []
