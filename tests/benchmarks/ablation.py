"""Networks and losses beside the default, over seeds (`python -m tests.benchmarks.ablation`).

Needs a finished `make repro`, and trains on its stores. Each variant is the run `main` with one or
two settings changed, as `dvc exp run -S` would. Printed is a table in Markdown: F1 on the videos
that chose the epoch and on the test videos, each the mean over seeds with their standard deviation,
and by how much a variant is better than the default on the test videos, with the 95 % interval over
people and seeds. On the generated corpus every figure is synthetic.
"""

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer
import yaml

from stages.check_settings import Params, load_params
from stages.core.console import run_stage, say
from stages.core.parallel import map_videos
from stages.core.torchrun import use_one_thread
from stages.reporting.evidence import load_evidence
from stages.reporting.results import Scored, compare
from stages.sequence.predictions import FILE, read_predictions
from stages.sequence.run import RESULT, train_run
from stages.sequence.runs import resolve_run

DEFAULT: Final = "default"
VARIANTS: Final[Mapping[str, Sequence[str]]] = {
    DEFAULT: (),
    "au_query": ("model=au_query",),
    "au_graph, learned": ("model=au_graph",),
    "au_graph, nearest": ("model=au_graph", "models.au_graph.small.adjacency=nearest"),
    "au_graph, co-occurrence": ("model=au_graph", "models.au_graph.small.adjacency=cooccurrence"),
    "label smoothing 0.1": ("loss.smoothing=0.1",),
    "AU weights by rarity": ("loss.au_weight=rarity",),
    "positives unweighted": ("choices.positive_weight=none",),
    "asymmetric": ("loss.kind=asymmetric",),
    "asymmetric, positives unweighted": ("loss.kind=asymmetric", "choices.positive_weight=none"),
    "running mean 0.99": ("train.average=0.99",),
}


@dataclass(frozen=True)
class Work:
    """One variant, trained with all its seeds."""

    params: Params


def changed(settings: Sequence[str], seeds: int) -> Params:
    """Settings of ``params.yaml`` with some changed, each given as ``section.key=value``."""
    content: dict[str, Any] = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    for setting in (*settings, f"train.seeds={seeds}"):
        key, _, value = setting.partition("=")
        *parents, last = key.split(".")
        section = content
        for parent in parents:
            section = section[parent]
        section[last] = yaml.safe_load(value)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return load_params(path)


def train(work: Work, path: Path) -> None:
    """Train a variant and leave its predictions."""
    run = resolve_run(work.params, "main", work.params.runs["main"])
    with tempfile.TemporaryDirectory() as folder:
        train_run(work.params, run, Path(folder), progress=False)
        shutil.copyfile(Path(folder) / RESULT / FILE, path)


def row(name: str, parameters: int, scored: Mapping[str, Scored], beside: Scored | None) -> str:
    """One line of the table."""
    cells = [name, f"{parameters:,}"]
    for key in ("held_out", "test"):
        spread = scored[key].spread
        cells.append(f"{scored[key].macro:.3f}" + ("" if spread is None else f" ± {spread:.3f}"))
    if beside is None:
        cells.append("-")
    else:
        d = compare([scored["test"]], [beside], draw_seeds=True)
        cells.append(f"{d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}]")
    return "| " + " | ".join(cells) + " |"


def main(
    seeds: int = 3, jobs: int = 2, folder: Path | None = None, also: list[str] | None = None
) -> None:
    """Train all variants, each with the settings `also` as well, and print the table."""
    items = {
        name.replace(", ", "-").replace(" ", "_"): Work(changed([*(also or []), *settings], seeds))
        for name, settings in VARIANTS.items()
    }
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        outcome = map_videos(
            train, items, folder or Path(temporary), suffix=".h5", workers=jobs,
            description="variants", initializer=use_one_thread,
        )  # fmt: skip
        evidence = load_evidence("synthetic")
        for name, path in outcome.done.items():
            predictions = read_predictions(path)
            evidence.runs[name] = predictions.run
            evidence.add(name, predictions.seeds)
    for name, reason in outcome.failed.items():
        say(f"{name}: {reason}")
    say(f"{len(items)} variants with {seeds} seeds: {time.perf_counter() - start:.0f} s")
    say("| variant | parameters | validation F1 | test F1 | beside the default, test |")
    say("| --- | ---: | ---: | ---: | ---: |")
    for title, name in zip(VARIANTS, items, strict=True):
        if name in evidence.results:
            beside = None if title == DEFAULT else evidence.results[DEFAULT]["test"]
            parameters = evidence.runs[name]["parameters"]
            say(row(title, parameters, evidence.results[name], beside))


if __name__ == "__main__":
    run_stage(lambda: typer.run(main))
