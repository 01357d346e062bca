"""Sequence networks beside the same sums written out."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.networks.base import Dimensions, Network, sinusoidal_positions
from stages.networks.registry import build_network
from stages.networks.tcn import Convolution

FRAMES = 7
ATTENTION = {"layers": 2, "heads": 2, "feedforward": 6}
CONVOLUTIONS = {"width": 8, "channels": [4, 4], "kernel": 3, "causal": False}


def built(name: str, **settings: Any) -> Network:
    torch.manual_seed(0)
    settings = {"width": 8, "dropout": 0.3, "head": [5], **settings}
    network = build_network(Dimensions(name, 6, 5, settings)).eval()
    network.visual_scale.fit(torch.randn(6), torch.rand(6) + 0.5)
    network.audio_scale.fit(torch.randn(5), torch.rand(5) + 0.5)
    nn.init.normal_(network.no_sound)
    return network


def one_video() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A window of 10 frames of which the last 3 are padding; frame 2 has no sound."""
    torch.manual_seed(1)
    sound = torch.ones(1, FRAMES + 3, dtype=torch.bool)
    sound[0, 2] = False
    real = torch.ones_like(sound)
    real[0, FRAMES:] = False
    return torch.randn(1, FRAMES + 3, 6), torch.randn(1, FRAMES + 3, 5), sound, real


def prepared(network: Network) -> tuple[Tensor, Tensor]:
    """What a network's layers are given of the real frames, (frames, width) each."""
    visual, audio, _, _ = one_video()
    seen = (visual[0, :FRAMES] - network.visual_scale.mean) * network.visual_scale.scale
    heard = (audio[0, :FRAMES] - network.audio_scale.mean) * network.audio_scale.scale
    heard[2] = network.no_sound
    return seen, heard


def linear(layer: Any, x: Tensor) -> Tensor:
    return x @ layer.weight.T + layer.bias


def head(network: Any, x: Tensor) -> Tensor:
    first, _, _, last = network.head
    return linear(last, linear(first, x).relu())


