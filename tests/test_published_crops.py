"""A data root of published crops and annotations alone, and what DVC hashes of a data root."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages import audio, crop, index
from stages.core import paths
from stages.core.errors import DataError
from stages.core.facs import ANNOTATION_HEADER, N_AUS
from stages.core.feature_store import FeatureReader
from stages.core.hashing import ROOT
from stages.crops.crop_file import CropReader, encode_jpeg
from stages.synthesis.video_file import write_video
from stages.videos.manifest import Manifest, read_labels, read_timestamps

FRAMES = 12
Change = Callable[..., None]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Change:
    monkeypatch.chdir(tmp_path)
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["data"].update(root="root", frame_rate=30)
    content["crop"]["source"] = "cropped_aligned"
    content["compute"].update(workers=1, device="cpu")

    def change(**values: object) -> None:
        for key, value in values.items():
            section, name = key.split("__")
            content[section][name] = value
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))

    change()
    return change


def add_crops(name: str, *numbers: int) -> Path:
    folder = Path("root/cropped_aligned") / name
    folder.mkdir(parents=True)
    for number in numbers:
        picture = np.full((112, 112, 3), 20 * number, np.uint8)
        (folder / f"{number:05d}.jpg").write_bytes(encode_jpeg(picture, 90))
    return folder


def annotate(split: str, name: str, frames: int) -> None:
    path = Path(f"root/AU_Detection_Challenge/{split}_Set/{name}.txt")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([ANNOTATION_HEADER, *[",".join("1" * N_AUS)] * frames]))


def add_crop_only_root() -> None:
    add_crops("one", 1, 2, 4)  # frame 3, and the last ones, have no face
    annotate("Train", "one", FRAMES)
    add_crops("pair", *range(1, 6))
    add_crops("pair_left", 2, 3)
    annotate("Validation", "pair", 5)
    annotate("Validation", "pair_left", 5)
    add_crops("listed", 1, 7)
    Path("root/AU_test_set.txt").write_text("listed\n")


def test_crops_and_annotations_alone_are_a_data_root(
    settings: Change, capsys: pytest.CaptureFixture[str]
) -> None:
    add_crop_only_root()
    index.main()
    said = capsys.readouterr().out
    assert "4 faces have published crops and no video: no sound, and times by" in said
    assert "data.frame_rate, 30 Hz" in said
    manifest = Manifest.load(paths.INDEX)
    assert manifest.unreadable == {}
    kept = {e.name: (e.split, e.side, e.group, e.frames) for e in manifest.entries}
    assert kept == {
        "one": ("train", "only", "one", FRAMES),
        "pair": ("validation", "right", "pair", 5),
        "pair_left": ("validation", "left", "pair", 5),
        "listed": ("test", "only", "listed", 7),
    }
    assert all(e.video is None and not e.sound for e in manifest.entries)
    np.testing.assert_allclose(read_timestamps(paths.INDEX, "one"), np.arange(FRAMES) / 30)
    assert (read_labels(paths.INDEX, "one") == 1).all()
    crop.main()
    with CropReader(paths.CROPS / "one.h5") as crops:
        assert np.flatnonzero(crops.status).tolist() == [0, 1, 3]
        assert len(crops) == FRAMES


def test_their_sound_is_silence(settings: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    add_crop_only_root()
    index.main()
    monkeypatch.setattr(sys, "argv", ["audio", "fbank"])
    audio.main()
    with FeatureReader(paths.AUDIO_FEATURES / "fbank") as store:
        rows = {name: store.read(name) for name in store.names}
    assert {name: len(values) for name, values in rows.items()} == {
        "one": FRAMES, "pair": 5, "pair_left": 5, "listed": 7,
    }  # fmt: skip
    assert all(np.isnan(values).all() for values in rows.values())


def test_without_a_frame_rate_they_are_refused_with_a_sentence(settings: Change) -> None:
    add_crop_only_root()
    settings(data__frame_rate=None)
    with pytest.raises(DataError, match=r"holds no video, and 4 folders .*set data\.frame_rate"):
        index.main()
    assert not paths.INDEX.exists()


def test_faces_cannot_be_looked_for_in_crops(settings: Change) -> None:
    add_crop_only_root()
    settings(crop__source="detect")
    index.main()
    with pytest.raises(DataError, match=r"no video to find faces in: set crop\.source"):
        crop.main()


def write_clip(name: str, shade: int) -> None:
    Path("root").mkdir(exist_ok=True)
    frames = [np.full((32, 48, 3), shade + k, np.uint8) for k in range(FRAMES)]
    write_video(Path("root") / f"{name}.mp4", frames, np.arange(FRAMES) / 25, crf=30)


def test_beside_videos_they_need_a_frame_rate_too(settings: Change) -> None:
    write_clip("film", 0)
    add_crops("film", 1)
    add_crops("alone", 1)
    add_crops("empty")
    index.main()
    manifest = Manifest.load(paths.INDEX)
    assert {e.name: e.video for e in manifest.entries} == {"film": "film.mp4", "alone": None}
    assert "no picture of a frame" in manifest.unreadable["cropped_aligned/empty"]
    settings(data__frame_rate=None)
    index.main()
    manifest = Manifest.load(paths.INDEX)
    assert [e.name for e in manifest.entries] == ["film"]
    assert "no readable video" in manifest.unreadable["cropped_aligned/alone"]


def test_crops_that_changed_are_cropped_anew(settings: Change) -> None:
    add_crop_only_root()
    index.main()
    before = {e.name: e.video_hash for e in Manifest.load(paths.INDEX).entries}
    Path("root/cropped_aligned/one/00002.jpg").unlink()
    index.main()
    after = {e.name: e.video_hash for e in Manifest.load(paths.INDEX).entries}
    assert [name for name in before if before[name] != after[name]] == ["one"]


class Project:
    """The shipped stage `index` with an idle command, on a data root of 2,000 published crops."""

    def __init__(self, folder: Path, root: str) -> None:
        self.folder = folder
        self.root = folder / root
        shipped = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["index"]
        shipped["cmd"] = "mkdir -p data/index && date +%N > data/index/made"
        shipped["deps"] = [dep for dep in shipped["deps"] if not dep.startswith("stages/")]
        (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"index": shipped}}))
        content = yaml.safe_load((ROOT / "params.yaml").read_text())
        content["data"]["root"] = root
        (folder / "params.yaml").write_text(yaml.safe_dump(content))
        shutil.copy(ROOT / ".dvcignore", folder)
        self.dvc("init", "--no-scm", "-q")

    def dvc(self, *words: str) -> str:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("dvc")), *words],
            cwd=self.folder, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def repro(self) -> bool:
        return "Running stage 'index'" in self.dvc("repro")

    def hashed(self) -> int:
        lock = yaml.safe_load((self.folder / "dvc.lock").read_text())
        return next(d["nfiles"] for d in lock["stages"]["index"]["deps"] if "nfiles" in d)


def fill(root: Path) -> None:
    for place in ("cropped_aligned/a", "new/cropped_aligned_new_50_vids/b"):
        (root / place).mkdir(parents=True)
        for number in range(1, 1001):
            (root / place / f"{number:05d}.jpg").write_bytes(b"\xff\xd8 tiny \xff\xd9")
    (root / "batch1").mkdir()
    (root / "batch1/a.mp4").write_bytes(b"a video")
    (root / "AU_Detection_Challenge/Train_Set").mkdir(parents=True)
    (root / "AU_Detection_Challenge/Train_Set/a.txt").write_text("AU1\n")


@pytest.mark.parametrize("linked", [False, True], ids=["in the project", "linked into it"])
def test_dvc_hashes_no_published_crop_and_notices_all_else(tmp_path: Path, linked: bool) -> None:
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    root = tmp_path / "elsewhere" if linked else project / "data/own"
    root.mkdir()
    fill(root)
    if linked:
        (project / "data/own").symlink_to(root)
    made = Project(project, "data/own")
    assert made.repro()
    assert made.hashed() == 2
    assert not made.repro()
    (root / "batch1/a.mp4").write_bytes(b"another video")
    assert made.repro()
    (root / "AU_Detection_Challenge/Train_Set/a.txt").write_text("AU1\n1\n")
    assert made.repro()
    (root / "batch1/b.mp4").write_bytes(b"one more")
    assert made.repro()
    assert made.hashed() == 3
    assert not made.repro()


def test_outside_of_the_project_the_index_says_how_to_keep_dvc_from_it(
    settings: Change, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    add_crop_only_root()
    elsewhere = tmp_path_factory.mktemp("outside") / "own"
    Path("root").rename(elsewhere)
    settings(data__root=str(elsewhere))
    index.main()
    assert re.search(r"ln -s .*own data/own, and data\.root=data/own", capsys.readouterr().out)
