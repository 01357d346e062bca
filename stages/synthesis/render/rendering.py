"""Pictures of heads: a depth buffer with four samples a pixel, shading, and the camera.

The first frame of a process compiles the kernels (about 3 seconds once on a machine, then they
come from the cache of Warp); a frame of 256x256 pixels takes about 9 ms of a core.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import warp as wp
from numpy.typing import NDArray

from stages.synthesis.head.face_points import dense_vertices, landmark_vertices
from stages.synthesis.head.head_model import Head
from stages.synthesis.people.action_units import FOLDS, FOLDS_ACROSS, N_SHAPES, gaze_of
from stages.synthesis.render import geometry_kernels as geometry
from stages.synthesis.render import shading_kernels as shading
from stages.synthesis.render.backgrounds import paint_background
from stages.synthesis.render.camera import Camera, camera_of, euler_matrix, rotation_matrix
from stages.synthesis.render.developing import Developer
from stages.synthesis.render.head_arrays import (
    SHADOW_SIZE,
    HeadArrays,
    head_arrays,
    lighting_of,
    vec3,
)
from stages.synthesis.render.scene import Scene

Floats = NDArray[np.float32]

EYE_OPENING: Final = 0.09  # heights of a face


def _zeros(length: int) -> Floats:
    return np.zeros(length, np.float32)


@dataclass(frozen=True)
class FaceState:
    """What one face does in one frame.

    Attributes
    ----------
    shapes : (52,) float32 np.ndarray
        Weights of the face shapes, from `action_units.face_shape_weights`.
    folds : (folds,) float32 np.ndarray
        From `action_units.fold_weights`.
    rotation : (3,) float32 np.ndarray
        Rotation vector in radians, on top of the scene's: about x (nodding down is positive), y
        (turning to the person's left), z (tilting to the person's right).
    translation : (3,) float32 np.ndarray
        To the person's left, up and to the camera, in heights of the face.
    """

    shapes: Floats = field(default_factory=lambda: _zeros(N_SHAPES))
    folds: Floats = field(default_factory=lambda: _zeros(len(FOLDS)))
    rotation: Floats = field(default_factory=lambda: _zeros(3))
    translation: Floats = field(default_factory=lambda: _zeros(3))


class Renderer:
    """Draws one or two heads in a scene.

    Parameters
    ----------
    heads : sequence of Head
        From left to right in the picture.
    scene : Scene
        Light, background, camera.
    height, width : int
        Pixels.

    Raises
    ------
    ValueError
        If there is no head, or one of them twice.
    """

    def __init__(self, heads: Sequence[Head], scene: Scene, height: int, width: int) -> None:
        if not heads:
            raise ValueError("There is no head to draw.")
        if len(set(heads)) < len(heads):
            raise ValueError("The same head cannot be in two places.")
        self.height, self.width, self.scene = height, width, scene
        self._models = [head_arrays(head) for head in heads]
        self._cameras = [
            camera_of(scene, height, width, place, len(heads)) for place in range(len(heads))
        ]
        self._base = euler_matrix(*scene.rotation)
        self._light = lighting_of(scene)
        self._light_axes = wp.mat33(*self._light.right, *self._light.up, *self._light.key)
        self._background = paint_background(scene, height, width)
        self._depth = np.empty((2 * height, 2 * width), np.float32)
        self._owner = np.empty((2 * height, 2 * width), np.int32)
        self._shadow = np.empty((SHADOW_SIZE, SHADOW_SIZE), np.float32)
        self._picture = np.empty((height, width, 3), np.float32)
        self._wp_depth = wp.array(self._depth, dtype=wp.float32, device="cpu", copy=False)
        self._wp_owner = wp.array(self._owner, dtype=wp.int32, device="cpu", copy=False)
        self._wp_shadow = wp.array(self._shadow, dtype=wp.float32, device="cpu", copy=False)
        self._wp_picture = wp.array(self._picture, dtype=wp.vec3, device="cpu", copy=False)
        self._normals, self._draw, self._cast = [], [], []
        first = 0
        for model in self._models:
            shell = model.shell
            self._normals.append(
                geometry.recorded(
                    geometry.vertex_normals,
                    len(model.head.neutral),
                    [shell.points, shell.triangles, model.starts, model.around, shell.normals],
                )
            )
            self._draw.append(
                geometry.recorded(
                    geometry.rasterize,
                    model.count,
                    [shell.screen, shell.triangles, model.two_sided, first, self._wp_depth,
                     self._wp_owner],
                )
            )  # fmt: skip
            self._cast.append(
                geometry.recorded(
                    geometry.rasterize_depth,
                    model.casting.shape[0],
                    [model.lit, model.casting, model.casting_two_sided, self._wp_shadow],
                )
            )
            first += model.count
        skin = np.mean([head.person.skin for head in heads], axis=0)
        self._developer = Developer(scene, height, width, skin)

    def render(self, *states: FaceState, frame: int = 0) -> NDArray[np.uint8]:
        """Draw a frame.

        Parameters
        ----------
        states : FaceState
            One for each head.
        frame : int
            Number of the frame: another number, another noise.

        Returns
        -------
        (height, width, 3) uint8 np.ndarray
            RGB.

        Raises
        ------
        ValueError
            If there are more or fewer states than heads.
        """
        self._check(states)
        self._depth.fill(-1e9)
        self._owner.fill(-1)
        self._picture[:] = self._background
        for model, camera, state, draw in zip(
            self._models, self._cameras, states, self._draw, strict=True
        ):
            self._move(model, camera, state)
            draw.launch()
        begin = 0
        for place, state in enumerate(states):
            self._shade(place, state, begin)
            begin += self._models[place].count
        return self._developer.develop(self._picture, frame)

    def landmarks(self, *states: FaceState) -> Floats:
        """Where five points of each face are, in the order of ArcFace's template.

        Parameters
        ----------
        states : FaceState
            One for each head.

        Returns
        -------
        (heads, 5, 2) float32 np.ndarray
            Column and row in pixels of the eye on the picture's left, the other eye, the tip of
            the nose, the corner of the mouth on the left, the other corner; outside of the picture
            too.
        """
        self._check(states)
        points = []
        for model, camera, state in zip(self._models, self._cameras, states, strict=True):
            self._move(model, camera, state)
            groups = landmark_vertices(model.head)
            points.append([model.screen[group, :2].mean(0) / 2.0 for group in groups])
        return np.asarray(points, np.float32)

    def dense_points(self, *states: FaceState) -> Floats:
        """Where the dense points of each face are, hidden ones too.

        Parameters
        ----------
        states : FaceState
            One for each head.

        Returns
        -------
        (heads, 2, POINTS_A_SIDE, 2) float32 np.ndarray
            Column and row in pixels: those on the picture's left, and their like on the right.
        """
        self._check(states)
        points = []
        for model, camera, state in zip(self._models, self._cameras, states, strict=True):
            self._move(model, camera, state)
            points.append(model.screen[dense_vertices(model.head), :2] / 2.0)
        return np.asarray(points, np.float32)

    def _check(self, states: Sequence[FaceState]) -> None:
        if len(states) != len(self._models):
            raise ValueError(f"{len(states)} states for {len(self._models)} heads.")

    def _turn(self, state: FaceState) -> NDArray[np.float64]:
        return np.asarray(self._base @ rotation_matrix(state.rotation))

    def _move(self, model: HeadArrays, camera: Camera, state: FaceState) -> None:
        """Bring a head's vertices into the frame's shape and place."""
        active = np.flatnonzero(state.shapes)
        model.active[: len(active)] = active
        model.weights[: len(active)] = state.shapes[active]
        np.maximum(state.folds, model.head.age_folds, out=model.folds)
        shell, light = model.shell, self._light
        geometry.launch(
            geometry.deform,
            len(model.head.neutral),
            [
                model.neutral, model.moving, model.shapes, model.wp_active, model.wp_weights,
                len(active), model.rigid, model.folding, model.fold_masks, model.wp_folds,
                len(FOLDS_ACROSS), wp.mat33(*self._turn(state).ravel().tolist()),
                model.pivot, vec3(state.translation),
                wp.vec4(2 * camera.focal, camera.distance, 2 * camera.column, 2 * camera.row),
                shell.points, self._light_axes, light.shadow_scale, float(SHADOW_SIZE),
                shell.screen, model.lit, shell.creases,
            ],
        )  # fmt: skip

    def _shade(self, place: int, state: FaceState, first: int) -> None:
        model, camera = self._models[place], self._cameras[place]
        light, look = self._light, model.look
        low, high = _extent(model.screen, (self.width, self.height))
        if (high <= low).any():
            return
        self._normals[place].launch()
        light.centre = vec3(state.translation)
        self._shadow.fill(-1e9)
        self._cast[place].launch()
        turn = self._turn(state)
        look.rotation = wp.mat33(*turn.ravel().tolist())
        gaze = gaze_of(np.asarray(state.shapes, np.float32))
        look.gaze_left, look.gaze_right = (_gaze_vector(*angles) for angles in gaze)
        scale = 2 * camera.focal / max(camera.distance - 0.8 - float(state.translation[2]), 0.1)
        look.eye_pixels = max(1.0, EYE_OPENING * scale * 0.09)
        geometry.launch(
            shading.shade,
            int(high[1] - low[1]),
            [int(low[0]), int(low[1]), int(high[0] - low[0]), first, model.shell, look,
             light, self._wp_depth, self._wp_owner, self._wp_shadow, self._wp_picture],
        )  # fmt: skip


def _extent(screen: Floats, size: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixels, (2,) column and row, of a head in the picture, and those after the last."""
    column, row = screen[:, 0], screen[:, 1]
    low = np.floor(np.array([column.min(), row.min()]) / 2 - 1)
    high = np.ceil(np.array([column.max(), row.max()]) / 2 + 1)
    return np.maximum(low, 0).astype(np.int64), np.minimum(high, size).astype(np.int64)


def _gaze_vector(across: float, up: float) -> Any:
    return wp.vec3(np.sin(across) * np.cos(up), np.sin(up), np.cos(across) * np.cos(up))
