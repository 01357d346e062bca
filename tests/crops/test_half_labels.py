"""What a face with one half hidden still says of the AUs."""

import numpy as np
import pytest

from stages.core.facs import AU_NAMES
from stages.crops.half_labels import hidden_aus, hide_labels, worth_copying
from stages.crops.half_masks import HALVES


def columns(*names: str) -> list[int]:
    return [AU_NAMES.index(name) for name in names]


def test_the_halves_share_the_aus_as_the_paper_does() -> None:
    assert np.array(AU_NAMES)[hidden_aus("upper")].tolist() == [
        "AU01", "AU02", "AU04", "AU06", "AU07"
    ]  # fmt: skip
    assert (hidden_aus("upper") ^ hidden_aus("lower")).all()


def test_only_rare_aus_of_the_visible_half_make_a_frame_worth_copying() -> None:
    labels = np.zeros((5, 12), np.int8)
    for frame, name in enumerate(("AU02", "AU24", "AU06", "AU25")):
        labels[frame, columns(name)] = 1
    rare = np.zeros(12, bool)
    rare[columns("AU02", "AU24")] = True
    assert worth_copying(labels, rare, "lower").tolist() == [True] + [False] * 4
    assert worth_copying(labels, rare, "upper").tolist() == [False, True] + [False] * 3


@pytest.mark.parametrize("half", HALVES)
def test_hidden_labels_are_zero_or_unknown_and_the_others_untouched(half: str) -> None:
    labels = np.random.default_rng(0).integers(-1, 2, (60, 12)).astype(np.int8)
    before = labels.copy()
    covered = hidden_aus(half)
    zero, ignored = (hide_labels(labels, half, kind) for kind in ("zero", "ignore"))
    np.testing.assert_array_equal(zero[:, covered] == 0, labels[:, covered] != -1)
    np.testing.assert_array_equal(zero[:, covered] == -1, labels[:, covered] == -1)
    assert (ignored[:, covered] == -1).all()
    for changed in (zero, ignored):
        np.testing.assert_array_equal(changed[:, ~covered], labels[:, ~covered])
    np.testing.assert_array_equal(labels, before)
