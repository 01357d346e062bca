"""Pre-train an encoder, or take its weights from elsewhere (`dvc repro pretrain@ires100`).

In: the file below data/ that the encoder's setting `data` names: faces.h5, faces+train.h5 or
corpus/speech.h5. Out: models/encoders/ENCODER.safetensors with the network's dimensions inside, and
what it was trained on, and began with, with the licences of both; and the scores on held-out people
or speakers, metrics/pretrain/ENCODER.json. Where the encoder's setting `weights` is not `pretrain`,
nothing is trained: the weights that it names are fetched, checked and put in the same place, and
there are no scores.

Under `torchrun --nproc-per-node N -m stages.pretrain ENCODER` its processes share every batch, and
the epoch's validation, between them; the first one writes.
"""

import json
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from stages.check_settings import Params, load_params
from stages.core.console import run_stage, say
from stages.core.devices import make_fabric
from stages.core.dvc import asked_for_all, run_aside
from stages.core.errors import SettingsError
from stages.core.files import replacing, write_json
from stages.core.licences import data_of_file, data_use, enforce
from stages.core.torchrun import process_count, process_rank, use_one_thread
from stages.encoders.published import check_choices, choices, take
from stages.encoders.source import made_path
from stages.pretraining.run import (
    FIGURES,
    WEIGHTS,
    Pretraining,
    data_of,
    is_trained,
    train_encoder,
    work_folder,
)
from stages.pretraining.warm_start import Start, find_start


def first_weights(params: Params, name: str) -> Start | None:
    """Bring the weights to begin with here; of several processes the first one fetches them."""
    setting, policy = params.pretrain[name].start, params.licences.noncommercial
    with ExitStack() as stack:
        if process_count() > 1:
            stack.enter_context(make_fabric(params.compute).rank_zero_first())
        return find_start(
            name, setting, params.scale, policy=policy, offline=params.compute.offline
        )


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
        if process_rank():
            return
        trained = f"{params.pretrain[name].kind}.{name}.weights=pretrain"
        say(f"{name} learns from no data here, its weights are taken: {trained} would train it")
        take(chosen[name], params.scale, offline, weights)
        write_json(metrics, {})
        return
    data = data_of(name, params.pretrain[name].data)
    if data.is_file():  # if it is not, what reads it says so
        enforce(policy, [data_use(f"pretrain.{name}", one) for one in data_of_file(data)])
    if params.scale == "small":  # sums depend on the number of threads
        use_one_thread()
    settings = params.pretrain[name]
    start = first_weights(params, name)
    work = Pretraining(name, settings, params.scale, params.seed, data, params.compute, start)
    beside = params.scale == "small" or params.compute.engine == "ray"
    if beside and process_count() == 1 and not is_trained(work) and asked_for_all():
        run_aside("pretrain_parallel")
    with work_folder(work) as folder:
        train_encoder(work, folder)
        if process_rank():
            return
        for made, path in ((WEIGHTS, weights), (FIGURES, metrics)):
            with replacing(path) as temporary:
                shutil.copyfile(folder / made, temporary)
    figures = json.loads(metrics.read_text(encoding="utf-8"))
    say(f"{metrics}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))


if __name__ == "__main__":
    run_stage(main)
