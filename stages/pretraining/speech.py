"""Speech with labels in time, such as phonemes: cut into crops, a label for each step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.core.errors import DataError
from stages.encoders.base import AudioEncoder
from stages.learning.fit import epoch_seed
from stages.pretraining.faces import held_out
from stages.pretraining.tasks import UNKNOWN, Task

Batch = tuple[Tensor, Tensor]
Parts = tuple[list["Utterance"], list["Utterance"]]  # training and validation
PCM_SCALE = 32768.0
CROP_SECONDS = 3.0  # usual length of a training sample
GAIN = 12.0  # decibels, louder or quieter at most
NOISE = 0.02  # standard deviation at most, full scale 1


@dataclass(frozen=True)
class Utterance:
    """One utterance.

    Attributes
    ----------
    samples : (n,) np.ndarray
        int16, mono, at the encoder's sampling rate.
    starts, ends : (segments,) np.ndarray
        Of the labels, in seconds.
    labels : (segments,) np.ndarray
        int64, the phonemes where a task does not put its own in their place.
    speaker : int
    """

    samples: NDArray[np.int16]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    labels: NDArray[np.int64]
    speaker: int

    def at(self, times: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the label at each time in seconds; -1 where there is none."""
        index = np.searchsorted(self.starts, times, "right") - 1
        inside = (index >= 0) & (times < self.ends[index])
        return np.where(inside, self.labels[index], UNKNOWN).astype(np.int64)


@dataclass(frozen=True)
class SpeechExamples:
    """What to train on.

    Attributes
    ----------
    training, validation : callable
        ``training(epoch)`` and ``validation()`` yield batches: what the network takes, and last
        the targets.
    task : Task
    count : int
        Utterances that are trained on.
    """

    training: Callable[[int], Iterator[tuple[Tensor, ...]]]
    validation: Callable[[], Iterator[tuple[Tensor, ...]]]
    task: Task
    count: int


def load_speech(path: Path, share: float, seed: int) -> Parts:
    """Read a file of labelled speech.

    Parameters
    ----------
    path : Path
        HDF5, see ``stages.corpus``.
    share, seed : float, int
        Share of the speakers for validation, see :func:`stages.pretraining.faces.held_out`.

    Returns
    -------
    training, validation : list of Utterance

    Raises
    ------
    DataError
        When the file is missing or is no such file.
    """
    try:
        with h5py.File(path, "r") as file:
            data: dict[str, Any] = {name: file[name][()] for name in file}
        offset, segments = data["offset"], data["phoneme_offset"]
        utterances = [
            Utterance(
                data["samples"][offset[i] : offset[i + 1]],
                data["phoneme_start"][segments[i] : segments[i + 1]],
                data["phoneme_end"][segments[i] : segments[i + 1]],
                data["phoneme"][segments[i] : segments[i + 1]].astype(np.int64),
                int(data["speaker"][i]),
            )
            for i in range(len(offset) - 1)
        ]
    except (OSError, KeyError):
        raise DataError(f"{path} is missing or damaged: run `dvc repro corpus`.") from None
    chosen = held_out(data["speaker"], share, seed)
    parts: Parts = ([], [])
    for utterance, validation in zip(utterances, chosen, strict=True):
        if len(utterance.labels):
            parts[int(validation)].append(utterance)
    return parts


def crop(
    utterance: Utterance, start: int, length: int, encoder: AudioEncoder
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Cut samples `start` to `start` + `length` out of an utterance, with the steps' labels.

    Returns
    -------
    (length,) np.ndarray
        float32; zeros after the utterance's end.
    (steps,) np.ndarray
        int64; -1 after the utterance's end.
    """
    samples = np.zeros(length, np.float32)
    part = utterance.samples[start : start + length]
    samples[: len(part)] = part / PCM_SCALE
    steps = np.arange(encoder.steps(length)) * encoder.hop / encoder.sampling_rate
    return samples, utterance.at(start / encoder.sampling_rate + encoder.centre(0) + steps)


def _stack(pieces: list[tuple[NDArray[np.float32], NDArray[np.int64]]]) -> Batch:
    samples, labels = zip(*pieces, strict=True)
    return torch.from_numpy(np.stack(samples)), torch.from_numpy(np.stack(labels))


def training_batches(
    utterances: list[Utterance],
    encoder: AudioEncoder,
    batch: int,
    seed: int,
    epoch: int,
    length: int | None = None,
) -> Iterator[Batch]:
    """Shuffled crops of one epoch at random gain and noise, about as many as cover the speech.

    Parameters
    ----------
    utterances : list of Utterance
    encoder : AudioEncoder
    batch, seed, epoch : int
    length : int, optional
        Of a crop in samples; 3 seconds where it is not given.

    Yields
    ------
    (batch, samples) torch.Tensor
    (batch, steps) torch.Tensor
    """
    generator = np.random.default_rng(epoch_seed(seed, epoch, "speech"))
    length = length or round(CROP_SECONDS * encoder.sampling_rate)
    pieces = [
        (utterance, int(generator.integers(0, max(1, len(utterance.samples) - length + 1))))
        for utterance in utterances
        for _ in range(-(-len(utterance.samples) // length))
    ]
    order = generator.permutation(len(pieces))
    for first in range(0, len(order), batch):
        rows = order[first : first + batch]
        samples, labels = _stack([crop(*pieces[int(i)], length, encoder) for i in rows])
        decibels = torch.from_numpy(generator.uniform(-GAIN, GAIN, (len(rows), 1)))
        level = torch.from_numpy(generator.uniform(0, NOISE, (len(rows), 1)))
        noise = torch.from_numpy(generator.standard_normal(samples.shape, np.float32))
        yield samples * (10 ** (decibels / 20)).float() + level.float() * noise, labels


def validation_batches(
    utterances: list[Utterance], encoder: AudioEncoder, batch: int, length: int | None = None
) -> Iterator[Batch]:
    """Consecutive crops of the utterances, as they are; see :func:`training_batches`."""
    length = length or round(CROP_SECONDS * encoder.sampling_rate)
    pieces = [
        (utterance, start)
        for utterance in utterances
        for start in range(0, len(utterance.samples), length)
    ]
    for first in range(0, len(pieces), batch):
        chosen = pieces[first : first + batch]
        yield _stack([crop(whole, start, length, encoder) for whole, start in chosen])
