"""Compares the step of several processes with that of one: ``in_processes.py FACES FIGURES``.

Each process also takes the step alone, on the whole batch. In float64, so that only what is another
step shows: in float32 some sums of a batch of this size differ by half a per cent.
"""

import copy
import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from stages.check_settings import load_params
from stages.core.devices import make_fabric
from stages.core.torchrun import process_count, process_rank
from stages.encoders.registry import visual_encoder
from stages.learning.processes import Share, loss_of_all, share_batch_norm
from stages.pretraining import faces
from stages.pretraining.tasks import make_joint_task
from stages.pretraining.training import WithHead

# mobilenet's batch norm is torch's, vit's has an activation in it; concordance is no mean over rows
TASKS = {"mobilenet": ("va", "au"), "vit": ("au",)}


def compared(data: Path, name: str, tasks: tuple[str, ...]) -> dict[str, float]:
    """Loss, largest difference of a gradient beside all of them, and of a running figure."""
    share = Share(process_rank(), process_count())
    fabric = make_fabric(load_params().compute, "64-true", all_used=False)
    encoder = visual_encoder(name)
    side = int(encoder.scales["small"].get("side", encoder.resolution))
    seen, _ = faces.load_faces(data, tasks, 0.25, 0)
    task = make_joint_task(tasks, seen.targets)

    def step(model: nn.Module, own: Share) -> Tensor:
        images, targets = next(faces.training_batches(seen, encoder, side, 13, 0, 0, share=own))
        outputs = model(images.double())
        return (
            task.loss(outputs, targets)
            if own == Share()
            else loss_of_all(fabric, task.loss, outputs, targets)
        )

    torch.manual_seed(0)
    network = WithHead(encoder.build(encoder.scales["small"]), replace(task)).double()
    alone = copy.deepcopy(network).train()
    expected = step(alone, Share())
    expected.backward()
    share_batch_norm(network, fabric)
    model, _ = fabric.setup(network, torch.optim.SGD(network.parameters(), lr=0.0))
    model.train()
    loss = step(model, share)
    fabric.backward(loss)
    pairs = [
        (one.grad, other.grad)
        for one, other in zip(alone.parameters(), network.parameters(), strict=True)
        if one.grad is not None and other.grad is not None
    ]
    size = torch.stack([one.norm() for one, _ in pairs]).norm()
    figures = zip(alone.buffers(), network.buffers(), strict=True)
    return {
        "parts": len(pairs) / sum(one.grad is not None for one in alone.parameters()),
        "loss": float(loss) - float(expected),
        "gradient": max(float((one - other).norm() / size) for one, other in pairs),
        "figures": max(float((one - other).abs().max()) for one, other in figures),
    }


if __name__ == "__main__":
    found = {name: compared(Path(sys.argv[1]), name, tasks) for name, tasks in TASKS.items()}
    if process_rank() == 0:
        Path(sys.argv[2]).write_text(json.dumps(found))
