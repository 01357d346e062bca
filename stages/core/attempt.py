"""One attempt at a piece of work: whatever goes wrong is its outcome, and not an error."""

import socket
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stages.core import errors
from stages.core.errors import DataError, SettingsError
from stages.core.files import replacing
from stages.core.hashing import file_hash

Kind = Literal["done", "data", "settings", "disk", "memory", "other", "killed"]
Function = Callable[[Any, Path], None]


@dataclass(frozen=True)
class Acknowledgement:
    """A worker's word for a finished piece.

    Attributes
    ----------
    sha256 : str
        Of the piece's bytes.
    bytes : int
        Its size.
    seconds : float
        That the work took.
    host : str
        Name of the machine that did it.
    """

    sha256: str
    bytes: int
    seconds: float
    host: str


@dataclass(frozen=True)
class Attempt:
    """How one attempt at an item ended.

    Attributes
    ----------
    kind : str
        ``done``; ``data``: a ``DataError``, the item's own fault; ``settings``: a
        ``SettingsError``, the fault of all items; ``disk``: no room to write; ``memory``: it ran
        out; ``killed``: the process ended without a word; ``other``: anything else.
    reason : str
        Why, in a sentence.
    trace : str
        Where, for what may be a defect of ours.
    acknowledgement : Acknowledgement or None
        Of what is done.
    """

    kind: Kind
    reason: str = ""
    trace: str = ""
    acknowledgement: Acknowledgement | None = None


def attempt(function: Function, item: Any, path: Path) -> Attempt:
    """Make one piece; whatever goes wrong is returned, not raised."""
    begun = time.monotonic()
    try:
        with replacing(path, tidy=False) as temporary:
            function(item, temporary)
            sha256, size = file_hash(temporary), temporary.stat().st_size
    except DataError as error:
        return Attempt("data", str(error))
    except SettingsError as error:
        return Attempt("settings", str(error))
    except Exception as error:
        if errors.is_out_of_memory(error):
            return Attempt("memory", "memory ran out")
        trace = "" if errors.is_of_the_machine(error) else traceback.format_exc()
        reason = f"{type(error).__name__}: {error}"
        return Attempt("disk" if errors.is_full_disk(error) else "other", reason, trace)
    seconds = round(time.monotonic() - begun, 3)
    return Attempt("done", "", "", Acknowledgement(sha256, size, seconds, socket.gethostname()))
