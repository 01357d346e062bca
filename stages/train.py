"""Train a sequence network on windows of features (`dvc repro train`).

In: labels and faces (data/inputs.h5), the feature stores (data/features). Out:
models/networks/MODALITIES/MODEL.safetensors with the network's dimensions and the inputs'
statistics inside, and its learning curves under metrics/curves/MODALITIES.

MODALITIES is `audiovisual`, or `visual` for the same network without the sound.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stages import paths
from stages.compute import make_fabric
from stages.console import run_stage, say
from stages.dataset import Features, Video, load_videos, open_features
from stages.errors import DataError
from stages.fitting import Fitted, Recipe, epoch_seed, fit, step_schedule
from stages.losses import masked_bce, positive_weight
from stages.networks import Dimensions, build_network, save_network
from stages.parallel import partial_folder
from stages.params import Params, load_params
from stages.provenance import file_hash, identity_of
from stages.scores import THRESHOLD, f1_per_au
from stages.windows import (
    Batch,
    input_statistics,
    predict_video,
    training_batches,
)


def train_network(
    params: Params,
    dimensions: Dimensions,
    features: Features,
    videos: dict[str, list[Video]],
    folder: Path,
    curves: Path,
) -> Fitted:
    """Train one network; see :func:`stages.fitting.fit` for resuming.

    Parameters
    ----------
    params : Params
    dimensions : Dimensions
    features : Features
    videos : dict of str to list of Video
        ``train`` and ``validation``.
    folder : Path
        For the unfinished work.
    curves : Path
        Where dvclive writes the learning curves.

    Returns
    -------
    Fitted
    """
    from dvclive import Live

    settings = params.train
    torch.manual_seed(epoch_seed(params.seed, 0, "weights"))
    network = build_network(dimensions)
    statistics = input_statistics(features, videos["train"])
    network.visual_scale.fit(statistics["visual_mean"], statistics["visual_deviation"])
    network.audio_scale.fit(statistics["audio_mean"], statistics["audio_deviation"])
    labels = torch.from_numpy(np.concatenate([video.labels for video in videos["train"]]))
    # windows of a few hundred steps are too little work for bfloat16 to pay at the small scale
    fabric = make_fabric(params.compute, "32-true" if params.scale == "small" else None)
    weight = positive_weight(labels).to(fabric.device)

    def batches(epoch: int) -> Iterator[Batch]:
        for batch in training_batches(
            features,
            videos["train"],
            window=settings.window,
            stride=settings.stride,
            batch=settings.batch,
            sound_dropout=settings.sound_dropout if dimensions.audio_width else 0.0,
            seed=epoch_seed(params.seed, epoch, "windows"),
        ):
            yield batch.to(fabric.device)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        logits = model(batch.visual, batch.audio, batch.sound, batch.real)
        return masked_bce(logits, batch.labels, weight)

    def validate(model: nn.Module) -> dict[str, float]:
        truth, predicted = [], []
        for video in videos["validation"]:
            truth.append(video.labels)
            predicted.append(
                predict_video(model, features, video, window=settings.window, device=fabric.device)
            )
        f1 = f1_per_au(np.concatenate(truth), np.concatenate(predicted) >= THRESHOLD)
        return {"validation_f1": float(f1.mean())}

    recipe = Recipe(
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        schedule=step_schedule(settings.step_epochs, settings.step_factor),
        patience=settings.patience,
    )
    # dvclive's defaults would rewrite dvc.yaml while DVC runs it
    with Live(str(curves), dvcyaml=None, save_dvc_exp=False, report=None) as live:

        def on_epoch(row: dict[str, float]) -> None:
            live.step = int(row["epoch"])
            live.log_metric("loss", row["loss"])
            live.log_metric("validation_f1", row["validation_f1"])
            live.make_summary()

        return fit(
            network,
            batches=batches,
            loss=loss,
            validate=validate,
            monitor="validation_f1",
            recipe=recipe,
            seed=params.seed,
            folder=folder,
            fabric=fabric,
            description=f"train {dimensions.name} ({curves.name})",
            on_epoch=on_epoch,
        )


def main() -> None:
    """Train the network that `params.yaml` names, on what the command line gives it."""
    params = load_params()
    modalities = sys.argv[1] if len(sys.argv) > 1 else "audiovisual"
    dimensions_of = getattr(getattr(params.models, params.model), params.scale)
    videos = {split: load_videos(split) for split in ("train", "validation")}
    copies = sum(video.masked for video in videos["train"])
    with open_features(params.features, modalities, masked=copies > 0) as features:
        for split, found in videos.items():
            if not found:
                raise DataError(
                    f"No video of the {split} split can be used: see what `dvc repro index` "
                    "and `dvc repro inputs` say of the data root."
                )
        say(
            f"train: {len(videos['train']) - copies} videos and {copies} masked copies, "
            f"{sum(v.frames for v in videos['train'])} frames; "
            f"validation: {len(videos['validation'])} videos"
        )
        dimensions = Dimensions(
            params.model,
            features.visual_width,
            features.audio_width,
            dimensions_of.model_dump(mode="json"),
        )
        identity = identity_of(
            "stages.train",
            [params.seed, params.scale, params.train.model_dump(), dimensions.as_dict()],
            file_hash(paths.INPUTS),
        )
        with partial_folder(f"train@{modalities}", identity) as folder:
            curves = paths.CURVES / modalities
            fitted = train_network(params, dimensions, features, videos, folder, curves)
            save_network(
                paths.NETWORKS / modalities / f"{params.model}.safetensors",
                dimensions,
                fitted.state,
                {
                    "visual": ",".join(params.features.visual),
                    "audio": ",".join(params.features.audio) if dimensions.audio_width else "",
                    "best_epoch": str(fitted.best_epoch),
                },
            )


if __name__ == "__main__":
    run_stage(main)
