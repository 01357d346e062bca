"""Stage `pretrain` where the weights come from elsewhere, up to the store that says so."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stages import licences, pretrain, visual
from stages.check_settings import load_params
from stages.core.console import run_stage
from stages.core.errors import DataError, SettingsError
from stages.core.feature_store import FeatureReader
from stages.core.hashing import file_hash
from stages.encoders import face_extraction
from stages.encoders.base import VisualEncoder
from stages.encoders.formats import read_weights
from stages.encoders.loading import Encoding, load_encoding
from stages.encoders.published import choices
from stages.encoders.registry import ENCODERS
from stages.encoders.source import made_path
from stages.encoders.weights import load_network, save_weights
from tests import stand_ins
from tests.encoders import published_files as files
from tests.hub import COMMIT, Hub, serve, use_caches


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    stand_ins.settings(folder)
    use_caches(tmp_path, "http://127.0.0.1:9", monkeypatch)  # no one answers there
    load_encoding.cache_clear()
    return folder


@pytest.fixture
def hub(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve() as server:
        use_caches(tmp_path, server.address, monkeypatch)
        yield server


def run(name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.argv", ["pretrain", name])
    pretrain.main()
    assert json.loads(Path(f"metrics/pretrain/{name}.json").read_text()) == {}
    return made_path(name)


def test_at_full_scale_without_network_every_missing_weight_is_named_at_once(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_ins.settings(project, scale="full")
    before = sorted(project.rglob("*"))
    for name in choices(load_params()):
        monkeypatch.setattr("sys.argv", ["pretrain", name])
        with pytest.raises(SystemExit) as left:
            run_stage(pretrain.main)
        assert left.value.code == 1
        said = capsys.readouterr().err
        assert "Traceback" not in said
        for other, choice in choices(load_params()).items():
            lines = [line for line in said.splitlines() if f".{other}.weights: " in line]
            assert len(lines) == 1
            assert lines[0].count("cannot be fetched, for") == 1
            assert choice.source.text in lines[0]
    assert sorted(project.rglob("*")) == before


def test_at_full_scale_what_is_cached_is_not_missing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = ENCODERS["ires100"].build(ENCODERS["ires100"].scales["small"])
    torch.save(network.state_dict(), "own.pth")
    everyone = load_params().pretrain
    others = {
        f"{settings.kind}__{name}__weights": "pretrain"
        for name, settings in everyone.items()
        if name not in ("ires100", "mobilenet")
    }
    stand_ins.settings(
        project,
        scale="full",
        compute={"offline": True},
        visual__ires100__weights="file:own.pth",
        **others,
    )
    monkeypatch.setattr("sys.argv", ["pretrain", "ires100"])
    with pytest.raises(DataError, match=f"the weights of 1 of {len(everyone)} encoders") as caught:
        pretrain.main()
    assert "visual.mobilenet.weights" in str(caught.value)
    assert "offline mode is on" in str(caught.value)


def test_a_repository_of_the_hub_becomes_a_file_of_ours(
    project: Path, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.transformers_folder(tmp_path / "repo")
    hub.repositories["owner/speech"] = tmp_path / "repo"
    setting = f"hub:owner/speech@{COMMIT}"
    stand_ins.settings(project, audio__wav2vec__weights=setting)
    path = run("wav2vec", monkeypatch)
    origin = read_weights(path).about["origin"]
    assert origin["source"] == setting
    assert origin["sha256"] == file_hash(tmp_path / "repo/model.safetensors")
    assert origin["licence"].startswith("not known here")
    expected = files.small("wav2vec")[1]
    x = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        loaded = load_network(ENCODERS["wav2vec"], "full", path)
        torch.testing.assert_close(loaded(x), expected(x), rtol=1e-4, atol=1e-4)


def test_weights_that_do_not_fit_leave_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file({"a": torch.zeros(1)}, "w.safetensors")
    stand_ins.settings(project, visual__ires100__weights="file:w.safetensors")
    monkeypatch.setattr("sys.argv", ["pretrain", "ires100"])
    with pytest.raises(DataError, match="does not fit ires100"):
        pretrain.main()
    assert not Path("models").exists()
    assert not Path("metrics").exists()


def test_weights_of_another_hash_leave_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.arcface_state(Path("w.pth"))
    stand_ins.settings(project, visual__ires100__weights=f"file:w.pth@sha256:{'0' * 64}")
    monkeypatch.setattr("sys.argv", ["pretrain", "ires100"])
    with pytest.raises(DataError, match=r"is not what file:w\.pth@sha256:0000"):
        pretrain.main()
    assert not Path("models").exists()


def restricted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the published source of ires100 a small file in insightface's cache."""
    pack = Path.home() / ".insightface/models/antelopev2"
    pack.mkdir(parents=True)
    files.onnx_network(pack / "glintr100.onnx")
    from dataclasses import replace

    encoder = ENCODERS["ires100"]
    assert encoder.origin is not None
    origin = replace(encoder.origin, sha256=file_hash(pack / "glintr100.onnx"))
    monkeypatch.setitem(ENCODERS, "ires100", replace(encoder, origin=origin))


