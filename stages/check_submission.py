"""Check a submission to the ABAW challenge (`python -m stages.check_submission FILE`).

In: the file, and the names and frames of the test videos (data/index). It says how many rows are in
order, or names every line that is not.
"""

import sys
from pathlib import Path

from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.errors import SettingsError
from stages.videos.manifest import Manifest
from stages.videos.submission import check_submission, frames_of_test


def main() -> None:
    """Check the file that is named."""
    if len(sys.argv) != 2:
        raise SettingsError("Name one file: python -m stages.check_submission FILE.")
    path = Path(sys.argv[1])
    frames = frames_of_test(Manifest.load(paths.INDEX))
    rows = check_submission(path, frames)
    say(f"{path}: {rows} rows for every frame of {len(frames)} test videos, all in order.")


if __name__ == "__main__":
    run_stage(main)
