"""What the timeline of a prediction shows: 12 AUs over face thumbnails and the sound.

`stages.inference.views.fragment` says how a page draws it.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_MEANINGS, AU_NAMES, INTENSITY_MAX, N_AUS
from stages.inference.columns import NOBODY
from stages.inference.levels import levels_of
from stages.inference.results import Rows
from stages.inference.views.audio_envelope import waveform
from stages.inference.views.person import faces_of, frames_of, person_of

COLUMNS = 3000  # at most; an hour at 25 Hz then has one a 1.2 seconds, and is zoomed to no more
MOMENTS = 3  # of each AU
STRIP = 120  # thumbnails, evenly over the video; a page shows those that find room
PEOPLE = 8  # at most; who is seen in most frames first
THUMBNAIL = 96  # pixels
APART = 1.0  # seconds at least from one moment of an AU to the next
FULL = 1000  # what a probability of 1 is in the data: short integers make small pages
STEP = 100  # what an intensity of 1 is in the data


def frame_step(times: NDArray[np.float64]) -> float:
    """Usual time from frame to frame in seconds."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.04


def column_starts(frames: int, columns: int = COLUMNS) -> NDArray[np.intp]:
    """Frames, from 0, with which the columns begin; equally many frames a column."""
    step = -(-frames // max(min(columns, frames), 1)) if frames else 1
    return np.arange(0, frames, step)


def thresholds_of(about: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Thresholds of the 12 AUs that ``NAME.json`` tells of; None where it tells of none."""
    for section in (about, about.get("calibration"), about.get("ensemble")):
        if isinstance(section, Mapping):
            found = section.get("thresholds") or (section.get("calibration") or {}).get(
                "thresholds"
            )
            if isinstance(found, Sequence) and len(found) == N_AUS:
                return tuple(float(value) for value in found)
    return None


def levels_told(about: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Intensities from which the 12 AUs are present, by ``NAME.json``; None where it is silent."""
    thresholds = thresholds_of(about)
    return None if thresholds is None else tuple(levels_of(thresholds).tolist())


def _most(values: NDArray[Any], starts: NDArray[np.intp]) -> NDArray[Any]:
    """Largest value of each column's frames."""
    return np.asarray(np.fmax.reduceat(values, starts, axis=0))


def _integers(values: NDArray[np.float64], one: int) -> list[int | None]:
    return [None if np.isnan(value) else round(float(value) * one) for value in values]


def find_moments(
    probability: NDArray[np.float64],
    times: NDArray[np.float64],
    seen: NDArray[np.bool_],
    count: int = MOMENTS,
) -> list[int]:
    """Frames where an AU is strongest, strongest first.

    Parameters
    ----------
    probability : (frames,) np.ndarray
    times : (frames,) np.ndarray
        Seconds.
    seen : (frames,) np.ndarray
        bool; only where the face is seen.
    count : int
        At most so many, each at least `APART` seconds from the others.

    Returns
    -------
    list of int
        Positions of frames.
    """
    left = np.where(seen & ~np.isnan(probability), probability, -1.0)
    found: list[int] = []
    while len(found) < count and len(left) and left.max() > 0:
        best = int(left.argmax())
        found.append(best)
        left[np.abs(times - times[best]) < APART] = -1.0
    return found


def _evenly(seen: NDArray[np.intp], frames: int, count: int) -> list[int]:
    """Frames with the face that lie nearest to evenly spaced ones."""
    if not len(seen):
        return []
    wanted = (np.arange(count) + 0.5) * frames / count - 0.5
    after = np.clip(np.searchsorted(seen, wanted), 1, max(len(seen) - 1, 1)) % max(len(seen), 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(seen[before] - wanted) <= np.abs(seen[after] - wanted)
    return sorted({int(frame) for frame in np.where(nearer, seen[before], seen[after])})


def _track(rows: Rows, face: int, starts: NDArray[np.intp], thumbnails: int) -> dict[str, Any]:
    mine = person_of(rows, face)
    numbers, times = frames_of(rows)
    seen = mine.seen
    # the lowest of a column's: one frame without face is enough to say so, however many it holds
    status = np.minimum.reduceat(mine.status, starts)
    moments = [
        {
            "au": au,
            "time": round(float(times[frame]), 4),
            "frame": int(numbers[frame]),
            "probability": round(float(mine.probability[frame, au]), 3),
            "intensity": round(float(mine.intensity[frame, au]), 2),
            "picture": None,
        }
        for au in range(N_AUS)
        for frame in find_moments(mine.probability[:, au], times, seen)
    ]
    strip = [
        {"time": round(float(times[frame]), 4), "frame": int(numbers[frame]), "picture": None}
        for frame in _evenly(np.flatnonzero(seen), len(numbers), thumbnails)
    ]
    return {
        "face": face,
        "status": status.tolist(),
        "probability": [_integers(row, FULL) for row in _most(mine.probability, starts).T],
        "intensity": [_integers(row, STEP) for row in _most(mine.intensity, starts).T],
        "active": _most(mine.active.astype(np.int8), starts).T.tolist(),
        "share": [round(float(value), 4) for value in mine.share],
        "without_face": round(float((~seen).mean()), 4),
        "moments": moments,
        "strip": strip,
    }


def make_timeline(
    rows: Rows,
    *,
    title: str,
    thresholds: Sequence[float] | None = None,
    sound: Iterable[tuple[float, NDArray[np.float32]]] = (),
    sound_rate: int = 16_000,
    offset: float = 0.0,
    columns: int = COLUMNS,
) -> dict[str, Any]:
    """All that the timeline shows, as what JSON can hold.

    Parameters
    ----------
    rows : Rows
    title : str
        Name of the video.
    thresholds : sequence of float, optional
        Probability from which each of the 12 AUs counts as active.
    sound : iterable of (float, (samples,) np.ndarray)
        As `stages.videos.audio.read_sound` yields it.
    sound_rate : int
        Hz.
    offset : float
        Seconds on the file's clock at which the file begins; a player may call this 0.
    columns : int
        At most so many columns; each holds the largest intensities and probabilities of its
        frames.

    Returns
    -------
    dict
        ``edges`` of the columns in seconds, ``tracks`` by person, ``waveform`` ... The pictures
        are None until :func:`add_pictures` puts them in.
    """
    numbers, times = frames_of(rows)
    starts = column_starts(len(numbers), columns)
    last = times[-1] + frame_step(times)
    edges = np.append(times[starts], last)
    people = faces_of(rows)[:PEOPLE] or [NOBODY]
    tracks = [_track(rows, face, starts, STRIP // len(people)) for face in people]
    return {
        "title": title,
        "aus": list(AU_NAMES),
        "meanings": [AU_MEANINGS[name] for name in AU_NAMES],
        "strongest": INTENSITY_MAX,
        "thresholds": None if thresholds is None else [round(float(t), 4) for t in thresholds],
        "levels": None if thresholds is None else levels_of(thresholds).tolist(),
        "offset": round(offset, 6),
        "step": round(frame_step(times), 6),
        "frames": len(numbers),
        "first_frame": numbers[starts].tolist(),
        "edges": [round(float(edge), 4) for edge in edges],
        "tracks": tracks,
        "waveform": waveform(sound, edges, sound_rate),
    }


def wanted_frames(data: Mapping[str, Any]) -> set[int]:
    """Frames whose faces the timeline shows, from 1."""
    return {
        place["frame"] for track in data["tracks"] for place in track["moments"] + track["strip"]
    }


def add_pictures(
    data: Mapping[str, Any], pictures: Iterable[tuple[int, int, NDArray[np.uint8]]]
) -> None:
    """Put the thumbnails into the data of a timeline.

    Parameters
    ----------
    data : mapping
        Of :func:`make_timeline`.
    pictures : iterable of (int, int, (height, width, 3) uint8 np.ndarray)
        Frame, person, picture, as `stages.inference.results.read_faces` yields them for
        :func:`wanted_frames`.
    """
    places: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for track in data["tracks"]:
        for place in track["moments"] + track["strip"]:
            places.setdefault((place["frame"], track["face"]), []).append(place)
    for frame, face, picture in pictures:
        if (frame, face) in places:
            address = picture_address(picture)
            for place in places[frame, face]:
                place["picture"] = address


def picture_address(picture: NDArray[np.uint8], side: int = THUMBNAIL) -> str:
    """A picture, (height, width, 3) uint8 RGB, as the address of an embedded JPEG."""
    import cv2

    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    if not done:
        raise ValueError("the thumbnail could not be encoded as JPEG")
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
