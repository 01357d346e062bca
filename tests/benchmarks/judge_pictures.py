"""Blendshapes of pictures; run by `tests.benchmarks.judge` in an environment with mediapipe.

    python judge_pictures.py MODEL PICTURES.npz SHAPES.npz

Stands alone: that environment has nothing of this project. In: ``pictures`` (n, side, side, 3)
uint8 RGB. Out: ``names`` (52,) str and ``shapes`` (n, 52) float64, NaN where no face is found.
"""

import sys
from importlib import import_module
from typing import Any

import numpy as np


def main(model: str, source: str, target: str) -> None:
    """Judge the pictures of a file."""
    # by name: it is no dependency of this project
    mediapipe: Any = import_module("mediapipe")
    tasks: Any = import_module("mediapipe.tasks.python")
    vision = tasks.vision

    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_path=model), output_face_blendshapes=True
    )
    rows: list[dict[str, float]] = []
    with vision.FaceLandmarker.create_from_options(options) as judge, np.load(source) as file:
        for picture in file["pictures"]:
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)
            faces: Any = judge.detect(image).face_blendshapes
            rows.append({shape.category_name: shape.score for shape in faces[0]} if faces else {})
    names = sorted({name for row in rows for name in row})
    shapes = np.array([[row.get(name, np.nan) for name in names] for row in rows], np.float64)
    np.savez(target, names=np.array(names), shapes=shapes)


if __name__ == "__main__":
    main(*sys.argv[1:])
