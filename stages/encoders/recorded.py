"""A function of one tensor on a GPU, recorded once and played again.

Playing costs the processor one call, where a network's forward pass costs it hundreds: a GPU that
is faster than Python can launch its kernels no longer waits for it.

References
----------
NVIDIA. CUDA C++ Programming Guide: CUDA Graphs.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

WARMING = 3  # runs before the recording, in which libraries choose their kernels


class Recorded:
    """A function recorded for batches of up to so many rows.

    Parameters
    ----------
    function : callable
        Maps (n, ...) to (n, ...), each row by itself, without looking at values on the CPU.
    first : (n, ...) torch.Tensor
        A batch, here or on the device; later ones are no longer than it.
    device : torch.device
        A GPU.

    Raises
    ------
    RuntimeError
        When the function cannot be recorded.
    """

    def __init__(
        self, function: Callable[[Tensor], Tensor], first: Tensor, device: torch.device
    ) -> None:
        self._input = first.to(device, copy=True)
        halved = torch.is_autocast_enabled(device.type)
        # weights that autocast keeps are gone when it ends; the recording would read them then
        with (
            torch.cuda.device(device),
            torch.autocast(device.type, torch.bfloat16, enabled=halved, cache_enabled=False),
        ):
            aside: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            aside.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(aside):
                for _ in range(WARMING):
                    function(self._input)
            torch.cuda.current_stream(device).wait_stream(aside)
            self._graph: Any = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._output = function(self._input)

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the function of a batch: on the GPU, until the next call."""
        self._input[: len(batch)].copy_(batch, non_blocking=True)
        self._graph.replay()
        return self._output[: len(batch)]
