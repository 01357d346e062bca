"""From an ONNX file to the tensors of the same network in torch, so that it can be trained.

The names in such a file are numbers. Its nodes stand in the order in which they are computed, so
each takes its place by that order, its kind and the shape of its tensors; that the two networks
are the same is then looked at by computing with both. An export folds a norm behind a convolution
into it: in torch this norm only adds its bias, see :mod:`stages.pretraining.folded_norms`.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.core.errors import DataError
from stages.encoders.base import Dimensions, State

KIND_OF: Final = {
    nn.Conv2d: "Conv",
    nn.BatchNorm2d: "BatchNormalization",
    nn.BatchNorm1d: "BatchNormalization",
    nn.PReLU: "PRelu",
    nn.Linear: "Gemm",
}
KINDS, LAYERS = frozenset(KIND_OF.values()), tuple(KIND_OF)  # with learnt tensors
TOLERANCE: Final = 1e-3  # of the difference, in standard deviations of the output


@dataclass(frozen=True)
class Node:
    """A node with learnt tensors: those behind its first input, and its attributes."""

    kind: str
    tensors: list[NDArray[np.float32]]
    attributes: Mapping[str, Any]


class Misfit(ValueError):
    """What keeps a file from being a network, as a part of a sentence."""


def read_nodes(model: bytes) -> list[Node]:
    """List the nodes of an ONNX file that have learnt tensors, in their order.

    Raises
    ------
    Misfit
        When the file is no ONNX network, or a learnt tensor is not in it.
    """
    import onnx
    from onnx import numpy_helper

    try:
        graph = onnx.load_model_from_string(model).graph
    except Exception:  # protobuf's own, which onnx does not name
        raise Misfit("it is no ONNX network, or damaged") from None
    known = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    found = []
    for node in graph.node:
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type == "Identity" and node.input[0] in known:  # of tensors that are equal
            known[node.output[0]] = known[node.input[0]]
        elif node.op_type == "Constant" and "value" in attributes:
            known[node.output[0]] = numpy_helper.to_array(attributes["value"])
        elif node.op_type in KINDS:
            missing = [name for name in node.input[1:] if name and name not in known]
            if missing:
                raise Misfit(f"its tensor {missing[0]} is computed, not learnt")
            tensors = [np.asarray(known[name], np.float32) for name in node.input[1:] if name]
            found.append(Node(node.op_type, tensors, attributes))
    return found


def _in_order(network: nn.Module, example: Tensor) -> list[tuple[str, nn.Module]]:
    """List the layers with learnt tensors as they are computed."""
    order: list[tuple[str, nn.Module]] = []

    def note(name: str) -> Callable[..., None]:
        return lambda module, *_: order.append((name, module))

    handles = [
        module.register_forward_hook(note(name))  # type: ignore[attr-defined]
        for name, module in network.named_modules()
        if isinstance(module, LAYERS)
    ]
    with torch.inference_mode():
        network(example)
    for handle in handles:
        handle.remove()
    return order


def folded_norm(module: Any, bias: Tensor) -> State:
    """State of a norm that only adds a bias, as long as it is not trained."""
    ones = torch.ones_like(module.running_var)
    return {
        "weight": ones,
        "bias": bias,
        "running_mean": torch.zeros_like(ones),
        "running_var": ones - module.eps,
    }


def _matrix(node: Node) -> NDArray[np.float32]:
    """Return the weight of a linear layer, (outputs, inputs)."""
    weight = node.tensors[0]
    return weight if node.attributes.get("transB", 0) else weight.T


def _first_tensor(node: Node) -> NDArray[np.float32]:
    """Return a node's first learnt tensor, of the shape that it has in torch."""
    if node.kind == "Gemm":
        return _matrix(node)
    return node.tensors[0].reshape(-1) if node.kind == "PRelu" else node.tensors[0]


class Places:
    """Nodes by kind and shape, each handed out once: in the order of the file."""

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes
        self._left: dict[tuple[str, tuple[int, ...]], deque[int]] = {}
        for number, node in enumerate(nodes):
            self._left.setdefault((node.kind, _first_tensor(node).shape), deque()).append(number)

    def take(self, name: str, kind: str, shape: tuple[int, ...]) -> list[Tensor]:
        """Take the tensors of the next node of a kind and shape."""
        waiting = self._left.get((kind, shape))
        if not waiting:
            raise Misfit(f"it has no {kind} of {shape} for {name}")
        node = self._nodes[waiting.popleft()]
        tensors = [_first_tensor(node), *node.tensors[1:]]
        found = [torch.from_numpy(np.array(tensor)) for tensor in tensors]
        if kind == "BatchNormalization":
            if len(found) != 4:
                raise Misfit(f"its norm for {name} has {len(found)} tensors, expected 4")
            found.append(torch.tensor(node.attributes.get("epsilon", 1e-5)))
        return found

    @property
    def left(self) -> list[Node]:
        """Those that were not handed out."""
        return [self._nodes[k] for k in sorted(k for ks in self._left.values() for k in ks)]


