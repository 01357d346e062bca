"""Which videos there are to predict, what their files are called, and which are done already."""

import codecs
import hashlib
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.errors import DataError, SettingsError
from stages.core.hashing import file_hash
from stages.inference.known_hashes import known_hashes
from stages.inference.outputs import Outputs
from stages.inference.results import read_about
from stages.inference.writing import ENDINGS
from stages.videos.manifest import MAX_NAME_LENGTH, check_name
from stages.videos.photo import SUFFIXES as PHOTO_SUFFIXES
from stages.videos.video import EXTENSIONS

# of a folder these are taken; a file that is named is tried whatever it is called
TAKEN = frozenset(
    (
        *EXTENSIONS,
        ".3gp",
        ".asf",
        ".divx",
        ".dv",
        ".f4v",
        ".flv",
        ".gif",
        ".h264",
        ".hevc",
        ".ivf",
        ".m2ts",
        ".m2v",
        ".mjpeg",
        ".mjpg",
        ".mod",
        ".mts",
        ".mxf",
        ".nut",
        ".ogv",
        ".qt",
        ".rm",
        ".tod",
        ".ts",
        ".vob",
        ".wtv",
        ".xvid",
        ".y4m",
        *PHOTO_SUFFIXES,
    )
)

_REFUSED = re.compile(r'[/\\\x00-\x1f\x7f<>:"|?*\ufffd]')  # in names, by some file system


@dataclass(frozen=True)
class Input:
    """A video to predict.

    Attributes
    ----------
    path : Path
    below : Path
        Folder of its files, relative to the folder of all results.
    name : str
        What its files are called, without their endings.
    """

    path: Path
    below: Path
    name: str


def printable(path: Path) -> str:
    """Name of a file as text that any file can hold: names of Linux are bytes of any kind."""
    return os.fsencode(path.name).decode("utf-8", "replace")


def output_name(stem: str) -> str:
    """Name of a video's files: its stem, without what other systems refuse in names.

    Colons and the like become ``_``; a name that is too long is cut and bears a number that is
    drawn from the whole.
    """
    text = _REFUSED.sub("_", os.fsencode(stem).decode("utf-8", "replace")).strip()
    text = f"_{text.lstrip('.')}" if not text or text.startswith(".") else text
    if len(text.encode()) > MAX_NAME_LENGTH:
        number = hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]
        text = f"{text.encode()[: MAX_NAME_LENGTH - 9].decode('utf-8', 'ignore')}-{number}"
    return check_name(text)


def check_output_name(name: str) -> str:
    """Return a name that can become a file's; DataError says why another cannot."""
    return check_name(name)


def find_videos(given: Sequence[Path], recursive: bool) -> tuple[list[Input], dict[str, str]]:
    """List the videos among files and folders.

    The files of a video are called after its stem; where another video of the same folder has
    the same stem, after its whole name. Those of two folders with the same names are kept apart
    by a number that is drawn from the path. So what a video's files are called depends on what
    lies beside it and on the command, not on the order of the work.

    Parameters
    ----------
    given : sequence of Path
        Files and folders.
    recursive : bool
        Look into the folders' folders, whose names the results keep.

    Returns
    -------
    list of Input
        Each video once.
    dict of str to str
        Why a path gave nothing, a sentence each.
    """
    found: dict[Path, Path] = {}
    failed: dict[str, str] = {}
    for path in given:
        try:
            if path.is_dir():
                videos = sorted(_inside(path, recursive))
                if not videos:
                    more = "" if recursive else "; with --recursive its folders are searched, too"
                    failed[str(path)] = f"{path} holds no video and no photo{more}."
                for video in videos:
                    found.setdefault(video, video.parent.relative_to(path))
            elif path.exists():
                found.setdefault(path, Path())
            else:
                failed[str(path)] = f"{path} is not there."
        except OSError as error:
            failed[str(path)] = f"{path} cannot be read: {error.strerror}."
    once = {os.path.realpath(path): path for path in reversed(found)}
    kept = [path for path in found if once[os.path.realpath(path)] == path]
    short = {path: output_name(path.stem) for path in kept}
    stems = Counter(_place(found[path], short[path]) for path in kept)
    names = {
        path: short[path]
        if stems[_place(found[path], short[path])] == 1
        else output_name(path.name)
        for path in kept
    }
    places = Counter(_place(found[path], names[path]) for path in kept)
    inputs = []
    for path in kept:
        name = names[path]
        if places[_place(found[path], name)] > 1:
            name = f"{name}-{_mark(path)}"
        inputs.append(Input(path, found[path], name))
    return inputs, failed


