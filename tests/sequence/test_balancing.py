"""Masks: which AUs are rare, which stretches are copied, where the line runs, what stays hidden."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.transform import SimilarityTransform

from stages.core.facs import AFF_WILD2_BASE_RATES, AU_NAMES
from stages.crops.alignment import ARCFACE_TEMPLATE, align
from stages.crops.half_labels import hidden_aus, hide_labels, worth_copying
from stages.crops.half_masks import HALVES, dividing_lines, hide
from stages.learning.metrics import below_average
from stages.sequence.balancing import balanced_aus, find_stretches


def columns(*names: str) -> list[int]:
    return [AU_NAMES.index(name) for name in names]


def test_the_halves_share_the_aus_as_the_paper_does() -> None:
    assert np.array(AU_NAMES)[hidden_aus("upper")].tolist() == [
        "AU01", "AU02", "AU04", "AU06", "AU07"
    ]  # fmt: skip
    assert (hidden_aus("upper") ^ hidden_aus("lower")).all()


def test_rare_aus_of_aff_wild2s_base_rates_are_those_of_the_protocol() -> None:
    frames = 1000
    labels = np.zeros((frames, 12), np.int8)
    for column, rate in enumerate(AFF_WILD2_BASE_RATES.values()):
        labels[: round(rate * frames), column] = 1
    rare = {AU_NAMES[i] for i in np.flatnonzero(below_average(labels))}
    assert rare == {"AU01", "AU02", "AU04", "AU15", "AU23", "AU24", "AU26"}


def test_what_nobody_annotated_is_not_rare_and_does_not_lower_the_average() -> None:
    labels = np.full((100, 12), -1, np.int8)
    labels[:50, :3] = 0
    labels[:30, 0], labels[:20, 1], labels[:5, 2] = 1, 1, 1  # 60 %, 40 %, 10 %; mean 37 %
    assert np.flatnonzero(below_average(labels)).tolist() == [2]
    assert not below_average(np.full((4, 12), -1, np.int8)).any()
    assert not below_average(np.empty((0, 12), np.int8)).any()


def test_balanced_are_the_rare_aus_or_those_that_the_paper_lists() -> None:
    labels = (np.random.default_rng(0).random((500, 12)) < np.linspace(0.1, 0.9, 12)).astype(
        np.int8
    )
    np.testing.assert_array_equal(balanced_aus(labels, "below_average"), below_average(labels))
    listed = "AU1, AU2, AU4, AU5, AU12, AU15, AU23, AU24, AU26".replace("AU", "").split(", ")
    expected = [str(int(name[2:])) in listed for name in AU_NAMES]
    assert balanced_aus(labels, "paper").tolist() == expected


def test_only_rare_aus_of_the_visible_half_make_a_frame_worth_copying() -> None:
    labels = np.zeros((5, 12), np.int8)
    for frame, name in enumerate(("AU02", "AU24", "AU06", "AU25")):
        labels[frame, columns(name)] = 1
    rare = np.zeros(12, bool)
    rare[columns("AU02", "AU24")] = True
    assert worth_copying(labels, rare, "lower").tolist() == [True] + [False] * 4
    assert worth_copying(labels, rare, "upper").tolist() == [False, True] + [False] * 3


def stretches_by_morphology(active: np.ndarray, gap: int, minimum: int, context: int) -> list:
    """The same by labelling: fill holes, drop what is short, dilate, and label again."""
    filled = active.copy()
    holes, count = ndimage.label(~active)
    for (hole,) in ndimage.find_objects(holes, count):
        inside = hole.start > 0 and hole.stop < len(active)
        if inside and hole.stop - hole.start <= gap:
            filled[hole] = True
    for (run,) in ndimage.find_objects(ndimage.label(filled)[0]):
        if run.stop - run.start < minimum:
            filled[run] = False
    if context and filled.any():
        filled = ndimage.binary_dilation(filled, iterations=context)
    return [(run.start, run.stop) for (run,) in ndimage.find_objects(ndimage.label(filled)[0])]


@pytest.mark.parametrize(
    ("gap", "minimum", "context"), [(0, 1, 0), (5, 1, 0), (3, 8, 2), (6, 10, 12)]
)
@pytest.mark.parametrize("seed", range(4))
def test_stretches_are_those_of_mathematical_morphology(
    gap: int, minimum: int, context: int, seed: int
) -> None:
    noise = np.random.default_rng(seed).normal(size=300)
    active = ndimage.gaussian_filter1d(noise, 3) > 0.2
    ours = find_stretches(active, gap=gap, minimum=minimum, context=context)
    assert ours == stretches_by_morphology(active, gap, minimum, context)


def test_no_activity_is_no_stretch() -> None:
    assert find_stretches(np.zeros(50, bool), gap=9, minimum=1, context=9) == []
    assert find_stretches(np.zeros(0, bool), gap=9, minimum=1, context=9) == []


@pytest.mark.parametrize("half", HALVES)
def test_hidden_labels_are_zero_or_unknown_and_the_others_untouched(half: str) -> None:
    labels = np.random.default_rng(0).integers(-1, 2, (60, 12)).astype(np.int8)
    before = labels.copy()
    covered = hidden_aus(half)
    zero, ignored = (hide_labels(labels, half, kind) for kind in ("zero", "ignore"))
    np.testing.assert_array_equal(zero[:, covered] == 0, labels[:, covered] != -1)
    np.testing.assert_array_equal(zero[:, covered] == -1, labels[:, covered] == -1)
    assert (ignored[:, covered] == -1).all()
    for changed in (zero, ignored):
        np.testing.assert_array_equal(changed[:, ~covered], labels[:, ~covered])
    np.testing.assert_array_equal(labels, before)


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
