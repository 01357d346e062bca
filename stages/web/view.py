"""What the page draws of a finished video: probabilities of every frame, the sound's loudness."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stages.errors import DataError
from stages.facs import AU_MEANINGS, AU_NAMES, N_AUS
from stages.media.audio import read_sound
from stages.prediction.rows import NO_FACE, Rows, read_rows
from stages.web.checking import Facts
from stages.web.job import JobFolder

UNKNOWN: Final = 255  # in place of a probability; those that are known are 0 to 254
UNDECIDED: Final = 0xFFFF  # in place of the 12 bits of the decisions
FACES: Final = 8  # people shown, those who are seen most
LOUDNESS_BINS: Final = 600
_SOUND_RATE: Final = 8000  # Hz, enough for a picture of the loudness


def write_view(folder: JobFolder, facts: Facts) -> None:
    """Write ``view.json``, which the page reads.

    Arrays are little-endian and in base 64. `times` is (frames,) float64, seconds on the player's
    clock; each face has `probabilities`, (frames, 12) uint8 from 0 to 254 with 255 where nothing
    is known; `active`, (frames,) uint16 with a bit an AU; `seen`, (frames,) uint8.

    Parameters
    ----------
    folder : JobFolder
        With the predictor's results.
    facts : Facts

    Raises
    ------
    DataError
        If the results are missing or cannot be read.
    """
    table = folder.result("parquet") or folder.result("csv")
    if table is None:
        raise DataError("The predictor wrote no table for this video.")
    rows = read_rows(table)
    numbers, times = rows.frames()
    view = {
        "aus": [{"name": name, "meaning": AU_MEANINGS[name]} for name in AU_NAMES],
        "times": _encode(times - facts.start, "<f8"),
        "frames": len(times),
        "numbers": [int(numbers[0]), int(numbers[-1])],
        "faces": [_face(rows, numbers, face) for face in rows.faces()[:FACES]],
        "loudness": loudness(folder.video, float(times[0]), float(times[-1])),
        "notes": notes(folder.result("json")),
    }
    folder.view.write_text(json.dumps(view), encoding="utf-8")


def _encode(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()


def _face(rows: Rows, numbers: NDArray[np.int64], face: int) -> dict[str, Any]:
    own = rows.take(rows.face_id == face)
    place = np.searchsorted(numbers, own.frame)
    levels = np.full((len(numbers), N_AUS), UNKNOWN, np.uint8)
    known = np.isfinite(own.probability)
    levels[place] = np.where(known, np.rint(np.nan_to_num(own.probability) * 254), UNKNOWN)
    bits = np.full(len(numbers), UNDECIDED, np.uint16)
    decided = (own.active >= 0).all(axis=1)
    weights = 1 << np.arange(N_AUS)
    bits[place[decided]] = (own.active[decided] == 1) @ weights
    seen = np.zeros(len(numbers), np.uint8)
    seen[place] = own.status != NO_FACE
    return {
        "id": face,
        "probabilities": _encode(levels, "u1"),
        "active": _encode(bits, "<u2"),
        "seen": _encode(seen, "u1"),
    }


def loudness(video: Path, begin: float, end: float) -> list[float] | None:
    """Largest amplitude of the sound over time.

    Parameters
    ----------
    video : Path
    begin, end : float
        Presentation times in seconds, of the first and of the last picture.

    Returns
    -------
    (LOUDNESS_BINS,) list of float, or None
        From 0 to 1, bins of equal length from `begin` to `end`; None without a sound track.
    """
    peaks = np.zeros(LOUDNESS_BINS)
    width = (end - begin) / LOUDNESS_BINS
    heard = False
    for time, samples in read_sound(video, _SOUND_RATE):
        heard = True
        bins = ((time + np.arange(len(samples)) / _SOUND_RATE - begin) / max(width, 1e-9)).astype(
            int
        )
        inside = (bins >= 0) & (bins < LOUDNESS_BINS)
        np.maximum.at(peaks, bins[inside], np.abs(samples[inside]))
    return [round(float(peak), 3) for peak in peaks.clip(0, 1)] if heard else None


def notes(path: Path | None) -> list[str]:
    """Sentences of the predictor's JSON that a reader of the page must know: its warnings."""
    if path is None:
        return []
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        found = record.get("warnings", [])
    except (OSError, ValueError, AttributeError):
        return []
    return [str(note) for note in found] if isinstance(found, list) else []
