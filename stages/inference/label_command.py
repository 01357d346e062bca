"""The command `aufusion labels`; exit codes as in cli.py."""

from pathlib import Path
from typing import Annotated

import typer

from stages.inference.command_line import guarded

NAMES = "affectnet, affwild2, bp4d, dfew, disfa, emotionet, ferplus, ferv39k, rafau"


def labels(
    database: Annotated[str, typer.Argument(help=f"One of {NAMES}.", metavar="DATABASE")],
    folder: Annotated[
        Path, typer.Argument(help="Its folder, as it was handed out.", metavar="DIR")
    ],
    out: Annotated[Path, typer.Option(help="The table to write.", metavar="FILE.csv")],
    every: Annotated[int, typer.Option(help="Of clips and videos, every so many frames.")] = 1,
) -> None:
    """Write the pictures and labels of a face database as the table that `data.faces` names."""

    def work() -> int:
        from stages.faces.databases.table import DATABASES, write_table

        written = write_table(database, folder, out, every=every)
        print(
            f"{out}: {written.pictures} pictures of {written.people} people or clips; "
            f"{written.unlabelled} without a label of ours left out"
        )
        print("To pre-train encoders on it, set in params.yaml:")
        print(f"  data.faces: {out}")
        print(f'  data.faces_licence: "{DATABASES[database].licence}"')
        return 0

    guarded(work)


def add_to(app: typer.Typer) -> None:
    """Add the command to `aufusion`."""
    app.command()(labels)
