"""Seals: how an overlay or a page says that it is AUFusion's, and unchanged since.

A sealed file holds, where its format has room for a remark, one line ::

    AUFusion KIND of TABLE, seal DIGEST

TABLE is the SHA-256 of the prediction that it shows, DIGEST that of the file itself with zeros for
DIGEST. Who changes the file breaks the seal: it is theirs from then on, and not replaced.
"""

import hashlib
import mmap
import re
from pathlib import Path
from typing import Final, Literal

from stages.videos.decoding import OWN

Kind = Literal["overlay", "page"]

_DIGEST: Final = 64  # hexadecimal digits of SHA-256
_OPEN: Final = "0" * _DIGEST
_LINE: Final = re.compile(
    rf"{OWN}(overlay|page) of ([0-9a-f]{{{_DIGEST}}}), seal ([0-9a-f]{{{_DIGEST}}})".encode()
)
_PART: Final = 1 << 20  # bytes that are hashed at once


def remark(kind: Kind, table: str) -> str:
    """Text to write into a file that :func:`seal` is to close; `table` is a SHA-256."""
    return f"{OWN}{kind} of {table}, seal {_OPEN}"


def _find(content: mmap.mmap) -> re.Match[bytes] | None:
    return _LINE.search(content)


def _digest(content: mmap.mmap, begin: int) -> bytes:
    """Hash of a file with zeros in place of the digest that begins at `begin`."""
    digest = hashlib.sha256()
    for first, stop in ((0, begin), (begin + _DIGEST, len(content))):
        if first:
            digest.update(_OPEN.encode())
        for at in range(first, stop, _PART):
            digest.update(content[at : min(at + _PART, stop)])
    return digest.hexdigest().encode()


def seal(path: Path) -> None:
    """Close the file that holds a :func:`remark`."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        found = _find(content)
        if found is None:
            raise ValueError(f"{path} holds no remark that could be sealed")
        begin = found.start(3)
        del found  # it keeps the map from being closed
        content[begin : begin + _DIGEST] = _digest(content, begin)


def sealed_table(path: Path) -> str | None:
    """SHA-256 of the prediction that a file shows; None where it is not ours, or was changed."""
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            found = _find(content)
            if found is None:
                return None
            begin, table, digest = found.start(3), found[2].decode(), found[3]
            del found
            return table if _digest(content, begin) == digest else None
    except (OSError, ValueError):  # ValueError: it is empty
        return None
