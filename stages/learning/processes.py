"""What the processes of one training have in common."""

from typing import Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor


def over_processes(fabric: Fabric, value: Tensor, how: Literal["sum", "mean"]) -> Tensor:
    """Sum or mean of a tensor over the processes that ``torchrun`` started; itself for one."""
    if fabric.world_size == 1:
        return value
    reduced = fabric.all_reduce(value, reduce_op=how)
    assert isinstance(reduced, torch.Tensor)
    return reduced
