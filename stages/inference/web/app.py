"""The server's answers: the page, uploads, the list of videos, their files.

`create_app` makes the application out of settings and jobs; :mod:`stages.inference.web.serving`
runs it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from stages.core.errors import DataError
from stages.inference.results import read_rows
from stages.inference.views.beside import Shown, compare_shown
from stages.inference.web.guard import COOKIE, Guard, cookie_value, same
from stages.inference.web.history import Busy
from stages.inference.web.job import RESULTS, Job
from stages.inference.web.jobs import Jobs
from stages.inference.web.refusals import MOST, SAID, Refused, face, length, number
from stages.inference.web.settings import Settings
from stages.inference.web.static import TYPES, page, static_file

SILENCE_SECONDS: Final = 60.0  # an upload that sends nothing for so long is given up
LOGIN_SECONDS: Final = 1.0  # until the answer to a wrong token, so that guessing is slow
PAGE: Final = 50  # videos of the list that are shown without being asked for
COOKIE_SECONDS: Final = 30 * 24 * 3600


def create_app(settings: Settings, jobs: Jobs) -> Starlette:
    """Make the application.

    Parameters
    ----------
    settings : Settings
    jobs : Jobs
        Is closed when the server stops.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await run_sync(jobs.close)

    app = Starlette(
        routes=[
            Route("/", _index),
            Route("/login", _login_page),
            Route("/login", _login, methods=["POST"]),
            Route("/static/{name}", _static),
            Route("/api/state", _state),
            Route("/api/jobs", _upload, methods=["POST"]),
            Route("/api/jobs/{id}", _delete, methods=["DELETE"]),
            Route("/api/jobs/{id}/cancel", _cancel, methods=["POST"]),
            Route("/api/jobs/{id}/restart", _restart, methods=["POST"]),
            Route("/api/jobs/{id}/video", _video),
            Route("/api/jobs/{id}/files/{kind}", _result),
            Route("/api/jobs/{id}/beside/{other}", _beside),
            Route("/api/jobs/{id}/{kind}", _part),
        ],
        middleware=[Middleware(Guard, settings=settings)],
        exception_handlers=SAID,
        lifespan=lifespan,
    )
    app.state.settings, app.state.jobs = settings, jobs
    return app


async def _index(request: Request) -> Response:
    return HTMLResponse(page("index.html"))


async def _login_page(request: Request) -> Response:
    if request.app.state.settings.token is None:
        return RedirectResponse("./", 303)
    return HTMLResponse(page("login.html").replace("MESSAGE", ""))


