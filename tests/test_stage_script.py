"""Stages find the project's Python whether an environment is activated or not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.core.hashing import ROOT

PIPELINE = """
stages:
  where:
    cmd: sh stages/stage.sh where one "two three"
    params: [number]
    deps: [stages/where.py]
    metrics: [where.json: {cache: false}]
"""
WHERE = """
import json, sys
import dvclive
content = {"number": int(open("params.yaml").read().split(":")[1]), "words": len(sys.argv)}
json.dump(content, open("where.json", "w"))
print("ran with", sys.prefix)
"""


class Project:
    """A pipeline of one stage with a .venv that nobody has activated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "stages").mkdir()
        (folder / "stages/__init__.py").touch()
        (folder / "stages/where.py").write_text(WHERE)
        (folder / "stages/stage.sh").write_text((ROOT / "stages/stage.sh").read_text())
        (folder / "dvc.yaml").write_text(PIPELINE)
        (folder / "params.yaml").write_text("number: 1\n")
        (folder / ".gitignore").write_text(".venv\n")
        (folder / ".venv").mkdir()
        for part in ("bin", "lib", "pyvenv.cfg"):
            (folder / ".venv" / part).symlink_to(Path(sys.prefix) / part)
        self.run("git init -q -b main && .venv/bin/dvc init -q && git add -A && git commit -q -m a")

    def run(self, command: str, expect: int = 0, **more: str) -> str:
        names = {f"GIT_{who}_{what}": "user@example.org"
                 for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}  # fmt: skip
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "DVC_NO_ANALYTICS": "1"}
        done = subprocess.run(
            command, shell=True, cwd=self.folder, env={**environment, **names, **more},
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == expect, f"{command}\n{done.stdout}"
        return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_every_way_to_reproduce_works_without_an_activated_environment(project: Project) -> None:
    number = 1
    for command in (
        ".venv/bin/dvc repro",
        ".venv/bin/python -m dvc repro -f",
        ".venv/bin/dvc exp run -S number={}",
        ".venv/bin/dvc exp run --temp -S number={}",
    ):
        number += "{}" in command
        project.run(command.format(number))
        shown = project.run(".venv/bin/dvc exp show --csv")
        assert f",3,{number}" in shown or f",{number},3" in shown, shown


def test_an_activated_environment_comes_first(project: Project) -> None:
    # a folder of links to this environment, activated: its Python is the one that runs
    other = project.folder / "other"
    other.mkdir()
    for part in ("bin", "lib", "pyvenv.cfg"):
        (other / part).symlink_to(Path(sys.prefix) / part)
    printed = project.run("dvc repro", PATH=f"{other}/bin:/usr/bin:/bin")
    assert f"ran with {other}" in printed


def test_without_any_python_that_has_the_packages_there_is_a_sentence(project: Project) -> None:
    (project.folder / ".venv").rename(project.folder / "hidden")
    printed = project.run("sh stages/stage.sh where", expect=1)
    assert printed.startswith("No Python here has AUFusion's packages: run `make setup`")
    assert printed.count("\n") == 1


def test_every_stage_is_run_by_the_script() -> None:
    for pipeline in ("dvc.yaml", "metrics/tables/dvc.yaml"):
        lines = (ROOT / pipeline).read_text().splitlines()
        commands = [line.split("cmd:")[1].strip(' "') for line in lines if "cmd:" in line]
        assert commands
        assert all(command.startswith("sh stages/stage.sh ") for command in commands)
    assert os.access(ROOT / "stages/stage.sh", os.R_OK)
