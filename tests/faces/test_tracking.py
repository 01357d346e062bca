import numpy as np
import pytest

from stages.crops.alignment import ARCFACE_TEMPLATE
from stages.faces.detections import Detections
from stages.faces.face import Face, choose, interpolate, nearest
from stages.faces.tracking import Follower, follow

SHAPE = (240, 640, 3)
RATE = 25.0


def face_at(x, y=120.0, size=60.0) -> Face:
    box = np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2], np.float32)
    points = (ARCFACE_TEMPLATE / 112 - 0.5) * size + (x, y)
    return Face(box, points.astype(np.float32), 0.9)


class Painted:
    """Reads faces off a picture in which each is one pixel: its colour is the size.

    It sees a face only if all of its box is shown, like a detector does, and counts its looks.
    """

    has_contours = False

    def __init__(self):
        self.looks = 0

    def detect(self, image):
        self.looks += 1
        faces = [
            face_at(x + 0.5, y + 0.5, float(image[y, x, 0]))
            for y, x in zip(*np.nonzero(image[..., 0]), strict=True)
        ]
        if not faces:
            return Detections.none()
        return Detections(
            np.stack([f.box for f in faces]),
            np.stack([f.landmarks for f in faces]),
            np.full(len(faces), 0.9, np.float32),
        )


def paint(*faces) -> np.ndarray:
    image = np.zeros(SHAPE, np.uint8)
    for x, size in faces:
        image[120, int(x), 0] = size
    return image


def run(pictures, side="only", every=4):
    detector = Painted()
    frames = [(k / RATE, picture) for k, picture in enumerate(pictures)]
    rows = list(follow(frames, Follower(detector, side, 640), every))
    assert [time for time, _, _ in rows] == [time for time, _ in frames]
    assert all(shown is picture for (_, shown, _), (_, picture) in zip(rows, frames, strict=True))
    places = [None if face is None else float(face.centre[0]) for _, _, face in rows]
    return places, detector.looks


@pytest.mark.parametrize("frames", [1, 2, 4, 5, 6, 101])
@pytest.mark.parametrize("every", [1, 3, 4])
def test_a_steady_walk_is_followed_by_few_looks(frames, every):
    places, looks = run([paint((100 + k, 200)) for k in range(frames)], every=every)
    np.testing.assert_allclose(places, [100.5 + k for k in range(frames)], atol=1e-3)
    assert looks <= np.ceil((frames - 1) / every) + 1 + frames / RATE


@pytest.mark.parametrize("gone", [range(10, 11), range(3, 29), range(38, 60), range(0, 7)])
def test_each_frame_without_the_person_is_told(gone):
    pictures = [paint() if k in gone else paint((200, 60)) for k in range(60)]
    places, _ = run(pictures)
    # an absence shorter than the distance of two looks can be missed; what is longer, never
    expected = [k not in gone or len(gone) < 4 for k in range(60)]
    assert [place is not None for place in places] == expected


def test_a_jump_is_not_blurred_by_interpolation():
    xs = [100] * 10 + [160] * 10
    places, _ = run([paint((x, 60)) for x in xs])
    np.testing.assert_allclose(places, np.asarray(xs) + 0.5)


@pytest.mark.parametrize(("side", "expected"), [("left", 150.5), ("right", 450.5)])
def test_the_annotated_side_is_followed(side, expected):
    # the other one is larger, and the annotated one is hidden for a while
    sizes = (60, 90) if side == "left" else (90, 60)
    both, other = (150, sizes[0]), (450, sizes[1])
    pictures = [paint(both, other)] * 40
    hidden = [paint(other if side == "left" else both)] * 40
    places, _ = run(pictures + hidden + pictures, side)
    assert places[:40] == places[80:] == [expected] * 40
    assert places[40:80] == [None] * 40


def test_one_of_two_is_not_taken_for_the_other_at_the_start():
    places, _ = run([paint((450, 60))] * 9 + [paint((150, 60), (450, 60))] * 9, "left")
    assert places == [None] * 9 + [150.5] * 9


def test_two_sides_that_were_mixed_up_are_put_right():
    # the right one is alone, and in the left half, when the video begins
    pictures = [paint((280, 60))] * 5 + [paint((120, 60), (280, 60))] * 120
    places, _ = run(pictures, "left")
    assert places[-1] == 120.5


def test_a_passer_by_is_not_followed():
    pictures = [
        paint((200, 80), (k * 6 + 1, 70)) if 40 < k < 95 and k * 6 != 198 else paint((200, 80))
        for k in range(110)
    ]
    places, _ = run(pictures)
    assert places == [200.5] * 110


def test_while_the_person_is_gone_for_a_moment_nobody_takes_their_place():
    there = [paint((120, 80), (500, 70))] * 20
    places, _ = run(there + [paint((500, 70))] * 15 + there)
    assert places == [120.5] * 20 + [None] * 15 + [120.5] * 20


def test_the_main_person_is_found_though_a_bystander_came_first():
    pictures = [paint((500, 40))] * 10 + [paint((500, 40), (200, 120))] * 120
    places, _ = run(pictures)
    assert places[9] == 500.5
    assert places[-1] == 200.5
    assert places[-40:] == [200.5] * 40


def test_choice_by_side():
    left, right, tiny = face_at(100, size=50), face_at(300, size=80), face_at(600, size=12)
    faces = [right, tiny, left]
    assert choose(faces, "only", 640) is right
    assert choose(faces, "left", 640) is left
    assert choose(faces, "right", 640) is right
    assert choose([left, tiny], "right", 640) is None
    assert choose([], "only", 640) is None


def test_reach_grows_with_the_gap():
    last, far = face_at(100), face_at(190)  # one and a half sizes apart
    assert nearest([far], last, 0.04) is None
    assert nearest([far], last, 0.9) is far
    assert nearest([face_at(105, size=200)], last, 0.04) is None


def test_interpolation_is_linear():
    middle = interpolate(face_at(100), face_at(140), 0.25)
    np.testing.assert_allclose(middle.box, face_at(110).box, atol=1e-4)
    np.testing.assert_allclose(middle.landmarks, face_at(110).landmarks, atol=1e-4)


def test_memory_holds_a_few_frames_only():
    held = []

    def frames():
        for k in range(50):
            held.append(k)
            yield k / RATE, paint((100 + k, 60))

    for count, _ in enumerate(follow(frames(), Follower(Painted(), "only", 640), 4)):
        assert len(held) - count <= 4


def test_a_fast_walk_is_looked_at_more_often():
    pictures = [paint((100 + 4 * k, 60)) for k in range(41)]
    places, looks = run(pictures)
    np.testing.assert_allclose(places, [100.5 + 4 * k for k in range(41)], atol=1e-3)
    assert looks > 30


def test_the_last_sight_of_the_person_is_kept_when_they_leave_between_two_looks():
    # seen at 0, 1 and 2, gone at 3 and 4; back far from where they were at 0, but near their last
    pictures = [paint((x, 60)) for x in (100, 130, 160)] + [paint()] * 2 + [paint((230, 60))] * 4
    places, _ = run(pictures)
    assert places == [100.5, 130.5, 160.5, None, None, *[230.5] * 4]
