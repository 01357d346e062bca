"""A Ray to work on: one of this machine alone, or a running one; see ``docs/cluster.md``.

Whoever reaches a Ray's ports has it run code as its user. So a Ray that is started here gets a
token of its own, which nobody else knows, and one that is reached beyond this machine must ask for
a token.
"""

import itertools
import os
import secrets
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stages.core.console import say
from stages.core.errors import SettingsError
from stages.core.workers import worker_count

LOCAL: Final = "local"  # as Ray calls one that is to be started
AUTO: Final = "auto"  # the address of the Ray that runs on this machine
OBJECTS: Final = 100 << 20  # bytes of shared memory: what is sent about are names and settings
LOOPBACK: Final = ("127.", "localhost:", "[::1]:")
STARTS: Final = 3  # attempts at starting one, which Ray gives 30 seconds each
_LATE: Final = "timed out during startup"
_ASK_WITHOUT_TOKEN: Final = """
import sys
from ray._raylet import GcsClient
GcsClient(address=sys.argv[1]).get_all_node_info(timeout=10)
"""
_NEW_TOKEN: Final = (
    "Ray runs code for whoever reaches its ports: have it ask for a token, by RAY_AUTH_MODE=token "
    "in the environment of `ray start` on every machine and of this one, see docs/cluster.md."
)


@dataclass
class _Session:
    """The connections that this process has had: how many, where the last one leads, its CPUs."""

    number: int = 0
    where: str = ""
    cpus: int = 0  # of a Ray that was started here


_LAST: Final = _Session()


def session() -> int:
    """Which of this process's connections the last one is, from 1; 0 before."""
    return _LAST.number


def import_ray(address: str | None) -> Any:
    """Import Ray, without its usage reports, and with a token where one will be started here.

    Parameters
    ----------
    address : str or None
        See :func:`connect`.

    Raises
    ------
    SettingsError
        When it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of it
    if find_address(address) is None and os.environ.get("RAY_AUTH_MODE") != "token":
        # Ray reads both when it is imported
        os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex(32)
    try:
        import ray
    except ImportError:
        raise SettingsError(
            "compute.engine = 'ray', but Ray is not installed here: pip install 'aufusion[ray]', "
            "or set it to local."
        ) from None
    return ray


def find_address(address: str | None) -> str | None:
    """Return the settings' address, or that of RAY_ADDRESS; None where one is to be started."""
    found = address or os.environ.get("RAY_ADDRESS") or LOCAL
    return None if found == LOCAL else found


def connect(address: str | None, workers: int | None, **options: Any) -> Callable[[], None]:
    """Connect this process to a Ray, unless it is connected to that one.

    The connection ends with the process, if not before.

    Parameters
    ----------
    address : str or None
        ``HOST:PORT`` of its head; ``auto``: the one that was started on this machine; None: that
        of RAY_ADDRESS, else one is started here, and ends with the connection.
    workers : int or None
        Processes that the one started here may have; None for one per core.
    **options
        Of ``ray.init``.

    Returns
    -------
    callable
        Ends the connection.

    Raises
    ------
    SettingsError
        When Ray is not installed, none answers, or it can be reached from other machines and asks
        for no token.
    """
    ray, where = import_ray(address), find_address(address) or LOCAL
    if ray.is_initialized():
        if where == _LAST.where and (where != LOCAL or (workers or 0) <= _LAST.cpus):
            return lambda: None
        ray.shutdown()
    if where == LOCAL:
        options = {"num_cpus": worker_count(workers), "object_store_memory": OBJECTS, **options}
    elif where != AUTO and not where.startswith(LOOPBACK):
        _refuse_open(where)
    for trial in itertools.count(1):
        try:
            _init(ray, where, options)
            break
        except Exception as error:
            late = where == LOCAL and _LATE in str(error)
            if not late or trial == STARTS:
                raise SettingsError(_no_answer(where, error)) from None
            ray.shutdown()
            say("Ray has not started within half a minute, the machine is busy: once more")
    if where == AUTO or where.startswith(LOOPBACK):
        hosts = [f"{node['NodeManagerAddress']}:" for node in ray.nodes()]
        if not all(host.startswith(LOOPBACK) for host in hosts):
            try:
                _refuse_open(where if where != AUTO else ray.get_runtime_context().gcs_address)
            except SettingsError:
                ray.shutdown()
                raise
    _LAST.number, _LAST.where, _LAST.cpus = _LAST.number + 1, where, options.get("num_cpus", 0)
    return ray.shutdown  # type: ignore[no-any-return]


def _init(ray: Any, where: str, options: Mapping[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(
            address=where, log_to_driver=False, configure_logging=False,
            include_dashboard=False if where == LOCAL else None,
            **options,
        )  # fmt: skip


def _no_answer(where: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    if where == LOCAL:
        return f"compute.engine = 'ray': Ray could not be started here: {reason}."
    return (
        f"compute.address = {where!r}: no Ray of ours answers there: {reason}. Start one by `ray "
        "start --head`, with the same Python, Ray and token, or leave the address out."
    )


def _refuse_open(address: str) -> None:
    """Refuse a Ray that other machines reach, if it answers somebody who has no token."""
    if os.environ.get("RAY_AUTH_MODE") != "token":
        raise SettingsError(f"compute.address = {address!r} without a token. {_NEW_TOKEN}")
    nobody = {key: value for key, value in os.environ.items() if not key.startswith("RAY_AUTH")}
    asked = subprocess.run(
        [sys.executable, "-c", _ASK_WITHOUT_TOKEN, address],
        env={**nobody, "RAY_AUTH_MODE": "disabled"}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if asked.returncode == 0:
        raise SettingsError(f"compute.address = {address!r} asks for no token. {_NEW_TOKEN}")
