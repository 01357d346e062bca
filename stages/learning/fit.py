"""One epoch loop for all that is trained: best epoch kept, early stop, and no epoch done twice.

After every epoch the whole state is written beside the unfinished work, so a killed run goes on
from there. All randomness of an epoch comes from (seed, epoch): the resumed run ends in the same
bytes as an undisturbed one.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from stages.core.console import say
from stages.core.files import replacing
from stages.learning.processes import over_processes
from stages.learning.replicas import Replicas
from stages.learning.steps import in_groups, make_step, parameter_groups, set_rate

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Batch = TypeVar("Batch")
State = dict[str, Tensor]


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train.

    Attributes
    ----------
    epochs : int
        Epochs at most.
    learning_rate : float
        Rate at an epoch whose `schedule` is 1.
    weight_decay : float
        L2 penalty of Adam, or decoupled where `decoupled`.
    schedule : callable
        ``schedule(epoch)`` multiplies the rate; a function of the epoch (from 0) alone, so that
        it has no state to resume.
    patience : int
        Epochs without a better score before training stops.
    watched : tuple of str
        Validation figures of which a better one also keeps training going; the best epoch is that
        of the monitored figure alone.
    decoupled : bool
        AdamW instead of Adam.
    average : float
        Share that the running mean of the weights keeps at each step, less in the first ones; the
        mean is validated and kept instead of the weights themselves. 0 for none.
    accumulate : int
        Batches whose gradients one step takes the mean of.
    rates : mapping of str to float
        Factor of the rate of each of the network's parameters, by name; empty for all the same.
    """

    epochs: int
    learning_rate: float
    weight_decay: float
    schedule: Callable[[int], float]
    patience: int
    decoupled: bool = False
    average: float = 0.0
    watched: tuple[str, ...] = ()
    accumulate: int = 1
    rates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitted:
    """What training gave.

    Attributes
    ----------
    state : dict of str to torch.Tensor
        The network's state after its best epoch, on the CPU.
    best_epoch : int
        From 1.
    history : list of dict of str to float
        For each epoch ``epoch``, ``learning_rate``, ``loss`` and the validation figures.
    """

    state: State
    best_epoch: int
    history: list[dict[str, float]]


