"""Training the networks of a run: every seed, and its predictions, within a folder of its own.

The folder outlives a kill: a seed that is done is not trained again, an unfinished one goes on
after its last epoch. All is done with one thread a process at the small scale, where more gain
nothing; so neither the number of cores nor that of runs side by side changes a byte.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stages.core import paths
from stages.core.console import say
from stages.core.errors import DataError
from stages.core.files import link_or_copy, replacing_folder
from stages.core.hashing import file_hash, identity_of
from stages.core.partial import PARTIAL, partial_folder
from stages.core.torchrun import process_count, process_rank
from stages.sequence.protocol import resolve_choices
from stages.sequence.runs import Run, run_path, written
from stages.sequence.settings import TrainingSettings

if TYPE_CHECKING:  # torch is not imported for a run that is trained already
    from stages.networks.base import Dimensions
    from stages.sequence.features import Features
    from stages.sequence.splits import Parts

RESULT: Final = "result"  # in the folder of unfinished work: all that the run has made, complete
UNFINISHED: Final = "unfinished"  # the same while it is made
CURVES: Final = "curves"
MIX_SEEDS: Final = 1000  # from one mix's first seed to the next one's


def run_identity(params: TrainingSettings, run: Run) -> str:
    """Hash of everything that a run's result depends on."""
    files = [file_hash(run_path(run.name)), file_hash(paths.INPUTS)]
    return identity_of("stages.sequence.run", written(params), files)


def is_trained(params: TrainingSettings, run: Run) -> bool:
    """Whether a run has been trained and waits to be put in its place."""
    return (PARTIAL / f"train@{run.name}" / run_identity(params, run) / RESULT).exists()


@contextmanager
def run_folder(
    params: TrainingSettings, run: Run, *, keep: bool = False
) -> Iterator[tuple[Path, bool]]:
    """Folder for a run's unfinished work, and whether this process is the one that writes.

    Parameters
    ----------
    params : TrainingSettings
    run : Run
    keep : bool
        Leave the folder when the block ends.

    Yields
    ------
    Path, bool
        Of the processes of ``torchrun`` only the first one locks, writes and removes the folder.
    """
    stage, identity = f"train@{run.name}", run_identity(params, run)
    if process_rank():
        yield PARTIAL / stage / identity, False
        return
    with partial_folder(stage, identity, keep=keep) as folder:
        yield folder, True


def train_run(params: TrainingSettings, run: Run, folder: Path, *, progress: bool = True) -> None:
    """Train a run's networks and predict what they were not trained on, unless that is done.

    Parameters
    ----------
    params : TrainingSettings
    run : Run
    folder : Path
        Takes ``RESULT``, a folder with ``seedN.safetensors``, ``curves`` and ``predictions.h5``.
        It gets its name when it is complete.
    progress : bool
        Show progress bars.

    Raises
    ------
    DataError
        When there is no video to train on, or to choose an epoch by.
    """
    complete, left = _what_is_there(params, folder)
    if complete:
        return
    import torch

    from stages.sequence.dataset import load_videos
    from stages.sequence.features import open_features
    from stages.sequence.splits import divide
    from stages.sequence.training import dimensions_of

    if params.scale == "small" and process_rank() == 0:
        torch.set_num_threads(1)
    choices = resolve_choices(params)
    parts = divide(
        load_videos(),
        run.split,
        masked=run.masked,
        mix_held_out=params.splits.mix_held_out,
        seed=params.seed,
        balanced=choices.balanced_aus,
    )
    if not parts.training or (not parts.held_out and not run.split.startswith("mix")):
        what = "train on" if not parts.training else "choose an epoch by"
        raise DataError(
            f"Run {run.name} (split {run.split}) has no video to {what}: see what "
            "`dvc repro index` and `dvc repro inputs` say of the data root."
        )
    copies = sum(video.masked for video in parts.training)
    say(
        f"{run.name}: {len(parts.training) - copies} videos and {copies} masked copies, "
        f"{sum(video.frames for video in parts.training)} frames; "
        f"held out: {len(parts.held_out)} videos"
    )
    if parts.left_out:
        names = ", ".join(video.name for video in parts.left_out)
        say(f"{run.name}: not trained on, for their video or person is scored: {names}")
    with open_features(run.visual, run.audio, masked=copies > 0) as features:
        dimensions = dimensions_of(run.model, run.settings, features, choices)
        for number in left:
            _train_seed(params, run, dimensions, features, parts, folder, number, progress)
        if process_rank() == 0:
            _predict(params, run, dimensions, features, parts, folder / UNFINISHED)
            (folder / UNFINISHED).rename(folder / RESULT)


