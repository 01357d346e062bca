"""Labelled faces: read once, kept as JPEGs in memory, split by people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.core.errors import DataError
from stages.core.facs import FACE_CLASSES, N_AUS
from stages.core.licences import GENERATED, data_of_file
from stages.crops.crop_file import CropReader, decode_jpeg
from stages.crops.face_points import POINTS, POINTS_A_SIDE, as_targets
from stages.crops.half_masks import Half, hide
from stages.encoders.base import VisualEncoder
from stages.encoders.read_ahead import prefetch
from stages.learning.fit import epoch_seed
from stages.learning.processes import Share
from stages.pretraining.augmentation import augment
from stages.pretraining.tasks import UNKNOWN

Batch = tuple[Tensor, ...]
Hidden = tuple[Half, NDArray[np.float32]]  # a half of the face, and the line in the crop
ALONE = Share()
VOTES = "expression_votes"  # dataset of a crop file, (n, 8) shares of the annotators


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
    """Faces and the targets of their tasks; a face is decoded when it is asked for.

    Attributes
    ----------
    jpegs : list of (bytes,) np.ndarray
        uint8.
    targets : (n, columns) torch.Tensor
    landmarks : (n, 5, 2) np.ndarray
        float32, of the pictures that the faces are cut from; NaN where they are not known.
    columns : mapping of str to slice
        The targets' columns by task. Those of the points are shares of the side: they move with
        the picture.
    hidden : tuple, empty or of (half, line)
        What of each face is black, see :func:`stages.crops.half_masks.hide`; None for nothing.
    """

    jpegs: list[NDArray[np.uint8]]
    targets: Tensor
    landmarks: NDArray[np.float32]
    columns: Mapping[str, slice]
    hidden: tuple[Hidden | None, ...] = ()

    def __len__(self) -> int:
        return len(self.jpegs)

    def image(self, row: int) -> NDArray[np.uint8]:
        """Return a face, (112, 112, 3) uint8 RGB."""
        image = decode_jpeg(self.jpegs[row])
        hidden = self.hidden[row] if self.hidden else None
        if hidden is None:
            return image
        half, line = hidden
        return np.asarray(hide(image[None], line[None], half)[0])


def _targets(reader: CropReader, rows: NDArray[np.int64], task: str) -> NDArray[np.float32]:
    if task == "va":
        return np.stack(
            [reader.extra(name)[rows] for name in ("valence", "arousal")], 1, dtype=np.float32
        )
    if task == POINTS:
        return as_targets(reader.extra(POINTS)[rows].astype(np.float32))
    if task == "expression" and reader.has(VOTES):
        # who has one label has all votes
        labels = reader.extra(task)[rows]
        whole = np.eye(len(FACE_CLASSES), dtype=np.float32)[labels]
        shares = reader.extra(VOTES)[rows].astype(np.float32)
        alone = np.isnan(shares).any(1) & (labels != UNKNOWN)
        return np.where(alone[:, None], whole, shares)
    targets = reader.extra(task)[rows].astype(np.float32).reshape(len(rows), -1)
    if task != "au" or not reader.has("au_intensity"):
        return targets
    return np.concatenate([targets, reader.extra("au_intensity")[rows]], 1)


def _known(targets: NDArray[np.float32], task: str) -> NDArray[np.bool_]:
    """Rows in which something of a task is known."""
    if task == "au":
        targets = targets[:, :N_AUS]
    # what is not known is NaN or -1, each for targets of its own
    known = ~np.isnan(targets) & ((targets != UNKNOWN) | (task in ("va", POINTS)))
    return np.asarray(known.any(1), np.bool_)


def unknown_targets(task: str, width: int) -> NDArray[np.float32]:
    """Return the targets, (width,), of a face of which nothing is known for a task."""
    unknown = np.full(width, np.nan, np.float32)
    if task == "au":
        unknown[:N_AUS] = UNKNOWN
    if task == "expression" and width == 1:
        unknown[:] = UNKNOWN
    return unknown


def _of_real_people(path: Path, frames: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows that are not generated; all of them where no row is, or each."""
    made_of = data_of_file(path)
    real = np.where(frames, made_of[-1] != GENERATED, made_of[0] != GENERATED)
    return real if real.any() else np.ones_like(frames)


def has_points(path: Path) -> bool:
    """Whether a file of labelled faces holds dense points: generated faces do, photos do not."""
    with CropReader(path) as reader:
        return reader.has(POINTS)


