"""Work in a process of its own: answers, failures, stopping, and no process that is left over."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stages.core.errors import DataError
from stages.core.hashing import ROOT
from stages.inference.web.apart import Stopped, Tell, Worker
from tests.inference.web.talk import lives
from tests.waiting import wait_for

if TYPE_CHECKING:  # every worker imports this file: it is to be there at once
    from tests.inference.web.conftest import Clock


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


def divide(tell: Tell) -> float:
    return 1 / 0


def leave(tell: Tell) -> None:
    os._exit(3)


def sleep_with_a_child(tell: Tell, pids: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pids.write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)


def whoami(tell: Tell) -> int:
    print(f"I am {os.getpid()}")
    return os.getpid()


def note_pid(tell: Tell, file: Path) -> None:
    tell("nobody hears this")
    file.write_text(str(os.getpid()))


def call(function: object, log: Path, *arguments: object, **changes: object) -> object:
    given = {"log": log, "seconds": 60.0, "stop": threading.Event(), **changes}
    with Worker() as worker:
        return worker.run(function, arguments, **given)  # type: ignore[arg-type]


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


def test_it_may_take_so_long_and_no_longer(tmp_path: Path, clock: "Clock") -> None:
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


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker() as made:
        yield made


def ask(worker: Worker, function: Any, log: Path, *arguments: object) -> Any:
    return worker.run(function, arguments, log=log, seconds=60.0, stop=threading.Event())


def test_a_worker_does_one_thing_after_another(worker: Worker, tmp_path: Path) -> None:
    assert not worker.lives
    first = ask(worker, whoami, tmp_path / "first")
    with pytest.raises(DataError, match=r"^It is no video\.$"):
        ask(worker, refuse, tmp_path / "log")
    assert ask(worker, whoami, tmp_path / "second") == first
    for name in ("first", "second"):
        assert (tmp_path / name).read_text() == f"I am {first}\n"
    worker.close()
    assert not worker.lives
    assert not lives(first)
    assert ask(worker, whoami, tmp_path / "log") != first


def test_what_was_begun_is_done_first_and_in_the_same_process(
    worker: Worker, tmp_path: Path
) -> None:
    worker.begin(note_pid, (tmp_path / "pid",), log=tmp_path / "log")
    pid = ask(worker, whoami, tmp_path / "log")
    assert (tmp_path / "pid").read_text() == str(pid)
    worker.begin(starve, (), log=tmp_path / "log")  # nobody waits for what comes of it
    assert ask(worker, whoami, tmp_path / "log") == pid


@pytest.mark.parametrize(
    "function",
    [
        leave,
        *(pytest.param(one, marks=pytest.mark.slow) for one in (write_nowhere, starve, divide)),
    ],
)
def test_a_worker_that_went_wrong_is_replaced(
    worker: Worker, tmp_path: Path, function: Any
) -> None:
    first = ask(worker, whoami, tmp_path / "log")
    with pytest.raises(DataError):
        ask(worker, function, tmp_path / "log")
    assert not lives(first)
    assert ask(worker, whoami, tmp_path / "log") != first


def test_a_worker_that_was_killed_while_idle_is_replaced(worker: Worker, tmp_path: Path) -> None:
    first = ask(worker, whoami, tmp_path / "log")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not worker.lives)
    assert ask(worker, whoami, tmp_path / "log") != first


def test_a_log_that_cannot_be_written_is_said(worker: Worker, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not read or write a file"):
        ask(worker, whoami, tmp_path / "nowhere" / "log")
    assert ask(worker, whoami, tmp_path / "log")
