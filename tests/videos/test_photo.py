"""Photos are read as viewers show them, and only what stands still is a photo."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from stages.core.errors import DataError
from stages.videos.audio import read_sound
from stages.videos.photo import is_photo, is_picture, read_photo
from stages.videos.video import read_frames, scan

HEIGHT, WIDTH = 48, 64


def scene() -> np.ndarray:
    """Red at the upper left, blue at the lower right, grey between, softly."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / [[[HEIGHT]], [[WIDTH]]]
    image = np.stack([255 * (1 - x) * (1 - y), 60 + 0 * x, 255 * x * y], axis=-1)
    return image.astype(np.uint8)


def close(found: np.ndarray, expected: np.ndarray, most: float = 6) -> bool:
    return bool(np.abs(found.astype(int) - expected.astype(int)).mean() < most)


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.png", "a.webp", "a.bmp", "a.tif", "a.gif", "misnamed.mp4"]
)
def test_all_kinds_are_one_frame_at_0_without_sound(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    Image.fromarray(scene()).save(path, "PNG" if name == "misnamed.mp4" else None)
    frames = list(read_frames(path))
    assert [time for time, _ in frames] == [0.0]
    assert close(frames[0][1], scene(), 25 if name == "a.gif" else 6)
    assert is_photo(path)
    assert list(read_sound(path)) == []
    assert scan(path).problems == ()
    info = scan(path).info
    assert (info.width, info.height, info.sound) == (WIDTH, HEIGHT, False)


# what a viewer does to bring each stored picture upright, by the EXIF standard
STORED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.transpose(a, (1, 0, 2)),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(np.transpose(a, (1, 0, 2)), 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](scene())))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.jpg", quality=95, exif=exif)
    assert close(read_photo(tmp_path / "a.jpg"), scene())


def test_grey_cmyk_palette_and_alpha(tmp_path: Path) -> None:
    image = Image.fromarray(scene())
    grey = np.asarray(image.convert("L"))
    image.convert("L").save(tmp_path / "grey.jpg", quality=95)
    assert close(read_photo(tmp_path / "grey.jpg"), np.repeat(grey[..., None], 3, 2))
    image.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert close(read_photo(tmp_path / "cmyk.jpg"), scene(), 8)
    image.quantize(64).save(tmp_path / "palette.png")
    assert close(read_photo(tmp_path / "palette.png"), scene(), 12)
    clear = np.dstack([scene(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    clear[:, :10, 3] = 0
    Image.fromarray(clear).save(tmp_path / "alpha.png")
    found = read_photo(tmp_path / "alpha.png")
    assert (found[:, :10] == 255).all()
    assert close(found[:, 10:], scene()[:, 10:], 1)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bits(tmp_path: Path, ending: str) -> None:
    deep = scene().astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / f"colour.{ending}"), deep[:, :, ::-1])
    assert close(read_photo(tmp_path / f"colour.{ending}"), scene(), 1)
    cv2.imwrite(str(tmp_path / f"grey.{ending}"), deep[:, :, 0])
    assert close(read_photo(tmp_path / f"grey.{ending}"), np.repeat(scene()[:, :, :1], 3, 2), 1)


def test_what_moves_is_a_video_with_its_own_times(tmp_path: Path) -> None:
    pictures = [Image.fromarray(np.roll(scene(), 8 * k, axis=1)) for k in range(4)]
    for ending in ("webp", "gif", "png"):
        path = tmp_path / f"a.{ending}"
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=80, loop=0)
        assert not is_photo(path)
        frames = list(read_frames(path))
        assert [round(time, 3) for time, _ in frames] == [0.0, 0.08, 0.16, 0.24], ending
        assert not close(frames[0][1], frames[2][1])
    assert is_picture(tmp_path / "a.webp")
    assert close(list(read_frames(tmp_path / "a.webp"))[2][1], np.asarray(pictures[2]), 12)


def test_pages_of_a_tiff_are_no_animation(tmp_path: Path) -> None:
    pages = [Image.fromarray(scene()), Image.fromarray(scene()[::-1].copy())]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert is_photo(tmp_path / "a.tif")
    assert close(read_photo(tmp_path / "a.tif"), scene(), 1)


def test_a_damaged_photo_is_said_so_in_a_sentence(tmp_path: Path) -> None:
    Image.fromarray(scene()).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "head.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    for name in ("cut.png", "head.jpg"):
        with pytest.raises(DataError, match=f"{name} cannot be read as a photo .*damaged"):
            list(read_frames(tmp_path / name))
    (tmp_path / "video.jpg").write_text("no photo at all")
    with pytest.raises(DataError, match=r"video\.jpg cannot be opened"):
        list(read_frames(tmp_path / "video.jpg"))


def test_a_webp_that_ends_within_its_header_is_a_damaged_photo(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    moving = [Image.fromarray(scene()), Image.fromarray(255 - scene())]
    moving[0].save(path, save_all=True, append_images=moving[1:])
    for size in (20, 16):
        path.write_bytes(path.read_bytes()[:size])
        assert is_photo(path)
        with pytest.raises(DataError, match="cannot be read as a photo"):
            read_photo(path)