def fill(network: nn.Module, nodes: list[Node], example: Tensor) -> list[Node]:
    """Fill a network, in eval mode, with the tensors of nodes; return the nodes that are left.

    Layers of one kind and shape are computed in the same order here and in the file; branches
    beside each other need not be.

    Parameters
    ----------
    network : nn.Module
    nodes : list of Node
    example : (n, 3, side, side) torch.Tensor
        What the network takes.

    Raises
    ------
    Misfit
        When they are of another network.
    """
    places, state = Places(nodes), dict[str, Tensor]()
    folded: Tensor | None = None
    for name, module in _in_order(network, example):
        found: State
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            if folded is not None:
                found, folded = folded_norm(module, folded), None
            else:
                weight, bias, mean, variance, epsilon = places.take(
                    name, "BatchNormalization", (module.num_features,)
                )
                found = {"weight": weight, "bias": bias, "running_mean": mean,
                         "running_var": variance + (epsilon - module.eps)}  # fmt: skip
        else:
            assert isinstance(module, nn.Conv2d | nn.PReLU | nn.Linear)
            kind = next(kind for base, kind in KIND_OF.items() if isinstance(module, base))
            weight, *more = places.take(name, kind, tuple(module.weight.shape))
            found = {"weight": weight}
            own_bias: Tensor | None = getattr(module, "bias", None)
            if own_bias is not None:
                found["bias"] = more[0] if more else torch.zeros_like(own_bias)
            elif more:
                folded = more[0]
        state |= {f"{name}.{key}": tensor for key, tensor in found.items()}
    counters = {n: t for n, t in network.state_dict().items() if n.endswith("num_batches_tracked")}
    network.load_state_dict({**counters, **state})
    return places.left


def converted(
    build: Callable[[Dimensions], nn.Module],
    scales: Mapping[str, Dimensions],
    side: Callable[[nn.Module], int],
    model: bytes,
) -> tuple[nn.Module, str]:
    """Build the network of an ONNX file, at the scale that fits, with its tensors.

    A classifier at its end is left out.

    Parameters
    ----------
    build : callable
        See :class:`stages.encoders.base.Encoder`.
    scales : mapping of str to Dimensions
        Those that are tried, in their order.
    side : callable
        ``side(network)`` is that of the pictures that it takes, in pixels.
    model : bytes

    Returns
    -------
    nn.Module
        In eval mode.
    str
        The scale.

    Raises
    ------
    DataError
        When the file is of no such network: the message says why.
    """
    reasons = []
    for scale, dimensions in scales.items():
        network = build(dimensions).eval()
        pixels = side(network)
        example = torch.randn(2, 3, pixels, pixels, generator=torch.Generator().manual_seed(0))
        try:
            left = fill(network, read_nodes(model), example)
            _compare(network, left, example, model)
        except Misfit as reason:
            reasons.append(f"at scale {scale}: {reason}")
        else:
            return network, scale
    raise DataError("; ".join(reasons))


def _compare(network: nn.Module, left: list[Node], example: Tensor, model: bytes) -> None:
    """Compute with both."""
    from stages.core.onnx import open_session

    if len(left) > 1 or any(node.kind != "Gemm" for node in left):
        raise Misfit(f"it goes on with {len(left)} more layers")
    session = open_session(model, "cpu")
    (place, *_), pictures = session.get_inputs(), example.numpy()
    step = place.shape[0] if isinstance(place.shape[0], int) else len(pictures)
    try:
        parts = [session.run(None, {place.name: pictures[k : k + step]})[0]
                 for k in range(0, len(pictures), step)]  # fmt: skip
    except Exception as error:  # onnxruntime's own, of many kinds
        raise Misfit(f"onnxruntime cannot compute it ({str(error).splitlines()[0]})") from None
    with torch.inference_mode():
        ours = network(example).numpy()
    for node in left:
        ours = ours @ _matrix(node).T + (node.tensors[1] if len(node.tensors) > 1 else 0)
    theirs = np.concatenate(parts)
    if ours.shape != theirs.shape:
        raise Misfit(f"it gives {theirs.shape[1:]} numbers a picture, not {ours.shape[1:]}")
    difference = float(np.abs(ours - theirs).max() / max(float(theirs.std()), 1e-6))
    if not difference < TOLERANCE:
        raise Misfit(f"it computes something else (by {difference:.2g} standard deviations)")