async def _login(request: Request) -> Response:
    token = request.app.state.settings.token
    if token is None:
        return RedirectResponse("./", 303)
    async with request.form(max_files=0, max_fields=4) as form:
        given = str(form.get("token", ""))
    if not same(given.strip(), token):
        await anyio.sleep(LOGIN_SECONDS)
        text = "This is not the token that the server was started with."
        return HTMLResponse(page("login.html").replace("MESSAGE", text), 401)
    response = RedirectResponse("./", 303)
    response.set_cookie(
        COOKIE,
        cookie_value(token),
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in TYPES:
        raise HTTPException(404)
    file = await run_sync(static_file, name)
    headers = {"cache-control": "private, no-cache", "vary": "accept-encoding"}
    headers["etag"] = f'"{hash(file.body):x}"'
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        return Response(file.packed, media_type=file.media_type, headers=headers)
    return Response(file.body, media_type=file.media_type, headers=headers)


async def _state(request: Request) -> Response:
    """How the videos stand: the newest `show`, those in the queue, and each that `with` names."""
    jobs: Jobs = request.app.state.jobs
    rows = jobs.summaries(length(request, PAGE), request.query_params.getlist("with"))
    about = {"limits": asdict(jobs.limits), "all": len(jobs), "most": MOST}
    return JSONResponse({**about, "jobs": rows})


async def _upload(request: Request) -> Response:
    jobs: Jobs = request.app.state.jobs
    size = _announced(request)
    _check_size(size, jobs)
    try:
        with jobs.upload(size) as folder:
            await _receive(request, folder.video, jobs)
            name = request.query_params.get("name", "")
            job = await run_sync(jobs.add, folder, name)
    except Busy:
        await _discard(request, jobs)
        raise
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    return JSONResponse({"id": job.id}, 201)


async def _discard(request: Request, jobs: Jobs) -> None:
    """Read what is still sent, up to the limits: a browser reads no answer before it sent all."""
    received = 0
    with anyio.move_on_after(SILENCE_SECONDS):
        async for part in request.stream():
            received += len(part)
            if received > jobs.limits.bytes:
                return


def _announced(request: Request) -> int:
    return number(request.headers.get("content-length")) or 0


def _check_size(size: int, jobs: Jobs) -> None:
    if size > jobs.limits.bytes:
        limit = jobs.limits.megabytes
        raise Refused(413, f"This file is too large: the server takes at most {limit:g} MB.")


async def _receive(request: Request, path: Path, jobs: Jobs) -> None:
    """Write a request's body to disk, and stop as soon as it is too large."""
    received = 0
    parts = aiter(request.stream())
    async with await anyio.open_file(path, "wb") as file:
        while True:
            try:
                with anyio.fail_after(SILENCE_SECONDS):
                    part = await anext(parts, None)
            except TimeoutError:
                raise Refused(408, "The upload came to a halt, and was given up.") from None
            if part is None:
                break
            received += len(part)
            _check_size(received, jobs)
            await file.write(part)
    if not received:
        raise Refused(422, "This file is empty: choose another.")


def _job(request: Request, name: str = "id") -> Job:
    jobs: Jobs = request.app.state.jobs
    job = jobs.find(request.path_params[name])
    if job is None:
        raise Refused(404, "There is no such video: it was deleted.")
    return job


async def _delete(request: Request) -> Response:
    await run_sync(request.app.state.jobs.delete, _job(request))
    return Response(status_code=204)


async def _cancel(request: Request) -> Response:
    await run_sync(request.app.state.jobs.cancel, _job(request))
    return Response(status_code=204)


async def _restart(request: Request) -> Response:
    await run_sync(request.app.state.jobs.restart, _job(request))
    return Response(status_code=204)


def _file(path: Path, media_type: str, filename: str | None = None) -> Response:
    if not path.is_file():
        raise HTTPException(404)
    return FileResponse(path, media_type=media_type, filename=filename)


async def _video(request: Request) -> Response:
    """What the browser plays: the upload, or its preview; ranges are answered."""
    job = _job(request)
    files = request.app.state.jobs.files(job)
    if job.facts.plays is not None:
        return _file(files.video, job.facts.plays)
    return _file(files.preview, "video/mp4")


async def _part(request: Request) -> Response:
    files = request.app.state.jobs.files(_job(request))
    parts = {
        "view": (files.view, "application/json"),
        "poster": (files.poster, "image/jpeg"),
        "picture": (files.picture, "image/jpeg"),
    }
    if request.path_params["kind"] not in parts:
        raise HTTPException(404)
    return _file(*parts[request.path_params["kind"]])


_DOWNLOADS: Final = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
    "report": "text/html",
}


async def _result(request: Request) -> Response:
    """A file of the predictor, to save: byte for byte the one on disk."""
    kind = request.path_params["kind"]
    job = _job(request)
    path = request.app.state.jobs.files(job).result(kind) if kind in RESULTS else None
    if path is None or job.state != "done":
        raise HTTPException(404)
    return _file(path, _DOWNLOADS[kind], f"{job.stem}{RESULTS[kind]}")


async def _beside(request: Request) -> Response:
    """Two results in numbers, of the people `face` and `other_face`, else of the main ones."""
    tables = [_table(request, name) for name in ("id", "other")]
    people = [face(request, name) for name in ("face", "other_face")]

    def compared() -> dict[str, Any]:
        try:
            rows = [read_rows(path) for path in tables]
        except DataError:  # its sentence names a path of the server
            raise Refused(422, "A result cannot be read any more: predict it again.") from None
        return compare_shown(*map(Shown, rows, people))

    return JSONResponse(await run_sync(compared))


def _table(request: Request, name: str) -> Path:
    job = _job(request, name)
    path: Path | None = request.app.state.jobs.files(job).result("parquet")
    if path is None or job.state != "done":
        raise Refused(404, f"{job.name} has no result.")
    return path
