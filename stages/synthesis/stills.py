"""Labelled still faces of people who appear in no clip, for pre-training the visual encoders.

A file of stills is a crop file (`stages.crops.crop_file`) with the labels of its rows besides:
``au`` (n, 12) int8, ``au_intensity`` (n, 12) float32 0 to 5, ``valence`` and ``arousal`` (n,)
float32, ``expression`` (n,) int8, ``person`` (n,) int32, and the dense ``points`` of
`stages.crops.face_points` in pixels of the crop. Faces are found and aligned as stage `crop` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from stages.core.facs import INTENSITY_MAX
from stages.crops.alignment import align
from stages.crops.crop_file import CropWriter
from stages.crops.face_points import POINTS, points_in_crop
from stages.faces.detections import detect_within
from stages.faces.detector import load_detector
from stages.faces.face import choose, faces_of
from stages.synthesis.audio.phonemes import MOUTHS
from stages.synthesis.people.people import sample_person
from stages.synthesis.performance.articulation import FEATURES
from stages.synthesis.performance.motion import sample_motion
from stages.synthesis.randomness import generator
from stages.synthesis.render.degrading import degraded
from stages.synthesis.render.occluders import OCCLUDED, occluded
from stages.synthesis.render.portrait import Portrait, head_of
from stages.synthesis.render.rendering import FaceState
from stages.synthesis.render.scene import sample_scene
from stages.synthesis.still_labels import StillLabels, sample_still

SIDE: Final = 224  # pixels of the picture that the face is cut out of
DETECTED: Final = 128  # pixels that it is reduced to for the detector, which is no less exact then
STILLS_A_SCENE: Final = 3  # light, background and camera stay for so many stills of a person
LABELS: Final = ("au", "au_intensity", "valence", "arousal", "expression", "person", POINTS)
_JITTER: Final = 1.5  # pixels by which true landmarks are moved where the detector finds no face
_LENGTH: Final = 20.0  # seconds of a head's movement, in which its pose is caught
_ATTRIBUTES: Final[dict[str, str | int | float]] = {"detector": "centerface", "jpeg_quality": 92}


@dataclass(frozen=True)
class StillPerson:
    """Work of one piece: some stills of one person."""

    seed: int
    number: int
    count: int


def _state(portrait: Portrait, still: StillLabels, rng: np.random.Generator) -> FaceState:
    caught = sample_motion(rng.uniform(0.0, _LENGTH, 1), _LENGTH, rng)
    lids = float(rng.uniform(0.2, 1.0)) if rng.random() < 0.08 else 0.0
    motion = replace(caught, blink=np.array([lids]))
    mouth = np.array([[getattr(MOUTHS[still.phoneme], name) for name in FEATURES]])
    return next(portrait.states(0, still.intensity[None], mouth, motion, still.asymmetry))


def write_stills(work: StillPerson, path: Path) -> None:
    """Render one person's stills, find and align the faces, and write them with their labels."""
    head = head_of(sample_person(generator(work.seed, "still person", work.number)))
    detector = load_detector("centerface", "", 0.5, "cpu")
    rows: list[StillLabels] = []
    dense: list[NDArray[np.float32]] = []
    with CropWriter(path, _ATTRIBUTES) as writer:
        for number in range(work.count):
            rng = generator(work.seed, "still", work.number, number)
            still = sample_still(rng)
            if number % STILLS_A_SCENE == 0:
                scene = sample_scene(rng)
                portrait = Portrait([head], scene, SIDE)
            state = _state(portrait, still, rng)
            image = portrait.picture([state], number)
            if rng.random() < OCCLUDED:
                image = occluded(image, portrait.landmarks([state])[0], rng)
            image = degraded(image, scene.face_share, rng)
            face = choose(faces_of(detect_within(detector, image, None, DETECTED)), "only", SIDE)
            if face is None:
                points = portrait.landmarks([state])[0] + rng.normal(0.0, _JITTER, (5, 2))
                box = np.concatenate([points.min(axis=0), points.max(axis=0)])
                writer.append(align(image, points), points, box, 0.0)
            else:
                points = face.landmarks
                writer.append(align(image, points), points, face.box, face.score)
            rows.append(still)
            dense.append(points_in_crop(portrait.dense_points([state])[0], points))
        _add_labels(
            writer,
            au=np.stack([row.labels for row in rows]),
            au_intensity=np.stack(
                [INTENSITY_MAX * row.intensity.clip(0.0, 1.0) for row in rows], dtype=np.float32
            ),
            valence=np.array([row.valence for row in rows], np.float32),
            arousal=np.array([row.arousal for row in rows], np.float32),
            expression=np.array([row.expression for row in rows], np.int8),
            person=np.full(len(rows), work.number, np.int32),
            points=np.stack(dense).astype(np.float16),
        )


def _add_labels(writer: CropWriter, **columns: NDArray[Any]) -> None:
    for name in LABELS:
        writer.add(name, columns[name])


def join_stills(path: Path, pieces: Sequence[Path]) -> None:
    """Join files of stills, in the order given, into one; the JPEGs are not coded anew."""
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in LABELS}
    with CropWriter(path, _ATTRIBUTES) as writer:
        for piece in pieces:
            with h5py.File(piece, "r") as file:
                data, offset = file["jpeg"][()], file["jpeg_offset"][()]
                rows = zip(file["landmarks"][()], file["box"][()], file["score"][()], strict=True)
                for k, (landmarks, box, score) in enumerate(rows):
                    crop = data[offset[k] : offset[k + 1]].tobytes()
                    writer.append(crop, landmarks, box, float(score))
                for name in LABELS:
                    columns[name].append(file[name][()])
        _add_labels(writer, **{name: np.concatenate(columns[name]) for name in LABELS})
