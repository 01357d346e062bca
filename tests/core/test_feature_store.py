"""The feature store: what is written is read, NaN rows, sums, shared rows, the same bytes."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from stages.core.errors import DataError
from stages.core.feature_shard import ShardWriter, read_shard
from stages.core.feature_store import (
    FeatureReader,
    FeatureWriter,
    shard_path,
    store_hash,
    write_index,
)
from stages.core.hashing import file_hash
from tests import stand_ins

ABOUT = {"encoder": "toy", "weights_hash": "abc", "settings": {"scale": "small"}}


def writer(path: Path, width: int = 6) -> FeatureWriter:
    return FeatureWriter(path, width=width, **ABOUT)


def noise(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, 6)).astype(np.float16)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    features = noise(300)
    with writer(tmp_path / "a") as store:
        store.add("long", features, 29.97)
        store.add("short", features[:5], 25.0)
        store.add("none", features[:0], 25.0)
    with FeatureReader(tmp_path / "a") as store:
        assert store.names == ("long", "none", "short")
        assert store.width == 6
        assert store.frame_rate("long") == 29.97
        assert [store.frames(name) for name in store.names] == [300, 0, 5]
        assert store.read("long").dtype == np.float16
        np.testing.assert_array_equal(store.read("long", 100, 140), features[100:140])
        np.testing.assert_array_equal(store.read("short"), features[:5])
        assert store.read("none").shape == (0, 6)
        assert store.attributes["encoder"] == "toy"
        assert store.attributes["weights_hash"] == "abc"
        assert json.loads(store.attributes["settings"]) == {"scale": "small"}
        assert not store.rows("long").flags.writeable


def test_features_lie_in_one_piece_as_a_map_needs_them(tmp_path: Path) -> None:
    features = noise(40)
    with writer(tmp_path / "a") as store:
        store.add("v", features, 25.0)
    path = shard_path(tmp_path / "a", "v")
    _, (stored,) = read_shard(path)
    mapped = np.memmap(path, np.float16, "r", stored.offset, features.shape)
    np.testing.assert_array_equal(mapped, features)
    with h5py.File(path) as file:
        assert file["v/features"].chunks is None


def test_rows_that_are_not_filled_are_nan_and_no_part_of_the_sums(tmp_path: Path) -> None:
    path = shard_path(tmp_path / "a", "v")
    path.parent.mkdir(parents=True)
    rows = noise(10)
    with ShardWriter(path, width=6, **ABOUT) as shard:
        shard.create("v", 200, 25.0)[150:160] = rows
    with ShardWriter(shard_path(tmp_path / "a", "w"), width=6, **ABOUT) as shard:
        shard.create("w", 3, 25.0)
    hashes = {name: file_hash(shard_path(tmp_path / "a", name)) for name in "vw"}
    assert write_index(tmp_path / "a", {}, hashes) == 203
    with FeatureReader(tmp_path / "a") as store:
        read = store.read("v")
        assert np.flatnonzero(store.valid("v")).tolist() == list(range(150, 160))
        wide = rows.astype(np.float64)
        np.testing.assert_allclose(store.sums("v"), [wide.sum(0), (wide**2).sum(0)])
        assert np.isnan(store.read("w")).all()
        assert not store.valid("w").any()
        assert not store.sums("w").any()
    np.testing.assert_array_equal(np.isnan(read).all(1), ~np.isin(np.arange(200), range(150, 160)))
    np.testing.assert_array_equal(read[150:160], rows)


def test_shards_make_the_same_store_in_any_order(tmp_path: Path) -> None:
    for number, names in enumerate(("bac", "cba")):
        with writer(tmp_path / str(number)) as store:
            for name in names:
                store.add(name, noise(130, ord(name)), 25.0)
    assert stand_ins.contents(tmp_path / "0") == stand_ins.contents(tmp_path / "1")
    assert store_hash(tmp_path / "0") == store_hash(tmp_path / "1")


def test_the_hash_of_a_store_is_another_when_one_value_is(tmp_path: Path) -> None:
    for number in range(2):
        features = noise(130)
        features[7, 3] += number
        with writer(tmp_path / str(number)) as store:
            store.add("v", features, 25.0)
    assert store_hash(tmp_path / "0") != store_hash(tmp_path / "1")


def test_two_entries_share_the_rows_of_one_shard(tmp_path: Path) -> None:
    path = shard_path(tmp_path / "a", "b")
    path.parent.mkdir(parents=True)
    with ShardWriter(path, width=6, **ABOUT) as shard:
        shard.add("b", noise(50), 25.0)
    names = {"b": ["b", "b_left"]}
    assert write_index(tmp_path / "a", {}, {"b": file_hash(path)}, names) == 100
    with FeatureReader(tmp_path / "a") as store:
        assert store.names == ("b", "b_left")
        np.testing.assert_array_equal(store.read("b"), store.read("b_left"))
        np.testing.assert_array_equal(store.sums("b"), store.sums("b_left"))
        with pytest.raises(DataError, match="no features of 'c'"):
            store.read("c")


def test_shards_that_were_made_in_two_ways_are_refused(tmp_path: Path) -> None:
    for name, weights in (("a", "abc"), ("b", "def")):
        path = shard_path(tmp_path, name)
        path.parent.mkdir(exist_ok=True)
        with ShardWriter(path, width=6, **{**ABOUT, "weights_hash": weights}) as shard:
            shard.add(name, noise(3), 25.0)
    with pytest.raises(DataError, match=r"b\.h5 was made in another way .*weights_hash: def, abc"):
        write_index(tmp_path, {}, {"a": "", "b": ""})


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    for look in (FeatureReader, store_hash):
        with pytest.raises(DataError, match=r"missing: run `dvc repro"):
            look(tmp_path / "none")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(DataError, match="no feature store"):
        FeatureReader(tmp_path / "text")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/index.json").write_text("{}")
    with pytest.raises(DataError, match="no feature store"):
        FeatureReader(tmp_path / "other")
    (tmp_path / "other/index.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        FeatureReader(tmp_path / "other")


@pytest.mark.parametrize("how", ["gone", "short", "long"])
def test_a_shard_that_is_not_as_the_index_says_is_a_sentence(tmp_path: Path, how: str) -> None:
    with writer(tmp_path / "a") as store:
        store.add("v", noise(90), 25.0)
    path = shard_path(tmp_path / "a", "v")
    if how == "gone":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[:-500] if how == "short" else content + b"0")
    with (
        FeatureReader(tmp_path / "a") as store,
        pytest.raises(DataError, match=r"v\.h5 is missing or"),
    ):
        store.read("v")


def test_an_index_cannot_lead_out_of_its_store(tmp_path: Path) -> None:
    with writer(tmp_path / "a") as store:
        store.add("v", noise(9), 25.0)
    index = tmp_path / "a/index.json"
    text = index.read_text().replace('"v.h5"', '"../../secret"')
    index.write_text(text)
    (tmp_path / "secret").write_bytes(shard_path(tmp_path / "a", "v").read_bytes())
    with FeatureReader(tmp_path / "a") as store, pytest.raises(DataError, match="damaged"):
        store.read("v")


def test_features_of_another_width_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="6 wide"), writer(tmp_path / "a") as store:
        store.add("v", np.zeros((3, 7), np.float16), 25.0)
    assert not (tmp_path / "a/index.json").exists()


def test_more_videos_than_a_process_may_open_files(tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
        with writer(tmp_path / "a") as store:
            for number in range(200):
                store.add(f"v{number}", noise(3, number), 25.0)
        with FeatureReader(tmp_path / "a") as store:
            for number in range(200):
                np.testing.assert_array_equal(store.rows(f"v{number}"), noise(3, number))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
