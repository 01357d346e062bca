"""The head of AUs in an encoder's weights: kept, cut out, written beside the embedding."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stages.core.errors import DataError
from stages.encoders.registry import visual_encoder
from stages.encoders.running import au_start, encode_images, feature_width, inference
from stages.encoders.source import read_about
from stages.encoders.weights import load_network, save_weights, take_weights


def saved(path: Path, start: int | None) -> nn.Linear:
    torch.manual_seed(0)
    encoder = visual_encoder("ires100")
    network = encoder.build(encoder.scales["small"])
    head = nn.Linear(int(network.width), 14)  # type: ignore[arg-type]
    save_weights(path, encoder, "small", "va", network.state_dict(), head.state_dict(), start)
    return head


def test_its_au_logits_stand_behind_the_embedding(tmp_path: Path) -> None:
    head = saved(tmp_path / "w.safetensors", 2)
    encoder = visual_encoder("ires100")
    network = load_network(encoder, "small", tmp_path / "w.safetensors")
    width = int(network.width)  # type: ignore[arg-type]
    assert (au_start(network), feature_width(network)) == (width, width + 12)
    images = np.random.default_rng(0).integers(0, 255, (3, 112, 112, 3)).astype(np.uint8)
    device = torch.device("cpu")
    with inference(device, "32-true"):
        rows = encode_images(encoder, network, images, device)
        embedding = network(encoder.prepare(torch.from_numpy(images), encoder.side_of(network)))
        expected = head(embedding)[:, 2:]
    np.testing.assert_allclose(rows[:, width:], expected, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(rows[:, :width], embedding, rtol=2e-3, atol=2e-3)


def test_weights_without_aus_give_the_embedding_alone(tmp_path: Path) -> None:
    saved(tmp_path / "w.safetensors", None)
    network = load_network(visual_encoder("ires100"), "small", tmp_path / "w.safetensors")
    assert au_start(network) is None
    assert feature_width(network) == network.width


def test_weights_of_ours_from_elsewhere_keep_their_aus(tmp_path: Path) -> None:
    saved(tmp_path / "w.safetensors", 2)
    encoder, path = visual_encoder("ires100"), tmp_path / "taken.safetensors"
    take_weights(encoder, "small", tmp_path / "w.safetensors", {"source": "file:w"}, path)
    ours = load_network(encoder, "small", tmp_path / "w.safetensors")
    taken = load_network(encoder, "small", path)
    assert read_about(path)["au_start"] == 0
    torch.testing.assert_close(taken.au_head.weight, ours.au_head.weight)


def test_a_file_that_lacks_the_head_it_names_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    saved(path, 8)
    with pytest.raises(DataError, match="lacks the head of AUs that it names"):
        load_network(visual_encoder("ires100"), "small", path)
