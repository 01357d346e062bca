"""Where the line between the halves of a face runs, and what stays hidden."""

import numpy as np
import pytest
from skimage.transform import SimilarityTransform

from stages.crops.alignment import ARCFACE_TEMPLATE, align
from stages.crops.half_masks import HALVES, dividing_lines, hide


def tilted(degrees: float, narrow: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Five points of a tilted face in a picture of 400 pixels, its middle, and which way is down.

    `narrow` squeezes the face across, as turning it away does.
    """
    middle = (ARCFACE_TEMPLATE[:2].mean(0) + ARCFACE_TEMPLATE[3:].mean(0)) / 2
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    face = (ARCFACE_TEMPLATE - middle) * (narrow, 1)
    face[:2, 1], face[3:, 1] = face[:2, 1].mean(), face[3:, 1].mean()
    return 2 * face @ turn.T + 200, np.array([200.0, 200.0]), turn @ (0, 1)


@pytest.mark.parametrize("degrees", [-60, -25, -8, 0, 14, 40, 75])
@pytest.mark.parametrize("narrow", [1.0, 0.4, 0.05])
def test_the_mask_covers_what_lies_above_or_below_the_middle_of_a_tilted_face(
    degrees: float, narrow: float
) -> None:
    landmarks, middle, down = tilted(degrees, narrow)
    y, x = np.mgrid[:400, :400]
    lower = (x - middle[0]) * down[0] + (y - middle[1]) * down[1] > 0
    picture = np.where(lower[..., None], (0, 0, 255), (255, 0, 0)).astype(np.uint8)
    crop = align(picture, landmarks)
    inside = align(np.full((400, 400, 3), 255, np.uint8), landmarks)[..., 0] == 255
    assert inside.mean() > 0.3
    lines = dividing_lines(landmarks[None].astype(np.float32))
    without_upper = hide(crop[None], lines, "upper")[0][inside].astype(int)
    without_lower = hide(crop[None], lines, "lower")[0][inside].astype(int)
    count = inside.sum()
    assert without_upper[:, 0].sum() < 255 * 0.01 * count  # no red is left
    assert without_lower[:, 2].sum() < 255 * 0.01 * count  # no blue is left
    blue, red = (crop[inside][:, i].astype(int).sum() for i in (2, 0))
    assert without_upper[:, 2].sum() > 0.98 * blue  # and next to nothing else is hidden
    assert without_lower[:, 0].sum() > 0.98 * red


def test_where_eyes_and_mouth_disagree_the_line_lies_between_what_they_say() -> None:
    points = ARCFACE_TEMPLATE.copy()
    points[3:] += (12, 0)  # level eyes, and a mouth that is 16 degrees off the axis below them
    a, b, _ = dividing_lines(points[None].astype(np.float32))[0]
    assert a**2 + b**2 == pytest.approx(1, abs=1e-5)
    aligned = SimilarityTransform.from_estimate(points, ARCFACE_TEMPLATE)
    in_the_picture = np.degrees(np.arctan2(a, b) + aligned.rotation)
    assert 2 < in_the_picture < 14


def test_without_landmarks_the_line_is_that_of_the_template() -> None:
    blind = np.full((2, 5, 2), np.nan, np.float32)
    lines = dividing_lines(blind)
    np.testing.assert_allclose(lines[0], dividing_lines(ARCFACE_TEMPLATE[None])[0], atol=0.02)
    a, b, c = lines[1]
    assert a * 56 + b * 40 + c < 0 < a * 56 + b * 100 + c


def test_every_pixel_is_hidden_by_one_half_and_the_images_are_not_changed() -> None:
    random = np.random.default_rng(3)
    images = random.integers(1, 256, (4, 112, 112, 3)).astype(np.uint8)
    before = images.copy()
    angles = random.uniform(0, 2 * np.pi, 4)
    lines = np.stack([np.cos(angles), np.sin(angles), random.uniform(-80, 20, 4)], 1)
    upper, lower = (hide(images, lines.astype(np.float32), half) for half in HALVES)
    np.testing.assert_array_equal(upper + lower, images)
    assert ((upper == 0) ^ (lower == 0)).all()
    assert upper.dtype == np.uint8
    np.testing.assert_array_equal(images, before)
