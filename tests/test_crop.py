import shutil
from pathlib import Path

import cv2
import insightface
import numpy as np
import pytest
import yaml
from skimage import data

from stages import crop, index
from stages.core import paths
from stages.core.errors import DataError, SettingsError
from stages.core.facs import ANNOTATION_HEADER, N_AUS
from stages.crops.alignment import align, crop_displacement
from stages.crops.crop_file import CropReader, encode_jpeg
from stages.faces.centerface import CenterFace
from stages.synthesis.video_file import write_video
from stages.videos.video import read_frames

PROJECT = Path(__file__).parents[1]
CLIPS = PROJECT.parent / "shared" / "clips"
PEOPLE = Path(insightface.__file__).parent / "data" / "images" / "t1.jpg"
TRAIN_SET = "AU_Detection_Challenge/Train_Set"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings that are written where the stages look for them, by ``settings(crop__x=1)``."""
    monkeypatch.chdir(tmp_path)
    content = yaml.safe_load((PROJECT / "params.yaml").read_text())
    content["data"]["root"] = "root"
    content["compute"] = {"workers": 1, "device": "cpu", "precision": "auto"}

    def change(**values):
        for key, value in values.items():
            section, name = key.split("__")
            content[section][name] = value
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))

    change()
    (tmp_path / "root" / "batch1").mkdir(parents=True)
    return change


def face(side: int) -> np.ndarray:
    """The astronaut's head in a square picture."""
    return cv2.resize(data.astronaut()[30:230, 125:325], (side, side))


def another_face(side: int) -> np.ndarray:
    """One of the six people of insightface's example."""
    image = cv2.imread(str(PEOPLE))[:, :, ::-1]
    return cv2.resize(np.ascontiguousarray(image[310:520, 695:905]), (side, side))


def scene(*faces: tuple[np.ndarray, int, int]) -> np.ndarray:
    image = np.full((240, 480, 3), (60, 90, 70), np.uint8)
    for picture, x, y in faces:
        side = len(picture)
        image[y : y + side, x : x + side] = picture
    return image


def add(name: str, pictures: list[np.ndarray], *annotations: str) -> None:
    write_video(
        Path("root/batch1") / f"{name}.mp4", pictures, np.arange(len(pictures)) / 25, crf=18
    )
    for annotation in annotations or [name]:
        annotate(annotation, len(pictures))


def annotate(name: str, frames: int) -> None:
    path = Path("root") / TRAIN_SET / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([ANNOTATION_HEADER, *[",".join("0" * N_AUS)] * frames]))


def run() -> None:
    index.main()
    crop.main()


def read(name: str) -> CropReader:
    return CropReader(paths.CROPS / f"{name}.h5")


def test_one_row_a_frame_near_full_detection_of_every_frame(settings):
    head = face(160)
    path = [(40 + 3 * k, 40 + round(20 * np.sin(k / 5))) for k in range(30)]
    add("walk", [scene((head, x, y)) for x, y in path])
    run()
    detector = CenterFace(0.5, "cpu")
    with read("walk") as crops:
        assert len(crops) == 30
        assert crops.status.all()
        np.testing.assert_allclose(crops.timestamps, np.arange(30) / 25, atol=1e-6)
        frames = read_frames(Path("root/batch1/walk.mp4"))
        for k, (_, image) in enumerate(frames):
            found = detector.detect(image)
            assert crop_displacement(found.landmarks[0], crops.landmarks[k]) < 2
            (stored,) = crops.read(k, k + 1)
            assert stored is not None
            expected = align(image, crops.landmarks[k]).astype(int)
            assert np.abs(stored.astype(int) - expected).mean() < 3
        assert crops.attributes["detector"] == "centerface"
        assert crops.attributes["source"] == "detect"
        assert crops.attributes["detect_every"] == 4


def test_both_of_two_people_are_followed_apart(settings):
    first, second = face(160), another_face(160)
    add(
        "pair",
        [scene((first, 30 + k, 40), (second, 280 - k, 40)) for k in range(25)],
        "pair",
        "pair_right",
    )
    run()
    with read("pair") as left, read("pair_right") as right:
        assert left.status.all()
        assert right.status.all()
        assert (left.box[:, 2] < right.box[:, 0]).all()
        # the same person in each crop, from the first frame to the last
        for crops, other in ((left, right), (right, left)):
            start, end = crops.read(0, 1)[0], crops.read(24, 25)[0]
            stranger = other.read(24, 25)[0]
            assert start is not None
            change = np.abs(start.astype(int) - end).mean()
            assert change < 0.5 * np.abs(start.astype(int) - stranger).mean()


