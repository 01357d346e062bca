"""Asking DVC what is to be done."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from stages.core.console import INTERRUPTED
from stages.core.errors import DataError


def running_stage() -> str:
    """Name of the stage that DVC runs this process for, ``train@main``; nothing without DVC."""
    return os.environ.get("DVC_STAGE", "").rpartition(":")[2]


def asked_for_all() -> bool:
    """Whether the `dvc repro` or `dvc exp run` that runs this process named no stage of a group.

    Who asks for ``train@main`` wants that run alone; who asks for nothing, for a pipeline's file or
    for a stage that joins the runs will want all of them.
    """
    import psutil

    if not running_stage():
        return False
    for process in psutil.Process().parents():
        try:
            words = process.cmdline()
        except psutil.Error:  # it ended, or is another user's
            continue
        names = [Path(word).name for word in words]
        if "dvc" in names:
            return _names_no_single_stage(words[names.index("dvc") + 1 :])
    return False


def _names_no_single_stage(words: list[str]) -> bool:
    from dvc.cli import DvcParserError, parse_args

    try:
        asked = parse_args(words)
    except (DvcParserError, SystemExit):  # DVC's own helpers
        return False
    targets = getattr(asked, "targets", None)
    return targets is not None and not asked.single_item and not any("@" in one for one in targets)


def run_aside(command: str, words: Iterable[str] = ()) -> None:
    """Run another command of this project before this stage does its own work.

    What it fails at is left to the stages themselves, which then say why.

    Raises
    ------
    KeyboardInterrupt
        When that is what ended it.
    """
    done = subprocess.run([sys.executable, "-m", f"stages.{command}", *words], check=False)
    if done.returncode in (INTERRUPTED, -signal.SIGINT):
        raise KeyboardInterrupt


def changed_stages(group: str, names: Iterable[str], workspace: Path = Path()) -> list[str]:
    """Names of the stages of a group, ``pretrain`` or ``train``, that DVC would run.

    Parameters
    ----------
    group : str
        Name of the group, behind the pipeline's file where it is not ``dvc.yaml``.
    names : iterable of str
        Those to ask for: what comes after the ``@``.
    workspace : Path
        Folder of the pipeline.

    Returns
    -------
    list of str
        Sorted. The stage that DVC runs this process for is among them: it is not asked about, for
        DVC holds its outputs meanwhile.

    Raises
    ------
    DataError
        When DVC cannot say.
    """
    names = sorted(names)
    mine = [name for name in names if f"{group.rpartition(':')[2]}@{name}" == running_stage()]
    stages = [f"{group}@{name}" for name in names if name not in mine]
    found = _status(stages, workspace) if stages else {}
    return sorted([*mine, *(name.rpartition("@")[2] for name in found)])


def is_up_to_date(output: Path, workspace: Path = Path()) -> bool:
    """Whether DVC would run nothing to make an output; no where it cannot say."""
    try:
        return not _status(["--with-deps", str(output)], workspace)
    except DataError:  # the running stage holds a part of it
        return False


def _status(asked: list[str], workspace: Path) -> dict[str, object]:
    command = [sys.executable, "-m", "dvc", "status", "--json", *asked]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DataError(f"`dvc status {' '.join(asked)}` failed: {done.stderr.strip()[-300:]}")
    answer: dict[str, object] = json.loads((done.stdout.strip() or "{}").splitlines()[-1])
    return answer
