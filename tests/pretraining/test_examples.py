"""Faces and speech for pre-training: held-out people, augmentation, phonemes in time."""

from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import torch

from stages.core.errors import DataError
from stages.core.licences import DATA, GENERATED, Dataset, as_attribute
from stages.crops.crop_file import CropWriter
from stages.crops.face_points import N_COORDINATES, POINTS_A_SIDE
from stages.encoders.registry import audio_encoder, visual_encoder
from stages.pretraining import augmentation, faces, speech
from stages.pretraining.examples import load_examples
from stages.pretraining.settings import Pretrain
from tests import stand_ins

REAL = Dataset("mine", "CC-BY-4.0", False)


def test_held_out_people_are_whole_people() -> None:
    people = np.repeat(np.arange(20, dtype=np.int32), 7)
    chosen = faces.held_out(people, 0.15, seed=3)
    assert len(np.unique(people[chosen])) == 3
    assert not set(people[chosen]) & set(people[~chosen])
    np.testing.assert_array_equal(chosen, faces.held_out(people, 0.15, seed=3))
    with pytest.raises(DataError, match="two people"):
        faces.held_out(np.zeros(5, np.int32), 0.2, seed=0)


def test_faces_and_their_targets_stay_together(tmp_path: Path) -> None:
    stand_ins.write_faces(tmp_path / "faces.h5", faces=40, people=5)
    training, validation = faces.load_faces(tmp_path / "faces.h5", ["au"], 0.2, seed=0)
    assert len(training) == 32
    assert len(validation) == 8
    for part in (training, validation):
        images = np.stack([part.image(row) for row in range(len(part))])
        tile = images[:, 12:30, 2:10].astype(float).mean((1, 2, 3))  # of AU1
        np.testing.assert_array_equal(tile > 145, part.targets[:, 0].numpy() == 1)
    valence = faces.load_faces(tmp_path / "faces.h5", ["va"], 0.2, seed=0)[0].targets
    assert valence.shape == (32, 2)
    encoder = visual_encoder("ires100")
    seen = torch.cat([y for _, y in faces.validation_batches(validation, encoder, 112, 3)])
    torch.testing.assert_close(seen, validation.targets)


def write_partial(path: Path, **labels: np.ndarray) -> None:
    count = len(labels["person"])
    random = np.random.default_rng(0)
    usual = {
        "au": np.full((count, 12), -1, np.int8),
        "valence": np.full(count, np.nan, np.float32),
        "arousal": np.full(count, np.nan, np.float32),
        "expression": np.full(count, -1, np.int8),
    }
    with CropWriter(path, {}) as writer:
        for _ in range(count):
            writer.append(stand_ins.picture(random, np.zeros(12, np.int8)))
        for name, values in {**usual, **labels}.items():
            writer.add(name, values)


def test_faces_with_some_labels_are_joined_and_those_with_none_left_out(tmp_path: Path) -> None:
    expression = np.array([3, -1, 2, -1] * 5, np.int8)
    valence = np.tile([np.nan, 0.5, np.nan, np.nan], 5).astype(np.float32)
    person = np.arange(20, dtype=np.int32)
    write_partial(tmp_path / "f.h5", expression=expression, valence=valence, person=person)
    parts = faces.load_faces(tmp_path / "f.h5", ["va", "expression"], 0.5, seed=2)
    assert sum(map(len, parts)) == 15  # every fourth has neither
    targets = torch.cat([part.targets for part in parts])
    assert sorted(targets[:, 2].tolist()) == [-1.0] * 5 + [2.0] * 5 + [3.0] * 5
    assert torch.isnan(targets[:, 0]).sum() == 10
    assert torch.isnan(targets[:, 1]).all()
    with pytest.raises(DataError, match="no face to learn from with a label for the task au"):
        faces.load_faces(tmp_path / "f.h5", ["expression", "au"], 0.5, seed=2)


def test_people_of_stills_and_of_training_frames_are_held_out_alike(tmp_path: Path) -> None:
    person = np.repeat(np.arange(10, dtype=np.int32), 4)
    au = np.zeros((40, 12), np.int8)
    au[:, 0], au[:, 1:5] = person < 4, (person[:, None] >> np.arange(4)) & 1  # who it is, in bits
    write_partial(tmp_path / "f.h5", au=au, person=person, of_video=person >= 4)
    drawn = set()
    for seed in range(5):
        training, validation = faces.load_faces(tmp_path / "f.h5", ["au"], 0.5, seed)
        assert (len(training), len(validation)) == (20, 20)
        assert int(validation.targets[:, 0].sum()) == 8  # two of four people of stills
        seen, held = ({tuple(row) for row in part.targets[:, 1:5].int().tolist()}
                      for part in (training, validation))  # fmt: skip
        assert not seen & held
        drawn.add(tuple(sorted(held)))
    assert len(drawn) > 1


