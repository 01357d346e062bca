import hashlib
import os
from pathlib import Path

import av
import h5py
import numpy as np
import pytest
import yaml

from stages import corpus
from stages.check_settings import load_params
from stages.core import parallel, partial
from stages.core.errors import DataError, SettingsError, UnfinishedError
from stages.core.facs import ANNOTATION_HEADER, N_AUS, PRESENT_FROM
from stages.core.paths import CORPUS_FACES, CORPUS_SPEECH, CORPUS_VIDEOS
from stages.crops.crop_file import CropReader
from stages.synthesis import clips as clips_module
from stages.synthesis.performance.affect import VISIBLE
from stages.synthesis.performance.pitfalls import PITFALLS

ROOT = Path(__file__).resolve().parent.parent
TINY = {
    "clips": 9, "people": 6, "seconds": 1.6, "test_clips": 3, "test_seconds": [1.2, 2],
    "frame_rate": 10, "resolution": 64, "faces": 6, "face_people": 2,
    "utterances": 4, "speakers": 2,
}  # fmt: skip


def _settle(folder, **changes):
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["corpus"] |= TINY | changes
    values["compute"]["workers"] = 1
    (folder / "params.yaml").write_text(yaml.safe_dump(values))


def _digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "data").rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tiny corpus, and what the stage printed."""
    folder = tmp_path_factory.mktemp("corpus")
    _settle(folder)
    before = Path.cwd()
    os.chdir(folder)
    printed = []
    real, corpus.say = corpus.say, printed.append
    try:
        corpus.main()
    finally:
        corpus.say = real
        os.chdir(before)
    return folder, "\n".join(printed)


def _annotations(root):
    return sorted((root / "AU_Detection_Challenge").glob("*/*.txt"))


def test_intensities_say_what_the_labels_say(made):
    root = made[0] / CORPUS_VIDEOS
    assert 5 * VISIBLE == PRESENT_FROM
    for path in _annotations(root):
        other = root / "AU_Intensity" / path.parent.name / path.name
        labels = np.loadtxt(path, delimiter=",", skiprows=1)
        intensity = np.loadtxt(other, delimiter=",", skiprows=1)
        assert other.read_text().partition("\n")[0] == ANNOTATION_HEADER
        assert labels.shape == intensity.shape
        assert ((intensity == -1) == (labels == -1)).all()
        known = labels >= 0
        assert ((intensity >= PRESENT_FROM) == (labels == 1))[known].all()
        assert intensity[known].min() >= 0
        assert intensity.max() <= 5
    with CropReader(made[0] / CORPUS_FACES) as faces:
        intensity, au = faces.extra("au_intensity"), faces.extra("au")
    assert intensity.dtype == np.float32
    assert ((intensity >= PRESENT_FROM) == (au == 1)).all()
    assert intensity.max() > 2


def _decoded(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def _table(path):
    header, *rows = path.read_text().splitlines()
    return [dict(zip(header.split(","), row.split(","), strict=True)) for row in rows]


def test_layout_is_that_of_aff_wild2(made):
    root = made[0] / CORPUS_VIDEOS
    videos = sorted(root.glob("batch?/*.mp4"))
    assert len(videos) == 12
    folders = {path.parent.name for path in _annotations(root)}
    assert folders == {"Train_Set", "Validation_Set", "Test_Set"}
    assert len(_annotations(root)) == 13  # one video shows two people
    stems = {path.stem for path in videos}
    for path in _annotations(root):
        assert path.stem.removesuffix("_left").removesuffix("_right") in stems


def test_annotations_have_one_line_a_frame_but_where_it_is_a_trap(made):
    root = made[0] / CORPUS_VIDEOS
    surplus = {"line_too_many": 1, "line_too_few": -1}
    for row in _table(root / "ground_truth.csv"):
        path = root / "AU_Detection_Challenge" / row["split"] / f"{row['name']}.txt"
        header, *lines = path.read_text().splitlines()
        assert header == ANNOTATION_HEADER
        values = np.array([line.split(",") for line in lines], dtype=int)
        assert values.shape[1] == N_AUS
        assert set(np.unique(values)) <= {-1, 0, 1}
        frames = _decoded(root / row["video"])
        assert len(lines) == frames + surplus.get(row["pitfall"], 0)
        lost = row["pitfall"] in ("unannotated", "out_of_picture")
        assert (values == -1).any() == lost


def test_every_pitfall_is_in_the_files(made):
    root = made[0] / CORPUS_VIDEOS
    rows = {row["pitfall"]: row for row in _table(root / "ground_truth.csv")}
    assert set(rows) >= set(PITFALLS)
    for pitfall, row in rows.items():
        with av.open(str(root / row["video"])) as container:
            sound = container.streams.audio
            assert bool(sound) == (pitfall != "no_sound")
            if sound:
                start = float(sound[0].start_time * sound[0].time_base)
                assert (start > 0.3) == (pitfall == "late_sound")
            times = [float(f.pts * f.time_base) for f in container.decode(video=0)]
        steps = np.diff(times)
        assert (steps.max() > 1.5 * steps.min()) == (pitfall == "variable_frame_rate")


def test_people_are_named_and_stay_in_one_split(made):
    root = made[0] / CORPUS_VIDEOS
    people = {row["name"]: row["person"] for row in _table(root / "people.csv")}
    assert set(people) == {path.stem for path in _annotations(root)}
    splits = {}
    for path in _annotations(root):
        splits.setdefault(people[path.stem], set()).add(path.parent.name)
    assert all(len(names) == 1 for names in splits.values())


def test_pictures_show_something_that_moves(made):
    root = made[0] / CORPUS_VIDEOS
    row = next(row for row in _table(root / "ground_truth.csv") if not row["pitfall"])
    with av.open(str(root / row["video"])) as container:
        images = [f.to_ndarray(format="rgb24").astype(float) for f in container.decode(video=0)]
    assert images[0].shape == (64, 64, 3)
    assert images[0].std() > 10
    assert np.abs(images[-1] - images[0]).mean() > 1


def test_stills_are_a_crop_file_with_labels(made):
    with CropReader(made[0] / CORPUS_FACES) as reader:
        assert len(reader) == 6
        assert all(crop is not None and crop.std() > 10 for crop in reader.read())
        assert reader.extra("au").shape == (6, N_AUS)
        assert reader.extra("au").dtype == np.int8
        assert reader.extra("person").tolist() == [0, 0, 0, 1, 1, 1]
        assert np.abs(reader.extra("valence")).max() <= 1
        assert reader.extra("expression").max() < 7
        assert len(reader.extra("arousal")) == 6


def test_speech_has_phonemes_and_speakers(made):
    with h5py.File(made[0] / CORPUS_SPEECH) as file:
        assert file["speaker"][()].tolist() == [0, 0, 1, 1]
        assert len(file["samples"]) > 16_000


def test_summary_names_rates_and_pitfalls(made):
    _, printed = made
    assert "12 clips (7 train, 2 validation, 3 test), " in printed
    assert "AU25" in printed
    assert "62.7" in printed
    assert "variable frame rate: " in printed
    assert "too few clips" not in printed


def test_killed_and_run_again_it_gives_the_same_bytes(made, tmp_path, monkeypatch):
    _settle(tmp_path)
    monkeypatch.chdir(tmp_path)
    finished = []
    real = clips_module.write_video

    def dies(path, *args, **kwargs):
        if len(finished) == 5:
            raise KeyboardInterrupt
        finished.append(path)
        real(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(clips_module, "write_video", dies)
        with pytest.raises(KeyboardInterrupt):
            corpus.main()
    assert not (tmp_path / "data").exists()
    assert len(list((tmp_path / partial.PARTIAL / "corpus").glob("*/pieces/clip-*"))) == 5
    again = []

    def counted(path, *args, **kwargs):
        again.append(path)
        real(path, *args, **kwargs)

    monkeypatch.setattr(clips_module, "write_video", counted)
    corpus.main()
    assert len(again) == 12 - 5
    assert _digests(tmp_path) == _digests(made[0])


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (DataError("no face"), DataError, "3 clips could not be made.*no face"),
        (OSError(28, "No space left on device"), UnfinishedError, "No space left.*make room"),
    ],
)
def test_a_clip_that_fails_is_named(tmp_path, monkeypatch, error, kind, said):
    _settle(tmp_path, clips=2, people=2, test_clips=1, seconds=0.5, faces=1, utterances=1)

    def broken(*args, **kwargs):
        raise error

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(parallel, "PAUSE", 0.0)
    monkeypatch.setattr(clips_module, "write_video", broken)
    with pytest.raises(kind, match=said):
        corpus.main()
    assert not CORPUS_VIDEOS.exists()


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"people": 1}, "people"), ({"people": 13}, "people"), ({"resolution": 63}, "resolution")],
)
def test_settings_that_cannot_be_are_refused(tmp_path, changes, word):
    _settle(tmp_path, **changes)
    with pytest.raises(SettingsError, match=word):
        corpus.settings_of(load_params(tmp_path / "params.yaml").corpus)


def test_everyone_appears_once_by_default(tmp_path):
    _settle(tmp_path, people=None, clips=60)
    assert corpus.settings_of(load_params(tmp_path / "params.yaml").corpus).people == 60


def test_lengths_are_one_number_or_two(tmp_path):
    _settle(tmp_path, seconds=[4, 30])
    settings = corpus.settings_of(load_params(tmp_path / "params.yaml").corpus)
    assert settings.seconds == (4.0, 30.0)
    _settle(tmp_path)
    settings = corpus.settings_of(load_params(tmp_path / "params.yaml").corpus)
    assert settings.seconds == (1.6, 1.6)


@pytest.mark.parametrize("seconds", [[8, 4], [0, 4], [4], "long", True, [4, True]])
def test_lengths_that_cannot_be_are_refused(tmp_path, seconds):
    _settle(tmp_path, seconds=seconds)
    with pytest.raises(SettingsError, match=r"corpus\.seconds"):
        load_params(tmp_path / "params.yaml")
