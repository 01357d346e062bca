"""Asking DVC what is to be done."""

import json
import subprocess
import sys
from pathlib import Path

from stages.core.errors import DataError


def changed_stages(stage: str, workspace: Path = Path()) -> list[str]:
    """Names of the stages of a group, ``pretrain`` or ``train``, that DVC would run.

    Parameters
    ----------
    stage : str
        Name of the group, behind the pipeline's file where it is not ``dvc.yaml``.
    workspace : Path
        Folder of the pipeline.

    Returns
    -------
    list of str
        What comes after the ``@``, sorted.

    Raises
    ------
    DataError
        When DVC cannot say.
    """
    command = [sys.executable, "-m", "dvc", "status", "--json", stage]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DataError(f"`dvc status {stage}` failed: {done.stderr.strip()[-300:]}")
    found = json.loads(done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "{}")
    return sorted(name.rpartition("@")[2] for name in found if name.rpartition("@")[0] == stage)
