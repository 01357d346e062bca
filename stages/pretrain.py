"""Pre-train an encoder, or take its weights from elsewhere (`dvc repro pretrain@ires100`).

In: the file below data/ that the encoder's setting `data` names: faces.h5, faces+train.h5 or
corpus/speech.h5. Out: models/encoders/ENCODER.safetensors with the network's dimensions inside, and
what it was trained on with the licence of that; and the scores on held-out people or speakers,
metrics/pretrain/ENCODER.json. Where the encoder's setting `weights` is not `pretrain`, nothing is
trained: the weights that it names are fetched, checked and put in the same place, and there are no
scores.
"""

import sys
from dataclasses import asdict
from pathlib import Path

from stages.check_settings import Params, load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.errors import SettingsError
from stages.core.files import write_json
from stages.core.hashing import file_hash, identity_of
from stages.core.licences import data_of_file, data_use, enforce
from stages.core.parallel import partial_folder
from stages.encoders.backbones import code_of
from stages.encoders.base import AudioEncoder
from stages.encoders.published import check_choices, choices, take
from stages.encoders.registry import any_encoder
from stages.encoders.source import made_path
from stages.encoders.weights import save_weights
from stages.pretraining.examples import load_examples
from stages.pretraining.training import pretrain

SOURCES = {
    "faces": paths.FACES,
    "faces+train": paths.FACES_AND_TRAIN,
    "corpus/speech": paths.CORPUS_SPEECH,
}


def data_of(name: str, params: Params) -> Path:
    """Return the file that an encoder learns from.

    Raises
    ------
    SettingsError
        When it is sound for an encoder of pictures, or the other way round.
    """
    speech = isinstance(any_encoder(name), AudioEncoder)
    allowed = [key for key in SOURCES if (key == "corpus/speech") == speech]
    asked = params.pretrain[name].data
    if asked not in allowed:
        raise SettingsError(f"pretrain.{name}.data = {asked!r}; allowed: {', '.join(allowed)}.")
    return SOURCES[asked]


def run(name: str, params: Params, data: Path, weights: Path, metrics: Path) -> None:
    """Pre-train one encoder and write its weights and figures."""
    encoder, settings = any_encoder(name), params.pretrain[name]
    examples = load_examples(encoder, params.scale, settings, data, params.seed)
    say(f"pretrain {name}: {examples.count} training samples of {data}")
    identity = identity_of(
        "stages.pretrain",
        [name, params.seed, params.scale, settings.model_dump(), file_hash(data), code_of(name)],
    )
    with partial_folder(f"pretrain@{name}", identity) as folder:
        network, fitted, scores = pretrain(
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
            examples.task.au_start,
            data=[asdict(one) for one in data_of_file(data)],
        )
        figures = {key: round(value, 6) for key, value in scores.items()}
        figures["best_epoch"] = fitted.best_epoch
        write_json(metrics, figures)
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
        write_json(metrics, {})
        return
    data = data_of(name, params)
    if data.is_file():  # if it is not, what reads it says so
        enforce(policy, [data_use(f"pretrain.{name}", one) for one in data_of_file(data)])
    run(name, params, data, weights, metrics)


if __name__ == "__main__":
    run_stage(main)
