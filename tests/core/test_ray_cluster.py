"""Machines that join and die, a driver that is killed, and the commands of docs/cluster.md.

Two raylets on this machine stand for two machines.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stages.core.hashing import ROOT
from stages.core.parallel import map_videos
from stages.core.ray_cluster import import_ray
from stages.core.records import ACKNOWLEDGED
from stages.core.settings import Compute

pytestmark = pytest.mark.slow
ITEMS = 12
PATIENCE = 60.0  # seconds that something may take that ought to come


@dataclass(frozen=True)
class Job:
    """An item that notes on which node it ran."""

    home: Path
    head: str  # the node that was there first
    killer: bool  # the first on another node kills its raylet


def until(path: Path) -> None:
    begun = time.monotonic()
    while not path.exists():
        assert time.monotonic() - begun < PATIENCE, f"{path} does not come"
        time.sleep(0.05)


def on_two_nodes(item: Job, path: Path) -> None:
    """Write the piece; on the head not before another node has begun one."""
    import ray

    if ray.get_runtime_context().get_node_id() == item.head:
        until(item.home / "elsewhere")
        (item.home / f"head-{path.name[-8:]}").touch()
    elif not (item.home / "elsewhere").exists():
        path.write_text("half of it")
        (item.home / "elsewhere").touch()
        if item.killer:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(PATIENCE)  # it dies with its raylet
    path.write_text("whole")


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    ray = import_ray(None)  # with a token
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    yield made
    ray.shutdown()
    made.shutdown()


def work(nodes: Any, home: Path, killer: bool) -> None:
    compute = Compute(engine="ray", address=nodes.address)
    job = Job(home, nodes.head_node.node_id, killer)
    items = {f"n{number:02d}": job for number in range(ITEMS)}
    outcome = map_videos(
        on_two_nodes, items, home / "out", suffix=".txt", workers=None, description="test",
        compute=compute,
    )  # fmt: skip
    assert list(outcome.done) == list(items)
    assert {path.read_text() for path in outcome.done.values()} == {"whole"}
    assert (home / "elsewhere").exists(), "the other node was given work"
    left = {path.name for path in (home / "out").iterdir()} - {f"{name}.txt" for name in items}
    assert left == {ACKNOWLEDGED}


def test_a_raylet_is_killed(nodes: Any, tmp_path: Path) -> None:
    nodes.add_node(num_cpus=2)
    nodes.wait_for_nodes()
    work(nodes, tmp_path, killer=True)


def test_a_node_joins_while_the_work_is_going_on(nodes: Any, tmp_path: Path) -> None:
    words = ["start", f"--address={nodes.address}", "--num-cpus=2", "--block"]
    joining = subprocess.Popen([sys.executable, "-m", "ray.scripts.scripts", *words])
    try:
        work(nodes, tmp_path, killer=False)
    finally:
        joining.terminate()
        joining.wait()


DRIVER = """
import sys
from pathlib import Path
from stages.core.parallel import map_videos
from stages.core.settings import Compute
from tests.core.test_ray_cluster import kill_driver
home = Path(sys.argv[1])
compute = Compute(engine="ray", address=sys.argv[2] if sys.argv[2:] else None)
names = [f"n{number:02d}" for number in range(8)]
items = {name: (home, name) for name in names}
outcome = map_videos(
    kill_driver, items, home / "out", suffix=".txt", workers=2, description="test", compute=compute
)
print("finished", len(outcome.done))
"""


def kill_driver(item: tuple[Path, str], path: Path) -> None:
    """Write the piece; the sixth attempt of all kills the driver."""
    home, name = item
    with (home / "attempts").open("a") as file:
        file.write(f"{name}.txt\n")
    (home / f"pid-{os.getpid()}").touch()
    attempts = len((home / "attempts").read_text().splitlines())
    driver = home / "driver"
    if attempts == 6 and driver.exists():
        os.kill(int(driver.read_text()), signal.SIGKILL)
        driver.unlink()
        time.sleep(PATIENCE)  # it dies as its driver has
    path.write_text("whole")


def drive(home: Path, *address: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if not address:
        environment = {k: v for k, v in environment.items() if not k.startswith("RAY_")}
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(home), *address], cwd=home, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def is_alive(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def killed_and_continued(home: Path, *address: str) -> None:
    process = drive(home, *address)
    (home / "driver").write_text(str(process.pid))
    said = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == -signal.SIGKILL, said[-2000:]
    begun = time.monotonic()
    while any(is_alive(int(path.name[4:])) for path in home.glob("pid-*")):
        assert time.monotonic() - begun < PATIENCE, "workers outlive their driver"
        time.sleep(0.1)
    record = (home / "out" / ACKNOWLEDGED).read_text()
    known = {name for name in (f"n{k:02d}.txt" for k in range(8)) if name in record}
    assert 3 <= len(known) <= 5
    process = drive(home, *address)
    said = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, said[-2000:]
    assert "finished 8" in said
    attempts = (home / "attempts").read_text().splitlines()
    assert all(attempts.count(name) == 1 for name in known), "what was done is not done again"
    assert {path.name for path in (home / "out").iterdir()} == {
        ACKNOWLEDGED, *(f"n{number:02d}.txt" for number in range(8))
    }  # fmt: skip


def test_a_driver_is_killed_and_its_own_ray_with_it(tmp_path: Path) -> None:
    killed_and_continued(tmp_path)


def test_a_driver_is_killed_and_the_cluster_stays(nodes: Any, tmp_path: Path) -> None:
    killed_and_continued(tmp_path, nodes.address)


def apart(script: str, home: Path) -> "subprocess.CompletedProcess[str]":
    """Run a script among processes of its own: `ray stop` ends all that it sees."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and `unshare`, for process numbers of its own")
    commands = Path(sys.executable).parent
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {
        "PYTHONPATH": str(ROOT), "HOME": str(home), "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0", "PATH": f"{commands}:{os.environ['PATH']}",
        "DRIVER": DRIVER, "WORK": str(home / "work"),
    }  # fmt: skip
    (home / "work").mkdir()
    return subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", "bash", "-euc", script], cwd=home / "work",
        env=environment, capture_output=True, text=True, check=False, timeout=5 * PATIENCE,
    )  # fmt: skip


