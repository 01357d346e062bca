"""Augmentation changes what a face looks like, not what it does."""

from dataclasses import replace

import numpy as np
import pytest

from stages.pretraining import augmentation

SIDE = 112


def picture() -> np.ndarray:
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    waves = [np.sin(x / 6), np.cos(y / 8), np.sin((x + y) / 10)]
    return np.asarray(127 + 90 * np.stack(waves, axis=-1), np.uint8)


def spot(column: int, row: int) -> np.ndarray:
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[row - 2 : row + 3, column - 2 : column + 3] = 255
    return image


def centre(image: np.ndarray) -> np.ndarray:
    weights = image.sum(axis=2).astype(float)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    sums = [(weights * place).sum() / weights.sum() for place in (columns, rows)]
    return np.asarray(sums, float)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_bending_moves_all_of_the_face_but_brow_against_eye_hardly() -> None:
    moved, apart = [], []
    for seed in range(200):
        brow = centre(augmentation.bend(spot(38, 42), rng(seed))[0])
        eye = centre(augmentation.bend(spot(38, 52), rng(seed))[0])
        moved.append(np.abs(eye - (38, 52)).max())
        apart.append((eye - brow)[1] - 10)
    assert np.mean(moved) > 0.3
    assert np.std(apart) < 1.2  # pixels; a raised brow moves by three and more
    assert abs(np.mean(apart)) < 0.2


def test_other_surroundings_leave_the_face_as_it_is() -> None:
    whole = picture()
    changed = []
    for seed in range(40):
        varied = augmentation.surround(whole, rng(seed))
        np.testing.assert_array_equal(varied[35:100, 34:78], whole[35:100, 34:78])
        changed.append(np.abs(varied[:8, :8].astype(int) - whole[:8, :8]).mean())
    assert np.median(changed) > 20


def test_hidden_parts_stay_small() -> None:
    shares = []
    for seed in range(100):
        image = picture()
        augmentation.hide(image, rng(seed))
        shares.append((image != picture()).any(axis=2).mean())
    assert min(shares) > 0.003
    assert max(shares) < 0.12


@pytest.mark.parametrize("vary", [augmentation.shake, augmentation.sharpen])
def test_shaken_and_sharpened_pictures_keep_their_mean(vary) -> None:  # type: ignore[no-untyped-def]
    whole = picture()
    for seed in range(20):
        varied = vary(whole, rng(seed), 1.0)
        assert varied.shape == whole.shape
        assert abs(varied.mean() - whole.mean()) < 3
    detail = [np.abs(np.diff(image.astype(float), axis=1)).mean() for image in (whole, varied)]
    assert (detail[1] > detail[0]) == (vary is augmentation.sharpen)


def test_strength_says_how_far_and_the_generator_what() -> None:
    whole = picture()

    def distance(strength: float) -> float:
        varied = [augmentation.augment(whole, rng(seed), strength)[0] for seed in range(60)]
        again = augmentation.augment(whole, rng(3), strength)[0]
        np.testing.assert_array_equal(varied[3], again)
        plain = [min(np.abs(v - whole).mean(), np.abs(v - whole[:, ::-1]).mean()) for v in varied]
        return float(np.mean(plain))

    weak, full = distance(0.3), distance(1.0)
    assert distance(0.0) < 0.5  # of 255: rounding
    assert 5.0 < weak < full < 100.0
    assert (picture() == whole).all()


def test_points_that_are_not_known_stay_so() -> None:
    """As those of photos and of the frames of videos, beside generated faces."""
    points = np.full((2, 3, 2), np.nan, np.float32)
    points[0, 0] = (30, 40)
    bend = np.full((SIDE, SIDE, 2), 2, np.float32)
    with np.errstate(all="raise"):
        found = replace(augmentation.move(picture(), rng(0))[1], bend=bend).points(points)
    assert np.isfinite(found).all(-1).sum() == 1


def test_points_go_where_the_picture_goes() -> None:
    left, right = (30, 60), (84, 50)
    points = np.array([[left], [right]], np.float32)  # (2, 1, 2): a point of either half
    mirrored = 0
    for seed in range(100):
        image, shift = augmentation.bend(spot(*left), rng(seed))
        moved, movement = augmentation.move(image, rng(seed))
        movement = replace(movement, bend=shift)
        place = movement.points(points)
        assert place.shape == points.shape
        mirrored += movement.mirrored
        np.testing.assert_allclose(
            place[int(movement.mirrored), 0], centre(moved), atol=1.0
        )  # of 112 pixels; turning and scaling alone move a point by up to 10
        other = augmentation.move(augmentation.bend(spot(*right), rng(seed))[0], rng(seed))[0]
        np.testing.assert_allclose(place[1 - int(movement.mirrored), 0], centre(other), atol=1.0)
    assert 25 < mirrored < 75
