"""What an encoder learns from: batches of faces or of speech, and the task of their targets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from stages.core.console import say
from stages.core.errors import DataError, SettingsError
from stages.crops.face_points import POINTS
from stages.encoders.base import AudioEncoder, Encoder, VisualEncoder
from stages.learning.fit import epoch_seed
from stages.learning.processes import Share
from stages.pretraining import faces, speech_tasks
from stages.pretraining.faces import ALONE
from stages.pretraining.masked_copies import with_masked_copies
from stages.pretraining.settings import Pretrain
from stages.pretraining.tasks import Task, make_joint_task

Batch = tuple[Tensor, ...]  # what the network takes, and the targets
VISUAL_TASKS = ("au", "va", "expression", "points")


@dataclass(frozen=True)
class Examples:
    """What to train on: ``training(epoch)`` and ``validation()`` yield batches.

    Of several processes each is given its share of every batch.
    """

    training: Callable[[int], Iterator[Batch]]
    validation: Callable[[], Iterator[Batch]]
    task: Task
    count: int


def allowed_tasks(encoder: Encoder, scale: str) -> tuple[str, ...]:
    """Return the tasks that an encoder can do."""
    if isinstance(encoder, AudioEncoder):
        return tuple(speech_tasks.allowed(encoder))
    # who has a decoder can learn to draw what is hidden
    return VISUAL_TASKS + ("mae",) * ("decoder" in encoder.scales[scale])


def load_examples(
    encoder: Encoder, scale: str, settings: Pretrain, data: Path, seed: int, share: Share = ALONE
) -> Examples:
    """Read the labelled data for one encoder and its tasks.

    Raises
    ------
    SettingsError
        When the encoder cannot do a task, or a batch has nothing for one of the processes.
    DataError
        When the data are missing, or have no labels for a task.
    """
    tasks = allowed_tasks(encoder, scale)
    if isinstance(encoder, AudioEncoder) and settings.auxiliary:
        raise SettingsError(
            f"pretrain.{encoder.name}.auxiliary: encoders of sound have one task; leave it out."
        )
    for name in (settings.task, *settings.auxiliary):
        if name not in tasks:
            raise SettingsError(
                f"pretrain.{encoder.name}.task = {name!r}; allowed: {', '.join(tasks)}."
            )
    if settings.batch < share.processes:
        raise SettingsError(
            f"pretrain.{encoder.name}.batch = {settings.batch} has nothing for some of the "
            f"{share.processes} processes of torchrun: raise it, or start fewer."
        )
    split = epoch_seed(seed, 0, "people") % 2**32
    if isinstance(encoder, VisualEncoder):
        return _faces(encoder, scale, settings, data, seed, split, share)
    assert isinstance(encoder, AudioEncoder)
    spoken = speech_tasks.load_examples(encoder, settings, data, seed, split)
    return Examples(
        lambda epoch: map(share.of, spoken.training(epoch)),
        lambda: map(share.of, spoken.validation()),
        spoken.task,
        spoken.count,
    )


def _faces(
    encoder: VisualEncoder,
    scale: str,
    settings: Pretrain,
    data: Path,
    seed: int,
    split: int,
    share: Share,
) -> Examples:
    names, batch = settings.supervised, settings.batch
    if POINTS in names and not faces.has_points(data):
        say(f"{data} has no points of the faces: {encoder.name} learns without them")
        names = tuple(name for name in names if name != POINTS)
    side = int(encoder.scales[scale].get("side", encoder.resolution))
    seen, unseen = faces.load_faces(data, names, settings.validation, split)
    if settings.masked_copies != "none":
        whole = len(seen)
        seen = with_masked_copies(seen, settings.masked_copies, settings.dropped_copies, seed)
        say(f"{encoder.name}: {len(seen) - whole} masked copies of {whole} faces")
    if len(seen) < share.processes:
        raise DataError(f"{data} has {len(seen)} faces to learn from: start fewer processes.")
    return Examples(
        lambda epoch: faces.training_batches(
            seen, encoder, side, batch, seed, epoch, settings.augmentation, share
        ),
        lambda: faces.validation_batches(unseen, encoder, side, batch, share),
        make_joint_task(
            names,
            seen.targets,
            settings.intensity_weight,
            settings.positive_weight == "negatives",
            settings.intensity_loss,
        ),
        len(seen),
    )