def test_frames_without_a_face_are_rows_too(settings):
    there, gone = scene((face(160), 100, 40)), scene()
    add("away", [gone] * 5 + [there] * 14 + [gone] * 26 + [there] * 10)
    run()
    with read("away") as crops:
        expected = [0] * 5 + [1] * 14 + [0] * 26 + [1] * 10
        np.testing.assert_array_equal(crops.status, expected)
        assert np.isnan(crops.landmarks[crops.status == 0]).all()
        assert [c is not None for c in crops.read()] == list(map(bool, expected))


def test_published_crops_are_taken_where_there_are_any(settings):
    settings(crop__source="cropped_aligned")
    add("official", [scene((face(160), 100, 40))] * 6)
    add("other", [scene((face(160), 100, 40))] * 3)
    folder = Path("root/cropped_aligned/official")
    folder.mkdir(parents=True)
    published = {k: encode_jpeg(np.full((112, 112, 3), 20 * k, np.uint8)) for k in (1, 2, 4, 5)}
    for k, content in published.items():
        (folder / f"{k:05d}.jpg").write_bytes(content)
    (folder / "00005.jpg").write_bytes(published[5][:-300])  # damaged
    (folder / "00006.jpg").write_bytes(b"")
    run()
    with read("official") as crops:
        np.testing.assert_array_equal(crops.status, [1, 1, 0, 1, 0, 0])
        np.testing.assert_allclose(crops.timestamps, np.arange(6) / 25, atol=1e-6)
        for k, image in enumerate(crops.read(), start=1):
            if image is not None:
                assert np.abs(image.astype(int) - 20 * k).max() < 4
        assert crops.attributes["source"] == "cropped_aligned"
    with read("other") as crops:
        assert crops.status.all()
        assert crops.attributes["source"] == "detect"


def test_a_video_that_fails_is_named_and_the_rest_goes_on(settings, capsys):
    for name in ("changed", "good", "gone"):
        add(name, [scene((face(160), 100, 40))] * 5)
    index.main()
    Path("root/batch1/gone.mp4").unlink()
    shutil.copy("root/batch1/good.mp4", "root/batch1/changed.mp4")
    add("changed", [scene()] * 4)
    crop.main()
    assert [path.name for path in paths.CROPS.iterdir()] == ["good.h5"]
    said = capsys.readouterr().out
    assert "1 videos cropped: a face in 5 of 5 frames" in said
    assert "changed: batch1/changed.mp4 has 4 frames, the manifest counts 5" in said
    assert "gone: " in said
    assert "2 failed" in said
    Path("root/batch1/good.mp4").unlink()
    Path("root/batch1/changed.mp4").unlink()
    shutil.rmtree(".partial")
    with pytest.raises(DataError, match="No video could be cropped"):
        crop.main()


def test_the_number_of_workers_leaves_no_trace(settings):
    for name in ("a", "b"):
        add(name, [scene((face(160), 100 + k, 40)) for k in range(7)])
    run()
    expected = {path.name: path.read_bytes() for path in paths.CROPS.iterdir()}
    settings(compute__workers=2)
    shutil.rmtree(".partial")
    crop.main()
    assert {path.name: path.read_bytes() for path in paths.CROPS.iterdir()} == expected


def test_missing_weights_are_said_once_before_the_work(settings, monkeypatch, tmp_path):
    add("a", [scene((face(160), 100, 40))] * 3)
    index.main()
    monkeypatch.setenv("HOME", str(tmp_path))
    settings(crop__detector="insightface")
    with pytest.raises(SettingsError, match=r"buffalo_l\.zip"):
        crop.main()


def test_without_an_index_it_says_what_to_run(settings):
    with pytest.raises(DataError, match="dvc repro index"):
        crop.main()


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not beside the checkout")
def test_real_faces_are_found_in_every_frame_that_shows_one(settings):
    settings(compute__workers=2)
    for clip in CLIPS.glob("*.m[po]*"):
        shutil.copy(clip, "root/batch1")
    frames = {f"grid_{name}": 75 for name in ("brbk7n", "lbbc2a", "sbia1a", "swiz3n")}
    frames |= {"face_noface": 169, "single_face": 72}
    for name, count in frames.items():
        annotate(name, count)
    run()
    for name, count in frames.items():
        with read(name) as crops:
            shown = 72 if name == "face_noface" else count  # the face is gone from frame 72 on
            np.testing.assert_array_equal(crops.status, np.arange(count) < shown)
            assert (np.diff(crops.timestamps) > 0).all()
