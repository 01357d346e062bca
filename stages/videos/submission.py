"""The file that the ABAW challenge wants for its test videos: written, and checked line by line.

Its first line is ``image_location,AU1,...,AU26``; then comes one row for every frame of every test
video, ``NAME/00001.jpg,0,1,...``, whether or not a face was found in the frame.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.facs import ANNOTATION_HEADER, N_AUS
from stages.core.files import replacing
from stages.videos.manifest import Manifest

HEADER: Final = f"image_location,{ANNOTATION_HEADER}"
MOST = 20  # problems that are named; the rest is counted
_LOCATION = re.compile(r"(?P<name>.+)/(?P<frame>[0-9]{5,})\.jpg")
_SHOWN = 60  # characters of a wrong text that a message quotes


def frames_of_test(manifest: Manifest) -> dict[str, int]:
    """Names of the test videos' annotated faces, with their numbers of frames."""
    return {entry.name: entry.frames for entry in manifest.entries if entry.split == "test"}


def write_submission(
    path: Path, decisions: Mapping[str, NDArray[np.bool_]], frames: Mapping[str, int]
) -> list[str]:
    """Write the file.

    Parameters
    ----------
    path : Path
        Written under a temporary name and renamed.
    decisions : mapping of str to (frames, 12) np.ndarray
        bool, whether each AU is active, by name.
    frames : mapping of str to int
        What must be in the file: see :func:`frames_of_test`.

    Returns
    -------
    list of str
        Names without decisions: all of their frames are written as 0.

    Raises
    ------
    DataError
        When there is no test video, or decisions are not of as many frames as their video.
    """
    if not frames:
        raise DataError("The data root has no test videos: there is nothing to submit.")
    without = []
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(f"{HEADER}\n")
        for name, count in sorted(frames.items()):
            rows = decisions.get(name)
            if rows is None:
                without.append(name)
                rows = np.zeros((count, N_AUS), np.bool_)
            if rows.shape != (count, N_AUS):
                raise DataError(
                    f"{name} has {count} frames, but {len(rows)} predictions: "
                    "run `dvc repro` again."
                )
            for number, row in enumerate(rows.astype(np.uint8).tolist(), start=1):
                file.write(f"{name}/{number:05d}.jpg,{','.join(map(str, row))}\n")
    return without


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                yield number, line.rstrip("\r\n")
    except FileNotFoundError:
        raise DataError(f"{path} is not there: name the file of a submission.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not plain text: a submission is UTF-8.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from None


def _problem(
    line: str, frames: Mapping[str, int], seen: Mapping[str, NDArray[np.int64]], number: int
) -> str | None:
    """What is wrong with a row; where nothing is, note the line that its frame is on."""
    location, *values = line.split(",")
    found = _LOCATION.fullmatch(location)
    if found is None:
        return f"begins with {location[:_SHOWN]!r}, not with NAME/00001.jpg"
    name, frame = found["name"], int(found["frame"])
    if name not in frames:
        return f"{name[:_SHOWN]!r} is no test video"
    if not 1 <= frame <= frames[name] or found["frame"] != f"{frame:05d}":
        last = f"{frames[name]:05d}"
        return f"{name} has no frame {found['frame']}: its frames are 00001 to {last}"
    if seen[name][frame - 1]:
        return f"repeats {location}, which is on line {seen[name][frame - 1]}"
    seen[name][frame - 1] = number
    if len(values) != N_AUS:
        return f"has {len(values)} values instead of {N_AUS}"
    wrong = next((value for value in values if value not in ("0", "1")), None)
    return None if wrong is None else f"holds {wrong[:_SHOWN]!r}: write 0 or 1"


def check_submission(path: Path, frames: Mapping[str, int]) -> int:
    """Check a submission.

    Parameters
    ----------
    path : Path
    frames : mapping of str to int
        What must be in it: see :func:`frames_of_test`.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    DataError
        When something is wrong: the message names each line, up to twenty, and every video that
        lacks frames.
    """
    seen = {name: np.zeros(count, np.int64) for name, count in frames.items()}
    problems: list[str] = []
    rows = 0
    for number, line in _lines(path):
        if number == 1:
            if line != HEADER:
                problems.append(f"line 1 is {line[:_SHOWN]!r}: it must be {HEADER}")
            continue
        rows += 1
        problem = _problem(line, frames, seen, number)
        if problem is not None:
            problems.append(f"line {number} {problem}")
    if not rows and not problems:
        problems.append("it holds no rows")
    for name, lines in seen.items():
        lacking = np.flatnonzero(lines == 0)
        if len(lacking):
            first = f"{name}/{lacking[0] + 1:05d}.jpg"
            problems.append(f"{name} lacks {len(lacking)} of {len(lines)} frames, first {first}")
    if problems:
        more = len(problems) - MOST
        shown = [f"  {problem}" for problem in problems[:MOST]]
        shown += [f"  and {more} more"] if more > 0 else []
        raise DataError("\n".join([f"{path} is no valid submission:", *shown]))
    return rows
