"""The file of a run's predictions."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from stages.core.errors import DataError
from stages.core.facs import N_AUS
from stages.sequence.predictions import PredictionWriter, read_predictions

RUN = {"model": "tcn", "visual": ["vit"], "audio": [], "masked": False, "split": "fold1"}


def written(path: Path) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    logits = {name: draw.normal(size=(n, N_AUS)).astype(np.float32) for name, n in
              (("b", 4), ("a", 7))}  # fmt: skip
    writer = PredictionWriter(path, RUN)
    writer.write(0, logits.items())
    writer.write(1, ((name, -rows) for name, rows in logits.items()))
    writer.write(0, ((name, 2 * rows) for name, rows in logits.items()), mute=True)
    assert not path.exists()
    writer.close()
    return logits


def test_what_is_written_is_read(tmp_path: Path) -> None:
    logits = written(tmp_path / "one.h5")
    found = read_predictions(tmp_path / "one.h5")
    assert (found.name, found.run, found.videos) == ("one", RUN, ("a", "b"))
    for name, rows in logits.items():
        np.testing.assert_array_equal(found.seeds[0][name], rows)
        np.testing.assert_array_equal(found.seeds[1][name], -rows)
        np.testing.assert_array_equal(found.muted[0][name], 2 * rows)


def test_same_predictions_same_bytes(tmp_path: Path) -> None:
    written(tmp_path / "one.h5")
    written(tmp_path / "two.h5")
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_what_is_no_prediction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="dvc repro train@gone"):
        read_predictions(tmp_path / "gone.h5")
    (tmp_path / "text.h5").write_text("no")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["run"] = "{}"
        file.create_group("seed0").create_dataset("a", data=np.zeros((3, 5)))
    for name in ("text", "other"):
        with pytest.raises(DataError, match="holds no predictions"):
            read_predictions(tmp_path / f"{name}.h5")


def test_after_an_error_no_file_is_left_open_or_lying_about(tmp_path: Path) -> None:
    def videos() -> Iterator[tuple[str, np.ndarray]]:
        yield "a", np.zeros((3, 12), np.float32)
        raise RuntimeError

    path = tmp_path / "predictions.h5"
    with pytest.raises(RuntimeError), PredictionWriter(path, {}) as writer:
        writer.write(0, videos())
    assert list(tmp_path.iterdir()) == []
    with PredictionWriter(path, {}) as writer:  # HDF5 refuses a file that is open
        writer.write(0, [("a", np.zeros((3, 12), np.float32))])
    assert read_predictions(path).videos == ("a",)
