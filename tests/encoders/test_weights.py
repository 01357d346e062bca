"""Weights by name: published layouts, our own files, and what does not fit."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from stages.core.errors import DataError, SettingsError
from stages.encoders.backbones import ires100, mobilenet
from stages.encoders.base import Encoder, VisualEncoder
from stages.encoders.registry import ENCODERS, audio_encoder, visual_encoder
from stages.encoders.weights import load_network, save_weights


@pytest.mark.parametrize(
    ("name", "millions", "width"),
    [
        ("ires100", 65.15, 512),
        ("mobilenet", 4.20, 1280),
        ("wav2vec", 94.37, 768),
        ("hubert", 94.37, 768),
        ("ecapatdnn", 20.77, 192),
        ("fbank", 0, 80),
    ],
)
def test_full_scale_has_the_published_number_of_parameters(
    name: str, millions: float, width: int
) -> None:
    encoder = ENCODERS[name]
    encoder.build(encoder.scales["small"])  # imports libraries, whose constants shall be real
    with torch.device("meta"):
        network = encoder.build(encoder.scales["full"])
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.01)
    assert network.width == width


def test_ires100_has_the_names_and_shapes_of_arcface_iresnet100() -> None:
    with torch.device("meta"):
        state = ires100.ENCODER.build(ires100.ENCODER.scales["full"]).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    # from insightface's backbone.pth of Glint360K R100
    expected = {
        "conv1.weight": (64, 3, 3, 3),
        "bn1.running_var": (64,),
        "prelu.weight": (64,),
        "layer1.0.bn1.weight": (64,),
        "layer1.0.conv1.weight": (64, 64, 3, 3),
        "layer1.0.downsample.0.weight": (64, 64, 1, 1),
        "layer1.0.downsample.1.running_mean": (64,),
        "layer2.0.conv1.weight": (128, 64, 3, 3),
        "layer2.12.prelu.weight": (128,),
        "layer3.29.conv2.weight": (256, 256, 3, 3),
        "layer4.2.bn3.bias": (512,),
        "bn2.weight": (512,),
        "fc.weight": (512, 512 * 7 * 7),
        "fc.bias": (512,),
        "features.running_var": (512,),
    }
    assert {name: shapes.get(name) for name in expected} == expected
    blocks = {".".join(name.split(".")[:2]) for name in shapes if name.startswith("layer")}
    assert len(blocks) == 3 + 13 + 30 + 3
    assert not any("layer3.1.downsample" in name for name in shapes)


def arcface_layout() -> dict[str, tuple[int, ...]]:
    """Names and shapes of `backbone.pth` of arcface_torch's R100, from its code."""

    def norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
        parts = ("weight", "bias", "running_mean", "running_var")
        return {**{f"{name}.{part}": (channels,) for part in parts},
                f"{name}.num_batches_tracked": ()}  # fmt: skip

    layout = {"conv1.weight": (64, 3, 3, 3), **norm("bn1", 64), "prelu.weight": (64,)}
    before = 64
    for number, (blocks, channels) in enumerate(((3, 64), (13, 128), (30, 256), (3, 512)), start=1):
        for k in range(blocks):
            name = f"layer{number}.{k}"
            layout |= norm(f"{name}.bn1", before)
            layout[f"{name}.conv1.weight"] = (channels, before, 3, 3)
            layout |= norm(f"{name}.bn2", channels)
            layout[f"{name}.prelu.weight"] = (channels,)
            layout[f"{name}.conv2.weight"] = (channels, channels, 3, 3)
            layout |= norm(f"{name}.bn3", channels)
            if k == 0:
                layout[f"{name}.downsample.0.weight"] = (channels, before, 1, 1)
                layout |= norm(f"{name}.downsample.1", channels)
            before = channels
    layout |= norm("bn2", 512)
    layout |= {"fc.weight": (512, 25_088), "fc.bias": (512,)}
    return {**layout, **norm("features", 512)}


def test_ires100_has_all_tensors_of_arcface_torchs_backbone_and_no_more() -> None:
    with torch.device("meta"):
        network = ires100.ENCODER.build(ires100.ENCODER.scales["full"])
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert shapes == arcface_layout()
    assert sum(parameter.numel() for parameter in network.parameters()) == 65_156_160
    given = ires100.ENCODER.published(network.state_dict())
    assert given.keys() == shapes.keys()


