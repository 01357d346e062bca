"""Two results side by side in numbers: of frames, also where columns hold several."""

from dataclasses import replace

import numpy as np
import pytest

from stages.core.errors import DataError
from stages.inference.results import Rows
from stages.inference.views.beside import Shown, compare_shown
from stages.inference.views.timeline import make_timeline
from stages.inference.web.view import COLUMNS


def table(frames: int, active: np.ndarray, face: int = 1) -> Rows:
    """One person; `active` (frames, 12) bool, of the intensity 4 where present and 1 elsewhere."""
    return Rows(
        frame=np.arange(1, frames + 1),
        timestamp=np.arange(frames) / 25,
        face_id=np.full(frames, face),
        status=np.full(frames, "face"),
        confidence=np.ones(frames, np.float32),
        box=np.zeros((frames, 4), np.float32),
        probabilities=np.where(active, 0.9, 0.1).astype(np.float32),
        intensity=np.where(active, 4, 1).astype(np.float32),
        active=active,
        landmarks=np.zeros((frames, 5, 2), np.float32),
    )


def test_a_long_video_is_counted_by_frames_not_by_columns() -> None:
    frames = COLUMNS + 500
    even = np.repeat(np.arange(frames)[:, None] % 2 == 0, 12, axis=1)
    first, second = table(frames, even), table(frames, ~even)
    data = make_timeline(first, title="", columns=COLUMNS)
    assert len(data["first_frame"]) < frames
    assert set(data["tracks"][0]["active"][0]) == {1}  # the strongest of two frames
    found = compare_shown(Shown(first), Shown(second))
    assert found["decisions"] == 12 * frames
    assert found["agreement"] == 0
    for name in ("first", "second"):
        assert found[name]["share"] == pytest.approx([0.5] * 12)
        assert found[name]["intensity"] == pytest.approx([2.5] * 12)
    third = table(frames, np.where(np.arange(12) < 3, even, ~even))
    assert compare_shown(Shown(first), Shown(third))["agreement"] == pytest.approx(0.25)


def test_frames_without_the_face_count_for_nothing() -> None:
    active = np.zeros((4, 12), bool)
    active[:2] = True
    seen = np.asarray(["face", "no_face", "interpolated", "face"])
    first, second = replace(table(4, active), status=seen), table(4, np.ones((4, 12), bool))
    found = compare_shown(Shown(first), Shown(second))
    assert found["decisions"] == 12 * 3
    assert found["agreement"] == pytest.approx(1 / 3)
    assert found["first"]["share"] == pytest.approx([1 / 3] * 12)
    assert found["first"]["intensity"] == pytest.approx([2.0] * 12)
    nobody = replace(first, face_id=np.zeros(4, int), status=np.full(4, "no_face"),
                     intensity=np.full((4, 12), np.nan, np.float32))  # fmt: skip
    found = compare_shown(Shown(nobody), Shown(second))
    assert (found["decisions"], found["agreement"]) == (0, None)
    assert found["first"] == {"face": 0, "share": [0.0] * 12, "intensity": [None] * 12}


def test_results_of_other_lengths_have_means_alone() -> None:
    found = compare_shown(
        Shown(table(4, np.ones((4, 12), bool))), Shown(table(5, np.zeros((5, 12), bool)))
    )
    assert (found["decisions"], found["agreement"]) == (None, None)
    assert found["first"]["intensity"] == pytest.approx([4.0] * 12)
    assert found["second"]["intensity"] == pytest.approx([1.0] * 12)


def test_a_result_without_intensities_has_shares_alone() -> None:
    untold = np.full((4, 12), np.nan, np.float32)
    untold[0, 3] = 2.0
    rows = replace(table(4, np.ones((4, 12), bool)), intensity=untold)
    found = compare_shown(Shown(rows), Shown(rows))
    assert found["first"]["intensity"] == [None] * 3 + [2.0] + [None] * 8
    assert found["first"]["share"] == [1.0] * 12


def test_the_person_is_the_one_asked_for() -> None:
    both = {}
    one, two = table(6, np.ones((6, 12), bool)), table(4, np.zeros((4, 12), bool), face=2)
    for name in vars(one):
        both[name] = np.concatenate([getattr(one, name), getattr(two, name)])
    rows = Rows(**both)
    assert compare_shown(Shown(rows), Shown(rows, 2))["second"]["intensity"][0] == 1
    found = compare_shown(Shown(rows), Shown(rows, 2))
    assert (found["first"]["face"], found["second"]["face"]) == (1, 2)
    assert found["decisions"] == 4 * 12  # the second is seen in four of the six
    assert found["agreement"] == 0
    with pytest.raises(DataError, match="no face 3 in this result: it shows 1, 2"):
        compare_shown(Shown(rows, 3), Shown(rows))