HOST = 'host=$(python -c "import ray; print(ray.util.get_node_ip_address())")\n'


def test_two_raylets_by_the_commands_of_the_page(tmp_path: Path) -> None:
    ended = apart(
        HOST + "ray get-auth-token --generate > token\n"
        "ray start --head --port=6399 --num-cpus=1 --include-dashboard=false\n"
        "ray start --address=$host:6399 --num-cpus=1\n"
        'python -c "$DRIVER" $WORK $host:6399\n'
        'mkdir second\nRAY_ADDRESS=$host:6399 python -c "$DRIVER" $WORK/second\n'
        "ray stop\n",
        tmp_path,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert ended.stdout.count("finished 8") == 2
    assert len((tmp_path / "work/token").read_text().strip()) >= 32


def test_symmetric_run(tmp_path: Path) -> None:
    ended = apart(
        HOST + "ray get-auth-token --generate > token\n"
        "ray symmetric-run --address $host:6398 --min-nodes 1 -- "
        'python -c "$DRIVER" $WORK $host:6398\n',
        tmp_path,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert "finished 8" in ended.stdout


def test_a_head_without_a_token_is_refused(tmp_path: Path) -> None:
    """Though we have one, and would get in with it."""
    ended = apart(
        HOST + "ray get-auth-token --generate > token\n"
        "export RAY_AUTH_MODE=disabled\n"
        "ray start --head --port=6397 --num-cpus=1 --include-dashboard=false\n"
        "for address in $host:6397 auto 127.0.0.1:6397\n"
        'do RAY_AUTH_MODE=token python -c "$DRIVER" $WORK $address || true\n'
        "done\nray stop\n",
        tmp_path,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said[-3000:]
    assert "finished" not in said
    assert said.count("SettingsError: compute.address") == 3, said[-3000:]
    assert said.count("asks for no token") >= 3
    assert not (tmp_path / "work/attempts").exists()
