"""A small video, and predictors in place of the real one, for a server's worker process."""

import csv
import json
import os
import signal
import time
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from stages.core.errors import DataError
from stages.core.facs import AU_NAMES
from stages.core.intensity import intensity_of
from stages.inference.columns import BOX, COLUMNS, DECISIONS, INTENSITIES, LANDMARKS
from stages.inference.web.work import Progress
from stages.synthesis.video_file import write_video
from stages.videos.video import scan

SIDE = 128
RATE = 25  # frames a second
HALF = 0.5  # threshold of every AU


def make_clip(path: Path, frames: int = 50, sound: bool = True) -> Path:
    """Write H.264 and AAC: a square that wanders over grey, and a tone."""
    pictures = np.full((frames, SIDE, SIDE, 3), 90, np.uint8)
    for number, picture in enumerate(pictures):
        left = (2 * number) % (SIDE - 24)
        picture[40:64, left : left + 24] = (220, 180, 150)
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(frames * 48_000 // RATE) / 48_000)
    write_video(
        path,
        pictures,
        np.arange(frames) / RATE,
        crf=23,
        sound=tone[None].astype(np.float32) if sound else None,
    )
    return path


def make_old_clip(path: Path, frames: int = 50) -> Path:
    """Write MPEG-4 pictures without sound into a container that browsers do not play."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for number in range(frames):
            picture = np.full((SIDE, SIDE, 3), 4 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def probabilities(frames: int) -> NDArray[np.float64]:
    """What the stand-in predicts, (frames, 12): each AU rises and falls at a pace of its own."""
    pace = np.arange(1, 13)
    return np.round(0.5 + 0.5 * np.sin(np.outer(np.arange(frames) / 20, pace)), 6)


def predict(video: Path, out: Path, progress: Progress) -> None:
    """Write the three files of a prediction; frame 10 shows no face."""
    times = scan(video).timestamps
    levels = probabilities(len(times))
    rows = []
    for number, (moment, row) in enumerate(zip(times, levels, strict=True), start=1):
        seen = number != 10
        cells = {
            "frame": number,
            "timestamp": round(float(moment), 6),
            "face_id": 1,
            "status": "face" if seen else "no_face",
            "confidence": 0.9 if seen else 0.0,
            **dict(zip(BOX, (30.0, 30.0, 90.0, 90.0), strict=True)),
            **dict(zip(AU_NAMES, map(float, row), strict=True)),
            **dict(zip(INTENSITIES, intensity_of(row).tolist(), strict=True)),
            **dict(zip(DECISIONS, (int(p >= HALF) for p in row), strict=True)),
            **dict(zip(LANDMARKS, (45, 50, 75, 50, 60, 62, 48, 76, 72, 76), strict=True)),
        }
        rows.append({name: cells[name] for name in COLUMNS})
        progress(number, len(times))
    with (out / f"{video.stem}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    table = {name: [row[name] for row in rows] for name in COLUMNS}
    for name in LANDMARKS:
        table[name] = [float(value) for value in table[name]]
    parquet.write_table(pa.table(table), out / f"{video.stem}.parquet")
    about = {
        "kind": "aufusion prediction",
        "source": {},
        "ensemble": {},
        "options": {},
        "thresholds": [HALF] * 12,
        "frames": len(times),
        "warnings": ["The scores of this stand-in are synthetic."],
    }
    (out / f"{video.stem}.json").write_text(json.dumps(about))


def predict_at_leave(video: Path, out: Path, progress: Progress) -> None:
    """Tell of frames 2 and 5 of 50, then wait for a file named ``go`` beside the jobs' folders."""
    (out / "pid").write_text(str(os.getpid()))
    progress(2, 50)
    while not (out.parent.parent / "go").exists():
        progress(5, 50)  # not all that is told is passed on
        time.sleep(0.02)
    predict(video, out, progress)


def note_worker(file: Path) -> None:
    """Add the process that loads to a list."""
    with file.open("a") as opened:
        opened.write(f"{os.getpid()}\n")


def predict_nothing(video: Path, out: Path, progress: Progress) -> None:
    """Refuse, as the predictor does what it cannot read."""
    raise DataError(f"{video} holds no picture that decodes.")


def predict_and_crash(video: Path, out: Path, progress: Progress) -> None:
    """Die as a decoder with a defect would."""
    (out / "half.csv").write_text("half")
    os.kill(os.getpid(), signal.SIGSEGV)


def predict_with_a_defect(video: Path, out: Path, progress: Progress) -> None:
    """Fail as no predictor should."""
    raise ZeroDivisionError("secret of the server")


def predict_or_crash(video: Path, out: Path, progress: Progress) -> None:
    """Crash on the upload called bad.mp4, by what its record says; predict others."""
    record = json.loads((out.parent / "job.json").read_text())
    (predict_and_crash if record["name"] == "bad.mp4" else predict)(video, out, progress)


def load_nothing() -> None:
    """Stand for the loading of what predicts."""
