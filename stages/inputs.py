"""Join labels, faces and feature stores into what the networks are given (`dvc repro inputs`).

In: the manifest and labels (data/index), which frames show a face (data/crops), the stores of all
encoders (data/features), the masked copies of training videos (data/masked.h5) and their stores,
the rows of `runs` and `tables`. Out: data/inputs.h5, the videos with labels and folds, and
data/runs, one file a run with its settings and the hashes of the stores that it reads: a network is
trained again when what it reads has changed, and not otherwise. For the report,
data/network_sizes.json. Results of runs that are no longer in the settings are removed.
"""

import shutil
from collections import Counter

from stages.check_settings import Params, load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.feature_store import store_hash
from stages.networks.registry import code_of
from stages.sequence.dataset import write_inputs
from stages.sequence.features import audio_paths, masked_paths, visual_paths
from stages.sequence.joining import join_all, store_lengths
from stages.sequence.network_sizes import write_network_sizes
from stages.sequence.predictions import FILE
from stages.sequence.runs import all_rows, resolve_run, write_run


def write_runs(params: Params, copies: bool) -> int:
    """Write the file of every run whose stores are there; return how many there are."""
    shutil.rmtree(paths.RUNS, ignore_errors=True)
    hashes: dict[str, str] = {}
    rows = all_rows(params)
    for name, row in rows.items():
        run = resolve_run(params, name, row)
        stores = [*visual_paths(run.visual), *audio_paths(run.audio)]
        if run.masked and copies:
            stores += masked_paths(run.visual)
        for path in stores:
            if path.as_posix() not in hashes:
                hashes[path.as_posix()] = store_hash(path)
        write_run(
            run,
            params,
            {path.as_posix(): hashes[path.as_posix()] for path in stores},
            code_of(run.model),
        )
    return len(rows)


def remove_unknown_results(params: Params) -> None:
    """Remove what runs have left whose row is gone: stages depend on the folder of all runs."""
    for home, rows in (
        (paths.RUN_RESULTS, params.runs),
        (paths.TABLE_RUN_RESULTS, params.tables),
    ):
        for file in sorted(home.glob(f"*/{FILE}")):  # a run's folder, and no other
            if file.parent.name not in rows:
                shutil.rmtree(file.parent)
                say(f"{file.parent} removed: params.yaml has no such run any more")


def main() -> None:
    """Join the videos and write down what each run reads."""
    params = load_params()
    stores = [*visual_paths(list(params.visual)), *audio_paths(list(params.audio))]
    videos = join_all(params, store_lengths(stores))
    write_inputs(paths.INPUTS, videos)
    write_network_sizes(params)
    remove_unknown_results(params)
    runs = write_runs(params, any(video.masked for video in videos))
    counts = Counter("masked copies of train" if v.masked else v.split for v in videos)
    said = ", ".join(f"{count} {split}" for split, count in sorted(counts.items()))
    say(f"inputs: {said}; {runs} runs")


if __name__ == "__main__":
    run_stage(main)
