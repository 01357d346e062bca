"""Pre-train several encoders at once, before `dvc repro` puts their weights in place.

DVC runs one stage at a time, and one encoder alone leaves cores idle. The first stage `pretrain`
that it runs starts this, which trains the encoders that `dvc status` finds changed, and whose data
are there, each into its folder of unfinished work, where the stages that follow find them done.
What an encoder learns does not depend on what is trained beside it. By hand:
`python -m stages.pretrain_parallel JOBS`. With `compute.engine: ray` workers of Ray train, as many
as `compute.workers` says; JOBS is then of no account.
"""

import sys
from collections.abc import Mapping

from stages.check_settings import load_params
from stages.core.aside import asked_jobs, do_aside, pays, places
from stages.core.console import run_stage, say
from stages.core.dvc import changed_stages, is_up_to_date, running_stage
from stages.core.licences import data_of_file, data_use, enforce
from stages.core.parallel import worker_count
from stages.encoders.published import choices
from stages.pretraining.run import Pretraining, data_of, identity, train_aside
from stages.pretraining.settings import Pretrain
from stages.pretraining.warm_start import find_start


def with_data(wanted: Mapping[str, Pretrain], running: str) -> dict[str, Pretrain]:
    """Those whose data DVC will not make anew later in this run; the running stage's are there."""
    files = {name: data_of(name, settings.data) for name, settings in wanted.items()}
    ready = {
        path: path == files.get(running) or is_up_to_date(path) for path in set(files.values())
    }
    return {name: settings for name, settings in wanted.items() if ready[files[name]]}


def main() -> None:
    """Pre-train what is to be trained, so many encoders at once."""
    params = load_params()
    compute = params.compute
    jobs = asked_jobs(sys.argv[1:], "encoders to train") or worker_count(compute.workers)
    changed, chosen = set(changed_stages("pretrain", params.pretrain)), choices(params)
    policy, offline = params.licences.noncommercial, compute.offline
    wanted = {
        name: settings
        for name, settings in params.pretrain.items()
        if name in changed and chosen[name].source.kind == "pretrain"
    }
    if running_stage():
        wanted = with_data(wanted, running_stage().rpartition("@")[2])
    if not pays(compute, len(wanted), jobs if params.scale == "small" else 1):
        return
    items = {
        # in the order of the settings, in which those that take longest come first
        f"{number}-{name}": Pretraining(
            name,
            settings,
            params.scale,
            params.seed,
            data_of(name, settings.data),
            compute,
            find_start(name, settings.start, params.scale, policy=policy, offline=offline),
        )
        for number, (name, settings) in enumerate(wanted.items())
    }
    read = dict.fromkeys(work.data for work in items.values() if work.data.is_file())
    uses = [data_use("pretrain", one) for path in read for one in data_of_file(path)]
    enforce(policy, uses)
    say(f"pre-training {len(items)} encoders, {places(compute, jobs)}")
    hashes = [identity(work) for work in items.values()]
    do_aside(
        train_aside, items, hashes, jobs=jobs, compute=compute, name="pretrain_parallel",
        what="encoders pre-trained",
    )  # fmt: skip


if __name__ == "__main__":
    run_stage(main)
