"""Masked reconstruction against the transformers library's ViTMAEForPreTraining."""

import pytest
import torch
from torch import nn

from stages.encoders.backbones import mae
from stages.pretraining.reconstruction import MaskedAutoEncoder, patches_of, random_order

SIDE, PATCH, WIDTH = 48, 16, 24
DECODER = {"width": 16, "layers": 1, "heads": 4}


def library() -> nn.Module:
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    torch.manual_seed(0)
    config = ViTMAEConfig(
        hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48,
        image_size=SIDE, patch_size=PATCH, decoder_hidden_size=16, decoder_num_hidden_layers=1,
        decoder_num_attention_heads=4, decoder_intermediate_size=64, mask_ratio=0.75,
        norm_pix_loss=True, layer_norm_eps=1e-6,
    )  # fmt: skip
    model = ViTMAEForPreTraining(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:  # larger than they begin: every part shall tell
                parameter.normal_(0, 0.3)
    return model


def ours() -> MaskedAutoEncoder:
    encoder = mae.ENCODER.build(
        {"side": SIDE, "patch": PATCH, "width": WIDTH, "layers": 2, "heads": 3, "feedforward": 48}
    )
    return MaskedAutoEncoder(encoder, SIDE, hidden=0.75, **DECODER).eval()


def copy_block(state: dict[str, torch.Tensor], block: nn.Module) -> None:
    """Copy a layer of the library's decoder by the order and the shapes of its tensors."""
    parts = {name.split(".", 1)[1] if name[0].isdigit() else name: t for name, t in state.items()}

    def pick(*words: str) -> torch.Tensor:
        (found,) = [t for n, t in parts.items() if all(word in n for word in words)]
        return found

    for kind in ("weight", "bias"):
        rows = [pick(f"{which}_proj.{kind}") for which in "qkv"]
        getattr(block.attn.qkv, kind).data = torch.cat(rows)
        getattr(block.attn.proj, kind).data = pick(f"o_proj.{kind}")
        getattr(block.norm1, kind).data = pick(f"layernorm_before.{kind}")
        getattr(block.norm2, kind).data = pick(f"layernorm_after.{kind}")
        getattr(block.mlp.fc1, kind).data = pick(f"fc1.{kind}")
        getattr(block.mlp.fc2, kind).data = pick(f"fc2.{kind}")


def test_the_loss_is_the_librarys(tmp_path) -> None:
    from safetensors.torch import load_file

    reference, model = library(), ours()
    reference.save_pretrained(tmp_path)  # under the names of the hub
    encoder_state = mae.ENCODER.published(load_file(tmp_path / "model.safetensors"))
    model.transformer.load_state_dict(encoder_state)
    decoder = reference.decoder
    model.decoder_embed.load_state_dict(decoder.decoder_embed.state_dict())
    model.mask_token.data = decoder.mask_token.data
    model.decoder_pos_embed.copy_(decoder.decoder_pos_embed[:, 1:])
    copy_block(decoder.decoder_layers[0].state_dict(), model.decoder_blocks[0])
    model.decoder_blocks[0].norm1.eps = model.decoder_blocks[0].norm2.eps = 1e-6
    model.decoder_norm.load_state_dict(decoder.decoder_norm.state_dict())
    model.decoder_norm.eps = 1e-6
    model.decoder_pred.load_state_dict(decoder.decoder_pred.state_dict())

    images = torch.randn(5, 3, SIDE, SIDE)
    noise = torch.rand(5, (SIDE // PATCH) ** 2)
    with torch.inference_mode():
        expected = reference(images, noise=noise).loss
        found = model(images, noise.argsort(1))
    assert abs(expected - 1) > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_patches_are_cut_row_by_row() -> None:
    images = torch.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4).float()
    patches = patches_of(images, 2)
    assert patches.shape == (2, 4, 12)
    for row in range(2):
        for column in range(2):
            piece = images[1, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            expected = piece.permute(1, 2, 0).flatten()
            torch.testing.assert_close(patches[1, 2 * row + column], expected)


@pytest.mark.parametrize("scale", ["small", "plain"])
def test_what_is_hidden_is_not_seen(scale: str) -> None:
    torch.manual_seed(0)
    if scale == "plain":
        model, side = ours(), SIDE
    else:
        dimensions = mae.ENCODER.scales["small"]
        side = dimensions["side"]
        network = mae.ENCODER.build(dimensions)
        model = MaskedAutoEncoder(network.transformer, side, hidden=0.75, **DECODER).eval()
    images = torch.randn(2, 3, side, side)
    order = random_order(2, model.count)
    shown = order[:, : model.seen]
    assert model.seen == model.count // 4
    patch = side // model.grid
    other = torch.randn_like(images)
    for n in range(2):
        for index in shown[n].tolist():
            y, x = divmod(index, model.grid)
            area = (
                n,
                slice(None),
                slice(y * patch, (y + 1) * patch),
                slice(x * patch, (x + 1) * patch),
            )
            other[area] = images[area]
    with torch.inference_mode():
        torch.testing.assert_close(model.encode(other, shown), model.encode(images, shown))
        assert not torch.allclose(model(other, order), model(images, order))


def test_the_order_is_another_for_each_picture_and_repeats_with_the_generator() -> None:
    first = random_order(4, 49, torch.Generator().manual_seed(1))
    again = random_order(4, 49, torch.Generator().manual_seed(1))
    torch.testing.assert_close(first, again)
    assert sorted(first[0].tolist()) == list(range(49))
    assert not torch.equal(first[0], first[1])
