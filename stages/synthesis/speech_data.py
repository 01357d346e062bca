"""Speech with phonemes and speakers, for pre-training the sound encoders.

A speech file, HDF5: ``samples`` (total,) int16, 16 kHz mono, all utterances one after the other;
``offset`` (utterances + 1,) int64, where each begins; ``speaker`` (utterances,) int32; ``phoneme``
(segments,) int16 with ``phoneme_start`` and ``phoneme_end`` (segments,) float64, seconds in the
utterance; ``phoneme_offset`` (utterances + 1,) int64; attribute ``phonemes``: JSON list of
symbols, 0 is silence.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from stages.synthesis.audio.phonemes import PHONEMES
from stages.synthesis.audio.sentences import sentence
from stages.synthesis.audio.sound import record, sample_room
from stages.synthesis.audio.spectra import resampled
from stages.synthesis.audio.speech import Utterance, sample_voice, speak
from stages.synthesis.performance.affect import NEUTRAL_MANNER, STATES
from stages.synthesis.randomness import generator

SAMPLE_RATE: Final = 16_000  # Hz
Columns = dict[str, list[NDArray[Any]]]

_COLUMNS: Final = ("samples", "speaker", "phoneme", "phoneme_start", "phoneme_end")
_OFFSETS: Final = {"offset": "samples", "phoneme_offset": "phoneme"}
# seconds at most of the room alone before and after the voice: silence that is none
_LEAD: Final = 0.8
_TRAIL: Final = 0.6


@dataclass(frozen=True)
class Speaker:
    """Work of one piece: some utterances by one voice."""

    seed: int
    number: int
    utterances: int


def write_speaker(speaker: Speaker, path: Path) -> None:
    """Write one speaker's utterances as a speech file of their own."""
    rng = generator(speaker.seed, "speaker", speaker.number)
    voice = sample_voice(rng, male=speaker.number % 2 == 0)
    number = {phoneme: k for k, phoneme in enumerate(PHONEMES)}
    columns: Columns = {name: [] for name in _COLUMNS}
    for _ in range(speaker.utterances):
        manner = (NEUTRAL_MANNER, *(state.manner for state in STATES))[
            int(rng.integers(len(STATES) + 1))
        ]
        room = sample_room(rng)
        spoken = speak(sentence(rng), voice, manner)
        lead, trail = float(rng.uniform(0.0, _LEAD)), float(rng.uniform(0.0, _TRAIL))
        length = len(spoken.samples) / spoken.sample_rate
        sound = record([(lead, spoken)], lead + length + trail, room, rng)
        samples = resampled(sound.mean(axis=0), room.sample_rate, SAMPLE_RATE)
        starts, ends, symbols = _segments(spoken, lead, lead + length, len(samples) / SAMPLE_RATE)
        columns["samples"].append(np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16))
        columns["speaker"].append(np.array([speaker.number], np.int32))
        columns["phoneme"].append(np.array([number[s] for s in symbols], np.int16))
        columns["phoneme_start"].append(np.array(starts))
        columns["phoneme_end"].append(np.array(ends))
    _write(path, columns, {o: [len(part) for part in columns[c]] for o, c in _OFFSETS.items()})


def _segments(
    spoken: Utterance, lead: float, stop: float, end: float
) -> tuple[list[float], list[float], list[str]]:
    """Starts, ends and symbols that fill an utterance with the silence around it, in seconds."""
    starts = [0.0, *(phone.start + lead for phone in spoken.phones), min(stop, end)]
    symbols = [PHONEMES[0], *(phone.phoneme for phone in spoken.phones), PHONEMES[0]]
    return starts, [*starts[1:], end], symbols


def _write(path: Path, columns: Columns, lengths: dict[str, list[int]]) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["phonemes"] = json.dumps(PHONEMES)
        file.attrs["sample_rate"] = SAMPLE_RATE
        for name in _COLUMNS:
            file.create_dataset(name, data=np.concatenate(columns[name]))
        for name in _OFFSETS:
            offset = np.cumsum([0, *lengths[name]], dtype=np.int64)
            file.create_dataset(name, data=offset)


def join_speakers(path: Path, pieces: Sequence[Path]) -> None:
    """Join speech files, in the order given, into one."""
    columns: Columns = {name: [] for name in _COLUMNS}
    lengths: dict[str, list[int]] = {name: [] for name in _OFFSETS}
    for piece in pieces:
        with h5py.File(piece, "r") as file:
            for name in _COLUMNS:
                columns[name].append(file[name][()])
            for name in _OFFSETS:
                lengths[name] += np.diff(file[name][()]).tolist()
    _write(path, columns, lengths)
