"""Frames a second of `crop` beside the plain way, and how far their crops lie apart.

The plain way takes one frame at a time, at full size, and runs detection on every frame. Both run
on one core, on the videos of the manifest. Needs `dvc repro index`; run by `make bench`.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from stages.check_settings import load_params
from stages.core import paths
from stages.core.console import run_stage
from stages.crops.alignment import align, crop_displacement
from stages.crops.crop_file import CropReader, CropWriter
from stages.faces.cropping import Task, crop_entry
from stages.faces.detector import load_detector
from stages.faces.face import Face, choose, faces_of, nearest
from stages.videos.manifest import Manifest
from stages.videos.video import read_frames


def crop_plainly(task: Task, path: Path) -> None:
    """Detect on every frame at full size, take the annotated person, align, write."""
    settings = task.settings
    detector = load_detector(settings.detector, settings.pack, settings.score_threshold, "cpu")
    last: Face | None = None
    assert task.entry.video is not None
    with CropWriter(path, task.attributes) as writer:
        for moment, image in read_frames(task.root / task.entry.video):
            everyone = faces_of(detector.detect(image))
            if last is None:
                face = choose(everyone, task.entry.side, image.shape[1])
            else:
                face = nearest(everyone, last, 1.0)
            if face is None:
                writer.append(None, timestamp=moment)
                continue
            last = face
            writer.append(
                align(image, face.landmarks), face.landmarks, face.box, face.score, moment
            )


def displacements(first: Path, second: Path) -> tuple[list[float], int]:
    """Displacement of each frame that shows a face in both files, and how many statuses differ."""
    with CropReader(first) as a, CropReader(second) as b:
        both = (a.status == 1) & (b.status == 1)
        pairs = zip(a.landmarks[both], b.landmarks[both], strict=True)
        return [crop_displacement(x, y) for x, y in pairs], int((a.status != b.status).sum())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=12, help="how many videos to measure on")
    count = parser.parse_args().videos
    params = load_params()
    entries = Manifest.load(paths.INDEX).entries
    chosen = entries[:: max(1, len(entries) // count)][:count]
    settings = params.crop.model_copy(update={"source": "detect"})
    load_detector(settings.detector, settings.pack, settings.score_threshold, "cpu")
    seconds = np.zeros(2)
    shifts: list[float] = []
    differing = 0
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("stage.h5", "plain.h5")]
        for entry in chosen:
            task = Task(entry, params.data.root, paths.INDEX, settings, "cpu")
            for k, make in enumerate((crop_entry, crop_plainly)):
                start = time.perf_counter()
                make(task, files[k])
                seconds[k] += time.perf_counter() - start
            more, other = displacements(files[1], files[0])
            shifts += more
            differing += other
    frames = sum(entry.frames for entry in chosen)
    rates = frames / seconds
    print(f"crop, {len(chosen)} videos, {frames} frames, one core")
    print(f"  the stage (every {settings.detect_every} frames): {rates[0]:7.1f} frames a second")
    print(f"  the plain way:                  {rates[1]:7.1f} frames a second")
    print(f"  {rates[0] / rates[1]:.1f} times as fast")
    if shifts:
        print(
            f"  crops lie {np.mean(shifts):.2f} pixels apart on average, 95 % within "
            f"{np.percentile(shifts, 95):.2f}, at most {np.max(shifts):.2f}; "
            f"{np.mean(np.asarray(shifts) > 2):.2%} of frames beyond 2 pixels"
        )
    print(f"  face or no_face differs in {differing} of {frames} frames")


if __name__ == "__main__":
    run_stage(main)
