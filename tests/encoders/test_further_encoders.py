"""Encoders that the shipped settings leave out, against the libraries' own and their layouts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stages.core.errors import DataError, SettingsError
from stages.encoders.backbones import dinov2, hsemotion, maeface
from stages.encoders.registry import ENCODERS
from stages.encoders.weights import load_network
from tests.encoders import published_files as files


def noise(samples: int = 4000) -> torch.Tensor:
    return torch.randn(2, samples, generator=torch.Generator().manual_seed(0))


def test_dinov2_says_what_the_library_says_of_a_picture() -> None:
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=3, image_size=518
    )
    library = Dinov2Model(config).eval()
    for name, parameter in library.named_parameters():
        if "lambda1" in name:
            nn.init.uniform_(parameter, 0.2, 1.5)
    old = {"q_proj": "attention.query", "k_proj": "attention.key", "v_proj": "attention.value",
           "o_proj": "output.dense"}  # fmt: skip
    state = {}
    for name, tensor in library.state_dict().items():
        for new, before in old.items():
            name = name.replace(f"attention.{new}", f"attention.{before}")
        state[name] = tensor
    sizes = {"width": 24, "layers": 2, "heads": 3, "feedforward": 96}
    network: Any = dinov2.ENCODER.build({**dinov2.FULL, **sizes}).eval()
    network.load_state_dict(dinov2.published(state))
    x = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(network(x), library(x).pooler_output, rtol=1e-3, atol=1e-4)
    # and of the names that its own code and timm give the tensors
    own = {**network.state_dict(), "mask_token": torch.zeros(1, 24)}
    assert dinov2.published(own).keys() == network.state_dict().keys()


def test_wavlm_hears_what_the_library_hears(tmp_path: Path) -> None:
    from transformers import WavLMConfig, WavLMForCTC, WavLMModel

    encoder = ENCODERS["wavlm"]
    torch.manual_seed(3)
    WavLMForCTC(WavLMConfig(**encoder.scales["small"])).save_pretrained(tmp_path)
    reference = WavLMModel.from_pretrained(tmp_path).eval()
    loaded = load_network(encoder, "small", tmp_path / "model.safetensors")
    loud, quiet = noise(), 0.01 * noise()
    with torch.inference_mode():
        for x in (loud, quiet):
            torch.testing.assert_close(
                loaded(x), reference(x).last_hidden_state, rtol=1e-3, atol=1e-4
            )
        assert not torch.allclose(loaded(loud), loaded(quiet), atol=1e-3)  # as loud as it is


def test_hsemotion_is_timms_network_without_its_classifier() -> None:
    from timm import create_model

    hsemotion.ENCODER.build(hsemotion.ENCODER.scales["small"])
    with torch.device("meta"):
        network = hsemotion.ENCODER.build(hsemotion.ENCODER.scales["full"])
        whole = create_model("efficientnet_b0")
    expected = {n: t.shape for n, t in whole.state_dict().items() if "classifier" not in n}
    assert {n: t.shape for n, t in network.state_dict().items()} == expected
    # of the 5,288,548 of EfficientNet-B0 1000 x (1280 + 1) are the head
    assert sum(p.numel() for p in network.parameters()) == 5_288_548 - 1_281_000
    assert network.width == 1280


def test_a_whole_pickled_network_is_refused_and_its_onnx_file_named(tmp_path: Path) -> None:
    encoder, network = files.small("hsemotion")
    torch.save(network, tmp_path / "enet_b0_8_best_vgaf.pt")
    with pytest.raises(DataError, match=r"nothing in it was run.* take its ONNX file") as caught:
        load_network(encoder, "small", tmp_path / "enet_b0_8_best_vgaf.pt")
    assert str(caught.value).count("\n") == 0
    state = {**network.state_dict(), "classifier.0.weight": torch.zeros(8, 128)}
    torch.save(state, tmp_path / "state.pt")
    loaded = load_network(encoder, "small", tmp_path / "state.pt")
    x = torch.randn(2, 3, 112, 112)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x), network(x))


def test_mae_face_loads_from_the_file_of_its_authors_with_or_without_a_decoder(
    tmp_path: Path,
) -> None:
    encoder, network = files.small("maeface")
    decoder = {"mask_token": torch.zeros(1, 1, 64), "decoder_embed.weight": torch.zeros(64, 128),
               "decoder_pos_embed": torch.zeros(1, 50, 64)}  # fmt: skip
    x = torch.randn(2, 3, 112, 112)
    for more in ({}, decoder):
        torch.save({"model": {**network.state_dict(), **more}}, tmp_path / "mae_face.pth")
        loaded = load_network(encoder, "small", tmp_path / "mae_face.pth")
        with torch.inference_mode():
            torch.testing.assert_close(loaded(x), network(x))
    with torch.device("meta"):
        full = maeface.ENCODER.build(maeface.ENCODER.scales["full"]).state_dict()
        mae = ENCODERS["mae"].build(ENCODERS["mae"].scales["full"]).state_dict()
    assert {n: t.shape for n, t in full.items()} == {n: t.shape for n, t in mae.items()}


@pytest.mark.parametrize("name", ["wav2vec", "hubert", "wavlm"])
def test_an_earlier_layer_is_the_librarys_hidden_state(name: str) -> None:
    encoder, network = files.small(name)
    encoder.keep_layers(network, 2)  # all that it has
    with torch.inference_mode():
        last = network(noise())
        (model,) = network.children()
        heard = noise()
        if name != "wavlm":
            heard = (heard - heard.mean(-1, keepdim=True)) / heard.std(
                -1, keepdim=True, correction=0
            )
        states = model(heard, output_hidden_states=True).hidden_states
        encoder.keep_layers(network, 1)
        found = network(noise())
    torch.testing.assert_close(found, states[1], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(last, states[2], rtol=1e-3, atol=1e-4)
    assert np.abs((found - last).numpy()).max() > 0.01
    with pytest.raises(SettingsError, match=rf"audio.{name}.layer is 2, .* has 1 layers; allowed"):
        encoder.keep_layers(network, 2)


def test_what_has_no_layers_says_so() -> None:
    encoder, network = files.small("ecapatdnn")
    with pytest.raises(SettingsError, match="ecapatdnn has no layers to choose"):
        encoder.keep_layers(network, 1)
