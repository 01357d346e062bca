"""The workspace in which the shipped weights are made, and the way from there into the package."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from stages.core.console import say
from stages.core.errors import DataError, SettingsError
from stages.core.files import replacing_folder, write_json

PRETRAINED: Final = Path("models/pretrained")

RECIPE: Final = PRETRAINED / "recipe.yaml"

LARGEST: Final = 40 * 2**20  # bytes of what is shipped

LOG: Final = "log.csv"

KEPT: Final = ("recipe.yaml", "MODEL_CARD.md", "card.json")  # of `PRETRAINED`: not made here

COPIED: Final = (
    "dvc.yaml",
    ".dvcignore",
    "pyproject.toml",
    "metrics/speed.json",
    "metrics/attempts.yaml",
)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with some of them changed, mappings within mappings too."""
    result = dict(base)
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            result[key] = merged(base[key], value)
        else:
            result[key] = value
    return result


def prepare(recipe: Path, workspace: Path, check: Callable[[Path], object]) -> None:
    """Lay out the workspace, or renew its code and settings; what it has made stays.

    Parameters
    ----------
    recipe : Path
        What differs from ``params.yaml``.
    workspace : Path
    check : callable
        Refuses settings that are none, by their file.
    """
    base = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    try:
        changes = yaml.safe_load(recipe.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise SettingsError(f"{recipe} is not here: restore it with git.") from None
    settings = yaml.safe_dump(merged(base, changes), sort_keys=False, allow_unicode=True)
    workspace.mkdir(parents=True, exist_ok=True)
    code = workspace / "stages"
    shutil.rmtree(code, ignore_errors=True)
    shutil.copytree("stages", code, ignore=shutil.ignore_patterns("__pycache__"))
    for name in COPIED:
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(name, workspace / name)
    (workspace / "params.yaml").write_text(settings, encoding="utf-8")
    check(workspace / "params.yaml")
    if not (workspace / ".dvc" / "config").exists():
        dvc = [sys.executable, "-m", "dvc"]
        subprocess.run([*dvc, "init", "--no-scm", "--quiet"], cwd=workspace, check=True)


def measured(command: Sequence[str], workspace: Path) -> tuple[float, float]:
    """Run a command there; return its seconds and the GiB of its largest process.

    Raises
    ------
    DataError
        When it fails; what it printed says why.
    """
    start = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": ""}
    process = subprocess.Popen(command, cwd=workspace, env=environment)
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.terminate()
        raise
    if os.waitstatus_to_exitcode(status):
        raise DataError(f"`{' '.join(command[1:])}` failed; run `make weights` to continue.")
    return time.monotonic() - start, usage.ru_maxrss / 2**20


def log(workspace: Path, stage: str, seconds: float, gib: float) -> None:
    """Add a line to the workspace's log."""
    path = workspace / LOG
    first = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        if first:
            rows.writerow(("stage", "seconds", "peak_gib"))
        rows.writerow((stage, f"{seconds:.0f}", f"{gib:.2f}"))


def ship(workspace: Path, target: Path) -> None:
    """Put the exported ensemble in its place, with the scores and the log.

    Raises
    ------
    DataError
        When it is larger than what is shipped may be.
    """
    source = workspace / "models" / "ensemble"
    files = sorted(path for path in source.rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files)
    if size > LARGEST:
        raise DataError(f"{source} has {size} bytes; what is shipped may have {LARGEST}.")
    with (workspace / LOG).open(newline="", encoding="utf-8") as file:
        took = {
            row["stage"]: {"seconds": float(row["seconds"]), "peak_gib": float(row["peak_gib"])}
            for row in csv.DictReader(file)
        }
    metrics = workspace / "metrics"
    figures = {
        "scores_synthetic": json.loads((metrics / "scores.json").read_text(encoding="utf-8")),
        "ensembles_synthetic": json.loads((metrics / "ensembles.json").read_text(encoding="utf-8")),
        "stages": took,
    }
    kept = [target / name for name in KEPT if (target / name).is_file()]
    with replacing_folder(target) as fresh:
        for path in kept:
            shutil.copyfile(path, fresh / path.name)
        for path in files:
            place = fresh / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        write_json(fresh / "training.json", figures, indent=1)
    say(f"{target}: {len(files)} files, {size / 2**20:.1f} MiB")
