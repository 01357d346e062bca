"""What the server refuses, and the sentences it says then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from stages.core.errors import DataError
from stages.inference.web.history import Busy

MOST: Final = 1000  # videos of the list that one answer tells of, apart from the queue
_DIGITS: Final = 15  # of a number that is read; a longer one is as good as that large


class Refused(Exception):
    """A request that is not served.

    Parameters
    ----------
    status : int
        Of HTTP.
    sentence : str
        Why, and what would be.
    """

    def __init__(self, status: int, sentence: str) -> None:
        self.status, self.sentence = status, sentence


def number(text: str | None) -> int | None:
    """Whole number of a request, at most 10 to the power of 15; None where it is none."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return int(text) if len(text) <= _DIGITS else 10**_DIGITS


def length(request: Request, usual: int) -> int:
    """How many videos of the list are asked for.

    Raises
    ------
    Refused
        When that is no number of videos, or too many for one answer.
    """
    text = request.query_params.get("show")
    wanted = usual if text is None else number(text)
    if wanted is None or not 0 <= wanted <= MOST:
        raise Refused(
            400, f"show is a number of videos, {MOST:,} at most, as in /api/state?show={usual}."
        )
    return wanted


def face(request: Request, name: str) -> int | None:
    """Number of a person that is asked for; None where none is.

    Raises
    ------
    Refused
        When it is no number.
    """
    text = request.query_params.get(name)
    found = number(text)
    if text is not None and found is None:
        raise Refused(400, f"{name} is the number of a person, as in {name}=1.")
    return found


def _sentence(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status)


async def _not_found(request: Request, error: Any) -> Response:
    text = {404: "There is nothing at this address.", 405: "That cannot be done here."}
    return _sentence(error.status_code, text.get(error.status_code, str(error.detail)))


async def _refused(request: Request, error: Any) -> Response:
    return _sentence(error.status, error.sentence)


async def _busy(request: Request, error: Any) -> Response:
    return _sentence(429, str(error))


async def _wrong_data(request: Request, error: Any) -> Response:
    return _sentence(422, str(error))


async def _disk(request: Request, error: Any) -> Response:
    return _sentence(507, f"The server could not write to its disk ({error.strerror}).")


SAID: Final[dict[Any, Callable[[Request, Any], Any]]] = {
    HTTPException: _not_found,
    Refused: _refused,
    Busy: _busy,
    DataError: _wrong_data,
    OSError: _disk,
}
