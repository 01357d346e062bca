import numpy as np
import pytest
from insightface.utils import face_align
from skimage import data
from skimage.transform import SimilarityTransform

from stages.crops.alignment import (
    ARCFACE_TEMPLATE,
    align,
    crop_displacement,
    similarity_transform,
)

RANDOM = np.random.default_rng(0)
POINTS = [RANDOM.uniform(0, 400, 2) + RANDOM.normal(0, 40, (5, 2)) for _ in range(20)]
FACE = np.array([[203, 102], [247, 105], [223, 125], [203, 142], [241, 144]], np.float32)


def test_the_template_is_the_published_one():
    np.testing.assert_array_equal(ARCFACE_TEMPLATE.astype(np.float32), face_align.arcface_dst)


@pytest.mark.parametrize("points", POINTS)
def test_the_transform_is_umeyamas(points):
    expected = SimilarityTransform.from_estimate(points, ARCFACE_TEMPLATE)
    np.testing.assert_allclose(
        similarity_transform(points, ARCFACE_TEMPLATE), expected.params[:2], atol=1e-9
    )


def test_mirrored_points_are_not_met_by_a_reflection():
    matrix = similarity_transform(ARCFACE_TEMPLATE * (-1, 1), ARCFACE_TEMPLATE)
    assert np.linalg.det(matrix[:, :2]) > 0


@pytest.mark.filterwarnings("ignore:`estimate` is deprecated:FutureWarning")
def test_the_crop_is_that_of_insightface():
    image = data.astronaut()
    expected = face_align.norm_crop(image, FACE)
    crop = align(image, FACE)
    assert crop.shape == (112, 112, 3)
    assert np.abs(crop.astype(int) - expected).max() <= 1


def test_points_that_coincide_are_refused():
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(np.ones((5, 2)), ARCFACE_TEMPLATE)


def test_displacement_is_measured_in_pixels_of_the_crop():
    assert crop_displacement(FACE, FACE) == pytest.approx(0, abs=1e-9)
    doubled = ARCFACE_TEMPLATE * 2  # in a picture of twice the crop's size ...
    assert crop_displacement(doubled, doubled + np.array([6, 8])) == pytest.approx(
        5
    )  # ... 10 pixels are 5
