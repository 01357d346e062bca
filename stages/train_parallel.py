"""Train several runs at once, before `dvc repro` puts them in place one after another.

DVC runs one stage at a time. The first stage `train` that it runs starts this, which trains the
runs that `dvc status` finds changed in so many processes, each into its folder of unfinished work,
where the stages that follow find them done. What a run gives does not depend on what is trained
beside it. By hand: `python -m stages.train_parallel JOBS`; a second argument names the stage, where
it is not the one of `dvc.yaml`: `metrics/tables/dvc.yaml:train`.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from stages.check_settings import load_params
from stages.core.console import run_stage, say
from stages.core.dvc import changed_stages
from stages.core.errors import SettingsError
from stages.core.hashing import identity_of
from stages.core.parallel import map_videos, worker_count
from stages.core.partial import partial_folder
from stages.core.settings import Compute
from stages.core.torchrun import use_one_thread
from stages.sequence.run import RESULT, run_folder, run_identity, train_run
from stages.sequence.runs import Run, Section, read_run, read_runs, read_training
from stages.sequence.settings import TrainingSettings


@dataclass(frozen=True)
class Work:
    """A run that is to be trained."""

    run: Run
    params: TrainingSettings


def train_aside(work: Work, path: Path) -> None:
    """Train one run and leave it in its folder; `path` gets a note that it is done."""
    with run_folder(work.params, work.run, keep=True) as (folder, _):
        if not (folder / RESULT).exists():
            train_run(work.params, work.run, folder, progress=False)
    path.write_text("done\n", encoding="utf-8")


def at_once(compute: Compute, *, full: bool) -> int:
    """How many runs to train at once: one per core, at the full scale one per GPU."""
    if not full:
        return worker_count(compute.workers)
    from torch.cuda import device_count

    spread = compute.device in ("auto", "cuda")
    return max(1, min(device_count(), compute.workers or device_count())) if spread else 1


def main() -> None:
    """Train what is to be trained, so many runs at once."""
    compute = load_params().compute
    jobs, stage = [*sys.argv[1:], "train"][:2] if len(sys.argv) > 1 else ("", "train")
    if jobs and not (jobs.isdigit() and int(jobs) > 0):
        raise SettingsError(f"{jobs!r} is no number of runs to train at once: 1, 2, ...")
    section: Section = "runs" if stage == "train" else "tables"
    names = changed_stages(stage, [run.name for run in read_runs(section)])
    items = {name: Work(read_run(name), read_training(name, compute)) for name in names}
    scales = {work.params.scale for work in items.values()}
    count = int(jobs) if jobs else at_once(compute, full="full" in scales)
    if count == 1 or len(names) < 2:
        return  # the stage itself does it as well
    say(f"training {len(items)} runs, {count} at once: {', '.join(names)}")
    hashes = [run_identity(work.params, work.run) for work in items.values()]
    with partial_folder("train_parallel", identity_of("stages.train_parallel", hashes)) as folder:
        outcome = map_videos(
            train_aside,
            items,
            folder,
            suffix=".txt",
            workers=count,
            description="runs trained",
            initializer=use_one_thread,
        )
    for name, reason in outcome.failed.items():
        say(f"{name}: {reason}")


if __name__ == "__main__":
    run_stage(main)
