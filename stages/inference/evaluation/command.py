"""The command `aufusion evaluate`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from stages.core.paths import default_ensemble


def evaluate(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder with labels.csv, or with annotations as Aff-Wild2 has them; or a table.",
            metavar="FOLDER",
        ),
    ],
    ensemble: Annotated[
        Path,
        typer.Option(
            help="Folder of the ensemble.",
            metavar="DIR",
            default_factory=default_ensemble,
            show_default="the one that is shipped; without it models/ensemble",
        ),
    ],
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
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where to compute.")
    ] = "auto",
    baseline: Annotated[
        float | None,
        typer.Option(
            help="Subtract the resting face of each video's first so many seconds.",
            metavar="SECONDS",
        ),
    ] = None,
) -> None:
    """Measure how well AUs are found in labelled photos and videos, by our ensemble or any tool.

    Writes evaluation.json, evaluation.csv and evaluation.html: AUC, F1, precision, hits and false
    alarms of each AU, by group, with intervals over people. Predictions are kept: a run that was
    stopped continues.
    """
    import sys

    from stages.core.console import run_stage
    from stages.inference.evaluation.run import evaluate as run
    from stages.inference.options import Options

    def work() -> None:
        run(
            folder, out, ensemble=ensemble, predictions=predictions, reference=reference,
            options=Options(device=device), baseline=baseline,
        )  # fmt: skip

    try:
        run_stage(work)
    except SystemExit as end:
        sys.exit(2 if end.code == 1 else end.code)


def add_to(app: typer.Typer) -> None:
    """Add the command to a command line."""
    app.command()(evaluate)