def test_the_fast_prelu_is_a_prelu() -> None:
    torch.manual_seed(0)
    fast, slow = ires100.PReLU(6), nn.PReLU(6)
    with torch.no_grad():
        fast.weight.uniform_(-0.5, 1.5)
    slow.load_state_dict(fast.state_dict())
    x = torch.randn(4, 6, 5, 5, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    fast(x).square().sum().backward()
    slow(y).square().sum().backward()
    torch.testing.assert_close(fast(x), slow(y))
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(fast.weight.grad, slow.weight.grad)


def small(name: str) -> tuple[Encoder, nn.Module]:
    torch.manual_seed(1)
    encoder = ENCODERS[name]
    return encoder, encoder.build(encoder.scales["small"]).eval()


def example(encoder: Encoder) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if isinstance(encoder, VisualEncoder):
        return torch.randn(2, 3, 112, 112, generator=generator)
    samples = 20_000 if encoder.name == "ecapatdnn" else 4000
    shape = (2, samples)
    return torch.randn(shape, generator=generator)


@pytest.mark.parametrize("name", ["ires100", "mobilenet", "wav2vec", "hubert", "ecapatdnn"])
def test_our_own_files_load_without_settings(tmp_path: Path, name: str) -> None:
    encoder, network = small(name)
    path = tmp_path / "w.safetensors"
    head = nn.Linear(network.width, 12)
    save_weights(path, encoder, "small", "au", network.state_dict(), head.state_dict())
    loaded = load_network(encoder, "full", path)  # the file says small
    with torch.inference_mode():
        torch.testing.assert_close(loaded(example(encoder)), network(example(encoder)))
    again = tmp_path / "again.safetensors"
    save_weights(again, encoder, "small", "au", network.state_dict(), head.state_dict())
    assert path.read_bytes() == again.read_bytes()


def test_torchvisions_mobilenet_loads_by_name(tmp_path: Path) -> None:
    from torchvision.models import mobilenet_v3_large

    torch.manual_seed(0)
    published = mobilenet_v3_large().eval()
    save_file(published.state_dict(), tmp_path / "tv.safetensors")
    network = load_network(mobilenet.ENCODER, "full", tmp_path / "tv.safetensors")
    x = example(mobilenet.ENCODER)
    with torch.inference_mode():
        features = network(x)
        torch.testing.assert_close(published.classifier[3](features), published(x))


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    encoder, network = small("ires100")
    path = tmp_path / "w.safetensors"
    state = network.state_dict()
    save_file({n: t for n, t in state.items() if n != "fc.weight"}, path)
    with pytest.raises(
        DataError, match=r"does not fit ires100 .*1 tensors are missing \(fc.weight"
    ):
        load_network(encoder, "small", path)
    save_file({**state, "fc.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(DataError, match=r"fc.weight is \(3, 3\), expected \(256, "):
        load_network(encoder, "small", path)
    save_file({**state, "extra": torch.zeros(1)}, path)
    with pytest.raises(DataError, match=r"1 are unknown \(extra"):
        load_network(encoder, "small", path)
    save_weights(path, encoder, "small", "au", state, {})
    with pytest.raises(DataError, match="weights of ires100, not of mobilenet"):
        load_network(ENCODERS["mobilenet"], "small", path)


def test_unknown_encoders_are_refused_with_the_list() -> None:
    with pytest.raises(
        SettingsError, match="allowed: densenet, dinov2, hsemotion, ires100, mae, maeface, "
    ):
        visual_encoder("fbank")
    with pytest.raises(SettingsError, match="allowed: ecapatdnn, fbank, hubert, wav2vec"):
        audio_encoder("ires100")


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_every_entry_says_what_it_is(name: str) -> None:
    encoder = ENCODERS[name]
    assert encoder.name == name
    assert encoder.source
    assert encoder.licence
    for dimensions in encoder.scales.values():
        assert json.loads(json.dumps(dimensions)) == json.loads(json.dumps(dict(dimensions)))


def test_pictures_are_normalised_as_published() -> None:
    images = torch.full((1, 112, 112, 3), 255, dtype=torch.uint8)
    images[..., 1] = 0
    x = visual_encoder("ires100").prepare(images)
    assert x.shape == (1, 3, 112, 112)
    assert x[0, 0].unique().tolist() == [1.0]
    assert x[0, 1].unique().tolist() == [-1.0]
    larger = visual_encoder("ires100").prepare(torch.zeros(2, 160, 160, 3, dtype=torch.uint8))
    assert larger.shape == (2, 3, 112, 112)
