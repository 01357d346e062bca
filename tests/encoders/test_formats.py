"""Every published format through the real code; what is damaged, foreign or hostile is refused."""

import argparse
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stages.core.errors import DataError
from stages.encoders.base import VisualEncoder
from stages.encoders.formats import read_weights, weights_file
from stages.encoders.registry import ENCODERS
from stages.encoders.weights import load_network, take_weights
from tests.encoders import published_files as files

ORIGIN = {"source": "file:x", "published": False, "licence": "", "noncommercial": False,
          "sha256": "0"}  # fmt: skip


def example(name: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (3, 3, 112, 112) if isinstance(ENCODERS[name], VisualEncoder) else (2, 4000)
    return torch.randn(shape, generator=generator)


def same(name: str, expected: torch.nn.Module, path: Path, tmp_path: Path) -> None:
    """Loaded from the published file, and from our file of it, the features are the same."""
    encoder = ENCODERS[name]
    ours = tmp_path / "ours.safetensors"
    with torch.inference_mode():
        features = expected(example(name))
        loaded = load_network(encoder, "small", weights_file(path), "cpu")
        torch.testing.assert_close(loaded(example(name)), features, rtol=1e-4, atol=1e-4)
        take_weights(encoder, "small", weights_file(path), ORIGIN, ours)
        again = load_network(encoder, "full", ours, "cpu")
        torch.testing.assert_close(again(example(name)), loaded(example(name)))
    assert loaded.published
    assert again.published
    first = ours.read_bytes()
    take_weights(encoder, "small", weights_file(path), ORIGIN, ours)
    assert ours.read_bytes() == first


@pytest.mark.parametrize("form", ["safetensors", "bin"])
@pytest.mark.parametrize("name", ["wav2vec", "hubert"])
def test_a_folder_of_transformers(tmp_path: Path, name: str, form: str) -> None:
    folder = tmp_path / "folder"
    files.transformers_folder(folder, name, form)
    same(name, files.small(name)[1], folder, tmp_path)


def test_an_arcface_state(tmp_path: Path) -> None:
    files.arcface_state(tmp_path / "backbone.pth")
    same("ires100", files.small("ires100")[1], tmp_path / "backbone.pth", tmp_path)


def test_an_iresnet_in_onnx_gives_what_torch_gives(tmp_path: Path) -> None:
    network = files.iresnet_onnx(tmp_path / "glintr100.onnx")
    same("ires100", network, tmp_path / "glintr100.onnx", tmp_path)


@pytest.mark.parametrize("batch", ["n", 1, 2])
def test_onnx_gives_what_numpy_gives_for_any_batch(tmp_path: Path, batch: int | str) -> None:
    matrix, slope = files.onnx_network(tmp_path / "net.onnx", batch=batch)
    x = example("ires100")[: batch if batch == 2 else 3]
    means = x.numpy().reshape(len(x), 3, 7, 16, 7, 16).mean((3, 5))
    means = np.where(means > 0, means, means * slope)
    network = load_network(ENCODERS["ires100"], "small", tmp_path / "net.onnx", "cpu")
    expected = means.reshape(len(x), -1) @ matrix
    np.testing.assert_allclose(network(x).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_torchvisions_checkpoint(tmp_path: Path) -> None:
    from torchvision.models import mobilenet_v3_large

    torch.manual_seed(0)
    published = mobilenet_v3_large().eval()
    torch.save(published.state_dict(), tmp_path / "mobilenet_v3_large.pth")
    network = load_network(ENCODERS["mobilenet"], "small", tmp_path / "mobilenet_v3_large.pth")
    x = example("mobilenet")
    with torch.inference_mode():  # of full scale, which the shapes tell
        torch.testing.assert_close(published.classifier[3](network(x)), published(x))


def test_states_inside_a_training_scripts_file(tmp_path: Path) -> None:
    state = files.small("ires100")[1].state_dict()
    content = {
        "model": {f"module.{name}": tensor for name, tensor in state.items()},
        "args": argparse.Namespace(lr=0.1),
        "epoch": 3,
    }
    torch.save(content, tmp_path / "checkpoint.pth")
    same("ires100", files.small("ires100")[1], tmp_path / "checkpoint.pth", tmp_path)


def hostile(path: Path, target: Path, legacy: bool) -> None:
    content = {"conv1.weight": torch.zeros(1), "extra": files.Payload(target)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("suffix", [".pth", ".bin", ".ckpt", ".safetensors", ".onnx", ""])
def test_a_pickle_with_a_payload_is_refused_and_not_run(
    tmp_path: Path, suffix: str, legacy: bool
) -> None:
    path, target = tmp_path / f"w{suffix}", tmp_path / "was_run"
    hostile(path, target, legacy)
    torch.load(path, weights_only=False)  # the payload works
    assert target.exists()
    target.unlink()
    for name in ("ires100", "wav2vec"):
        with pytest.raises(DataError) as caught:
            load_network(ENCODERS[name], "small", path)
        assert str(path) in str(caught.value)
    assert not target.exists()


def test_a_bare_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    target = tmp_path / "was_run"
    for suffix in (".pth", ".safetensors"):
        path = tmp_path / f"w{suffix}"
        path.write_bytes(pickle.dumps(files.Payload(target)))
        with pytest.raises(DataError, match="damaged"):
            load_network(ENCODERS["ires100"], "small", path)
    assert not target.exists()


def test_speechbrains_hyperparameters_are_not_executed(tmp_path: Path) -> None:
    target = tmp_path / "was_run"
    folder = tmp_path / "spkrec"
    folder.mkdir()
    (folder / "hyperparams.yaml").write_text(f"x: !apply:pathlib.Path.touch [{target}]\n")
    torch.save({"blocks.0.conv.conv.weight": torch.zeros(3)}, folder / "embedding_model.ckpt")
    assert list(read_weights(weights_file(folder)).state) == ["blocks.0.conv.conv.weight"]
    assert not target.exists()


@pytest.mark.parametrize("kind", ["safetensors", "pth", "onnx"])
def test_a_truncated_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"w.{kind}"
    if kind == "safetensors":
        save_file(files.small("ires100")[1].state_dict(), path)
    elif kind == "pth":
        files.arcface_state(path)
    else:
        files.onnx_network(path)
    whole = path.read_bytes()
    for length in (0, 5, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"w\.\w+"):
            load_network(ENCODERS["ires100"], "small", path)


@pytest.mark.parametrize("name", [name for name, e in ENCODERS.items() if e.origin])
@pytest.mark.parametrize("form", ["safetensors", "pth"])
def test_another_width_is_refused(tmp_path: Path, name: str, form: str) -> None:
    encoder, network = files.small(name)
    state = {
        key: tensor.repeat(2, *[1] * (tensor.ndim - 1)).contiguous() if tensor.ndim else tensor
        for key, tensor in network.state_dict().items()
    }
    path = tmp_path / f"w.{form}"
    if form == "pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    with pytest.raises(DataError, match=f"(does not fit|is no published state of) {name}"):
        take_weights(encoder, "small", path, ORIGIN, tmp_path / "ours.safetensors")
    assert not (tmp_path / "ours.safetensors").exists()


def test_onnx_of_another_width_or_input_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.onnx"
    ires100 = ENCODERS["ires100"]
    files.onnx_network(path, width=128)
    with pytest.raises(DataError, match="gives features 128 wide, ires100 at scale small has 256"):
        load_network(ires100, "small", path)
    files.onnx_network(path, side=96)
    with pytest.raises(DataError, match="takes pictures of 96 pixels, ires100 gives it 112"):
        load_network(ires100, "small", path)
    files.onnx_network(path, width=512)
    assert load_network(ires100, "small", path).width == 512  # of full scale
    with pytest.raises(DataError, match="wav2vec is not run from ONNX"):
        load_network(ENCODERS["wav2vec"], "small", path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("num_attention_heads", 8, "num_attention_heads is 8 in config.json, expected 4"),
        ("hidden_size", 256, "hidden_size is 256 in config.json, expected 128"),
        ("model_type", "hubert", "config.json is of a hubert, expected wav2vec2"),
        # the same tensors, another network
        ("do_stable_layer_norm", True, "do_stable_layer_norm is True in config.json, expected F"),
        ("conv_stride", [5, 2, 2, 2, 2, 2, 4], r"conv_stride is \[5, 2, 2, 2, 2, 2, 4\]"),
        ("hidden_act", "relu", "hidden_act is relu in config.json, expected gelu"),
    ],
)
def test_a_config_of_another_network_is_refused(
    tmp_path: Path, key: str, value: object, words: str
) -> None:
    folder = tmp_path / "folder"
    files.transformers_folder(folder)
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), key: value}))
    with pytest.raises(DataError, match=words):
        load_network(ENCODERS["wav2vec"], "small", weights_file(folder))
    config.write_text("{")
    with pytest.raises(DataError, match="no JSON"):
        load_network(ENCODERS["wav2vec"], "small", weights_file(folder))


def test_a_folder_without_weights_and_strange_contents(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no weights: expected model\.safetensors"):
        weights_file(tmp_path / "empty")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(DataError, match="no state of a network, but a list"):
        read_weights(tmp_path / "list.pth")
    torch.save({"a": torch.zeros(1), "b": 3}, tmp_path / "mixed.pth")
    with pytest.raises(DataError, match=r"more than tensors \(b"):
        read_weights(tmp_path / "mixed.pth")


def test_dimensions_that_a_file_claims_must_be_the_encoders(tmp_path: Path) -> None:
    encoder, network = files.small("wav2vec")
    claims = {**encoder.scales["small"], "torch_dtype": "float16"}
    about = json.dumps({"encoder": "wav2vec", "dimensions": claims})
    save_file(network.state_dict(), tmp_path / "w.safetensors", {"aufusion": about})
    with pytest.raises(DataError, match="dimensions that wav2vec does not have"):
        load_network(encoder, "small", tmp_path / "w.safetensors")