def read_list(path: Path) -> list[Path]:
    """Read a list of files and folders, one a line; ``-`` is the standard input.

    Empty lines and those that begin with ``#`` are passed over. Paths are relative to the folder
    of the list, those of the standard input to the working folder.

    Raises
    ------
    SettingsError
        When the list cannot be read, or names nothing.
    """
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise SettingsError(f"The list {path} cannot be read: {error.strerror}.") from None
    if b"\0" in content:
        raise SettingsError(f"The list {path} is no text: write one path a line, in UTF-8.")
    folder = Path() if str(path) == "-" else path.parent
    lines = os.fsdecode(content.removeprefix(codecs.BOM_UTF8)).splitlines()
    named = [line.strip() for line in lines]
    found = [folder / line for line in named if line and not line.startswith("#")]
    if not found:
        raise SettingsError(f"The list {path} names no file: write one path a line.")
    return found


def expand(given: Sequence[Path], lists: Sequence[Path] = ()) -> list[Path]:
    """Put the lines of lists, and of ``@FILE`` among the paths, in the place of these.

    Raises
    ------
    SettingsError
        When a list cannot be read, or there is nothing at all.
    """
    found: list[Path] = []
    for path in given:
        is_list = str(path).startswith("@") and not path.exists()
        found += read_list(Path(str(path)[1:])) if is_list else [path]
    for path in lists:
        found += read_list(path)
    if not found:
        raise SettingsError("There is nothing to do: name videos, photos, folders or --list FILE.")
    return found


def _place(below: Path, name: str) -> tuple[str, str]:
    """What two videos must not share; some file systems do not tell upper from lower case."""
    return below.as_posix().lower(), name.lower()


def _mark(path: Path) -> str:
    return hashlib.sha256(os.path.realpath(path).encode()).hexdigest()[:8]


def _inside(folder: Path, recursive: bool) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    for here, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        for name in files:
            if Path(name).suffix.lower() in TAKEN and not name.startswith("."):
                yield Path(here) / name


def source_of(path: Path, folder: Path | None = None) -> dict[str, Any]:
    """Say which file a prediction is of: its name, size and SHA-256; neither folder nor time.

    Parameters
    ----------
    path : Path
    folder : Path, optional
        Of the results, with notes on large files: see :mod:`stages.inference.known_hashes`.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    try:
        state = path.stat()
        sha256 = file_hash(path) if folder is None else known_hashes(folder).sha256(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    return {
        "name": printable(path),
        "bytes": state.st_size,
        "sha256": sha256,
    }


def is_done(video: Path, outputs: Outputs, ensemble: str, settings: dict[str, Any]) -> bool:
    """Whether a video's files are there, whole, and are what would be written.

    Parameters
    ----------
    video : Path
    outputs : Outputs
        The claim on the files.
    ensemble : str
        The ensemble's hash.
    settings : dict
        See :meth:`stages.inference.predictor.Predictor.settings`.

    Raises
    ------
    DataError
        When the files are of another video.
    """
    about = read_about(outputs.path(".json"))
    if about is None:
        return False
    if about["source"].get("sha256") != source_of(video, outputs.folder)["sha256"]:
        raise DataError(
            f"{outputs.path('.json')} is of another video, or {video} has changed: name another "
            "folder with --out or another name with --name, or replace it with --overwrite."
        )
    same = about["ensemble"]["hash"] == ensemble and about["options"] == settings
    return same and outputs.seems_whole(*ENDINGS)
