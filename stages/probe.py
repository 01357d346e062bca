"""Say of each encoder what it was taught and what it is worth alone (`dvc repro probe`).

In: labels and faces (data/inputs.h5), the feature stores of all encoders, their pre-training scores
(metrics/pretrain), frames a second as `make bench` measured them (metrics/speed.json). Out:
metrics/encoders.json, for each encoder the validation F1 of a transformer that reads its features
and nothing else, beside the all-ones baseline (numbers only, tracked by git), and
metrics/encoders/table.csv, the same with all else that is known of it.
"""

import json
from collections.abc import Mapping

import numpy as np

from stages.check_settings import load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.errors import DataError
from stages.core.facs import AU_NAMES
from stages.core.feature_store import FeatureReader, store_hash
from stages.core.files import write_json, write_rows
from stages.core.hashing import file_hash, identity_of
from stages.core.licences import Use
from stages.core.parallel import map_videos
from stages.core.partial import partial_folder
from stages.core.torchrun import use_one_thread
from stages.encoders.licences import store_use
from stages.learning.metrics import all_ones_f1
from stages.networks.registry import code_of
from stages.reporting.figure_files import read_json
from stages.sequence.dataset import load_videos
from stages.sequence.probing import MODEL, Work, alone, train_alone, works
from stages.sequence.protocol import network_settings, resolve_choices

SHOWN = ("AU25", "AU26")  # what sound tells of
HEADING = (
    "encoder",
    "pre-training, held-out people",
    "width",
    "store, MB",
    "frames a second, one core",
    "weights from",
    "licence",
    "F1 alone",
    *(f"F1 alone, {name}" for name in SHOWN),
)


def beside_chance(figures: Mapping[str, float]) -> str:
    """Pre-training scores that have a level of chance, each with it, as a text."""
    shown = []
    for key, value in figures.items():
        levels = [figures[f"{key}_{kind}"] for kind in ("chance", "all_ones")
                  if f"{key}_{kind}" in figures]  # fmt: skip
        levels += [0.0] if key == "ccc" else []  # a constant has no concordance with anything
        shown += [f"{key.replace('_', ' ')} {value:.3f} (chance {level:.3f})" for level in levels]
    return ", ".join(shown) or "-"


def table_row(
    work: Work, width: int, size: int, use: Use, f1: list[float], speed: float | None
) -> list[str]:
    """One encoder's row of the report's table, see ``HEADING``."""
    return [
        work.name,
        beside_chance(read_json(paths.PRETRAIN_SCORES / f"{work.name}.json")),
        str(width),
        f"{size / 1e6:.1f}",
        "-" if speed is None else f"{speed:.0f}",
        use.source,
        use.licence.partition(":")[0] or "-",  # without what follows on its origin
        f"{np.mean(f1):.3f}",
        *(f"{f1[AU_NAMES.index(name)]:.3f}" for name in SHOWN),
    ]


def main() -> None:
    """Train on each encoder alone, two or more at once, and write the table."""
    params = load_params()
    validation = load_videos("validation")
    if not validation:
        raise DataError("No video of the validation split can be used: see `dvc repro inputs`.")
    ones = all_ones_f1(np.concatenate([video.labels for video in validation]))
    items = works(params)
    widths, sizes, uses = {}, {}, {}
    for name, work in items.items():
        with FeatureReader(work.store) as store:
            widths[name], sizes[name] = store.width, store.bytes
            uses[name] = store_use(name, store.attributes)
    identity = identity_of(
        "stages.probe",
        [params.seed, params.scale, alone(params).train.model_dump(), params.loss.model_dump()],
        [network_settings(params, MODEL), resolve_choices(params).model_dump(), code_of(MODEL)],
        [file_hash(paths.INPUTS), *(store_hash(work.store) for work in items.values())],
    )
    with partial_folder("single", identity) as folder:
        outcome = map_videos(
            train_alone,
            items,
            folder,
            suffix=".json",
            workers=params.compute.workers,
            description="networks on one encoder",
            compute=params.compute,
            on_device=True,
            initializer=use_one_thread,
        )
        if outcome.failed:
            reasons = [f"  {name}: {reason}" for name, reason in outcome.failed.items()]
            raise DataError("\n".join(["No network could be trained on:", *reasons]))
        scores = {name: json.loads(path.read_text()) for name, path in outcome.done.items()}
    speeds = read_json(paths.SPEED).get(params.scale, {})
    rows = [list(HEADING)]
    rows += [
        table_row(work, widths[name], sizes[name], uses[name], scores[name], speeds.get(name))
        for name, work in items.items()
    ]
    baseline = [f"{ones.mean():.3f}", *(f"{ones[AU_NAMES.index(name)]:.3f}" for name in SHOWN)]
    rows.append(["all-ones baseline", *[""] * (len(HEADING) - 1 - len(baseline)), *baseline])
    paths.SINGLE_REPORT.mkdir(parents=True, exist_ok=True)
    write_rows(paths.SINGLE_REPORT / "table.csv", rows)
    content = {
        name: {
            "macro": round(float(np.mean(values)), 6),
            **{au: round(float(value), 6) for au, value in zip(AU_NAMES, values, strict=True)},
        }
        for name, values in {**{name: scores[name] for name in items}, "all_ones": ones}.items()
    }
    label = "synthetic" if params.data.root == paths.CORPUS_VIDEOS else "own_data"
    write_json(paths.SINGLE_SCORES, {label: content})
    say("F1 on validation, each encoder alone: ")
    for row in rows[1:]:
        say(f"  {row[0]:<18}{row[-3]}")


if __name__ == "__main__":
    run_stage(main)
