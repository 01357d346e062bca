"""Train the networks of one run, one a seed (`dvc repro train@main`).

In: the run as it was resolved (data/runs/RUN.json), labels and faces (data/inputs.h5), the feature
stores. Out: models/runs/RUN/seedN.safetensors with the network's dimensions and the inputs'
statistics inside, learning curves under metrics/curves/RUN, and data/predictions/RUN.h5: what the
networks say of every video that they were not trained on.

A run that `python -m stages.side_by_side` has trained already is only put in its place. Under
`torchrun --nproc-per-node N -m stages.train RUN` its processes share every batch between them.
"""

import shutil
import sys
from pathlib import Path

from stages.core import paths
from stages.core.console import run_stage
from stages.core.errors import SettingsError
from stages.processes import process_count
from stages.run_training import FINISHED, run_folder, train_run
from stages.runs import read_run
from stages.settings.params import load_params


def put_in_place(name: str, folder: Path) -> None:
    """Move what a run has made from its folder of unfinished work to where DVC looks for it."""
    for target, what in (
        (paths.NETWORKS / name, "networks"),
        (paths.CURVES / name, "curves"),
        (paths.PREDICTIONS / f"{name}.h5", "predictions.h5"),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            shutil.rmtree(target)
        shutil.move(folder / what, target)


def main() -> None:
    """Train the run that the command line names."""
    params = load_params()
    if len(sys.argv) != 2:
        raise SettingsError("Name one run: python -m stages.train main")
    run = read_run(sys.argv[1])
    with run_folder(params, run) as (folder, leader):
        if not (folder / FINISHED).exists():
            train_run(params, run, folder, progress=process_count() == 1 or leader)
        if leader:
            put_in_place(run.name, folder)


if __name__ == "__main__":
    run_stage(main)
