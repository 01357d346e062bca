"""Train several runs at once, before `dvc repro` puts them in place one after another.

DVC runs one stage at a time. The first stage `train` that it runs starts this, which trains the
runs that `dvc status` finds changed in so many processes, each into its folder of unfinished work,
where the stages that follow find them done. What a run gives does not depend on what is trained
beside it. By hand: `python -m stages.train_parallel JOBS`; a second argument names the stage, where
it is not the one of `dvc.yaml`: `metrics/tables/dvc.yaml:train`. With `compute.engine: ray` workers
of Ray train, as many as `compute.workers` says; JOBS is then of no account.
"""

import sys

from stages.check_settings import load_params
from stages.core.aside import asked_jobs, do_aside, pays, places
from stages.core.console import run_stage, say
from stages.core.dvc import changed_stages
from stages.core.parallel import worker_count
from stages.core.settings import Compute
from stages.sequence.run import Training, run_identity, train_aside
from stages.sequence.runs import Section, read_run, read_runs, read_training


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
    asked = asked_jobs(sys.argv[1:], "runs to train")
    stage = sys.argv[2] if len(sys.argv) > 2 else "train"
    section: Section = "runs" if stage == "train" else "tables"
    names = changed_stages(stage, [run.name for run in read_runs(section)])
    items = {name: Training(read_run(name), read_training(name, compute)) for name in names}
    scales = {work.params.scale for work in items.values()}
    jobs = asked or at_once(compute, full="full" in scales)
    if not pays(compute, len(items), jobs):
        return
    say(f"training {len(items)} runs, {places(compute, jobs)}: {', '.join(names)}")
    hashes = [run_identity(work.params, work.run) for work in items.values()]
    do_aside(
        train_aside, items, hashes, jobs=jobs, compute=compute, name="train_parallel",
        what="runs trained",
    )  # fmt: skip


if __name__ == "__main__":
    run_stage(main)
