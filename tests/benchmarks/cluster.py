"""One worker of Ray against two, of one thread each: CPU and wall seconds of crop and an encoder.

Needs `dvc repro visual`; writes to a temporary folder. `--engine local` measures processes of this
machine the same way. The clock runs from when every worker has begun: Ray's start is told apart.
Run: `python -m tests.benchmarks.cluster`.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stages.check_settings import load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.parallel import map_videos
from stages.core.settings import Compute
from stages.core.torchrun import use_one_thread
from stages.encoders.face_extraction import encode_video, list_work
from stages.faces.cropping import Task, crop_entry
from stages.videos.manifest import Manifest


def timed(function: Callable[[Any, Path], None], notes: Path, item: Any, path: Path) -> None:
    """Do a piece of work and note when it ran and what CPU time its process took for it."""
    begun, cpu = time.time(), time.process_time()
    function(item, path)
    row = [begun, time.time(), time.process_time() - cpu, os.getpid()]
    (notes / f"{path.name}.json").write_text(json.dumps(row), encoding="utf-8")


def measure(
    function: Callable[[Any, Path], None],
    items: Mapping[str, Any],
    compute: Compute,
    initializer: Callable[[], None] | None,
) -> tuple[float, float, float, dict[str, str]]:
    """Seconds in all, at work and of CPU, and the hashes of the pieces."""
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        notes.mkdir()
        begun = time.time()
        outcome = map_videos(
            partial(timed, function, notes), items, Path(folder) / "out", suffix=".h5",
            workers=compute.workers, description="", compute=compute, initializer=initializer,
            ended=lambda name, reason: None,
        )  # fmt: skip
        whole = time.time() - begun
        rows = [json.loads(path.read_text()) for path in notes.iterdir()]
        assert len(rows) == len(items), outcome.failed
    work = max(row[1] for row in rows) - min(row[0] for row in rows)
    return whole, work, sum(row[2] for row in rows), outcome.hashes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["local", "ray"], default="ray")
    parser.add_argument("--encoder", default="ires100")
    parser.add_argument("--videos", type=int, default=24)
    given = parser.parse_args()
    params = load_params()
    entries = Manifest.load(paths.INDEX).entries[: given.videos]
    frames = sum(entry.frames for entry in entries)
    settings = params.crop.model_copy(update={"source": "detect"})
    crops = {e.name: Task(e, params.data.root, paths.INDEX, settings, "cpu") for e in entries}
    params = params.model_copy(
        update={"compute": params.compute.model_copy(update={"device": "cpu"})}
    )
    faces = {n: work for n, work in list_work(given.encoder, params).items() if n in crops}
    say(f"{given.engine}, {len(crops)} videos, {frames} frames; load {os.getloadavg()[0]:.1f}")
    kinds: list[tuple[str, Callable[[Any, Path], None], Mapping[str, Any], Any]] = [
        ("crop", crop_entry, crops, None),
        (given.encoder, encode_video, faces, use_one_thread),
    ]
    for name, function, items, initializer in kinds:
        seen = []
        for workers in (1, 2):
            compute = Compute(engine=given.engine, workers=workers, device="cpu")
            seen.append(measure(function, items, compute, initializer))
            whole, work, cpu, _ = seen[-1]
            say(
                f"  {name}, {workers} worker(s): {work:7.2f} s at work, {cpu:7.2f} s of CPU "
                f"({whole - work:.1f} s to start and end)"
            )
        assert seen[0][3] == seen[1][3], "the bytes depend on the number of workers"
        say(
            f"  {name}: {seen[0][1] / seen[1][1]:.2f} times as fast by the clock, "
            f"{2 * seen[0][2] / seen[1][2]:.2f} by CPU time on free cores; same bytes"
        )


if __name__ == "__main__":
    run_stage(main)
