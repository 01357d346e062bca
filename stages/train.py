"""Train the networks of one run, one a seed (`dvc repro train@main`).

In: the run and its settings as they were resolved (data/runs/RUN.json), labels and faces
(data/inputs.h5), the feature stores. Out: the folder models/runs/RUN (models/tables/RUN for a run
of the tables) with seedN.safetensors, which holds the network's dimensions and the inputs'
statistics, the learning curves, and predictions.h5: what the networks say of every video that they
were not trained on. The folder is put in its place by one rename, when all of it is there.

A run that is trained already is only put in its place: where `dvc repro` redoes several runs, the
first one's stage trains all of them side by side (:mod:`stages.train_parallel`). Under
`torchrun --nproc-per-node N -m stages.train RUN` its processes share every batch between them.
"""

import sys

from stages.check_settings import load_params
from stages.core import paths
from stages.core.console import run_stage
from stages.core.dvc import asked_for_all, run_aside
from stages.core.errors import SettingsError
from stages.core.torchrun import process_count
from stages.sequence.run import is_trained, put_in_place, run_folder, train_run
from stages.sequence.runs import read_run, read_training

TABLES = "metrics/tables/dvc.yaml:train"


def main() -> None:
    """Train the run that the command line names."""
    compute = load_params().compute
    name, of_tables = [*sys.argv[1:], "", ""][:2]
    if not name or of_tables not in ("", "tables") or len(sys.argv) > 3:
        raise SettingsError(
            "Name one run: python -m stages.train main; one of the tables': "
            "python -m stages.train mix1 tables"
        )
    home = paths.TABLE_RUN_RESULTS if of_tables else paths.RUN_RESULTS
    run, params = read_run(name), read_training(name, compute)
    if process_count() == 1 and not is_trained(params, run) and asked_for_all():
        run_aside("train_parallel", ["", TABLES] if of_tables else [])
    with run_folder(params, run) as (folder, leader):
        train_run(params, run, folder, progress=leader)
        if leader:
            put_in_place(folder, home / run.name)


if __name__ == "__main__":
    run_stage(main)
