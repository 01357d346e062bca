"""Runs: which network reads which features of which videos; ``data/runs/NAME.json``.

A run is a row of `runs` (or of `tables`) in ``params.yaml``. The stage `inputs` writes each one as
it was resolved, together with the settings of its training and the hashes of the stores that it
reads and of its network's code: what a run depends on, and nothing else. So a change to one encoder
redoes the runs that read it, a change to a network those of that network, and a change to `model`
the runs that follow it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from stages.core import paths
from stages.core.errors import DataError, SettingsError
from stages.core.files import write_json
from stages.core.settings import Compute
from stages.sequence.protocol import network_settings, resolve_choices
from stages.sequence.settings import RunRow, SequenceSettings, TrainingSettings

Section = Literal["runs", "tables"]
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Run:
    """One run with everything that it leaves to the top level filled in.

    Attributes
    ----------
    name, model : str
    settings : dict
        The network's dimensions at the scale of the settings.
    visual, audio : tuple of str
        Encoders, in the order in which their features are joined.
    masked : bool
        Whether masked copies are trained on.
    split : str
        ``official``, ``foldN`` or ``mixN``.
    section : {"runs", "tables"}
        Where its row stands in the settings.
    """

    name: str
    model: str
    settings: Mapping[str, Any]
    visual: tuple[str, ...]
    audio: tuple[str, ...]
    masked: bool
    split: str
    section: Section = "runs"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "settings": dict(self.settings)}


def resolve_run(params: SequenceSettings, name: str, row: RunRow) -> Run:
    """Fill in what a row leaves to the top level of the settings.

    `frame_head` hears nothing and learns a few numbers: it is given no sound and no masked copies.
    """
    model = row.model or params.model
    if model == "frame_head":
        row = row.model_copy(update={"audio": (), "masked": False})
    return Run(
        name=name,
        model=model,
        settings=network_settings(params, model),
        visual=params.features.visual if row.visual is None else row.visual,
        audio=params.features.audio if row.audio is None else row.audio,
        masked=params.mask.enabled if row.masked is None else row.masked,
        split=row.split,
        section="tables" if name in params.tables else "runs",
    )


def all_rows(params: SequenceSettings) -> dict[str, RunRow]:
    """Rows of `runs` and `tables` by name."""
    return {**params.runs, **params.tables}


def result_folder(run: Run) -> Path:
    """Folder of a run's networks, curves and predictions."""
    return (paths.RUN_RESULTS if run.section == "runs" else paths.TABLE_RUN_RESULTS) / run.name


def read_runs(*sections: Section) -> list[Run]:
    """Read the files of all runs of some sections, sorted by name, those of `runs` first."""
    found = [read_run(file.stem) for file in sorted(paths.RUNS.glob("*.json"))]
    return [run for section in sections for run in found if run.section == section]


def run_path(name: str) -> Path:
    """Return the file of a run; SettingsError where the name could not be a file's."""
    if not RUN_NAME.fullmatch(name):
        raise SettingsError(f"{name!r} cannot be the name of a run: use letters, digits, _ and -.")
    return paths.RUNS / f"{name}.json"


def written(params: TrainingSettings) -> dict[str, Any]:
    """Settings of the training as they stand in a run's file, each choice with its value."""
    return {
        "seed": params.seed,
        "scale": params.scale,
        "protocol": params.protocol,
        "choices": resolve_choices(params).model_dump(mode="json"),
        "train": params.train.model_dump(mode="json"),
        "loss": params.loss.model_dump(mode="json"),
        "splits": params.splits.model_dump(mode="json"),
    }


def write_run(
    run: Run, params: TrainingSettings, stores: Mapping[str, str], network: str = ""
) -> None:
    """Write the file of a run.

    Parameters
    ----------
    run : Run
    params : TrainingSettings
        Those of its training: the stage `train` reads them there.
    stores : mapping of str to str
        SHA-256 of each store that the run reads, by its path.
    network : str
        Hash of the network's code (:func:`stages.networks.registry.code_of`).
    """
    content = {
        "run": run.as_dict(),
        "training": written(params),
        "stores": dict(stores),
        "network": network,
    }
    write_json(run_path(run.name), content, sort_keys=True)


def read_run(name: str) -> Run:
    """Read the file of a run.

    Raises
    ------
    SettingsError
        When there is no such run; the message names those that there are.
    DataError
        When the file is damaged.
    """
    path, content = run_path(name), _read(name)
    try:
        run = content["run"]
        return Run(
            name=run["name"],
            model=run["model"],
            settings=run["settings"],
            visual=tuple(run["visual"]),
            audio=tuple(run["audio"]),
            masked=run["masked"],
            split=run["split"],
            section=run["section"],
        )
    except (KeyError, TypeError):
        raise _damaged(path) from None


def read_training(name: str, compute: Compute) -> TrainingSettings:
    """Read with what settings a run is trained.

    Parameters
    ----------
    name : str
    compute : Compute
        Where the work runs: it is in no file, for no result depends on it.

    Raises
    ------
    SettingsError, DataError
        See :func:`read_run`.
    """
    content = _read(name)
    try:
        return TrainingSettings.model_validate({**content["training"], "compute": compute})
    except (ValidationError, KeyError, TypeError):
        raise _damaged(run_path(name)) from None


def _read(name: str) -> dict[str, Any]:
    path = run_path(name)
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in paths.RUNS.glob("*.json")))
        raise SettingsError(
            f"{name!r} is no run that `dvc repro inputs` prepared; allowed: {known or 'none'}."
        ) from None
    except ValueError:
        raise _damaged(path) from None
    return content


def _damaged(path: Path) -> DataError:
    return DataError(f"{path} is damaged: run `dvc repro -f inputs`.")
