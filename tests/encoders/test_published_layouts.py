"""Every encoder loads its published file: exact tensors, exact sizes where the format allows."""

from pathlib import Path

import onnx
import pytest
import torch
from safetensors.torch import save

from stages.encoders.registry import ENCODERS
from stages.encoders.weights import load_network
from tests.encoders import published_files as files
from tests.encoders import published_layouts as published
from tests.encoders.published_layouts import ALL, ONNX, SAFETENSORS, TORCH

WITH_WEIGHTS = sorted(name for name, encoder in ENCODERS.items() if encoder.origin)
# name and place of a tensor in torch's formats, old and new, and in ONNX, in bytes
ENTRY = (100, 450)


def test_there_is_a_layout_of_every_encoder() -> None:
    assert sorted(ALL) == WITH_WEIGHTS


def test_the_stand_ins_of_safetensors_are_what_the_library_writes() -> None:
    state = {"b": torch.zeros(3, 2), "a.weight": torch.zeros(5)}
    header = published.safetensors_header(state, padded=True)
    assert save(state, {"format": "pt"}) == header + bytes(published.tensor_bytes(state))


@pytest.mark.parametrize("name", SAFETENSORS)
def test_a_file_of_safetensors_has_the_published_size_to_the_byte(
    name: str, tmp_path: Path
) -> None:
    file, path = SAFETENSORS[name], tmp_path / "model.safetensors"
    published.write_safetensors(path, published.layout(name), padded=file.padded)
    if file.size is None:
        origin = ENCODERS[name].origin
        assert origin is not None
        assert round(path.stat().st_size / 1e6) == origin.megabytes
    else:
        assert path.stat().st_size == file.size


@pytest.mark.parametrize("name", [*TORCH, *ONNX])
def test_the_tensors_leave_room_for_their_names_alone(name: str) -> None:
    size, tensors = ALL[name].size, published.layout(name)
    assert size is not None
    beside = size - published.tensor_bytes(tensors)
    least, most = (ENTRY[0] * len(tensors), ENTRY[1] * len(tensors))
    if name in ONNX:  # names are numbers there, and not every node has a tensor
        least = 20 * len(tensors)
    assert least < beside < most


def test_the_stand_in_of_onnx_has_the_published_tensors(tmp_path: Path) -> None:
    network = files.iresnet_onnx(tmp_path / "w.onnx")
    held = onnx.load(tmp_path / "w.onnx").graph.initializer
    expected = published.folded_iresnet(network.state_dict())
    assert {t.name: t.dims[0] for t in held} == {n: t.shape[0] for n, t in expected.items()}
    assert sum(len(t.raw_data) for t in held) == published.tensor_bytes(expected)


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_the_sizes_that_are_told_before_fetching_are_those_of_the_files(name: str) -> None:
    origin, size = ENCODERS[name].origin, ALL[name].size
    assert origin is not None
    if size is not None:
        assert origin.megabytes == round(size / 1e6)
    else:
        assert origin.megabytes == round(published.tensor_bytes(published.layout(name)) / 1e6)


@pytest.mark.parametrize("name", [*SAFETENSORS, *TORCH])
def test_the_published_tensors_are_those_of_the_network(name: str) -> None:
    encoder = ENCODERS[name]
    given = encoder.published(published.layout(name))
    with torch.device("meta"):
        expected = encoder.build(encoder.scales["full"]).state_dict()
    counters = "num_batches_tracked"
    assert {n: t.shape for n, t in given.items() if not n.endswith(counters)} == {
        n: t.shape for n, t in expected.items() if not n.endswith(counters)
    }


@pytest.mark.parametrize("name", [*SAFETENSORS, *TORCH])
def test_the_published_file_loads_at_full_scale(name: str, tmp_path: Path) -> None:
    encoder, tensors = ENCODERS[name], published.layout(name)
    if name in SAFETENSORS:
        path = tmp_path / "model.safetensors"
        published.write_safetensors(path, tensors, padded=SAFETENSORS[name].padded)
    else:
        path = tmp_path / "model.pth"
        published.write_torch(path, tensors)
    network = load_network(encoder, "full", path)
    assert network.published
    assert not any(parameter.any() for parameter in network.parameters())  # the file's zeros


@pytest.mark.parametrize(("name", "model"), [("wav2vec", "wav2vec2"), ("hubert", "hubert")])
@pytest.mark.parametrize("has_mask", [False, True])
def test_networks_of_sound_load_with_and_without_the_vector_of_masked_steps(
    name: str, model: str, has_mask: bool, tmp_path: Path
) -> None:
    encoder = ENCODERS[name]
    torch.manual_seed(0)
    network = encoder.build(encoder.scales["small"])
    state = {
        key: tensor
        for key, tensor in network.state_dict().items()
        if not key.endswith("masked_spec_embed")
    }
    if has_mask:
        state[f"{model}.masked_spec_embed"] = torch.ones(128)
    torch.save(state, tmp_path / "w.pth")
    loaded = load_network(encoder, "small", tmp_path / "w.pth")
    samples = torch.randn(1, 4000)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(samples), network.eval()(samples))


def test_nothing_of_wav2vec_is_masked_so_it_has_no_vector_for_that() -> None:
    encoder = ENCODERS["wav2vec"]
    names = encoder.build(encoder.scales["small"]).state_dict()
    assert not [name for name in names if "masked" in name]
