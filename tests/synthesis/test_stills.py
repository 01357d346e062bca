import json

import h5py
import numpy as np
import pytest

from stages.core.facs import AU_NUMBERS, EXPRESSIONS, N_AUS
from stages.synthesis.audio.phonemes import PHONEMES, SILENCE
from stages.synthesis.audio.sound import record, sample_room
from stages.synthesis.audio.spectra import resampled
from stages.synthesis.audio.speech import Manner, Voice, speak
from stages.synthesis.performance.affect import VISIBLE
from stages.synthesis.speech_data import SAMPLE_RATE, Speaker, join_speakers, write_speaker
from stages.synthesis.still_labels import sample_still

PRESSOR, PART, DROP = (AU_NUMBERS.index(number) for number in (24, 25, 26))


@pytest.fixture(scope="module")
def stills():
    rng = np.random.default_rng(0)
    return [sample_still(rng) for _ in range(2000)]


def test_every_au_is_frequent_and_independent(stills):
    labels = np.stack([still.labels for still in stills])
    rates = labels.mean(axis=0)
    assert (rates > 0.14).all()
    assert (rates < 0.4).all()
    assert (labels.sum(axis=1) == 0).mean() > 0.12  # faces at rest, for real ones mostly are
    phi = np.corrcoef(labels.T) - np.eye(N_AUS)
    assert np.abs(phi).max() < 0.6


def test_labels_are_the_visible_intensities(stills):
    for still in stills[:200]:
        np.testing.assert_array_equal(still.labels == 1, still.intensity >= VISIBLE)
        assert 0.0 <= still.intensity.min() <= still.intensity.max() <= 1.0
        assert not (still.labels[PRESSOR] and (still.labels[PART] or still.labels[DROP]))


def test_expressions_and_feelings_are_all_there(stills):
    counts = np.bincount([still.expression for still in stills], minlength=len(EXPRESSIONS))
    assert (counts > 0.05 * len(stills)).all()
    valence = np.array([still.valence for still in stills])
    happy = np.array([EXPRESSIONS[still.expression] == "happiness" for still in stills])
    sad = np.array([EXPRESSIONS[still.expression] == "sadness" for still in stills])
    assert valence[happy].mean() > 0.3
    assert valence[sad].mean() < -0.2
    assert np.abs(valence).max() <= 1.0


def test_speech_files_hold_whole_utterances_and_join(tmp_path):
    pieces = []
    for number in (0, 1):
        pieces.append(tmp_path / f"{number}.h5")
        write_speaker(Speaker(0, number, 2), pieces[-1])
    join_speakers(tmp_path / "all.h5", pieces)
    with h5py.File(tmp_path / "all.h5") as file:
        symbols = json.loads(file.attrs["phonemes"])
        assert symbols == list(PHONEMES)
        assert symbols[0] == SILENCE
        assert file["speaker"][()].tolist() == [0, 0, 1, 1]
        offset, phonemes = file["offset"][()], file["phoneme_offset"][()]
        assert len(offset) == len(phonemes) == 5
        assert offset[-1] == len(file["samples"])
        assert phonemes[-1] == len(file["phoneme"])
        for k in range(4):
            inside = slice(phonemes[k], phonemes[k + 1])
            start, end = file["phoneme_start"][inside], file["phoneme_end"][inside]
            np.testing.assert_array_equal(start[1:], end[:-1])
            assert start[0] == 0.0
            assert end[-1] == pytest.approx((offset[k + 1] - offset[k]) / SAMPLE_RATE)
        assert 0 <= file["phoneme"][()].min() <= file["phoneme"][()].max() < len(symbols)
    write_speaker(Speaker(0, 0, 2), tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == pieces[0].read_bytes()


def test_resampling_keeps_a_tone():
    old, new = 22_050, 16_000
    tone = np.sin(2 * np.pi * 300 * np.arange(old) / old).astype(np.float32)
    sound = resampled(tone, old, new)
    assert len(sound) == new
    expected = np.sin(2 * np.pi * 300 * np.arange(new) / new)
    np.testing.assert_allclose(sound[500:-500], expected[500:-500], atol=0.02)


def test_a_voice_stands_out_of_its_room():
    rng = np.random.default_rng(3)
    spoken = speak("My mother was calm.", Voice("en-us", "f3"), Manner())
    for _ in range(6):
        room = sample_room(rng)
        sound = record([(1.0, spoken)], 4.0, room, rng)
        assert sound.shape == (room.channels, 4 * room.sample_rate)
        assert np.abs(sound).max() <= 1.0
        before = sound[0, : room.sample_rate * 9 // 10].std()
        during = sound[0, room.sample_rate : room.sample_rate * 2].std()
        assert 0.0 < before < 0.5 * during
