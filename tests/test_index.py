import json
import os
import shutil
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
import yaml

from stages import index
from stages.core import paths
from stages.core.errors import DataError
from stages.core.facs import ANNOTATION_HEADER, N_AUS
from stages.synthesis.video_file import write_video
from stages.videos import indexing
from stages.videos.dataroot import look
from stages.videos.manifest import Manifest, read_labels, read_timestamps

PROJECT = Path(__file__).parents[1]
CLIPS = PROJECT.parent / "shared" / "clips"
CHALLENGE = "annotations/AU_Detection_Challenge"
FRAMES = 10


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty data root in an empty working folder with the project's settings."""
    settings = yaml.safe_load((PROJECT / "params.yaml").read_text())
    settings["data"]["root"] = "root"
    settings["compute"]["workers"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "root"
    (root / "batch1").mkdir(parents=True)
    return root


def add_video(root, path, frames=FRAMES):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    grey = (np.full((32, 48, 3), 6 * k, np.uint8) for k in range(frames))
    write_video(root / path, grey, np.arange(frames) / 25, crf=30)
    return root / path


def rows(lines=FRAMES):
    return np.random.default_rng(lines).integers(-1, 2, (lines, N_AUS))


def add_annotation(root, split, name, lines=FRAMES, text=None):
    path = root / CHALLENGE / f"{split}_Set" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "\n".join(",".join(map(str, row)) for row in rows(lines))
    path.write_bytes((text or f"{ANNOTATION_HEADER}\n{body}\n").encode())
    return path


def run():
    index.main()
    return Manifest.load(paths.INDEX)


def test_splits_sides_people_and_crops_of_a_whole_root(root, capsys):
    add_video(root, "batch1/one.mp4")
    add_annotation(root, "Train", "one")
    add_video(root, "batch2/deep/pair.mp4")
    add_annotation(root, "Validation", "pair")
    add_annotation(root, "Validation", "pair_right")
    add_video(root, "both.mp4")
    add_annotation(root, "Test", "both_left")
    add_annotation(root, "Test", "both_right")
    add_video(root, "batch1/x_left.mp4")  # a name that only looks like a side
    add_annotation(root, "Train", "x_left")
    add_video(root, "batch1/listed.mp4")
    add_video(root, "batch1/free.mp4")
    (root / "annotations" / "AU_test_set_release.txt").write_text("listed\nlisted_left\r\n\n")
    (root / "cropped_aligned/one").mkdir(parents=True)
    (root / "new/cropped_aligned_new_50_vids/pair_right").mkdir(parents=True)
    (root / "people.csv").write_text("name,person\none,Ann\npair,Bo\npair_right,Cy\n")

    manifest = run()
    kept = {e.name: (e.split, e.side, e.person, e.group) for e in manifest.entries}
    assert kept == {
        "one": ("train", "only", "Ann", "one"),
        "pair": ("validation", "left", "Bo", "pair"),
        "pair_right": ("validation", "right", "Cy", "pair"),
        "both_left": ("test", "left", "both_left", "both"),
        "both_right": ("test", "right", "both_right", "both"),
        "x_left": ("train", "only", "x_left", "x_left"),
        "listed": ("test", "right", "listed", "listed"),
        "listed_left": ("test", "left", "listed_left", "listed"),
        "free": ("unlabelled", "only", "free", "free"),
    }
    assert [e.name for e in manifest.entries] == sorted(kept)
    assert manifest.unreadable == {}
    assert manifest.root == "root"
    one, right = manifest.entry("one"), manifest.entry("pair_right")
    assert one.official_crops == "cropped_aligned/one"
    assert right.official_crops == "new/cropped_aligned_new_50_vids/pair_right"
    assert (one.frames, one.width, one.height, one.sound) == (FRAMES, 48, 32, False)
    assert one.frame_rate == pytest.approx(25)
    assert right.video == "batch2/deep/pair.mp4"
    np.testing.assert_array_equal(read_labels(paths.INDEX, "pair_right"), rows())
    assert (read_labels(paths.INDEX, "free") == -1).all()
    times = read_timestamps(paths.INDEX, "one")
    np.testing.assert_allclose(times, np.arange(FRAMES) / 25, atol=1e-6)
    said = capsys.readouterr().out
    assert "6 videos, 9 faces to follow, 90 frames" in said
    assert "2 train, 2 validation, 4 test, 1 unlabelled" in said


OFFICIAL = "names_of_videos_in_each_test_set"


def test_of_the_official_test_lists_the_au_tracks_alone_is_read(root):
    names = ("au_one", "expression", "va", "trained")
    for name in names:
        add_video(root, f"batch1/{name}.mp4")
    add_annotation(root, "Train", "trained")
    folder = root / "test" / OFFICIAL
    folder.mkdir(parents=True)
    track = "{}_Challenge_test_set_release.txt"
    (folder / track.format("Action_Unit_Detection")).write_text("au_one\n")
    (folder / track.format("Expression_Classification")).write_text("expression\n")
    (folder / track.format("Valence_Arousal_Estimation")).write_text("va\ntrained\n")
    (root / "latest_notes.txt").write_text("expression\n")
    (root / "contest.txt").write_text("va\n")
    (root / "EXPR_Classification_Challenge").mkdir()
    (root / "EXPR_Classification_Challenge/test_set.txt").write_text("expression\n")
    manifest = run()
    assert {e.name for e in manifest.entries if e.split == "test"} == {"au_one"}
    assert manifest.unreadable == {}


def test_what_may_be_a_test_list_and_is_not_read_is_named(root):
    add_video(root, "batch1/a.mp4")
    add_video(root, "batch1/b.mp4")
    (root / OFFICIAL).mkdir()
    (root / OFFICIAL / "AU_test_set_release.txt").write_text("a\n")
    (root / OFFICIAL / "readme.txt").write_text("b\n")
    (root / "test_set.txt").write_text("b\n")
    (root / "test_notes.txt").write_text("b\n")
    (root / "MTL_AU_test_set.txt").write_text("b\n")
    (root / "AU_test_set_sample.txt").write_text("image_location,AU1\nb/00001.jpg,0\n")
    manifest = run()
    assert {e.name for e in manifest.entries if e.split == "test"} == {"a"}
    said = {
        f"{OFFICIAL}/readme.txt": "cannot be told",
        "test_set.txt": f"{OFFICIAL}/AU_test_set_release.txt is the AU track's",
        "test_notes.txt": "call it AU_test_set.txt",
        "MTL_AU_test_set.txt": "cannot be told",
        "AU_test_set_sample.txt": "a table, not a list",
    }
    assert manifest.unreadable.keys() == said.keys()
    for where, why in said.items():
        assert why in manifest.unreadable[where]


def test_lists_that_contradict_each_other_are_refused(root):
    add_video(root, "batch1/a.mp4")
    for place, text in (("one", "a\n"), ("two", "a\n\n")):
        (root / place).mkdir()
        (root / place / "AU_test_set_release.txt").write_text(text)
    assert run().entry("a").split == "test"  # twice the same
    (root / "two/AU_test_set_release.txt").write_text("b\n")
    with pytest.raises(
        DataError, match=r"one/AU_test_set_release\.txt, two/AU_test_set_rel.*keep one"
    ):
        index.main()


def test_annotations_of_another_length(root):
    for name, lines in (("short", FRAMES - 2), ("long", FRAMES + 3)):
        add_video(root, f"batch1/{name}.mp4")
        add_annotation(root, "Train", name, lines)
    manifest = run()
    short, long = manifest.entry("short"), manifest.entry("long")
    assert (short.frames, short.annotation_lines) == (FRAMES, FRAMES - 2)
    assert (read_labels(paths.INDEX, "short")[-2:] == -1).all()
    assert "2 frames at the end" in short.warnings[0]
    np.testing.assert_array_equal(read_labels(paths.INDEX, "long"), rows(FRAMES + 3)[:FRAMES])
    assert "3 annotation lines" in long.warnings[0]


def test_each_wrong_file_is_named_and_the_rest_goes_on(root, capsys):
    good = add_video(root, "batch1/good.mp4")
    add_annotation(root, "Train", "good")
    data = good.read_bytes()
    (root / "batch1/cut.mp4").write_bytes(data[:400])
    (root / "batch1/empty.mp4").write_bytes(b"")
    (root / "batch1/text.mp4").write_text("This is no video.\n")
    add_video(root, "batch1/twice.mp4")
    add_video(root, "batch2/twice.mkv.mp4").rename(root / "batch2/twice.mkv")
    (root / "batch1/.hidden.mp4").write_text("what file managers leave behind")
    wrong = {
        "header": "AU1,AU2\n0,1\n",
        "letters": f"{ANNOTATION_HEADER}\n{'0,' * 11}0\n{'0,' * 11}b\n",
        "columns": f"{ANNOTATION_HEADER}\n0,0,0\n",
        "values": f"{ANNOTATION_HEADER}\n{'0,' * 11}7\n",
    }
    for name, text in wrong.items():
        shutil.copy(good, root / f"batch1/{name}.mp4")
        add_annotation(root, "Train", name, text=text)
    right = add_annotation(root, "Train", "good").read_text()
    fine = {"crlf": right.replace("\n", "\r\n"), "mark": "\ufeff" + right}
    for name, text in fine.items():
        shutil.copy(good, root / f"batch1/{name}.mp4")
        add_annotation(root, "Train", name, text=text)
    add_annotation(root, "Train", "nobody")
    add_annotation(root, "Train", "cut")
    (root / "cropped_aligned/nowhere").mkdir(parents=True)
    (root / "test_list.txt").write_text("good\n../escape\n/etc/passwd\nabsent\n")
    (root / "people.csv").write_text("who,what\n")

    manifest = run()
    assert [e.name for e in manifest.entries] == sorted(["good", *wrong, *fine])
    for name in ("good", *fine):
        assert manifest.entry(name).split == "train"
        np.testing.assert_array_equal(read_labels(paths.INDEX, name), rows())
    for name in wrong:
        assert manifest.entry(name).split == "unlabelled"
        assert (read_labels(paths.INDEX, name) == -1).all()
    said = {
        "batch1/cut.mp4": "cut off",
        "batch1/empty.mp4": "is empty",
        "batch1/text.mp4": "cannot be opened as a video",
        "batch1/twice.mp4": "The same name as batch2/twice.mkv",
        "batch2/twice.mkv": "The same name as batch1/twice.mp4",
        f"{CHALLENGE}/Train_Set/header.txt": "first line must be AU1,AU2,AU4",
        f"{CHALLENGE}/Train_Set/letters.txt": "line 3 holds 'b'",
        f"{CHALLENGE}/Train_Set/columns.txt": "line 2 has 3 columns instead of 12",
        f"{CHALLENGE}/Train_Set/values.txt": "line 2 holds '7'",
        f"{CHALLENGE}/Train_Set/nobody.txt": "no readable video called nobody",
        f"{CHALLENGE}/Train_Set/cut.txt": "no readable video called cut",
        "cropped_aligned/nowhere": "no readable video called nowhere",
        "test_list.txt, line 2": "cannot be the name",
        "test_list.txt, line 3": "cannot be the name",
        "test name absent": "no readable video called absent",
        "people.csv": "columns name and person",
    }
    assert manifest.unreadable.keys() == said.keys()
    printed = capsys.readouterr().out
    assert f"{len(said)} left out:" in printed
    for where, why in said.items():
        assert why in manifest.unreadable[where]
        assert manifest.unreadable[where] in printed
        assert str(root) not in manifest.unreadable[where]


def test_a_video_cut_off_in_the_middle_is_kept_with_a_warning(root):
    path = add_video(root, "batch1/cut.mp4", frames=40)
    add_annotation(root, "Train", "cut", 40)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.8)])
    entry = run().entry("cut")
    assert 0 < entry.frames < 40
    assert any("promises 40 pictures" in warning for warning in entry.warnings)


