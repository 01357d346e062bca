"""Faces at rest: they differ, repeat, carry no AU's full movement, and fold by person and age."""

import numpy as np
import pytest

from stages.core.facs import AU_NUMBERS, N_AUS
from stages.synthesis.people.action_units import FOLDS, face_shape_weights
from stages.synthesis.people.mesh_files import FACE_SHAPES
from stages.synthesis.people.resting import SMILE, Resting, sample_resting
from stages.synthesis.still_labels import sample_still

FOREHEAD = FOLDS.index("forehead_inner")


def faces(age: float, count: int = 400) -> list[Resting]:
    return [sample_resting(age, np.random.default_rng(seed)) for seed in range(count)]


def test_same_seed_same_rest() -> None:
    first, again = (sample_resting(40, np.random.default_rng(1)) for _ in range(2))
    assert first == again != sample_resting(40, np.random.default_rng(2))


def test_rest_varies_and_stays_below_every_au() -> None:
    shapes = np.array([face.shapes for face in faces(40)])
    used = np.abs(shapes).max(axis=0) > 0
    assert (shapes[:, used].std(axis=0) > 0.01).all()
    full = face_shape_weights(np.eye(N_AUS)).max(axis=0)
    for name in ("browInnerUp", "browOuterUpLeft", "browDownRight", "mouthSmileLeft"):
        column = FACE_SHAPES.index(name)
        assert np.abs(shapes[:, column]).max() < 0.35 * full[column], name


@pytest.mark.parametrize(("age", "smooth"), [(20, (0.3, 0.5)), (75, (0.05, 0.3))])
def test_skin_folds_by_person(age: float, smooth: tuple[float, float]) -> None:
    gain = np.array([face.fold_gain for face in faces(age)])[:, FOREHEAD]
    assert smooth[0] < (gain < 0.1).mean() < smooth[1]
    assert (gain > 0.4).mean() > 0.1
    assert 0.0 <= gain.min() <= gain.max() <= 1.0


def test_only_older_skin_is_folded_at_rest() -> None:
    young, old = (np.array([face.fold_rest for face in faces(age)]) for age in (22, 75))
    assert young.mean() < 0.03
    assert old.mean() > 0.08
    assert old.max() < 0.7


def test_stills_show_one_sided_aus_and_traces() -> None:
    rng = np.random.default_rng(0)
    stills = [sample_still(rng) for _ in range(500)]
    sided = np.mean([still.asymmetry != 0 for still in stills])
    assert 0.08 < sided < 0.16
    lean = np.array([still.asymmetry for still in stills])
    assert (lean > 0.4).any()
    assert (lean < -0.4).any()
    single = [still for still in stills if still.labels.sum() == 1]
    assert len(single) > 40
    traces = np.array([still.intensity[still.labels == 0].max() for still in stills])
    assert (traces > 0.05).mean() > 0.5


def test_people_smile_differently() -> None:
    smiles = np.array([face.smile for face in faces(40)])
    assert smiles.shape[1] == len(SMILE)
    assert (smiles.min(axis=0) < 0.05).all()
    assert (smiles.std(axis=0) > 0.05).all()
    assert np.abs(np.corrcoef(smiles.T) - np.eye(len(SMILE))).max() < 0.2


def test_many_stills_show_a_smile_and_nothing_that_belies_it() -> None:
    rng = np.random.default_rng(1)
    labels = np.array([sample_still(rng).labels for _ in range(3000)])
    column = {number: place for place, number in enumerate(AU_NUMBERS)}
    smiling = labels[labels[:, column[12]] == 1]
    others = [column[number] for number in (1, 2, 4, 10, 15, 23, 24)]
    assert (smiling[:, others].sum(axis=1) == 0).mean() > 0.2
