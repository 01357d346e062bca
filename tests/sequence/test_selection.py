"""Which videos and frames are trained on and predicted, against loops over frames."""

import numpy as np
import pytest

from stages.core.errors import DataError
from stages.sequence.choices import CORRECTED, PRESETS
from stages.sequence.dataset import Video, make_video
from stages.sequence.selection import (
    complete_frames,
    scored_videos,
    standing_frames,
    training_videos,
)

COMPLETE = CORRECTED.model_copy(update={"frames": "complete"})


def video(name: str, frames: int = 40, source: str = "") -> Video:
    generator = np.random.default_rng(len(name))
    labels = generator.integers(0, 2, (frames, 12)).astype(np.int8)
    labels[generator.random((frames, 12)) < 0.02] = -1
    return make_video(name, labels, generator.random(frames) < 0.7, source, 3 if source else 0)


def test_the_last_face_of_the_video_stands_for_all_that_have_none() -> None:
    face = np.random.default_rng(0).random(200) < 0.5
    last = max(t for t in range(200) if face[t])
    expected = [t if face[t] else last for t in range(200)]
    assert standing_frames(face, "last").tolist() == expected
    assert standing_frames(np.zeros(4, bool), "last").tolist() == [0, 1, 2, 3]


def test_scored_videos_keep_every_frame_and_label() -> None:
    for choices in PRESETS.values():
        (scored,) = scored_videos([video("a")], choices)
        assert scored.frames == 40
        assert scored.kept is None
        assert scored.face[scored.nearest].all()


def test_complete_frames_against_a_loop() -> None:
    whole = video("a")
    expected = [t for t in range(40) if whole.face[t] and -1 not in whole.labels[t].tolist()]
    assert 0 < len(expected) < 40
    reduced = complete_frames(whole)
    assert reduced.kept is not None
    assert reduced.kept.tolist() == reduced.nearest.tolist() == expected
    assert reduced.labels.tolist() == whole.labels[expected].tolist()
    assert reduced.face.all()


def test_corrected_trains_on_everything_as_it_is() -> None:
    videos = [video("a"), video("a:upper:000003", source="a")]
    for before, after in zip(videos, training_videos(videos, CORRECTED, 1), strict=True):
        assert (before.name, before.source, before.start) == (
            after.name, after.source, after.start,
        )  # fmt: skip
        assert after.kept is None
        np.testing.assert_array_equal(before.labels, after.labels)
        np.testing.assert_array_equal(before.nearest, after.nearest)


def test_copies_are_dropped_by_the_seed_and_nothing_else_is() -> None:
    videos = [video("a"), *(video(f"a:upper:{i:06d}", source="a") for i in range(100))]
    choices = CORRECTED.model_copy(update={"dropped_copies": 0.3})
    names = [[v.name for v in training_videos(videos, choices, seed)] for seed in (1, 1, 2)]
    assert all(len(kept) == 71 and "a" in kept and kept == sorted(kept) for kept in names)
    assert names[0] == names[1] != names[2]


def test_videos_without_any_complete_frame_are_left_out_and_none_at_all_is_a_sentence() -> None:
    unknown = make_video("u", np.full((9, 12), -1, np.int8), np.ones(9, bool))
    assert [v.name for v in training_videos([unknown, video("a")], COMPLETE, 1)] == ["a"]
    with pytest.raises(DataError, match=r"set choices\.frames to all"):
        training_videos([unknown], COMPLETE, 1)
