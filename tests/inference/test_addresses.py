"""A folder called like an address (`run:1`) is a folder, for every library that opens a file."""

from pathlib import Path

import numpy as np
import pytest

from stages.ensembles.calibration import Calibration
from stages.inference.outputs import Outputs
from stages.inference.results import KIND, read_parts, read_rows
from stages.inference.views.overlay import write_overlay
from stages.inference.writing import Writer
from stages.videos.video import scan
from tests.inference import clips, tracks

TIMES = np.arange(6) / 25


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """From where we are: with a slash before it nobody takes it for an address."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run:1").mkdir()
    return Path("run:1")


def test_tables_are_written_into_it(folder: Path) -> None:
    with Outputs(folder, "a", KIND) as outputs:
        Writer(outputs, Calibration()).finish({})
    assert {path.name for path in folder.iterdir()} == {"a.csv", "a.parquet", "a.json"}


def test_tables_are_read_from_it(folder: Path) -> None:
    table = tracks.ours(folder.absolute(), TIMES, tracks.course(len(TIMES)))
    for ending in (".csv", ".parquet"):
        (part,) = read_parts(folder / f"{table.stem}{ending}")
        np.testing.assert_allclose(part.timestamp, TIMES)
    np.testing.assert_allclose(read_rows(folder / f"{table.stem}.parquet").timestamp, TIMES)


def test_an_overlay_is_drawn_into_it_of_a_video_in_it(folder: Path) -> None:
    clips.write_clip(folder.absolute() / "v.mp4", TIMES)
    table = tracks.ours(folder.absolute(), TIMES, tracks.course(len(TIMES)))
    made = write_overlay(folder / "v.mp4", folder / f"{table.stem}.parquet", folder / "o.mp4")
    assert len(scan(made).timestamps) == len(TIMES)
