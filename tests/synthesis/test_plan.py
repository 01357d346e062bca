from collections import Counter, defaultdict

import numpy as np
import pytest

from stages.core.facs import AFF_WILD2_BASE_RATES
from stages.synthesis import pitfalls
from stages.synthesis.pitfalls import PITFALLS
from stages.synthesis.plan import SPLITS, Settings, plan_clips, split_people
from stages.synthesis.script import play, speech_of


def _settings(**changes):
    values = {
        "seed": 0, "clips": 60, "people": 30, "seconds": 8.0, "frame_rate": 25.0, "resolution": 256
    }  # fmt: skip
    return Settings(**(values | changes))


@pytest.fixture(scope="module")
def default():
    return plan_clips(_settings())


@pytest.fixture(scope="module")
def small():
    return plan_clips(_settings(clips=12, people=6, seconds=2.0))


def test_no_person_is_in_two_splits(default):
    splits = defaultdict(set)
    for clip in default:
        for person in clip.people:
            splits[person].add(clip.split)
    assert len(splits) == 30
    assert all(len(names) == 1 for names in splits.values())
    assert Counter(clip.split for clip in default) == {
        "Train_Set": 36, "Validation_Set": 12, "Test_Set": 12
    }  # fmt: skip


def test_every_split_has_the_base_rates(default):
    rates = np.array(list(AFF_WILD2_BASE_RATES.values()))
    for split in SPLITS:
        labels = np.concatenate(
            [
                play(script, clip.times(), speech_of(script)).labels
                for clip in default
                if clip.split == split
                for script in clip.scripts
            ]
        )
        known = labels[labels[:, 0] >= 0]
        np.testing.assert_allclose((known == 1).mean(axis=0), rates, atol=0.05)


def test_every_pitfall_occurs_and_they_are_spread(default, small):
    assert {clip.pitfall for clip in small} >= set(PITFALLS)
    counts = Counter(clip.pitfall for clip in default if clip.pitfall)
    assert counts == dict.fromkeys(PITFALLS, 2)
    for clips in (default, small):
        assert {clip.split for clip in clips if clip.pitfall} == set(SPLITS)


@pytest.mark.parametrize("clips", [12, 13, 20, 31, 45, 100])
def test_every_pitfall_occurs_at_any_size(clips):
    settings = _settings(clips=clips, people=max(6, clips // 2))
    order = split_people(settings.people)
    splits = [order[k % len(order)] for k in range(clips)]
    people = [k % len(order) for k in range(clips)]
    assert set(pitfalls.assign_pitfalls(splits, people)) >= set(PITFALLS)


def test_two_people_share_one_video(default):
    for clip in default:
        if clip.pitfall == pitfalls.TWO_PEOPLE:
            assert len(set(clip.people)) == len(clip.scripts) == 2
            left, right = clip.names
            assert {left, right} in (
                {clip.stem, f"{clip.stem}_right"}, {clip.stem, f"{clip.stem}_left"}
            )  # fmt: skip
            assert not left.endswith("_right")
            assert not right.endswith("_left")
        else:
            assert clip.names == (clip.stem,)


def test_names_are_unique_and_like_those_of_aff_wild2(default):
    names = [name for clip in default for name in clip.names]
    assert len(names) == len(set(names))
    assert sum(stem.endswith("-25-256x256") for stem in names) > 20
    assert any(stem.startswith("video") for stem in names)
    assert {clip.folder for clip in default} == {"batch1", "batch2"}


def test_times_are_even_but_for_a_variable_frame_rate(default):
    for clip in default:
        steps = np.diff(clip.times())
        assert clip.times()[0] == 0.0
        assert (steps > 0).all()
        if clip.pitfall == pitfalls.VARIABLE_FRAME_RATE:
            assert steps.max() > 1.5 * np.median(steps)
        else:
            np.testing.assert_allclose(steps, 0.04)
        if clip.pitfall == pitfalls.SHORT:
            assert len(clip.times()) < pitfalls.WINDOW
        else:
            assert clip.times()[-1] > 7.5


def test_unannotated_and_lost_frames(default):
    for clip in default:
        labels = play(clip.scripts[0], clip.times(), []) if not clip.scripts[0].lines else None
        unknown = ~clip.scripts[0].annotated(clip.times())
        trap = clip.pitfall in (pitfalls.UNANNOTATED, pitfalls.OUT_OF_PICTURE)
        assert unknown.any() == trap
        if labels is not None:
            assert ((labels.labels == -1).all(axis=1) == unknown).all()


def test_line_counts():
    labels = np.zeros((10, 12), np.int8)
    assert len(pitfalls.annotation_lines(labels, pitfalls.LINE_TOO_MANY)) == 11
    assert len(pitfalls.annotation_lines(labels, pitfalls.LINE_TOO_FEW)) == 9
    assert len(pitfalls.annotation_lines(labels, None)) == 10


def test_sound_starts_late_only_where_it_should():
    assert pitfalls.sound_start(8.0, pitfalls.LATE_SOUND) == pytest.approx(1.2)
    assert pitfalls.sound_start(8.0, None) == 0.0


def test_same_seed_same_plan(small):
    again = plan_clips(_settings(clips=12, people=6, seconds=2.0))
    other = plan_clips(_settings(clips=12, people=6, seconds=2.0, seed=1))
    assert again == small
    assert other != small


def test_every_person_is_used_and_small_corpora_have_three_splits():
    assert set(split_people(3)) == set(SPLITS)
    clips = plan_clips(_settings(clips=3, people=3, seconds=1.0))
    assert {clip.split for clip in clips} == set(SPLITS)
