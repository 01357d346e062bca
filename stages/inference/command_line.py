"""What the commands of `aufusion` share: options, and how they leave; exit codes as in cli.py."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from stages.core.paths import default_ensemble

FAILED: Final = 1
UNUSABLE: Final = 2

SHIPPED: Final = "the one that is shipped; without it models/ensemble"
EnsembleFolder = Annotated[
    Path,
    typer.Option(
        help="Folder of the ensemble.",
        metavar="DIR",
        default_factory=default_ensemble,
        show_default=SHIPPED,
    ),
]
Baseline = Annotated[
    float | None,
    typer.Option(
        help="Subtract each person's resting face: that of their first so many seconds.",
        metavar="SECONDS",
    ),
]
Device = Annotated[
    str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1.", metavar="DEVICE")
]


def guarded(work: Callable[[], int]) -> NoReturn:
    """Run a command and leave with its code, with a sentence instead of a traceback."""
    from stages.core.console import run_stage

    code = 0

    def main() -> None:
        nonlocal code
        code = work()

    try:
        run_stage(main)
    except SystemExit as end:
        raise typer.Exit(UNUSABLE if end.code == 1 else int(end.code or 0)) from None
    raise typer.Exit(code)
