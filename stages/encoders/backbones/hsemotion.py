"""`hsemotion`: EmotiEffLib's EfficientNet-B0, trained for expressions, before its classifier.

The network is timm's with TensorFlow's padding, as its authors trained it. Its ``.pt`` files are
whole pickled networks, which are refused; its ONNX files are turned into tensors. The small scale
has fewer and narrower blocks and ends by a depthwise convolution over what is left of the picture
in place of its mean, for the reason given in :mod:`stages.encoders.backbones.mobilenet`.

It is no encoder of the shipped settings; docs/encoders.md says how to add it.

References
----------
A. V. Savchenko. HSEmotion: high-speed emotion recognition library. Software Impacts, 2022.
https://github.com/sb-ai-lab/EmotiEffLib
"""

from functools import partial
from typing import Any

from torch import nn

from stages.encoders.base import IMAGENET_DEVIATION, IMAGENET_MEAN, Dimensions, State, VisualEncoder
from stages.encoders.source import Source

HEAD = "classifier."  # of the published state: eight expressions
INSTEAD = (
    "Weights that EmotiEffLib publishes as .pt are a whole pickled network: take its ONNX file "
    "(enet_b0_8_best_vgaf.onnx), or save the network's state_dict."
)


def build(dimensions: Dimensions) -> nn.Module:
    """Build an EfficientNet without its classifier.

    Parameters
    ----------
    dimensions : mapping
        ``side``; ``published``: timm's name of a network. Or ``blocks`` in timm's notation,
        ``stem`` (channels) and ``width``.
    """
    from timm import create_model
    from timm.models.efficientnet import EfficientNet, decode_arch_def

    network: Any
    if "published" in dimensions:
        network = create_model(dimensions["published"], num_classes=0)
        network.width = network.num_features
    else:
        network = EfficientNet(
            decode_arch_def([[block] for block in dimensions["blocks"]]),
            num_classes=0,
            num_features=dimensions["width"],
            stem_size=dimensions["stem"],
            pad_type="same",
            act_layer=nn.SiLU,
            norm_layer=partial(nn.BatchNorm2d, eps=1e-3),
        )
        left = dimensions["side"]
        for block in ("s2", *dimensions["blocks"]):  # the stem halves it, too
            left = -(-left // 2) if "s2" in block else left
        width = dimensions["width"]
        pool = nn.Conv2d(width, width, left, groups=width, bias=False)
        nn.init.kaiming_normal_(pool.weight, mode="fan_in")
        network.global_pool = nn.Sequential(pool, nn.BatchNorm2d(width), nn.Flatten())
        network.width = width
    network.side = dimensions["side"]
    assert isinstance(network, nn.Module)
    return network


def published(state: State) -> State:
    """Drop the classifier."""
    return {name: tensor for name, tensor in state.items() if not name.startswith(HEAD)}


ENCODER = VisualEncoder(
    name="hsemotion",
    build=build,
    scales={
        "small": {
            "side": 112,
            "stem": 16,
            "blocks": ["ds_r1_k3_s1_e1_c16", "ir_r2_k3_s2_e3_c24_se0.25", "ir_r2_k5_s2_e3_c40",
                       "ir_r2_k3_s2_e3_c64_se0.25"],
            "width": 128,
        },
        "full": {"side": 224, "published": "tf_efficientnet_b0"},
    },
    published=published,
    source="https://github.com/av-savchenko/hsemotion-onnx, enet_b0_8_best_vgaf.onnx",
    licence="Apache-2.0 (code); trained on AffectNet, which is for non-commercial research",
    origin=Source(
        kind="address",
        name="https://github.com/av-savchenko/hsemotion-onnx/raw/"
        "bd500bd3a685013d18883c349e8940d020cacd98/models/affectnet_emotions/onnx/"
        "enet_b0_8_best_vgaf.onnx",
        file="enet_b0_8_best_vgaf.onnx",
        sha256="00085f9a8ef0bf8fc24a645550185703768951a53aff9f141c8637529eba1840",
        megabytes=16,
        noncommercial=True,
    ),
    instead=INSTEAD,
    converts_onnx=True,
    # depthwise convolutions train at half the speed in bfloat16 on a CPU
    training_precision="32-true",
    replicas=2,
    resolution=224,
    mean=IMAGENET_MEAN,
    deviation=IMAGENET_DEVIATION,
)  # fmt: skip
