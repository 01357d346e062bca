"""Stages `mask`, `masked` and `inputs` on a tiny corpus: who is copied, and what is untouched."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from stages import inputs, mask, visual
from stages.core import paths
from stages.core.errors import SettingsError
from stages.core.facs import AU_NAMES
from stages.core.feature_store import FeatureReader, FeatureWriter
from stages.crops.alignment import ARCFACE_TEMPLATE
from stages.crops.crop_file import CropReader, CropWriter
from stages.crops.masked_clips import read_copies
from stages.encoders import face_extraction
from stages.encoders.loading import load_encoding
from stages.encoders.registry import visual_encoder
from stages.encoders.weights import load_network, save_weights
from stages.reporting.sections import mask_section
from stages.sequence.dataset import load_videos
from stages.sequence.features import open_features
from stages.videos.manifest import Manifest, save_frames
from tests import stand_ins

FRAMES = 120
SPLITS = {"a": "train", "b": "train", "v": "validation", "t": "test", "u": "unlabelled"}
NO_FACE = range(50, 54)  # in video a, amid the stretch in which AU2 is active
AU02, AU07, AU24, AU25 = (AU_NAMES.index(f"AU{n}") for n in ("02", "07", "24", "25"))
FEW = {"gap": 4, "minimum": 6, "context": 5, "share": 1.0}


def labels_of(name: str) -> np.ndarray:
    """AU7 and AU25 are frequent everywhere; AU2 is rare in training, AU24 rarer."""
    labels = np.zeros((FRAMES, 12), np.int8)
    labels[:, [AU07, AU25]] = 1
    if name == "a":
        labels[40:70, AU02] = 1
        labels[60:64] = -1
    if name == "b":
        labels[100:115, AU24] = 1
        labels[10:13, AU24] = 1  # too short to be copied
    if name in "vt":
        labels[20:90, [AU02, AU24]] = 1
    if name == "u":
        labels[:] = -1
    return labels


def write_crops(name: str) -> None:
    random = np.random.default_rng(ord(name))
    with CropWriter(Path(f"data/crops/{name}.h5"), {"jpeg_quality": 98}) as writer:
        for t in range(FRAMES):
            image = random.integers(30, 255, (28, 28, 3)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
            angle = np.radians(t / 3 - 20)
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            points = (ARCFACE_TEMPLATE @ turn.T + 100).astype(np.float32)
            if name == "a" and t in NO_FACE:
                writer.append(None, timestamp=t / 25)
            else:
                writer.append(image, points, np.zeros(4), 1.0, t / 25)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    change(tmp_path)
    for folder in ("data/crops", "data/index", "data/features/audio"):
        Path(folder).mkdir(parents=True)
    for name in SPLITS:
        write_crops(name)
    entries = [stand_ins.entry(n, f"{n}.mp4", FRAMES, split=s) for n, s in SPLITS.items()]
    entries.append(stand_ins.entry("z", "z.mp4", FRAMES))  # a training video that has no crops
    Manifest("videos", tuple(entries), {}).save(Path("data/index"))
    times = np.arange(FRAMES) / 25
    rows = [(e.name, times, labels_of(e.name)) for e in sorted(entries, key=lambda e: e.name)]
    save_frames(Path("data/index"), rows)
    with FeatureWriter(
        Path("data/features/audio/fbank"), encoder="fbank", weights_hash="", width=1, settings={}
    ) as store:
        for number, name in enumerate(SPLITS):
            store.add(name, number * 1000 + np.arange(FRAMES, dtype=np.float16)[:, None], 25.0)
    torch.manual_seed(0)
    encoder = visual_encoder("ires100")
    network = encoder.build(encoder.scales["small"])
    path = Path("models/encoders/ires100.safetensors")
    save_weights(path, encoder, "small", "au", network.state_dict(), {})
    load_encoding.cache_clear()
    return tmp_path


def change(folder: Path, **changes: object) -> None:
    stand_ins.settings(
        folder,
        pretrain={},
        compute__precision="32-true",
        features={"visual": ["ires100"], "audio": ["fbank"]},
        visual={"ires100": {"weights": "default", "batch": 16}},
        audio={"fbank": {}},
        tables={},
        **{f"mask__{key}": value for key, value in {**FEW, **changes}.items()},
    )


def make_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["visual", "ires100"])
    visual.main()


def run(monkeypatch: pytest.MonkeyPatch) -> None:
    mask.main()
    make_stores(monkeypatch)
    inputs.main()


def inputs_of(*splits: str) -> dict[str, str]:
    """Hash of all that inputs.h5 holds of the videos of some splits."""
    found = {}
    with h5py.File("data/inputs.h5") as file:
        for name, group in file.items():
            if group.attrs["split"] in splits:
                content = [group[key][()].tobytes() for key in sorted(group)]
                content += [str(sorted(group.attrs.items())).encode()]
                found[name] = hashlib.sha256(b"".join(content)).hexdigest()
    return found


@pytest.mark.usefixtures("project")
def test_only_training_videos_are_copied_where_a_rare_au_is_active() -> None:
    mask.main()
    copies = read_copies(paths.MASKED)
    # all AUs but AU7 and AU25 are below average; v and t show the most of them
    assert {(c.source, c.half, c.start, c.stop) for c in copies} == {
        ("a", "lower", 35, 75),
        ("b", "upper", 95, 120),
    }
    lines = next(c for c in copies if c.source == "a").lines
    assert np.flatnonzero(np.isnan(lines).any(1)).tolist() == [t - 35 for t in NO_FACE]


@pytest.mark.usefixtures("project")
def test_the_rare_aus_are_those_of_the_training_labels_alone(capsys) -> None:
    mask.main()
    with (paths.MASK_REPORT / "counts.csv").open() as file:
        rows = {row["AU"]: row for row in csv.DictReader(file)}
    # in validation and test AU2 and AU24 are active most of the time
    assert rows["AU02"]["below_average"] == rows["AU24"]["below_average"] == "yes"
    assert rows["AU25"]["below_average"] == "no"
    assert "2 of 2 stretches copied, 65 frames for 240 of training" in capsys.readouterr().out


def test_no_more_is_copied_than_the_share_and_the_rarest_first(project: Path) -> None:
    change(project, share=0.2)  # 48 frames: either stretch fits, not both
    mask.main()
    (kept,) = read_copies(paths.MASKED)
    assert kept.source == "b"  # AU24 is active in 18 frames of training, AU2 in 26
    change(project, share=0.0)
    mask.main()
    assert read_copies(paths.MASKED) == []


def test_switched_off_nothing_is_copied_and_the_networks_see_the_videos_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(project, enabled=False)
    run(monkeypatch)
    assert read_copies(paths.MASKED) == []
    assert [video.name for video in load_videos("train")] == ["a", "b"]
    with FeatureReader(Path("data/features/masked/ires100")) as store:
        assert store.names == ()
    assert not (paths.MASK_REPORT / "faces.png").exists()
    assert mask_section(paths.MASK_REPORT) is None
    assert "features/masked" not in (paths.RUNS / "main.json").read_text()


def test_videos_that_are_scored_are_the_same_with_and_without_copies(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch)
    scored, features = inputs_of("validation", "test"), Path("data/features/visual/ires100")
    bytes_before = stand_ins.contents(features)
    assert set(scored) == {"v", "t"}
    assert {name for name in inputs_of("train") if ":" in name} == {
        "a:lower:000035", "b:upper:000095"
    }  # fmt: skip
    change(project, enabled=False)
    shutil.rmtree(".partial")
    run(monkeypatch)
    assert inputs_of("validation", "test") == scored
    assert stand_ins.contents(features) == bytes_before
    assert not any(video.masked for video in load_videos("validation", "test", "unlabelled"))


def reference(name: str, start: int, stop: int, half: str) -> np.ndarray:
    """Features of a masked stretch, a frame at a time, by the plainest code.

    The landmarks are the template turned and shifted: in the crop they lie on the template again.
    """
    (lx, ly), (rx, ry), _, (ax, ay), (bx, by) = ARCFACE_TEMPLATE
    axis_x, axis_y = (ax + bx - lx - rx) / 2, (ay + by - ly - ry) / 2  # from eyes to mouth
    along_x, along_y = rx - lx + bx - ax + axis_y, ry - ly + by - ay - axis_x
    below = np.zeros((112, 112), bool)
    for y in range(112):
        for x in range(112):
            from_x, from_y = x - (lx + rx + ax + bx) / 4, y - (ly + ry + ay + by) / 4
            below[y, x] = along_x * from_y - along_y * from_x > 0  # to the right hand of the line
    encoder = visual_encoder("ires100")
    network = load_network(encoder, "small", Path("models/encoders/ires100.safetensors"))
    rows = []
    with CropReader(Path(f"data/crops/{name}.h5")) as crops, torch.inference_mode():
        for image in crops.read(start, stop):
            if image is None:
                rows.append(np.full(256, np.nan, np.float32))
                continue
            image = image.copy()
            image[below if half == "lower" else ~below] = 0
            x = (torch.from_numpy(image).permute(2, 0, 1)[None].float() - 127.5) / 127.5
            rows.append(network(x)[0].numpy())
    return np.stack(rows)


@pytest.mark.usefixtures("project")
def test_features_of_a_copy_are_those_of_its_half_black_crops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(monkeypatch)
    with FeatureReader(Path("data/features/masked/ires100")) as store:
        assert store.names == ("a:lower:000035", "b:upper:000095")
        assert len(store.attributes["weights_hash"]) == 64
        for name, start, stop, half in (("a", 35, 75, "lower"), ("b", 95, 120, "upper")):
            rows = store.read(f"{name}:{half}:{start:06d}")
            expected = reference(name, start, stop, half)
            np.testing.assert_allclose(rows, expected, rtol=2e-2, atol=2e-2)
            missing = [t - start for t in NO_FACE if name == "a"]
            assert np.flatnonzero(np.isnan(rows).any(1)).tolist() == missing


@pytest.mark.usefixtures("project")
def test_a_copy_hears_its_sources_sound_and_has_its_labels_without_the_hidden_half(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(monkeypatch)
    copies = {video.name: video for video in load_videos("train") if video.masked}
    lower, upper = copies["a:lower:000035"], copies["b:upper:000095"]
    with open_features(["ires100"], ["fbank"], masked=True) as features:
        visual_rows, audio, sound = features.read(lower, 10, 25)
        _, late, _ = features.read(upper, 20, 25)
    assert sound.all()
    assert audio[:, 0].tolist() == list(range(45, 60))
    assert late[:, 0].tolist() == [1000.0 + t for t in range(115, 120)]
    with FeatureReader(Path("data/features/masked/ires100")) as store:
        stored = store.read("a:lower:000035").astype(np.float32)
    # frames 50 and 51 stand for by 49, 52 and 53 by 54: counted from 35
    rows = [10, 11, 12, 13, 14, 14, 14, 19, 19, 19, 20, 21, 22, 23, 24]
    np.testing.assert_array_equal(visual_rows, stored[rows])

    expected = labels_of("a")[35:75].copy()
    expected[:, AU25] = np.where(expected[:, AU25] == -1, -1, 0)
    np.testing.assert_array_equal(lower.labels, expected)
    expected = labels_of("b")[95:120].copy()
    expected[:, AU07] = 0
    np.testing.assert_array_equal(upper.labels, expected)


def test_ignored_labels_change_the_inputs_and_no_feature(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch)
    made = {path: path.read_bytes() for path in (paths.MASKED, *Path("data/features").rglob("*"))
            if path.is_file()}  # fmt: skip
    change(project, hidden_label="ignore")
    shutil.rmtree(".partial")
    run(monkeypatch)
    assert {path: path.read_bytes() for path in made} == made
    copy = next(video for video in load_videos("train") if video.name == "b:upper:000095")
    assert (copy.labels[:, :5] == -1).all()
    np.testing.assert_array_equal(copy.labels[:, 5:], labels_of("b")[95:120, 5:])


@pytest.mark.parametrize("hidden_label", ["zero", "ignore"])
def test_counts_are_those_of_what_the_networks_are_given(
    project: Path, monkeypatch: pytest.MonkeyPatch, hidden_label: str
) -> None:
    change(project, hidden_label=hidden_label)
    run(monkeypatch)
    training = load_videos("train")
    parts = {
        "before": np.concatenate([video.labels for video in training if not video.masked]),
        "after": np.concatenate([video.labels for video in training]),
    }
    with (paths.MASK_REPORT / "counts.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["AU"] for row in rows] == list(AU_NAMES)
    for when, labels in parts.items():
        for i, row in enumerate(rows):
            values = labels[:, i].tolist()
            assert int(row[f"active_{when}"]) == values.count(1)
            assert int(row[f"annotated_{when}"]) == len(values) - values.count(-1)
    assert int(rows[AU02]["active_after"]) == 2 * int(rows[AU02]["active_before"])
    assert int(rows[AU25]["active_after"]) == int(rows[AU25]["active_before"]) + 25


@pytest.mark.usefixtures("project")
def test_the_report_shows_faces_and_counts_and_the_same_bytes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mask.main()
    files = [paths.MASKED, *sorted(paths.MASK_REPORT.iterdir())]
    first = [file.read_bytes() for file in files]
    assert [file.name for file in files[1:]] == ["counts.csv", "counts.png", "faces.png"]
    with Image.open(paths.MASK_REPORT / "faces.png") as image:
        assert (np.asarray(image.convert("L")) == 0).mean() > 0.05  # the masks are black
    section = mask_section(paths.MASK_REPORT)
    assert section is not None
    assert section[1].count("data:image/png") == 2
    assert "below average" in section[1]
    mask.main()
    assert [file.read_bytes() for file in files] == first


@pytest.mark.usefixtures("project")
def test_killed_after_one_videos_copies_they_are_not_encoded_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(monkeypatch)
    store, encoded = Path("data/features/masked/ires100"), []
    first, encode = stand_ins.contents(store), face_extraction.encode_video
    shutil.rmtree(".partial")

    class Killed(BaseException):
        pass

    def killed_at_the_second(work: face_extraction.Work, path: Path) -> None:
        if work.copies and encoded:
            raise Killed
        counted(work, path)

    def counted(work: face_extraction.Work, path: Path) -> None:
        if work.copies:
            encoded.append(work.name)
        encode(work, path)

    with pytest.raises(Killed):
        monkeypatch.setattr(face_extraction, "encode_video", killed_at_the_second)
        make_stores(monkeypatch)
    shutil.rmtree(store)  # as DVC does before it runs a stage
    monkeypatch.setattr(face_extraction, "encode_video", counted)
    make_stores(monkeypatch)
    assert encoded == ["a", "b"]
    assert stand_ins.contents(store) == first


@pytest.mark.usefixtures("project")
def test_what_is_no_encoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["visual", "ires100", "masked"])
    with pytest.raises(SettingsError, match=r"'ires100 masked' is no encoder .* allowed: ires100"):
        visual.main()


@pytest.mark.usefixtures("project")
def test_a_copy_whose_features_are_missing_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    run(monkeypatch)
    index = Path("data/features/masked/ires100/index.json")
    content = json.loads(index.read_text())
    del content["videos"]["a:lower:000035"]
    index.write_text(json.dumps(content))
    inputs.main()
    assert "a:lower:000035 has 40 frames, but 0 rows in" in capsys.readouterr().out
    assert [v.name for v in load_videos("train") if v.masked] == ["b:upper:000095"]
