"""What `vit`, `mae`, `maeface` and `dinov2` share: timm's VisionTransformer, by published names.

The small scale takes its patches from a few convolutions in place of one, and reads all patches
out through a linear layer in place of one token or their mean: on a few thousand aligned faces it
learns in minutes what the published form would need a hundred times more pictures for.

References
----------
A. Dosovitskiy et al. An image is worth 16x16 words: transformers for image recognition at scale.
ICLR 2021.
T. Xiao et al. Early convolutions help transformers see better. NeurIPS 2021.
"""

import re
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn

from stages.encoders.base import Dimensions, State

PUBLISHED: Dimensions = {
    "side": 224,
    "patch": 16,
    "width": 768,
    "layers": 12,
    "heads": 12,
    "feedforward": 3072,
}
STEM: Dimensions = {
    "side": 112,
    "stem": [16, 32, 64, 128],  # each halves the picture: patches of 16x16, as published
    "width": 128,
    "layers": 2,
    "heads": 4,
    "feedforward": 256,
    "embedding": 256,
}
AUTO_ENCODERS: Final[dict[str, Dimensions]] = {  # by scale; pre-training alone uses the decoder
    "small": {**STEM, "decoder": {"width": 64, "layers": 1, "heads": 4}},
    "full": {**PUBLISHED, "decoder": {"width": 512, "layers": 8, "heads": 16}},
}

# what is no part of the encoder: heads, and the decoder of a masked auto-encoder
DROPPED = ("head.", "classifier.", "pooler.", "decoder", "mask_token", "fc_norm.")
HUB_NAMES = {
    "embeddings.cls_token": "cls_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    "layernorm": "norm",
}
HUB_LAYER = {
    "attention.output.dense": "attn.proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
}
LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)")
QKV = re.compile(r"attention\.attention\.(query|key|value)")


def configuration(dimensions: Dimensions) -> Dimensions:
    """Return what the ``config.json`` of the transformers library says of these dimensions."""
    if "patch" not in dimensions:  # of the small scale, which nobody publishes
        return {}
    return {
        "image_size": dimensions["side"],
        "patch_size": dimensions["patch"],
        "hidden_size": dimensions["width"],
        "num_hidden_layers": dimensions["layers"],
        "num_attention_heads": dimensions["heads"],
        "intermediate_size": dimensions["feedforward"],
        "hidden_act": "gelu",
        "qkv_bias": True,
    }


class Flattened(nn.Module):
    """A transformer whose patches are read out together by one linear layer.

    Parameters
    ----------
    transformer : timm.models.VisionTransformer
    width : int
        Length of the feature vector.
    """

    def __init__(self, transformer: Any, width: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.width = width
        inputs = transformer.patch_embed.num_patches * transformer.embed_dim
        self.embedding = nn.Linear(inputs, width, bias=False)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 3, side, side) to (n, width)."""
        tokens = self.transformer.forward_features(x)
        result: Tensor = self.norm(self.embedding(tokens.flatten(1)))
        return result


def build(dimensions: Dimensions, pool: str) -> nn.Module:
    """Build a vision transformer without head.

    Parameters
    ----------
    dimensions : mapping
        ``side``, ``width``, ``layers``, ``heads``, ``feedforward``; ``patch``, or ``stem`` (the
        channels of convolutions of stride 2) and ``embedding``; ``layer_scale``, if it has some,
        what each residual branch is multiplied by at first.
    pool : str
        What is read out where there is no ``embedding``: ``token`` or ``avg``, the patches' mean.
    """
    from timm.models.vision_transformer import VisionTransformer
    from timm.models.vision_transformer_hybrid import ConvStem, HybridEmbed

    common = {
        "img_size": dimensions["side"],
        "embed_dim": dimensions["width"],
        "depth": dimensions["layers"],
        "num_heads": dimensions["heads"],
        "mlp_ratio": dimensions["feedforward"] / dimensions["width"],
        "num_classes": 0,
        "fc_norm": False,
        "init_values": dimensions.get("layer_scale"),
    }
    network: Any
    if "stem" in dimensions:
        channels = tuple(dimensions["stem"])
        stem = ConvStem(channels=channels, depth=len(channels), stride=(2,) * len(channels))
        embed = partial(HybridEmbed, backbone=stem, proj=False)
        transformer = VisionTransformer(
            **common, patch_size=1, embed_layer=embed, class_token=False, global_pool="avg"
        )
        network = Flattened(transformer, dimensions["embedding"])
    else:
        network = VisionTransformer(**common, patch_size=dimensions["patch"], global_pool=pool)
        network.width = network.embed_dim
    network.side = dimensions["side"]
    assert isinstance(network, nn.Module)
    return network


def published(state: State) -> State:
    """Rename a published state's tensors to timm's names, and drop heads and decoders.

    timm's names are those of facebookresearch/mae, too; the transformers library's differ, and
    have query, key and value apart.
    """
    renamed: State = {}
    apart: dict[str, State] = {}
    for name, tensor in state.items():
        short = name.removeprefix("vit.")
        if short.startswith(DROPPED):
            continue
        layer = LAYER.fullmatch(short)
        if layer:
            block, part, kind = f"blocks.{layer[1]}", layer[2], layer[3]
            qkv = QKV.fullmatch(part)
            if qkv:
                apart.setdefault(f"{block}.attn.qkv.{kind}", {})[qkv[1]] = tensor
            else:
                renamed[f"{block}.{HUB_LAYER.get(part, part)}.{kind}"] = tensor
            continue
        stem, _, kind = short.rpartition(".")
        if short in HUB_NAMES:
            renamed[HUB_NAMES[short]] = tensor
        elif stem in HUB_NAMES:
            renamed[f"{HUB_NAMES[stem]}.{kind}"] = tensor
        else:
            renamed[short] = tensor
    for name, parts in apart.items():
        if set(parts) == {"query", "key", "value"}:  # else it is missing, and refused as such
            renamed[name] = torch.cat([parts["query"], parts["key"], parts["value"]])
    return renamed
