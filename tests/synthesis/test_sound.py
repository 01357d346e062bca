import h5py
import numpy as np
import pytest

from stages.synthesis.audio.microphones import coded, delay, sample_microphone, telephone, through
from stages.synthesis.audio.sound import record, sample_room
from stages.synthesis.audio.spectra import filtered, resampled
from stages.synthesis.audio.speech import Manner, Voice, speak
from stages.synthesis.audio.surroundings import babble, knocks, music
from stages.synthesis.clips import unseen
from stages.synthesis.speech_data import Speaker, write_speaker

RATE = 16_000


@pytest.fixture(scope="module")
def voice():
    spoken = speak("My mother bought a big map.", Voice("en-us", "m2"), Manner())
    return resampled(spoken.samples, spoken.sample_rate, RATE)


@pytest.mark.parametrize("codec", ["opus", "aac", "mp3"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_codec_loses_some_and_delays_nothing(voice, codec, rate):
    given = resampled(voice, RATE, rate)
    back = coded(given, rate, codec, 16_000)
    assert len(back) == len(given)
    assert delay(given, back) == delay(back, given) == 0
    assert 0.9 < np.corrcoef(given, back)[0, 1] < 0.999
    np.testing.assert_array_equal(back, coded(given, rate, codec, 16_000))


def test_a_telephone_is_narrow_and_delays_nothing(voice):
    back = telephone(voice, RATE)
    assert len(back) == len(voice)
    assert delay(voice, back) == delay(back, voice) == 0
    power = np.abs(np.fft.rfft(back)) ** 2
    hertz = np.fft.rfftfreq(len(back), 1 / RATE)
    assert power[hertz > 4_200].sum() < 1e-4 * power.sum()
    assert power[(hertz > 10) & (hertz < 120)].sum() < 1e-2 * power.sum()


def test_silence_survives_every_line():
    rng = np.random.default_rng(0)
    for _ in range(30):
        heard = through(np.zeros(4_000, np.float32), RATE, sample_microphone(rng))
        assert len(heard) == 4_000
        assert np.abs(heard).max() < 0.01


def test_a_filter_amplifies_what_it_should():
    time = np.arange(RATE) / RATE
    for hertz, gain in ((200.0, 0.1), (4_000.0, 1.0)):
        tone = np.sin(2 * np.pi * hertz * time).astype(np.float32)
        heard = filtered(tone, RATE, [400.0, 2_000.0], [-20.0, 0.0])
        assert heard[2_000:-2_000].std() / tone.std() == pytest.approx(gain, rel=0.05)


def test_microphones_and_rooms_differ():
    rng = np.random.default_rng(0)
    rooms = [sample_room(rng) for _ in range(200)]
    codecs = {room.microphone.codec for room in rooms}
    assert codecs == {"", "opus", "aac", "mp3", "telephone"}
    for name in ("babble", "music", "knocks", "hum"):
        share = np.mean([getattr(room, name) > 0 for room in rooms])
        assert 0.08 < share < 0.6, name
    assert any(room.microphone.drive > 1 for room in rooms)


@pytest.mark.parametrize("seed", range(3))
def test_backgrounds_are_steady_music_has_tones_and_babble_is_speech(seed):
    rng = np.random.default_rng(seed)
    for sound in (babble(2 * RATE, RATE, 3, rng), music(2 * RATE, RATE, rng)):
        assert len(sound) == 2 * RATE
        assert sound.std() == pytest.approx(1.0, abs=0.02)
    knocked = knocks(4 * RATE, RATE, 2.0, rng)
    assert np.abs(knocked).max() <= 1.0
    assert np.median(np.abs(knocked)) < 0.05  # short ones


def test_a_recording_keeps_the_time_of_what_is_said():
    spoken = speak("Papa.", Voice("en-us", "m3"), Manner())
    rng = np.random.default_rng(5)
    for _ in range(12):
        room = sample_room(rng)
        sound = record([(1.0, spoken)], 3.0, room, rng)
        assert sound.shape == (room.channels, 3 * room.sample_rate)
        assert np.abs(sound).max() <= 1.0
        loud = np.convolve(sound[0] ** 2, np.ones(room.sample_rate // 20), "same")
        said = len(spoken.samples) / spoken.sample_rate
        assert 0.9 < loud.argmax() / room.sample_rate < 1.3 + said


def test_speech_data_are_the_same_bytes_and_have_silence_that_is_none(tmp_path):
    for name in ("first", "second"):
        write_speaker(Speaker(3, 1, 6), tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    with h5py.File(tmp_path / "first") as file:
        samples, offset = file["samples"][()], file["offset"][()]
        phoneme, starts = file["phoneme"][()], file["phoneme_start"][()]
        ends, segments = file["phoneme_end"][()], file["phoneme_offset"][()]
    for k in range(6):
        rows = slice(segments[k], segments[k + 1])
        length = (offset[k + 1] - offset[k]) / RATE
        assert phoneme[rows][0] == phoneme[rows][-1] == 0
        assert starts[rows][0] == 0.0
        assert ends[rows][-1] == pytest.approx(length)
        np.testing.assert_array_equal(starts[rows][1:], ends[rows][:-1])
        assert (ends[rows] >= starts[rows]).all()
        before = samples[offset[k] : offset[k] + round(RATE * ends[rows][0])]
        assert len(before) == 0 or before.any()


def test_sometimes_somebody_speaks_who_is_not_seen():
    rng = np.random.default_rng(0)
    parts = [unseen(8.0, rng) for _ in range(80)]
    heard = [part for part in parts if part]
    assert 4 <= len(heard) <= 24
    for part in heard:
        assert all(0.0 <= start < 8.0 for start, _ in part)
