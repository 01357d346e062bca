"""`pretrain.NAME.start`: what is taken, what is written down of it, what is refused."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from stages import pretrain
from stages.core.errors import DataError, SettingsError
from stages.core.hashing import file_hash
from stages.encoders.base import VisualEncoder
from stages.encoders.licences import weights_terms
from stages.encoders.registry import ENCODERS, visual_encoder
from stages.encoders.source import Source, read_about
from stages.encoders.weights import load_network
from stages.pretraining import run, warm_start
from stages.pretraining.settings import Pretrain
from tests import stand_ins
from tests.encoders.published_files import iresnet_onnx, onnx_network, small

MADE = Path("models/encoders/mobilenet.safetensors")
STILL = 1e-12  # a rate at which nothing moves


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("data/corpus").mkdir(parents=True)
    stand_ins.write_faces(Path("data/faces.h5"))
    return tmp_path


def train(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str = "mobilenet",
    row: dict[str, object] | None = None,
    **changes: object,
) -> dict[str, Any]:
    """Train an encoder with some of its settings changed (`row`); what its weights say."""
    short = {"epochs": 1, "batch": 16, "learning_rate": STILL, "validation": 0.25, "average": 0}
    own = {f"pretrain__{name}__{key}": value for key, value in {**short, **(row or {})}.items()}
    stand_ins.settings(project, **own, **changes)
    monkeypatch.setattr("sys.argv", ["pretrain", name])
    pretrain.main()
    return read_about(Path(f"models/encoders/{name}.safetensors"))


def parameters(path: Path) -> dict[str, torch.Tensor]:
    """What is learnt by gradient, without the head."""
    return {
        name: tensor
        for name, tensor in load_file(path).items()
        if "running" not in name and "num_batches" not in name and not name.startswith("head.")
    }


def test_training_begins_with_the_weights_of_a_file_of_ours(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "start" not in train(project, monkeypatch, row={"learning_rate": 1e-2, "epochs": 2})
    start = Path(shutil.copy(MADE, "start.safetensors"))
    digest = file_hash(start)
    about = train(project, monkeypatch, row={"start": "file:start.safetensors"}, seed=5)
    said = capsys.readouterr().out
    assert f"begins with file:start.safetensors, sha256:{digest}" in said
    assert f"add @sha256:{digest} to pretrain.mobilenet.start" in said
    began, ended = parameters(start), parameters(MADE)
    for name, tensor in began.items():
        torch.testing.assert_close(ended[name], tensor, rtol=0, atol=1e-6)
    record = {"source": "file:start.safetensors", "sha256": digest, "published": False}
    assert about["start"] == record
    assert about["data"] == read_about(start)["data"]  # the same faces: once
    train(project, monkeypatch, seed=5)
    assert any(not torch.equal(t, began[name]) for name, t in parameters(MADE).items())


def foreign(path: Path) -> Path:
    """Write weights in the published layout, which say nothing of themselves."""
    encoder = ENCODERS["mobilenet"]
    torch.manual_seed(3)
    save_file(encoder.build(encoder.scales["small"]).state_dict(), path)
    return path


def test_the_licence_and_the_normalisation_of_others_weights_are_carried_on(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = foreign(Path("theirs.safetensors"))
    setting = f"file:theirs.safetensors@sha256:{file_hash(start)}"
    about = train(project, monkeypatch, row={"start": setting})
    assert about["start"]["published"]
    assert [one["noncommercial"] for one in about["data"]] == [False, None]
    assert about["data"][1]["source"].startswith("weights file:theirs.safetensors")
    terms = weights_terms(MADE)
    assert terms["noncommercial"] is None
    assert "weights file:theirs.safetensors" in terms["licence"]
    network: Any = load_network(ENCODERS["mobilenet"], "small", MADE)
    assert network.published  # so that it is given pictures as it was trained on
    # also by way of a second training that begins with the first one's weights
    again = shutil.copy(MADE, "second.safetensors")
    about = train(project, monkeypatch, row={"start": f"file:{again}"})
    assert about["start"]["published"]
    assert [one["noncommercial"] for one in about["data"]] == [False, None]
    with pytest.raises(SettingsError, match=r"unknown licence.*pretrain\.mobilenet\.start"):
        train(project, monkeypatch, row={"start": setting}, licences__noncommercial="refuse")


def test_pictures_are_given_as_the_start_expects_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = foreign(Path("theirs.safetensors"))
    ours = {**load_file(start), "head.weight": torch.zeros(1)}
    about = {"encoder": "mobilenet", "scale": "small", "task": "va", "data": [],
             "dimensions": ENCODERS["mobilenet"].scales["small"]}  # fmt: skip
    save_file(ours, "ours.safetensors", {"aufusion": json.dumps(about)})
    encoder, seen = ENCODERS["mobilenet"], []

    class Watching(VisualEncoder):
        def prepare(self, images: torch.Tensor, side: int | None = None) -> torch.Tensor:
            made = super().prepare(images, side)
            seen.append(float(made.mean()))
            return made

    fields = {field.name: getattr(encoder, field.name) for field in dataclasses.fields(encoder)}
    monkeypatch.setattr(run, "any_encoder", lambda name: Watching(**fields))
    means = []
    for name in ("theirs", "ours"):
        train(project, monkeypatch, row={"start": f"file:{name}.safetensors"})
        means.append(seen[-1])  # of the held-out faces as they are
    back = [encoder.for_published(), encoder]
    shades = [means[k] * back[k].deviation[0] + back[k].mean[0] for k in range(2)]
    assert means[0] != pytest.approx(means[1], abs=0.05)
    assert shades[0] == pytest.approx(shades[1], abs=12)  # the means of the colours differ a little


def test_published_is_the_pinned_source_with_the_licence_of_the_encoders_entry(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = foreign(Path("published.safetensors"))
    pinned = Source(kind="file", name=str(path), sha256=file_hash(path), noncommercial=True)
    encoder = dataclasses.replace(ENCODERS["mobilenet"], origin=pinned, licence="for study only")
    monkeypatch.setattr(warm_start, "any_encoder", lambda name: encoder)
    about = train(project, monkeypatch, row={"start": "published"})
    assert about["start"]["sha256"] == pinned.sha256
    assert about["data"][1]["licence"] == "for study only"
    assert weights_terms(MADE)["licence"].startswith("non-commercial: trained by this pipeline")
    with pytest.raises(SettingsError, match=r"not for commercial use: pretrain\.mobilenet\.start"):
        train(project, monkeypatch, row={"start": "published"}, licences__noncommercial="refuse")
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DataError, match="sha256"):
        train(project, monkeypatch, row={"start": "published"})
    unknown = dataclasses.replace(encoder, origin=None)
    monkeypatch.setattr(warm_start, "any_encoder", lambda name: unknown)
    with pytest.raises(SettingsError, match="no published weights of mobilenet are known"):
        train(project, monkeypatch, row={"start": "published"})


def test_an_onnx_file_of_the_same_network_is_fine_tuned(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = small("ires100")[1]
    random = np.random.default_rng(3)
    faces = [stand_ins.picture(random, random.integers(0, 2, 12, np.int8)) for _ in range(48)]
    x = visual_encoder("ires100").prepare(torch.from_numpy(np.stack(faces)))
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = None  # the mean over what it sees from now on
            module.reset_running_stats()
    with torch.no_grad():
        theirs.train()(x)  # as in a published file: the statistics are those of faces
    iresnet_onnx(Path("theirs.onnx"), theirs.eval())
    row = {"start": "file:theirs.onnx", "layer_decay": 0.9, "stochastic_depth": 0.1, "epochs": 2,
           "augmentation": 0}  # fmt: skip
    # rounded to bfloat16, as on some processors, it lies 0.023 off
    about = train(project, monkeypatch, "ires100", row, compute__precision="32-true")
    assert about["start"]["published"]
    assert about["start"]["sha256"] == file_hash(Path("theirs.onnx"))
    assert "15 norms that were folded away have statistics again" in capsys.readouterr().out
    # hardly moved, it computes what the file does; norms that forgot their input would not
    made = Path("models/encoders/ires100.safetensors")
    found: Any = load_network(ENCODERS["ires100"], "small", made)
    with torch.inference_mode():
        ours, expected = found(x), theirs(x)
    error = (ours - expected).square().mean() / (expected - expected.mean(0)).square().mean()
    assert float(error) < 0.02  # 0.037 without the statistics


def test_another_onnx_network_cannot_be_trained(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx_network(Path("theirs.onnx"))
    with pytest.raises(DataError, match="cannot be turned into tensors, so it cannot be trained"):
        train(project, monkeypatch, "ires100", {"start": "file:theirs.onnx"})


def test_what_cannot_be_begun_with_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(setting: str, name: str = "mobilenet") -> None:
        train(project, monkeypatch, name, {"start": setting})

    with pytest.raises(DataError, match=r"mobilenet\.start: nowhere\.pt is missing"):
        begin("file:nowhere.pt")
    start = foreign(Path("theirs.safetensors"))
    with pytest.raises(DataError, match="sha256"):
        begin("file:theirs.safetensors@sha256:" + "0" * 64)
    with pytest.raises(DataError, match="ires100"):
        begin("file:theirs.safetensors", "ires100")
    train(project, monkeypatch)
    with pytest.raises(SettingsError, match="is overwritten with what is trained"):
        begin(f"file:{MADE}")
    with pytest.raises(DataError, match="holds weights of mobilenet, not of densenet"):
        begin(f"file:{MADE}", "densenet")
    encoder = ENCODERS["mobilenet"]
    save_file(encoder.build(encoder.scales["full"]).state_dict(), "full.safetensors")
    with pytest.raises(DataError, match="not of the size of mobilenet at scale small"):
        begin("file:full.safetensors")
    assert start.is_file()


def test_other_words_are_refused_with_those_that_are_allowed() -> None:
    row = {"kind": "visual", "data": "faces", "task": "au", "epochs": 1, "batch": 1,
           "learning_rate": 1e-3, "weight_decay": 0, "validation": 0.5}  # fmt: skip
    for key, value, said in (
        ("start", "imagenet", "allowed: none, published, file:PATH"),
        ("layer_decay", 0, "greater than 0"),
        ("layer_decay", 1.5, "less than or equal to 1"),
        ("stochastic_depth", 1, "less than 1"),
        ("accumulate", 0, "greater than 0"),
        ("layerdecay", 0.5, "not permitted"),
    ):
        with pytest.raises(ValueError, match=said):
            Pretrain.model_validate({**row, key: value})


def test_all_of_it_together_is_trained_and_can_be_killed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stages.learning import fit

    train(project, monkeypatch, "vit")
    shutil.copy("models/encoders/vit.safetensors", "start.safetensors")
    how = {"start": "file:start.safetensors", "layer_decay": 0.7, "stochastic_depth": 0.3,
           "accumulate": 2, "epochs": 3, "learning_rate": 1e-3, "batch": 8}  # fmt: skip
    train(project, monkeypatch, "vit", how)
    made = Path("models/encoders/vit.safetensors")
    undisturbed = made.read_bytes()
    made.unlink()
    write, written = fit.write_state, []

    def killed(path: Path, state: dict[str, object]) -> None:
        write(path, state)
        written.append(path)
        if len(written) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit, "write_state", killed)
        with pytest.raises(KeyboardInterrupt):
            train(project, monkeypatch, "vit", how)
    torch.manual_seed(99)
    train(project, monkeypatch, "vit", how)
    assert made.read_bytes() == undisturbed