def test_one_video_in_two_splits_is_warned_of(root):
    add_video(root, "batch1/pair.mp4")
    add_annotation(root, "Train", "pair")
    add_annotation(root, "Validation", "pair_left")
    manifest = run()
    assert manifest.entry("pair").side == "right"
    assert all("more than one split" in e.warnings[-1] for e in manifest.entries)


def test_the_same_annotation_in_two_splits_is_used_once(root):
    add_video(root, "batch1/a.mp4")
    add_annotation(root, "Train", "a")
    second = add_annotation(root, "Validation", "a")
    manifest = run()
    assert manifest.entry("a").split == "train"
    assert list(manifest.unreadable) == [second.relative_to(root).as_posix()]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: shutil.rmtree(root), "not a folder: set data.root"),
        (lambda root: None, "holds no video"),
        (lambda root: (root / "batch1/a.mp4").write_text("x"), "No video below root can be read"),
    ],
)
def test_a_root_without_videos_is_a_sentence(root, spoil, said):
    spoil(root)
    with pytest.raises(DataError, match=said):
        index.main()
    assert not paths.INDEX.exists()


def test_a_video_and_its_annotation_may_spell_an_accent_in_two_ways(root):
    name = "ni\u00f1o"
    add_video(root, "batch1/a.mp4").rename(root / f"batch1/{normalize('NFD', name)}.mp4")
    add_annotation(root, "Train", name)
    (entry,) = run().entries
    assert (entry.name, entry.split) == (name, "train")


