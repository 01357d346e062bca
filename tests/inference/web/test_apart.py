"""Work in a process of its own: answers, failures, stopping, and no process that is left over."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stages.core.errors import DataError
from stages.inference.web.apart import Stopped, Tell, run_apart
from tests.inference.web.conftest import Clock
from tests.inference.web.talk import lives
from tests.stand_ins import ROOT
from tests.waiting import wait_for


def double(tell: Tell, number: int) -> int:
    print("printed")
    tell(os.getpid())
    return 2 * number


def refuse(tell: Tell) -> None:
    raise DataError("It is no video.")


def write_nowhere(tell: Tell) -> None:
    Path("/nowhere/at/all").write_text("")


def starve(tell: Tell) -> None:
    raise MemoryError


def leave(tell: Tell) -> None:
    os._exit(3)


def sleep_with_a_child(tell: Tell, pids: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pids.write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)


def call(function: object, log: Path, *arguments: object, **changes: object) -> object:
    given = {"log": log, "seconds": 60.0, "stop": threading.Event(), **changes}
    return run_apart(function, arguments, **given)  # type: ignore[arg-type]


def both(pids: Path) -> list[int]:
    return [int(pid) for pid in wait_for(lambda: pids.exists() and pids.read_text().split())]


def gone(pids: list[int]) -> bool:
    # an orphan that was killed stays a zombie where nobody buries it
    return not any(lives(pid) and not _zombie(pid) for pid in pids)


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_it_answers_from_another_process(tmp_path: Path) -> None:
    heard: list[int] = []
    assert call(double, tmp_path / "log", 21, hear=heard.append) == 42
    assert heard != [os.getpid()]
    assert not lives(heard[0])
    assert (tmp_path / "log").read_text() == "printed\n"


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (refuse, "^It is no video.$"),
        (write_nowhere, "could not read or write a file"),
        (starve, "too little memory"),
        (leave, "broke off .exit code 3."),
    ],
)
def test_a_failure_is_a_sentence(tmp_path: Path, function: object, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        call(function, tmp_path / "log")


def test_it_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    stop, pids = threading.Event(), tmp_path / "pids"

    def stop_it() -> None:
        both(pids)
        stop.set()

    helper = threading.Thread(target=stop_it)
    helper.start()
    with pytest.raises(Stopped):
        call(sleep_with_a_child, tmp_path / "log", pids, stop=stop)
    helper.join()
    wait_for(lambda: gone(both(pids)))


def test_it_may_take_so_long_and_no_longer(tmp_path: Path, clock: Clock) -> None:
    pids = tmp_path / "pids"

    def wait_long() -> None:
        both(pids)
        clock.ahead = 601.0

    helper = threading.Thread(target=wait_long)
    helper.start()
    with pytest.raises(DataError, match="longer than the server allows"):
        call(sleep_with_a_child, tmp_path / "log", pids, seconds=600.0)
    helper.join()
    wait_for(lambda: gone(both(pids)))


def test_it_dies_with_a_server_that_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = tmp_path / "server.py"
    script.write_text(
        "import pathlib, sys\n"
        "if __name__ == '__main__':\n"
        f"    import {__name__} as here\n"
        "    folder = pathlib.Path(sys.argv[1])\n"
        "    here.call(here.sleep_with_a_child, folder / 'log', folder / 'pids')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment)
    started = both(pids)
    server.send_signal(signal.SIGKILL)
    server.wait()
    wait_for(lambda: gone(started))
