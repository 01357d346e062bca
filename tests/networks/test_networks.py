"""Every sequence network: padding, missing sound, any length, checkpoints, learning, references."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from sklearn.metrics import f1_score
from torch import nn

from stages.core.errors import DataError
from stages.learning.losses import masked_bce
from stages.networks.base import Dimensions, Network, centre
from stages.networks.registry import NETWORKS, build_network, load_network, save_network

ATTENTION = {"layers": 2, "heads": 2, "feedforward": 8}
RECURRENT = {"width": 8, "hidden": 8, "layers": 2}
CONVOLUTIONS = {"width": 8, "channels": [8, 8], "kernel": 3, "causal": False}
GRAPH = {"node_width": 4, "graph_layers": 2, "adjacency": "learned", "neighbours": 3}
TINY = {
    "transformer": {"width": 8, **ATTENTION},
    "dual_transformer": {"width": 8, **ATTENTION},
    "cross_attention_transformer": {"width": 8, "cross_layers": 2, **ATTENTION},
    "au_query": {
        "width": 8,
        "query_width": 4,
        "query_layers": 2,
        "query_feedforward": 6,
        **ATTENTION,
    },
    "au_graph": {"width": 8, **GRAPH, **ATTENTION},
    "tcn": CONVOLUTIONS,
    "tcn_transformer": {**CONVOLUTIONS, **ATTENTION},
    **dict.fromkeys(("gru", "bigru", "lstm", "bilstm"), RECURRENT),
}
SEQUENCE = sorted(TINY)  # the networks that read more than the encoders' AU outputs
WIDE: dict[str, object] = {"width": 32, "head": [32]}
WIDER: dict[str, dict[str, object]] = {
    "au_query": {"query_width": 16},
    "au_graph": {"node_width": 16},
    "tcn": {"channels": [64, 64], "kernel": 5},
    "tcn_transformer": {"channels": [32, 32]},
    **{key: {"hidden": 32, "layers": 1} for key in ("gru", "bigru", "lstm", "bilstm")},
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


@pytest.fixture(params=SEQUENCE)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_network_has_a_tiny_version_here() -> None:
    assert {*TINY, "frame_head"} == set(NETWORKS)


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


def test_a_voice_that_is_other_all_along_sounds_the_same_where_sound_is_centred(name: str) -> None:
    visual, audio, sound, real = inputs(9)
    sound[1, 3:5] = False
    other = audio + torch.randn(2, 1, audio.shape[-1])
    other[1, 3:5] = torch.nan
    for centred in (True, False):
        network = tiny(name)
        network.dimensions = replace(network.dimensions, audio_centred=centred)
        found = network(visual, other, sound, real)
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


def test_without_a_picture_input(name: str) -> None:
    settings = {**TINY[name], "dropout": 0.0, "head": [8]}
    network = build_network(Dimensions(name, 0, 5, settings)).eval()
    _, audio, sound, real = inputs(7)
    logits = network(torch.zeros(2, 7, 0), audio, sound, real)
    assert logits.shape == (2, 7, 12)
    assert not torch.equal(logits[:, 0], logits[:, 1])


def test_padding_in_the_middle_is_as_if_it_were_not_there(name: str) -> None:
    network = tiny(name)
    batch = inputs(11)
    visual, audio, _, real = batch
    real[0, 3:5] = False
    before = network(*batch)
    visual[0, 3:5] = 1e3
    audio[0, 3:5] = -1e3
    after = network(*batch)
    torch.testing.assert_close(after[real], before[real], rtol=1e-5, atol=1e-5)
    alone = network(*(x[1:] for x in batch))
    torch.testing.assert_close(after[1:], alone, rtol=1e-5, atol=1e-5)


def test_what_looks_ahead(name: str) -> None:
    network = tiny(name)
    batch = inputs(9)
    before = network(*batch)
    batch[0][:, 6] += 3
    after = network(*batch)
    assert not torch.equal(before[:, 6:], after[:, 6:])
    looks_ahead = not torch.allclose(before[:, :6], after[:, :6], atol=1e-6)
    assert looks_ahead == (name not in ("gru", "lstm"))


def test_a_video_without_any_face_gets_a_finite_answer(name: str) -> None:
    visual, audio, sound, real = inputs(7)
    visual[:] = torch.nan
    assert tiny(name)(visual, audio, sound, real).isfinite().all()


def train_steps(network: Network, steps: int) -> torch.Tensor:
    """Train on one batch of 2 x 24 frames until the loss is small; return the labels."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    batch = inputs(24)
    labels = (torch.rand(2, 24, 12) < 0.3).to(torch.int8)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(steps):
        loss = masked_bce(network(*batch), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.002:
            break
    return labels


def test_overfits_one_batch(name: str) -> None:
    torch.manual_seed(0)
    network = tiny(name, **{**WIDE, **WIDER.get(name, {})})
    labels = train_steps(network, 1500)
    predicted = network(*inputs(24)) > 0
    f1 = f1_score(labels.flatten(0, 1), predicted.flatten(0, 1), average=None)
    assert f1.tolist() == [1.0] * 12


def test_same_seed_same_bytes(name: str) -> None:
    def trained(seed: int) -> bytes:
        torch.manual_seed(seed)
        network = tiny(name, dropout=0.3)
        train_steps(network, 5)
        return save(dict(sorted(network.state_dict().items())))

    assert trained(3) == trained(3)
    assert trained(3) != trained(4)


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
