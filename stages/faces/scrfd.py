"""SCRFD and 106 points from one of insightface's model packs.

The packs are for non-commercial research and are not part of this project: unpack them to
``~/.insightface/models/PACK``.

References
----------
J. Guo et al. Sample and computation redistribution for efficient face detection. ICLR 2022.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import SettingsError
from stages.core.onnx import open_session
from stages.faces.detections import Detections

MODELS = Path(".insightface/models")  # below the home folder, where insightface itself looks
# buffalo_l, _m, _s and _sc have det_10g, det_2.5g and det_500m; antelopev2 has scrfd_10g_bnkps
DETECTORS = ("det_*.onnx", "scrfd_*.onnx")
CONTOUR = "2d106det.onnx"
MULTIPLE = 32
ADDRESS = "https://github.com/deepinsight/insightface/tree/master/model_zoo"


def pack_files(pack: str) -> tuple[Path, Path | None]:
    """Where the detector and, if the pack has it, the network for 106 points lie.

    The archive of antelopev2 holds a folder of its own name, so that unpacked it lies one deeper.

    Raises
    ------
    SettingsError
        If the pack is not there or has no detector.
    """
    outer = Path.home() / MODELS / pack
    for folder in (outer, outer / pack):
        for pattern in DETECTORS:
            detectors = sorted(folder.glob(pattern))
            if detectors:
                contour = folder / CONTOUR
                return detectors[0], contour if contour.is_file() else None
    wanted = " or ".join(DETECTORS)
    held = ", ".join(sorted(path.name for path in outer.glob("**/*.onnx")))
    if held:
        raise SettingsError(
            f"crop.pack = {pack}: {outer} holds no detector ({wanted}) but {held}: choose another "
            "pack, or set crop.detector to centerface."
        )
    raise SettingsError(
        f"crop.pack = {pack}: insightface's weights are missing. Download {pack}.zip from "
        f"{ADDRESS} (non-commercial research only), unpack it so that "
        f"~/{MODELS}/{pack}/ holds {wanted}, or set crop.detector to centerface."
    )


class InsightFace:
    """SCRFD with five points, and the 106 points where the pack has them.

    Parameters
    ----------
    pack : str
        Name of the pack: ``buffalo_l``, ``antelopev2``, ...
    threshold : float
        Confidence from which on a face counts, 0 to 1.
    device : str
        ``cpu``, ``cuda`` or ``auto``.

    Raises
    ------
    SettingsError
        If the pack is missing or is damaged.
    """

    def __init__(self, pack: str, threshold: float = 0.5, device: str = "auto") -> None:
        detector, contour = pack_files(pack)
        from insightface.model_zoo.landmark import Landmark  # slow to import
        from insightface.model_zoo.scrfd import SCRFD

        try:
            self._scrfd = SCRFD(
                str(detector),
                open_session(detector.read_bytes(), device),
                static_shape_sessions=False,  # the size changes from region to region
            )
            self._contour: Any = None
            if contour is not None:
                self._contour = Landmark(str(contour), open_session(contour.read_bytes(), device))
        except Exception as error:
            raise SettingsError(
                f"crop.pack = {pack}: {detector.parent} cannot be loaded "
                f"({type(error).__name__}): download it again from {ADDRESS}."
            ) from error
        if not self._scrfd.use_kps:
            raise SettingsError(
                f"crop.pack = {pack}: {detector} finds boxes without the five points that faces "
                "are aligned by: choose a pack of insightface's own, or crop.detector = centerface."
            )
        self._threshold = threshold
        self.has_contours = contour is not None

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """Find the faces of a picture, (height, width, 3) uint8 RGB, at its own size."""
        height, width = image.shape[:2]
        size = (-(-width // MULTIPLE) * MULTIPLE, -(-height // MULTIPLE) * MULTIPLE)
        padded = np.zeros((size[1], size[0], 3), np.uint8)
        padded[:height, :width] = image[:, :, ::-1]
        boxes, landmarks = self._scrfd.detect(padded, size, det_thresh=self._threshold)
        contours = self._contours(padded, boxes[:, :4]) if self._contour is not None else None
        return Detections(
            boxes[:, :4].astype(np.float32),
            landmarks.astype(np.float32),
            boxes[:, 4].astype(np.float32),
            contours,
        )

    def _contours(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        from insightface.app.common import Face

        found = [self._contour.get(image, Face(bbox=box)) for box in boxes]
        return np.asarray(found, np.float32).reshape(-1, 106, 2)
