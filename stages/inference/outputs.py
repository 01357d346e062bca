"""The files that are written for one video into a folder that is somebody else's.

**Whose is a file?** ``NAME.json`` names the SHA-256 of each table that was written with it, under
``files``, and its own, under ``seal``; an overlay and a page bear a seal
(:mod:`stages.inference.seals`). A file of which none of this is true is not ours: the user's own,
another program's, or one of ours that somebody has changed since. It is never written over and
never removed: the command refuses and says so.

**One writer.** Who writes holds a claim on NAME (:func:`stages.core.files.claim`); another process
is refused. All is written under temporary names and takes its place at the end.

**A kill.** Until ``NAME.json`` takes its place, last, its temporary file lies there and names the
hashes of what has taken its place before. The next run that holds the claim finds it, knows those
files for ours, and removes them with it. So what bears a name is complete, or another's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from stages.core.closing import Closing
from stages.core.errors import DataError
from stages.core.files import claim, sweep, sync, temporaries, temporary_path
from stages.core.hashing import file_hash
from stages.inference.known_hashes import known_hashes
from stages.inference.records import as_text, named_hashes, read_json, sealed, unsealed
from stages.inference.seals import seal, sealed_table

TABLES: Final = (".csv", ".parquet", ".png")  # that NAME.json names, where nothing else is said
OVERLAY: Final = ".overlay.mp4"
PHOTO_OVERLAY: Final = ".overlay.jpg"
REPORT: Final = ".html"
EXTRAS: Final = (OVERLAY, PHOTO_OVERLAY, REPORT)  # that are sealed


@contextlib.contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Turn what the system says against writing below a path into a sentence."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error) or type(error).__name__).strip().rstrip(".")
        raise DataError(f"{path} cannot be written: {reason}.") from None


def _has(path: Path, sha256: str | None) -> bool:
    try:
        return sha256 is not None and file_hash(path) == sha256
    except OSError:
        return False


class Outputs(Closing):
    """All files of one name in one folder, claimed from ``with`` on.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    name : str
        What the files are called, without their endings.
    kind : str
        What ``NAME.json`` says that it is.
    tables : sequence of str, optional
        Endings of the files that ``NAME.json`` names with their hashes.
    record : str
        What ``NAME.json`` is called instead, from its ending on.

    Raises
    ------
    DataError
        On entry, when another process writes these files, or the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        kind: str,
        tables: Sequence[str] = TABLES,
        *,
        record: str = ".json",
    ) -> None:
        self.folder, self.name, self._kind, self._tables = folder, name, kind, tables
        self._record = record
        self._claim = contextlib.ExitStack()
        self._known: tuple[str, dict[str, Any] | None] = ("", None)  # a text, and what it says

    def path(self, ending: str) -> Path:
        """One of the files."""
        return self.folder / f"{self.name}{ending}"

    def __enter__(self) -> Self:
        otherwise = (
            f"{self.path('')}.* is being written by another AUFusion: wait until that has ended, "
            "or name another folder with --out."
        )
        with sentences(self.path(self._record)):
            held = self._claim.enter_context(claim(self.path(self._record), otherwise))
            self._recover(held)
        return self

    def close(self) -> None:
        """Let go of the names."""
        self._claim.close()

    def _recover(self, held: bool) -> None:
        """Remove what a killed run has left."""
        if not held:  # on this file system nobody can tell who else writes
            return
        # overlays and pages belong to who holds NAME.json
        extras = EXTRAS if self._record == ".json" else ()
        names = [self.path(ending).name for ending in (self._record, *self._tables, *extras)]
        left = temporaries(self.folder, *names)
        if not left:
            return
        named = named_hashes(self.about)
        for unfinished in temporaries(self.folder, self.path(self._record).name):
            for name, sha256 in named_hashes(read_json(unfinished, self._kind)).items():
                path = self.folder / name
                mine = path in map(self.path, self._tables)
                if mine and named.get(name) != sha256 and _has(path, sha256):
                    path.unlink()
        for path in left:
            path.unlink(missing_ok=True)

    @property
    def about(self) -> dict[str, Any] | None:
        """Content of ``NAME.json``; None where there is none, or it is not as we wrote it."""
        try:
            text = self.path(self._record).read_text(encoding="utf-8")
            if text != self._known[0]:  # to check a seal takes longer than to read a text
                self._known = (text, unsealed(text, self._kind))
        except (OSError, ValueError):
            return None
        return self._known[1]

    def is_whole(self, *endings: str) -> bool:
        """Whether these tables are there as ``NAME.json`` was written with them."""
        named = named_hashes(self.about)
        paths = [self.path(ending) for ending in endings]
        return all(_has(path, named.get(path.name)) for path in paths)

    def seems_whole(self, *endings: str) -> bool:
        """Tell the same, and trust what was noted of large files that are as they were then.

        Enough for leaving them as they are; who removes or replaces one reads it.
        """
        named = named_hashes(self.about)
        known = known_hashes(self.folder)
        with contextlib.suppress(OSError):
            paths = [self.path(ending) for ending in endings]
            return all(known.sha256(path) == named.get(path.name) for path in paths)
        return False

    def refuse_others(self, *endings: str) -> None:
        """Say which of these files is there and not ours.

        Raises
        ------
        DataError
            When there is one.
        """
        named = named_hashes(self.about)
        for ending in endings:
            path = self.path(ending)
            if not os.path.lexists(path):
                continue
            if ending == self._record:
                ours = self.about is not None
            elif ending in EXTRAS and ending not in self._tables:
                ours = sealed_table(path) is not None
            else:
                ours = _has(path, named.get(path.name))
            if not ours:
                raise DataError(not_ours(path))

    def shows_these(self, ending: str) -> bool:
        """Whether an overlay or a page is there and shows the tables that are there."""
        table = named_hashes(self.about).get(self.path(".parquet").name)
        with contextlib.suppress(OSError):
            found = known_hashes(self.folder).recall("seal", self.path(ending), sealed_table)
            return table is not None and found == table
        return False

    def remove_ours(self, *endings: str) -> None:
        """Remove overlays and pages that show another prediction; others' files stay."""
        for ending in endings:
            path = self.path(ending)
            if sealed_table(path) is not None and not self.shows_these(ending):
                path.unlink(missing_ok=True)

    def put(
        self, about: Mapping[str, Any], written: Mapping[str, Path], *, keep: bool = False
    ) -> dict[str, Any]:
        """Give files their names; ``NAME.json`` comes last.

        Parameters
        ----------
        about : mapping
            What ``NAME.json`` is to say.
        written : mapping of str to Path
            The temporary file of each ending; gone afterwards, whatever happens.
        keep : bool
            Whether files that it named before stay named.

        Returns
        -------
        dict
            Content of ``NAME.json``: `about`, ``files`` and the seal.

        Raises
        ------
        DataError
            When a file of another bears the name by now, or the disk is full. Then an earlier
            prediction is as it was.
        """
        target = self.path(self._record)
        unfinished = temporary_path(target)
        try:
            with sentences(target):
                files = named_hashes(self.about) if keep else {}
                files |= {self.path(e).name: file_hash(path) for e, path in written.items()}
                complete = sealed({**about, "kind": self._kind, "files": files})
                unfinished.write_text(as_text(complete), encoding="utf-8")
                for path in (*written.values(), unfinished):
                    sync(path)  # a crash of the machine must not leave half of it
                self.refuse_others(self._record, *written)
                for ending, path in written.items():
                    path.replace(self.path(ending))
                unfinished.replace(target)
        finally:
            # where some have their names already, the next run needs to know them for ours
            begun = not all(path.exists() for path in written.values())
            discard([*written.values(), *([] if begun else [unfinished])])
        return complete


def not_ours(path: Path) -> str:
    """Say that a file is somebody else's."""
    return (
        f"{path} is there and not as AUFusion wrote it, so it stays as it is: name another folder "
        "with --out, or move the file away."
    )


def discard(paths: Sequence[Path]) -> None:
    """Remove temporary files, as far as they are there."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def sealing(path: Path) -> Iterator[Path]:
    """Write an overlay or a page that takes its place when it is whole, and bears a seal.

    Yields
    ------
    Path
        Where to write a file with a :func:`stages.inference.seals.remark` in it.

    Raises
    ------
    DataError
        When a file that is not ours bears the name, or it cannot be written.
    """
    temporary = temporary_path(path)
    try:
        with sentences(path):
            _refuse_unsealed(path)
            sweep(path.parent, path.name)
            yield temporary
            seal(temporary)
            sync(temporary)
            _refuse_unsealed(path)
            temporary.replace(path)
    finally:
        discard([temporary])


def _refuse_unsealed(path: Path) -> None:
    if os.path.lexists(path) and sealed_table(path) is None:
        raise DataError(not_ours(path))
