"""Join runs to ensembles, calibrate and export the main one (`dvc repro ensemble`).

In: the runs' networks and what they say of the videos that they were not trained on (models/runs),
labels (data/inputs.h5), the encoders' weights and a store of their features. Out: data/ensembles,
the joined predictions of each of the five submissions for which enough runs are trained;
metrics/ensembles.json, F1 on validation and test and the ladder of calibration (numbers only,
tracked by git); and models/ensemble, the folder from which anyone can predict.

An ensemble's probability of a video comes from those members alone that were not trained on it: for
seven folds from one of them on a train or validation video, from all on a test video.
"""

import shutil
import sys
from typing import Any

import numpy as np

from stages.check_settings import load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.errors import SettingsError
from stages.core.files import write_json
from stages.ensembles.calibration_steps import LADDER, Fit, ladder
from stages.ensembles.choosing import choose_main
from stages.ensembles.exporting import export
from stages.ensembles.joining import join, write_predictions
from stages.ensembles.members import SUBMISSIONS, Chosen, choose_members, held_out_f1
from stages.learning.metrics import by_au
from stages.sequence.dataset import load_videos
from stages.sequence.predictions import FILE as PREDICTIONS
from stages.sequence.predictions import read_predictions
from stages.sequence.runs import read_runs, result_folder
from stages.sequence.settings import FRAME_HEAD


def main() -> None:
    """Make every ensemble for which the runs are there; calibrate and export the main one."""
    params = load_params()
    if sys.argv[1:] not in ([], ["tables"]):
        raise SettingsError("Give nothing, or `tables` for the ensembles of all runs.")
    exporting = not sys.argv[1:]
    rows = read_runs("runs") if exporting else read_runs("runs", "tables")
    folder = paths.ENSEMBLE_PREDICTIONS if exporting else paths.TABLE_ENSEMBLES
    videos = {video.name: video for video in load_videos()}
    runs = {run.name: read_predictions(result_folder(run) / PREDICTIONS) for run in rows}
    f1 = {name: held_out_f1(predictions, videos) for name, predictions in runs.items()}
    splits = {name: str(predictions.run["split"]) for name, predictions in runs.items()}
    unknown = [name for name, values in f1.items() if values is None]
    if unknown:
        say(
            f"{', '.join(unknown)}: nothing annotated was held out (splits.mix_held_out?), so they "
            "are in no ensemble that chooses its members: au_top, model, kfold_mix"
        )
    shutil.rmtree(folder, ignore_errors=True)
    baselines = {name for name, said in runs.items() if said.run["model"] == FRAME_HEAD}
    content: dict[str, Any] = {}
    fits: dict[str, Fit] = {}
    members: dict[str, list[Chosen]] = {}
    for name in (*SUBMISSIONS, FRAME_HEAD):
        chosen = choose_members(name, splits, f1, params.ensemble.members, baselines)
        if not chosen:
            continue
        found = join(chosen, runs, params.ensemble.rule)
        write_predictions(folder / f"{name}.h5", chosen, found, params.ensemble.rule)
        members[name], fits[name] = chosen, ladder(params.ensemble, found, videos)
        steps = fits[name].f1
        content[name] = {
            step: {split: by_au(values) for split, values in by_split.items()}
            for step, by_split in steps.items()
        }
        icc = fits[name].icc
        if icc:
            content[name]["intensity_icc"] = {split: by_au(icc[split]) for split in icc}
        shown = ", ".join(
            f"{split} {' > '.join(f'{steps[step][split].mean():.3f}' for step in LADDER)}"
            for split in steps["raw"]
        )
        said = "".join(f"; ICC {split} {np.nanmean(icc[split]):.3f}" for split in icc)
        networks = sum(len(runs[member.run].seeds) for member in chosen)
        say(
            f"ensemble {name} ({len(chosen)} runs, {networks} networks): F1 {shown} "
            f"({' > '.join(LADDER)}){said}"
        )
    if exporting:
        name = choose_main(params.ensemble.main, fits, videos)
        scores = {"label": params.data_label, **content[name]}
        export(params, name, members[name], runs, fits[name].calibration, scores)
        content[name]["exported"] = 1
    target = paths.ENSEMBLE_SCORES if exporting else paths.TABLE_ENSEMBLE_SCORES
    write_json(target, {params.data_label: content})


if __name__ == "__main__":
    run_stage(main)
