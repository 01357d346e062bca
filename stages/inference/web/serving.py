"""Runs the server until it is stopped."""

from __future__ import annotations

import socket
from pathlib import Path

from stages.core.console import say
from stages.core.errors import SettingsError
from stages.inference.web.settings import Settings, is_loopback
from stages.inference.web.work import Loader, Predictor


def listen(host: str, port: int) -> socket.socket:
    """Open the socket that the server answers on.

    Raises
    ------
    SettingsError
        If the address is not this machine's, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
    except OSError as error:
        raise SettingsError(
            f"--host {host} --port {port} cannot be listened on ({error.strerror}): name another"
            " port, or 0 for any that is free."
        ) from None
    return opened


def address(settings: Settings, port: int) -> str:
    """What to type into a browser on this machine, or on another where others are let in."""
    host = settings.host
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}{settings.root_path}/"


def serve(settings: Settings, predict: Predictor, load: Loader | None = None) -> None:
    """Serve the page until Ctrl-C or a signal.

    Parameters
    ----------
    settings : Settings
    predict : callable
        What makes a video's files; is called in a process of its own.
    load : callable, optional
        What that process calls before there is a video.

    Raises
    ------
    SettingsError
        If the folder or the address cannot be used.
    """
    import uvicorn

    from stages.inference.web.app import create_app
    from stages.inference.web.jobs import Jobs

    with listen(settings.host, settings.port) as opened:
        jobs = Jobs(Path(settings.folder).resolve(), settings.limits, predict, load)
        say(f"Open {address(settings, opened.getsockname()[1])} in a browser; Ctrl-C stops.")
        say(f"Videos and results are kept in {jobs.folder}")
        if not is_loopback(settings.host):
            say("The token and the videos travel unencrypted: use a network that you trust.")
        config = uvicorn.Config(
            create_app(settings, jobs),
            log_level="warning",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        try:
            uvicorn.Server(config).run(sockets=[opened])
        finally:
            jobs.close()  # where the server did not get so far
