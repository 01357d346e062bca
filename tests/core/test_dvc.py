"""Which stages the running `dvc repro` will run too, asked from within one of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ASKS = """
import json, sys
from pathlib import Path
from stages.core.dvc import asked_for_all, changed_stages, is_up_to_date, running_stage

name = sys.argv[1]
said = {
    "running": running_stage(),
    "all": asked_for_all(),
    "changed": changed_stages("train", ["a", "b", "c"]),
    "early": is_up_to_date(Path("early")),
    "late": is_up_to_date(Path("late")),
}
Path(f"said.{name}.json").write_text(json.dumps(said))
Path(f"out_{name}").write_text(Path("early").read_text())
"""

PIPELINE = """
stages:
  early:
    cmd: cp given early
    deps: [given]
    outs: [early]
  train:
    foreach: [a, b, c]
    do:
      cmd: "'{python}' asks.py ${{item}}"
      deps: [early]
      outs: ["out_${{item}}"]
  zlate:
    cmd: cat out_a out_b out_c > late
    deps: [out_a, out_b, out_c]
    outs: [late]
"""


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three trainings between what they read and what joins them; nothing has run yet."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    (tmp_path / "asks.py").write_text(ASKS)
    (tmp_path / "dvc.yaml").write_text(PIPELINE.format(python=sys.executable))
    (tmp_path / "given").write_text("1")
    dvc(tmp_path, "init", "--no-scm")
    return tmp_path


def dvc(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *words], cwd=folder, check=True)


def said(folder: Path, name: str) -> dict[str, object]:
    path = folder / f"said.{name}.json"
    answer: dict[str, object] = json.loads(path.read_text())
    path.unlink()
    return answer


def test_a_stage_knows_which_of_its_group_will_run_too(pipeline: Path) -> None:
    dvc(pipeline, "repro")
    first, last = said(pipeline, "a"), said(pipeline, "c")
    assert first == {
        "running": "train@a",
        "all": True,
        "changed": ["a", "b", "c"],
        "early": True,
        "late": False,
    }
    assert last["changed"] == ["c"]


@pytest.mark.parametrize(
    ("asked", "all_wanted"),
    [
        (["train@b"], False),
        pytest.param(["--single-item", "train"], False, marks=pytest.mark.slow),
        (["zlate"], True),
    ],
)
def test_who_asks_for_one_stage_gets_that_one(
    pipeline: Path, asked: list[str], all_wanted: bool
) -> None:
    if "--single-item" in asked:
        dvc(pipeline, "repro", "early")
    dvc(pipeline, "repro", *asked)
    assert said(pipeline, "b")["all"] is all_wanted
