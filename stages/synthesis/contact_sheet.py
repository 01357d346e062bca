"""A sheet that shows every action unit on several people, at half and at full strength."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.core.facs import AU_MEANINGS, AU_NAMES, AU_NUMBERS, N_AUS
from stages.core.files import replacing
from stages.synthesis.head.head_model import Head
from stages.synthesis.people.people import sample_person
from stages.synthesis.performance.articulation import N_FEATURES
from stages.synthesis.performance.motion import Motion
from stages.synthesis.render.portrait import Portrait, head_of
from stages.synthesis.render.scene import Scene, sample_scene

Pixels = NDArray[np.uint8]

CELL: Final = 124  # pixels to a side of one face
LABEL: Final = 34  # pixels of the line of labels
RENDERED: Final = 248  # pixels to a side before the face is cut out and made smaller
_PART, _DROP = AU_NUMBERS.index(25), AU_NUMBERS.index(26)


def frontal(scene: Scene) -> Scene:
    """The same light on a face that looks at the camera, close up, without noise."""
    return replace(
        scene,
        rotation=(6.0, 0.0, 0.0),
        face_share=0.92,
        centre=(0.0, -0.02),
        noise=0.0,
        blur=0.0,
        vignette=0.0,
        distance=5.5,
    )


def shown_intensities() -> NDArray[np.float64]:
    """Intensities on the sheet: neutral and each AU alone, at half and then at full strength.

    A jaw cannot drop behind lips that stay together in the corpus, so AU26 comes with AU25.

    Returns
    -------
    (2, 13, 12) np.ndarray
    """
    single = np.concatenate([np.zeros((1, N_AUS)), np.eye(N_AUS)])
    single[1 + _DROP, _PART] = 0.5
    return np.stack([0.5 * single, single])


def person_rows(head: Head, scene: Scene) -> Pixels:
    """Draw one person, (2 * CELL, 13 * CELL, 3): a row at half and a row at full strength."""
    intensities = shown_intensities().reshape(-1, N_AUS)
    frames = len(intensities)
    still = Motion(np.zeros((frames, 3)), np.zeros((frames, 2)), np.zeros(frames),
                   np.zeros((frames, 2)))  # fmt: skip
    portrait = Portrait([head], scene, RENDERED)
    states = portrait.states(0, intensities, np.zeros((frames, N_FEATURES)), still)
    cells = [
        cv2.resize(portrait.picture([state], 0), (CELL, CELL), interpolation=cv2.INTER_AREA)
        for state in states
    ]
    half = frames // 2
    rows = (np.concatenate(cells[:half], axis=1), np.concatenate(cells[half:], axis=1))
    return np.concatenate(rows).astype(np.uint8)


def _labels() -> Pixels:
    strip = np.full((LABEL, (N_AUS + 1) * CELL, 3), 255, np.uint8)
    names = ["neutral", *AU_NAMES]
    for column, name in enumerate(names):
        label = "AU25+26" if name == "AU26" else name
        meaning = AU_MEANINGS.get(name, "half, then full strength")
        for text, row, size in ((label, 14, 0.42), (meaning, 28, 0.28)):
            cv2.putText(strip, text, (column * CELL + 3, row), cv2.FONT_HERSHEY_SIMPLEX, size,
                        (0, 0, 0), 1, cv2.LINE_AA)  # fmt: skip
    return strip


def draw_contact_sheet(path: Path, people: int = 3, seed: int = 1) -> None:
    """Write the sheet as PNG.

    Parameters
    ----------
    path : Path
        File to write.
    people : int
        Number of people, two rows each.
    seed : int
        Which people.
    """
    rows = [_labels()]
    for number in range(people):
        rng = np.random.default_rng((seed, number))
        person = sample_person(rng)
        rows.append(person_rows(head_of(person), frontal(sample_scene(rng))))
    with replacing(path) as temporary:
        Image.fromarray(np.concatenate(rows)).save(temporary, optimize=True)
