"""Rates by layer and residual blocks left out, on every encoder."""

from typing import Any

import pytest
import timm
import torch
from torch import nn

from stages.core.errors import SettingsError
from stages.encoders.base import VisualEncoder
from stages.encoders.registry import ENCODERS
from stages.pretraining.layers import drop_blocks, layer_rates

BLOCKS = {
    "ires100": 5, "mobilenet": 9, "mae": 2, "densenet": 9, "vit": 2, "wav2vec": 7 + 2,
    "hubert": 7 + 2, "ecapatdnn": 4, "dinov2": 2, "maeface": 2, "hsemotion": 4, "wavlm": 7 + 2,
}  # fmt: skip


def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    encoder = ENCODERS[name]
    return encoder.build(encoder.scales["small"])


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_rates_fall_from_the_output_to_the_input(name: str) -> None:
    network = built(name)
    rates = layer_rates(network, 0.5)
    names = [name for name, _ in network.named_parameters()]
    assert list(rates) == names
    values = list(rates.values())
    assert values == sorted(values)
    assert set(values) <= {0.5**k for k in range(BLOCKS[name] + 2)}
    assert {0.5**k for k in range(1, BLOCKS[name] + 1)} <= set(values)
    assert set(layer_rates(network, 1.0).values()) == {1.0}


def test_rates_of_a_vision_transformer_are_those_of_timm() -> None:
    """But for the last norm: timm counts it to the last block, BEiT to what lies behind it."""
    from timm.optim import param_groups_layer_decay

    network = timm.create_model("vit_tiny_patch16_224", num_classes=10)
    groups = param_groups_layer_decay(network, weight_decay=0.0, layer_decay=0.7)
    theirs = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    ours = layer_rates(network, 0.7)
    for name, parameter in network.named_parameters():
        if name.startswith("norm."):
            continue
        assert ours[name] == pytest.approx(theirs[id(parameter)]), name


def test_the_head_has_the_full_rate_and_a_network_without_blocks_is_refused() -> None:
    model = nn.ModuleDict({"encoder": built("vit"), "head": nn.Linear(256, 12)})
    rates = layer_rates(model, 0.5)
    assert rates["head.weight"] == rates["encoder.norm.weight"] == 1
    assert rates["encoder.transformer.blocks.1.mlp.fc1.weight"] == 0.5
    assert rates["encoder.transformer.patch_embed.backbone.0.conv.weight"] == 0.5**3
    with pytest.raises(SettingsError, match="has no blocks"):
        layer_rates(nn.Linear(2, 2), 0.5)


@pytest.mark.parametrize(
    "name", ["ires100", "mobilenet", "mae", "vit", "hsemotion", "wav2vec", "hubert", "wavlm"]
)
def test_blocks_are_left_out_in_training_alone_and_no_name_changes(name: str) -> None:
    network: Any = built(name)
    encoder = ENCODERS[name]
    shape = (4, 3, network.side if hasattr(network, "side") else 112, 112)
    x = torch.randn(shape) if isinstance(encoder, VisualEncoder) else None
    x = torch.randn(2, 8000) if x is None else x
    names = list(network.state_dict())
    with torch.no_grad():
        before = network.eval()(x)
        drop_blocks(network, 0.6)
        assert torch.equal(network(x), before)
    assert list(network.state_dict()) == names
    network.train()
    for module in network.modules():  # so that nothing else differs from one pass to the next
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.eval()
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        found = [network(x) for _ in range(6)]
    assert any(not torch.allclose(found[0], other) for other in found[1:])
    assert encoder.build(encoder.scales["small"]).state_dict().keys() == set(names)


def test_the_share_rises_to_the_last_block_and_what_is_left_is_scaled_up() -> None:
    network: Any = built("vit")
    drop_blocks(network, 0.5)
    first, last = network.transformer.blocks
    assert (first.drop_path1.drop_prob, last.drop_path2.drop_prob) == (0.0, 0.5)
    torch.manual_seed(0)
    kept = last.drop_path1.train()(torch.ones(4000, 1))
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert float(kept.mean()) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("name", ["densenet", "ecapatdnn"])
def test_a_network_without_residual_blocks_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="no residual blocks"):
        drop_blocks(built(name), 0.1)


def test_ires100_at_full_scale_has_a_rate_and_a_share_for_each_of_its_49_blocks() -> None:
    encoder = ENCODERS["ires100"]
    with torch.device("meta"):
        network: Any = encoder.build(encoder.scales["full"])
    rates = layer_rates(network, 0.9)
    assert rates["conv1.weight"] == pytest.approx(0.9**50)
    assert rates["layer1.0.conv1.weight"] == pytest.approx(0.9**49)
    assert rates["layer3.29.prelu.weight"] == pytest.approx(0.9**4)
    assert rates["fc.weight"] == rates["bn2.weight"] == 1
    drop_blocks(network, 0.48)
    shares = [
        block.drop_path.drop_prob
        for k in range(1, 5)
        for block in network.get_submodule(f"layer{k}")
    ]
    assert shares == pytest.approx([0.01 * k for k in range(49)])
