"""Small random checkpoints of the real architectures, in the forms in which they are published."""

import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from stages.encoders.base import Encoder
from stages.encoders.registry import ENCODERS


def small(name: str, seed: int = 1) -> tuple[Encoder, nn.Module]:
    """An encoder with random weights at small scale, its norms' statistics random as well."""
    torch.manual_seed(seed)
    encoder = ENCODERS[name]
    network = encoder.build(encoder.scales["small"]).eval()
    for key, tensor in network.state_dict().items():
        if key.endswith("running_mean"):
            tensor.uniform_(-0.2, 0.2)
        elif key.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
    return encoder, network


def transformers_folder(folder: Path, name: str = "wav2vec", form: str = "safetensors") -> None:
    """A folder as `save_pretrained` of the transformers library writes it, with a head."""
    import transformers

    encoder, network = small(name)
    kind, part = {
        "wav2vec": (transformers.Wav2Vec2ForCTC, "wav2vec2"),
        "hubert": (transformers.HubertForCTC, "hubert"),
    }[name]
    inner = getattr(network, part)
    model = kind(inner.config)
    getattr(model, part).load_state_dict(inner.state_dict())
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == encoder.model_type
    # as published: of wav2vec 2.0 this stands in the config, and the tensor is not in the file
    config["mask_time_prob"] = 0.05
    (folder / "config.json").write_text(json.dumps(config))
    if form == "bin":  # as the library wrote it of old
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")


def arcface_state(path: Path) -> None:
    """A state as insightface's arcface_torch saves it."""
    torch.save(small("ires100")[1].state_dict(), path)


def _tensor(name: str, value: torch.Tensor | np.ndarray) -> onnx.TensorProto:
    array = value.detach().numpy() if isinstance(value, torch.Tensor) else value
    return numpy_helper.from_array(np.ascontiguousarray(array), name)


def onnx_network(
    path: Path, width: int = 256, side: int = 112, batch: int | str = "n"
) -> tuple[np.ndarray, np.ndarray]:
    """A network from a picture to a vector: the mean of 16x16 squares, a PReLU, a linear map.

    Returns the matrix and the slope, to compute it by hand.
    """
    random = np.random.default_rng(0)
    left = side // 16
    matrix = random.normal(0, 1, (3 * left * left, width)).astype(np.float32)
    slope = np.full((3, 1, 1), 0.25, np.float32)
    nodes = [
        helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("PRelu", ["p", "slope"], ["a"]),
        helper.make_node("Flatten", ["a"], ["f"]),
        helper.make_node("MatMul", ["f", "matrix"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "arcface",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, width])],
        [_tensor("matrix", matrix), _tensor("slope", slope)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return matrix, slope


def iresnet_onnx(path: Path, given: nn.Module | None = None) -> nn.Module:
    """An IResNet, else one at small scale, as insightface exports it to ONNX; the network.

    A norm behind a convolution is folded into it: the published file has no room for both.
    """
    network = small("ires100")[1] if given is None else given
    state = network.state_dict()
    nodes, weights = [], []

    def add(operation: str, inputs: list[str], **attributes: object) -> str:
        output = f"t{len(nodes)}"
        nodes.append(helper.make_node(operation, inputs, [output], **attributes))
        return output

    def weight(name: str, value: torch.Tensor) -> str:
        weights.append(_tensor(name, value))
        return name

    def conv(x: str, key: str, module: nn.Conv2d, folded: str = "") -> str:
        pad, stride = module.padding[0], module.stride[0]
        kernel, inputs = state[f"{key}.weight"], []
        if folded:
            scale = state[f"{folded}.weight"] / (state[f"{folded}.running_var"] + 1e-5).sqrt()
            kernel = kernel * scale[:, None, None, None]
            bias = state[f"{folded}.bias"] - state[f"{folded}.running_mean"] * scale
            inputs = [weight(f"{folded}.bias", bias)]
        inputs = [x, weight(f"{key}.weight", kernel), *inputs]
        return add("Conv", inputs, pads=[pad] * 4, strides=[stride] * 2)

    def norm(x: str, key: str) -> str:
        parts = ("weight", "bias", "running_mean", "running_var")
        inputs = [weight(f"{key}.{part}", state[f"{key}.{part}"]) for part in parts]
        return add("BatchNormalization", [x, *inputs], epsilon=1e-5)

    def prelu(x: str, key: str) -> str:
        slope = weight(f"{key}.weight", state[f"{key}.weight"][:, None, None])
        return add("PRelu", [x, slope])

    x = prelu(conv("x", "conv1", network.conv1, "bn1"), "prelu")
    for number in range(1, 5):
        for i, block in enumerate(network.get_submodule(f"layer{number}")):
            key = f"layer{number}.{i}"
            y = conv(norm(x, f"{key}.bn1"), f"{key}.conv1", block.conv1, f"{key}.bn2")
            y = conv(prelu(y, f"{key}.prelu"), f"{key}.conv2", block.conv2, f"{key}.bn3")
            if block.downsample is not None:
                shortcut = f"{key}.downsample"
                x = conv(x, f"{shortcut}.0", block.downsample[0], f"{shortcut}.1")
            x = add("Add", [y, x])
    x = add("Flatten", [norm(x, "bn2")])
    inputs = [weight(f"fc.{part}", state[f"fc.{part}"]) for part in ("weight", "bias")]
    x = norm(add("Gemm", [x, *inputs], transB=1), "features")
    graph = helper.make_graph(
        nodes,
        "iresnet",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 112, 112])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["n", network.width])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return network


class Payload:
    """What a pickle of an attacker looks like: unpickling it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.target,)
