"""A fresh clone of the working tree with a tiny corpus, for tests that run the whole pipeline."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from stages.core.hashing import ROOT

TINY_CORPUS = {"clips": 10, "people": 7, "seconds": 3.0, "test_clips": 3, "test_seconds": 3.0,
               "frame_rate": 12.5, "resolution": 128, "faces": 120, "face_people": 12}  # fmt: skip


PATIENCE = 3600  # seconds that a command may take: so long, and it hangs

# Every stage of each of these takes seconds to start. The others differ from those that are left
# in what the tests of encoders, of pre-training and of their stages look at.
LEFT_OUT = ("mae", "densenet", "vit", "hubert", "ecapatdnn")


def leave_out_encoders(folder: Path) -> None:
    """Take encoders out of the settings and of the pipeline, as a user would by hand."""
    content = yaml.safe_load((folder / "params.yaml").read_text())
    for section in ("pretrain", "visual", "audio"):
        content[section] = {k: v for k, v in content[section].items() if k not in LEFT_OUT}
    for kind, names in content["features"].items():
        content["features"][kind] = [name for name in names if name not in LEFT_OUT]
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())
    stages["stages"]["audio"]["matrix"]["encoder"] = ["wav2vec"]
    (folder / "dvc.yaml").write_text(yaml.safe_dump(stages, sort_keys=False))


# Each run takes a second or two to train, and as long to be put in its place.
RUNS = ("main", "visual", "fold1", "fold2")
TABLES = ("ires100", "mix1", "mix2")


def leave_out_runs(folder: Path, runs: Sequence[str] = RUNS) -> None:
    """Take runs out of the settings; two folds are left."""
    content = yaml.safe_load((folder / "params.yaml").read_text())
    content["runs"] = {name: content["runs"][name] for name in runs}
    content["tables"] = {name: content["tables"][name] for name in TABLES}
    for row in content["tables"].values():
        for kind in ("visual", "audio"):
            row[kind] = [name for name in row[kind] if name not in LEFT_OUT]
    content["splits"].update(train_folds=1, validation_folds=1)
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def tiny_settings(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    content["corpus"].update(TINY_CORPUS)
    content["train"].update(window=32, epochs=2)
    content["single"]["epochs"] = 1
    for encoder in content["pretrain"].values():
        encoder["epochs"] = 2
        if "reconstruction" in encoder:
            encoder["reconstruction"]["epochs"] = 1
    path.write_text(yaml.safe_dump(content, sort_keys=False))


class Clone:
    """A fresh clone of the working tree, with this environment in place of `make setup`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        files = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT, capture_output=True, check=True, text=True,
        ).stdout.split("\0")  # fmt: skip
        for name in filter(None, files):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        (folder / ".dvc").mkdir(exist_ok=True)
        for lock in ("dvc.lock", "metrics/tables/dvc.lock"):
            (folder / lock).unlink(missing_ok=True)
        (folder / ".venv").mkdir()
        for part in ("bin", "lib", "pyvenv.cfg"):
            (folder / ".venv" / part).symlink_to(Path(sys.prefix) / part)
        (folder / ".venv/installed").touch()
        leave_out_encoders(folder)
        leave_out_runs(folder)
        tiny_settings(folder / "params.yaml")
        self.run("git init -q -b main && git add -A && git commit -q -m 'A user begins'")

    @property
    def environment(self) -> dict[str, str]:
        """Environment of the user's commands."""
        outer = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        return {
            **outer,
            "PATH": f"{self.folder}/.venv/bin:{os.environ['PATH']}",
            "GIT_AUTHOR_NAME": "user", "GIT_AUTHOR_EMAIL": "user@example.org",
            "GIT_COMMITTER_NAME": "user", "GIT_COMMITTER_EMAIL": "user@example.org",
            "DVC_NO_ANALYTICS": "1", "COLUMNS": "200",
        }  # fmt: skip

    def run(self, command: str, expect: int = 0, *, bare: bool = False, **variables: str) -> str:
        """Run a shell command as the user would; `bare` without an activated environment."""
        environment = {**self.environment, **({"PATH": "/usr/bin:/bin"} if bare else {})}
        environment |= variables
        done = subprocess.run(
            command, shell=True, cwd=self.folder, env=environment, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == expect, f"{command}\n{done.stdout[-6000:]}"
        return done.stdout

    def scores(self) -> dict[str, Any]:
        """Scores by split."""
        return json.loads((self.folder / "metrics/scores.json").read_text())["synthetic"]
