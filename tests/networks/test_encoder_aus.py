"""The encoders' AU outputs in the networks: skipped to the logits, read, left out; frame_head."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter1d

from stages.core.errors import DataError
from stages.networks.base import Dimensions, Disturbance, EncoderAUs, Network
from stages.networks.registry import build_network, load_network, save_network
from tests.networks.test_networks import SEQUENCE, TINY

STARTS = (3, 19)  # two encoders, 3 and 4 wide, each with its 12 AU logits behind
WIDTH = 31
EMBEDDING = [0, 1, 2, 15, 16, 17, 18]


def built(name: str, encoder_aus: str = "none", **changes: object) -> Network:
    torch.manual_seed(0)
    settings = {**TINY.get(name, {"box": 3}), **changes}
    if name != "frame_head":
        settings = {**settings, "dropout": 0.0, "head": [8]}
    dimensions = Dimensions(name, WIDTH, 0, settings, au_starts=STARTS, encoder_aus=encoder_aus)
    network = build_network(dimensions)
    network.visual_scale.fit(torch.randn(WIDTH), torch.rand(WIDTH) + 0.5)
    return network.eval()


def speaking(network: Network) -> Network:
    """Give the last layer, which says nothing before training, weights."""
    with torch.no_grad():
        network.head[-1].weight.normal_()  # type: ignore[union-attr, index, operator]
    return network


def inputs(frames: int = 9) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    everywhere = torch.ones(2, frames, dtype=torch.bool)
    return torch.randn(2, frames, WIDTH), torch.zeros(2, frames, 0), everywhere, everywhere.clone()


def mean_logits(visual: torch.Tensor) -> torch.Tensor:
    return torch.stack([visual[..., s : s + 12] for s in STARTS]).mean(0)


@pytest.mark.parametrize("name", SEQUENCE)
def test_a_network_that_skips_begins_with_what_its_encoders_say(name: str) -> None:
    visual, *rest = inputs()
    torch.testing.assert_close(built(name, "skip")(visual, *rest), mean_logits(visual))


@pytest.mark.parametrize("name", SEQUENCE)
@pytest.mark.parametrize("encoder_aus", ["none", "skip", "input"])
def test_who_reads_the_aus(name: str, encoder_aus: str) -> None:
    network = speaking(built(name, encoder_aus))
    visual, *rest = inputs()
    before = network(visual, *rest)
    assert network.dimensions.seen_width == (WIDTH if encoder_aus == "input" else 7)
    aus, embedding = visual.clone(), visual.clone()
    aus[:, 4, 3] += 1
    embedding[:, 4, 0] += 1
    assert torch.equal(network(aus, *rest), before) == (encoder_aus == "none")
    assert not torch.equal(network(embedding, *rest), before)
    if encoder_aus == "skip":  # AU01 of the same frame alone
        changed = (network(aus, *rest) != before).nonzero().tolist()
        assert {(t, au) for _, t, au in changed} == {(4, 0)}


def test_frame_head_is_the_smoothed_mean_over_real_frames() -> None:
    network = built("frame_head")
    visual, audio, sound, real = inputs()
    real[1, 7:] = False
    visual[1, 7:] = 1e3
    found = network(visual, audio, sound, real)
    for row, frames in enumerate((9, 7)):
        mean = mean_logits(visual)[row, :frames].numpy()
        count = uniform_filter1d(np.ones(frames), 3, mode="constant")
        expected = uniform_filter1d(mean, 3, axis=0, mode="constant") / count[:, None]
        np.testing.assert_allclose(found[row, :frames].detach(), expected, atol=1e-5)


def test_frame_head_reads_nothing_but_aus() -> None:
    network = built("frame_head")
    visual, *rest = inputs()
    other = visual.clone()
    other[..., EMBEDDING] = 7.0
    assert torch.equal(network(visual, *rest), network(other, *rest))
    with pytest.raises(DataError, match="these features have none: pre-train an encoder"):
        build_network(Dimensions("frame_head", 6, 0, {"box": 3}))


def test_frame_head_learns_scale_bias_and_weights_of_encoders() -> None:
    network = built("frame_head", box=1)
    visual, *rest = inputs(200)
    wanted = 2 * visual[..., 19:31] - 1
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(300):
        loss = (network(visual, *rest) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.01


def test_frame_head_of_equal_shares_learns_scale_and_bias_alone() -> None:
    network = built("frame_head", box=1, shares="equal")
    visual, *rest = inputs(200)
    wanted = 2 * visual[..., 19:31] - 1
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(20):
        loss = (network(visual, *rest) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state = network.state_dict()
    assert not state["encoders.share"].any()
    assert state["encoders.bias"].all()
    built("frame_head", box=1).load_state_dict(state)  # read by either


@pytest.mark.parametrize("encoders", [3, 4, 5])
def test_the_median_leaves_out_an_encoder_that_is_alone(encoders: int) -> None:
    logits = torch.randn(2, 9, encoders, 12, generator=torch.Generator().manual_seed(2))
    joined = EncoderAUs(encoders, median=True)(logits)
    torch.testing.assert_close(joined, torch.from_numpy(np.median(logits.numpy(), -2)))
    mistaken = logits.clone()
    highest = logits.argmax(-2, keepdim=True)
    mistaken.scatter_(-2, highest, 99.0)
    torch.testing.assert_close(EncoderAUs(encoders, median=True)(mistaken), joined)
    assert not torch.allclose(EncoderAUs(encoders)(mistaken), EncoderAUs(encoders)(logits))


def test_frame_head_takes_the_median_where_it_is_asked_to() -> None:
    visual, *rest = inputs()
    plain, median = (built("frame_head", box=1, shares=shares) for shares in ("equal", "median"))
    assert median.encoders.median
    assert not plain.encoders.median
    # of two encoders the median is the mean
    torch.testing.assert_close(median(visual, *rest), plain(visual, *rest))


@pytest.mark.parametrize("name", [*SEQUENCE, "frame_head"])
def test_without_any_face_the_answer_is_finite(name: str) -> None:
    visual, *rest = inputs()
    visual[:] = torch.nan
    assert built(name, "skip" if name != "frame_head" else "none")(visual, *rest).isfinite().all()


@pytest.mark.parametrize("name", ["transformer", "frame_head"])
def test_a_checkpoint_brings_it_all(name: str, tmp_path: Path) -> None:
    network = built(name, "skip" if name != "frame_head" else "none")
    save_network(tmp_path / "a.safetensors", network.dimensions, network.state_dict(), {})
    loaded, _ = load_network(tmp_path / "a.safetensors")
    assert loaded.dimensions == network.dimensions
    torch.testing.assert_close(loaded(*inputs()), network(*inputs()), rtol=0, atol=0)


def test_training_disturbs_embeddings_and_no_aus() -> None:
    network = built("transformer", "skip")
    network.disturbance = Disturbance(noise=0.5, shift=0.5, dropout=0.5)
    quiet = network(*inputs())
    network.train()
    torch.testing.assert_close(network(*inputs()), quiet)  # the untrained head says nothing yet
    speaking(network)
    visual, *others = inputs()
    torch.manual_seed(5)
    first = network(visual, *others)
    torch.manual_seed(6)
    assert not torch.equal(network(visual, *others), first)
    network.eval()
    assert torch.equal(network(visual, *others), network(visual, *others))


def test_a_shift_is_the_same_all_through_a_window() -> None:
    x = torch.zeros(64, 5, 3)
    moved = Disturbance(shift=2.0)(x)
    assert torch.equal(moved, moved[:, :1].expand_as(moved))
    assert 1.5 < float(moved.std()) < 2.5
    dropped = Disturbance(dropout=0.25)(x + 1)
    assert 0.6 < float(dropped[:, 0, 0].mean()) < 0.9
