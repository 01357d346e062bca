"""A fine-tuned encoder beside its frozen start (`python -m tests.benchmarks.fine_tuning`).

Needs a finished `make repro`. The encoder's weights that it made are the start, or with
``--start-task expression`` those of a training that knows no AUs: once frozen, once fine-tuned for
AUs on the same still faces, once on these and on frames of the training videos. With each the
videos are encoded, and a transformer, and the encoder's own AU outputs (`frame_head`) where it has
some, are trained on that encoder alone. Nothing of the project is touched: all is
done in a folder of its own. Printed is F1 on validation and on test videos, none of whose people
any encoder has seen, mean over seeds (of the fine-tuning, and of the network), and the difference
from the frozen start with its 95 % interval over people and seeds. On the generated corpus every
figure is synthetic.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import typer
import yaml

from stages import pretrain, pretrain_frames, visual
from stages.check_settings import load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.reporting.evidence import Evidence, load_evidence
from stages.reporting.results import compare
from stages.sequence.features import Features
from stages.sequence.predictions import FILE, read_predictions
from stages.sequence.run import RESULT, train_run
from stages.sequence.runs import resolve_run

FROZEN: Final = "frozen start"
DATA: Final[Mapping[str, str]] = {
    "fine-tuned on faces": "faces",
    "fine-tuned on faces and training frames": "faces+train",
}
READ: Final = ("data/index", "data/crops", "data/masked.h5", "data/inputs.h5", "data/faces.h5")
MODELS: Final = ("transformer", "frame_head")


@contextmanager
def workspace(encoder: str, changes: Mapping[str, Any], seed: int) -> Iterator[None]:
    """Work in a folder of its own, in which the project's data are seen."""
    home = Path.cwd()
    content = yaml.safe_load((home / "params.yaml").read_text(encoding="utf-8"))
    content["seed"] = seed
    content["pretrain"][encoder].update(changes)
    content["runs"] = {
        model: {"model": model, "visual": [encoder], "audio": [], "masked": False}
        for model in MODELS
    }
    with tempfile.TemporaryDirectory() as folder:
        for path in ("data/features/visual", "models/encoders"):
            (Path(folder) / path).mkdir(parents=True)
        for path in READ:
            (Path(folder) / path).symlink_to(home / path)
        (Path(folder) / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(home)


def stage(main: Any, *words: str) -> None:
    """Run a stage's command."""
    sys.argv = ["", *words]
    main()


def predictions(encoder: str) -> dict[str, Any]:
    """Encode the videos and train on them; what each network says, by its name."""
    stage(visual.main, encoder)
    params = load_params()
    found = {}
    with Features([paths.VISUAL_FEATURES / encoder], []) as features:
        tells = bool(features.au_starts)
    for name, row in params.runs.items():
        if name == "frame_head" and not tells:
            continue
        with tempfile.TemporaryDirectory() as folder:
            train_run(params, resolve_run(params, name, row), Path(folder), progress=False)
            found[name] = read_predictions(Path(folder) / RESULT / FILE).seeds[0]
    return found


def report(evidence: Evidence) -> None:
    """Print the table."""
    say("| weights | network | validation F1 | beside frozen | test F1 | beside frozen |")
    say("| --- | --- | ---: | ---: | ---: | ---: |")
    for model in MODELS:
        if f"{FROZEN}/{model}" not in evidence.results:
            continue  # it knows no AUs by itself
        for what in (FROZEN, *DATA):
            cells = [what, model]
            for part in ("held_out", "test"):
                scored = evidence.results[f"{what}/{model}"][part]
                beside = compare(
                    [scored], [evidence.results[f"{FROZEN}/{model}"][part]], draw_seeds=True
                )
                cells.append(f"{scored.macro:.3f} ± {scored.spread or 0:.3f}")
                cells.append(
                    "-" if what == FROZEN
                    else f"{beside.value:+.3f} [{beside.low:+.3f}, {beside.high:+.3f}]"
                )  # fmt: skip
            say("| " + " | ".join(cells) + " |")


def first_weights(encoder: str, task: str | None, folder: Path) -> Path:
    """Weights to start from: those of `make repro`, or of a training for one task alone."""
    path = Path(f"models/encoders/{encoder}.safetensors")
    start = folder / path.name
    if task is None:
        shutil.copy(path, start)
        return start
    with workspace(encoder, {"task": task, "auxiliary": [], "data": "faces"}, 0):
        stage(pretrain.main, encoder)
        shutil.copy(path, start)
    return start


def main(
    encoder: str = "ires100",
    start_task: str | None = None,
    seeds: int = 3,
    epochs: int = 5,
    learning_rate: float = 1e-3,
    layer_decay: float = 0.8,
) -> None:
    """Fine-tune, encode, train, compare."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        start = first_weights(encoder, start_task, Path(folder))
        said = trained(encoder, start, seeds, epochs, learning_rate, layer_decay)
    evidence = load_evidence("synthetic")
    for name, logits in said.items():
        evidence.add(name, logits)
    say(f"{time.perf_counter() - began:.0f} s")
    report(evidence)


def trained(
    encoder: str, start: Path, seeds: int, epochs: int, learning_rate: float, layer_decay: float
) -> dict[str, list[Any]]:
    """Fine-tune, encode and train; what is said, by weights and network, of each seed."""
    said: dict[str, list[Any]] = {}
    for seed in range(seeds):
        for what in (FROZEN, *DATA):
            changes = {
                "start": f"file:{start}", "data": DATA.get(what, "faces"), "epochs": epochs,
                "learning_rate": learning_rate, "layer_decay": layer_decay,
            }  # fmt: skip
            with workspace(encoder, changes, seed):
                if what == FROZEN:
                    shutil.copy(start, f"models/encoders/{encoder}.safetensors")
                else:
                    stage(pretrain_frames.main)
                    stage(pretrain.main, encoder)
                for model, logits in predictions(encoder).items():
                    said.setdefault(f"{what}/{model}", []).append(logits)
    return said


if __name__ == "__main__":
    run_stage(lambda: typer.run(main))
