import h5py
import numpy as np
import pytest
from PIL import Image

from stages.core.errors import DataError
from stages.crops.crop_file import BUFFERED_ROWS, CropReader, CropWriter, decode_jpeg, encode_jpeg


def picture(seed: int) -> np.ndarray:
    """A smooth coloured picture: what JPEG keeps almost as it is."""
    y, x = np.mgrid[:112, :112] / 112
    waves = [np.sin(3 * x + seed), np.cos(2 * y + seed), np.sin(x + y - seed)]
    return (127.5 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)


def write(path, frames: int, **attributes) -> None:
    with CropWriter(path, {"detector": "centerface", **attributes}) as writer:
        for k in range(frames):
            if k % 3 == 1:
                writer.append(None, timestamp=k / 25)
            else:
                points = np.full((5, 2), k, float)
                writer.append(picture(k), points, (k, 1, 2, 3), 0.5, k / 25)


def test_rows_come_back_as_they_were_written(tmp_path):
    frames = 2 * BUFFERED_ROWS + 7
    write(tmp_path / "a.h5", frames, jpeg_quality=98)
    with CropReader(tmp_path / "a.h5") as crops:
        assert len(crops) == frames
        absent = np.arange(frames) % 3 == 1
        np.testing.assert_array_equal(crops.status == 0, absent)
        np.testing.assert_allclose(crops.timestamps, np.arange(frames) / 25)
        np.testing.assert_array_equal(crops.landmarks[~absent, 0, 0], np.arange(frames)[~absent])
        assert np.isnan(crops.landmarks[absent]).all()
        assert np.isnan(crops.box[absent]).all()
        assert (crops.score[absent] == 0).all()
        assert crops.attributes["jpeg_quality"] == 98
        assert crops.attributes["detector"] == "centerface"
        for start, stop in ((0, 4), (BUFFERED_ROWS - 2, BUFFERED_ROWS + 3), (frames - 1, None)):
            for k, crop in enumerate(crops.read(start, stop), start=start):
                if absent[k]:
                    assert crop is None
                else:
                    assert crop is not None
                    assert np.abs(crop.astype(int) - picture(k)).mean() < 2
        assert crops.read(5, 5) == []
        assert len(crops.read()) == frames


def test_jpegs_are_what_another_decoder_reads_in_rgb(tmp_path):
    red = np.zeros((112, 112, 3), np.uint8)
    red[..., 0] = 250
    (tmp_path / "red.jpg").write_bytes(encode_jpeg(red))
    by_pillow = np.asarray(Image.open(tmp_path / "red.jpg"))
    assert np.abs(by_pillow.astype(int) - red).max() < 5
    np.testing.assert_allclose(decode_jpeg(encode_jpeg(red)), by_pillow, atol=2)


def test_published_jpegs_are_kept_byte_for_byte(tmp_path):
    data = encode_jpeg(picture(0), 80)
    with CropWriter(tmp_path / "a.h5", {}) as writer:
        writer.append(data, timestamp=1.0)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["jpeg"][()].tobytes() == data
        assert file["jpeg_offset"][()].tolist() == [0, len(data)]


def test_same_rows_same_bytes(tmp_path):
    write(tmp_path / "a.h5", 300)
    write(tmp_path / "b.h5", 300)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_contours_and_further_datasets(tmp_path):
    contour = np.arange(212).reshape(106, 2)
    with CropWriter(tmp_path / "a.h5", {}, contours=True) as writer:
        writer.append(picture(0), contour=contour)
        writer.append(None)
        writer.add("au", np.ones((2, 12), np.int8))
    with CropReader(tmp_path / "a.h5") as crops:
        np.testing.assert_array_equal(crops.extra("contour")[0], contour)
        assert np.isnan(crops.extra("contour")[1]).all()
        assert crops.extra("au").shape == (2, 12)


def test_a_video_without_frames_is_an_empty_file(tmp_path):
    write(tmp_path / "a.h5", 0)
    with CropReader(tmp_path / "a.h5") as crops:
        assert len(crops) == 0
        assert crops.read() == []


def test_wrong_crops_are_refused():
    with pytest.raises(ValueError, match="112"):
        encode_jpeg(np.zeros((100, 112, 3), np.uint8))
    with pytest.raises(DataError):
        decode_jpeg(b"no picture")


def test_wrong_files_are_a_sentence(tmp_path):
    with pytest.raises(DataError, match="dvc repro crop"):
        CropReader(tmp_path / "a.h5")
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50))
    with pytest.raises(DataError, match="dvc repro crop"):
        CropReader(tmp_path / "a.h5")
    h5py.File(tmp_path / "b.h5", "w").close()
    with pytest.raises(DataError, match="not a crop file"):
        CropReader(tmp_path / "b.h5")
