"""What a folder of pieces is known to hold: beside them, the workers' word for each."""

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from stages.core.attempt import Acknowledgement
from stages.core.files import write_text
from stages.core.hashing import file_hash

ACKNOWLEDGED: Final = ".acknowledged.jsonl"  # beside the pieces
KEPT: Final = ("sha256", "bytes", "identity")  # of a line; the rest is for the reader


class Record:
    """The acknowledgements of a folder of pieces.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / ACKNOWLEDGED
        self._known: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in self._path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):  # half a line, of a kill
                    row = json.loads(line)
                    self._known[row["piece"]] = {key: row[key] for key in KEPT}
        self._write()

    def _write(self) -> None:
        rows = [{"piece": piece, **row} for piece, row in sorted(self._known.items())]
        write_text(self._path, "".join(json.dumps(row) + "\n" for row in rows))

    def knows(self, path: Path, identity: str = "") -> bool:
        """Whether a piece of that identity has the bytes that were acknowledged."""
        row = self._known.get(path.name)
        if row is None or row["identity"] != identity:
            return False
        try:
            whole = path.stat().st_size == row["bytes"]
            return bool(whole and file_hash(path) == row["sha256"])
        except FileNotFoundError:
            return False

    def hash_of(self, path: Path) -> str:
        """SHA-256 of a piece that was acknowledged."""
        return str(self._known[path.name]["sha256"])

    def add(self, path: Path, acknowledgement: Acknowledgement, identity: str = "") -> None:
        """Keep the acknowledgement of a piece."""
        row = {"piece": path.name, **asdict(acknowledgement), "identity": identity}
        self._known[path.name] = {key: row[key] for key in KEPT}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def keep_only(self, names: set[str]) -> None:
        """Remove the pieces of all other file names."""
        others = self._known.keys() - names
        for name in others:
            (self._path.parent / name).unlink(missing_ok=True)
            del self._known[name]
        if others:
            self._write()
