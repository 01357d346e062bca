import json

import numpy as np
import pytest

from stages.core.errors import DataError
from stages.videos.manifest import (
    Entry,
    Manifest,
    check_name,
    read_labels,
    read_timestamps,
    save_frames,
)


def make_entry(name: str, split: str = "train") -> Entry:
    return Entry(
        name=name,
        video=f"batch1/{name}.mp4",
        video_hash="0" * 64,
        side="only",
        person=name,
        group=name,
        split=split,
        frames=3,
        frame_rate=25.0,
        variable_frame_rate=False,
        width=64,
        height=48,
        sound=True,
        sound_start=0.125,
        annotation=None,
        annotation_lines=0,
        official_crops=None,
        warnings=("One.", "Two — ü."),
    )


def test_a_saved_manifest_loads_as_it_was(tmp_path):
    manifest = Manifest("root", (make_entry("a"), make_entry("b", "test")), {"c.mp4": "Empty."})
    manifest.save(tmp_path)
    assert Manifest.load(tmp_path) == manifest
    assert manifest.names() == ("a", "b")
    assert manifest.names("test", "validation") == ("b",)
    assert manifest.entry("b").split == "test"
    with pytest.raises(DataError, match="'x'"):
        manifest.entry("x")


def test_the_order_in_which_entries_were_found_leaves_no_trace(tmp_path):
    a, b = make_entry("a"), make_entry("b")
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    Manifest("r", (a, b), {"x": "1", "y": "2"}).save(tmp_path / "1")
    Manifest("r", (b, a), {"y": "2", "x": "1"}).save(tmp_path / "2")
    first, second = (tmp_path / n / "manifest.json" for n in "12")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a\nb", "a\0b", " a", "x" * 300, "C:x"],
)
def test_names_that_could_leave_the_folder_are_refused(name):
    with pytest.raises(DataError):
        check_name(name)


@pytest.mark.parametrize("name", ["03-1280x720_left", "video 7", "früh", "a.b", "30-30-1920x1080"])
def test_ordinary_names_are_kept(name):
    assert check_name(name) == name


def test_a_manifest_that_was_tampered_with_is_refused(tmp_path):
    Manifest("r", (make_entry("a"),), {}).save(tmp_path)
    path = tmp_path / "manifest.json"
    content = json.loads(path.read_text())
    content["entries"][0]["name"] = "../../a"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="name of a video"):
        Manifest.load(tmp_path)
    path.write_text("{}")
    with pytest.raises(DataError, match="not a manifest"):
        Manifest.load(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="dvc repro index"):
        Manifest.load(tmp_path)


def test_frames_come_back_by_name(tmp_path):
    times = np.array([0.0, 0.04, 0.1])
    labels = np.arange(36).reshape(3, 12).astype(np.int8) % 3 - 1
    save_frames(tmp_path, [("a", times, labels), ("b_left", times + 1, -labels)])
    np.testing.assert_array_equal(read_timestamps(tmp_path, "b_left"), times + 1)
    np.testing.assert_array_equal(read_labels(tmp_path, "a"), labels)
    assert read_labels(tmp_path, "a").dtype == np.int8
    with pytest.raises(DataError, match="'c'"):
        read_labels(tmp_path, "c")
    with pytest.raises(DataError):
        read_labels(tmp_path, "../a")


def test_missing_frames_are_a_sentence(tmp_path):
    with pytest.raises(DataError, match="dvc repro index"):
        read_timestamps(tmp_path, "a")
