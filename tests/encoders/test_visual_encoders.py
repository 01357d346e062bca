"""`densenet`, `vit`, `mae`: sizes and names as published, against the libraries' own networks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from stages.core.errors import DataError
from stages.encoders.backbones import densenet, mae, vit
from stages.encoders.base import VisualEncoder
from stages.encoders.registry import ENCODERS
from stages.encoders.running import encode_images, inference
from stages.encoders.weights import load_network, save_weights

NEW = (densenet.ENCODER, mae.ENCODER, vit.ENCODER)
TINY = {"side": 48, "patch": 16, "width": 24, "layers": 2, "heads": 3, "feedforward": 48}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def full(encoder: VisualEncoder) -> nn.Module:
    encoder.build(encoder.scales["small"])  # imports libraries, whose constants shall be real
    with torch.device("meta"):
        return encoder.build(encoder.scales["full"])


def test_densenet_has_the_parameters_of_torchvisions_without_the_head() -> None:
    from torchvision.models import densenet121

    network = full(densenet.ENCODER)
    with torch.device("meta"):
        whole = densenet121()
    # the published table says 7,978,856, of which 1000 x (1024 + 1) are the head
    assert count(network) == count(whole) - 1_025_000 == 7_978_856 - 1_025_000
    shapes = {n: t.shape for n, t in whole.state_dict().items() if not n.startswith("classifier")}
    assert {n: t.shape for n, t in network.state_dict().items()} == shapes
    assert (network.width, network.side) == (1024, 224)


@pytest.mark.parametrize("encoder", [vit.ENCODER, mae.ENCODER], ids=lambda e: e.name)
def test_the_transformers_have_the_parameters_of_the_librarys_vit_b_16(
    encoder: VisualEncoder,
) -> None:
    from transformers import ViTConfig, ViTMAEConfig, ViTMAEModel, ViTModel

    with torch.device("meta"):
        if encoder.name == "vit":
            whole = ViTModel(ViTConfig(), add_pooling_layer=False)
        else:
            whole = ViTMAEModel(ViTMAEConfig())
    network = full(encoder)
    assert count(network) == count(whole) == 85_798_656
    assert (network.width, network.side) == (768, 224)


def test_mae_has_the_names_and_shapes_of_facebooks_checkpoint() -> None:
    shapes = {name: tuple(t.shape) for name, t in full(mae.ENCODER).state_dict().items()}
    # from mae_pretrain_vit_base.pth
    expected = {
        "cls_token": (1, 1, 768),
        "pos_embed": (1, 197, 768),
        "patch_embed.proj.weight": (768, 3, 16, 16),
        "patch_embed.proj.bias": (768,),
        "norm.weight": (768,),
        "norm.bias": (768,),
    }
    for number in range(12):
        for part, shape in {
            "norm1": (768,), "attn.qkv": (2304, 768), "attn.proj": (768, 768), "norm2": (768,),
            "mlp.fc1": (3072, 768), "mlp.fc2": (768, 3072),
        }.items():  # fmt: skip
            expected[f"blocks.{number}.{part}.weight"] = shape
            expected[f"blocks.{number}.{part}.bias"] = shape[:1]
    assert shapes == expected


def test_a_checkpoint_of_facebooks_mae_loads_without_its_decoder(tmp_path: Path) -> None:
    network = mae.ENCODER.build(TINY)
    state = dict(network.state_dict())
    decoder = {
        "mask_token": torch.zeros(1, 1, 8), "decoder_pos_embed": torch.zeros(1, 10, 8),
        "decoder_embed.weight": torch.zeros(8, 24), "decoder_blocks.0.norm1.weight": torch.ones(8),
        "decoder_norm.weight": torch.ones(8), "decoder_pred.bias": torch.zeros(768),
    }  # fmt: skip
    renamed = mae.ENCODER.published({**state, **decoder})
    assert set(renamed) == set(state)
    for name, tensor in state.items():
        torch.testing.assert_close(renamed[name], tensor)


@pytest.mark.parametrize("headed", [False, True])
def test_a_vit_of_the_hub_gives_the_same_class_token(tmp_path: Path, headed: bool) -> None:
    from transformers import ViTConfig, ViTForImageClassification, ViTModel

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48,
        image_size=48, patch_size=16, layer_norm_eps=1e-6,
    )  # fmt: skip
    whole = (ViTForImageClassification(config) if headed else ViTModel(config)).eval()
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.normal_(0, 0.2)
    whole.save_pretrained(tmp_path)
    network = vit.ENCODER.build(TINY).eval()
    network.load_state_dict(vit.ENCODER.published(load_file(tmp_path / "model.safetensors")))
    x = torch.randn(3, 3, 48, 48)
    with torch.inference_mode():
        base = whole.vit if headed else whole
        expected = base(x).last_hidden_state[:, 0]
        torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4)


def test_an_mae_of_the_hub_gives_the_mean_of_the_same_patches(tmp_path: Path) -> None:
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    torch.manual_seed(0)
    config = ViTMAEConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48,
        image_size=48, patch_size=16, layer_norm_eps=1e-6, mask_ratio=0.0, decoder_hidden_size=16,
        decoder_num_hidden_layers=1, decoder_num_attention_heads=4,
    )  # fmt: skip
    whole = ViTMAEForPreTraining(config).eval()
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.normal_(0, 0.2)
    whole.save_pretrained(tmp_path)
    network = mae.ENCODER.build(TINY).eval()
    network.load_state_dict(mae.ENCODER.published(load_file(tmp_path / "model.safetensors")))
    x = torch.randn(3, 3, 48, 48)
    with torch.inference_mode():
        expected = whole.vit(x).last_hidden_state[:, 1:].mean(1)
        torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4)


def test_a_query_without_its_key_is_a_missing_tensor() -> None:
    state = {"vit.encoder.layer.0.attention.attention.query.weight": torch.zeros(24, 24)}
    assert vit.ENCODER.published(state) == {}


def test_torchvisions_densenet_loads_by_its_old_names(tmp_path: Path) -> None:
    from torchvision.models import densenet121

    torch.manual_seed(0)
    whole = densenet121().eval()
    old = {}
    for name, tensor in whole.state_dict().items():
        for word in ("norm1", "norm2", "conv1", "conv2"):
            if "denselayer" in name:
                name = name.replace(f".{word}.", f".{word[:-1]}.{word[-1]}.")
        old[name] = tensor.clone()
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    save_file(old, tmp_path / "d.safetensors")
    network = load_network(densenet.ENCODER, "full", tmp_path / "d.safetensors")
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(whole.classifier(network(x)), whole(x))


@pytest.mark.parametrize("encoder", NEW, ids=lambda e: e.name)
def test_small_ones_read_crops_and_load_from_our_own_files(
    encoder: VisualEncoder, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    network = encoder.build(encoder.scales["small"]).eval()
    save_weights(tmp_path / "w.safetensors", encoder, "small", "au", network.state_dict(), {})
    loaded = load_network(encoder, "full", tmp_path / "w.safetensors")  # the file says small
    assert encoder.side_of(loaded) == 112
    images = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    x = (torch.from_numpy(images).float() - torch.tensor(encoder.mean)) / torch.tensor(
        encoder.deviation
    )
    with inference(torch.device("cpu"), "32-true"):
        found = encode_images(encoder, loaded, images, torch.device("cpu"))
        expected = network(x.permute(0, 3, 1, 2)).numpy()
    assert found.shape == (3, network.width)
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=5e-3)


def test_full_ones_see_crops_enlarged() -> None:
    encoder = ENCODERS["vit"]
    assert isinstance(encoder, VisualEncoder)
    images = torch.zeros(1, 112, 112, 3, dtype=torch.uint8)
    images[:, :, 56:] = 255
    x = encoder.prepare(images, encoder.side_of(full(encoder)))
    assert x.shape == (1, 3, 224, 224)
    torch.testing.assert_close(x[0, :, 0, 0], torch.full((3,), -1.0))
    torch.testing.assert_close(x[0, :, 0, -1], torch.full((3,), 1.0))


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    network = vit.ENCODER.build({**TINY, "width": 48})
    save_file(dict(network.state_dict()), tmp_path / "w.safetensors")
    with pytest.raises(DataError, match="does not fit vit at scale full"):
        load_network(vit.ENCODER, "full", tmp_path / "w.safetensors")
