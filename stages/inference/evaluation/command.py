"""The command `aufusion evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from stages.inference.command_line import Baseline, Device, EnsembleFolder, guarded


def evaluate(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder with labels.csv, or with annotations as Aff-Wild2 has them; or a table.",
            metavar="FOLDER",
        ),
    ],
    ensemble: EnsembleFolder,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Another tool's files, as `compare` reads them, instead of our predictions.",
            metavar="DIR",
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="A tool's files whose continuous values the frames are ranked against.",
            metavar="DIR",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the figures and our predictions.", metavar="DIR")
    ] = Path("evaluation"),
    device: Device = "auto",
    baseline: Baseline = None,
) -> None:
    """Measure how well AUs are found in labelled photos and videos, by our ensemble or any tool.

    Writes evaluation.json, evaluation.csv and evaluation.html: AUC, F1, precision, hits and false
    alarms of each AU, by group, with intervals over people. Predictions are kept: a run that was
    stopped continues.
    """

    def work() -> int:
        from stages.inference.evaluation.run import evaluate as run
        from stages.inference.options import Options

        run(
            folder, out, ensemble=ensemble, predictions=predictions, reference=reference,
            options=Options(device=device), baseline=baseline,
        )  # fmt: skip
        return 0

    guarded(work)


def add_to(app: typer.Typer) -> None:
    """Add the command to a command line."""
    app.command()(evaluate)
