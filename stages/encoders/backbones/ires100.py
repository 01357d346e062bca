"""IResNet, the improved ResNet of ArcFace, and `ires100`, the one of 100 layers.

The names and shapes of its tensors are those of insightface's ``iresnet100``, so a published
ArcFace state loads as it is. The small scale has fewer and narrower blocks behind a first
convolution of stride 2.

References
----------
I. C. Duta et al. Improved residual networks for image and video recognition. ICPR 2020.
J. Deng et al. ArcFace: additive angular margin loss for deep face recognition. CVPR 2019.
https://github.com/deepinsight/insightface, recognition/arcface_torch/backbones/iresnet.py
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.encoders.base import Dimensions, VisualEncoder
from stages.encoders.source import Source

SIDE = 112  # pixels
EPSILON = 1e-5


@dataclass(frozen=True)
class IResNetDimensions:
    """Sizes of an IResNet.

    Attributes
    ----------
    depths : sequence of int
        Blocks in each of the four layers.
    channels : sequence of int
        Channels of each layer.
    stride : int
        Stride of the first convolution; 1 in the published networks.
    width : int
        Length of the embedding.
    """

    depths: tuple[int, int, int, int]
    channels: tuple[int, int, int, int]
    stride: int
    width: int


class PReLU(nn.PReLU):
    """A PReLU of the same parameters in steps that processors have vectorised.

    torch's own kernel takes half of this network's time on a CPU, for it goes through the
    channels of a channels-last tensor one number at a time.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (n, channels, height, width)."""
        if x.device.type != "cpu":
            other: Tensor = functional.prelu(x, self.weight)
            return other
        positive = torch.relu(x)
        slope = self.weight.to(x.dtype).view(1, -1, 1, 1)
        result: Tensor = positive + (x - positive) * slope
        return result


class Block(nn.Module):
    """Two convolutions of 3x3 beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs, eps=EPSILON)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, eps=EPSILON)
        self.prelu = PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs, eps=EPSILON)
        self.drop_path: nn.Module = nn.Identity()  # see stages.pretraining.layers
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False),
                nn.BatchNorm2d(outputs, eps=EPSILON),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        shortcut = x if self.downsample is None else self.downsample(x)
        result: Tensor = self.drop_path(self.bn3(self.conv2(y))) + shortcut
        return result


class IResNet(nn.Module):
    """Four layers of blocks, each halving the picture, and a linear embedding of what is left."""

    def __init__(self, dimensions: IResNetDimensions) -> None:
        super().__init__()
        self.width = dimensions.width
        channels = dimensions.channels
        self.conv1 = nn.Conv2d(3, channels[0], 3, stride=dimensions.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0], eps=EPSILON)
        self.prelu = PReLU(channels[0])
        side = -(-SIDE // dimensions.stride)
        inputs = channels[0]
        for number, (depth, outputs) in enumerate(
            zip(dimensions.depths, channels, strict=True), start=1
        ):
            blocks = [
                Block(inputs if i == 0 else outputs, outputs, 1 + (i == 0)) for i in range(depth)
            ]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            inputs, side = outputs, -(-side // 2)
        self.bn2 = nn.BatchNorm2d(inputs, eps=EPSILON)
        self.dropout = nn.Dropout(p=0.0)
        self.fc = nn.Linear(inputs * side * side, dimensions.width)
        self.features = nn.BatchNorm1d(dimensions.width, eps=EPSILON)
        nn.init.ones_(self.features.weight)
        self.features.weight.requires_grad = False  # as published: the embedding has unit variance
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 3, 112, 112) to (n, width)."""
        x = self.prelu(self.bn1(self.conv1(x)))
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        x = self.dropout(torch.flatten(self.bn2(x), 1))
        embedding: Tensor = self.features(self.fc(x))
        return embedding


def build(dimensions: Dimensions) -> IResNet:
    """Build an IResNet of the given :class:`IResNetDimensions`."""
    return IResNet(IResNetDimensions(**dimensions))


ENCODER = VisualEncoder(
    name="ires100",
    build=build,
    scales={
        "small": asdict(IResNetDimensions((1, 1, 2, 1), (16, 32, 64, 128), 2, 256)),
        "full": asdict(IResNetDimensions((3, 13, 30, 3), (64, 128, 256, 512), 1, 512)),
    },
    source="insightface, pack antelopev2 (glintr100) or arcface_torch's Glint360K R100",
    licence="non-commercial research only",
    origin=Source(
        kind="insightface",
        name="antelopev2",
        file="glintr100.onnx",
        sha256="4ab1d6435d639628a6f3e5008dd4f929edf4c4124b1a7169e1048f9fef534cdf",
        megabytes=261,
        noncommercial=True,
    ),
    resolution=SIDE,
    mean=(127.5, 127.5, 127.5),
    deviation=(127.5, 127.5, 127.5),
    replicas=2,
)
