from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest

from stages.core.facs import AFF_WILD2_BASE_RATES
from stages.synthesis.people.people import sample_person
from stages.synthesis.performance import pitfalls
from stages.synthesis.performance.courses import CONSTANT, HELD, KINDS, LIVELY, NEUTRAL
from stages.synthesis.performance.pitfalls import PITFALLS
from stages.synthesis.performance.plan import (
    SPLITS,
    Settings,
    plan_clips,
    split_clips,
    split_people,
)
from stages.synthesis.performance.script import play, speech_of
from stages.synthesis.randomness import generator


def _settings(**changes):
    values = {
        "seed": 0, "clips": 34, "people": 34, "seconds": (3.0, 32.0), "test_clips": 40,
        "test_seconds": (3.0, 6.0), "frame_rate": 25.0, "resolution": 256,
    }  # fmt: skip
    return Settings(**(values | changes))


SMALL = {
    "clips": 9, "people": 6, "seconds": (2.0, 2.0), "test_clips": 3, "test_seconds": (2.0, 2.0)
}  # fmt: skip


def _labels(clips):
    """Annotated frames of some clips."""
    scripts = [(clip, script) for clip in clips for script in clip.scripts]
    labels = [play(s, clip.times(), speech_of(s)).labels for clip, s in scripts]
    rows = np.concatenate(labels)
    return rows[rows[:, 0] >= 0]


@pytest.fixture(scope="module")
def default():
    return plan_clips(_settings())


@pytest.fixture(scope="module")
def small():
    return plan_clips(_settings(**SMALL))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("clips", "people", "test_clips"), [(34, 34, 40), (9, 4, 3), (60, 20, 45)])
def test_people_of_the_splits_never_meet(seed, clips, people, test_clips):
    settings = _settings(
        seed=seed, clips=clips, people=people, test_clips=test_clips,
        seconds=(1.0, 2.0), test_seconds=(1.0, 1.5),
    )  # fmt: skip
    splits = defaultdict(set)
    seen = Counter()
    for clip in plan_clips(settings):
        for person in clip.people:
            splits[person].add(clip.split)
            seen[person, clip.split] += 1
    assert all(len(names) == 1 for names in splits.values())
    assert {n for (_, split), n in seen.items() if split == "Test_Set"} == {1}
    assert sum(split == "Test_Set" for _, split in seen) >= test_clips
    assert len(splits) >= people + test_clips


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_people_of_clips_and_stills_never_meet(seed):
    """Nobody's skin, hair, age and build are those of somebody else."""
    clips = [sample_person(generator(seed, "person", number)) for number in range(500)]
    stills = [sample_person(generator(seed, "still person", number)) for number in range(3000)]
    told_apart = {repr(person) for person in (*clips, *stills)}
    assert len(told_apart) == 3500


def test_sizes_of_the_splits(default):
    assert Counter(clip.split for clip in default) == {
        "Train_Set": 26, "Validation_Set": 8, "Test_Set": 40
    }  # fmt: skip


def test_every_split_has_the_base_rates(default):
    rates = np.array(list(AFF_WILD2_BASE_RATES.values()))
    for split in SPLITS:
        known = _labels([clip for clip in default if clip.split == split])
        np.testing.assert_allclose((known == 1).mean(axis=0), rates, atol=0.05)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_base_rates_hold_whatever_the_seed(seed):
    """What lasts must not upset the ledger, not even in 9 clips of validation."""
    rates = np.array(list(AFF_WILD2_BASE_RATES.values()))
    clips = plan_clips(_settings(seed=seed))
    for split in SPLITS:
        known = _labels([clip for clip in clips if clip.split == split])
        np.testing.assert_allclose((known == 1).mean(axis=0), rates, atol=0.1)


