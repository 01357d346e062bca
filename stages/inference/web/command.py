"""The command `aufusion serve`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from stages.inference.command_line import Device, EnsembleFolder, guarded


def serve(
    ensemble: EnsembleFolder,
    folder: Annotated[
        Path, typer.Option(help="Where videos and results are kept.", metavar="DIR")
    ] = Path("aufusion-videos"),
    host: Annotated[
        str, typer.Option(help="Address to listen on; one for other machines needs --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any that is free.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(help="What one must know to get in.", envvar="AUFUSION_TOKEN"),
    ] = None,
    max_megabytes: Annotated[float, typer.Option(help="Most of one video.")] = 500,
    max_minutes: Annotated[float, typer.Option(help="Longest video.")] = 15,
    max_jobs: Annotated[int, typer.Option(help="Most videos in the queue.")] = 8,
    max_working_minutes: Annotated[float, typer.Option(help="Longest work on one video.")] = 120,
    faces: Annotated[
        Literal["main", "all"], typer.Option(help="The main person, or everyone.")
    ] = "main",
    root_path: Annotated[
        str, typer.Option(help="Path below which a proxy shows the page: /aus.", metavar="PATH")
    ] = "",
    public_host: Annotated[
        list[str] | None,
        typer.Option(help="Name under which a proxy is known. May be repeated.", metavar="NAME"),
    ] = None,
    device: Device = "auto",
) -> None:
    """Show a web page that predicts the AUs of videos dropped on it; Ctrl-C stops it."""

    def work() -> int:
        from functools import partial

        from stages.ensembles.ensemble import load_ensemble
        from stages.inference.options import Options
        from stages.inference.web.predicting import load_for_uploads, predict_upload
        from stages.inference.web.serving import serve as run
        from stages.inference.web.settings import Limits, Settings

        limits = Limits(max_megabytes, max_minutes, max_jobs, max_working_minutes)
        settings = Settings(
            folder, host, port, token, limits, root_path.rstrip("/"), tuple(public_host or ())
        )
        load_ensemble(ensemble)  # what is wrong with it is said now, not at the first video
        given = (ensemble, Options(faces=faces, device=device))
        run(settings, partial(predict_upload, *given), partial(load_for_uploads, *given))
        return 0

    guarded(work)


def add_to(app: typer.Typer) -> None:
    """Add the command to a command line."""
    app.command()(serve)
