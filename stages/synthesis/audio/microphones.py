"""What microphones, lines and codecs make of a sound."""

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from stages.synthesis.audio.spectra import Sound, filtered, resampled

# Codec, its container, rates in Hz that it takes, bit rates of one channel in bits a second
_CODECS: Final[dict[str, tuple[str, str, int, tuple[int, int]]]] = {
    "opus": ("libopus", "ogg", 48_000, (8_000, 32_000)),
    "aac": ("aac", "adts", 16_000, (12_000, 32_000)),
    "mp3": ("libmp3lame", "mp3", 16_000, (16_000, 48_000)),
}
TELEPHONE: Final = "telephone"  # 300 to 3,400 Hz, 8 bits by the mu-law of G.711
_TELEPHONE_RATE: Final = 8_000
_MU: Final = 255.0
_BLOCK: Final = 960  # samples handed to an encoder at once


@dataclass(frozen=True)
class Microphone:
    """A microphone and the line behind it.

    Attributes
    ----------
    hertz, decibels : tuple of float
        Its response, see `spectra.filtered`.
    drive : float
        How far the loudest samples go beyond what it can take, as a factor; 1 or less: not at all.
    codec : str
        ``opus``, ``aac``, ``mp3``, ``telephone``, or empty.
    bit_rate : int
        Of the codec, bits a second.
    """

    hertz: tuple[float, ...]
    decibels: tuple[float, ...]
    drive: float
    codec: str
    bit_rate: int


def sample_microphone(rng: np.random.Generator) -> Microphone:
    """Draw a microphone: hollow, dull, sharp or flat; a third goes through a codec."""
    points = np.exp(np.sort(rng.uniform(np.log(100.0), np.log(8_000.0), 5)))
    uneven = float(rng.uniform(0.0, 7.0))
    tilt = rng.normal(0.0, 2.0)  # decibels an octave
    levels = rng.normal(0.0, uneven, 5) + tilt * np.log2(points / 1_000.0)
    lowest = np.exp(rng.uniform(np.log(20.0), np.log(95.0)))
    highest = rng.uniform(8_200.0, 20_000.0)
    codec, bit_rate = "", 0
    if rng.random() < 0.35:
        codec = str(rng.choice((*_CODECS, TELEPHONE)))
        bit_rate = int(rng.integers(*_CODECS[codec][3])) if codec in _CODECS else 0
    return Microphone(
        hertz=(0.3 * lowest, lowest, *points, highest, 1.5 * highest),
        decibels=(-30.0, levels[0], *levels, levels[-1], levels[-1] - 40.0),
        drive=float(rng.uniform(1.0, 3.0)) if rng.random() < 0.08 else 1.0,
        codec=codec,
        bit_rate=bit_rate,
    )


def telephone(sound: Sound, rate: int) -> Sound:
    """Pass (n,) samples through a line of 8 kHz and 8 bits."""
    narrow = filtered(
        sound, rate, [100.0, 250.0, 350.0, 3_300.0, 3_600.0, 4_000.0],
        [-50.0, -15.0, 0.0, 0.0, -15.0, -60.0],
    )  # fmt: skip
    few = np.clip(resampled(narrow, rate, _TELEPHONE_RATE), -1.0, 1.0)
    compressed = np.sign(few) * np.log1p(_MU * np.abs(few)) / np.log1p(_MU)
    stepped = np.round(compressed * 127.0) / 127.0
    wide = np.sign(stepped) * np.expm1(np.abs(stepped) * np.log1p(_MU)) / _MU
    return fitted(resampled(np.asarray(wide, np.float32), _TELEPHONE_RATE, rate), len(sound))


def fitted(sound: Sound, count: int) -> Sound:
    """Cut off or fill up with silence, to `count` samples."""
    return np.asarray(np.pad(sound[:count], (0, max(0, count - len(sound)))), np.float32)


def _frames(sound: Sound, rate: int) -> list[Any]:
    frames = []
    for first in range(0, len(sound), _BLOCK):
        part = np.ascontiguousarray(sound[None, first : first + _BLOCK])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), first
        frames.append(frame)
    return frames


def coded(sound: Sound, rate: int, codec: str, bit_rate: int) -> Sound:
    """Pass (n,) samples through a codec and back; its delay is taken out.

    Parameters
    ----------
    sound : (n,) float32 np.ndarray
    rate : int
        Hz.
    codec : str
        ``opus``, ``aac`` or ``mp3``.
    bit_rate : int
        Bits a second.

    Returns
    -------
    (n,) float32 np.ndarray
    """
    name, container, inner, _ = _CODECS[codec]
    given = resampled(sound, rate, inner)
    memory = io.BytesIO()
    with av.open(memory, "w", format=container, options={"fflags": "+bitexact"}) as output:
        stream: Any = output.add_stream(name, rate=inner, layout="mono")
        stream.codec_context.bit_rate = bit_rate
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= 1 << 23  # AV_CODEC_FLAG_BITEXACT
        resampler = av.AudioResampler(
            format=stream.codec_context.format, layout="mono", rate=inner,
            frame_size=stream.codec_context.frame_size or None,
        )  # fmt: skip
        for frame in [*_frames(given, inner), None]:
            for ready in resampler.resample(frame):
                output.mux(stream.encode(ready))
        output.mux(stream.encode(None))
    memory.seek(0)
    parts: list[NDArray[np.float32]] = []
    with av.open(memory, "r", format="aac" if container == "adts" else container) as source:
        turn = av.AudioResampler(format="fltp", layout="mono", rate=inner)
        for frame in source.decode(audio=0):
            parts += [piece.to_ndarray()[0] for piece in turn.resample(frame)]
    back = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    back = fitted(back[delay(given, back) :], len(given))
    return fitted(resampled(back, inner, rate), len(sound))


def delay(given: Sound, back: Sound, most: int = 4_096) -> int:
    """Samples by which a sound came back late, 0 to `most`: where the two are most alike."""
    if len(given) == 0 or len(back) == 0:
        return 0
    size = 1 << (len(given) + len(back)).bit_length()
    alike = np.fft.irfft(np.conj(np.fft.rfft(given, size)) * np.fft.rfft(back, size), size)
    return int(alike[: most + 1].argmax())


def through(sound: Sound, rate: int, microphone: Microphone) -> Sound:
    """Take (n,) samples through a microphone and its line; between -1 and 1."""
    level = float(np.sqrt(np.mean(sound**2))) if len(sound) else 0.0
    heard = filtered(sound, rate, list(microphone.hertz), list(microphone.decibels))
    changed = float(np.sqrt(np.mean(heard**2))) if len(sound) else 0.0
    heard = heard * np.float32(level / max(changed, 1e-9))  # it changes the colour, not the level
    if microphone.drive > 1.0:
        top = float(np.abs(heard).max(initial=0.0)) / microphone.drive
        heard = np.clip(heard, -top, top)
    heard = np.clip(heard, -1.0, 1.0)
    if microphone.codec == TELEPHONE:
        heard = telephone(heard, rate)
    elif microphone.codec:
        heard = coded(heard, rate, microphone.codec, microphone.bit_rate)
    return np.asarray(np.clip(heard, -1.0, 1.0), np.float32)
