"""Everyone under a number of their own: through gaps and crossings, and no one who is not there."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import cv2
import insightface
import numpy as np
import pytest

from stages.crops.alignment import ARCFACE_TEMPLATE
from stages.faces.face import Face
from stages.faces.multi_tracking import Crowd, Person, pair_up
from stages.inference import detection
from stages.inference.options import Options
from stages.inference.predict import predict_file
from stages.inference.predictor import Predictor
from stages.inference.results import read_rows
from stages.synthesis.video_file import write_video
from tests.inference import tiny

PEOPLE = Path(insightface.__file__).parent / "data" / "images" / "t1.jpg"
RATE = 25.0


def face_at(x: float, y: float = 120.0, size: float = 60.0) -> Face:
    box = np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2], np.float32)
    points = (ARCFACE_TEMPLATE / 112 - 0.5) * size + (x, y)
    return Face(box, points.astype(np.float32), 0.9)


def follow(places: list[dict[str, Face]], every: int = 4) -> tuple[list[dict[int, Face]], int]:
    """Follow people whose true places are given; the picture is the number of the frame."""
    looks = 0

    def look(image: np.ndarray) -> list[Face]:
        nonlocal looks
        looks += 1
        return list(places[int(image[0, 0, 0])].values())

    frames = [(k / RATE, np.full((1, 1, 3), k, np.uint8)) for k in range(len(places))]
    groups = list(Crowd(look).follow(frames, every))
    assert [group.time for group in groups] == [time for time, _ in frames]
    assert [int(group.image[0, 0, 0]) for group in groups] == list(range(len(places)))
    return [group.faces for group in groups], looks


def owner(face: Face, people: dict[str, Face]) -> str:
    return min(people, key=lambda who: float(np.linalg.norm(people[who].centre - face.centre)))


@pytest.mark.parametrize("every", [1, 4])
def test_two_who_cross_keep_their_numbers(every: int) -> None:
    places = [
        {"a": face_at(100 + 4 * k, 120), "b": face_at(420 - 4 * k, 150, 66)} for k in range(80)
    ]
    for k in range(37, 44):  # the one in front hides the other
        del places[k]["a"]
    seen, _ = follow(places, every)
    first = {owner(face, places[0]): key for key, face in seen[0].items()}
    last = {owner(face, places[-1]): key for key, face in seen[-1].items()}
    assert first == last
    assert set(first) == {"a", "b"}
    assert set().union(*seen) == set(first.values())


def test_a_short_gap_keeps_the_number_and_a_long_one_does_not() -> None:
    still = {"a": face_at(100), "b": face_at(300)}
    places = [dict(still) for _ in range(120)]
    for k in range(20, 36):
        del places[k]["a"]
    for k in range(60, 100):
        del places[k]["b"]
    seen, _ = follow(places)
    a, b = (next(k for k, face in seen[0].items() if face.centre[0] == x) for x in (100, 300))
    assert all((a in now) == (not 20 <= k < 36) for k, now in enumerate(seen))
    assert all((b in now) == (k < 60) for k, now in enumerate(seen))
    assert set(seen[-1]) - {a} not in (set(), {b})


def test_between_two_looks_the_points_run_linearly() -> None:
    places = [{"a": face_at(100 + 0.3 * k)} for k in range(41)]
    seen, looks = follow(places)
    centres = [float(now[1].centre[0]) for now in seen]
    np.testing.assert_allclose(centres, [100 + 0.3 * k for k in range(41)], atol=1e-3)
    assert sum(now[1].detected for now in seen) == looks < 15


def test_the_pairs_fit_best_all_together() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        people = [
            Person(k + 1, face_at(*random.uniform(100, 200, 2)), 0.0, 0, np.zeros(2, np.float32))
            for k in range(4)
        ]
        faces = [face_at(*random.uniform(100, 200, 2)) for _ in range(4)]

        def cost(person: Person, face: Face) -> float:
            a, b = person.face.box, face.box
            low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
            shared = np.prod(np.maximum(high - low, 0))
            distance = np.linalg.norm(face.centre - person.face.centre) / 60
            return 1e6 if distance > 1.06 else distance + 1 - shared / (2 * 3600 - shared)

        best = min(
            sum(cost(person, face) for person, face in zip(people, order, strict=True))
            for order in permutations(faces)
        )
        pairs = pair_up(people, faces, 0.04)
        made = sum(
            cost(person, pairs[person.key]) if person.key in pairs else 1e6 for person in people
        )
        assert made == pytest.approx(best, rel=1e-4)


def test_all_of_a_group_have_rows_in_every_frame(predictor: Predictor, tmp_path: Path) -> None:
    group = np.ascontiguousarray(cv2.imread(str(PEOPLE))[:864:2, :1280:2, ::-1])
    pictures = [group[:400, k : k + 600] for k in range(24)]
    write_video(tmp_path / "a.mp4", pictures, np.arange(24) / RATE, crf=18)
    result = predict_file(tmp_path / "a.mp4", predictor, tmp_path / "out", Options(faces="all"))
    rows = read_rows(result.parquet)
    assert result.about["faces"] == 6
    assert rows.face_ids == (1, 2, 3, 4, 5, 6)
    for person in rows.face_ids:
        own = rows.of(person)
        assert own.frame.tolist() == list(range(1, 25))
        # the camera moves by a pixel a frame, and so does each face; the next one is far away
        assert np.abs(np.diff(own.box[:, 0])).max() < 5
        assert own.box[0, 0] - own.box[-1, 0] == pytest.approx(23, abs=6)
    assert np.isfinite(rows.probabilities).all()
    keys = list(zip(rows.frame.tolist(), rows.face_id.tolist(), strict=True))
    assert keys == sorted(keys)


def test_one_alone_is_the_main_person_whoever_is_asked_for(
    predictor: Predictor, tmp_path: Path
) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(60, without=range(25, 35)), np.arange(60) / RATE, crf=22)
    main = read_rows(predict_file(path, predictor, tmp_path / "main").parquet)
    everyone = predict_file(path, predictor, tmp_path / "all", Options(faces="all"))
    rows = read_rows(everyone.parquet)
    assert rows.frame.tolist() == main.frame.tolist()
    assert set(main.face_id.tolist()) == {1}
    # gone from one picture to the next: a cut, after which nobody is known to be the same
    assert [set(rows.face_id[part].tolist()) for part in (slice(25), slice(35, 60))] == [{1}, {2}]
    assert (rows.status[25:35] == "no_face").all()
    seen = np.r_[0:25, 35:60]
    np.testing.assert_allclose(rows.probabilities[seen], main.probabilities[seen], atol=0.1)


def test_a_flash_is_no_person(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A false detection in one look, far from the face: no row is about it."""

    class Seeing:
        has_contours = False
        looks = 0

        def detect(self, image: np.ndarray) -> object:
            found = plain.detect(image)
            self.looks += 1
            if self.looks != 5:
                return found
            far = found.moved(1.0, (-300.0, -300.0))
            return replace(
                found,
                boxes=np.concatenate([found.boxes, far.boxes]),
                landmarks=np.concatenate([found.landmarks, far.landmarks]),
                scores=np.concatenate([found.scores, far.scores]),
            )

    plain = detection.load_detector("centerface", "buffalo_l", 0.5, "cpu")
    monkeypatch.setattr(detection, "load_detector", lambda *given: Seeing())
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(60), np.arange(60) / RATE, crf=22)
    result = predict_file(path, predictor, tmp_path / "out", Options(faces="all"))
    assert result.about["faces"] == 1
    assert read_rows(result.parquet).face_id.tolist() == [1] * 60
