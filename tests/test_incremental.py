"""A video more costs one video: what was cropped and encoded of the others is neither made again
nor touched. A tiny data root goes through the stages' own `main()`, as `dvc repro` runs them."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from skimage import data

from stages import audio, crop, index, inputs, mask, visual
from stages.core import paths
from stages.core.attempts import ATTEMPTS
from stages.core.facs import ANNOTATION_HEADER, AU_NAMES
from stages.core.hashing import ROOT
from stages.encoders import face_extraction
from stages.encoders.loading import load_encoding
from stages.encoders.registry import visual_encoder
from stages.encoders.weights import save_weights
from stages.faces import cropping
from stages.sequence.dataset import load_videos
from stages.synthesis.video_file import write_video
from tests import stand_ins

FRAMES = 24
TRAIN_SET = "AU_Detection_Challenge/Train_Set"
STORES = (paths.CROPS, *(home / name for home, name in (
    (paths.VISUAL_FEATURES, "ires100"), (paths.MASKED_FEATURES, "ires100"),
    (paths.AUDIO_FEATURES, "fbank"),
)))  # fmt: skip
Places = dict[Path, tuple[int, int, bytes]]


def add(name: str, seed: int) -> None:
    """Add an annotated video with a face that moves, and sound."""
    random = np.random.default_rng(seed)
    head = cv2.resize(data.astronaut()[30:230, 125:325], (120, 120))
    pictures = []
    for k in range(FRAMES):
        image = np.full((180, 240, 3), 40 + 20 * seed, np.uint8)
        image[20:140, 40 + k : 160 + k] = head
        pictures.append(image)
    samples = random.normal(0, 0.1, 48_000 * FRAMES // 25).astype(np.float32)
    Path("root/batch1").mkdir(parents=True, exist_ok=True)
    times = np.arange(FRAMES) / 25
    write_video(Path(f"root/batch1/{name}.mp4"), pictures, times, crf=18, sound=samples[None])
    labels = np.zeros((FRAMES, 12), int)
    labels[:, [AU_NAMES.index(one) for one in ("AU06", "AU07", "AU10", "AU12", "AU25")]] = 1
    labels[6:14, AU_NAMES.index("AU02")] = 1  # rarer than the average: it is copied
    path = Path("root") / TRAIN_SET / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([ANNOTATION_HEADER, *(",".join(map(str, row)) for row in labels)]))


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make a workspace of three videos; the list takes the names of what is made after that."""
    monkeypatch.chdir(tmp_path)
    stand_ins.settings(
        tmp_path, data__root="root", compute__precision="32-true", pretrain={}, tables={},
        features={"visual": ["ires100"], "audio": ["fbank"]}, audio={"fbank": {}},
        visual={"ires100": {"weights": "default", "batch": 8}},
        mask__gap=2, mask__minimum=4, mask__context=2, mask__share=1.0,
    )  # fmt: skip
    torch.manual_seed(0)
    encoder = visual_encoder("ires100")
    state = encoder.build(encoder.scales["small"]).state_dict()
    save_weights(Path("models/encoders/ires100.safetensors"), encoder, "small", "au", state, {})
    load_encoding.cache_clear()
    for seed, name in enumerate(("a", "b", "c")):
        add(name, seed)
    run(monkeypatch)
    calls: list[str] = []
    for room, function in ((cropping, "crop_by_detection"), (face_extraction, "encode_video"),
                           (audio, "encode_video")):  # fmt: skip
        watch(monkeypatch, room, function, calls)
    return calls


def watch(monkeypatch: pytest.MonkeyPatch, room: object, function: str, calls: list[str]) -> None:
    work = getattr(room, function)

    def watched(item: object, path: Path) -> None:
        name = item.entry.name if hasattr(item, "entry") else item.name  # type: ignore[attr-defined]
        calls.append(f"{room.__name__.split('.')[-1]} {name}")  # type: ignore[attr-defined]
        work(item, path)

    monkeypatch.setattr(room, function, watched)


def run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the stages; DVC removes their outputs first."""
    for stage, *words in ((index,), (crop,), (mask,), (visual, "ires100"), (audio, "fbank"),
                          (inputs,)):  # fmt: skip
        monkeypatch.setattr("sys.argv", ["stage", *words])
        stage.main()


def places() -> Places:
    """Inode, time and bytes of every file that belongs to one video."""
    found = {}
    for store in STORES:
        for path in store.rglob("*.h5"):
            state = path.stat()
            found[path] = (state.st_ino, state.st_mtime_ns, path.read_bytes())
    return found


def test_a_new_video_costs_one_video(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    before = places()
    assert sorted({path.stem for path in before}) == ["a", "b", "c"]
    assert len(before) == 3 * len(STORES)
    for store in STORES:
        shutil.rmtree(store)
    add("d", 3)
    run(monkeypatch)
    assert made == ["cropping d", "face_extraction d", "face_extraction d", "audio d"]
    after = places()
    assert {path.stem for path in after.keys() - before.keys()} == {"d"}
    assert {path: after[path] for path in before} == before
    assert {video.name[0] for video in load_videos()} == set("abcd")


def test_a_changed_video_costs_one_and_a_removed_one_none(
    made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = places()
    add("b", 5)
    Path("root/batch1/c.mp4").unlink()
    (Path("root") / TRAIN_SET / "c.txt").unlink()
    run(monkeypatch)
    assert made == ["cropping b", "face_extraction b", "face_extraction b", "audio b"]
    after = places()
    assert {path.stem for path in after} == {"a", "b"}
    kept = {path for path in after if path.stem == "a"}
    assert {path: after[path] for path in kept} == {path: before[path] for path in kept}
    assert not list(Path(".partial").rglob("c.h5"))


def test_a_video_that_failed_is_tried_again_alone(
    made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path("root/batch1/b.mp4").read_bytes()
    add("d", 3)
    index.main()
    Path("root/batch1/d.mp4").rename("away.mp4")  # a drive that was not there
    shutil.copy(ROOT / ATTEMPTS, ATTEMPTS)
    number = yaml.safe_load(ATTEMPTS.read_text())["attempts"]["crop"]
    crop.main()
    assert made == ["cropping d"]
    assert yaml.safe_load(ATTEMPTS.read_text())["attempts"]["crop"] == number + 1
    Path("away.mp4").rename("root/batch1/d.mp4")
    crop.main()
    assert made == ["cropping d"] * 2
    assert yaml.safe_load(ATTEMPTS.read_text())["attempts"]["crop"] == number + 1
    assert (paths.CROPS / "d.h5").is_file()
    assert Path("root/batch1/b.mp4").read_bytes() == whole


def test_another_setting_redoes_all_videos(
    made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["visual"]["ires100"]["batch"] = 5
    Path("params.yaml").write_text(yaml.safe_dump(content))
    run(monkeypatch)
    assert made == [f"face_extraction {name}" for name in "abcabc"]
    index_file = paths.VISUAL_FEATURES / "ires100/index.json"
    assert sorted(json.loads(index_file.read_text())["shards"]) == ["a.h5", "b.h5", "c.h5"]
