"""Files as OpenFace 2.2, py-feat, LibreFace and we write them, and made predictions."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from stages.core.facs import AU_NAMES, AU_NUMBERS
from stages.core.intensity import intensity_of
from stages.inference.columns import BOX, COLUMNS, DECISIONS, INTENSITIES, LANDMARKS, PROBABILITIES
from stages.inference.writing import SCHEMA

OPENFACE_R = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
OPENFACE_C = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)
PYFEAT = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)
LIBREFACE = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
LIBREFACE_INTENSITY = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)


def course(frames: int, seed: int = 0) -> NDArray[np.float64]:
    """Probabilities, (frames, 12), that rise and fall, with as many decimals as files have."""
    random = np.random.default_rng(seed)
    phase, speed = random.uniform(0, 6, 12), random.uniform(0.05, 0.2, 12)
    waves = np.sin(phase + speed * np.arange(frames)[:, None]) + random.normal(0, 0.2, (frames, 12))
    return np.round(np.clip(0.5 + 0.5 * waves, 0, 1), 4)


def ours(
    folder: Path,
    times: Sequence[float] | NDArray[np.float64],
    probabilities: NDArray[np.float64],
    *,
    name: str = "clip",
    status: Sequence[str] | None = None,
    box: tuple[float, float, float, float] = (10.0, 8.0, 40.0, 44.0),
    face_id: int = 1,
    more: Sequence[dict[str, Any]] = (),
) -> Path:
    """Write NAME.csv and NAME.parquet of one person; `more` are rows of other people."""
    rows: list[dict[str, Any]] = []
    x0, y0, x1, y1 = box
    points = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
    for k, time in enumerate(times):
        said = status[k] if status is not None else "face"
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= {"frame": k + 1, "timestamp": round(float(time), 6), "face_id": face_id}
        row |= {"status": said, "confidence": 0.0 if said == "no_face" else 0.9}
        if said != "no_face":
            row |= dict(zip(BOX, box, strict=True))
            flat = [v for x, y in points for v in (x0 + x * (x1 - x0), y0 + y * (y1 - y0))]
            row |= dict(zip(LANDMARKS, flat, strict=True))
        row |= {au: float(p) for au, p in zip(PROBABILITIES, probabilities[k], strict=True)}
        row |= dict(zip(INTENSITIES, intensity_of(probabilities[k]).tolist(), strict=True))
        row |= {au: int(p >= 0.5) for au, p in zip(DECISIONS, probabilities[k], strict=True)}
        rows.append(row)
    rows = sorted([*rows, *more], key=lambda row: (row["frame"], row["face_id"]))
    path = folder / f"{name}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(
            ["" if row[column] is None else row[column] for column in COLUMNS] for row in rows
        )
    table = pa.table({column: [row[column] for row in rows] for column in COLUMNS}, SCHEMA)
    parquet.write_table(table, path.with_suffix(".parquet"))
    return path


def openface(
    path: Path,
    times: Sequence[float] | NDArray[np.float64],
    strength: NDArray[np.float64],
    *,
    success: NDArray[np.int8] | None = None,
) -> Path:
    """Write as FeatureExtraction does: blanks after commas, intensities with two decimals."""
    header = ["frame", "face_id", "timestamp", "confidence", "success", "x_0", "X_0"]
    header += [f"AU{n:02d}_r" for n in OPENFACE_R] + [f"AU{n:02d}_c" for n in OPENFACE_C]
    lines = [", ".join(header)]
    where = {number: column for column, number in enumerate(AU_NUMBERS)}
    for k, time in enumerate(times):
        good = 1 if success is None else int(success[k])
        cells = [str(k + 1), "0", f"{time:.3f}", "0.98" if good else "0.00", str(good), "1.5", "2"]
        for n in OPENFACE_R:
            cells.append(f"{5 * strength[k, where[n]]:.2f}" if n in where else "0.00")
        for n in OPENFACE_C:
            cells.append(f"{float(n in where and strength[k, where[n]] >= 0.5):.2f}")
        lines.append(", ".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return path


def pyfeat(path: Path, frames: Sequence[int], strength: NDArray[np.float64]) -> Path:
    """Write as a Fex does; a frame that is named twice has a small second face."""
    names = [f"AU{n:02d}" for n in PYFEAT]
    header = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore", "x_0"]
    header += ["Pitch", "Roll", "Yaw", *names, "anger", "input", "frame", "approx_time"]
    rows: list[list[object]] = []
    for k, frame in enumerate(frames):
        second = k > 0 and frames[k - 1] == frame
        side = 20.0 if second else 90.0
        values = dict(zip(AU_NAMES, strength[k], strict=True))
        aus = [values.get(name, 0.1) for name in names]
        face: list[object] = [3.5, 4.5, side, side, 0.99, 7.25, 0.1, 0.2, 0.3, *aus, 0.02]
        if np.isnan(strength[k]).all():
            face = [""] * len(face)
        rows.append([*face, "clip.mp4", frame, f"00:{frame // 25:02d}"])
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return path


def libreface(
    path: Path, times: Sequence[float] | NDArray[np.float64], strength: NDArray[np.float64]
) -> Path:
    """Write as pandas does for LibreFace: an index without a name, times in milliseconds."""
    header = ["", "frame_idx", "frame_time_in_ms", "path_to_frame", "aligned_frame_path", "yaw"]
    header += ["facial_expression", *(f"au_{n}" for n in LIBREFACE)]
    header += [f"au_{n}_intensity" for n in LIBREFACE_INTENSITY]
    where = {number: column for column, number in enumerate(AU_NUMBERS)}
    rows: list[list[object]] = []
    for k, time in enumerate(times):
        row: list[object] = [
            k,
            k,
            round(1000 * time, 3),
            f"tmp/{k:010d}.png",
            "a.png",
            0.5,
            "Neutral",
        ]
        row += [int(n in where and strength[k, where[n]] >= 0.5) for n in LIBREFACE]
        row += [
            round(5 * strength[k, where[n]], 3) if n in where else 0.0 for n in LIBREFACE_INTENSITY
        ]
        rows.append(row)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return path
