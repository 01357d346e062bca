"""Write the report: the paper's tables, its claims, and figures (`dvc repro report`).

In: which runs there are (data/runs), what they and ensembles say of videos that they were not
trained on (models/runs, data/ensembles), labels (data/inputs.h5), faces (data/crops), the figures
of `evaluate` and `ensemble`, what `mask` and `probe` left for the report. Out: metrics/report.html,
one file that opens offline; the tables as metrics/tables.json (numbers only, tracked by git) and
metrics/tables.md; metrics/report, figures as PNG and plot data as CSV.

`python -m stages.report tables` reports the runs of `tables` as well, below metrics/tables. Rows
whose runs are not trained say so.
"""

import sys

from stages.check_settings import load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.errors import DataError, SettingsError
from stages.reporting import drawing
from stages.reporting.evidence import gather
from stages.reporting.figure_files import main_ensemble, read_json, read_network_sizes
from stages.reporting.paper_tables import CALIBRATED, SUBMISSIONS
from stages.reporting.writing import Target, rungs, what_is_shown, write_report
from stages.sequence.predictions import read_predictions
from stages.sequence.runs import read_runs, result_folder
from stages.sequence.settings import FRAME_HEAD

DEFAULT = Target(paths.PAGE, paths.TABLES, paths.TABLES_MARKDOWN, paths.REPORT)
ALL_TABLES = Target(
    paths.ALL_TABLES / "report.html",
    paths.ALL_TABLES / "tables.json",
    paths.ALL_TABLES / "tables.md",
    paths.ALL_TABLES / "report",
)


def main() -> None:
    """Write the report of the runs of `runs`, or of all."""
    params = load_params()
    if sys.argv[1:] not in ([], ["tables"]):
        raise SettingsError("Give nothing, or `tables` for the report of all runs.")
    everything = bool(sys.argv[1:])
    target = ALL_TABLES if everything else DEFAULT
    ensembles = paths.TABLE_ENSEMBLES if everything else paths.ENSEMBLE_PREDICTIONS
    label = params.data_label
    runs = read_runs("runs", "tables") if everything else read_runs("runs")
    folders = {run.name: result_folder(run) for run in runs}
    evidence = gather(folders, label)
    for name in (*SUBMISSIONS, FRAME_HEAD):
        if name not in folders and (ensembles / f"{name}.h5").is_file():
            evidence.add(name, read_predictions(ensembles / f"{name}.h5").seeds)
    if not evidence.results:
        raise DataError("No run has said anything of an annotated video: run `dvc repro` first.")
    exported = main_ensemble(params.ensemble.main, read_json(paths.ENSEMBLE_SCORES).get(label, {}))
    found = read_json(paths.TABLE_ENSEMBLE_SCORES if everything else paths.ENSEMBLE_SCORES)
    # the exported ensemble is the one of `runs`, whatever else is reported
    shown = what_is_shown(evidence, paths.ENSEMBLE_PREDICTIONS, folders, exported, paths.ENSEMBLE)
    if shown is not None and shown.calibrated:
        evidence.add_decisions(CALIBRATED, shown.decisions)
    verdicts = write_report(
        evidence,
        target,
        shown=shown,
        curves=drawing.read_curves({name: folders[name] for name in evidence.runs}),
        calibration=rungs(found, evidence, exported),
        scores=read_json(paths.SCORES).get(label, {}),
        sizes=read_network_sizes(),
        root=params.data.root.name,
        protocol=params.protocol,
    )
    for verdict in verdicts:
        say(verdict)
    say(f"Report: {target.page}   Tables: {target.markdown}")


if __name__ == "__main__":
    run_stage(main)