def make_crops(entries: dict[str, list[int]]) -> None:
    Path("data/crops").mkdir(parents=True)
    for number, (name, status) in enumerate(entries.items()):
        stand_ins.write_crops(Path(f"data/crops/{name}.h5"), status, seed=number)
    found = [stand_ins.entry(n, f"{n}.mp4", len(s)) for n, s in entries.items()]
    times = {e.name: np.arange(e.frames) / 25 for e in found}
    stand_ins.write_index(Path.cwd(), found, times)


def test_an_onnx_network_fills_a_store_that_names_its_licence(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    restricted(tmp_path, monkeypatch)
    changes = {
        "visual__ires100__weights": "published",
        "features": {"visual": ["ires100"], "audio": []},
        "compute__precision": "32-true",
    }
    stand_ins.settings(project, **changes)
    run("ires100", monkeypatch)
    assert "warning: not for commercial use: visual.ires100" in capsys.readouterr().out
    make_crops({"one": [1, 0, 1, 1], "two": [1, 1]})
    monkeypatch.setattr("sys.argv", ["visual", "ires100"])
    visual.main()
    with FeatureReader(Path("data/features/visual/ires100")) as store:
        assert store.width == 256
        rows = store.read("one")
        assert np.isnan(rows).all(1).tolist() == [False, True, False, False]
        assert store.attributes["weights_hash"] == file_hash(made_path("ires100"))
        terms = json.loads(store.attributes["settings"])["weights"]
    pack = Path.home() / ".insightface/models/antelopev2"
    assert terms["noncommercial"]
    assert terms["sha256"] == file_hash(pack / "glintr100.onnx")
    stand_ins.write_run_files()
    licences.main()
    listed = Path("metrics/licences.md").read_text()
    row = next(line for line in listed.splitlines() if "visual.ires100" in line)
    assert "antelopev2/glintr100.onnx" in row
    assert "| yes |" in row
    assert terms["sha256"] in row
    # refused where the store, the file, or the setting asks for it
    stand_ins.settings(project, **changes, licences__noncommercial="refuse")
    for stage, argument in ((licences, ""), (visual, "ires100"), (pretrain, "ires100")):
        monkeypatch.setattr("sys.argv", ["stage", argument])
        with pytest.raises(SettingsError, match=r"noncommercial is refuse.*visual\.ires100"):
            stage.main()
    stand_ins.settings(project, **changes, licences__noncommercial="allow")
    capsys.readouterr()
    licences.main()
    assert "warning" not in capsys.readouterr().out


def test_a_store_is_not_continued_with_other_weights(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_crops({"one": [1, 1], "two": [1, 1]})
    monkeypatch.setattr("sys.argv", ["visual", "ires100"])
    stand_ins.settings(project, compute__precision="32-true")

    def save(seed: int) -> None:
        encoder, network = files.small("ires100", seed)
        save_weights(made_path("ires100"), encoder, "small", "au", network.state_dict(), {})
        load_encoding.cache_clear()

    encode = face_extraction.encode_video

    def killed_at_the_second(work: face_extraction.Work, piece: Path) -> None:
        if work.name == "two":
            raise KeyboardInterrupt
        encode(work, piece)

    save(1)
    with monkeypatch.context() as patch:
        patch.setattr(face_extraction, "encode_video", killed_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            visual.main()
    assert list(Path(".partial/visual@ires100").rglob("*.h5"))
    save(2)
    visual.main()
    with FeatureReader(Path("data/features/visual/ires100")) as store:
        assert store.attributes["weights_hash"] == file_hash(made_path("ires100"))
        rows = {name: store.read(name) for name in store.names}
    shutil.rmtree("data/features/visual/ires100")
    shutil.rmtree(".partial")
    visual.main()
    with FeatureReader(Path("data/features/visual/ires100")) as store:
        for name, expected in rows.items():
            np.testing.assert_array_equal(store.read(name), expected)


def test_published_weights_are_given_pictures_as_they_expect_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.models import MobileNet_V3_Large_Weights, mobilenet_v3_large

    torch.save(mobilenet_v3_large().state_dict(), "tv.pth")
    stand_ins.settings(project, visual__mobilenet__weights="file:tv.pth")
    path = run("mobilenet", monkeypatch)
    encoding = Encoding("mobilenet", path, file_hash(path), "small", load_params().compute)
    encoder = load_encoding(encoding).encoder
    assert isinstance(encoder, VisualEncoder)
    image = torch.randint(0, 256, (1, 112, 112, 3), dtype=torch.uint8)
    preset = MobileNet_V3_Large_Weights.IMAGENET1K_V2.transforms(crop_size=112, resize_size=112)
    expected = preset(image.permute(0, 3, 1, 2))
    torch.testing.assert_close(encoder.prepare(image), expected, rtol=1e-4, atol=1e-4)


def test_an_encoder_without_published_weights_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setitem(ENCODERS, "ires100", replace(ENCODERS["ires100"], origin=None))
    stand_ins.settings(project, scale="full")
    monkeypatch.setattr("sys.argv", ["pretrain", "mobilenet"])
    with pytest.raises(SettingsError, match=r"no published weights of ires100 are known; allowed"):
        pretrain.main()
