"""The commands `aufusion predict`, `info`, `convert` and `compare`; exit codes as in cli.py."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stages.core.paths import default_ensemble
from stages.inference.command_line import (
    FAILED,
    SHIPPED,
    Baseline,
    Device,
    EnsembleFolder,
    guarded,
)

# not imported: it is slow
FORMAT_NAMES = "openface, table, events, summary, bids, elan, textgrid, boris"


class Faces(StrEnum):
    """Whose AUs are predicted."""

    main = "main"
    all = "all"


class Precision(StrEnum):
    """Arithmetic of the encoders of pictures."""

    auto = "auto"
    full = "32-true"
    mixed = "bf16-mixed"


class Engine(StrEnum):
    """Whose processes predict."""

    local = "local"
    ray = "ray"


def predict(
    out: Annotated[Path, typer.Option(help="Folder of the results.", metavar="DIR")],
    ensemble: EnsembleFolder,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Videos, photos, folders of them, @FILE for a list of them.", metavar="PATH..."
        ),
    ] = None,
    lists: Annotated[
        list[Path] | None,
        typer.Option(
            "--list", help="A file that names a path a line; - reads them.", metavar="FILE"
        ),
    ] = None,
    faces: Annotated[
        Faces, typer.Option(help="The main person, or everyone under numbers of their own.")
    ] = Faces.main,
    every: Annotated[
        int,
        typer.Option(help="Encode every so many frames; the others still get their rows."),
    ] = 1,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Look into the folders' folders, too.")
    ] = False,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Draw a video with box, points and AU bars.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Write a page with the timeline of the AUs.")
    ] = False,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help=f"Write it as this, too: {FORMAT_NAMES}. May be repeated.",
            metavar="FORMAT",
        ),
    ] = None,
    baseline: Annotated[
        float | None,
        typer.Option(
            help="Write NAME.baseline.table.csv (or the --format named), too, with each person's "
            "resting face of their first so many seconds subtracted.",
            metavar="SECONDS",
        ),
    ] = None,
    start: Annotated[
        float | None, typer.Option(help="Seconds: no pictures before.", metavar="SECONDS")
    ] = None,
    end: Annotated[
        float | None, typer.Option(help="Seconds: no pictures from here on.", metavar="SECONDS")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What the files of the only video are called.")
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Predict again what is done, and over results of other "
            "videos of the same name; files that AUFusion did not write stay.",
        ),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Videos at once, each in a process of one thread. Else one; by Ray as many as it "
            "has place for."
        ),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(
            help="ray: over the machines of a Ray, which share the folders: docs/cluster.md."
        ),
    ] = Engine.local,
    address: Annotated[
        str | None,
        typer.Option(
            help="Of Ray's head, or auto for the one on this machine; else RAY_ADDRESS, else a Ray "
            "is started.",
            metavar="HOST:PORT",
        ),
    ] = None,
    device: Device = "auto",
    precision: Annotated[
        Precision, typer.Option(help="Of the encoders; auto: what the ensemble was trained on.")
    ] = Precision.auto,
    batch: Annotated[
        int | None, typer.Option(help="Faces encoded at once; else what the ensemble says.")
    ] = None,
) -> None:
    """Predict the AUs of videos and photos: NAME.csv, NAME.parquet and NAME.json for each.

    Videos that are finished are not done again: a run that was stopped continues. `aufusion info
    --columns` says what the columns are.
    """

    def work() -> int:
        from stages.inference.baseline import check_seconds
        from stages.inference.folder import predict_all
        from stages.inference.formats.convert import check_formats
        from stages.inference.options import Options
        from stages.inference.sources import expand
        from stages.inference.task import Extras

        options = Options(
            faces=faces.value,
            every=every,
            batch=batch,
            device=device,
            precision=precision.value,
            start=start,
            end=end,
        )
        extras = Extras(
            overlay=overlay,
            report=report,
            formats=check_formats(formats or ()),
            baseline=check_seconds(baseline),
        )
        done = predict_all(
            expand(paths or (), lists or ()), ensemble, out, options, recursive=recursive,
            extras=extras, name=name, overwrite=overwrite, jobs=jobs, engine=engine.value,
            address=address,
        )  # fmt: skip
        return FAILED if done.failed else 0

    guarded(work)


def info(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of an ensemble.",
            metavar="DIR",
            default_factory=default_ensemble,
            show_default=SHIPPED,
        ),
    ],
    columns: Annotated[
        bool, typer.Option("--columns", help="Say instead what the columns of the results are.")
    ] = False,
) -> None:
    """Say what an ensemble is: its members, encoders, licences, and its F1 on what data."""

    def work() -> int:
        from stages.inference import columns as documented
        from stages.inference.info import describe

        print(documented.as_text() if columns else describe(folder))
        return 0

    guarded(work)


def convert(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="NAME.csv, .parquet or .json of predictions, or folders of them.",
            metavar="RESULT...",
        ),
    ],
    to: Annotated[
        list[str], typer.Option(help=f"{FORMAT_NAMES}. May be repeated.", metavar="FORMAT")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the files; else beside the result.", metavar="DIR"),
    ] = None,
    baseline: Baseline = None,
) -> None:
    """Write predictions in the formats of other tools."""

    def work() -> int:
        from stages.inference.formats.convert import convert_all

        for path in convert_all(results, to, out, baseline):
            print(path)
        return 0

    guarded(work)


def compare(
    ours: Annotated[Path, typer.Argument(help="NAME.csv or NAME.parquet of a prediction.")],
    theirs: Annotated[
        Path,
        typer.Argument(
            help="The same of OpenFace, py-feat, LibreFace, MediaPipe, FaceReader, iMotions or "
            "Aff-Wild2."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the table and the picture.", metavar="DIR")
    ] = None,
    baseline: Baseline = None,
) -> None:
    """Say how far two predictions of one video agree, AU by AU."""

    def work() -> int:
        from stages.inference.comparison.compare import compare_files

        print(compare_files(ours, theirs, out, baseline))
        return 0

    guarded(work)


def add_to(app: typer.Typer) -> None:
    """Add the commands to `aufusion`."""
    for command in (predict, info, convert, compare):
        app.command()(command)
