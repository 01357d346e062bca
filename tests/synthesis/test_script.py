import numpy as np
import pytest

from stages.core.facs import AFF_WILD2_BASE_RATES, AU_NAMES, AU_NUMBERS, N_AUS, NOT_ANNOTATED
from stages.synthesis.audio.speech import Manner, Voice, sample_voice
from stages.synthesis.performance import articulation
from stages.synthesis.performance.affect import VISIBLE
from stages.synthesis.performance.courses import CONSTANT, Course, spread_required
from stages.synthesis.performance.episodes import Episode, intensities, sample_episode
from stages.synthesis.performance.ledger import Brief
from stages.synthesis.performance.motion import LIMITS, leave_picture, sample_motion
from stages.synthesis.performance.script import Line, Script, combine, play, speech_of
from stages.synthesis.performance.writing import write_script

RATES = np.array(list(AFF_WILD2_BASE_RATES.values()))
PRESSOR, PART, DROP = (AU_NUMBERS.index(number) for number in (24, 25, 26))
_times = np.arange(200) / 25.0


def _write(seed, count):
    """Scripts of one split, and their labels, without any picture."""
    rng = np.random.default_rng(seed)
    due, scripts, labels = np.zeros(N_AUS), [], []
    people = [str(k % max(1, count // 2)) for k in range(count)]
    for k, required in enumerate(spread_required(people)):
        voice = sample_voice(rng, male=k % 2 == 0)
        blank, later = Script((seed, k), 8.0), 8.0 * (count - 1 - k)
        brief = Brief(blank, _times, voice, ((0.0, 8.0),), required, later=later)
        script, due = write_script(brief, due, rng)
        scripts.append(script)
        labels.append(play(script, _times, speech_of(script)).labels)
    return scripts, np.stack(labels)


@pytest.fixture(scope="module")
def written():
    return {seed: _write(seed, 36) for seed in (0, 1, 2)}


def test_base_rates_are_those_of_aff_wild2(written):
    for _, labels in written.values():
        rates = (labels == 1).mean(axis=(0, 1))
        np.testing.assert_allclose(rates, RATES, atol=0.05)


def test_base_rates_hold_in_a_small_split():
    for seed in (0, 1, 2):
        rates = (_write(seed, 12)[1] == 1).mean(axis=(0, 1))
        np.testing.assert_allclose(rates, RATES, atol=0.05)


def test_no_au_can_be_read_off_another(written):
    labels = np.concatenate([part.reshape(-1, N_AUS) for _, part in written.values()])
    phi = np.corrcoef(labels.T) - np.eye(N_AUS)
    assert np.abs(phi).max() < 0.7
    for first in range(N_AUS):
        for second in set(range(N_AUS)) - {first}:
            alone = (labels[:, first] == 1) & (labels[:, second] == 0)
            assert alone.any(), f"{AU_NAMES[first]} is never without {AU_NAMES[second]}"


def test_every_au_is_seen_in_two_scripts_of_each_split(written):
    for labels in (written[0][1], _write(3, 12)[1], _write(4, 4)[1]):
        assert ((labels == 1).any(axis=1).sum(axis=0) >= 2).all()


def test_required_aus_go_to_different_people():
    people = ["a", "b", "c", "a", "b", "c"]
    required = spread_required(people)
    for column in range(N_AUS):
        chosen = [people[k] for k, columns in enumerate(required) if column in columns]
        assert len(chosen) == len(set(chosen)) == 2
    assert all(len(columns) == N_AUS for columns in spread_required(["a", "a"]))


def test_nothing_is_required_of_a_clip_that_shows_one_au_throughout():
    courses = [Course(), Course(CONSTANT, 3), Course(), Course()]
    required = spread_required(["a", "b", "c", "d"], courses)
    assert not required[1]
    assert all(sum(column in columns for columns in required) == 2 for column in range(N_AUS))


def test_not_everyone_talks_all_the_time(written):
    scripts, _ = written[0]
    silent = sum(not script.lines for script in scripts)
    assert 0 < silent < len(scripts) / 2
    mouths = np.stack([play(script, _times, speech_of(script)).mouth for script in scripts])
    assert 0.2 < (mouths[:, :, articulation.PARTED] > 0).mean() < 0.8


def test_labels_are_the_visible_intensities(written):
    scripts, _ = written[0]
    for script in scripts[:6]:
        tracks = play(script, _times, speech_of(script))
        np.testing.assert_array_equal(tracks.labels == 1, tracks.intensity >= VISIBLE)
        assert tracks.intensity.min() >= 0.0
        assert tracks.intensity.max() <= 1.0
        assert not ((tracks.labels[:, PRESSOR] == 1) & (tracks.labels[:, PART] == 1)).any()


def test_same_seed_same_script_and_another_differs():
    first, second, third = (_write(seed, 3)[0] for seed in (7, 7, 8))
    assert first == second
    assert first != third


def test_speech_parts_lips_and_closes_them():
    line = Line("My mother bought a big map.", Voice("en-us", "m2"), Manner(volume=1.3), 1.0, 1.0)
    script = Script((0,), 8.0, lines=(line,))
    utterances = speech_of(script)
    tracks = play(script, _times, utterances)
    length = utterances[0][1].phones[-1].end
    outside = (_times < 0.9) | (_times > 1.1 + length)
    assert not tracks.labels[outside].any()
    assert tracks.labels[~outside, PART].mean() > 0.5
    assert tracks.labels[:, DROP].any()
    for phone in utterances[0][1].phones:
        inside = (_times > 1.0 + phone.start + 0.03) & (_times < 1.0 + phone.end - 0.03)
        if phone.phoneme in ("m", "b", "p"):
            assert not tracks.labels[inside, PART].any()


def test_pressed_lips_win_over_parted_ones():
    acted = np.zeros((1, N_AUS))
    acted[0, [PRESSOR, PART]] = 0.8, 0.9
    total = combine(acted, np.zeros((1, articulation.N_FEATURES)))
    assert total[0, PART] == 0.0
    assert total[0, PRESSOR] == 0.8


def test_closed_lips_press_without_being_au24():
    mouth = np.zeros((1, articulation.N_FEATURES))
    mouth[0, articulation.CLOSED] = 1.0
    total = combine(np.zeros((1, N_AUS)), mouth)
    assert 0.0 < total[0, PRESSOR] < VISIBLE


def test_stretches_without_annotation():
    script = Script((0,), 8.0, gaps=((1.0, 2.0),), away=(4.0, 5.0))
    labels = play(script, _times, []).labels
    unknown = (labels == NOT_ANNOTATED).all(axis=1)
    expected = ((_times >= 1) & (_times < 2)) | ((_times >= 4) & (_times < 5))
    np.testing.assert_array_equal(unknown, expected)
    assert (labels[~expected] >= 0).all()


def test_an_episode_rises_holds_and_falls():
    episode = Episode(3, start=1.0, onset=0.4, hold=1.0, offset=0.6, apex=0.8)
    curve = intensities([episode], np.arange(0, 4, 0.001))[:, 3]
    assert curve[1000] == curve[3000] == 0.0
    assert 0.7 < curve[1400:2400].min() <= curve.max() <= 0.8
    assert (np.diff(curve[1000:1390]) >= 0).all()
    assert (np.diff(curve[2450:2990]) <= 0).all()
    assert np.abs(np.diff(curve)).max() < 0.01  # no jumps


def test_short_episodes_keep_their_length():
    episode = sample_episode(0, 2.0, 2.3, 1.0, np.random.default_rng(0))
    assert episode.onset + episode.hold + episode.offset == pytest.approx(0.3)
    assert episode.hold >= 0.0


def test_heads_move_smoothly_and_blink_naturally():
    times = np.arange(60 * 25) / 25.0
    blinks = []
    for seed in range(12):
        motion = sample_motion(times, 60.0, np.random.default_rng(seed))
        assert np.abs(np.diff(motion.rotation, axis=0)).max() < 8.0  # degrees a frame
        assert np.abs(motion.rotation).max() <= max(LIMITS)
        assert motion.rotation.std(axis=0).min() > 0.5
        assert motion.gaze.shape == motion.shift.shape == (len(times), 2)
        closed = motion.blink > 0.2
        blinks.append((np.diff(closed.astype(int)) == 1).sum())
    assert 8 < np.mean(blinks) < 20


def test_motion_does_not_depend_on_the_grid_of_times():
    coarse = sample_motion(_times[::2], 8.0, np.random.default_rng(5))
    fine = sample_motion(_times, 8.0, np.random.default_rng(5))
    np.testing.assert_allclose(coarse.rotation, fine.rotation[::2])
    np.testing.assert_allclose(coarse.blink, fine.blink[::2])


def test_a_head_leaves_the_picture_and_comes_back():
    shift = leave_picture(np.zeros((200, 2)), _times, 2.0, 2.0)
    assert not shift[_times <= 2.0].any()
    assert not shift[_times >= 4.0].any()
    assert (shift[(_times > 2.5) & (_times < 3.5), 0] > 3.0).all()
