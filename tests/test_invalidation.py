"""What DVC does again after a setting has changed: the shipped dvc.yaml with idle commands."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages.core.hashing import ROOT

# every output is a copy of the settings; data/runs is a folder with one for each run
IDLE = """
for out in "$@"; do
  mkdir -p "$(dirname "$out")"
  if [ "$out" = data/runs ]; then
    rm -rf "$out"; mkdir "$out"; for run in RUNS; do cp params.yaml "$out/$run.json"; done
  else cp params.yaml "$out"; fi
done
"""


class Pipeline:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(ROOT / "params.yaml", folder)
        runs = yaml.safe_load((folder / "params.yaml").read_text())["runs"]
        (folder / "idle.sh").write_text(IDLE.replace("RUNS", " ".join(runs)))
        (folder / "metrics").mkdir()
        shutil.copy(ROOT / "metrics/speed.json", folder / "metrics")
        shipped = yaml.safe_load((ROOT / "dvc.yaml").read_text())
        for stage in shipped["stages"].values():
            body = stage.get("do", stage)
            outs = [*body.get("outs", ()), *body.get("metrics", ())]
            names = [next(iter(out)) if isinstance(out, dict) else out for out in outs]
            body["cmd"] = f"sh idle.sh {' '.join(names)}"
            body["deps"] = [dep for dep in body["deps"] if not dep.startswith("stages/")]
        del shipped["plots"]
        (folder / "dvc.yaml").write_text(yaml.safe_dump(shipped, sort_keys=False))
        self.dvc("init --no-scm -q")

    def dvc(self, command: str) -> str:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("dvc")), *command.split()],
            cwd=self.folder, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def repro(self, **changes: object) -> set[str]:
        """Change settings (`visual__mae__weights=...`), reproduce; the stages that ran."""
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            section = content
            *parents, last = key.split("__")
            for parent in parents:
                section = section[parent]
            section[last] = value
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return set(re.findall(r"Running stage '([\w@]+)'", self.dvc("repro --no-run-cache")))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    made = Pipeline(tmp_path_factory.mktemp("pipeline"))
    made.repro()
    return made


RUNS = yaml.safe_load((ROOT / "params.yaml").read_text())["runs"]
READERS = {
    "inputs",
    "licences",
    "ensemble",
    "evaluate",
    "report",
    "submit",
    "probe",
    *(f"train@{n}" for n in RUNS),
}


@pytest.mark.parametrize(("kind", "name"), [("visual", "mae"), ("audio", "wav2vec")])
def test_the_weights_of_one_encoder_redo_its_store_and_what_reads_it(
    pipeline: Pipeline, kind: str, name: str
) -> None:
    setting = "file:weights.safetensors@sha256:" + "0" * 64
    ran = pipeline.repro(**{f"{kind}__{name}__weights": setting})
    stores = {f"{kind}@{name}"} | ({f"masked@{name}"} if kind == "visual" else set())
    assert ran == {f"pretrain@{name}"} | stores | READERS


def test_licences_are_looked_at_again_without_other_work(pipeline: Pipeline) -> None:
    changes = {"licences__noncommercial": "refuse", "compute__offline": True}
    assert pipeline.repro(**changes) == {"licences"}
