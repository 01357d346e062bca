"""Labelled still faces: read once, decoded in memory, split by people."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.crops import CropReader
from stages.encoders.base import VisualEncoder
from stages.errors import DataError
from stages.fitting import epoch_seed
from stages.parallel import worker_count
from stages.pretraining.augmentation import augment

Batch = tuple[Tensor, Tensor]


def held_out(people: NDArray[np.int32], share: float, seed: int) -> NDArray[np.bool_]:
    """Choose people for validation.

    Parameters
    ----------
    people : (samples,) np.ndarray
        Number of the person that each sample is of.
    share : float
        Share of the people to hold out; one person at least.
    seed : int

    Returns
    -------
    (samples,) np.ndarray
        bool, True for validation.

    Raises
    ------
    DataError
        When there are fewer than two people.
    """
    names = np.unique(people)
    if len(names) < 2:
        raise DataError("Pre-training needs samples of two people at least: one is held out.")
    count = min(max(1, round(share * len(names))), len(names) - 1)
    chosen = np.random.default_rng(seed).permutation(names)[:count]
    return np.isin(people, chosen)


@dataclass(frozen=True)
class Faces:
    """Faces and the targets of their tasks.

    Attributes
    ----------
    images : (n, 112, 112, 3) np.ndarray
        uint8, RGB.
    targets : (n, outputs) torch.Tensor
    """

    images: NDArray[np.uint8]
    targets: Tensor


def _targets(reader: CropReader, rows: NDArray[np.int64], task: str) -> NDArray[np.float32]:
    if task == "au":
        return reader.extra("au")[rows].astype(np.float32)
    return np.stack(
        [reader.extra(name)[rows] for name in ("valence", "arousal")], 1, dtype=np.float32
    )


def load_faces(path: Path, tasks: Sequence[str], share: float, seed: int) -> tuple[Faces, Faces]:
    """Read a file of labelled faces.

    Parameters
    ----------
    path : Path
        A crop file with the datasets ``au``, ``valence``, ``arousal`` and ``person``.
    tasks : sequence of str
        ``au``, ``va``: their targets side by side.
    share, seed : float, int
        See :func:`held_out`.

    Returns
    -------
    training, validation : Faces

    Raises
    ------
    DataError
        When the file holds no faces, or those of one person alone.
    """
    with CropReader(path) as reader:
        kept = np.flatnonzero(reader.status)
        if not len(kept):
            raise DataError(f"{path} holds no faces: run `dvc repro -f corpus`.")
        images = np.stack([image for image in reader.read() if image is not None])
        people = reader.extra("person")[kept]
        columns = [_targets(reader, kept, task) for task in tasks]
        targets = torch.from_numpy(np.concatenate(columns, axis=1))
    chosen = held_out(people, share, seed)
    training, validation = (
        Faces(images[part], targets[torch.from_numpy(part)]) for part in (~chosen, chosen)
    )
    return training, validation


def training_batches(
    faces: Faces, encoder: VisualEncoder, batch: int, seed: int, epoch: int
) -> Iterator[Batch]:
    """Shuffled, augmented batches of one epoch; the last, smaller one is left out.

    A batch is augmented on all cores before the network takes them all: run beside each other,
    the network's threads would wait for each other longer than the augmentation takes.

    Yields
    ------
    (batch, 3, resolution, resolution) torch.Tensor
    (batch, outputs) torch.Tensor
    """
    order = np.random.default_rng(epoch_seed(seed, epoch, "faces")).permutation(len(faces.images))
    batch = min(batch, len(order))
    # a generator a face: which thread takes it does not matter
    seeds = np.random.SeedSequence(epoch_seed(seed, epoch, "augmentation")).spawn(len(order))

    def varied(row: int) -> NDArray[np.float32]:
        return augment(faces.images[row], np.random.default_rng(seeds[row]))

    with ThreadPoolExecutor(worker_count(None)) as threads:
        for first in range(0, len(order) - batch + 1, batch):
            rows = order[first : first + batch]
            images = np.stack(list(threads.map(varied, rows)))
            yield encoder.prepare(torch.from_numpy(images)), faces.targets[torch.from_numpy(rows)]


def validation_batches(faces: Faces, encoder: VisualEncoder, batch: int) -> Iterator[Batch]:
    """Yield the faces as they are, in their order."""
    for first in range(0, len(faces.images), batch):
        rows = slice(first, first + batch)
        yield encoder.prepare(torch.from_numpy(faces.images[rows])), faces.targets[rows]