@dataclass(frozen=True)
class Training:
    """A run that is to be trained aside."""

    run: Run
    params: TrainingSettings


def train_aside(work: Training, path: Path) -> None:
    """Train one run and leave it in its folder; `path` gets a note that it is done."""
    with run_folder(work.params, work.run, keep=True) as (folder, _):
        train_run(work.params, work.run, folder, progress=False)
    path.write_text("done\n", encoding="utf-8")


def put_in_place(folder: Path, target: Path) -> None:
    """Put what a run has made to where DVC looks for it, by one rename.

    Parameters
    ----------
    folder : Path
        That of the unfinished work, with ``RESULT`` in it.
    target : Path
        A folder that is there is replaced. Killed at any moment, either `target` or ``RESULT`` is
        complete.
    """
    result = folder / RESULT
    with replacing_folder(target) as fresh:
        shutil.copytree(
            result,
            fresh,
            copy_function=lambda source, copy: link_or_copy(Path(source), Path(copy)),
            dirs_exist_ok=True,
        )
    result.rename(folder / UNFINISHED)  # it is removed next: nobody takes a part for complete


def network_path(folder: Path, number: int) -> Path:
    """Return the checkpoint of one of a run's seeds, counted from 0."""
    return folder / f"seed{number}.safetensors"


def run_seed(seed: int, split: str) -> int:
    """Seed of a run's first network: each mix has one of its own, for mixes are averaged."""
    number = split.removeprefix("mix")
    return seed + MIX_SEEDS * int(number) if number != split else seed


def _what_is_there(params: TrainingSettings, folder: Path) -> tuple[bool, list[int]]:
    """Whether the result is, and if not, the numbers of the seeds that are still to be trained."""
    made, seeds = folder / UNFINISHED, range(params.train.seeds)
    left = [number for number in seeds if not network_path(made, number).exists()]
    found = (folder / RESULT).exists(), left
    if process_count() > 1:  # the first one may have ended and cleared up before another looks
        from stages.core.devices import make_fabric

        found = make_fabric(params.compute).broadcast(found)
    return found


def _train_seed(
    params: TrainingSettings,
    run: Run,
    dimensions: "Dimensions",
    features: "Features",
    parts: "Parts",
    folder: Path,
    number: int,
    progress: bool,
) -> None:
    from stages.networks.registry import save_network
    from stages.sequence.training import train_network

    made = folder / UNFINISHED
    seed = run_seed(params.seed, run.split) + number
    unfinished = folder / f"seed{number}"
    unfinished.mkdir(parents=True, exist_ok=True)
    fitted = train_network(
        params,
        dimensions,
        features,
        parts.training,
        parts.held_out,
        unfinished,
        made / CURVES / f"seed{number}",
        seed=seed,
        progress=progress,
        description=f"train {run.name}, {run.model}, seed {seed}",
    )
    if process_rank() == 0:
        notes = {
            "run": run.name,
            "split": run.split,
            "visual": ",".join(run.visual),
            "audio": ",".join(run.audio),
            "best_epoch": str(fitted.best_epoch),
        }
        save_network(network_path(made, number), dimensions, fitted.state, notes)
        shutil.rmtree(unfinished)


def _predict(
    params: TrainingSettings,
    run: Run,
    dimensions: "Dimensions",
    features: "Features",
    parts: "Parts",
    folder: Path,
) -> None:
    from stages.core.devices import pick_device
    from stages.networks.registry import load_network
    from stages.sequence.predictions import FILE, PredictionWriter
    from stages.sequence.selection import scored_videos
    from stages.sequence.windows import predict_logits

    device = pick_device(params.compute)
    networks = [
        load_network(network_path(folder, number))[0].to(device)
        for number in range(params.train.seeds)
    ]
    about = run.as_dict()
    about["parameters"] = sum(p.numel() for p in networks[0].parameters())
    choices = resolve_choices(params)
    videos = scored_videos([*parts.held_out, *parts.test], choices)
    with PredictionWriter(folder / FILE, about) as writer:
        for number, network in enumerate(networks):
            for mute in (False, True) if dimensions.audio_width else (False,):
                logits = predict_logits(
                    network,
                    features,
                    videos,
                    window=params.train.window,
                    device=device,
                    mute=mute,
                    choices=choices,
                )
                writer.write(number, logits, mute=mute)
