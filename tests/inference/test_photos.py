"""`aufusion predict` of photos: a folder of them, their overlay, their page, small and large."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.inference.folder import predict_all
from stages.inference.options import Options
from stages.inference.predictor import Predictor
from stages.inference.results import read_rows
from stages.inference.task import Extras
from tests.inference import tiny


def predict(
    predictor: Predictor, given: Path, out: Path, faces: str = "main", **extras: bool
) -> dict[str, str]:
    options = Options(device="cpu", faces=faces)  # type: ignore[arg-type]
    done = predict_all(
        [given],
        Path(),
        out,
        options,
        extras=Extras(**extras),
        load=lambda _, o: replace(predictor, options=o),
    )
    return done.failed


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    face = Image.fromarray(tiny.portrait())
    face.save(folder / "a.jpg", quality=95)
    face.save(folder / "b.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    face.rotate(90).save(folder / "turned.jpg", quality=95, exif=exif)
    return folder


def test_a_folder_of_photos(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    (photos / "broken.jpg").write_bytes((photos / "a.jpg").read_bytes()[:3000])
    out = tmp_path / "out"
    failed = predict(predictor, photos, out, overlay=True, report=True)
    assert list(failed) == [str(photos / "broken.jpg")]
    assert "cannot be read as a photo" in failed[str(photos / "broken.jpg")]
    said = {}
    for name in ("a", "b", "turned"):
        rows = read_rows(out / f"{name}.parquet")
        assert (rows.frame.tolist(), rows.timestamp.tolist()) == ([1], [0.0])
        assert rows.status.tolist() == ["face"]
        said[name] = rows.probabilities[0]
        about = json.loads((out / f"{name}.json").read_text())
        assert about["photo"]
        assert not [text for text in about["warnings"] if "sound" in text or "a second" in text]
        with Image.open(out / f"{name}.overlay.jpg") as drawn:
            assert drawn.width > drawn.height > 200
        page = (out / f"{name}.html").read_text()
        assert "<img src='data:image/jpeg;base64," in page
        assert "<p class='facts'>photo, one face</p>" in page
    np.testing.assert_allclose(said["a"], said["b"], atol=0.05)
    np.testing.assert_allclose(said["a"], said["turned"], atol=0.05)


@pytest.mark.parametrize("side", [40, 64, 2000])
def test_faces_of_any_size_are_found(predictor: Predictor, tmp_path: Path, side: int) -> None:
    """The face alone: as a thumbnail, and filling a large photo from border to border."""
    face = Image.fromarray(tiny.portrait()[30:170, 75:195]).resize((side, side), Image.LANCZOS)
    face.save(tmp_path / "a.png")
    assert predict(predictor, tmp_path / "a.png", tmp_path / "out") == {}
    rows = read_rows(tmp_path / "out/a.parquet")
    assert rows.status.tolist() == ["face"]
    centre = (rows.box[0, :2] + rows.box[0, 2:]) / 2 / side
    assert ((centre > 0.3) & (centre < 0.7)).all()


def test_a_small_face_in_a_large_photo_is_found(predictor: Predictor, tmp_path: Path) -> None:
    photo = np.full((3000, 4000, 3), 120, np.uint8)
    small = Image.fromarray(tiny.portrait()).resize((144, 144), Image.LANCZOS)  # face of 55 pixels
    photo[400:544, 3000:3144] = np.asarray(small)
    Image.fromarray(photo).save(tmp_path / "a.jpg", quality=92)
    assert predict(predictor, tmp_path / "a.jpg", tmp_path / "out") == {}
    rows = read_rows(tmp_path / "out/a.parquet")
    assert rows.status.tolist() == ["face"]
    assert 3000 < rows.box[0, 0] < 3144
    assert 400 < rows.box[0, 1] < 544


def test_everyone_in_a_photo(predictor: Predictor, tmp_path: Path) -> None:
    face = tiny.portrait()
    Image.fromarray(np.concatenate([face, face[:, ::-1], face], axis=1)).save(tmp_path / "a.png")
    assert predict(predictor, tmp_path / "a.png", tmp_path / "out", faces="all") == {}
    rows = read_rows(tmp_path / "out/a.parquet")
    assert sorted(rows.face_id.tolist()) == [1, 2, 3]
    assert sorted(np.floor(rows.box[:, 0] / 288).tolist()) == [0, 1, 2]


def test_a_photo_without_a_face(predictor: Predictor, tmp_path: Path) -> None:
    Image.fromarray(np.full((200, 300, 3), 90, np.uint8)).save(tmp_path / "a.png")
    predict(predictor, tmp_path / "a.png", tmp_path / "out", overlay=True, report=True)
    about = json.loads((tmp_path / "out/a.json").read_text())
    assert "No face was found: there are no AUs." in about["warnings"]
    assert (tmp_path / "out/a.overlay.jpg").exists()


def test_a_moving_webp_is_a_video(predictor: Predictor, tmp_path: Path) -> None:
    pictures = [Image.fromarray(p) for p in tiny.moving(12)]
    pictures[0].save(
        tmp_path / "a.webp", save_all=True, append_images=pictures[1:], duration=40, quality=90
    )
    assert predict(predictor, tmp_path / "a.webp", tmp_path / "out", overlay=True) == {}
    rows = read_rows(tmp_path / "out/a.parquet")
    assert rows.frame.tolist() == list(range(1, 13))
    assert (tmp_path / "out/a.overlay.mp4").exists()
