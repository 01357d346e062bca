"""The faces that a timeline shows, as small pictures within the page."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

THUMBNAIL = 96  # pixels


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
        Frame, person, picture, as `stages.prediction.results.read_faces` yields them for
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
