import builtins

import numpy as np
import pytest

from stages.core.errors import SettingsError
from stages.synthesis.audio import speech
from stages.synthesis.audio.phonemes import MOUTHS, PHONEMES, SILENCE, reduced
from stages.synthesis.audio.sentences import sentence
from stages.synthesis.audio.speech import (
    ENGLISH,
    FEMALE_VARIANTS,
    FOREIGN,
    MALE_VARIANTS,
    Manner,
    Voice,
    sample_voice,
    speak,
)
from stages.synthesis.audio.timbre import LEVEL
from stages.synthesis.performance.articulation import CLOSED, JAW, PARTED, mouth_track

VOICE = Voice("en-us", "m3")
TEXT = "My brother bought a big map, and the puppy jumped."


def test_phones_fill_the_utterance_without_gaps():
    spoken = speak(TEXT, VOICE, Manner())
    ends = [phone.end for phone in spoken.phones]
    starts = [phone.start for phone in spoken.phones]
    assert starts[0] == 0.0
    assert ends[:-1] == starts[1:]
    assert ends[-1] == pytest.approx(len(spoken.samples) / spoken.sample_rate)
    assert all(phone.end > phone.start for phone in spoken.phones)
    assert {phone.phoneme for phone in spoken.phones} <= set(PHONEMES)
    closed = "".join(phone.phoneme for phone in spoken.phones if phone.phoneme in "mbp")
    assert closed == "mbbbmpppmp"  # My Brother Bought Big MaP PuPpy juMPed


def test_phone_times_are_those_of_the_sound():
    # the fricative of "sheep" is noise, its vowel is voiced: low frequencies only in the vowel
    spoken = speak("She saw the sheep.", VOICE, Manner())

    def low_share(phoneme):
        powers = []
        for phone in spoken.phones:
            if phone.phoneme == phoneme:
                first, last = (round(t * spoken.sample_rate) for t in (phone.start, phone.end))
                power = np.abs(np.fft.rfft(spoken.samples[first:last])) ** 2
                frequency = np.fft.rfftfreq(last - first, 1 / spoken.sample_rate)
                powers.append(power[frequency < 600].sum() / power.sum())
        return np.mean(powers)

    assert low_share("iy") > 0.5
    assert low_share("sh") < 0.1


def test_silence_between_sentences_is_silent():
    spoken = speak("Stop. Go on.", VOICE, Manner())
    pauses = [p for p in spoken.phones if p.phoneme == SILENCE and p.end - p.start > 0.1]
    assert pauses
    for pause in pauses:
        middle = (pause.start + pause.end) / 2
        first, last = (round(t * spoken.sample_rate) for t in (middle - 0.02, middle + 0.02))
        assert np.abs(spoken.samples[first:last]).max() < 0.01


def test_same_arguments_same_samples_whatever_was_said_before():
    first = speak(TEXT, VOICE, Manner())
    speak("Something else altogether!", Voice("en-029", "f4", 60), Manner(rate=220))
    second = speak(TEXT, VOICE, Manner())
    np.testing.assert_array_equal(first.samples, second.samples)
    assert first.phones == second.phones


def test_manner_sets_rate_pitch_and_volume():
    plain = speak(TEXT, VOICE, Manner())
    fast = speak(TEXT, VOICE, Manner(rate=230))
    quiet = speak(TEXT, VOICE, Manner(volume=0.4))
    high = speak(TEXT, VOICE, Manner(pitch=40))
    assert len(fast.samples) < 0.85 * len(plain.samples)
    np.testing.assert_allclose(quiet.samples, 0.4 * plain.samples, atol=1e-6)

    def pitch(samples):  # in Hz, of the strongest repetition between 60 and 350 Hz
        power = np.abs(np.fft.rfft(samples, 2 * len(samples))) ** 2
        repetition = np.fft.irfft(power)[: len(samples)]
        shortest = plain.sample_rate // 350
        return plain.sample_rate / (
            shortest + repetition[shortest : plain.sample_rate // 60].argmax()
        )

    assert pitch(high.samples) > 1.1 * pitch(plain.samples)


def test_every_accent_and_every_variant_speaks_and_is_as_loud():
    voices = [Voice(accent, "f2") for accent in (*ENGLISH, *FOREIGN)]
    voices += [Voice("en-us", variant) for variant in (*MALE_VARIANTS, *FEMALE_VARIANTS)]
    for voice in voices:
        spoken = speak("Emma saw a map.", voice, Manner())
        assert np.sqrt((spoken.samples**2).mean()) == pytest.approx(LEVEL, rel=0.05)
        assert len(spoken.phones) > 8


def test_without_espeak_the_user_is_told_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "espeakng_loader":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    speech.wheel.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingsError, match=r"aufusion\[corpus\]"):
        speak("Hello.", VOICE, Manner())
    speech.wheel.cache_clear()


