"""Norms that an ONNX export has folded into convolutions, given statistics again before training.

Such a norm only adds a bias, whatever comes in: a mean of 0 and a variance of 1 are not those of
its input. In training it would normalise by those of the batch, and so be another function than
the one that the weights were published as. With the mean and the variance of faces, and a weight
and a bias that take them back, the function stays the same and training begins near it.

References
----------
S. Ioffe, C. Szegedy. Batch normalization: accelerating deep network training by reducing internal
covariate shift. ICML 2015.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from stages.encoders.onnx_conversion import folded_norm


def folded_norms(network: nn.Module) -> list[Any]:
    """List the norms that only add a bias."""
    found = []
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.bias is not None
            state = folded_norm(module, module.bias)
            if all(torch.equal(getattr(module, key), tensor) for key, tensor in state.items()):
                found.append(module)
    return found


def unfold(network: nn.Module, batches: Iterable[Tensor]) -> int:
    """Give folded norms the mean and variance of what they see of some pictures.

    Parameters
    ----------
    network : nn.Module
        In eval mode. What it computes does not change, but for rounding.
    batches : iterable of (n, 3, side, side) torch.Tensor
        As the network takes them.

    Returns
    -------
    int
        How many norms there were; without any nothing is computed.
    """
    norms = folded_norms(network)
    if not norms:
        return 0
    seen: list[list[Any]] = [
        [0.0, *(torch.zeros(norm.num_features).double() for _ in range(2))] for norm in norms
    ]

    def watch(sums: list[Any]) -> Callable[..., None]:
        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            columns = inputs[0].transpose(0, 1).flatten(1).double()
            sums[0] += columns.shape[1]
            sums[1] += columns.sum(1)
            sums[2] += columns.square().sum(1)

        return note

    handles = [
        norm.register_forward_pre_hook(watch(sums)) for norm, sums in zip(norms, seen, strict=True)
    ]
    with torch.inference_mode():
        for images in batches:
            network(images)
    for handle in handles:
        handle.remove()
    with torch.no_grad():
        for norm, (count, total, squares) in zip(norms, seen, strict=True):
            mean = total / count
            variance = (squares / count - mean.square()).clamp(min=0)
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.add_(mean.to(norm.bias.dtype))
    return len(norms)
