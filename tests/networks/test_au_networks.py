"""The networks with a state per AU, beside the same sums written out."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stages.networks.au_graph import GraphLayer, cooccurrence, nearest_nodes
from stages.networks.au_query import QueryLayer
from stages.networks.au_states import AUHead
from stages.networks.base import Dimensions, Network
from stages.networks.registry import build_network

WIDTH = 4
SETTINGS: dict[str, dict[str, Any]] = {
    "au_query": {"query_width": WIDTH, "query_layers": 2, "query_feedforward": 6},
    "au_graph": {"node_width": WIDTH, "graph_layers": 2, "adjacency": "learned", "neighbours": 3},
}


def built(name: str, **changes: Any) -> Network:
    torch.manual_seed(0)
    shared = {"width": 8, "layers": 1, "heads": 2, "feedforward": 8, "dropout": 0.0, "head": [5]}
    au_starts = changes.pop("au_starts", ())
    settings = {**shared, **SETTINGS[name], **changes}
    skip = "skip" if au_starts else "none"
    dimensions = Dimensions(name, 14, 3, settings, au_starts=au_starts, encoder_aus=skip)
    return build_network(dimensions).eval()


def batch(frames: int = 6) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    everywhere = torch.ones(2, frames, dtype=torch.bool)
    return torch.randn(2, frames, 14), torch.randn(2, frames, 3), everywhere, everywhere.clone()


def one_head(layer: nn.MultiheadAttention, query: Tensor, memory: Tensor) -> Tensor:
    """Attention of a layer that has one head, from rows to rows."""
    parts = zip(layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3), strict=True)
    q, k, v = (x @ w.T + b for (w, b), x in zip(parts, (query, memory, memory), strict=True))
    score = (q @ k.T / query.shape[1] ** 0.5).exp()
    read: Tensor = layer.out_proj(score / score.sum(1, keepdim=True) @ v)
    return read


def test_a_query_layer_against_attention_written_out() -> None:
    torch.manual_seed(0)
    layer = QueryLayer(WIDTH, 1, 6, 0.0).eval()
    queries, memory = torch.randn(1, 5, 12, WIDTH), torch.randn(1, 5, WIDTH)
    real = torch.tensor([[True, True, True, False, True]])
    found = layer(queries, memory, real)
    for frame in range(5):
        x = queries[0, frame]
        x = layer.norm1(x + one_head(layer.among, x, x))
        x = layer.norm2(x + one_head(layer.over, x, memory[0, real[0]]))
        x = layer.norm3(x + layer.linear2(layer.linear1(x).relu()))
        torch.testing.assert_close(found[0, frame], x, rtol=1e-4, atol=1e-5)


def test_a_graph_layer_against_a_loop_over_nodes() -> None:
    torch.manual_seed(0)
    layer = GraphLayer(WIDTH, 0.0).eval()
    nodes, weights = torch.randn(12, WIDTH), torch.rand(12, 12)
    found = layer(nodes, weights)
    for i in range(12):
        taken = sum(weights[i, j] * (layer.others.weight @ nodes[j]) for j in range(12))
        hidden = layer.norm(layer.own(nodes[i]) + taken)
        torch.testing.assert_close(found[i], nodes[i] + hidden.relu(), rtol=1e-4, atol=1e-5)


def test_the_nearest_nodes_are_those_with_the_largest_products_and_never_oneself() -> None:
    torch.manual_seed(0)
    nodes = torch.randn(2, 12, WIDTH)
    found = nearest_nodes(nodes, 3)
    for sample in range(2):
        for i in range(12):
            others = [j for j in range(12) if j != i]
            others.sort(key=lambda j: -float(nodes[sample, i] @ nodes[sample, j]))
            expected = torch.zeros(12)
            expected[others[:3]] = 1 / 3
            torch.testing.assert_close(found[sample, i], expected)


def test_co_occurrence_is_counted_in_the_labels_that_are_known() -> None:
    labels = torch.zeros(6, 12, dtype=torch.int8)
    labels[:4, 0] = 1
    labels[:3, 1] = 1  # in 3 of the 4 frames of the first AU
    labels[3, 2] = 1  # in the one that is known of 4
    labels[:3, 2] = -1
    labels[5, 5] = 1  # with no other
    found = cooccurrence(labels)
    shares = torch.tensor([0, 3 / 4, 1, *[0] * 9])
    torch.testing.assert_close(found[0], shares / shares.sum())
    torch.testing.assert_close(found[1], torch.eye(12)[0])
    torch.testing.assert_close(found[5], (1 - torch.eye(12)[5]) / 11)
    torch.testing.assert_close(found.sum(1), torch.ones(12))


def test_a_counted_graph_is_kept_in_the_checkpoint_and_used() -> None:
    network: Any = built("au_graph", adjacency="cooccurrence")
    before = network(*batch())
    labels = (torch.rand(50, 12) < 0.3).to(torch.int8)
    network.fit_labels(labels)
    assert torch.equal(network.state_dict()["counted"], cooccurrence(labels))
    assert not torch.allclose(network(*batch()), before)
    learned = built("au_graph")
    state = {k: v.clone() for k, v in learned.state_dict().items()}
    learned.fit_labels(labels)  # keeps nothing of them
    assert all(torch.equal(v, state[k]) for k, v in learned.state_dict().items())


def test_the_head_has_a_vector_of_its_own_for_each_au() -> None:
    torch.manual_seed(0)
    head: Any = AUHead(WIDTH, (5,)).eval()
    first, _, _, last = head
    nn.init.normal_(last.bias)
    states = torch.randn(3, 12, WIDTH)
    found = head(states)
    for i in range(12):
        expected = first(states[:, i]).relu() @ last.weight[i] + last.bias[i]
        torch.testing.assert_close(found[:, i], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("au_query", {}),
        ("au_graph", {}),
        ("au_graph", {"adjacency": "nearest"}),
        ("au_graph", {"adjacency": "cooccurrence"}),
    ],
)
def test_every_parameter_gets_a_gradient(name: str, changes: dict[str, Any]) -> None:
    network = built(name, **changes)
    visual, audio, sound, real = batch()
    sound[0, 2] = False
    network(visual, audio, sound, real).square().sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key
    learned = "adjacency" in dict(network.named_parameters())
    assert learned == (name == "au_graph" and not changes)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_an_untrained_network_says_what_its_encoders_say(name: str) -> None:
    network = built(name, au_starts=(1,))
    visual, audio, sound, real = batch()
    said = network(visual, audio, sound, real)
    torch.testing.assert_close(said, visual[..., 1:13], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_an_au_hears_of_the_others(name: str) -> None:
    """What is added to the state of one AU changes the logits of the others."""
    network: Any = built(name)
    before = network(*batch())
    with torch.no_grad():
        if name == "au_query":
            network.queries[3] += torch.randn(WIDTH)
        else:
            network.nodes.bias[3 * WIDTH : 4 * WIDTH] += 3
    moved = (network(*batch()) - before).abs().amax((0, 1))
    assert (moved > 1e-6).all()
