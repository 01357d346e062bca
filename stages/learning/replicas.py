"""One training step on several cores: each half of the batch by a copy of the network.

Two threads inside every small operation of a narrow network wait for one another most of the
time; two copies of it that share their parameters, each at work on its half of the batch, do not.
How many copies there are never depends on the machine, so neither does the result.
"""

import copy
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

Parts = tuple[Tensor, ...]
Loss = Callable[[nn.Module, Parts], Tensor]


class Replicas:
    """Copies of a network that share its parameters, each with a thread of its own.

    Batch norm of each copy sees its own part of a batch, as under torch's
    ``DistributedDataParallel``; the running figures are the mean over the copies.

    Parameters
    ----------
    network : nn.Module
        Becomes the first of the copies; gradients are gathered in its parameters. On the CPU.
    count : int
        Number of copies.
    """

    def __init__(self, network: nn.Module, count: int) -> None:
        self._networks = [network, *(copy.deepcopy(network) for _ in range(count - 1))]
        for other in self._networks[1:]:
            for own, shared in zip(other.parameters(), network.parameters(), strict=True):
                own.data = shared.data
        self._threads = max(torch.get_num_threads() // count, 1)
        self._before = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(count, initializer=self._limit)

    def _limit(self) -> None:
        torch.set_num_threads(self._threads)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
        torch.set_num_threads(self._before)

    def train(self) -> None:
        """Set all copies to training."""
        for network in self._networks:
            network.train()

    def backward(self, loss: Loss, batch: Sequence[Tensor]) -> Tensor:
        """Put the gradient of the mean loss over a batch into the network's parameters.

        Parameters
        ----------
        loss : callable
            ``loss(network, part)``, the mean over a part of the batch; must draw nothing from
            torch's global generator, which the threads would use in no fixed order.
        batch : sequence of torch.Tensor
            Cut along the first dimension.

        Returns
        -------
        () torch.Tensor
            Mean loss, detached.

        Raises
        ------
        RuntimeError
            When `loss` or the network drew from torch's global generator.
        """
        size = len(batch[0])
        used = min(len(self._networks), size)
        bounds = [size * i // used for i in range(used + 1)]
        shares = [(b - a) / size for a, b in itertools.pairwise(bounds)]

        def work(i: int) -> Tensor:
            network = self._networks[i]
            network.zero_grad(set_to_none=True)
            value = loss(network, tuple(part[bounds[i] : bounds[i + 1]] for part in batch))
            (value * shares[i]).backward()  # type: ignore[no-untyped-call]
            return value.detach().float() * shares[i]

        state = torch.get_rng_state()
        values = list(self._pool.map(work, range(used)))
        if not torch.equal(state, torch.get_rng_state()):
            raise RuntimeError("A network that draws random numbers cannot be run in replicas.")
        self._gather(used)
        return torch.stack(values).sum()

    @torch.no_grad()
    def _gather(self, used: int) -> None:
        networks = self._networks[:used]
        for parameters in zip(*(network.parameters() for network in networks), strict=True):
            for other in parameters[1:]:
                if other.grad is not None and parameters[0].grad is not None:
                    parameters[0].grad += other.grad
        for buffers in zip(*(network.buffers() for network in networks), strict=True):
            if buffers[0].is_floating_point():
                mean = torch.stack(buffers).mean(0)
                for buffer in buffers:
                    buffer.copy_(mean)
