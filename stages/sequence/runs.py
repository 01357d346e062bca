"""Runs: which network reads which features of which videos; ``data/runs/NAME.json``.

A run is a row of `runs` (or of `tables`) in ``params.yaml``. The stage `inputs` writes each one as
it was resolved, together with the hashes of the stores that it reads and of its network's code:
what a run depends on, and nothing else. So a change to one encoder redoes the runs that read it, a
change to a network those of that network, and a change to `model` the runs that follow it.
"""

import json
import re
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stages.core import paths
from stages.core.errors import DataError, SettingsError
from stages.core.files import write_json
from stages.sequence.protocol import network_settings
from stages.sequence.settings import RunRow, SequenceSettings

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
    """

    name: str
    model: str
    settings: Mapping[str, Any]
    visual: tuple[str, ...]
    audio: tuple[str, ...]
    masked: bool
    split: str

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
    )


def all_rows(params: SequenceSettings) -> dict[str, RunRow]:
    """Rows of `runs` and `tables` by name."""
    return {**params.runs, **params.tables}


def result_folder(name: str, runs: Container[str]) -> Path:
    """Folder of a run's networks, curves and predictions: of one of `runs`, or of the tables'."""
    return (paths.RUN_RESULTS if name in runs else paths.TABLE_RUN_RESULTS) / name


def run_path(name: str) -> Path:
    """Return the file of a run; SettingsError where the name could not be a file's."""
    if not RUN_NAME.fullmatch(name):
        raise SettingsError(f"{name!r} cannot be the name of a run: use letters, digits, _ and -.")
    return paths.RUNS / f"{name}.json"


def write_run(run: Run, stores: Mapping[str, str], network: str = "") -> None:
    """Write the file of a run.

    Parameters
    ----------
    run : Run
    stores : mapping of str to str
        SHA-256 of each store that the run reads, by its path.
    network : str
        Hash of the network's code (:func:`stages.networks.registry.code_of`).
    """
    content = {"run": run.as_dict(), "stores": dict(stores), "network": network}
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
    path = run_path(name)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["run"]
        return Run(
            name=content["name"],
            model=content["model"],
            settings=content["settings"],
            visual=tuple(content["visual"]),
            audio=tuple(content["audio"]),
            masked=content["masked"],
            split=content["split"],
        )
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in paths.RUNS.glob("*.json")))
        raise SettingsError(
            f"{name!r} is no run that `dvc repro inputs` prepared; allowed: {known or 'none'}."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path} is damaged: run `dvc repro -f inputs`.") from None
