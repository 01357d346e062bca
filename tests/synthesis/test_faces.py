"""The generated faces: what each AU moves, that pictures repeat, where the landmarks lie."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("warp")
pytest.importorskip("anny")

from stages.core.facs import AU_NUMBERS, N_AUS
from stages.crops.face_points import POINTS_A_SIDE
from stages.synthesis.head.head import build_head
from stages.synthesis.head.head_bank import HeadBank, bank_path, load_bank
from stages.synthesis.head.head_model import Head
from stages.synthesis.people.action_units import (
    AU_FOLDS,
    AU_SHAPES,
    BOUNDS,
    face_shape_weights,
    fold_weights,
    gaze_of,
)
from stages.synthesis.people.mesh_files import FACE_SHAPES
from stages.synthesis.people.people import Person, sample_person
from stages.synthesis.render.rendering import FaceState, Renderer
from stages.synthesis.render.scene import Scene, sample_scene

MM = 0.01  # decimetres


def face_state(intensity: np.ndarray) -> FaceState:
    """State of a face that shows (12,) AU intensities and looks into the camera."""
    shapes = face_shape_weights(intensity[None])[0]
    return FaceState(shapes=shapes, folds=fold_weights(intensity[None])[0])


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> HeadBank:
    kept = Path.home() / ".cache" / "aufusion"
    return load_bank(kept if bank_path(kept).is_file() else tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="session")
def person() -> Person:
    return replace(sample_person(np.random.default_rng(3)), glasses=0.0, beard="none")


@pytest.fixture(scope="session")
def head(bank: HeadBank, person: Person) -> Head:
    return build_head(person, bank)


@pytest.fixture
def scene() -> Scene:
    return sample_scene(np.random.default_rng(5))


def one(number: int, strength: float = 1.0) -> np.ndarray:
    intensity = np.zeros(N_AUS)
    intensity[AU_NUMBERS.index(number)] = strength
    return intensity


@pytest.fixture(scope="session")
def moved(bank: HeadBank) -> Callable[..., np.ndarray]:
    """Mean displacement, in millimetres, of the vertices near a point of the base face."""

    def displacement(intensity: np.ndarray, point: tuple[float, float, float]) -> np.ndarray:
        weights = face_shape_weights(intensity[None])[0]
        near = np.argsort(np.linalg.norm(bank.base - point, axis=1))[:8]
        return np.tensordot(weights, bank.face_shapes[:, near].mean(1), 1) / MM

    return displacement


INNER_BROW, OUTER_BROW = (0.12, 7.47, 1.5), (0.5, 7.48, 1.3)
CORNER, CHIN = (0.255, 6.6, 1.4), (0.0, 6.22, 1.4)
UPPER_LIP, LOWER_LIP = (0.0, 6.63, 1.58), (0.0, 6.56, 1.55)
CHEEK, LOWER_LID = (0.5, 6.9, 1.25), (0.31, 7.2, 1.41)


def test_every_au_has_shapes_and_folds() -> None:
    assert tuple(AU_SHAPES) == tuple(AU_FOLDS) == AU_NUMBERS
    weights = face_shape_weights(np.eye(N_AUS))
    assert weights.shape == (N_AUS, len(FACE_SHAPES))
    assert (weights.sum(1) > 0.5).all()


def test_brows(moved: Callable[..., np.ndarray]) -> None:
    inner, outer = (moved(one(1), point)[1] for point in (INNER_BROW, OUTER_BROW))
    assert inner > 4.0
    assert inner > outer + 2.0
    inner, outer = (moved(one(2), point)[1] for point in (INNER_BROW, OUTER_BROW))
    assert outer > 4.0
    assert outer > inner + 2.0
    lowered = moved(one(4), INNER_BROW)
    assert lowered[1] < -3.0
    assert lowered[0] < -1.0  # the left brow moves towards the middle


def test_cheeks_and_lids(moved: Callable[..., np.ndarray]) -> None:
    assert moved(one(6), CHEEK)[1] > 4.0
    assert moved(one(7), LOWER_LID)[1] > 2.0
    assert moved(one(6), CHEEK)[1] > 4 * moved(one(7), CHEEK)[1]


def test_corners_of_the_mouth(moved: Callable[..., np.ndarray]) -> None:
    assert moved(one(12), CORNER)[1] > 5.0
    assert moved(one(12), CORNER)[0] > 3.0
    assert moved(one(15), CORNER)[1] < -4.0
    assert moved(one(10), UPPER_LIP)[1] > 2.0


def test_jaw_and_lips(moved: Callable[..., np.ndarray]) -> None:
    def gap(intensity: np.ndarray) -> float:
        return float(moved(intensity, UPPER_LIP)[1] - moved(intensity, LOWER_LIP)[1])

    assert moved(one(26), CHIN)[1] < -10.0
    assert gap(one(25)) > 4.0
    assert abs(moved(one(25), CHIN)[1]) < 1.0
    assert gap(one(24)) < -1.0
    assert gap(one(23)) < 0.0
    closed, open_ = gap(one(26)), gap(one(26) + one(25, 0.5))
    assert open_ > closed + 8.0  # a jaw that drops alone keeps the lips together


def test_intensity_scales_and_is_bounded() -> None:
    half, full = (face_shape_weights(one(12, value)[None]) for value in (0.5, 1.0))
    np.testing.assert_allclose(2 * half, full, rtol=1e-6)
    assert face_shape_weights(np.ones((1, N_AUS))).max() <= max(BOUNDS.values())
    with pytest.raises(ValueError, match="12"):
        face_shape_weights(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="none of"):
        face_shape_weights(np.zeros((1, N_AUS)), mouth={"sung": np.ones(1)})


def test_asymmetry_weakens_one_side() -> None:
    lean = np.zeros(N_AUS)
    lean[AU_NUMBERS.index(12)] = 0.4
    weights = face_shape_weights(one(12)[None], asymmetry=lean)[0]
    left, right = (weights[FACE_SHAPES.index(f"mouthSmile{side}")] for side in ("Left", "Right"))
    assert right == pytest.approx(0.6 * left)
    folds = fold_weights(one(12)[None], lean)[0]
    assert folds[7] > folds[8]


def test_gaze_survives_the_shapes() -> None:
    gaze = np.array([[0.2, -0.1]])
    weights = face_shape_weights(np.zeros((1, N_AUS)), gaze=gaze)[0]
    np.testing.assert_allclose(gaze_of(weights), np.repeat(gaze, 2, 0), atol=1e-6)


def test_bank_holds_numbers_only(bank: HeadBank) -> None:
    assert bank.face_shapes.shape == (52, len(bank.base), 3)
    assert np.isfinite(bank.axes.astype(np.float32)).all()
    assert bank.triangles.max() == len(bank.base) - 1


def test_same_seed_same_person() -> None:
    first, again, other = (sample_person(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_same_seed_same_bytes(bank: HeadBank, person: Person, head: Head, scene: Scene) -> None:
    state = face_state(one(12) + one(1))
    first = Renderer([head], scene, 128, 128).render(state, frame=4)
    again = Renderer([build_head(person, bank)], scene, 128, 128).render(state, frame=4)
    assert first.shape == (128, 128, 3)
    assert first.dtype == np.uint8
    assert first.tobytes() == again.tobytes()
    other = Renderer([head], sample_scene(np.random.default_rng(6)), 128, 128).render(state)
    assert first.tobytes() != other.tobytes()


def test_every_au_changes_the_picture_in_its_place(head: Head, scene: Scene) -> None:
    still = replace(scene, noise=0.0, blur=0.0, rotation=(0.0, 0.0, 0.0))
    renderer = Renderer([head], still, 160, 160)
    neutral = renderer.render(FaceState()).astype(int)
    points = renderer.landmarks(FaceState())[0]
    eyes, mouth = points[:2, 1].mean(), points[3:, 1].mean()
    for number in AU_NUMBERS:
        changed = np.abs(renderer.render(face_state(one(number))).astype(int) - neutral).sum(-1)
        rows, _ = np.nonzero(changed > 30)
        assert len(rows) > 40, f"AU{number} is not to be seen"
        wrong = (rows > mouth) if number < 10 else (rows < eyes)
        assert wrong.mean() < 0.1, f"AU{number} shows in the wrong half"


def test_landmarks(head: Head, scene: Scene) -> None:
    renderer = Renderer([head], replace(scene, rotation=(0.0, 0.0, 0.0)), 200, 200)
    left_eye, right_eye, nose, left_mouth, right_mouth = renderer.landmarks(FaceState())[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    moved = renderer.landmarks(FaceState(translation=np.array([1.0, 0.0, 0.0], np.float32)))[0]
    assert moved[:, 0].min() > right_eye[0]
    yaw = np.array([0.0, np.deg2rad(25.0), 0.0], np.float32)
    turned = renderer.landmarks(FaceState(rotation=yaw))[0]
    assert turned[2, 0] > nose[0] + 5  # yaw to the person's left is to the right of the picture
    smile = renderer.landmarks(face_state(one(12)))[0]
    assert (smile[3:, 1] < np.array([left_mouth[1], right_mouth[1]])).all()


def test_landmarks_fall_on_what_they_name(head: Head, scene: Scene) -> None:
    """An eye that blinks changes the picture at its landmark, and elsewhere hardly."""
    renderer = Renderer([head], replace(scene, noise=0.0), 200, 200)
    lids = face_shape_weights(np.zeros((1, N_AUS)), blink=np.array([[1.0, 0.0]]))[0]
    opened, closed = (
        renderer.render(state).astype(int) for state in (FaceState(), FaceState(lids))
    )
    rows, columns = np.nonzero(np.abs(opened - closed).sum(-1) > 60)
    left_of_person = renderer.landmarks(FaceState())[0, 1]
    assert np.hypot(columns.mean() - left_of_person[0], rows.mean() - left_of_person[1]) < 6


def test_two_people_and_nobody(bank: HeadBank, head: Head, scene: Scene) -> None:
    other = build_head(sample_person(np.random.default_rng(8)), bank)
    renderer = Renderer([head, other], scene, 96, 192)
    points = renderer.landmarks(FaceState(), FaceState())
    assert points[0, :, 0].max() < 96 < points[1, :, 0].min()
    away = FaceState(translation=np.array([9.0, 0.0, 0.0], np.float32))
    empty = renderer.render(away, away)
    assert np.abs(empty.astype(int) - renderer.render(FaceState(), away)).sum() > 0
    with pytest.raises(ValueError, match="1 states for 2 heads"):
        renderer.render(FaceState())
    with pytest.raises(ValueError, match="no head"):
        Renderer([], scene, 96, 96)


def test_dense_points_are_pairs_of_the_two_halves_and_follow_the_face(
    head: Head, scene: Scene
) -> None:
    renderer = Renderer([head], replace(scene, rotation=(0.0, 0.0, 0.0)), 200, 200)
    rest = renderer.dense_points(FaceState())[0]
    assert rest.shape == (2, POINTS_A_SIDE, 2)
    assert len(np.unique(rest.reshape(-1, 2), axis=0)) > 2 * POINTS_A_SIDE - 12  # but the middle
    left_eye, right_eye, nose, *_ = renderer.landmarks(FaceState())[0]
    assert (rest[0, :, 0] < nose[0] + 4).all()
    assert (rest[1, :, 0] > nose[0] - 4).all()
    mirrored = rest[0] * (-1, 1) + (left_eye[0] + right_eye[0], 0)
    assert np.abs(mirrored - rest[1]).max() < 0.12 * 200  # faces are not quite even
    for number, fewest in ((1, 2), (12, 6), (26, 6)):
        there = renderer.dense_points(face_state(one(number)))[0]
        assert (np.linalg.norm(there - rest, axis=-1) > 1.5).sum() >= fewest, f"AU{number}"
