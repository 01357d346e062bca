"""What `aufusion serve` is told: address, folder, limits; checked before anything is opened."""

import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stages.core.errors import SettingsError

SHORTEST_TOKEN: Final = 16  # characters
ROOT_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*")
HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Limits:
    """What one upload, and all together, may take.

    Attributes
    ----------
    megabytes : float
        Most of one video, in units of 1,000,000 bytes.
    minutes : float
        Longest video.
    jobs : int
        Most videos that wait, are worked on or are being uploaded at one time.
    working_minutes : float
        Longest work on one video.
    """

    megabytes: float = 500.0
    minutes: float = 15.0
    jobs: int = 8
    working_minutes: float = 120.0

    def __post_init__(self) -> None:
        for name in ("megabytes", "minutes", "jobs", "working_minutes"):
            if not getattr(self, name) > 0:
                option = f"--max-{name.replace('_', '-')}"
                raise SettingsError(f"{option} must be above 0, not {getattr(self, name)}.")

    @property
    def bytes(self) -> int:
        """Most bytes of one video."""
        return int(self.megabytes * 1_000_000)


@dataclass(frozen=True)
class Settings:
    """Where the server listens and who may use it.

    Attributes
    ----------
    folder : Path
        Where videos and results are kept.
    host : str
        Address or name to listen on.
    port : int
        0 for any that is free.
    token : str, optional
        What a client must know; None where only this machine is served.
    root_path : str
        Path below which a proxy shows the page, ``/aus``; requests may come with it or without.
    public_hosts : tuple of str
        Names under which a proxy is known: requests may name them.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)
    root_path: str = ""
    public_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not ROOT_PATH.fullmatch(self.root_path) or {".", ".."} & {*self.root_path.split("/")}:
            raise SettingsError(
                f"--root-path {self.root_path!r} is no path of a page: use letters, digits, - . _ ~"
                " between slashes, as /aus or /tools/aus."
            )
        for name in self.public_hosts:
            if not HOST.fullmatch(name):
                raise SettingsError(
                    f"--public-host {name!r} is no name of a host: give it without scheme, port and"
                    " path, as videos.example.org."
                )
        if not 0 <= self.port <= 65_535:
            raise SettingsError(f"--port must be from 0 to 65535, not {self.port}.")
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise SettingsError(
                f"The token is too short to be a secret: use {SHORTEST_TOKEN} characters or more,"
                f" for example {secrets.token_urlsafe(18)}"
            )
        if self.token is None and (self.public_hosts or not is_loopback(self.host)):
            option = "--public-host" if self.public_hosts else f"--host {self.host}"
            raise SettingsError(
                f"{option} would let other machines in: give --token, too, for example"
                f" --token {secrets.token_urlsafe(18)}, or leave it out."
            )

    def serves(self, host: str) -> bool:
        """Tell whether a request may name this host.

        A page of another site can have its own name point at this machine (DNS rebinding), but it
        cannot make the browser name an address, or a name that is not its own.

        Parameters
        ----------
        host : str
            Of the header Host, without the port, in lower case.
        """
        if host in {name.lower() for name in self.public_hosts}:
            return True
        if is_loopback(self.host):
            return is_loopback(host)
        own = {
            "localhost",
            self.host.lower(),
            socket.gethostname().lower(),
            socket.getfqdn().lower(),
        }
        return host in own or _address(host) is not None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine and reachable from it alone."""
    address = _address(host)
    return host.lower() in LOOPBACK_NAMES or (address is not None and address.is_loopback)
