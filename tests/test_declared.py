"""The recorder of tests/recording and what is made of it, on a stage that does all that it may not.

Whether the pipeline's stages do what they declare is asked in test_end_to_end.py.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.declared import Exemption, declared, environment, findings, records

PIPELINE = """
stages:
  reader:
    cmd: python -m stages.reader
    deps: [in.txt, stages]
    params: [one.a, seed]
    outs: [out.txt, made]
"""
SETTINGS_MODULE = """
import yaml
from pydantic import BaseModel, ConfigDict

class Section(BaseModel):
    model_config = ConfigDict(frozen=True)

class One(Section):
    a: int
    b: int

class Params(Section):
    seed: int
    one: One
    two: One
    three: One
    four: One
    five: One
    six: One
    names: dict[str, One]
    more: dict[str, One]

def load_params():
    with open("params.yaml") as file:
        return Params.model_validate(yaml.safe_load(file))
"""
WORKER_MODULE = """
def work(section, path):
    with open("of_a_worker.txt") as file:
        file.read()
    return section.b
"""
# what is declared, or is nobody's business
GOOD = """
import os
from pathlib import Path
from stages.settings import load_params

params = load_params()
Path("out.txt").write_text(Path("in.txt").read_text() * (params.one.a + params.seed))
Path("made/deep").mkdir(parents=True, exist_ok=True)
Path("made/deep/x.txt").write_text("x")
Path("made/deep/x.txt").exists()
list(Path("made").iterdir())
type(params.two).model_fields  # what it may hold, not what it holds
"""
BAD = """
import contextlib
import copy
import multiprocessing
import shutil
import subprocess
import sys

import av
import cv2
import h5py
import numpy as np
import onnxruntime
import pyarrow as pa
import torch
from pyarrow import parquet
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from stages.work import work

pixels = np.zeros((8, 8, 3), np.uint8)
with h5py.File("x.h5", "w") as file:
    file["x"] = pixels
h5py.File("x.h5").close()
cv2.imwrite("x.png", pixels)
cv2.imread("x.png")
cv2.VideoCapture("x.mp4")
with av.open("y.mp4", "w") as container:
    stream = container.add_stream("mpeg4", rate=5)
    stream.width = stream.height = 16
    frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
    container.mux(stream.encode(frame))
    container.mux(stream.encode())
av.open("file:y.mp4").close()
save_file({"x": torch.zeros(1)}, "x.safetensors")
load_file("x.safetensors")
safe_open("y.safetensors" if Path("y.safetensors").exists() else "x.safetensors", "np")
torch.save({}, "x.pt")
torch.load("x.pt")
Path("x.bin").write_bytes(b"x")
torch.from_file("x.bin", size=1, dtype=torch.uint8)
parquet.write_table(pa.table({"x": [1]}), "x.parquet")
parquet.read_table("x.parquet")
with contextlib.suppress(Exception):
    onnxruntime.InferenceSession("x.onnx")
Path("a.txt").write_text("a")
os.rename("a.txt", "b.txt")
os.link("b.txt", "c.txt")
os.unlink("c.txt")
Path("link").symlink_to("b.txt")
Path("there/deep").mkdir(parents=True)
Path("there/deep/x").touch()
shutil.rmtree("there")
os.listdir("in")
list(Path("in").glob("*"))
os.path.exists("maybe.txt")
subprocess.run([sys.executable, "--version"], capture_output=True)
print(params.one.b, params.two.a)
copy.deepcopy(params.three).a
params.three.model_copy(update={"a": 1}).b
params.four.model_dump(exclude={"a"})
params.names["x"].a
"y" in params.names
list(params.more)
with multiprocessing.get_context("spawn").Pool(1) as pool:
    pool.apply(work, (params.five, "x"))
open("params.yaml").read()
"""
FOUND = {
    "read": {
        "x.h5", "x.png", "x.mp4", "y.mp4", "x.safetensors", "x.pt", "x.bin", "x.parquet", "x.onnx",
        "b.txt", "of_a_worker.txt", "params.yaml", "there", "there/deep",
    },
    "write": {
        "x.h5", "x.png", "y.mp4", "x.safetensors", "x.pt", "x.bin", "x.parquet", "a.txt", "b.txt",
        "c.txt", "link", "there", "there/deep", "there/deep/x",
    },
    "mkdir": {"there", "there/deep"},
    "list": {"in", "there", "there/deep"},
    "look": {"in", "maybe.txt", "y.safetensors"},
    "run": {f"{sys.executable} --version"},
    "setting": {
        "one.b", "two.a", "three.a", "three.b", "four.b", "names.x.a", "names.y", "more", "five.b",
    },
}  # fmt: skip


MAY = [Exemption("*", "run", "uname -p", "numpy asks so what machine this is", sometimes=True)]


def project(folder: Path, code: str) -> Path:
    """A pipeline of one stage."""
    (folder / "stages").mkdir(parents=True)
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    no_scm = True\n")
    (folder / "in").mkdir()
    for name, text in (
        ("dvc.yaml", PIPELINE), ("in.txt", "in"), ("of_a_worker.txt", "worker"),
        ("stages/__init__.py", ""), ("stages/settings.py", SETTINGS_MODULE),
        ("stages/work.py", WORKER_MODULE), ("stages/reader.py", code),
    ):  # fmt: skip
        (folder / name).write_text(text)
    sections = {name: {"a": 1, "b": 2} for name in ("one", "two", "three", "four", "five", "six")}
    names = {"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 2}}
    (folder / "params.yaml").write_text(
        repr({"seed": 1, **sections, "names": names, "more": names}).replace("'", "")
    )
    return folder


def run(folder: Path, logs: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stages.reader"], cwd=folder, capture_output=True, text=True,
        env={**os.environ, **environment(logs)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_stage_that_does_what_it_declares(tmp_path: Path) -> None:
    folder, logs = project(tmp_path / "project", GOOD), tmp_path / "logs"
    run(folder, logs)
    stages = declared(folder)
    assert stages["reader"].params == {"one.a", "seed"}
    found = records(logs)
    assert {one.stage for one in found} == {"reader"}
    assert {one.what for one in found if one.kind == "setting"} == {"one.a", "seed"}
    assert findings(found, stages, []) == []
    # an exception that nothing needs is one too many
    assert len(findings(found, stages, [Exemption("*", "read", "in.txt", "it may")])) == 1


def test_all_that_is_not_declared_is_found(tmp_path: Path) -> None:
    folder, logs = project(tmp_path / "project", f"{GOOD}\nif __name__ == '__main__':\n" + "".join(
        f"    {line}\n" for line in BAD.splitlines()
    )), tmp_path / "logs"  # fmt: skip
    run(folder, logs)
    stages, found = declared(folder), records(logs)
    seen: dict[str, set[str]] = {}
    for line in findings(found, stages, MAY):
        kind, what = line.removeprefix("reader: ").rpartition(" (by ")[0].split(" ", 1)
        seen.setdefault(kind, set()).add(what)
    assert seen == FOUND


@pytest.mark.parametrize(
    ("field", "what"), [("deps", "in.txt"), ("outs", "out.txt"), ("params", "one.a")]
)
def test_a_declaration_that_is_missing_is_found(tmp_path: Path, field: str, what: str) -> None:
    folder, logs = project(tmp_path / "project", GOOD), tmp_path / "logs"
    run(folder, logs)
    stages = declared(folder)
    getattr(stages["reader"], field).remove(what)
    assert all(what in line for line in findings(records(logs), stages, []))
    assert findings(records(logs), stages, [])
