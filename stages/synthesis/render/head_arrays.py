"""Heads and light as Warp's kernels want them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import warp as wp
from numpy.typing import NDArray

from stages.synthesis.head.head_bank import GLASSES, HAIR, LASHES, LENS
from stages.synthesis.head.head_model import Head
from stages.synthesis.people.looks import looks_of
from stages.synthesis.render.light_kernels import Lighting
from stages.synthesis.render.look_kernels import Look, Shell
from stages.synthesis.render.scene import Scene

SHADOW_SIZE: Final = 192  # pixels to a side of the key light's depth map
SHADOW_REACH: Final = 2.6  # heights of a face that it shows
# Terms of `environments.basis`.
AMBIENT: Final = (
    "ambient", "ambient_x", "ambient_y", "ambient_z", "ambient_xy", "ambient_yz", "ambient_yy",
    "ambient_xz", "ambient_xx",
)  # fmt: skip
HALF: Final = 2  # `two_sided` of what covers every other sample only: mirrored light


def vec3(values: Sequence[float] | NDArray[Any]) -> Any:
    """Three numbers as Warp's vector."""
    return wp.vec3(*(float(value) for value in values))


def array(values: NDArray[Any], dtype: Any) -> Any:
    """Copy of an array on Warp's side."""
    return wp.array(np.ascontiguousarray(values), dtype=dtype, device="cpu")


def shared(values: NDArray[Any], dtype: Any) -> Any:
    """Warp's view of an array: what is written into one is in the other."""
    return wp.array(values, dtype=dtype, device="cpu", copy=False)


def _rows(values: NDArray[np.float32], dtype: Any) -> tuple[Any, Any]:
    """Row of each vertex, -1 for those whose values are all 0, and the other vertices' values."""
    used = np.abs(values).reshape(len(values), -1).max(axis=1) > 1e-6
    number = np.where(used, np.cumsum(used) - 1, -1).astype(np.int32)
    return array(number, wp.int32), array(values[used], dtype)


class HeadArrays:
    """One head's arrays on Warp's side."""

    def __init__(self, head: Head) -> None:
        n = len(head.neutral)
        self.head = head
        self.count = len(head.triangles)
        self.neutral = array(head.neutral, wp.vec3)
        # a row for each vertex that any shape moves, or any fold marks, and its number there
        self.moving, self.shapes = _rows(head.shapes.transpose(1, 0, 2), wp.vec3)
        self.folding, self.fold_masks = _rows(head.fold_masks.T, wp.float32)
        self.rigid = array(head.rigid, wp.float32)
        two_sided = np.isin(head.parts, (LASHES, HAIR, GLASSES, LENS)).astype(np.int32)
        if not looks_of(head.person).dark_glasses:
            two_sided[head.parts == LENS] = HALF
        self.two_sided = array(two_sided, wp.int32)
        self.active = np.zeros(head.shapes.shape[0], np.int32)
        self.weights = np.zeros(head.shapes.shape[0], np.float32)
        self.folds = np.zeros(len(head.fold_masks), np.float32)
        self.wp_active = shared(self.active, wp.int32)
        self.wp_weights = shared(self.weights, wp.float32)
        self.wp_folds = shared(self.folds, wp.float32)
        order = np.argsort(head.triangles.ravel(), kind="stable")
        counts = np.bincount(head.triangles.ravel(), minlength=n)
        self.starts = array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32), wp.int32)
        self.around = array((order // 3).astype(np.int32), wp.int32)
        shell = Shell()
        shell.triangles = array(head.triangles, wp.int32)
        shell.parts = array(head.parts, wp.int32)
        shell.corners = array(head.corners, wp.vec2)
        shell.rest = array(head.rest, wp.vec3)
        shell.surface = array(head.surface, wp.vec4)
        shell.skin = array(head.skin, wp.vec4ub)
        shell.folds_a = array(head.folds_across, wp.vec4ub)
        shell.folds_b = array(head.folds_along, wp.vec4ub)
        for name, dtype in (("screen", wp.vec3), ("points", wp.vec3), ("normals", wp.vec3)):
            setattr(shell, name, wp.zeros(n, dtype=dtype, device="cpu"))
        shell.creases = wp.zeros(n, dtype=wp.vec2, device="cpu")
        self.shell = shell
        self.lit = wp.zeros(n, dtype=wp.vec3, device="cpu")
        solid = np.isin(head.parts, (LASHES, LENS), invert=True)
        self.casting = array(head.triangles[solid], wp.int32)
        self.casting_two_sided = array(two_sided[solid], wp.int32)
        self.screen = shell.screen.numpy()
        self.pivot = vec3(head.pivot)
        self.look = look_of(head)


@lru_cache(maxsize=4)
def head_arrays(head: Head) -> HeadArrays:
    """Arrays of a head, kept for its next scene: no two scenes are drawn at once."""
    return HeadArrays(head)


def look_of(head: Head) -> Any:
    """What a person's parts look like."""
    person = head.person
    look = Look()
    looks = looks_of(person)
    look.iris, look.iris_size, look.pupil = vec3(person.iris), looks.iris_size, person.pupil
    look.sclera, look.teeth, look.tongue = map(vec3, (looks.sclera, looks.teeth, looks.tongue))
    lips = np.asarray(person.lips)
    look.lips, look.lower_lips = vec3(lips * looks.upper_lip), vec3(lips * looks.lower_lip)
    look.skin, look.seam, look.polish = vec3(person.skin), looks.seam, looks.polish
    look.patches = looks.patches
    look.lip_gloss = 0.12 + 0.35 * person.lip_paint
    look.oil, look.liner = 1.6 * person.oil, 0.18 + 0.5 * person.lid_paint
    look.lash = vec3(0.35 * np.asarray(person.brows) + 0.004)
    look.ears = 0.0 if looks.covering == "scarf" else 1.0
    look.lashes, look.frame = looks.lashes, vec3(looks.frame)
    look.lens = vec3((0.012, 0.011, 0.012) if looks.dark_glasses else (0.0, 0.0, 0.0))
    look.mirror = 0.12 if looks.dark_glasses else 0.5
    look.hair, look.cloth = vec3(person.hair), vec3(person.cloth)
    look.neckline = 5.55 + 0.35 * person.neckline
    return look


def lighting_of(scene: Scene) -> Any:
    """Light of a scene."""
    light = Lighting()
    key = np.asarray(scene.key)
    right = np.cross((0.0, 1.0, 0.0), key)
    right /= np.linalg.norm(right)
    light.key, light.key_colour = vec3(scene.key), vec3(scene.key_colour)
    light.fill, light.fill_colour = vec3(scene.fill), vec3(scene.fill_colour)
    for name, colour in zip(AMBIENT, scene.ambient, strict=True):
        setattr(light, name, vec3(colour))
    view = np.array((0.0, 0.0, 1.0))
    half_key, half_fill = key + view, np.asarray(scene.fill) + view
    light.half_key = vec3(half_key / np.linalg.norm(half_key))
    light.half_fill = vec3(half_fill / np.linalg.norm(half_fill))
    light.right, light.up = vec3(right), vec3(np.cross(key, right))
    light.shadow_scale = SHADOW_SIZE / SHADOW_REACH
    light.shadow_strength, light.softness = scene.shadow, scene.softness
    return light