def load_faces(path: Path, tasks: Sequence[str], share: float, seed: int) -> tuple[Faces, Faces]:
    """Read a file of labelled faces.

    Parameters
    ----------
    path : Path
        A crop file with the datasets ``au``, ``valence``, ``arousal``, ``expression`` and
        ``person``; ``au_intensity`` where intensities are known, ``expression_votes`` where there
        are some. Of the rows that its dataset
        ``of_video``, where there is one, marks as frames of training videos, the same share of
        people is held out as of the others, so that both choose the epoch. Where the others are
        generated and the frames are not, or the other way round, real people alone choose: of
        generated ones the first task's labels are withheld. Faces that have no label of any of
        the tasks are not used.
    tasks : sequence of str
        ``au``, ``va``, ``expression``, ``points``: their targets side by side.
    share, seed : float, int
        See :func:`held_out`.

    Returns
    -------
    training, validation : Faces

    Raises
    ------
    DataError
        When the file holds no faces, or those of one person alone, or no labels of a task.
    """
    with CropReader(path) as reader:
        kept = np.flatnonzero(reader.status)
        if not len(kept):
            raise DataError(
                f"{path} holds no faces: run `dvc repro -f pretrain_faces pretrain_frames`."
            )
        columns = [_targets(reader, kept, task) for task in tasks]
        used = np.any([_known(c, task) for c, task in zip(columns, tasks, strict=True)], axis=0)
        kept, columns = kept[used], [column[used] for column in columns]
        jpegs = reader.encoded()
        people, landmarks = reader.extra("person")[kept], reader.landmarks[kept]
        frames = np.zeros(len(kept), np.bool_)
        if reader.has("of_video"):
            frames = np.asarray(reader.extra("of_video")[kept], np.bool_)
    chosen = np.zeros(len(kept), np.bool_)
    for kind in (~frames, frames):
        # one person alone in all videos is learnt from, and the still faces choose
        if len(np.unique(people[kind])) > (1 if kind is frames else 0):
            chosen[kind] = held_out(people[kind], share, seed)
    silent = chosen & ~_of_real_people(path, frames)
    if _known(columns[0], tasks[0])[chosen & ~silent].any():
        columns[0][silent] = unknown_targets(tasks[0], columns[0].shape[1])
    for task, column in zip(tasks, columns, strict=True):
        known = _known(column, task)
        for part, what in ((~chosen, "learn from"), (chosen, "held-out people")):
            if not known[part].any():
                raise DataError(f"{path} holds no face to {what} with a label for the task {task}.")
    targets = torch.from_numpy(np.concatenate(columns, axis=1))
    ends = np.cumsum([column.shape[1] for column in columns]).tolist()
    places = {task: slice(a, b) for task, a, b in zip(tasks, [0, *ends], ends, strict=False)}
    training, validation = (
        Faces(
            [jpegs[row] for row in kept[part]],
            targets[torch.from_numpy(part)],
            landmarks[part],
            places,
        )
        for part in (~chosen, chosen)
    )
    return training, validation


def training_batches(
    faces: Faces,
    encoder: VisualEncoder,
    side: int,
    batch: int,
    seed: int,
    epoch: int,
    strength: float = 1.0,
    share: Share = ALONE,
) -> Iterator[Batch]:
    """Shuffled, augmented batches of one epoch; the last, smaller one is left out.

    A thread of its own augments the next batches while the network has one. Of several processes
    each decodes its own rows alone; what becomes of a face does not depend on who has it.

    Yields
    ------
    (batch, 3, side, side) torch.Tensor
    (batch, columns) torch.Tensor
    """
    order = np.random.default_rng(epoch_seed(seed, epoch, "faces")).permutation(len(faces))
    batch = min(batch, len(order))
    own = share.rows(batch)
    # a generator a face: which thread takes it does not matter
    seeds = np.random.SeedSequence(epoch_seed(seed, epoch, "augmentation")).spawn(len(order))

    points = faces.columns.get(POINTS)

    def varied(row: int) -> tuple[NDArray[np.float32], Tensor]:
        target, image = faces.targets[row], faces.image(row)
        picture, movement = augment(image, np.random.default_rng(seeds[row]), strength)
        if points is not None:
            size = len(image)
            places = target[points].numpy().reshape(2, POINTS_A_SIDE, 2) * size
            target = target.clone()
            target[points] = torch.from_numpy(movement.points(places).ravel() / size)
        return picture, target

    def batches() -> Iterator[Batch]:
        for first in range(0, len(order) - batch + 1, batch):
            rows = order[first : first + batch][own]
            pictures, targets = zip(*(varied(row) for row in rows), strict=True)
            images = torch.from_numpy(np.stack(pictures))
            yield encoder.prepare(images, side), torch.stack(targets)

    yield from prefetch(batches())


def validation_batches(
    faces: Faces, encoder: VisualEncoder, side: int, batch: int, share: Share = ALONE
) -> Iterator[Batch]:
    """Yield the faces as they are, in their order; or a process's share of each batch."""
    for first in range(0, len(faces), batch):
        every = range(first, min(first + batch, len(faces)))
        rows = [every[row] for row in share.rows(len(every))]
        # who has none computes one, whose target is not counted: see Share
        images = torch.from_numpy(np.stack([faces.image(row) for row in rows or every[:1]]))
        yield encoder.prepare(images, side), faces.targets[rows]
