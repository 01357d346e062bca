"""The feature store: what is written is read, NaN rows, chunks, links, the same bytes."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from stages.core.errors import DataError
from stages.core.feature_store import FeatureReader, FeatureWriter, merge_stores


def writer(path: Path, width: int = 6) -> FeatureWriter:
    return FeatureWriter(
        path, encoder="toy", weights_hash="abc", width=width, settings={"scale": "small"}
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    features = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float16)
    with writer(tmp_path / "a.h5") as store:
        store.add("long", features, 29.97)
        store.add("short", features[:5], 25.0)
    with FeatureReader(tmp_path / "a.h5") as store:
        assert store.names == ("long", "short")
        assert store.width == 6
        assert store.frame_rate("long") == 29.97
        assert store.frames("short") == 5
        assert store.read("long").dtype == np.float16
        np.testing.assert_array_equal(store.read("long", 100, 140), features[100:140])
        np.testing.assert_array_equal(store.read("short"), features[:5])
        assert store.attributes["encoder"] == "toy"
        assert store.attributes["weights_hash"] == "abc"
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["long"].chunks == (128, 6)
        assert file["short"].chunks == (128, 6)


def test_rows_that_are_not_filled_are_nan(tmp_path: Path) -> None:
    with writer(tmp_path / "a.h5") as store:
        store.create("v", 200, 25.0)[150:160] = np.ones((10, 6), np.float16)
    with FeatureReader(tmp_path / "a.h5") as store:
        rows = store.read("v")
    assert np.isnan(rows[:150]).all()
    assert np.isnan(rows[160:]).all()
    assert (rows[150:160] == 1).all()


def test_pieces_merge_to_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pieces = {}
    for name in ("b", "a", "c"):
        pieces[name] = tmp_path / f"{name}.h5"
        with writer(pieces[name]) as store:
            store.add(name, random.normal(size=(130, 6)).astype(np.float16), 25.0)
    names = {"a": ["a"], "b": ["b", "b_left"], "c": ["c"]}
    assert merge_stores(tmp_path / "1.h5", pieces, names) == 4 * 130
    merge_stores(tmp_path / "2.h5", dict(sorted(pieces.items())), names)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
    with FeatureReader(tmp_path / "1.h5") as store:
        assert store.names == ("a", "b", "b_left", "c")
        np.testing.assert_array_equal(store.read("b"), store.read("b_left"))
    with h5py.File(tmp_path / "1.h5") as file:
        assert file["b"] == file["b_left"]  # one dataset under two names


def test_a_missing_piece_is_left_out(tmp_path: Path) -> None:
    with writer(tmp_path / "a.h5") as store:
        store.add("a", np.zeros((3, 6), np.float16), 25.0)
    merge_stores(tmp_path / "s.h5", {"a": tmp_path / "a.h5"}, {"a": ["a"], "b": ["b"]})
    with FeatureReader(tmp_path / "s.h5") as store:
        assert store.names == ("a",)
        with pytest.raises(DataError, match="no features of 'b'"):
            store.read("b")


def test_files_that_are_no_store_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing: run `dvc repro"):
        FeatureReader(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(DataError, match="damaged or no HDF5 file"):
        FeatureReader(tmp_path / "text.h5")
    h5py.File(tmp_path / "other.h5", "w").close()
    with pytest.raises(DataError, match="no feature store"):
        FeatureReader(tmp_path / "other.h5")


def test_features_of_another_width_are_refused(tmp_path: Path) -> None:
    with writer(tmp_path / "a.h5") as store, pytest.raises(ValueError, match="6 wide"):
        store.add("v", np.zeros((3, 7), np.float16), 25.0)
