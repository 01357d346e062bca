"""The package `aufusion` in the wheel, and the notebook."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import aufusion
import pytest

from stages.core import paths
from stages.core.hashing import ROOT
from tests.inference import tiny

SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_the_wheel_has_every_package() -> None:
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "stages").rglob("*.py")}
    names = {".".join(folder.parts) for folder in folders}
    assert set(SETUP["packages"]) == (names - {"stages.inference.api.aufusion"}) | {"aufusion"}
    assert SETUP["package-dir"] == {"aufusion": "stages/inference/api/aufusion"}
    for package in ("aufusion", "stages"):
        assert "py.typed" in SETUP["package-data"][package]


def test_the_package_is_installed_from_where_it_lies() -> None:
    assert Path(aufusion.__file__) == ROOT / "stages/inference/api/aufusion/__init__.py"
    assert Path(aufusion.__file__).with_name("py.typed").is_file()
    for name in aufusion.__all__:
        assert getattr(aufusion, name).__doc__


def test_importing_it_is_cheap() -> None:
    code = (
        "import sys, aufusion; aufusion.DataError; print([m for m in sys.modules if m in sys.argv])"
    )
    heavy = ["torch", "pandas", "matplotlib", "onnxruntime", "transformers"]
    done = subprocess.run(
        [sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
    assert set(aufusion.__all__) == set(dir(aufusion))
    with pytest.raises(AttributeError, match="no attribute 'predicted'"):
        aufusion.predicted  # noqa: B018


def test_the_notebook_runs(ensemble: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, beside a video, with an ensemble where it is looked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "PRETRAINED", tmp_path / "none")
    shutil.copytree(ensemble, tmp_path / paths.ENSEMBLE)
    tiny.write_raw(Path("video.mkv"), tiny.moving(50), codec="ffv1", pix_fmt="bgr0")
    notebook = json.loads((ROOT / "docs/python.ipynb").read_text())
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    assert len(cells) >= 6
    assert all(not cell.get("outputs") for cell in notebook["cells"])
    names: dict[str, object] = {}
    for number, cell in enumerate(cells, start=1):
        exec(compile(cell, f"cell {number}", "exec"), names)
    assert len(names["table"]) == len(names["again"]) == len(names["rows"]) == 50  # type: ignore[arg-type]
