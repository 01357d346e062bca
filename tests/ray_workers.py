"""Worker processes of a Ray."""

from pathlib import Path


def at_work(parent: int) -> list[int]:
    """Workers of a Ray that a process has started which are at an item."""
    found, waiting = [], [parent]
    while waiting:
        pid = waiting.pop()
        try:
            threads = list(Path(f"/proc/{pid}/task").iterdir())
            below = [int(one) for thread in threads
                     for one in (thread / "children").read_text().split()]  # fmt: skip
            if b"RemoteWorker.make" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        waiting += below
    return sorted(found)