@pytest.mark.parametrize(("stills", "videos"), [(GENERATED, REAL), (REAL, GENERATED)])
def test_real_people_choose_the_epoch_where_the_others_are_generated(
    tmp_path: Path, stills: Dataset, videos: Dataset
) -> None:
    person = np.repeat(np.arange(10, dtype=np.int32), 4)
    au = np.tile(person[:, None] < 4, 12).astype(np.int8)
    valence = np.full(40, 0.5, np.float32)
    write_partial(
        tmp_path / "f.h5", au=au, person=person, of_video=person >= 4, valence=valence,
        arousal=valence,
    )  # fmt: skip
    both = faces.load_faces(tmp_path / "f.h5", ["au", "va"], 0.5, 0)
    with h5py.File(tmp_path / "f.h5", "r+") as file:
        file.attrs[DATA] = as_attribute([stills, videos])
    training, validation = faces.load_faces(tmp_path / "f.h5", ["au", "va"], 0.5, 0)
    torch.testing.assert_close(training.targets, both[0].targets)
    known = (validation.targets[:, :12] != -1).all(1)
    chosen = both[1].targets[:, 0] == (1 if stills is REAL else 0)
    assert torch.equal(known, chosen)
    assert (validation.targets[~known][:, :12] == -1).all()
    torch.testing.assert_close(validation.targets[:, 12:], both[1].targets[:, 12:])
    # real people of whom nobody knows a valence cannot choose by it
    with h5py.File(tmp_path / "f.h5", "r+") as file:
        rows = np.flatnonzero((person < 4) == (stills is REAL))
        file["valence"][rows] = file["arousal"][rows] = np.nan
    by_valence = faces.load_faces(tmp_path / "f.h5", ["va"], 0.5, 0)[1]
    assert not by_valence.targets.isnan().any()


def test_frames_of_one_person_alone_are_learnt_from(tmp_path: Path) -> None:
    person = np.repeat(np.arange(5, dtype=np.int32), 4)
    au = np.tile(person[:, None] == 4, 12).astype(np.int8)
    write_partial(tmp_path / "f.h5", au=au, person=person, of_video=person == 4)
    training, validation = faces.load_faces(tmp_path / "f.h5", ["au"], 0.5, seed=0)
    assert (len(training), len(validation)) == (12, 8)
    assert int(training.targets[:, 0].sum()) == 4


def test_epochs_differ_and_repeat(tmp_path: Path) -> None:
    stand_ins.write_faces(tmp_path / "faces.h5", faces=40, people=5)
    training, _ = faces.load_faces(tmp_path / "faces.h5", ["au"], 0.2, seed=0)
    encoder = visual_encoder("ires100")

    def first(seed: int, epoch: int) -> torch.Tensor:
        batch: torch.Tensor = next(faces.training_batches(training, encoder, 112, 8, seed, epoch))[
            0
        ]
        return batch

    torch.testing.assert_close(first(0, 0), first(0, 0), rtol=0, atol=0)
    assert not torch.equal(first(0, 0), first(0, 1))
    assert not torch.equal(first(0, 0), first(1, 0))


def test_augmentation_keeps_the_face_in_place_and_range() -> None:
    image = np.zeros((112, 112, 3), np.uint8)
    image[36:76, 36:76] = 200  # in the middle
    before = image.copy()
    random = np.random.default_rng(0)
    varied = np.stack([augmentation.augment(image, random)[0] for _ in range(200)])
    np.testing.assert_array_equal(image, before)
    assert varied.shape == (200, 112, 112, 3)
    assert varied.dtype == np.float32
    assert varied.min() >= 0
    assert varied.max() <= 255
    middle = varied[:, 51:61, 51:61].mean((1, 2, 3))
    corner = varied[:, :12, :12].mean((1, 2, 3))
    assert (middle > corner).mean() > 0.9
    assert varied.std(0).mean() > 5  # they differ


def test_faces_are_varied_as_far_as_the_strength_says() -> None:
    image = cv2.GaussianBlur(
        np.random.default_rng(1).integers(40, 216, (112, 112, 3)).astype(np.uint8), (0, 0), 5
    )
    both = np.stack([image, image[:, ::-1]]).astype(np.float32)
    change = {}
    for strength in (0.0, 0.3, 1.0):
        random = np.random.default_rng(0)
        varied = [augmentation.augment(image, random, strength)[0] for _ in range(100)]
        change[strength] = np.mean([np.abs(both - one).mean((1, 2, 3)).min() for one in varied])
    assert change[0.0] < 1  # a level of grey: curves of 8 bits
    assert 2 * change[0.0] < change[0.3] < 0.6 * change[1.0]


