"""Tables of FaceReader, iMotions, OpenFace 3.0, py-feat 2 and MediaPipe, as those write them."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.core.errors import DataError
from stages.core.facs import AU_MEANINGS, AU_NAMES, AU_NUMBERS
from stages.core.hashing import ROOT
from stages.inference.comparison.agreement import align
from stages.inference.comparison.compare import compare_files
from stages.inference.comparison.csv_table import read_sheet
from stages.inference.comparison.external_predictions import read_track
from tests.inference import tracks

FRAMES = 60
TIMES = np.arange(FRAMES) / 25
OURS, THEIRS = tracks.course(FRAMES, 1), tracks.course(FRAMES, 2)
BOUNDS = [0.1, 0.217, 0.334, 0.622, 0.91]  # where A to E begin
CLIPS = ROOT.parent / "shared/clips"


def facereader(path: Path, letters: bool = False) -> Path:
    """The detailed log: of the recording first, then rows with tabs."""
    lines = ["Video analysis detailed log", 'Face Model:\tGeneral "2016"',
             "Filename:\tC:\\videos\\clip.mp4", "Frame rate:\t25", ""]  # fmt: skip
    titles = [
        f"Action Unit {n:02d} - {AU_MEANINGS[name].title()}"
        for n, name in zip(AU_NUMBERS, AU_NAMES, strict=True)
    ]
    lines.append("\t".join(["Video Time", "Neutral", *titles, f"{titles[0]} - Left"]))
    for k, time in enumerate(TIMES):
        if k in (7, 8):
            cells = ["FIT_FAILED"] * 14
        elif letters:
            grades = np.digitize(THEIRS[k], BOUNDS)
            cells = ["0.5", *(["NotActive", *"ABCDE"][grade] for grade in grades), "A"]
        else:
            cells = ["0.5", *(f"{v:.4f}" for v in THEIRS[k]), "0.1"]
        lines.append("\t".join([f"00:00:{time:06.3f}", *cells]))
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


@pytest.mark.parametrize("letters", [False, True])
def test_facereader(tmp_path: Path, letters: bool) -> None:
    track = read_track(facereader(tmp_path / "fr.txt", letters))
    assert track.tool == "FaceReader"
    assert track.seen.sum() == FRAMES - 2
    assert track.time is not None
    np.testing.assert_allclose(track.time, TIMES, atol=1e-9)
    grades = np.digitize(THEIRS, BOUNDS)
    for au, name in enumerate(AU_NAMES):
        found = track.intensity[name][track.seen]
        wanted = grades[track.seen, au]
        assert (np.floor(found + 1e-9) == wanted).all(), "A is 1, E is 5"
        if letters:
            assert (found == wanted).all()
        decided = track.decision[name][track.seen]
        assert (decided == (THEIRS[track.seen, au] >= 0.1)).all()
    ours = tracks.ours(tmp_path, TIMES, OURS)
    said = compare_files(ours, tmp_path / "fr.txt")
    assert "FaceReader" in said
    assert "aligned by time" in said


def test_what_is_wrong_in_a_log_is_named_by_its_line(tmp_path: Path) -> None:
    path = facereader(tmp_path / "fr.txt")
    lines = path.read_text().splitlines()
    good = lines[9]
    lines[9] = lines[9].replace(f"{THEIRS[3, 0]:.4f}", "1.7", 1)
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"line 10: '1\.7' in column Action Unit 01 - Inner Brow"):
        read_track(path)
    lines[9] = "soon" + good[12:]
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="line 10: 'soon' in column Video Time is no time"):
        read_track(path)


AFFDEX = {
    "Inner Brow Raise": 0, "Brow Raise": 1, "Brow Furrow": 2, "Cheek Raise": 3, "Lid Tighten": 4,
    "Upper Lip Raise": 5, "Smile": 6, "Lip Corner Depressor": 7, "Lip Press": 9, "Mouth Open": 10,
    "Jaw Drop": 11, "Dimpler": 0,
}  # fmt: skip


def test_imotions_affdex_beside_other_sensors(tmp_path: Path) -> None:
    path = tmp_path / "001.csv"
    rows: list[list[object]] = [
        ["#INFO", "x"], ["#Recording time", "a, b"], ["#METADATA"], ["#DATA"],
        ["Row", "Timestamp", "EventSource", "SlideEvent", "GSR", *AFFDEX],
    ]  # fmt: skip
    for k in range(FRAMES):
        rows.append([2 * k, 4000 + 40 * k, 1, "", 0.3, *[""] * len(AFFDEX)])
        values = [round(100 * THEIRS[k, au], 3) for au in AFFDEX.values()]
        rows.append([2 * k + 1, 4000 + 40 * k, 2, "", "", *values])
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    track = read_track(path)
    assert track.tool == "iMotions"
    assert len(track) == FRAMES
    assert track.time is not None
    np.testing.assert_allclose(track.time, TIMES, atol=1e-9)
    assert set(track.strength) == set(AU_NAMES) - {"AU23"}
    np.testing.assert_allclose(track.strength["AU12"], THEIRS[:, 6], atol=1e-4)
    assert (track.decision["AU12"] == (THEIRS[:, 6] >= 0.5)).all()


def test_imotions_facet_evidence_is_a_logarithm_of_odds(tmp_path: Path) -> None:
    inside = THEIRS.clip(0.01, 0.99)
    evidence = np.log10(inside / (1 - inside))
    table = pd.DataFrame({f"AU{n} Evidence": evidence[:, au] for au, n in enumerate(AU_NUMBERS)})
    table.insert(0, "Timestamp", 1000 * TIMES)
    table.to_csv(tmp_path / "facet.txt", sep="\t", index=False)
    track = read_track(tmp_path / "facet.txt")
    np.testing.assert_allclose(track.strength["AU26"], inside[:, 11], atol=1e-9)
    assert (track.decision["AU26"] == (inside[:, 11] >= 0.5)).all()


@pytest.mark.parametrize("form", ["AU{n}", "AU{n:02d}", "au_{k}", "au_{j:02d}"])
def test_openface_3_has_eight_aus_by_number_or_in_its_order(tmp_path: Path, form: str) -> None:
    eight = (1, 2, 4, 6, 9, 12, 25, 26)
    values = np.random.default_rng(0).uniform(0, 1, (FRAMES, 8)).round(4)
    table = pd.DataFrame({"frame_index": range(FRAMES), "gaze_yaw": 0.1, "gaze_pitch": 0.2,
                          "emotion_label": "Neutral"})  # fmt: skip
    for k, n in enumerate(eight):
        table[form.format(n=n, k=k, j=k + 1)] = values[:, k]
    table.to_csv(tmp_path / "of3.csv", index=False)
    track = read_track(tmp_path / "of3.csv")
    assert track.tool == "OpenFace-3"
    assert set(track.strength) == {"AU01", "AU02", "AU04", "AU06", "AU12", "AU25", "AU26"}
    np.testing.assert_allclose(track.strength["AU06"], values[:, 3])
    np.testing.assert_allclose(track.strength["AU12"], values[:, 5])
    assert (track.decision["AU26"] == (values[:, 7] >= 0.5)).all()
    assert track.frame is not None
    assert track.frame[0] == 1


def test_py_feat_2_with_blendshapes_is_py_feat(tmp_path: Path) -> None:
    path = tracks.pyfeat(tmp_path / "feat.csv", range(FRAMES), THEIRS)
    table = pd.read_csv(path)
    table["browInnerUp"], table["jawOpen"] = 0.9, 0.8
    table.to_csv(path, index=False)
    track = read_track(path)
    assert track.tool == "py-feat"
    np.testing.assert_allclose(track.strength["AU01"], THEIRS[:, 0])


def test_blendshapes_that_count_frames_from_0(tmp_path: Path) -> None:
    if not CLIPS.is_dir():
        pytest.skip("no clips beside the project")
    table = pd.read_csv(CLIPS / "blendshapes/single_face.csv")
    wanted = read_track(CLIPS / "blendshapes/single_face.csv")
    table["frame"] -= 1
    table.to_csv(tmp_path / "zero.csv", index=False)
    found = read_track(tmp_path / "zero.csv")
    assert found.frame is not None
    assert (found.frame == wanted.frame).all()
    np.testing.assert_allclose(found.strength["AU12"], wanted.strength["AU12"])


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
def test_separators_that_pandas_writes(tmp_path: Path, separator: str) -> None:
    path = tracks.openface(tmp_path / "of.csv", TIMES, THEIRS)
    wanted = read_track(path)
    table = pd.read_csv(path, skipinitialspace=True)
    table.to_csv(tmp_path / "again.csv", sep=separator)  # with its index, whose title is empty
    found = read_track(tmp_path / "again.csv")
    np.testing.assert_array_equal(found.strength["AU12"], wanted.strength["AU12"])
    assert len(read_sheet(tmp_path / "again.csv")) == FRAMES


def test_a_part_of_a_video_is_compared_at_its_own_times(tmp_path: Path) -> None:
    theirs = tracks.openface(tmp_path / "of.csv", TIMES, THEIRS)
    path = tracks.ours(tmp_path, TIMES[20:40] + 0.5, OURS[20:40])
    about = {"kind": "aufusion prediction", "source": {}, "ensemble": {}, "start": 0.5,
             "options": {"start": 1.3, "end": 2.1}}  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(about))
    for ours in (path, path.with_suffix(".parquet")):
        mine, other = read_track(ours), read_track(theirs)
        pairs = align(mine, other)
        assert pairs.by == "time"
        assert (pairs.theirs == pairs.ours + 20).all()
        assert len(pairs.ours) == 20
    feat = tracks.pyfeat(tmp_path / "feat.csv", range(FRAMES), THEIRS)
    with pytest.raises(DataError, match="is of a part of its video"):
        compare_files(path, feat)
