"""Memory does not grow with the length of a video."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.core.hashing import ROOT
from stages.synthesis.video_file import write_video
from tests.inference import tiny

SIDE = 88  # pixels
RATE = 25
ALLOWED = 1.1
CODE = """
import resource, sys
from pathlib import Path
from stages.inference.options import Options
from stages.inference.predict import predict_file
from stages.inference.predictor import load_predictor, share_cores
predictor = load_predictor(Path(sys.argv[1]), Options(device="cpu", faces=sys.argv[4]))
share_cores()
result = predict_file(Path(sys.argv[2]), predictor, Path(sys.argv[3]))
print(result.frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write_long(path: Path, seconds: int) -> None:
    """A small face that comes and goes, with sound."""
    pictures = [image[::2, ::2][:SIDE, :SIDE] for image in tiny.moving(250, size=2 * SIDE)]
    pictures[200:] = [np.full_like(pictures[0], 128)] * 50
    count = seconds * RATE
    sound = np.tile(tiny.speech(10, 16_000), (1, seconds // 10))
    write_video(
        path, (pictures[k % 250] for k in range(count)), np.arange(count) / RATE, crf=32,
        sound=sound, sample_rate=16_000,
    )  # fmt: skip


def peak(ensemble: Path, video: Path, faces: str) -> float:
    """Largest resident memory of a process that predicts a video, in MiB."""
    out = video.parent / f"out_{faces}"
    done = subprocess.run(
        [sys.executable, "-c", CODE, ensemble, video, out, faces],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    frames, kilobytes = map(int, done.stdout.split())
    assert frames > RATE * 10
    return kilobytes / 1024


def compare(ensemble: Path, folder: Path, faces: str, seconds: int, longer: int) -> None:
    write_long(folder / "short.mp4", seconds)
    write_long(folder / "long.mp4", longer)
    short = peak(ensemble, folder / "short.mp4", faces)
    long = peak(ensemble, folder / "long.mp4", faces)
    print(f"{faces}: {seconds} s {short:.0f} MiB, {longer} s {long:.0f} MiB")
    assert long <= ALLOWED * short


@pytest.mark.slow
def test_two_minutes_need_no_more_than_a_half(ensemble: Path, tmp_path: Path) -> None:
    compare(ensemble, tmp_path, "main", 30, 120)


@pytest.mark.slow
@pytest.mark.parametrize("faces", ["main", "all"])
def test_an_hour_needs_no_more_than_a_minute(ensemble: Path, tmp_path: Path, faces: str) -> None:
    compare(ensemble, tmp_path, faces, 60, 3600)