def test_lips_close_on_m_b_p_and_part_on_vowels():
    spoken = speak(TEXT, VOICE, Manner())
    for phone in spoken.phones:
        if phone.end - phone.start < 0.05:
            continue
        middle = np.array([(phone.start + phone.end) / 2])
        track = mouth_track(spoken.phones, middle)[0]
        if phone.phoneme in "mbp":
            assert track[CLOSED] == 1.0
            assert track[PARTED] == 0.0
        elif phone.phoneme in ("ae", "ao", "aa", "ay"):
            assert track[PARTED] > 0.5
            assert track[CLOSED] < 0.5


def test_louder_speech_drops_the_jaw_further():
    spoken = speak(TEXT, VOICE, Manner())
    times = np.arange(0, 3, 0.01)
    quiet = mouth_track(spoken.phones, times, loudness=0.6)
    loud = mouth_track(spoken.phones, times, loudness=1.4)
    assert (loud[:, JAW] >= quiet[:, JAW]).all()
    assert loud[:, JAW].max() > quiet[:, JAW].max() + 0.2
    assert loud.max() <= 1.0
    assert quiet.min() >= 0.0


def test_a_silent_mouth_rests():
    assert not mouth_track((), np.arange(3.0)).any()


@pytest.mark.parametrize(
    ("mnemonic", "phoneme"),
    [("'aI", "ay"), ("_:", SILENCE), ("tS", "ch"), ("@2", "ax"), ("O:", "ao"), ("(en)", None)],
)
def test_mnemonics_are_reduced(mnemonic, phoneme):
    assert reduced(mnemonic) == phoneme


def test_every_mnemonic_of_many_sentences_is_known():
    rng = np.random.default_rng(0)
    heard = set()
    for accent in (*ENGLISH, *FOREIGN):
        for _ in range(4):
            spoken = speak(sentence(rng), Voice(accent, "m1"), Manner())
            heard |= {phone.phoneme for phone in spoken.phones}
            assert all(phone.end - phone.start < 1.0 for phone in spoken.phones)
    assert len(heard) > 0.7 * len(MOUTHS)


def test_voices_differ_and_fit_the_sex():
    rng = np.random.default_rng(0)
    voices = {sample_voice(rng, male=True) for _ in range(20)}
    assert len(voices) > 10
    assert {voice.variant for voice in voices} <= set(MALE_VARIANTS)
    female = {sample_voice(rng, male=False) for _ in range(20)}
    assert {voice.variant for voice in female} <= set(FEMALE_VARIANTS)
    assert {voice.accent for voice in voices | female} & set(FOREIGN)
    assert np.mean([v.tract for v in voices]) > np.mean([v.tract for v in female]) + 0.03


def _centroid(samples, rate, low, high):
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    band = (hertz > low) & (hertz < high)
    return (hertz * power)[band].sum() / power[band].sum()


def test_a_longer_tract_lowers_the_formants_but_not_the_pitch():
    plain, long = (speak("Aha.", Voice("en-us", "m3", tract=t), Manner()) for t in (1.0, 1.16))
    assert _centroid(long.samples, long.sample_rate, 400, 4000) < 0.95 * _centroid(
        plain.samples, plain.sample_rate, 400, 4000
    )
    lengths = [len(one.samples) / one.sample_rate for one in (plain, long)]
    assert lengths[1] == pytest.approx(lengths[0], rel=0.12)
    assert long.phones[-1].end == pytest.approx(lengths[1])


def test_phones_of_a_stretched_voice_are_those_of_its_sound():
    for tract in (0.88, 1.14):
        spoken = speak("Stop. Go on.", Voice("en-us", "m3", tract=tract), Manner())
        pause = max((p for p in spoken.phones[:-1] if p.phoneme == SILENCE), key=lambda p: p.end)
        middle = round((pause.start + pause.end) / 2 * spoken.sample_rate)
        assert np.abs(spoken.samples[middle - 400 : middle + 400]).max() < 0.01
        assert pause.end - pause.start > 0.1


def test_breath_is_heard_with_the_voice_only():
    plain, airy = (speak("Stop. Go on.", Voice("en-us", "m3", breath=b), Manner()) for b in (0, 1))

    def high(one):
        power = np.abs(np.fft.rfft(one.samples)) ** 2
        hertz = np.fft.rfftfreq(len(one.samples), 1 / one.sample_rate)
        return power[hertz > 3000].sum() / power.sum()

    assert high(airy) > 2 * high(plain)
    pause = next(p for p in airy.phones if p.phoneme == SILENCE and p.end - p.start > 0.1)
    middle = round((pause.start + pause.end) / 2 * airy.sample_rate)
    assert np.abs(airy.samples[middle - 400 : middle + 400]).max() < 0.01
    again = speak("Stop. Go on.", Voice("en-us", "m3", breath=1), Manner())
    np.testing.assert_array_equal(again.samples, airy.samples)


def test_a_creaking_voice_is_rough():
    plain, rough = (speak(TEXT, Voice("en-us", "m3", creak=c), Manner()) for c in (0.0, 1.0))
    spread = [np.abs(one.samples).std() / np.abs(one.samples).mean() for one in (plain, rough)]
    assert spread[1] > 1.05 * spread[0]


def test_unknown_voice_is_refused_by_name():
    with pytest.raises(SettingsError, match="nowhere"):
        speak("Hello.", Voice("nowhere", "m1"), Manner())
