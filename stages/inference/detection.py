"""First part of a prediction: decode, find the faces, cut them out."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stages.crops.alignment import align
from stages.crops.crop_file import decode_jpeg, encode_jpeg
from stages.faces.detector import load_detector
from stages.faces.face import Face, choose
from stages.faces.multi_tracking import Crowd, Group
from stages.faces.settings import Crop
from stages.faces.tracking import Follower, follow
from stages.inference.footage import Footage
from stages.inference.options import Options
from stages.inference.still import find_faces
from stages.inference.stopwatch import Stopwatch
from stages.videos.clock import Log

MAIN = 1  # key of the only person that is followed


@dataclass
class Seen:
    """One person in one frame.

    Attributes
    ----------
    face : Face
    crop : (112, 112, 3) uint8 np.ndarray or None
        RGB, as the encoders are to see it; None in a frame that is skipped.
    features : (width,) float16 np.ndarray or None
        What the encoders made of the crop.
    """

    face: Face
    crop: NDArray[np.uint8] | None
    features: NDArray[np.float16] | None = None


@dataclass
class Sight:
    """One decoded frame without its picture.

    Attributes
    ----------
    number : int
        From 1.
    time : float
        Presentation time in seconds.
    seen : dict of int to Seen
        Who is seen, by a key of their own.
    given_up : tuple of int
        Keys that will not come again.
    """

    number: int
    time: float
    seen: dict[int, Seen] = field(default_factory=dict)
    given_up: tuple[int, ...] = ()


def look(
    footage: Footage, settings: Crop, options: Options, device: str, log: Log, watch: Stopwatch
) -> Iterator[Sight]:
    """Go through a video and cut the faces out.

    Parameters
    ----------
    footage : Footage
    settings : stages.check_settings.Crop
        How the ensemble's crops were made; these are made alike, through JPEG and back.
    options : Options
    device : str
        For the detector: ``cpu``, ``cuda`` or ``auto``.
    log : Log
        Takes what goes wrong with decoding.
    watch : Stopwatch
        Takes the parts ``decode`` and ``detect``.

    Yields
    ------
    Sight
        One a decoded frame, in the order of display.
    """
    encoded: dict[int, int] = {}  # number of the frame in which each person was last encoded
    groups = watch.each("detect", _groups(footage, settings, options, device, log, watch))
    for number, group in enumerate(groups, start=1):
        with watch.time("detect"):
            sight = Sight(number, group.time, given_up=group.given_up)
            for key, face in group.faces.items():
                crop = None
                if number - encoded.get(key, -options.every) >= options.every:
                    encoded[key] = number
                    aligned = align(group.image, face.landmarks)
                    crop = decode_jpeg(encode_jpeg(aligned, settings.jpeg_quality))
                sight.seen[key] = Seen(face, crop)
            for key in group.given_up:
                encoded.pop(key, None)
        yield sight


def _groups(
    footage: Footage, settings: Crop, options: Options, device: str, log: Log, watch: Stopwatch
) -> Iterator[Group]:
    detector = load_detector(settings.detector, settings.pack, settings.score_threshold, device)
    follower = Follower(detector, "only", settings.detection_side)
    # what is decoded is waited for by the part that detects
    frames = watch.each("decode", footage.frames(log), within="detect")
    if footage.photo:
        for time, image in frames:
            faces = find_faces(detector, image, settings.detection_side)
            if options.faces == "main":
                main = choose(faces, "only", image.shape[1])
                faces = [] if main is None else [main]
            sharp = [follower.sharpened(image, face) for face in faces]
            yield Group(time, image, dict(enumerate(sharp, start=MAIN)))
        return
    if options.faces == "main":
        for time, image, face in follow(frames, follower, settings.detect_every):
            yield Group(time, image, {} if face is None else {MAIN: face})
        return

    def everyone(image: NDArray[np.uint8]) -> list[Face]:
        return [follower.sharpened(image, face) for face in follower.everyone(image)]

    yield from Crowd(everyone).follow(frames, settings.detect_every)
