"""Light from all around, backgrounds, and what cameras and codecs lose."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stages.synthesis.render import degrading, occluders
from stages.synthesis.render.backgrounds import paint_background
from stages.synthesis.render.developing import Developer
from stages.synthesis.render.environments import PLACES, basis, place_light
from stages.synthesis.render.portrait import FURTHEST
from stages.synthesis.render.scene import BACKGROUNDS, BASE_ROTATION, RIGS, Scene, sample_scene

LUMINANCE = np.array((0.2126, 0.7152, 0.0722))


def scenes(count: int) -> list[Scene]:
    return [sample_scene(np.random.default_rng(seed)) for seed in range(count)]


def directions(count: int) -> np.ndarray:
    drawn = np.random.default_rng(0).standard_normal((count, 3))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


@pytest.mark.parametrize("place", PLACES)
def test_light_of_a_place_turns_with_it_and_is_nowhere_negative(place: str) -> None:
    turn, normals = 0.7, directions(200)
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    (way, terms), (turned_way, turned) = place_light(place, 0.0), place_light(place, turn)
    np.testing.assert_allclose(basis(normals @ matrix.T) @ turned, basis(normals) @ terms)
    np.testing.assert_allclose(matrix @ way, turned_way)
    light = basis(normals) @ terms @ LUMINANCE
    assert light.min() > 0.0
    assert 0.9 < light.mean() < 1.1


def test_scenes_differ_in_light_pose_and_place() -> None:
    drawn = scenes(600)
    assert {scene.background for scene in drawn} == set(BACKGROUNDS)
    assert sum(rig.share for rig in RIGS.values()) == pytest.approx(1.0)
    angles = np.abs([scene.rotation for scene in drawn])
    assert (angles <= BASE_ROTATION).all()
    assert (np.array(BASE_ROTATION) < FURTHEST).all()
    assert np.mean(angles[:, 0] < 8.0) > 0.35  # many look into the camera ...
    assert np.mean(angles[:, 0] > 25.0) > 0.05  # ... and some far to the side
    heights = np.array([scene.key[1] for scene in drawn])
    depths = np.array([scene.key[2] for scene in drawn])
    assert heights.max() > 0.9  # from above
    assert heights.min() < -0.3  # from below
    assert np.mean(depths < -0.3) > 0.02  # from behind
    assert 0.02 < np.mean([scene.saturation == 0.0 for scene in drawn]) < 0.12


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_backgrounds_are_light_and_differ(background: str) -> None:
    first, second = (
        paint_background(replace(scenes(1)[0], background=background, background_seed=seed), 48, 64)
        for seed in (1, 2)
    )
    assert first.shape == (48, 64, 3)
    assert first.dtype == np.float32
    assert first.min() > 0.0
    assert first.max() <= 1.2
    assert np.abs(first - second).mean() > 0.005


def picture() -> np.ndarray:
    x, y = np.meshgrid(np.arange(96), np.arange(96))
    waves = [np.sin(x / 5), np.cos(y / 7), np.sin((x + y) / 9)]
    return np.asarray(127 + 100 * np.stack(waves, axis=-1), np.uint8)


def test_codecs_and_small_pictures_lose_more_the_harder_they_are() -> None:
    whole = picture()

    def loss(image: np.ndarray) -> float:
        assert image.shape == whole.shape
        assert image.dtype == np.uint8
        return float(np.abs(image.astype(float) - whole).mean())

    assert 0 < loss(degrading.h264(whole, 20)) < loss(degrading.h264(whole, 44)) < 40
    assert 0 < loss(degrading.jpeg(whole, 90)) < loss(degrading.jpeg(whole, 15)) < 40
    rng = np.random.default_rng(1)
    assert loss(degrading.reduced(whole, 0.9, rng)) < loss(degrading.reduced(whole, 0.1, rng))
    along = loss(degrading.moved(whole, 6.0, 0.0))
    assert 0 < along < loss(degrading.moved(whole, 14.0, 0.0))
    combed = degrading.interlaced(whole, 3)
    np.testing.assert_array_equal(combed[::2], whole[::2])
    assert np.abs(combed[1::2].astype(float) - whole[1::2]).mean() > 1.0


def test_degrading_spares_some_pictures_and_repeats_itself() -> None:
    whole = picture()
    first, again = (
        [degrading.degraded(whole, 0.6, np.random.default_rng(seed)) for seed in range(60)]
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    untouched = np.mean([np.array_equal(image, whole) for image in first])
    assert 0.2 < untouched < 0.6


def test_what_hides_a_face_hides_a_part_of_it() -> None:
    whole = np.full((160, 160, 3), 128, np.uint8)
    landmarks = np.array([(60, 60), (100, 60), (80, 85), (65, 110), (95, 110)], np.float32)
    shares = []
    for seed in range(80):
        first, again = (
            occluders.occluded(whole, landmarks, np.random.default_rng(seed)) for _ in range(2)
        )
        np.testing.assert_array_equal(first, again)
        changed = np.abs(first.astype(int) - 128).max(axis=2) > 8
        shares.append(changed[40:130, 40:120].mean())
    assert (whole == 128).all()
    assert np.mean(np.array(shares) > 0.02) > 0.6
    assert np.quantile(shares, 0.9) < 0.75


def developed(**changes: Any) -> np.ndarray:
    plain: dict[str, Any] = {
        "noise": 0.0, "blur": 0.0, "sharpening": 0.0, "saturation": 1.0, "vignette": 0.0,
        "brightness": 1.0, "white_balance": (1.0, 1.0, 1.0),
    }  # fmt: skip
    scene = replace(scenes(1)[0], **{**plain, **changes})
    light = (picture() / 255.0).astype(np.float32)
    height, width = light.shape[:2]
    developer = Developer(scene, height, width, np.array((0.4, 0.3, 0.2)))
    return developer.develop(light, 0).astype(float)


def spread(image: np.ndarray) -> float:
    return float((image.max(axis=2) - image.min(axis=2)).mean())


def test_cameras_make_grey_and_sharp_pictures() -> None:
    usual, grey, sharp = developed(), developed(saturation=0.0), developed(sharpening=1.0)
    assert spread(grey) < 6.0 < spread(usual)  # what is left is the light's colour
    assert np.abs(np.diff(sharp, axis=1)).mean() > np.abs(np.diff(usual, axis=1)).mean()
    assert abs(sharp.mean() - usual.mean()) < 5


def test_the_camera_takes_most_of_the_lights_colour_off() -> None:
    ambient = scenes(1)[0].ambient
    warm = tuple((1.5 * red, green, 0.5 * blue) for red, green, blue in ambient)
    dark = (0.0, 0.0, 0.0)
    even, warmed = (
        developed(ambient=terms, key_colour=dark, fill_colour=dark) for terms in (ambient, warm)
    )
    # the developed light is the same, so all that differs is the white balance
    assert (even - warmed)[..., 0].mean() > 5
    assert (even - warmed)[..., 2].mean() < -5
    level = [developed(brightness=value).mean() for value in (0.4, 1.0, 2.5)]
    assert level[0] < level[1] < level[2]
