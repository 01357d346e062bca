"""One step of training: the gradient of one batch, or of several together, and the rates."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import torch
from torch import Tensor, nn

from stages.learning.replicas import Replicas

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Item = TypeVar("Item")
FACTOR: Final = "factor"  # key of a group of the optimizer: of its rate


def in_groups(batches: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield so many batches at a time; the last group may have fewer."""
    waiting = iter(batches)
    while group := list(islice(waiting, size)):
        yield group


def parameter_groups(network: nn.Module, rates: Mapping[str, float]) -> Any:
    """Sort a network's parameters for an optimizer, by the factor of their rate.

    Parameters
    ----------
    network : nn.Module
    rates : mapping of str to float
        Factor of the rate of each parameter, by its name; empty where all have the same.

    Returns
    -------
    iterable
        As torch's optimizers take it.
    """
    if not rates:
        return network.parameters()
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault(rates[name], []).append(parameter)
    return [{"params": members, FACTOR: factor} for factor, members in groups.items()]


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of all groups, each times its factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(FACTOR, 1.0)


def make_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[nn.Module, Any], Tensor],
    fabric: "Fabric",
    replicas: Replicas | None,
) -> Callable[[Sequence[Any]], Tensor]:
    """Make the function that takes one step.

    Parameters
    ----------
    model : nn.Module
        As the fabric has set it up.
    optimizer : torch.optim.Optimizer
    loss : callable
        ``loss(network, batch)``, a scalar.
    fabric : Fabric
    replicas : Replicas, optional
        That compute the gradient in place of the model.

    Returns
    -------
    callable
        ``step(batches)`` descends along the mean of the batches' gradients and returns their mean
        loss, which may not be there yet.
    """

    def under_precision(network: nn.Module, batch: Any) -> Tensor:
        with fabric.autocast():
            return loss(network, batch)

    def shared(batches: Sequence[Any], over: Replicas) -> list[Tensor]:
        """Let the replicas add up what each batch alone gives: they start from nothing each."""
        parameters = [p for p in model.parameters() if p.requires_grad]
        values, sums = [], [torch.zeros_like(p) for p in parameters]
        for batch in batches:
            values.append(over.backward(under_precision, batch))
            for total, parameter in zip(sums, parameters, strict=True):
                if parameter.grad is not None:
                    total += parameter.grad / len(batches)
        for total, parameter in zip(sums, parameters, strict=True):
            if parameter.grad is not None:
                parameter.grad = total
        return values

    def plain(batches: Sequence[Any]) -> list[Tensor]:
        values, last = [], len(batches) - 1
        for number, batch in enumerate(batches):
            with ExitStack() as stack:
                if fabric.world_size > 1 and number < last:  # they wait for one another once a step
                    stack.enter_context(fabric.no_backward_sync(model))  # type: ignore[arg-type]
                value = under_precision(model, batch)
                if number == 0:
                    optimizer.zero_grad(set_to_none=True)
                fabric.backward(value if last == 0 else value / len(batches))
            values.append(value.detach())
        return values

    def step(batches: Sequence[Any]) -> Tensor:
        if replicas is None:
            values = plain(batches)
        elif len(batches) == 1:
            values = [replicas.backward(under_precision, batches[0])]
        else:
            values = shared(batches, replicas)
        optimizer.step()
        found = [value.detach().float() for value in values]
        return found[0] if len(found) == 1 else torch.stack(found).mean()

    return step
