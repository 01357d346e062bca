"""Speech by espeak-ng, with the time of every phoneme.

espeak-ng is GPL-3.0: its library is loaded at run time from the `espeakng_loader` wheel, which
the optional extra ``corpus`` installs; nothing of it is linked into or shipped with this project.
"""

import _ctypes
import ctypes
import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import SettingsError
from stages.synthesis.audio.phonemes import SILENCE, reduced, stressed
from stages.synthesis.audio.timbre import tract_rate, voiced

# English accents first; the others read English words by the rules and with the sounds of their
# own language, as somebody who has never heard it.
ENGLISH: Final = (
    "en-us", "en-gb-x-rp", "en-gb-scotland", "en-029", "en-us-nyc", "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
)  # fmt: skip
FOREIGN: Final = (
    "ca", "cs", "da", "de", "es", "es-419", "fi", "fr", "hr", "hu", "id", "it", "nl", "pl", "pt",
    "pt-br", "ro", "sv", "sw", "tr",
)  # fmt: skip
MALE_VARIANTS: Final = (
    "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "Alex", "Andy", "Denis", "Diogo", "Gene",
    "Henrique", "Hugo", "Lee", "Mario", "Michael", "Mike", "Reed", "RicishayMax", "adam", "boris",
    "david", "edward", "grandpa", "gustave", "ian", "john", "kaukovalta", "klatt", "klatt2",
    "klatt3", "klatt4", "klatt5", "klatt6", "marcelo", "max", "michel", "miguel", "norbert",
    "pablo", "quincy", "rob", "robert", "sandro", "victor",
)  # fmt: skip
FEMALE_VARIANTS: Final = (
    "f1", "f2", "f3", "f4", "f5", "Alicia", "Andrea", "Annie", "Nguyen", "anika", "aunty",
    "belinda", "grandma", "linda", "shelby", "steph", "steph2",
)  # fmt: skip
_FOREIGN: Final = 0.3  # share of voices that are not English
# length of the vocal tract beside the variant's own, shortest and longest
_TRACTS: Final = {True: (0.92, 1.14), False: (0.86, 1.06)}

# speak_lib.h of espeak-ng 1.52
_SYNCHRONOUS_OUTPUT: Final = 2
_PHONEME_EVENTS: Final = 1
_DO_NOT_EXIT: Final = 0x8000
_UTF8: Final = 1
_EVENT_END_OF_LIST: Final = 0
_EVENT_PHONEME: Final = 7
_RATE, _PITCH, _RANGE = 1, 3, 4
_OCTAVE: Final = 50.0  # of espeak-ng's pitch
_RATE_LIMITS: Final = (80, 450)  # words a minute


