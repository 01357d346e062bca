"""Look through a data root and write down what it holds.

In: ``data.root``, the generated corpus or one's own copy of Aff-Wild2. Out: ``data/index``, with
``manifest.json`` (one entry per annotated face; what is odd or left out, with the reason) and
``frames.h5`` (presentation times, and labels on the frame grid). Every video is decoded: headers
are often wrong. Published crops whose video is not there are used where ``data.frame_rate`` says
how fast it was (:mod:`stages.crops.published`). Run: ``dvc repro index``.
"""

from __future__ import annotations

import os
from pathlib import Path

from stages.check_settings import load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.files import replacing_folder
from stages.core.hashing import identity_of
from stages.core.licences import data_use, enforce, root_data
from stages.core.partial import partial_folder
from stages.videos.dataroot import DataRoot, look
from stages.videos.indexing import build, summary


def say_what_is_hashed(found: DataRoot, root: Path) -> None:
    """Say how DVC is kept from hashing millions of pictures where it does."""
    if found.crops and not Path(os.path.normpath(Path.cwd() / root)).is_relative_to(Path.cwd()):
        say(
            f"The data root {root} lies outside of the project, where DVC hashes every published "
            f"crop. It leaves them alone below a link in the project: ln -s {root} "
            f"data/{root.name}, and data.root=data/{root.name}."
        )


def main() -> None:
    """Write ``data/index``."""
    params = load_params()
    root, frame_rate = params.data.root, params.data.frame_rate
    enforce(
        params.licences.noncommercial,
        [data_use("data.root", root_data(root, params.data.licence))],
    )
    found = look(root)
    say_what_is_hashed(found, root)
    sources = [*found.videos.values()]
    if frame_rate is not None:
        sources += found.crops.values()
    states = {path: (root / path).stat() for path in sources}
    sizes = {path: (state.st_size, state.st_mtime_ns) for path, state in states.items()}
    identity = identity_of("stages.index", str(root), sizes)
    with (
        partial_folder("index", identity) as partial,
        replacing_folder(paths.INDEX) as fresh,
    ):
        manifest = build(
            found, root, fresh, partial, frame_rate=frame_rate, workers=params.compute.workers,
            compute=params.compute,
        )  # fmt: skip
    say(summary(manifest))


if __name__ == "__main__":
    run_stage(main)
