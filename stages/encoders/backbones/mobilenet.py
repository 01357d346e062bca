"""`mobilenet`: torchvision's MobileNetV3 on face crops.

Full scale is the published MobileNetV3-Large. The small scale has fewer, narrower blocks, without
squeeze and excitation, of which the first keeps its size (folds of the skin are fine lines), and
ends as MobileFaceNet does: by a depthwise convolution over what is left of the picture, in place
of its mean. A mean forgets where in the face something is; trained on a few thousand
aligned faces only, the network learns much faster when it need not.

References
----------
A. Howard et al. Searching for MobileNetV3. ICCV 2019.
S. Chen et al. MobileFaceNets: efficient CNNs for accurate real-time face verification on mobile
devices. CCBR 2018.
"""

from functools import partial
from typing import Any

from torch import nn

from stages.encoders.base import IMAGENET_DEVIATION, IMAGENET_MEAN, Dimensions, State, VisualEncoder
from stages.encoders.source import Source

SIDE = 112  # pixels
HEAD = "classifier.3."  # of the published state: the 1000 classes of ImageNet


def build(dimensions: Dimensions) -> nn.Module:
    """Build a MobileNetV3 up to the activation before its head.

    Parameters
    ----------
    dimensions : mapping
        ``published``: ``large`` or ``small``, torchvision's networks. Or ``blocks``, a list of
        (input channels, kernel, expanded channels, output channels, stride), and ``width``.
    """
    from torchvision.models import mobilenetv3

    # torchvision's momentum of 0.01 is for ImageNet's many thousand steps an epoch
    norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.1)
    network: Any
    if "published" in dimensions:
        network = getattr(mobilenetv3, f"mobilenet_v3_{dimensions['published']}")(norm_layer=norm)
    else:
        blocks = [
            mobilenetv3.InvertedResidualConfig(
                inputs, kernel, expanded, outputs, False, "RE", stride, 1, 1.0
            )
            for inputs, kernel, expanded, outputs, stride in dimensions["blocks"]
        ]
        network = mobilenetv3.MobileNetV3(blocks, dimensions["width"], norm_layer=norm)
        channels = network.classifier[0].in_features
        left = -(-SIDE // 2)  # pixels, after the first convolution
        for *_, stride in dimensions["blocks"]:
            left = -(-left // stride)
        network.avgpool = nn.Sequential(
            nn.Conv2d(channels, channels, left, groups=channels, bias=False), norm(channels)
        )
        for module in network.modules():
            if isinstance(module, nn.Conv2d):  # torchvision's "fan out" is no scale for depthwise
                nn.init.kaiming_normal_(module.weight, mode="fan_in")
        network.classifier[0].reset_parameters()  # its 0.01 would let hardly any gradient through
    network.width = network.classifier[0].out_features
    network.classifier = network.classifier[:2]  # without dropout and head
    assert isinstance(network, nn.Module)
    return network


def published(state: State) -> State:
    """Drop the head of torchvision's ImageNet weights."""
    return {name: tensor for name, tensor in state.items() if not name.startswith(HEAD)}


ENCODER = VisualEncoder(
    name="mobilenet",
    build=build,
    scales={
        "small": {
            "blocks": [
                [16, 3, 16, 16, 1],
                [16, 3, 48, 24, 2],
                [24, 3, 72, 24, 1],
                [24, 5, 96, 40, 2],
                [40, 5, 120, 40, 1],
                [40, 3, 160, 64, 2],
                [64, 3, 192, 64, 1],
            ],
            "width": 128,
        },
        "full": {"published": "large"},
    },
    published=published,
    source="torchvision, MobileNet_V3_Large_Weights.IMAGENET1K_V2",
    licence="BSD-3-Clause",
    origin=Source(
        kind="address",
        name="https://download.pytorch.org/models/mobilenet_v3_large-5c1a4163.pth",
        file="mobilenet_v3_large-5c1a4163.pth",
        sha256="5c1a416349c4cf298f2a6a5e2600ed0ee55e604713578f5e74e6bc8bcaef7997",
        megabytes=22,
    ),
    resolution=SIDE,
    mean=(127.5, 127.5, 127.5),
    deviation=(127.5, 127.5, 127.5),
    published_mean=IMAGENET_MEAN,
    published_deviation=IMAGENET_DEVIATION,
    # depthwise convolutions train at half the speed in bfloat16 on a CPU
    training_precision="32-true",
    replicas=2,
)
