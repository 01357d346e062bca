"""`densenet`: torchvision's DenseNet-121 on face crops.

The small scale has three short blocks of wide layers, which a processor computes faster than many
narrow ones, and ends by a depthwise convolution over what is left of the picture in place of its
mean, for the reason given in :mod:`stages.encoders.backbones.mobilenet`.

References
----------
G. Huang et al. Densely connected convolutional networks. CVPR 2017.
"""

import re
from typing import Any

from torch import nn

from stages.encoders.base import IMAGENET_DEVIATION, IMAGENET_MEAN, Dimensions, State, VisualEncoder
from stages.encoders.source import Source

HEAD = "classifier."  # of the published state: the 1000 classes of ImageNet
OLD_NAME = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..+)")


def build(dimensions: Dimensions) -> nn.Module:
    """Build a DenseNet without its classifier.

    Parameters
    ----------
    dimensions : mapping
        ``side``, ``growth``, ``blocks`` (layers in each), ``channels`` (of the first convolution)
        and ``bottleneck``, as in the paper; ``pool``: ``mean`` or ``depthwise``.
    """
    from torchvision.models import DenseNet

    network: Any = DenseNet(
        growth_rate=dimensions["growth"],
        block_config=tuple(dimensions["blocks"]),
        num_init_features=dimensions["channels"],
        bn_size=dimensions["bottleneck"],
    )
    width = network.classifier.in_features
    if dimensions["pool"] == "depthwise":
        left = -(-dimensions["side"] // 4)  # pixels, after the first convolution and its pooling
        for _ in dimensions["blocks"][1:]:
            left //= 2
        pool = nn.Conv2d(width, width, left, groups=width, bias=False)
        nn.init.kaiming_normal_(pool.weight)
        network.features.add_module("relu5", nn.ReLU(inplace=True))
        network.features.add_module("pool5", pool)
        network.features.add_module("norm6", nn.BatchNorm2d(width))
    network.classifier = nn.Identity()
    network.width, network.side = width, dimensions["side"]
    assert isinstance(network, nn.Module)
    return network


def published(state: State) -> State:
    """Drop the head of torchvision's ImageNet weights, and give their layers the present names."""
    return {
        OLD_NAME.sub(r"\1\2", name): tensor
        for name, tensor in state.items()
        if not name.startswith(HEAD)
    }


ENCODER = VisualEncoder(
    name="densenet",
    build=build,
    scales={
        "small": {
            "side": 112,
            "growth": 32,
            "blocks": [2, 3, 4],
            "channels": 32,
            "bottleneck": 1,
            "pool": "depthwise",
        },
        "full": {
            "side": 224,
            "growth": 32,
            "blocks": [6, 12, 24, 16],
            "channels": 64,
            "bottleneck": 4,
            "pool": "mean",
        },
    },
    published=published,
    source="torchvision, DenseNet121_Weights.IMAGENET1K_V1",
    licence="BSD-3-Clause",
    origin=Source(
        kind="address",
        name="https://download.pytorch.org/models/densenet121-a639ec97.pth",
        file="densenet121-a639ec97.pth",
        sha256="a639ec97d7c33b07ae66f0b5fb7d0192f95a3b11b7576c66c0126c2a727c4395",
        megabytes=32,
    ),
    replicas=2,
    resolution=224,
    mean=IMAGENET_MEAN,
    deviation=IMAGENET_DEVIATION,
)