def test_a_name_that_is_no_utf8_is_left_out_with_a_sentence(root, capsys):
    add_video(root, "batch1/good.mp4")
    add_video(root, "batch1/a.mp4").rename(root / "batch1" / os.fsdecode(b"ni\xf1o.mp4"))
    found = run()
    assert [entry.name for entry in found.entries] == ["good"]
    reason = found.unreadable["batch1/ni\ufffdo.mp4"]
    assert "it is not UTF-8; rename the file" in reason


def test_links_are_followed_but_not_round_in_circles(root, tmp_path):
    add_video(tmp_path / "elsewhere", "linked.mp4")
    (root / "batch2").symlink_to(tmp_path / "elsewhere")
    (root / "batch1" / "loop").symlink_to(root)
    assert look(root).videos == {"linked": "batch2/linked.mp4"}


def test_a_run_that_was_stopped_goes_on_and_ends_in_the_same_bytes(root, monkeypatch):
    for name in "abc":
        add_video(root, f"batch1/{name}.mp4")
        add_annotation(root, "Train", name)
    run()
    names = ("manifest.json", "frames.h5")
    expected = [(paths.INDEX / name).read_bytes() for name in names]
    shutil.rmtree(paths.INDEX)

    scanned: list[str] = []
    original = indexing.scan_video
    monkeypatch.setattr(indexing, "scan_video", _interrupted(original, scanned, after=1))
    with pytest.raises(KeyboardInterrupt):
        index.main()
    assert not paths.INDEX.exists()
    monkeypatch.setattr(indexing, "scan_video", _interrupted(original, scanned, after=9))
    run()
    assert len(scanned) == len(set(scanned)) == 3
    assert [(paths.INDEX / name).read_bytes() for name in names] == expected