def test_moving_mirrors_half_of_the_pictures_and_moves_by_little() -> None:
    image = np.zeros((112, 112, 3), np.uint8)
    image[52:60, 80:88] = 255  # right of the middle
    random = np.random.default_rng(0)
    centres = []
    for _ in range(300):
        y, x = np.nonzero(augmentation.move(image, random)[0][..., 0] > 100)
        centres.append((x.mean(), y.mean()))
    x, y = np.array(centres).T
    mirrored = x < 56
    assert 0.4 < mirrored.mean() < 0.6
    distance = np.where(mirrored, 111 - x, x) - 83.5
    assert np.abs(distance).max() < 0.06 * 112 + 28 * 0.2
    assert np.abs(y - 55.5).max() < 0.06 * 112 + 30 * np.sin(np.radians(12)) * 1.2


def test_the_phoneme_of_a_time() -> None:
    utterance = speech.Utterance(
        np.zeros(16_000, np.int16),
        np.array([0.1, 0.3, 0.6]),
        np.array([0.3, 0.5, 0.9]),
        np.array([4, 7, 2]),
        speaker=3,
    )
    times = np.array([0.0, 0.1, 0.29, 0.3, 0.55, 0.6, 0.95])
    assert utterance.at(times).tolist() == [-1, 4, 4, 7, -1, 2, -1]


def test_crops_of_speech_carry_the_phonemes_of_their_steps(tmp_path: Path) -> None:
    stand_ins.write_speech(tmp_path / "speech.h5")
    training, validation = speech.load_speech(tmp_path / "speech.h5", 0.25, seed=0)
    assert len(training) == 12
    assert len(validation) == 4
    encoder = audio_encoder("wav2vec")
    samples, phonemes = speech.crop(training[0], 8000, 16_000, encoder)
    assert len(phonemes) == encoder.steps(16_000)
    for step in range(len(phonemes)):
        heard = samples[step * 320 : step * 320 + 400]
        crossings = np.abs(np.diff(np.sign(heard))).sum() / 2 / (400 / 16_000) / 2  # Hz
        quiet = np.abs(heard).max() < 0.05
        inside = step * 320 + 8000, step * 320 + 8400
        if inside[0] // 4000 != (inside[1] - 1) // 4000:
            continue  # across two phonemes
        expected = 0 if quiet else 1 if crossings < 1000 else 2
        assert phonemes[step] == expected
    late, unknown = speech.crop(training[0], 40_000, 16_000, encoder)
    assert (late[8000:] == 0).all()
    assert (unknown[encoder.steps(8000) + 1 :] == -1).all()


def test_speech_that_is_missing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing or damaged: run `dvc repro corpus`"):
        speech.load_speech(tmp_path / "none.h5", 0.2, 0)


def test_dense_points_are_learnt_where_the_faces_have_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "faces.h5"
    stand_ins.write_faces(path, faces=24, people=4)
    settings = Pretrain(
        kind="visual", data="faces", task="au", auxiliary=("points",), epochs=1, batch=8,
        learning_rate=1e-3, weight_decay=0.0, validation=0.25,
    )  # fmt: skip
    encoder = visual_encoder("ires100")
    without = load_examples(encoder, "small", settings, path, 0)
    assert without.task.name == "au"
    assert "has no points of the faces: ires100 learns without them" in capsys.readouterr().out
    place = np.random.default_rng(0).uniform(10, 100, (24, 2, POINTS_A_SIDE, 2))
    with h5py.File(path, "a") as file:
        file["points"] = place.astype(np.float16)
    joined = load_examples(encoder, "small", settings, path, 0)
    assert joined.task.name == "au+points"
    assert joined.task.au_start == 0
    images, targets = next(iter(joined.training(0)))
    assert targets.shape == (len(images), 12 + N_COORDINATES)
    plain = next(joined.validation())[1][:, 12:].reshape(-1, 2, POINTS_A_SIDE, 2).numpy() * 112
    assert np.abs(plain[0] - place.astype(np.float16)).max(axis=(1, 2, 3)).min() < 0.01
    moved = targets[:, 12:].reshape(-1, 2, POINTS_A_SIDE, 2).numpy() * 112
    known = np.abs(moved[:, None] - place.astype(np.float32)[None]).max(axis=(2, 3, 4))
    assert known.min() > 0.5  # each moved as its picture was