def test_lengths_go_from_the_shortest_to_the_longest(default):
    lengths = [clip.seconds for clip in default if clip.split == "Train_Set"]
    assert 3.0 <= min(lengths) < 4.0
    assert 28.0 < max(lengths) <= 32.0
    assert np.median(lengths) < np.mean(lengths) < 12.0
    assert all(3.0 <= clip.seconds <= 6.0 for clip in default if clip.split == "Test_Set")
    for clip in default:
        if clip.pitfall not in (pitfalls.SHORT, pitfalls.VARIABLE_FRAME_RATE):
            assert clip.times()[-1] == pytest.approx(clip.seconds, abs=0.1)


def test_expressions_last(default):
    """Runs of an AU last as long as on real faces, not seconds only; some are there at once."""
    runs, first, last = [], [], []
    for clip in default:
        for script in clip.scripts:
            shown = play(script, clip.times(), speech_of(script)).labels == 1
            first.append(shown[0].any())
            last.append(shown[-1].any())
            for column in shown.T:
                edges = np.flatnonzero(np.diff(np.concatenate([[0], column, [0]])))
                runs += (np.diff(edges)[::2] / 25.0).tolist()
    assert sum(length >= 5.0 for length in runs) >= 20
    assert max(runs) > 15.0
    assert min(runs) < 0.5
    assert 0.3 < np.mean(first) < 0.95
    assert 0.3 < np.mean(last) < 0.95


def test_each_split_has_every_course(default):
    for split in SPLITS:
        kinds = Counter(clip.course for clip in default if clip.split == split)
        assert set(kinds) == set(KINDS)
    assert all(
        clip.course == LIVELY for clip in plan_clips(_settings(clips=6, test_clips=3, people=3))
    )


def test_neutral_clips_have_no_expression_and_constant_ones_a_single_au(default):
    columns = []
    for clip in default:
        script = clip.scripts[0]
        tracks = play(replace(script, lines=()), clip.times(), [])
        known = tracks.labels[tracks.labels[:, 0] >= 0] == 1
        if clip.course == NEUTRAL:
            assert not known.any()
        if clip.course == CONSTANT:
            assert known.all(axis=0).sum() == known.any(axis=0).sum() == 1
            columns.append(known[0].argmax())
    assert len(set(columns)) > 0.7 * len(columns) > 5


def test_faces_that_hold_an_expression_move_their_heads_and_blink(default):
    turned, blinked, spoke, mute = [], 0, 0, 0
    for clip in default:
        if clip.course in (HELD, CONSTANT):
            motion = play(clip.scripts[0], clip.times(), speech_of(clip.scripts[0])).motion
            turned.append(np.ptp(motion.rotation[:, :2], axis=0))
            blinked += motion.blink.max() > 0.5
            spoke, mute = spoke + bool(clip.scripts[0].lines), mute + (not clip.scripts[0].lines)
    assert np.median(turned, axis=0).min() > 5.0  # degrees
    assert np.max(turned) > 30.0
    assert blinked > 0.5 * len(turned)
    assert spoke > 5
    assert mute > 5


def test_every_pitfall_occurs_and_they_are_spread(default, small):
    assert {clip.pitfall for clip in small} >= set(PITFALLS)
    counts = Counter(clip.pitfall for clip in default if clip.pitfall)
    assert counts == dict.fromkeys(PITFALLS, 2)
    for clips in (default, small):
        assert {clip.split for clip in clips if clip.pitfall} == set(SPLITS)


@pytest.mark.parametrize("clips", [12, 13, 20, 31, 45, 100])
def test_every_pitfall_occurs_at_any_size(clips):
    settings = _settings(clips=clips, people=max(6, clips // 2), test_clips=max(3, clips // 4))
    splits, people = split_clips(settings)
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
    again = plan_clips(_settings(**SMALL))
    other = plan_clips(_settings(**SMALL, seed=1))
    assert again == small
    assert other != small


def test_every_person_is_used_and_small_corpora_have_three_splits():
    smallest = _settings(
        clips=2, people=2, test_clips=1, seconds=(1.0, 1.0), test_seconds=(1.0, 1.0)
    )
    assert set(split_people(smallest)) == set(SPLITS)
    clips = plan_clips(smallest)
    assert {clip.split for clip in clips} == set(SPLITS)
