"""Train a sequence network on windows of features (`dvc repro train`).

In: labels and faces (data/inputs.h5), the feature stores (data/features). Out:
models/networks/MODALITIES/MODEL.safetensors with the network's dimensions and the inputs'
statistics inside, and its learning curves under metrics/curves/MODALITIES.

MODALITIES is `audiovisual`, or `visual` for the same network without the sound.
"""

import sys

from stages import paths
from stages.console import run_stage, say
from stages.dataset import load_videos, open_features
from stages.errors import DataError
from stages.networks import Dimensions, save_network
from stages.parallel import partial_folder
from stages.params import load_params
from stages.protocol import network_settings, resolve_choices
from stages.provenance import file_hash, identity_of
from stages.training import train_network


def main() -> None:
    """Train the network that `params.yaml` names, on what the command line gives it."""
    params = load_params()
    modalities = sys.argv[1] if len(sys.argv) > 1 else "audiovisual"
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
            network_settings(params, params.model),
        )
        identity = identity_of(
            "stages.train",
            [params.seed, params.scale, params.train.model_dump(), dimensions.as_dict()],
            resolve_choices(params).model_dump(),
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
