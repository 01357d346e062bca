"""Every sequence network: padding, missing sound, any length, checkpoints, learning, references."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from stages.errors import DataError
from stages.losses import masked_bce
from stages.networks import NETWORKS, Dimensions, Network, build_network, load_network, save_network
from stages.networks.base import centre, sinusoidal_positions
from stages.networks.tcn import Convolution
from stages.networks.transformer import Encoder
from stages.params import Transformer

TINY = {
    "transformer": {"width": 8, "layers": 2, "heads": 2, "feedforward": 8},
    "dual_transformer": {"width": 8, "layers": 2, "heads": 2, "feedforward": 8},
    "tcn": {"width": 8, "channels": [8, 8], "kernel": 3, "causal": False},
}


def tiny(name: str, audio_width: int = 5, **changes: object) -> Network:
    settings = {**TINY[name], "dropout": 0.0, "head": [8], **changes}
    return build_network(Dimensions(name, 6, audio_width, settings)).eval()


def inputs(frames: int, audio_width: int = 5, batch: int = 2) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    everywhere = torch.ones(batch, frames, dtype=torch.bool)
    return (
        torch.randn(batch, frames, 6),
        torch.randn(batch, frames, audio_width),
        everywhere,
        everywhere.clone(),
    )


@pytest.fixture(params=sorted(NETWORKS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_network_has_a_tiny_version_here(name: str) -> None:
    assert name in TINY


def test_a_padded_step_changes_no_real_step(name: str) -> None:
    network = tiny(name)
    visual, audio, sound, real = inputs(20)
    short = network(visual[:, :12], audio[:, :12], sound[:, :12], real[:, :12])
    real[:, 12:] = False
    visual[:, 12:] = 1e3
    audio[:, 12:] = -1e3
    long = network(visual, audio, sound, real)
    torch.testing.assert_close(long[:, :12], short, rtol=1e-5, atol=1e-5)


def test_sound_matters_where_there_is_some_and_not_where_there_is_none(name: str) -> None:
    network = tiny(name)
    visual, audio, sound, real = inputs(9)
    other = audio.clone()
    other[:, 4] += 3
    assert not torch.equal(network(visual, audio, sound, real), network(visual, other, sound, real))
    other[:, 4] = torch.nan
    sound[:, 4] = False
    torch.testing.assert_close(
        network(visual, audio, sound, real), network(visual, other, sound, real)
    )


def test_who_looks_different_all_along_looks_the_same_where_faces_are_centred(name: str) -> None:
    visual, audio, sound, real = inputs(9)
    other = visual + torch.randn(2, 1, 6)
    for centred in (True, False):
        network = tiny(name)
        network.dimensions = replace(network.dimensions, centred=centred)
        found = network(other, audio, sound, real)
        assert torch.allclose(found, network(visual, audio, sound, real), atol=1e-5) == centred


def test_centring_against_a_loop() -> None:
    x, real = (
        torch.randn(3, 5, 2),
        torch.tensor([[True] * 5, [True] * 2 + [False] * 3, [False] * 5]),
    )
    found = centre(x, real)
    for row, count in enumerate((5, 2)):
        for column in range(2):
            mean = sum(float(x[row, k, column]) for k in range(count)) / count
            for k in range(5):
                assert float(found[row, k, column]) == pytest.approx(
                    float(x[row, k, column]) - mean, abs=1e-5
                )
    assert torch.equal(found[2], x[2])  # a window of padding alone


@pytest.mark.parametrize("frames", [1, 2, 127, 300])
def test_any_length(name: str, frames: int) -> None:
    assert tiny(name)(*inputs(frames)).shape == (2, frames, 12)


def test_without_a_sound_input(name: str) -> None:
    network = tiny(name, audio_width=0)
    assert network(*inputs(7, audio_width=0)).shape == (2, 7, 12)


def test_a_video_without_any_face_gets_a_finite_answer(name: str) -> None:
    visual, audio, sound, real = inputs(7)
    visual[:] = torch.nan
    assert tiny(name)(visual, audio, sound, real).isfinite().all()


def test_overfits_one_batch(name: str) -> None:
    torch.manual_seed(0)
    network = tiny(
        name, width=32, head=[32], **({"channels": [64, 64], "kernel": 5} if name == "tcn" else {})
    ).train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    batch = inputs(24)
    labels = (torch.rand(2, 24, 12) < 0.3).to(torch.int8)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(1500):
        loss = masked_bce(network(*batch), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.002:
            break
    assert torch.equal(network(*batch) > 0, labels == 1)


def test_checkpoint_needs_no_configuration_and_has_the_same_bytes(
    name: str, tmp_path: Path
) -> None:
    network = tiny(name)
    network.visual_scale.fit(torch.randn(6), torch.rand(6) + 0.5)
    for file in ("a.safetensors", "b.safetensors"):
        save_network(tmp_path / file, network.dimensions, network.state_dict(), {"best_epoch": "3"})
    loaded, notes = load_network(tmp_path / "a.safetensors")
    assert notes == {"best_epoch": "3"}
    torch.testing.assert_close(loaded(*inputs(9)), network(*inputs(9)), rtol=0, atol=0)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_file_that_is_no_checkpoint_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(DataError, match=r"x\.safetensors is not a checkpoint"):
        load_network(path)
    network = tiny("tcn")
    wrong = Dimensions("tcn", 7, 5, network.dimensions.settings)
    save_network(path, wrong, network.state_dict(), {})
    with pytest.raises(DataError, match="size mismatch"):
        load_network(path)


def test_positions_are_those_of_the_paper() -> None:
    table = sinusoidal_positions(50, 16, torch.device("cpu")).double()
    for position in (0, 1, 17, 49):
        for i in range(8):
            angle = torch.tensor(position / 10000 ** (2 * i / 16), dtype=torch.float64)
            assert table[position, 2 * i] == pytest.approx(angle.sin().item(), abs=1e-5)
            assert table[position, 2 * i + 1] == pytest.approx(angle.cos().item(), abs=1e-5)


def test_post_norm_layer_against_attention_written_out() -> None:
    torch.manual_seed(0)
    settings = Transformer(width=8, layers=1, heads=2, feedforward=8, dropout=0, head=())
    encoder = Encoder(6, settings).eval()
    x = torch.randn(1, 5, 6)
    layer = encoder.layers.layers[0]
    h = encoder.affine(x) + sinusoidal_positions(5, 8, x.device)
    q, k, v = nn.functional.linear(
        h, layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias
    ).chunk(3, dim=-1)
    heads = []
    for i in (slice(0, 4), slice(4, 8)):
        weights = torch.softmax(q[..., i] @ k[..., i].transpose(1, 2) / 2.0, dim=-1)
        heads.append(weights @ v[..., i])
    h = layer.norm1(h + layer.self_attn.out_proj(torch.cat(heads, dim=-1)))
    h = layer.norm2(h + layer.linear2(torch.relu(layer.linear1(h))))
    real = torch.ones(1, 5, dtype=torch.bool)
    torch.testing.assert_close(encoder(x, real), h, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_dilated_convolution_against_a_loop(causal: bool) -> None:
    torch.manual_seed(0)
    layer = Convolution(2, 3, kernel=3, dilation=4, causal=causal)
    x = torch.randn(1, 2, 15)
    weight, bias = layer.convolution.weight, layer.convolution.bias
    expected = torch.zeros(1, 3, 15)
    offsets = (-8, -4, 0) if causal else (-4, 0, 4)
    for t in range(15):
        expected[0, :, t] = bias
        for tap, offset in enumerate(offsets):
            if 0 <= t + offset < 15:
                expected[0, :, t] += weight[:, :, tap] @ x[0, :, t + offset]
    torch.testing.assert_close(layer(x, torch.ones(1, 1, 15)), expected)


def test_released_sizes_are_built_by_the_same_code(name: str) -> None:
    from stages.params import load_params

    settings = getattr(load_params().models, name).full
    with torch.device("meta"):
        network = build_network(Dimensions(name, 1024, 848, settings.model_dump(mode="json")))
    count = sum(p.numel() for p in network.parameters())
    assert count > 5e6
    assert json.dumps(network.dimensions.as_dict())


def test_parameter_count_of_the_released_transformer() -> None:
    from stages.params import load_params

    settings = load_params().models.transformer.full.model_dump(mode="json")
    with torch.device("meta"):
        network = build_network(Dimensions("transformer", 512, 192, settings))
    d = 1024
    layer = (3 * d * d + 3 * d) + (d * d + d) + 2 * (d * d + d) + 4 * d
    affine = (512 + 192) * d + d
    head = (d * 512 + 512) + (512 * 256 + 256) + (256 * 12 + 12)
    assert sum(p.numel() for p in network.parameters()) == 4 * layer + affine + head + 192
