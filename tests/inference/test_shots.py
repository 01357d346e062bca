"""Hard cuts: found where they are, and nothing followed, windowed or smoothed across them."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stages.core.hashing import ROOT
from stages.faces.detector import load_detector
from stages.faces.tracking import Follower
from stages.inference.detection import look
from stages.inference.footage import Pictures
from stages.inference.options import Options
from stages.inference.predict import predict_file
from stages.inference.predictor import Predictor
from stages.inference.results import read_rows
from stages.inference.searching import Searcher
from stages.inference.shots import CutDetector, split
from stages.inference.stopwatch import Stopwatch
from stages.synthesis.video_file import write_video
from stages.videos.clock import Log
from stages.videos.video import read_frames
from tests.inference import tiny

CLIPS = ROOT.parent / "shared/clips"
Image = NDArray[np.uint8]


def scene(seed: int, shade: int = 0) -> Image:
    """A room, say: 240 by 400 pixels of smooth patches."""
    random = np.random.default_rng(seed)
    coarse = random.integers(20, 235, (9, 13, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (400, 240), interpolation=cv2.INTER_CUBIC).astype(int)
    return np.asarray((image + shade).clip(0, 255), np.uint8)


def shot(seed: int, frames: int, *, step: int = 1, noise: int = 6) -> list[Image]:
    """The camera goes over a scene, with noise."""
    random, whole = np.random.default_rng(seed + 100), scene(seed)
    found = []
    for k in range(frames):
        x = 80 - abs((k * step) % 160 - 80)  # to and fro
        part = whole[:, x : x + 320].astype(int)
        part = part + random.normal(0, noise, part.shape).astype(int)
        found.append(np.asarray(part.clip(0, 255), np.uint8))
    return found


def cuts(pictures: list[Image]) -> list[int]:
    detector = CutDetector()
    return [k for k, image in enumerate(pictures) if detector.begins(image)]


def test_cuts_are_where_the_shots_change() -> None:
    pictures = [image for seed in range(4) for image in shot(seed, 25)]
    assert cuts(pictures) == [25, 50, 75]


@pytest.mark.parametrize("step", [0, 3, 8])
def test_a_moving_camera_is_no_cut(step: int) -> None:
    assert cuts(shot(1, 60, step=step)) == []


def test_flashes_fades_and_black_pictures_are_no_cut() -> None:
    pictures = shot(2, 40)
    for k in (10, 11, 25):
        pictures[k] = np.asarray((pictures[k].astype(int) + 90).clip(0, 255), np.uint8)
    assert cuts(pictures) == []
    dark = [np.asarray(p * (1 - min(k, 20) / 20), np.uint8) for k, p in enumerate(shot(3, 30))]
    assert cuts(dark) == []
    black = [np.zeros((240, 320, 3), np.uint8)] * 5
    first, second = shot(4, 10), shot(5, 10)
    assert cuts([*first, *black, *first]) == []
    assert cuts([*first, *black, *second]) == [15], "behind black is another shot"
    assert cuts([*first, *black * 3, *second]) == []


def test_a_change_of_size_is_a_part_and_no_cut() -> None:
    pictures = shot(6, 12)
    large = [cv2.resize(image, (640, 480)) for image in pictures]
    frames = [(k / 25, image) for k, image in enumerate([*pictures[:6], *large[6:]])]

    def taken() -> Iterator[tuple[bool, list[float]]]:
        for cut, part in split(frames):
            yield cut, [time for time, _ in part]

    times = [k / 25 for k in range(12)]
    assert list(taken()) == [(False, times[:6]), (False, times[6:])]


def test_real_clips_of_one_shot_have_no_cut() -> None:
    if not CLIPS.is_dir():
        pytest.skip("no clips beside the project")
    for name in ("grid_sbia1a.mpg", "single_face.mp4"):
        detector = CutDetector()
        assert not any(detector.begins(image) for _, image in read_frames(CLIPS / name)), name


def people(frames: int) -> list[Image]:
    """Two shots: a face on the left before a plain wall, then one on the right before another."""
    face = tiny.portrait()[30:190, 60:220]
    walls = [np.full((220, 420, 3), shade, np.uint8) for shade in ((40, 70, 120), (200, 180, 90))]
    walls[0][:, 300:] = (150, 40, 60)
    walls[1][60:140, :120] = (30, 120, 60)
    found = []
    for wall, x, mirrored in ((walls[0], 30, False), (walls[1], 240, True)):
        for k in range(frames):
            image = wall.copy()
            shown = face[:, ::-1] if mirrored else face
            image[30 : 190, x + k % 3 : x + k % 3 + 160] = shown  # fmt: skip
            found.append(image)
    return found


@pytest.fixture(scope="module")
def two_shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shots") / "two.mp4"
    write_video(path, people(20), np.arange(40) / 25, crf=18)
    return path


def test_everyone_gets_a_new_number_at_a_cut(
    predictor: Predictor, two_shots: Path, tmp_path: Path
) -> None:
    options = Options(faces="all", device="cpu")
    result = predict_file(two_shots, predictor, tmp_path, options)
    rows = read_rows(result.parquet)
    assert result.about["cuts"] == 1
    assert result.about["faces"] == 2
    assert set(rows.face_id[rows.frame <= 20].tolist()) == {1}
    assert set(rows.face_id[rows.frame > 20].tolist()) == {2}
    assert (rows.status != "no_face").all()


@pytest.mark.parametrize("faces", ["main", "all"])
def test_a_shot_is_predicted_as_if_it_were_alone(
    predictor: Predictor, two_shots: Path, tmp_path: Path, faces: str
) -> None:
    options = Options(faces=faces, device="cpu")  # type: ignore[arg-type]
    both = read_rows(predict_file(two_shots, predictor, tmp_path, options).parquet)
    pictures = [image for _, image in read_frames(two_shots)]
    for name, part in (("first", slice(0, 20)), ("second", slice(20, 40))):
        # lossless, so that the pictures are the same
        path = tmp_path / f"{name}.mkv"
        tiny.write_raw(path, pictures[part], codec="ffv1", pix_fmt="bgr0")
        alone = read_rows(predict_file(path, predictor, tmp_path, options, name=name).parquet)
        np.testing.assert_allclose(
            both.probabilities[part], alone.probabilities, atol=2e-3, err_msg=name
        )
        np.testing.assert_allclose(both.box[part], alone.box, atol=0.6)


def test_small_faces_of_a_large_picture_are_found(predictor: Predictor) -> None:
    face = cv2.resize(tiny.portrait(), (150, 150), interpolation=cv2.INTER_AREA)  # 60 pixels
    image = np.full((2160, 3840, 3), (90, 110, 120), np.uint8)
    places = [(x, y) for y in (500, 1500) for x in range(300, 3600, 700)]
    for x, y in places:
        image[y : y + 150, x : x + 150] = face
    crop = predictor.ensemble.crop
    detector = load_detector(crop.detector, crop.pack, crop.score_threshold, "cpu")
    searcher = Searcher(detector, "only", crop.detection_side)
    for turn in range(2):  # at more detail, and at the size that was found to be needed
        found = searcher.crowd(image)
        centres = np.array([one.centre for one in found])
        assert len(found) == len(places), turn
        for x, y in places:
            assert np.linalg.norm(centres - (x + 75, y + 75), axis=1).min() < 40
    assert len(Follower(detector, "only", crop.detection_side).everyone(image)) < len(places)
    alone = np.full_like(image, 100)
    alone[500:650, 300:450] = face
    assert len(Searcher(detector, "only", crop.detection_side).everyone(alone)) == 1


@pytest.mark.parametrize("faces", ["main", "all"])
def test_a_face_is_found_right_after_the_picture_changes_its_size(
    predictor: Predictor, faces: str
) -> None:
    pictures = []
    for k in range(24):
        side = (160, 480, 200)[k // 8]
        pictures.append(cv2.resize(tiny.moving(k + 1)[k], (side, side)))
    options = Options(faces=faces, device="cpu")  # type: ignore[arg-type]
    footage, crop = Pictures(pictures, 25.0), predictor.ensemble.crop
    for sight in look(footage, crop, options, "cpu", Log(), Stopwatch()):
        (seen,) = sight.seen.values()
        image = pictures[sight.number - 1]
        assert seen.face.detected or sight.number % 8 != 1, sight.number
        assert (seen.face.landmarks > 0).all()
        assert (seen.face.landmarks < image.shape[0]).all()
        share = (seen.face.box[2] - seen.face.box[0]) / image.shape[1]
        assert 0.3 < share < 0.8, "the box has the picture's scale"
        assert not sight.cut
