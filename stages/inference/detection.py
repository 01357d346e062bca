"""First part of a prediction: decode, find the faces, cut them out."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from stages.crops.alignment import align
from stages.crops.crop_file import decode_jpeg, encode_jpeg
from stages.faces.detector import load_detector
from stages.faces.face import Face, choose
from stages.faces.multi_tracking import Crowd, Group
from stages.faces.settings import Crop
from stages.faces.tracking import follow
from stages.inference.footage import Footage
from stages.inference.options import Options
from stages.inference.searching import Searcher
from stages.inference.shots import split
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
    cut : bool
        Whether a shot begins here.
    """

    number: int
    time: float
    seen: dict[int, Seen] = field(default_factory=dict)
    given_up: tuple[int, ...] = ()
    cut: bool = False


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
    for number, (cut, group) in enumerate(groups, start=1):
        with watch.time("detect"):
            sight = Sight(number, group.time, given_up=group.given_up, cut=cut)
            if cut:
                encoded.clear()
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
) -> Iterator[tuple[bool, Group]]:
    """Who is seen in each frame, and whether a shot begins with it."""
    detector = load_detector(settings.detector, settings.pack, settings.score_threshold, device)
    follower = Searcher(detector, "only", settings.detection_side)
    # what is decoded is waited for by the part that detects
    frames = watch.each("decode", footage.frames(log), within="detect")
    if footage.photo:
        for time, image in frames:
            faces = find_faces(detector, image, settings.detection_side)
            if options.faces == "main":
                main = choose(faces, "only", image.shape[1])
                faces = [] if main is None else [main]
            sharp = [follower.sharpened(image, face) for face in faces]
            yield False, Group(time, image, dict(enumerate(sharp, start=MAIN)))
        return

    people = _Numbers()
    for cut, part in split(frames):
        begins = cut
        if options.faces == "main":
            for time, image, face in follow(part, follower, settings.detect_every):
                yield begins, Group(time, image, {} if face is None else {MAIN: face})
                begins = False
            continue
        people.next_part()
        for group in Crowd(follower.crowd).follow(part, settings.detect_every):
            yield begins, people.numbered(group)
            begins = False


class _Numbers:
    """Keys of people that go on from part to part: nobody is known again after a cut."""

    def __init__(self) -> None:
        self._before = self._most = 0
        self._present: set[int] = set()
        self._gone: tuple[int, ...] = ()

    def next_part(self) -> None:
        """Give up whoever is still followed."""
        self._before, self._gone = self._most, tuple(sorted(self._present))
        self._present = set()

    def numbered(self, group: Group) -> Group:
        """Give the people of a group their keys."""
        faces = {self._before + key: face for key, face in group.faces.items()}
        lost = tuple(self._before + key for key in group.given_up)
        self._present = (self._present | set(faces)) - set(lost)
        self._most = max(self._most, *faces, *lost, 0)
        gone, self._gone = (*self._gone, *lost), ()
        return replace(group, faces=faces, given_up=gone)
