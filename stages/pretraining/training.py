"""Training an encoder for its tasks, after masked reconstruction where that is its task.

Both parts go through :func:`stages.learning.fit.fit`, each with a state of its own: a run that is
killed in either goes on from there.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from stages.core.devices import make_fabric
from stages.core.settings import Compute
from stages.encoders.base import Encoder, VisualEncoder
from stages.learning.fit import Fitted, Recipe, epoch_seed, fit
from stages.learning.processes import (
    Share,
    counts_of_all,
    loss_of_all,
    over_processes,
    rows_of_all,
    share_batch_norm,
)
from stages.pretraining.examples import Batch, Examples
from stages.pretraining.faces import ALONE
from stages.pretraining.layers import drop_blocks, layer_rates
from stages.pretraining.reconstruction import MaskedAutoEncoder, random_order
from stages.pretraining.settings import Pretrain, Reconstruction
from stages.pretraining.tasks import Task
from stages.pretraining.warm_start import take_over

if TYPE_CHECKING:
    from lightning_fabric import Fabric

DRAWN = "reconstruction_r2"


class WithHead(nn.Module):
    """An encoder's network and the head of its task."""

    def __init__(self, encoder: nn.Module, task: Task) -> None:
        super().__init__()
        self.encoder = encoder
        width = int(encoder.width)  # type: ignore[arg-type]
        self.head = task.head(width) if task.head else nn.Linear(width, task.outputs)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map the encoder's input to (..., outputs)."""
        outputs: Tensor = self.head(self.encoder(*inputs))
        return outputs


def schedule(epochs: int) -> Callable[[int], float]:
    """Return the rate's course: one epoch of warm-up, then half a cosine down to a twentieth."""

    def rate(epoch: int) -> float:
        if epoch == 0 and epochs > 1:
            return 0.5
        angle = torch.tensor(torch.pi * epoch / epochs)
        return 0.05 + 0.475 * (1 + float(torch.cos(angle)))

    return rate


def _recipe(
    settings: Pretrain | Reconstruction,
    weight_decay: float,
    accumulate: int,
    rates: Mapping[str, float] | None = None,
) -> Recipe:
    return Recipe(
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        weight_decay=weight_decay,
        schedule=schedule(settings.epochs),
        patience=settings.epochs,
        decoupled=True,
        average=settings.average if isinstance(settings, Pretrain) else 0.0,
        accumulate=accumulate,
        rates=rates or {},
    )


def reconstruct(
    encoder: Encoder,
    scale: str,
    network: nn.Module,
    settings: Pretrain,
    examples: Examples,
    *,
    seed: int,
    folder: Path,
    fabric: "Fabric",
    share: Share = ALONE,
    progress: bool = True,
) -> float:
    """Train an encoder's network to draw what is hidden of a face; it ends with its best epoch.

    Returns
    -------
    float
        Share of the variance within the hidden patches of held-out people's faces that is drawn:
        0 for who draws each patch in its mean colour.
    """
    chosen, dimensions = settings.reconstruction, encoder.scales[scale]
    assert chosen is not None  # checked with the settings
    model = MaskedAutoEncoder(
        getattr(network, "transformer", network),
        dimensions["side"],
        hidden=chosen.hidden,
        **dimensions["decoder"],
    )

    def drawn(
        auto_encoder: nn.Module, batch: Batch, generator: torch.Generator | None = None
    ) -> tuple[Tensor, int]:
        """Mean error over all rows of a batch, such that the processes' mean is it; the rows."""
        images, targets = batch[0], batch[-1]
        count = sum(counts_of_all(fabric, len(targets)))
        order = random_order(count, model.count, generator)  # of all rows, by each process
        own = share.of((order, order[:, 0]))[0]
        value: Tensor = auto_encoder(images.to(fabric.device), own.to(fabric.device))
        part = 1.0 if share.processes == 1 else len(targets) * share.processes / count
        return value * part, count

    def loss(auto_encoder: nn.Module, batch: Batch) -> Tensor:
        return drawn(auto_encoder, batch)[0]

    def validate(auto_encoder: nn.Module) -> dict[str, float]:
        generator = torch.Generator().manual_seed(epoch_seed(seed, 0, "hidden patches"))
        total, count = 0.0, 0
        for batch in examples.validation():
            # DDP's would wait for the others
            own = auto_encoder if share.processes == 1 else model
            with fabric.autocast():
                value, rows = drawn(own, batch, generator)
            value = over_processes(fabric, value, "mean")
            total, count = total + float(value) * rows, count + rows
        return {DRAWN: 1 - total / count}

    folder.mkdir(exist_ok=True)
    fitted = fit(
        model,
        # not the pictures of the supervised epochs again
        batches=lambda epoch: examples.training(settings.epochs + epoch),
        loss=loss,
        validate=validate,
        monitor=DRAWN,
        recipe=_recipe(chosen, settings.weight_decay, settings.accumulate),
        seed=seed,
        folder=folder,
        fabric=fabric,
        description=f"pretrain {encoder.name} (reconstruction)",
        progress=progress,
    )
    model.load_state_dict(fitted.state)
    return fitted.history[fitted.best_epoch - 1][DRAWN]


