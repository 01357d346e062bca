"""Make the weights that are shipped: the whole pipeline, by a recipe of its own (`make weights`).

In: ``models/pretrained/recipe.yaml``, which holds what differs from ``params.yaml``. The pipeline
runs in a workspace of its own, ``data/weights``, with a copy of the code, so that neither touches
the other; killed, it continues where it stopped. Out: the exported ensemble in
``models/pretrained``, and ``training.json`` beside it: the scores, and what each stage took.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from stages.check_settings import load_params
from stages.core.aside import asked_jobs
from stages.core.console import run_stage, say
from stages.ensembles.shipping import PRETRAINED, RECIPE, log, measured, prepare, ship

WORKSPACE: Final = Path("data/weights")
# what an exported ensemble does not need
LEFT_OUT: Final = ("probe", "report", "submit")


def make(workspace: Path, jobs: int) -> None:
    """Run every stage that the exported ensemble needs, and log what each took."""
    python, dvc = sys.executable, [sys.executable, "-m", "dvc"]
    listed = subprocess.run(
        [*dvc, "stage", "list", "--name-only"], cwd=workspace, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    names = [name for name in listed.stdout.split() if name.partition("@")[0] not in LEFT_OUT]
    trained = pretrained = False
    for number, name in enumerate(names, start=1):
        if name.startswith("pretrain@") and not pretrained:
            pretrained = True
            log(workspace, "all encoders", *measured(
                [python, "-m", "stages.pretrain_parallel", str(jobs)], workspace
            ))  # fmt: skip
        if name.startswith("train@") and not trained:
            trained = True
            log(workspace, "all runs", *measured(
                [python, "-m", "stages.train_parallel", str(jobs)], workspace
            ))  # fmt: skip
        say(f"==> {number} of {len(names)}: {name}")
        before = _lock(workspace)
        took = measured([*dvc, "repro", "--single-item", name], workspace)
        if _lock(workspace) != before:
            log(workspace, name, *took)


def _lock(workspace: Path) -> bytes:
    path = workspace / "dvc.lock"
    return path.read_bytes() if path.exists() else b""


def main() -> None:
    """Make the weights."""
    jobs = asked_jobs(sys.argv[1:], "encoders and runs to train") or os.cpu_count() or 1
    prepare(RECIPE, WORKSPACE, load_params)
    make(WORKSPACE, jobs)
    ship(WORKSPACE, PRETRAINED)


if __name__ == "__main__":
    run_stage(main)
