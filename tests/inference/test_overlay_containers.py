"""Overlays of files whose containers play tricks on time, size and shape of the pictures."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stages.inference.views.drawing import ORANGE, plan
from stages.inference.views.overlay import write_overlay
from stages.videos.audio import read_sound
from stages.videos.video import read_frames, scan
from tests.inference import tracks
from tests.videos.test_containers import later, pictures, write

FULL = (0.0, 0.0, 95.0, 63.0)  # a box around all of a picture of 96 by 64


def overlay(video: Path, box: tuple[float, float, float, float] = FULL) -> Path:
    times = scan(video).timestamps
    table = tracks.ours(video.parent, times, tracks.course(len(times)), box=box)
    return write_overlay(video, table.with_suffix(".parquet"), video.with_name("o.mp4"))


def levels(video: Path, parts: int) -> list[float]:
    """Largest sample of each of so many parts of a video's sound."""
    heard = np.concatenate([samples for _, samples in read_sound(video)])
    return [float(np.abs(part).max()) for part in np.array_split(heard, parts)]


@pytest.mark.parametrize("codec", ["mp2", "aac"])  # coded anew, and copied
def test_where_time_starts_again_pictures_and_sound_go_on(tmp_path: Path, codec: str) -> None:
    path = write(tmp_path / "a.ts", pictures(25), "mpeg2video", tones=(0.5,), sound_codec=codec)
    path.write_bytes(path.read_bytes() * 2)
    made = overlay(path)
    times = scan(made).timestamps
    np.testing.assert_allclose(times - times[0], np.arange(50) / 25, atol=0.06)
    assert sum(len(samples) for _, samples in read_sound(made)) > 1.8 * 16_000, "of both halves"
    assert min(levels(made, 6)) > 0.2


def test_a_pause_of_hours_is_a_second_of_the_overlay(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ts", pictures(25), "mpeg2video", tones=(0.5,))
    path.write_bytes(path.read_bytes() + later(path, 40_000).read_bytes())
    made = overlay(path)
    steps = np.diff(scan(made).timestamps)
    assert len(steps) == 49
    assert steps.max() == pytest.approx(1, abs=0.1)
    heard = [(time, len(samples)) for time, samples in read_sound(made)]
    assert sum(count for _, count in heard) < 4 * 16_000, "no silence of hours"
    found = levels(made, 9)
    assert min(found[0], found[8]) > 0.2 > found[4]


def resized(path: Path, sizes: list[tuple[int, int]]) -> Path:
    """VP8 whose pictures change their size on the way, five of each, as a call's bandwidth does."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=25)
        stream.width, stream.height, stream.pix_fmt = *sizes[0], "yuv420p"
        number = 0
        for width, height in sizes:
            coder = av.CodecContext.create("libvpx", "w")
            coder.width, coder.height, coder.pix_fmt = width, height, "yuv420p"
            coder.time_base, coder.framerate = Fraction(1, 25), Fraction(25)
            frames = []
            for _ in range(5):
                image = np.full((height, width, 3), 60, np.uint8)
                image[height // 4 : height // 2, width // 4 : width // 2] = 220
                frame = av.VideoFrame.from_ndarray(image, "rgb24")
                frame.pts, frame.time_base, number = number, Fraction(1, 25), number + 1
                frames.append(frame)
            for frame in (*frames, None):
                for packet in coder.encode(frame):
                    packet.stream, packet.time_base = stream, Fraction(1, 25)
                    container.mux(packet)
    return path


def test_box_and_face_stay_together_where_pictures_change_their_size(tmp_path: Path) -> None:
    sizes = [(180, 144), (720, 576), (180, 144)]
    path = resized(tmp_path / "a.webm", sizes)
    shown = [image for _, image in read_frames(path)]
    assert [image.shape[1::-1] for image in shown] == [size for size in sizes for _ in range(5)]
    times = scan(path).timestamps
    rows = tracks.ours(tmp_path, times[:5], tracks.course(5), box=(45, 36, 90, 72))
    rows = joined(rows, times, [(45, 36, 90, 72), (180, 144, 360, 288), (45, 36, 90, 72)])
    made = write_overlay(path, rows, tmp_path / "o.mp4")
    scale = plan(*sizes[0]).picture[0] / sizes[0][0]
    for number, (_, image) in enumerate(read_frames(made)):
        x, y = (np.round(np.array(ends) * scale).astype(int) for ends in ((45, 90), (36, 72)))
        inner = image[y[0] + 8 : y[1] - 8, x[0] + 8 : x[1] - 8].mean(-1)
        assert np.median(inner) > 170, f"the bright part of picture {number} is where it was"
        edge = image[y[0] - 4 : y[0] + 5, x[0] : x[1]].astype(int)
        near = np.abs(edge - np.asarray(ORANGE)).sum(-1).min(0)
        assert (near < 160).mean() > 0.8, f"the box of picture {number} is around it"


def joined(table: Path, times: NDArray[np.float64], boxes: list[tuple[int, int, int, int]]) -> Path:
    """One table of several runs of five frames, each with a box of its own."""
    import pyarrow as pa
    from pyarrow import parquet

    parts = []
    for k, box in enumerate(boxes):
        own = slice(5 * k, 5 * k + 5)
        tracks.ours(table.parent, times[own], tracks.course(5), box=box)
        part = parquet.read_table(table.with_suffix(".parquet"))
        number = pa.array(np.arange(5 * k + 1, 5 * k + 6))
        parts.append(part.set_column(part.column_names.index("frame"), "frame", number))
    parquet.write_table(pa.concat_tables(parts), table.with_suffix(".parquet"))
    return table.with_suffix(".parquet")


def test_pixels_that_are_not_square_are_drawn_square(tmp_path: Path) -> None:
    disc = np.full((64, 96, 3), 20, np.uint8)
    # round where pixels are 64 wide and 45 high
    cv2.ellipse(disc, (48, 32), (round(24 * 45 / 64), 24), 0, 0, 360, (230, 230, 230), -1)
    path = write(tmp_path / "a.mp4", [disc] * 3, aspect=Fraction(64, 45))
    made = overlay(path, box=(0.0, 0.0, 1.0, 1.0))
    _, image = next(read_frames(made))
    width, height = plan(scan(path).info.width, scan(path).info.height).picture
    bright = image[:height, :width].min(-1) > 120
    wide, high = bright.any(0).sum(), bright.any(1).sum()
    assert wide / high == pytest.approx(1, abs=0.08)