def pretrain(
    encoder: Encoder,
    scale: str,
    settings: Pretrain,
    examples: Examples,
    *,
    seed: int,
    compute: Compute,
    folder: Path,
    start: nn.Module | None = None,
    share: Share = ALONE,
    progress: bool = True,
) -> tuple[WithHead, Fitted, dict[str, float]]:
    """Train an encoder for its task; see :func:`stages.learning.fit.fit` for resuming.

    `start` is a network to begin with, see :mod:`stages.pretraining.warm_start`; the head of the
    task begins anew. `share` is that of the examples: loss, batch norm and figures are those of
    all processes together. What a network draws at random, each process draws for its own rows.

    Returns
    -------
    WithHead
        The network after its best epoch.
    Fitted
        With the figures of each epoch.
    dict of str to float
        Figures on held-out people at the best epoch.
    """
    task = examples.task
    torch.manual_seed(epoch_seed(seed, 0, "weights"))
    network = WithHead(encoder.build(encoder.scales[scale]), task)
    if start is not None:
        take_over(network.encoder, start)
    if isinstance(encoder, VisualEncoder):
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    precision = encoder.training_precision if compute.precision == "auto" else None
    fabric = make_fabric(compute, precision, all_used=False)
    share_batch_norm(network, fabric)
    first: dict[str, float] = {}
    if settings.reconstruction is not None:
        first[DRAWN] = reconstruct(
            encoder, scale, network.encoder, settings, examples,
            seed=seed, folder=folder / "reconstruction", fabric=fabric, share=share,
            progress=progress,
        )  # fmt: skip

    if settings.stochastic_depth:
        drop_blocks(network.encoder, settings.stochastic_depth)
    decay = settings.layer_decay
    rates = layer_rates(network, decay) if decay < 1 else None

    # they have threads, which would draw in no fixed order
    draws = settings.stochastic_depth > 0 or encoder.replicas == 1

    def batches(epoch: int) -> Iterator[Batch]:
        if share.rank and draws:  # not what the first process draws for other rows
            torch.manual_seed(epoch_seed(seed, epoch, f"process {share.rank}"))
        return examples.training(epoch)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        *inputs, targets = (part.to(fabric.device) for part in batch)
        return loss_of_all(fabric, task.loss, model(*inputs), targets)

    def validate(model: nn.Module) -> dict[str, float]:
        if share.processes > 1 and not settings.average:
            model = network  # DDP's would wait for the others
        outputs, truth = [], []
        for *inputs, targets in examples.validation():
            with fabric.autocast():
                said = model(*(part.to(fabric.device) for part in inputs))
            outputs.append(said[: len(targets)].float().cpu())
            truth.append(targets)
        said, known = (rows_of_all(fabric, torch.cat(part)) for part in (outputs, truth))
        return task.figures(torch.cat(said).cpu(), torch.cat(known).cpu())

    fitted = fit(
        network,
        batches=batches,
        loss=loss,
        validate=validate,
        monitor=task.monitor,
        recipe=_recipe(settings, settings.weight_decay, settings.accumulate, rates),
        seed=seed,
        folder=folder,
        fabric=fabric,
        description=f"pretrain {encoder.name} ({task.name})",
        replicas=1 if draws or share.processes > 1 else encoder.replicas,
        progress=progress,
    )
    network.load_state_dict(fitted.state)
    best = fitted.history[fitted.best_epoch - 1]
    figures = {k: v for k, v in best.items() if k not in ("epoch", "learning_rate", "loss")}
    return network, fitted, {**figures, **first}