def _interrupted(function, seen, after):
    def wrapper(video, piece):
        if len(seen) >= after:
            raise KeyboardInterrupt
        seen.append(video.path)
        function(video, piece)

    return wrapper


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not beside the checkout")
def test_real_clips(root):
    counts = {}
    for clip in sorted(CLIPS.glob("*.m[po]*")):
        shutil.copy(clip, root / "batch1")
        counts[clip.stem] = 75 if clip.stem.startswith("grid") else 0
    counts |= {"face_noface": 169, "single_face": 72}
    for name, frames in counts.items():
        add_annotation(root, "Validation", name, frames)
    manifest = run()
    assert {e.name: e.frames for e in manifest.entries} == counts
    assert not any(e.warnings for e in manifest.entries)
    assert [e.name for e in manifest.entries if e.variable_frame_rate] == ["face_noface"]
    assert manifest.entry("face_noface").sound_start == pytest.approx(2.43, abs=0.005)
    assert json.loads((paths.INDEX / "manifest.json").read_text())["root"] == "root"


@pytest.mark.parametrize("policy", ["warn", "allow"])
def test_a_licence_can_stop_the_index_and_is_not_in_it(root, policy):
    # so dvc.yaml need not declare it: a root would be decoded anew for a word about it
    add_video(root, "batch1/one.mp4")
    add_annotation(root, "Train", "one")
    made = []
    for licence in (None, "CC-BY-4.0", "for my own eyes"):
        settings = yaml.safe_load(Path("params.yaml").read_text())
        settings["data"]["licence"], settings["licences"]["noncommercial"] = licence, policy
        Path("params.yaml").write_text(yaml.safe_dump(settings))
        run()
        made.append({p.name: p.read_bytes() for p in sorted(paths.INDEX.iterdir())})
    assert made[0]
    assert made[1] == made[0]
    assert made[2] == made[0]