def epoch_seed(seed: int, epoch: int, purpose: str = "") -> int:
    """Seed for one purpose in one epoch, unrelated to that of the next."""
    digest = hashlib.sha256(f"{seed}/{epoch}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:7], "big")


def step_schedule(step_epochs: int, factor: float) -> Callable[[int], float]:
    """Return the schedule of torch's ``StepLR``: the rate times `factor` every `step_epochs`."""
    return lambda epoch: factor ** (epoch // step_epochs)


def _last_better(history: list[dict[str, float]], names: tuple[str, ...]) -> int:
    """Epoch (from 1) in which one of some figures was last better than ever before."""
    last = 0
    for name in names:
        values = [row[name] for row in history]
        last = max(last, values.index(max(values)) + 1)
    return last


def _cpu_copy(state: State) -> State:
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}


def _running_mean(network: nn.Module, keep: float) -> AveragedModel:
    """Make the running mean of a network's weights and of what its layers have counted."""

    def mean(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
        if not old.is_floating_point():
            return new
        return old.lerp(new, 1 - min(keep, (1 + float(count)) / (10 + float(count))))

    return AveragedModel(network, avg_fn=mean, use_buffers=True)


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Keep how far a training has come, whole or not at all."""
    with replacing(path) as temporary:
        torch.save(state, temporary)


def fit(
    network: nn.Module,
    *,
    batches: Callable[[int], Iterable[Batch]],
    loss: Callable[[nn.Module, Batch], Tensor],
    validate: Callable[[nn.Module], dict[str, float]] | None,
    monitor: str | None,
    recipe: Recipe,
    seed: int,
    folder: Path,
    fabric: "Fabric",
    description: str,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
    replicas: int = 1,
    progress: bool = True,
) -> Fitted:
    """Train a network and keep its best epoch.

    Parameters
    ----------
    network : nn.Module
        Trained in place; on return it holds the last epoch, not the best, and no mean.
    batches : callable
        ``batches(epoch)`` gives the training batches of an epoch (from 0). Its randomness must
        come from :func:`epoch_seed` or from torch's global generator, which is seeded before.
    loss : callable
        ``loss(network, batch)`` gives a scalar, computed under the fabric's precision. Of several
        processes it is each one's own, such that their mean is the loss of the whole batch.
    validate : callable
        ``validate(network)`` gives figures on validation data; the network is in eval mode. None
        where there is none.
    monitor : str
        Which of the figures picks the best epoch; higher is better. None to keep the last epoch.
    recipe : Recipe
    seed : int
    folder : Path
        Where the state after each epoch is kept (a ``partial_folder``).
    fabric : Fabric
        Device and precision.
    description : str
        What the progress bar says.
    on_epoch : callable, optional
        Called with each epoch's row of the history, also with those of an earlier, killed run.
    replicas : int
        Parts of a batch that are worked on at once; see :class:`stages.learning.replicas.Replicas`.
        More than 1 needs batches that are tuples of tensors, and does nothing on a GPU.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Fitted
    """
    kind = torch.optim.AdamW if recipe.decoupled else torch.optim.Adam
    raw_optimizer = kind(
        parameter_groups(network, recipe.rates),
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
    )
    model, optimizer = fabric.setup(network, raw_optimizer)
    averaged = _running_mean(network, recipe.average) if recipe.average else None
    kept = network if averaged is None else averaged.module
    history: list[dict[str, float]] = []
    best: State = {}
    best_epoch = 0
    resume = folder / "state.pt"
    if resume.exists():
        # our own file of tensors and numbers; weights_only refuses anything else
        state = torch.load(resume, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        if averaged is not None:
            averaged.load_state_dict(state["averaged"])
        history, best, best_epoch = state["history"], state["best"], state["best_epoch"]
        for row in history:
            if on_epoch is not None:
                on_epoch(row)

    shared = Replicas(network, replicas) if replicas > 1 and fabric.device.type == "cpu" else None
    step = make_step(model, optimizer, loss, fabric, shared)

    def finished() -> bool:
        done = len(history)
        if not done or done >= recipe.epochs:
            return done > 0
        if monitor is None:
            return False
        last = _last_better(history, (monitor, *recipe.watched))
        return done - last >= recipe.patience

    bar = tqdm(
        total=recipe.epochs,
        initial=len(history),
        desc=description,
        unit="epoch",
        ncols=100,
        disable=not progress,
    )
    while not finished():
        epoch = len(history)
        torch.manual_seed(epoch_seed(seed, epoch))
        rate = recipe.learning_rate * recipe.schedule(epoch)
        set_rate(optimizer, rate)
        model.train()
        if shared is not None:
            shared.train()
        total, count = torch.zeros((), device=fabric.device), 0  # looked at after the epoch
        for group in in_groups(batches(epoch), recipe.accumulate):
            total += step(group)
            count += 1
            if averaged is not None:
                averaged.update_parameters(network)
        total = over_processes(fabric, total, "mean")
        model.eval()
        figures: dict[str, float] = {}
        if validate is not None:
            with torch.inference_mode():
                if averaged is None:
                    figures = validate(model)
                else:  # its copy of the network is not the fabric's
                    with fabric.autocast():
                        figures = validate(averaged.eval())
        row = {
            "epoch": float(epoch + 1),
            "learning_rate": rate,
            "loss": float(total) / max(count, 1),
            **figures,
        }
        history.append(row)
        better = monitor is None or figures[monitor] > history[best_epoch - 1][monitor]
        if best_epoch == 0 or better:
            best, best_epoch = _cpu_copy(kept.state_dict()), epoch + 1
        if fabric.is_global_zero:
            write_state(
                resume,
                {
                    "network": network.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "averaged": {} if averaged is None else averaged.state_dict(),
                    "history": history,
                    "best": best,
                    "best_epoch": best_epoch,
                },
            )
        if on_epoch is not None:
            on_epoch(row)
        shown = f", {monitor} {row[monitor]:.3f}" if monitor is not None else ""
        bar.set_postfix_str(f"loss {row['loss']:.3f}{shown}")
        bar.update()
    bar.close()
    if shared is not None:
        shared.close()
    if fabric.is_global_zero:
        shown = "" if monitor is None else f", {monitor} {history[best_epoch - 1][monitor]:.3f}"
        say(f"{description}: best epoch {best_epoch} of {len(history)}{shown}")
    return Fitted(state=best, best_epoch=best_epoch, history=history)