class _Identifier(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("text", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_int),
        ("message", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # milliseconds
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("id", _Identifier),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class Voice:
    """Who speaks.

    Attributes
    ----------
    accent : str
        One of `ENGLISH` or `FOREIGN`.
    variant : str
        Timbre: one of `MALE_VARIANTS` or `FEMALE_VARIANTS`.
    pitch : int
        espeak-ng's pitch, 0 to 99; 50 is the variant's own.
    tract : float
        Length of the vocal tract beside the variant's own; resonances are lower above 1.
    breath, creak : float
        How much breath and how much hoarseness is in it, 0 to 1.
    """

    accent: str
    variant: str
    pitch: int = 50
    tract: float = 1.0
    breath: float = 0.0
    creak: float = 0.0


@dataclass(frozen=True)
class Manner:
    """How it is said.

    Attributes
    ----------
    rate : float
        Words a minute.
    pitch : float
        Added to the voice's pitch, in espeak-ng's units.
    pitch_range : float
        Liveliness of the melody, 0 (monotone) to 99; 50 is normal.
    volume : float
        Loudness; 1 is normal.
    """

    rate: float = 165.0
    pitch: float = 0.0
    pitch_range: float = 50.0
    volume: float = 1.0


@dataclass(frozen=True)
class Phone:
    """One phoneme in time: seconds from the start of the sound."""

    phoneme: str
    start: float
    end: float
    stressed: bool = False


@dataclass(frozen=True)
class Utterance:
    """Spoken text.

    Attributes
    ----------
    samples : (n,) float32 np.ndarray
        Mono sound between -1 and 1.
    sample_rate : int
        Hz.
    phones : tuple of Phone
        They follow each other without gaps from 0 to the end of the sound.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    phones: tuple[Phone, ...]


def sample_voice(rng: np.random.Generator, *, male: bool) -> Voice:
    """Draw a voice for a man or a woman."""
    return Voice(
        accent=str(rng.choice(FOREIGN if rng.random() < _FOREIGN else ENGLISH)),
        variant=str(rng.choice(MALE_VARIANTS if male else FEMALE_VARIANTS)),
        pitch=int(rng.integers(28, 73)),
        tract=float(rng.uniform(*_TRACTS[male])),
        breath=float(rng.uniform(0.0, 0.6)) if rng.random() < 0.5 else 0.0,
        creak=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.25 else 0.0,
    )


@cache
def wheel() -> tuple[str, bytes]:
    """Paths of espeak-ng's library and of its data, in the wheel that brings them."""
    try:
        import espeakng_loader
    except ImportError:
        raise SettingsError(
            "Stage `corpus` speaks with espeak-ng, which is not installed here: run "
            "`pip install 'aufusion[corpus]'`, or set data.root to videos of your own."
        ) from None
    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path().encode()


@lru_cache(
    maxsize=256
)  # a corpus's lines are said when they are planned and again for their labels
def speak(text: str, voice: Voice, manner: Manner) -> Utterance:
    """Say a text.

    Parameters
    ----------
    text : str
        What to say, in English words.
    voice : Voice
        Who says it.
    manner : Manner
        How.

    Returns
    -------
    Utterance
        The same for the same arguments, whatever was said before.

    Raises
    ------
    SettingsError
        When espeak-ng is not installed or does not know the voice.
    """
    library_path, data_path = wheel()
    blocks: list[NDArray[np.int16]] = []
    marks: list[tuple[int, str]] = []

    def receive(wave: Any, count: int, events: Any) -> int:
        if wave and count:
            blocks.append(np.ctypeslib.as_array(wave, shape=(count,)).copy())
        index = 0
        while events[index].kind != _EVENT_END_OF_LIST:
            if events[index].kind == _EVENT_PHONEME:
                name = bytes(events[index].id.text).decode("utf-8", "replace")
                marks.append((events[index].sample, name))
            index += 1
        return 0

    callback = _Callback(receive)
    library = ctypes.CDLL(library_path)
    try:
        rate = library.espeak_Initialize(
            _SYNCHRONOUS_OUTPUT, 0, data_path, _PHONEME_EVENTS | _DO_NOT_EXIT
        )
        library.espeak_SetSynthCallback(callback)
        name = f"{voice.accent}+{voice.variant}"
        if rate <= 0 or library.espeak_SetVoiceByName(name.encode()) != 0:
            raise SettingsError(f"espeak-ng cannot speak as {name!r}: reinstall espeakng-loader.")
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        ctypes.CDLL(None).srand(1)  # breath noise is drawn from the C library's generator
        # a longer tract is a slower sound: said faster and higher, pitch and pace stay
        tract = tract_rate(rate, voice.tract) / rate
        higher = _OCTAVE * math.log2(tract)
        values = {
            _RATE: np.clip(manner.rate * tract, *_RATE_LIMITS),
            _PITCH: np.clip(voice.pitch + manner.pitch + higher, 0, 99),
            _RANGE: np.clip(manner.pitch_range, 0, 99),
        }
        for parameter, value in values.items():
            library.espeak_SetParameter(parameter, round(float(value)), 0)
        data = text.encode()
        library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
        library.espeak_Synchronize()
        library.espeak_Terminate()
    finally:
        # espeak-ng keeps the phase of its oscillators in static variables, which only unloading
        # the library resets: without it, sound would depend on what was said before
        _ctypes.dlclose(library._handle)
    sound = np.concatenate(blocks).astype(np.float32) / 32768.0
    spoken = voiced(
        sound, rate,
        tract=voice.tract, breath=voice.breath, creak=voice.creak, name=f"{voice} {text}",
    )  # fmt: skip
    samples = np.clip(spoken * np.float32(manner.volume), -1.0, 1.0)
    samples.flags.writeable = False
    stretched = [(round(sample * tract), name) for sample, name in marks]
    return Utterance(samples, rate, _phones(stretched, len(samples), rate))


def _phones(marks: list[tuple[int, str]], length: int, rate: int) -> tuple[Phone, ...]:
    """Join the events into phones that fill the sound; silences next to each other are one."""
    phones: list[Phone] = []
    starts = [(min(sample, length), name) for sample, name in marks if reduced(name) is not None]
    if not starts or starts[0][0] > 0:
        starts.insert(0, (0, "_"))
    ends = [sample for sample, _ in starts[1:]] + [length]
    for (start, name), end in zip(starts, ends, strict=True):
        phoneme = reduced(name) or SILENCE
        if end <= start:
            continue
        if phones and phoneme == SILENCE and phones[-1].phoneme == SILENCE:
            phones[-1] = Phone(SILENCE, phones[-1].start, end / rate)
        else:
            phones.append(Phone(phoneme, start / rate, end / rate, stressed(name)))
    return tuple(phones)
