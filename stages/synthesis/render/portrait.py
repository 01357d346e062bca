"""People in front of a camera: from intensities, mouth and movement to pictures."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import warp
from numpy.typing import NDArray

from stages.core.facs import AU_NUMBERS
from stages.synthesis.head.head import build_head
from stages.synthesis.head.head_bank import HeadBank, load_bank
from stages.synthesis.head.head_model import Head
from stages.synthesis.people.action_units import SIDES, face_shape_weights, fold_weights
from stages.synthesis.people.mesh_files import FACE_SHAPES
from stages.synthesis.people.people import Person
from stages.synthesis.people.resting import SMILE
from stages.synthesis.performance.affect import VISIBLE
from stages.synthesis.performance.articulation import BITTEN, CLOSED, ROUNDED, SPREAD, Floats
from stages.synthesis.performance.motion import Motion
from stages.synthesis.render.rendering import FaceState, Renderer
from stages.synthesis.render.scene import Scene


@contextmanager
def _silent_native_code() -> Iterator[None]:
    """Close the standard error of C code too: warp complains there that it found no GPU driver."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


warp.config.log_level = warp.LOG_ERROR  # a line for every module it loads would hide ours
with _silent_native_code():
    warp.init()

CACHE_VARIABLE: Final = "AUFUSION_CACHE"
FURTHEST: Final = (45.0, 30.0, 25.0)  # degrees of yaw, pitch and roll, the scene's included
GAZE: Final = (0.4, 0.3)  # radians to the side and up of a gaze of 1
_SMILING: Final = AU_NUMBERS.index(12)
_LIFT, _PART = AU_NUMBERS.index(10), AU_NUMBERS.index(25)
_CLOSE: Final = FACE_SHAPES.index("mouthClose")
_SEAL: Final = 0.32  # weight of `mouthClose` that makes up for a full AU10
_SPOKEN: Final = {"rounded": ROUNDED, "spread": SPREAD, "closed": CLOSED, "bitten": BITTEN}


def cache_folder() -> Path:
    """Folder of what is made once a machine: `AUFUSION_CACHE`, or ``~/.cache/aufusion``."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".cache" / "aufusion"


@cache
def head_bank() -> HeadBank:
    """What heads are made from, read once in each process and built once a machine."""
    return load_bank(cache_folder())


def head_of(person: Person) -> Head:
    """Build the head of a person."""
    return build_head(person, head_bank())


class Portrait:
    """People in a scene, and the camera on them.

    Parameters
    ----------
    heads : sequence of Head
        From left to right, from `head_of`.
    scene : Scene
        Where.
    side : int
        Width and height of the pictures in pixels.
    """

    def __init__(self, heads: Sequence[Head], scene: Scene, side: int) -> None:
        self._people = [head.person for head in heads]
        self._base = np.array(scene.rotation)
        self._renderer = Renderer(heads, scene, side, side)

    def states(
        self,
        place: int,
        intensity: Floats,
        mouth: Floats,
        motion: Motion,
        asymmetry: Floats | None = None,
    ) -> Iterator[FaceState]:
        """Face of one person, frame by frame.

        Parameters
        ----------
        place : int
            Which person, from the left.
        intensity : (frames, 12) float64 np.ndarray
            Of each AU, 0 to 1.
        mouth : (frames, 6) float64 np.ndarray
            What speech does, `articulation.FEATURES`; lips and jaw are in AU25 and AU26 already.
        motion : Motion
            Of the head, frame by frame.
        asymmetry : (12,) float64 np.ndarray, optional
            By how much each AU is weaker on the right (positive) or the left (negative), -1 to 1,
            on top of the person's own.
        """
        person = self._people[place]
        shown = np.clip(intensity * np.array(person.gain), 0.0, 1.0)
        lean = np.array(person.asymmetry)
        if asymmetry is not None:
            lean = np.clip(lean + asymmetry, -1.0, 1.0)
        shapes = face_shape_weights(
            shown,
            blink=np.repeat(motion.blink[:, None], 2, axis=1),
            gaze=motion.gaze * GAZE,
            mouth={name: mouth[:, column] for name, column in _SPOKEN.items()},
            asymmetry=lean,
        )
        left, right = (1.0 - max(sign * lean[_SMILING], 0.0) for sign in (-1.0, 1.0))
        # AU10 alone lifts the upper lip off the lower one: without AU25 the lips stay together
        apart = np.clip(shown[:, _PART] / VISIBLE, 0.0, 1.0)
        shapes[:, _CLOSE] += (_SEAL * shown[:, _LIFT] * (1.0 - apart)).astype(np.float32)
        for name, weight, share in zip(SMILE, person.resting.smile, (1.0, 1.0, apart), strict=True):
            for side, ending in zip((left, right), SIDES, strict=True):
                column = FACE_SHAPES.index(name + ending)
                shapes[:, column] += (weight * share * shown[:, _SMILING] * side).astype(np.float32)
        # parted lips are released from the pressure at which they rest
        released = np.clip(shown[:, _PART] / VISIBLE, 0.0, 1.0) * (1.0 - mouth[:, CLOSED])
        shapes[:, _CLOSE] -= (person.resting.shapes[_CLOSE] * released).astype(np.float32)
        folds = fold_weights(shown, lean) * np.array(person.resting.fold_gain, np.float32)
        angles = np.clip(self._base + motion.rotation, np.negative(FURTHEST), FURTHEST)
        yaw, pitch, roll = np.deg2rad(angles - self._base).T
        turns = np.stack([-pitch, yaw, roll], axis=1).astype(np.float32)
        moves = np.pad(motion.shift, ((0, 0), (0, 1))).astype(np.float32)
        for row in zip(shapes, folds, turns, moves, strict=True):
            yield FaceState(*row)

    def picture(self, states: Sequence[FaceState], frame: int) -> NDArray[np.uint8]:
        """Draw one frame, (side, side, 3) uint8 RGB, of a state for each person."""
        return self._renderer.render(*states, frame=frame)

    def landmarks(self, states: Sequence[FaceState]) -> NDArray[np.float32]:
        """(people, 5, 2) true landmarks in pixels, in the order of `alignment`'s template."""
        return self._renderer.landmarks(*states)

    def dense_points(self, states: Sequence[FaceState]) -> NDArray[np.float32]:
        """(people, 2, POINTS_A_SIDE, 2) true dense points in pixels, of either side of the face."""
        return self._renderer.dense_points(*states)
