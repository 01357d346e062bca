"""Training one sequence network: its batches, loss, validation and learning curves.

The stages `train` (what is scored) and `probe` (each encoder alone) share it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.core.devices import make_fabric
from stages.core.facs import AU_NAMES, N_AUS
from stages.learning.fit import Fitted, Recipe, epoch_seed, fit, step_schedule
from stages.learning.intensity import intensity_loss
from stages.learning.losses import (
    au_weight,
    class_weight,
    known_intensities,
    known_labels,
    presence_loss,
)
from stages.learning.metrics import THRESHOLD, f1_counts, f1_of_counts
from stages.learning.processes import over_processes
from stages.networks.base import Dimensions, Disturbance
from stages.networks.registry import build_network
from stages.sequence.batches import Batch, training_orders
from stages.sequence.choices import CORRECTED, Choices
from stages.sequence.dataset import Video
from stages.sequence.features import Features
from stages.sequence.protocol import resolve_choices, window_stride
from stages.sequence.reader import open_batches
from stages.sequence.selection import scored_videos, training_videos
from stages.sequence.settings import TrainingSettings
from stages.sequence.windows import input_statistics, predict_logits

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def validation_f1(
    network: nn.Module,
    features: Features,
    videos: Sequence[Video],
    *,
    window: int,
    device: torch.device,
    choices: Choices = CORRECTED,
) -> NDArray[np.float64]:
    """F1 of each AU over all frames of some videos, (12,); see :mod:`stages.learning.metrics`.

    Parameters
    ----------
    network : nn.Module
        In eval mode.
    features : Features
    videos : sequence of Video
    window : int
        Length of a window in frames.
    device : torch.device
    choices : Choices
        See :func:`stages.sequence.windows.predict_logits`.
    """
    return f1_of_counts(
        validation_counts(network, features, videos, window=window, device=device, choices=choices)
    )


def validation_counts(
    network: nn.Module, features: Features, videos: Sequence[Video], **how: Any
) -> NDArray[np.int64]:
    """What :func:`validation_f1` is made of, (2, 12): that of several videos adds up."""
    counts = np.zeros((2, N_AUS), np.int64)
    said = predict_logits(network, features, videos, **how)
    for video, (_, logits) in zip(videos, said, strict=True):
        active = torch.sigmoid(torch.from_numpy(logits)).numpy() >= THRESHOLD
        counts += f1_counts(video.labels, active)
    return counts


def dimensions_of(
    model: str, settings: Mapping[str, Any], features: Features, choices: Choices
) -> Dimensions:
    """Say what a network over some features is built from, by the choices of protocol."""
    return Dimensions(
        model,
        features.visual_width,
        features.audio_width,
        dict(settings),
        centred=choices.centre != "none",
        audio_centred=choices.centre == "window",
        au_starts=features.au_starts,
        encoder_aus="none" if model == "frame_head" else choices.encoder_aus,
    )


def stopping_rule(params: TrainingSettings) -> tuple[int, tuple[str, ...]]:
    """Patience in validations, and the figures beside the mean F1 of which one may get better."""
    stopping, settings = resolve_choices(params).stopping, params.train
    if stopping == "each_au":  # more than one epoch in which nothing is better than before
        return settings.validations + 1, AU_NAMES
    epochs = settings.patience if stopping == "mean" else settings.epochs
    return epochs * settings.validations, ()


def shared_counts(fabric: "Fabric", batch: Batch) -> tuple[Tensor | None, Tensor | None]:
    """What the processes' sums over labels, and over intensities, are divided by; None for one.

    The mean of their losses, which is what their gradients are averaged to, is then the mean over
    what is known in the whole batch, however it was shared out.
    """
    if fabric.world_size == 1:
        return None, None
    known = torch.stack([known_labels(batch.labels), known_intensities(batch.intensity)])
    total = over_processes(fabric, known.float(), "sum").clamp(min=1) / fabric.world_size
    return total[0], total[1]


def train_network(
    params: TrainingSettings,
    dimensions: Dimensions,
    features: Features,
    training: Sequence[Video],
    held_out: Sequence[Video],
    folder: Path,
    curves: Path,
    *,
    seed: int,
    description: str,
    progress: bool = True,
) -> Fitted:
    """Train one network; see :func:`stages.learning.fit.fit` for resuming.

    Parameters
    ----------
    params : TrainingSettings
    dimensions : Dimensions
    features : Features
    training : sequence of Video
    held_out : sequence of Video
        By whose F1 the best epoch is chosen; without any, all epochs are trained and the last is
        kept.
    folder : Path
        For the unfinished work.
    curves : Path
        Where dvclive writes the learning curves.
    seed : int
        Of weights and windows.
    description : str
        What the log and the progress bar call it.
    progress : bool
        Show a progress bar; not where several networks are trained side by side.

    Returns
    -------
    Fitted
    """
    from dvclive import Live

    settings, choices = params.train, resolve_choices(params)
    training = training_videos(training, choices, epoch_seed(seed, 0, "dropped copies"))
    held_out = scored_videos(held_out, choices)
    # windows of a few hundred steps are too little work for bfloat16 to pay at the small scale
    fabric = make_fabric(params.compute, "32-true" if params.scale == "small" else None)
    torch.manual_seed(epoch_seed(seed, 0, "weights"))
    network = build_network(dimensions)
    statistics = input_statistics(features, training)
    network.visual_scale.fit(statistics["visual_mean"], statistics["visual_deviation"])
    network.audio_scale.fit(statistics["audio_mean"], statistics["audio_deviation"])
    network.disturbance = Disturbance(
        settings.feature_noise, settings.shift, settings.feature_dropout
    )
    labels = torch.from_numpy(np.concatenate([video.labels for video in training]))
    weight = class_weight(labels, choices.positive_weight)
    weight = None if weight is None else weight.to(fabric.device)
    share = au_weight(labels, params.loss.au_weight)
    share = None if share is None else share.to(fabric.device)
    network.fit_labels(labels)

    # what the loop takes for an epoch ends with a validation: of several an epoch, it is a part
    parts = settings.validations

    def batches(number: int) -> Iterator[Batch]:
        epoch, part = divmod(number, parts)
        orders = training_orders(
            training,
            window=settings.window,
            stride=window_stride(settings.window, choices.training_overlap),
            batch=settings.batch,
            sound_dropout=settings.sound_dropout if dimensions.audio_width else 0.0,
            seed=epoch_seed(seed, epoch, "windows"),
            rank=fabric.global_rank,
            processes=fabric.world_size,
            part=part,
            parts=parts,
        )
        return reader.read(orders)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        logits = model(batch.visual, batch.audio, batch.sound, batch.real)
        labels, intensities = shared_counts(fabric, batch)
        presence = presence_loss(logits, batch.labels, params.loss, weight, share, labels)
        intensity = intensity_loss(logits, batch.intensity, intensities)
        return presence + settings.intensity_weight * intensity

    def validate(model: nn.Module) -> dict[str, float]:
        with fabric.autocast():
            counts = validation_counts(
                # DDP's would wait for the others; the running mean is a network of its own
                model if fabric.world_size == 1 or settings.average else network,
                features,
                held_out[fabric.global_rank :: fabric.world_size],
                window=settings.window,
                device=fabric.device,
                choices=choices,
            )
        together = over_processes(fabric, torch.from_numpy(counts).to(fabric.device), "sum")
        f1 = f1_of_counts(together.cpu().numpy())
        each = zip(AU_NAMES, f1.tolist(), strict=True)
        return {"validation_f1": float(f1.mean()), **dict(each)}

    patience, watched = stopping_rule(params)
    recipe = Recipe(
        epochs=settings.epochs * parts,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        schedule=step_schedule(settings.step_epochs * parts, settings.step_factor),
        patience=patience,
        average=settings.average,
        watched=watched if held_out else (),
    )
    with ExitStack() as stack:
        reader = stack.enter_context(
            open_batches(
                features,
                training,
                window=settings.window,
                batch=settings.batch,
                device=fabric.device,
                short_videos=choices.short_videos,
            )
        )
        live = None
        if fabric.is_global_zero:
            # dvclive's defaults would rewrite dvc.yaml while DVC runs it
            live = Live(str(curves), dvcyaml=None, save_dvc_exp=False, report=None)
            stack.enter_context(live)

        def on_epoch(row: dict[str, float]) -> None:
            if live is None:
                return
            live.step = int(row["epoch"])
            for name in ("loss", "validation_f1"):
                if name in row:
                    live.log_metric(name, row[name])
            live.make_summary()

        return fit(
            network,
            batches=batches,
            loss=loss,
            validate=validate if held_out else None,
            monitor="validation_f1" if held_out else None,
            recipe=recipe,
            seed=seed,
            folder=folder,
            fabric=fabric,
            description=description,
            on_epoch=on_epoch,
            progress=progress and fabric.is_global_zero,
        )
