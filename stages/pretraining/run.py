"""Pre-training of one encoder from its data to its file of weights, taken up where it stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from stages.core import paths
from stages.core.console import say
from stages.core.devices import make_fabric
from stages.core.errors import DataError, SettingsError
from stages.core.files import write_json
from stages.core.hashing import file_hash, identity_of
from stages.core.licences import data_of_file
from stages.core.partial import PARTIAL, partial_folder
from stages.core.settings import Compute
from stages.core.torchrun import process_count, process_rank
from stages.encoders.backbones import code_of
from stages.encoders.base import AudioEncoder, VisualEncoder
from stages.encoders.registry import any_encoder
from stages.encoders.weights import save_weights
from stages.learning.processes import Share
from stages.pretraining.examples import load_examples
from stages.pretraining.folded_norms import unfold
from stages.pretraining.settings import Pretrain
from stages.pretraining.training import pretrain
from stages.pretraining.warm_start import Start, load_start, rests_on

WEIGHTS: Final = "weights.safetensors"
UNFOLDING: Final = 4  # batches that the statistics of folded norms are of
FIGURES: Final = "figures.json"  # written last: where it is, the weights are complete


SOURCES: Final = {
    "faces": paths.FACES,
    "faces+train": paths.FACES_AND_TRAIN,
    "corpus/speech": paths.CORPUS_SPEECH,
}


def data_of(name: str, asked: str) -> Path:
    """Return the file that an encoder learns from.

    Raises
    ------
    SettingsError
        When it is sound for an encoder of pictures, or the other way round.
    """
    speech = isinstance(any_encoder(name), AudioEncoder)
    allowed = [key for key in SOURCES if (key == "corpus/speech") == speech]
    if asked not in allowed:
        raise SettingsError(f"pretrain.{name}.data = {asked!r}; allowed: {', '.join(allowed)}.")
    return SOURCES[asked]


@dataclass(frozen=True)
class Pretraining:
    """What an encoder is trained with.

    Attributes
    ----------
    name : str
        Of the encoder.
    settings : Pretrain
    scale : str
    seed : int
    data : Path
        The file that it learns from.
    compute : Compute
        Changes no result's meaning.
    start : Start, optional
        Weights to begin with; None for random ones.
    """

    name: str
    settings: Pretrain
    scale: str
    seed: int
    data: Path
    compute: Compute
    start: Start | None = None


def identity(work: Pretraining) -> str:
    """Hash of what decides the weights: settings, data and code.

    Raises
    ------
    DataError
        When the data are missing.
    """
    if not work.data.is_file():
        raise DataError(f"{work.data} is missing: run `dvc repro pretrain@{work.name}`.")
    parts = [work.name, work.seed, work.scale, work.settings.model_dump(), file_hash(work.data)]
    start = work.start.sha256 if work.start else ""
    return identity_of("stages.pretraining.run", [*parts, start, code_of(work.name)])


def is_trained(work: Pretraining) -> bool:
    """Whether an encoder has been trained and waits to be put in its place."""
    return (PARTIAL / f"pretrain@{work.name}" / identity(work) / FIGURES).exists()


@contextmanager
def work_folder(work: Pretraining, *, keep: bool = False) -> Iterator[Path]:
    """Folder for unfinished work; `keep` leaves it when the block ends.

    Of the processes of ``torchrun`` only the first one locks and removes it.
    """
    stage, known = f"pretrain@{work.name}", identity(work)
    if process_rank():
        yield PARTIAL / stage / known
        return
    with partial_folder(stage, known, keep=keep) as folder:
        yield folder


def train_encoder(work: Pretraining, folder: Path, *, progress: bool = True) -> None:
    """Train an encoder; its folder takes ``WEIGHTS`` and ``FIGURES`` unless they are there.

    The processes of ``torchrun`` share every batch; the first one writes.

    Parameters
    ----------
    work : Pretraining
    folder : Path
        From :func:`work_folder`.
    progress : bool
        Show progress bars.
    """
    share, done = Share(process_rank(), process_count()), (folder / FIGURES).exists()
    if share.processes > 1:  # the first one may have ended and cleared up before another looks
        done = make_fabric(work.compute).broadcast(done)
    if done:
        return
    encoder, start = any_encoder(work.name), None
    if work.start is not None:
        start = load_start(work.start, encoder, work.scale)
        if start.published and isinstance(encoder, VisualEncoder):
            encoder = encoder.for_published()
        say(f"pretrain {work.name}: begins with {work.start.source}, sha256:{work.start.sha256}")
    examples = load_examples(encoder, work.scale, work.settings, work.data, work.seed, share)
    say(f"pretrain {work.name}: {examples.count} training samples of {work.data}")
    if start is not None and isinstance(encoder, VisualEncoder):
        images = (batch[0] for batch in islice(examples.training(0), UNFOLDING))
        norms = unfold(start, images)
        if norms:
            say(f"pretrain {work.name}: {norms} norms that were folded away have statistics again")
    network, fitted, scores = pretrain(
        encoder, work.scale, work.settings, examples,
        seed=work.seed, compute=work.compute, folder=folder, start=start, share=share,
        progress=progress and not share.rank,
    )  # fmt: skip
    if share.rank:
        return
    save_weights(
        folder / WEIGHTS,
        encoder,
        work.scale,
        work.settings.task,
        network.encoder.state_dict(),
        network.head.state_dict(),
        examples.task.au_start,
        data=rests_on(data_of_file(work.data), work.start),
        start=work.start.record(bool(start.published)) if work.start and start else None,
    )
    figures = {key: round(value, 6) for key, value in scores.items()}
    write_json(folder / FIGURES, {**figures, "best_epoch": fitted.best_epoch})


def train_aside(work: Pretraining, path: Path) -> None:
    """Train an encoder and leave it in its folder; `path` gets a note that it is done."""
    with work_folder(work, keep=True) as folder:
        train_encoder(work, folder, progress=False)
    path.write_text("done\n", encoding="utf-8")