def positions(width: int) -> Tensor:
    table = torch.zeros(FRAMES, width)
    for t in range(FRAMES):
        for i in range(width):
            angle = torch.tensor(t / 10000 ** (i // 2 * 2 / width))
            table[t, i] = angle.cos() if i % 2 else angle.sin()
    return table


def normalised(norm: Any, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    deviation = (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt()
    return centred / deviation * norm.weight + norm.bias


def attention(layer: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Two heads, written out; (frames, width) each."""
    width = query.shape[1]
    of_query, of_key, of_value = layer.in_proj_weight.split(width)
    bias = layer.in_proj_bias.split(width)
    q, k, v = (
        query @ of_query.T + bias[0],
        key @ of_key.T + bias[1],
        value @ of_value.T + bias[2],
    )
    half = width // 2
    heads = []
    for part in (slice(0, half), slice(half, width)):
        score = torch.exp(q[:, part] @ k[:, part].T / half**0.5)
        heads.append(score / score.sum(1, keepdim=True) @ v[:, part])
    return linear(layer.out_proj, torch.cat(heads, dim=1))


def post_norm(layer: Any, own: Tensor, attended: Tensor) -> Tensor:
    x = normalised(layer.norm1, own + attended)
    return normalised(layer.norm2, x + linear(layer.linear2, linear(layer.linear1, x).relu()))


def transformer(layers: Any, x: Tensor) -> Tensor:
    for layer in layers.layers:
        x = post_norm(layer, x, attention(layer.self_attn, x, x, x))
    return x


def gru_cell(layer: Any, suffix: str, x: Tensor, state: list[Tensor]) -> list[Tensor]:
    h = state[0]
    of_x = getattr(layer, f"weight_ih_l{suffix}") @ x + getattr(layer, f"bias_ih_l{suffix}")
    of_h = getattr(layer, f"weight_hh_l{suffix}") @ h + getattr(layer, f"bias_hh_l{suffix}")
    reset_x, update_x, new_x = of_x.chunk(3)
    reset_h, update_h, new_h = of_h.chunk(3)
    update = torch.sigmoid(update_x + update_h)
    new = torch.tanh(new_x + torch.sigmoid(reset_x + reset_h) * new_h)
    return [(1 - update) * new + update * h]


def lstm_cell(layer: Any, suffix: str, x: Tensor, state: list[Tensor]) -> list[Tensor]:
    h, c = state
    gates = getattr(layer, f"weight_ih_l{suffix}") @ x + getattr(layer, f"bias_ih_l{suffix}")
    gates = gates + getattr(layer, f"weight_hh_l{suffix}") @ h
    gates = gates + getattr(layer, f"bias_hh_l{suffix}")
    enter, forget, new, leave = gates.chunk(4)
    c = torch.sigmoid(forget) * c + torch.sigmoid(enter) * torch.tanh(new)
    return [torch.sigmoid(leave) * torch.tanh(c), c]


Cell = Callable[[Any, str, Tensor, list[Tensor]], list[Tensor]]


@pytest.mark.parametrize(
    ("name", "cell", "directions"),
    [
        ("gru", gru_cell, ("",)),
        ("bigru", gru_cell, ("", "_reverse")),
        ("lstm", lstm_cell, ("",)),
        ("bilstm", lstm_cell, ("", "_reverse")),
    ],
)
def test_recurrent_networks_against_a_loop_over_cells(
    name: str, cell: Cell, directions: tuple[str, ...]
) -> None:
    network: Any = built(name, hidden=4, layers=2)
    x = linear(network.affine, torch.cat(prepared(network), dim=1))
    for level in ("0", "1"):
        outputs = []
        for direction in directions:
            order = range(FRAMES) if direction == "" else reversed(range(FRAMES))
            state = [torch.zeros(4), torch.zeros(4)]
            states = torch.zeros(FRAMES, 4)
            for t in order:
                state = cell(network.layers, level + direction, x[t], state)
                states[t] = state[0]
            outputs.append(states)
        x = torch.cat(outputs, dim=1)
    ours = network(*one_video())[0, :FRAMES]
    torch.testing.assert_close(ours, head(network, x), rtol=1e-5, atol=1e-5)


def test_transformer_against_attention_written_out() -> None:
    network: Any = built("transformer", **ATTENTION)
    x = linear(network.encoder.affine, torch.cat(prepared(network), dim=1)) + positions(8)
    expected = head(network, transformer(network.encoder.layers, x))
    ours = network(*one_video())[0, :FRAMES]
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_dual_transformer_against_attention_written_out() -> None:
    network: Any = built("dual_transformer", **ATTENTION)
    states = [
        transformer(encoder.layers, linear(encoder.affine, x) + positions(8))
        for encoder, x in zip(network.encoders, prepared(network), strict=True)
    ]
    expected = head(network, torch.cat(states, dim=1))
    ours = network(*one_video())[0, :FRAMES]
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_cross_attention_transformer_against_attention_written_out() -> None:
    network: Any = built("cross_attention_transformer", cross_layers=2, **ATTENTION)
    seen, heard = (
        linear(affine, x) + positions(8)
        for affine, x in zip(network.affines, prepared(network), strict=True)
    )
    for of_picture, of_sound in network.cross:
        seen = post_norm(of_picture, seen, attention(of_picture.attention, heard, seen, seen))
        heard = post_norm(of_sound, heard, attention(of_sound.attention, seen, heard, heard))
    expected = head(network, transformer(network.layers, torch.cat([seen, heard], dim=1)))
    ours = network(*one_video())[0, :FRAMES]
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def convolved(blocks: Any, x: Tensor) -> Tensor:
    """Blocks of kernel 3, not causal, by torch's own convolution and its own padding."""
    rows = x.T[None]  # (1, width, frames)
    for i, block in enumerate(blocks):
        y = rows
        for layer in (block.first.convolution, block.second.convolution):
            direction = layer.parametrizations.weight.original1
            length = direction.square().sum((1, 2), keepdim=True).sqrt()
            weight = layer.parametrizations.weight.original0 * direction / length
            y = functional.conv1d(y, weight, layer.bias, padding=2**i, dilation=2**i).relu()
        rows = (y + block.residual(rows)).relu()
    return rows[0].T


def test_tcn_against_torchs_own_convolution() -> None:
    network: Any = built("tcn", **CONVOLUTIONS)
    x = linear(network.affine, torch.cat(prepared(network), dim=1))
    ours = network(*one_video())[0, :FRAMES]
    torch.testing.assert_close(
        ours, head(network, convolved(network.blocks, x)), rtol=1e-4, atol=1e-5
    )


def test_tcn_transformer_against_both_branches_written_out() -> None:
    network: Any = built("tcn_transformer", **CONVOLUTIONS, **ATTENTION)
    x = linear(network.affine, torch.cat(prepared(network), dim=1))
    branches = [convolved(network.blocks, x), transformer(network.layers, x + positions(8))]
    ours = network(*one_video())[0, :FRAMES]
    torch.testing.assert_close(
        ours, head(network, torch.cat(branches, dim=1)), rtol=1e-4, atol=1e-5
    )


def test_positions_are_those_of_the_paper() -> None:
    table = sinusoidal_positions(50, 16, torch.device("cpu")).double()
    for position in (0, 1, 17, 49):
        for i in range(8):
            angle = torch.tensor(position / 10000 ** (2 * i / 16), dtype=torch.float64)
            assert table[position, 2 * i] == pytest.approx(angle.sin().item(), abs=1e-5)
            assert table[position, 2 * i + 1] == pytest.approx(angle.cos().item(), abs=1e-5)


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
