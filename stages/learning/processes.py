"""What the processes of one training share: the rows of a batch, its loss, and batch norm.

``torchrun`` starts them. Each computes some rows of every batch; what the loss and batch norm see
is the whole batch, so that the result is that of one process but for the rounding of sums.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Share:
    """Which rows of every batch a process computes.

    Attributes
    ----------
    rank, processes : int
        Which of so many processes it is.
    """

    rank: int = 0
    processes: int = 1

    def rows(self, count: int) -> range:
        """Which of so many rows are its own; none where it has more before it than there are."""
        return range(self.rank, count, self.processes)

    def of(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Cut its rows out of a batch, the last tensor of which are the targets.

        A process for which nothing is left gets the first row without its target: all of them have
        to take the step.
        """
        if self.processes == 1:
            return batch
        *inputs, targets = batch
        if self.rank < len(targets):
            return tuple(part[self.rank :: self.processes] for part in batch)
        return (*(part[:1] for part in inputs), targets[:0])


def over_processes(fabric: "Fabric", value: Tensor, how: Literal["sum", "mean"]) -> Tensor:
    """Sum or mean of a tensor over the processes that ``torchrun`` started; itself for one."""
    if fabric.world_size == 1:
        return value
    reduced = fabric.all_reduce(value, reduce_op=how)
    assert isinstance(reduced, torch.Tensor)
    return reduced


def counts_of_all(fabric: "Fabric", count: int) -> list[int]:
    """Bring a number of every process to all of them, in the order of the processes."""
    if fabric.world_size == 1:
        return [count]
    gathered = fabric.all_gather(torch.tensor(count, device=fabric.device))
    assert isinstance(gathered, torch.Tensor)
    return [int(one) for one in gathered.flatten().tolist()]


def rows_of_all(fabric: "Fabric", rows: Tensor) -> list[Tensor]:
    """Bring a tensor of every process to all of them, in the order of the processes.

    Parameters
    ----------
    fabric : Fabric
    rows : (n, ...) torch.Tensor
        n may differ, also be 0; the gradient does not come along.

    Returns
    -------
    list of (n, ...) torch.Tensor
    """
    rows = rows.detach().to(fabric.device)
    counts = counts_of_all(fabric, len(rows))
    if len(counts) == 1:
        return [rows]
    padded = rows.new_zeros((max(counts), *rows.shape[1:]))
    padded[: len(rows)] = rows
    gathered = fabric.all_gather(padded)
    assert isinstance(gathered, torch.Tensor)
    return [part[:count] for part, count in zip(gathered, counts, strict=True)]


def loss_of_all(
    fabric: "Fabric", loss: Callable[[Tensor, Tensor], Tensor], outputs: Tensor, targets: Tensor
) -> Tensor:
    """Loss of a whole batch of which each process has computed some rows.

    Parameters
    ----------
    fabric : Fabric
    loss : callable
        ``loss(outputs, targets)``; it need not be a mean over rows.
    outputs, targets : (n, ...) torch.Tensor
        Of this process's rows; outputs beyond the targets do not count.

    Returns
    -------
    () torch.Tensor
        The same value in all processes. The mean of their gradients, which they descend along, is
        that of the whole batch.
    """
    count = fabric.world_size
    if count == 1:
        return loss(outputs, targets)
    outputs = outputs[: len(targets)]
    parts = rows_of_all(fabric, outputs)
    parts[fabric.global_rank] = outputs
    value = loss(torch.cat(parts), torch.cat(rows_of_all(fabric, targets)))
    # each process knows the gradient by its own rows alone, one term of the sum
    return value + (count - 1) * (value - value.detach())


class _OnProcessors(nn.BatchNorm2d):
    """Batch norm over all processes, which torch has for GPUs alone, for processors."""

    def forward(self, x: Tensor) -> Tensor:
        result = self._of_all(x) if self.training else self._of_before(x)
        for part in ("drop", "act"):  # what timm's batch norm has behind it
            if hasattr(self, part):
                result = getattr(self, part)(result)
        return result

    def _of_before(self, x: Tensor) -> Tensor:
        return functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )

    def _of_all(self, x: Tensor) -> Tensor:
        from torch.distributed.nn import all_reduce

        values = x if x.dtype == torch.float64 else x.float()
        others = [d for d in range(x.dim()) if d != 1]
        shape = [-1 if d == 1 else 1 for d in range(x.dim())]
        own = values.new_tensor([x.numel() // x.shape[1]])
        sums: Tensor = all_reduce(torch.cat([values.sum(others), own]))  # type: ignore[no-untyped-call]
        count = sums[-1]
        mean = sums[:-1] / count
        centred = values - mean.view(shape)
        squares: Tensor = all_reduce(centred.square().sum(others))  # type: ignore[no-untyped-call]
        variance = squares / count
        self._remember(mean.detach(), (variance * count / (count - 1).clamp(min=1)).detach())
        result = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            result = result * self.weight.view(shape) + self.bias.view(shape)
        return result.to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


def share_batch_norm(network: nn.Module, fabric: "Fabric") -> None:
    """Let the batch norm within a network see the rows of all processes; nothing for one process.

    On GPUs it is torch's ``SyncBatchNorm``, and timm's where an activation is part of it. The
    names of the tensors stay the same.
    """
    if fabric.world_size == 1:
        return
    if fabric.device.type != "cpu":
        from timm.layers import convert_sync_batchnorm  # torch's drops the activation of timm's

        convert_sync_batchnorm(network)
        return
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.__class__ = _OnProcessors
