"""Pre-train an encoder, or take its weights from elsewhere (`dvc repro pretrain@ires100`).

In: data/corpus/faces.h5 for a visual encoder, data/corpus/speech.h5 for an audio one. Out:
models/encoders/ENCODER.safetensors with the network's dimensions inside, and the scores on
held-out people or speakers, metrics/pretrain/ENCODER.json. Where the encoder's setting `weights`
is not `pretrain`, nothing is trained: the weights that it names are fetched, checked and put in
the same place, and there are no scores.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from stages import paths
from stages.compute import make_fabric
from stages.console import run_stage, say
from stages.encoders.base import AudioEncoder, Encoder, VisualEncoder
from stages.encoders.published import check_choices, choices, take
from stages.encoders.registry import any_encoder
from stages.encoders.sources import made_path
from stages.encoders.weights import save_weights
from stages.errors import SettingsError
from stages.fitting import Fitted, Recipe, epoch_seed, fit
from stages.parallel import partial_folder
from stages.params import Compute, Params, Pretrain, load_params
from stages.pretraining import faces, speech_tasks
from stages.pretraining.tasks import Task, make_joint_task
from stages.provenance import file_hash, identity_of

Batch = tuple[Tensor, ...]  # what the network takes, and the targets
VISUAL_TASKS = ("au", "va")


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


@dataclass(frozen=True)
class Examples:
    """What to train on: ``training(epoch)`` and ``validation()`` yield batches."""

    training: Callable[[int], Iterator[Batch]]
    validation: Callable[[], Iterator[Batch]]
    task: Task
    count: int


def load_examples(encoder: Encoder, settings: Pretrain, data: Path, seed: int) -> Examples:
    """Read the labelled data for one encoder and its task.

    Raises
    ------
    SettingsError
        When the encoder cannot do the task.
    """
    split = epoch_seed(seed, 0, "people") % 2**32
    names = (settings.task, *settings.auxiliary)
    if isinstance(encoder, VisualEncoder) and set(names) <= set(VISUAL_TASKS):
        seen, unseen = faces.load_faces(data, names, settings.validation, split)
        return Examples(
            lambda epoch: faces.training_batches(seen, encoder, settings.batch, seed, epoch),
            lambda: faces.validation_batches(unseen, encoder, settings.batch),
            make_joint_task(names, seen.targets),
            len(seen.images),
        )
    if isinstance(encoder, AudioEncoder):
        if settings.auxiliary:
            raise SettingsError(
                f"pretrain.{encoder.name}.auxiliary: encoders of sound have one task; leave it out."
            )
        tasks = speech_tasks.allowed(encoder)
        if settings.task in tasks:
            spoken = speech_tasks.load_examples(encoder, settings, data, seed, split)
            return Examples(spoken.training, spoken.validation, spoken.task, spoken.count)
    else:
        tasks = VISUAL_TASKS
    wrong = next(name for name in names if name not in tasks)
    raise SettingsError(f"pretrain.{encoder.name}.task = {wrong!r}; allowed: {', '.join(tasks)}.")


def schedule(epochs: int) -> Callable[[int], float]:
    """Return the rate's course: one epoch of warm-up, then half a cosine down to a twentieth."""

    def rate(epoch: int) -> float:
        if epoch == 0 and epochs > 1:
            return 0.5
        angle = torch.tensor(torch.pi * epoch / epochs)
        return 0.05 + 0.475 * (1 + float(torch.cos(angle)))

    return rate


def pretrain(
    encoder: Encoder,
    scale: str,
    settings: Pretrain,
    examples: Examples,
    *,
    seed: int,
    compute: Compute,
    folder: Path,
) -> tuple[WithHead, Fitted]:
    """Train an encoder for its task; see :func:`stages.fitting.fit` for resuming.

    Returns
    -------
    WithHead
        The network after its best epoch.
    Fitted
        With the figures of each epoch.
    """
    task = examples.task
    torch.manual_seed(epoch_seed(seed, 0, "weights"))
    network = WithHead(encoder.build(encoder.scales[scale]), task)
    if isinstance(encoder, VisualEncoder):
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    precision = encoder.training_precision if compute.precision == "auto" else None
    fabric = make_fabric(compute, precision)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        *inputs, targets = (part.to(fabric.device) for part in batch)
        return task.loss(model(*inputs), targets)

    def validate(model: nn.Module) -> dict[str, float]:
        outputs, truth = [], []
        for *inputs, targets in examples.validation():
            outputs.append(model(*(part.to(fabric.device) for part in inputs)).float().cpu())
            truth.append(targets)
        return task.figures(torch.cat(outputs), torch.cat(truth))

    fitted = fit(
        network,
        batches=examples.training,
        loss=loss,
        validate=validate,
        monitor=task.monitor,
        recipe=Recipe(
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            schedule=schedule(settings.epochs),
            patience=settings.epochs,
            decoupled=True,
        ),
        seed=seed,
        folder=folder,
        fabric=fabric,
        description=f"pretrain {encoder.name} ({task.name})",
        replicas=encoder.replicas,
    )
    network.load_state_dict(fitted.state)
    return network, fitted


def run(name: str, params: Params, data: Path, weights: Path, metrics: Path) -> None:
    """Pre-train one encoder and write its weights and figures."""
    encoder, settings = any_encoder(name), params.pretrain[name]
    examples = load_examples(encoder, settings, data, params.seed)
    say(f"pretrain {name}: {examples.count} training samples of {data}")
    identity = identity_of(
        "stages.pretrain",
        [name, params.seed, params.scale, settings.model_dump(), file_hash(data)],
    )
    with partial_folder(f"pretrain@{name}", identity) as folder:
        network, fitted = pretrain(
            encoder,
            params.scale,
            settings,
            examples,
            seed=params.seed,
            compute=params.compute,
            folder=folder,
        )
        save_weights(
            weights,
            encoder,
            params.scale,
            settings.task,
            network.encoder.state_dict(),
            network.head.state_dict(),
        )
        figures = {
            key: round(value, 6)
            for key, value in fitted.history[fitted.best_epoch - 1].items()
            if key not in ("epoch", "learning_rate", "loss")
        }
        metrics.parent.mkdir(parents=True, exist_ok=True)
        figures["best_epoch"] = fitted.best_epoch
        metrics.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    say(f"{metrics}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))


def main() -> None:
    """Pre-train the encoder named on the command line, or take its weights."""
    params = load_params()
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in params.pretrain:
        allowed = ", ".join(params.pretrain)
        raise SettingsError(f"{name!r} is no encoder of `pretrain`; allowed: {allowed}.")
    chosen = choices(params)
    policy, offline = params.licences.noncommercial, params.compute.offline
    check_choices(chosen, policy=policy, offline=offline)
    weights, metrics = made_path(name), Path("metrics/pretrain") / f"{name}.json"
    if chosen[name].source.kind != "pretrain":
        take(chosen[name], params.scale, offline, weights)
        metrics.parent.mkdir(parents=True, exist_ok=True)
        metrics.write_text("{}\n", encoding="utf-8")
        return
    visual = isinstance(any_encoder(name), VisualEncoder)
    run(name, params, paths.CORPUS_FACES if visual else paths.CORPUS_SPEECH, weights, metrics)


if __name__ == "__main__":
    run_stage(main)
