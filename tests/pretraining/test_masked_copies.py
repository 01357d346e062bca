"""Masked copies for pre-training: which faces, what is black, and what is known of them."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from pydantic import ValidationError

from stages.core.facs import AU_NUMBERS
from stages.crops.alignment import ARCFACE_TEMPLATE
from stages.encoders.registry import visual_encoder
from stages.pretraining.examples import load_examples
from stages.pretraining.faces import Faces, load_faces
from stages.pretraining.masked_copies import with_masked_copies
from stages.pretraining.settings import Pretrain
from tests import stand_ins

UPPER, LOWER = slice(0, 5), slice(5, 12)  # of the 12 AUs
AU1, AU4, AU12, AU15, AU25, AU26 = (AU_NUMBERS.index(n) for n in (1, 4, 12, 15, 25, 26))


@pytest.fixture
def training(tmp_path: Path) -> Faces:
    """Four AUs are on all faces; AU1, on every fourth, and AU15, on every sixth, are rare."""
    stand_ins.write_faces(tmp_path / "faces.h5", faces=48, people=8)
    au = np.zeros((48, 12), np.int8)
    au[:, [AU4, AU12, AU25, AU26]] = 1
    au[::4, AU1] = au[::6, AU15] = 1
    with h5py.File(tmp_path / "faces.h5", "r+") as file:
        file["au"][:] = au
        file["landmarks"][:] = ARCFACE_TEMPLATE
        file["au_intensity"] = 4 * au.astype(np.float32)
    return load_faces(tmp_path / "faces.h5", ["au", "va", "expression"], 0.125, seed=0)[0]


def test_a_rare_aus_face_is_there_once_more_with_the_other_half_black(training: Faces) -> None:
    faces = with_masked_copies(training, "zero", 0.0, seed=0)
    known = training.targets[:, :12]
    rare = {"upper": known[:, AU15] == 1, "lower": known[:, AU1] == 1}  # by what is hidden
    counts = {half: int(rows.sum()) for half, rows in rare.items()}
    assert len(faces) == len(training) + sum(counts.values())
    torch.testing.assert_close(faces.targets[: len(training)], training.targets, equal_nan=True)
    upper = faces.targets[len(training) :][: counts["upper"]]
    lower = faces.targets[len(training) :][counts["upper"] :]
    assert not upper[:, UPPER].any()  # AU1 is on some of these faces, and not to be seen
    torch.testing.assert_close(upper[:, LOWER], known[rare["upper"]][:, LOWER])
    assert (upper[:, AU25] == 1).all()
    assert not lower[:, LOWER].any()
    assert (lower[:, AU1] == 1).all()
    strength = upper[:, 12:24]
    assert not strength[:, UPPER].any()
    assert (strength[:, AU15] == 4).all()
    assert upper[:, 24:26].isnan().all()  # valence and arousal are those of a whole face
    assert (upper[:, 26] == -1).all()
    first, last = len(training), len(faces) - 1
    whole = training.image(int(rare["upper"].nonzero()[0]))
    masked = faces.image(first)
    assert not masked[:40].any()
    np.testing.assert_array_equal(masked[80:], whole[80:])
    assert not faces.image(last)[80:].any()
    assert faces.image(last)[:40].any()
    assert faces.image(0).all(2).any(1).all()


def test_what_is_covered_can_be_unknown_and_some_copies_are_dropped(training: Faces) -> None:
    every = with_masked_copies(training, "ignore", 0.0, seed=0)
    upper = every.targets[len(training)]
    assert (upper[UPPER] == -1).all()
    assert upper[12:24][UPPER].isnan().all()
    some = with_masked_copies(training, "ignore", 0.3, seed=0)
    again = with_masked_copies(training, "ignore", 0.3, seed=0)
    other = with_masked_copies(training, "ignore", 0.3, seed=1)
    assert len(training) < len(some) < len(every)
    torch.testing.assert_close(some.targets, again.targets, equal_nan=True)
    assert len(other) != len(some) or not torch.equal(some.targets, other.targets)


def test_the_setting_adds_copies_to_what_is_trained_on_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_ins.write_faces(tmp_path / "faces.h5", faces=48, people=8)
    with h5py.File(tmp_path / "faces.h5", "r+") as file:
        file["landmarks"][:] = ARCFACE_TEMPLATE
    usual = {
        "kind": "visual", "data": "faces", "task": "au", "epochs": 1, "batch": 8,
        "learning_rate": 1e-3, "weight_decay": 0.0, "validation": 0.25,
    }  # fmt: skip

    def load(**more: object) -> tuple[int, list[torch.Tensor]]:
        examples = load_examples(
            visual_encoder("vit"), "small", Pretrain.model_validate(usual | more),
            tmp_path / "faces.h5", 0,
        )  # fmt: skip
        return examples.count, [targets for _, targets in examples.validation()]

    count, held_out = load()
    more, same = load(masked_copies="zero")
    assert more > count == 36
    assert f"vit: {more - count} masked copies of 36 faces" in capsys.readouterr().out
    assert torch.equal(torch.cat(held_out), torch.cat(same))
    with pytest.raises(ValidationError, match="masked_copies belong to the task au"):
        load(task="va", masked_copies="zero")
