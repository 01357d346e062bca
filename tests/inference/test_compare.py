"""Agreement with other tools, against scikit-learn and numpy, on files in each tool's format."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import f1_score

from stages.core.errors import DataError
from stages.core.facs import ANNOTATION_HEADER, AU_NAMES
from stages.core.intensity import intensity_of
from stages.inference.comparison.agreement import Agreement, agree, align, nearest_pairs
from stages.inference.comparison.compare import compare_files
from stages.inference.comparison.external_predictions import read_track
from stages.videos.annotations import read_annotation
from tests.inference import tracks

FRAMES = 120
TIMES = np.arange(FRAMES) / 25
OURS, THEIRS = tracks.course(FRAMES, 1), tracks.course(FRAMES, 2)


def icc(first: np.ndarray, second: np.ndarray) -> float:
    """ICC(3,1) by a two-way analysis of variance."""
    both = np.stack([first, second], 1)
    rows, raters, grand = both.mean(1, keepdims=True), both.mean(0), both.mean()
    between = 2 * ((rows - grand) ** 2).sum() / (len(both) - 1)
    rest = ((both - rows - raters + grand) ** 2).sum() / (len(both) - 1)
    return float((between - rest) / (between + rest))


def agreement(ours: Path, theirs: Path) -> dict[str, Agreement]:
    mine, other = read_track(ours), read_track(theirs)
    return {one.au: one for one in agree(mine, other, align(mine, other))}


def check(
    found: Agreement, ours: np.ndarray, theirs: np.ndarray, rounding: float, graded: bool = False
) -> None:
    """Compare one AU with the references; `ours`, `theirs` are the strengths of shared frames."""
    if graded:  # intensities are compared: ours rise with the probabilities
        drawn = intensity_of(ours).astype(float)
        assert found.correlation == pytest.approx(np.corrcoef(drawn, theirs)[0, 1], abs=rounding)
        assert found.icc == pytest.approx(icc(drawn, 5 * theirs), abs=rounding)
    else:
        assert np.isnan(found.icc)
        expected = np.corrcoef(ours, theirs)[0, 1]
        assert found.correlation == pytest.approx(expected, abs=rounding)
    assert found.frames == len(ours)
    assert found.f1 == pytest.approx(f1_score(theirs >= 0.5, ours >= 0.5), abs=1e-9)
    assert found.active_ours == pytest.approx((ours >= 0.5).mean())
    assert found.active_theirs == pytest.approx((theirs >= 0.5).mean())


def test_openface(tmp_path: Path) -> None:
    ours = tracks.ours(tmp_path, TIMES, OURS)
    success = np.ones(FRAMES, np.int8)
    success[30:50] = 0
    found = agreement(ours, tracks.openface(tmp_path / "of.csv", TIMES, THEIRS, success=success))
    assert set(found) == set(AU_NAMES) - {"AU24"}, "OpenFace has no AU24"
    kept = success == 1
    for au, name in enumerate(AU_NAMES):
        if name in found:
            check(found[name], OURS[kept, au], THEIRS[kept, au], 4e-3, graded=True)


def test_frames_in_which_we_see_no_face_do_not_count(tmp_path: Path) -> None:
    status = ["no_face" if 10 <= k < 40 else "face" for k in range(FRAMES)]
    ours = tracks.ours(tmp_path, TIMES, OURS, status=status)
    found = agreement(ours, tracks.openface(tmp_path / "of.csv", TIMES, THEIRS))
    kept = np.array(status) == "face"
    check(found["AU12"], OURS[kept, 6], THEIRS[kept, 6], 4e-3, graded=True)


def test_pyfeat_counts_frames_from_0_and_may_skip_some_and_see_two_faces(tmp_path: Path) -> None:
    ours = tracks.ours(tmp_path, TIMES, OURS)
    frames = sorted([*range(0, FRAMES, 3), 6, 60])  # the second faces of frames 6 and 60
    strength = np.stack([THEIRS[frame] for frame in frames])
    for k in (frames.index(6) + 1, frames.index(60) + 1):
        strength[k] = 1 - strength[k]
    strength[0] = np.nan  # no face
    found = agreement(ours, tracks.pyfeat(tmp_path / "feat.csv", frames, strength))
    kept = np.arange(3, FRAMES, 3)
    assert set(found) == set(AU_NAMES)
    for au, name in enumerate(AU_NAMES):
        check(found[name], OURS[kept, au], THEIRS[kept, au], 1e-6)


def test_libreface_has_intensities_without_decisions_and_decisions_without_intensities(
    tmp_path: Path,
) -> None:
    ours = tracks.ours(tmp_path, TIMES, OURS)
    found = agreement(ours, tracks.libreface(tmp_path / "libre.csv", TIMES, THEIRS))
    assert set(found) == set(AU_NAMES)
    check(found["AU06"], OURS[:, 3], THEIRS[:, 3], 4e-3, graded=True)
    assert np.isnan(found["AU25"].f1), "LibreFace decides nothing about AU25"
    expected = np.corrcoef(intensity_of(OURS[:, 10]), THEIRS[:, 10])[0, 1]
    assert found["AU25"].correlation == pytest.approx(expected, abs=2e-3)
    binary = np.corrcoef(OURS[:, 9], THEIRS[:, 9] >= 0.5)[0, 1]
    assert found["AU24"].correlation == pytest.approx(binary, abs=1e-6)


def test_annotation_of_aff_wild2_leaves_out_what_nobody_annotated(tmp_path: Path) -> None:
    ours = tracks.ours(tmp_path, TIMES, OURS)
    labels = (THEIRS >= 0.5).astype(int)
    labels[5:9] = -1
    lines = [ANNOTATION_HEADER, *(",".join(map(str, row)) for row in labels[:-2])]
    path = tmp_path / "clip.txt"
    path.write_text("\r\n".join(lines))
    kept = np.r_[0:5, 9 : FRAMES - 2]  # two lines too few, as happens
    for au, name in enumerate(AU_NAMES):
        found = agreement(ours, path)[name]
        assert found.f1 == pytest.approx(f1_score(labels[kept, au], OURS[kept, au] >= 0.5))
        assert found.frames == len(kept)


def test_csv_and_parquet_of_ours_are_the_same_track(tmp_path: Path) -> None:
    status = ["no_face" if k < 7 else "face" for k in range(FRAMES)]
    path = tracks.ours(tmp_path, TIMES, OURS, status=status)
    text, binary = read_track(path), read_track(path.with_suffix(".parquet"))
    assert text.frame is not None
    assert binary.frame is not None
    assert (text.frame == binary.frame).all()
    assert (text.seen == binary.seen).all()
    for name in AU_NAMES:
        np.testing.assert_allclose(text.strength[name], binary.strength[name], atol=1e-6)
        assert (text.decision[name] == binary.decision[name]).all()
    for one in agreement(path, path.with_suffix(".parquet")).values():
        assert one.f1 == pytest.approx(1)
        assert one.correlation == pytest.approx(1)


def test_of_several_people_the_one_seen_most_is_compared(tmp_path: Path) -> None:
    alone = tracks.ours(tmp_path, TIMES, OURS, name="alone")
    with alone.open() as file:
        rows = list(csv.DictReader(file))[:30]
    visitor = [
        {k: (None if v == "" else v if k == "status" else float(v)) for k, v in row.items()}
        | {"frame": int(row["frame"]), "face_id": 2, "AU12": 1.0, "AU12_c": 1}
        for row in rows
    ]
    for row in visitor:
        row |= {f"{name}_c": int(row[f"{name}_c"]) for name in AU_NAMES}
    both = tracks.ours(tmp_path, TIMES, OURS, name="both", more=visitor)
    assert len(read_track(both)) == FRAMES
    for one in agreement(both, alone).values():
        assert one.f1 == pytest.approx(1)


def test_frames_of_a_varying_rate_are_matched_by_number_not_by_nominal_times(
    tmp_path: Path,
) -> None:
    true = 0.5 + np.cumsum(np.where(np.arange(FRAMES) % 5 == 0, 0.2, 0.02))
    ours = tracks.ours(tmp_path, true, OURS)
    theirs = tracks.openface(tmp_path / "of.csv", TIMES, OURS)
    pairs = align(read_track(ours), read_track(theirs))
    assert pairs.by == "frame number"
    assert (pairs.ours == pairs.theirs).all()
    assert len(pairs.ours) == FRAMES


def test_another_frame_rate_is_matched_by_time_with_the_first_frames_together(
    tmp_path: Path,
) -> None:
    ours = tracks.ours(tmp_path, TIMES + 0.6, OURS)  # the file's clock does not start at 0
    dense = np.arange(2 * FRAMES) / 50  # the same video at 50 Hz
    theirs = tracks.openface(tmp_path / "of.csv", dense, np.repeat(OURS, 2, axis=0))
    mine, other = read_track(ours), read_track(theirs)
    pairs = align(mine, other)
    assert pairs.by == "time"
    assert len(pairs.ours) == FRAMES
    assert (pairs.theirs == 2 * pairs.ours).all()


@pytest.mark.parametrize("seed", range(6))
def test_nearest_pairs_are_the_nearest_and_unique(seed: int) -> None:
    random = np.random.default_rng(seed)
    a = np.sort(random.uniform(0, 5, 60))
    b = np.sort(random.uniform(0, 5, 25))
    i, j = nearest_pairs(a, b)
    assert len(set(i)) == len(i)
    assert len(set(j)) == len(j)
    reach = np.median(np.diff(a)) / 2 + 1e-6
    for k, time in enumerate(b):  # every one of the sparser series, looked at by brute force
        distance = np.abs(a - time)
        if k in j:
            assert distance[i[list(j).index(k)]] == pytest.approx(distance.min())
            assert distance.min() <= reach
        else:
            rivals = [m for m in j if i[list(j).index(m)] == distance.argmin()]
            assert distance.min() > reach or rivals
    swapped = nearest_pairs(b, a)
    assert (swapped[0] == j).all()
    assert (swapped[1] == i).all()


def test_an_au_that_neither_finds_has_no_f1(tmp_path: Path) -> None:
    quiet = OURS.copy()
    quiet[:, 7] *= 0.4
    found = agreement(
        tracks.ours(tmp_path, TIMES, quiet), tracks.openface(tmp_path / "of.csv", TIMES, quiet)
    )
    assert np.isnan(found["AU15"].f1)
    expected = np.corrcoef(intensity_of(quiet[:, 7]), quiet[:, 7])[0, 1]
    assert found["AU15"].correlation == pytest.approx(expected, abs=2e-3)


def test_it_writes_a_table_and_a_picture(tmp_path: Path) -> None:
    ours = tracks.ours(tmp_path, TIMES, OURS)
    theirs = tracks.openface(tmp_path / "of.csv", TIMES, THEIRS)
    said = compare_files(ours, theirs, tmp_path / "out")
    assert "120 shared frames" in said
    with (tmp_path / "out/clip_openface.csv").open() as file:
        rows = {row["au"]: row for row in csv.DictReader(file)}
    expected = f1_score(THEIRS[:, 6] >= 0.5, OURS[:, 6] >= 0.5)
    assert float(rows["AU12"]["f1"]) == pytest.approx(expected, abs=1e-6)
    assert f"{expected:.3f}" in next(line for line in said.splitlines() if "AU12" in line)
    with Image.open(tmp_path / "out/clip_openface.png") as image:
        assert image.width > 800
        assert image.height > 600
    first = (tmp_path / "out/clip_openface.png").read_bytes()
    compare_files(ours, theirs, tmp_path / "out")
    assert (tmp_path / "out/clip_openface.png").read_bytes() == first


def damaged(path: Path, line: int, change: tuple[str, str]) -> Path:
    lines = path.read_text().splitlines()
    assert change[0] in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(*change)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("line", "change", "said"),
    [
        (5, (", 1, 1.5", ", yes, 1.5"), "line 5: 'yes' in column success is no number"),
        (7, ("0.98, 1,", "0.98, 2,"), "line 7: '2' in column success is not between 0 and 1"),
        (9, ("0.320", "0.020"), "line 9: '0.020' in column timestamp comes after a later one"),
        (1, ("AU01_r", "AU01_q"), None),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(
    tmp_path: Path, line: int, change: tuple[str, str], said: str | None
) -> None:
    path = tracks.openface(tmp_path / "of.csv", np.arange(20) * 0.04 + 0.04, THEIRS[:20])
    path = damaged(path, line, change)
    if said is None:  # another AU missing is no error, only one AU less
        assert "AU01" not in read_track(path).strength
        return
    with pytest.raises(DataError, match=said):
        read_track(path)


def test_a_line_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tracks.pyfeat(tmp_path / "feat.csv", range(10), THEIRS[:10])
    text = path.read_text().splitlines()
    path.write_text("\n".join([*text[:6], text[6][:40]]))
    with pytest.raises(DataError, match="line 7 has"):
        read_track(path)


def test_files_of_no_known_kind_are_refused(tmp_path: Path) -> None:
    ours = tracks.ours(tmp_path, TIMES, OURS)
    other = tmp_path / "other.csv"
    other.write_text("time,smile\n0,1\n")
    with pytest.raises(DataError, match=r"line 1 is the header of no known format"):
        compare_files(ours, other)
    other.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="not plain text"):
        compare_files(ours, other)
    other.write_text("")
    with pytest.raises(DataError, match="holds no rows"):
        compare_files(ours, other)
    with pytest.raises(DataError, match="cannot be read"):
        compare_files(ours, tmp_path / "absent.csv")
    theirs = tracks.openface(tmp_path / "of.csv", TIMES, THEIRS)
    with pytest.raises(DataError, match=r"is a file of OpenFace: name NAME\.csv"):
        compare_files(theirs, ours)


def test_files_of_different_moments_are_refused(tmp_path: Path) -> None:
    ours = tracks.ours(tmp_path, TIMES, OURS)
    path = tracks.libreface(tmp_path / "libre.csv", TIMES[:50] + 100, THEIRS[:50])
    lines = [line.split(",") for line in path.read_text().splitlines()]
    path.write_text("\n".join(",".join([line[0], *line[2:]]) for line in lines))  # no frame_idx
    with pytest.raises(DataError, match="share no moment"):
        compare_files(ours, path)


def test_intensities_of_ours_are_read_of_both_files(tmp_path: Path) -> None:
    path = tracks.ours(tmp_path, TIMES, OURS)
    text, binary = read_track(path), read_track(path.with_suffix(".parquet"))
    wanted = intensity_of(OURS[:, 6])
    np.testing.assert_allclose(text.intensity["AU12"], wanted, atol=2e-3)
    np.testing.assert_allclose(binary.intensity["AU12"], wanted, atol=2e-3)


def test_odd_cells_of_a_tool_are_clipped_and_counted(tmp_path: Path) -> None:
    ours = tracks.ours(tmp_path, TIMES, OURS)
    path = tracks.openface(tmp_path / "of.csv", TIMES, THEIRS)
    lines = [line.split(",") for line in path.read_text().splitlines()]
    column = [cell.strip() for cell in lines[0]].index("AU02_r")
    lines[3][column], lines[5][column], lines[7][column] = "-0.12", "5.04", "-nan(ind)"
    path.write_text("\n".join(",".join(line) for line in lines))
    strength = read_track(path).strength["AU02"]
    assert strength[[2, 4]].tolist() == [0, 1]
    assert np.isnan(strength[6])
    said = compare_files(ours, path)
    assert "of.csv: 2 cells were outside 0 to 5 and clipped (first line 4: -0.12 in column" in said
    lines[3][column] = "43"  # another scale
    path.write_text("\n".join(",".join(line) for line in lines))
    with pytest.raises(DataError, match=r"line 4: '43' in column AU02_r is not between -5 and 10"):
        read_track(path)


@pytest.mark.parametrize(
    ("separator", "decimal"), [(";", ","), (";", "."), ("\t", "."), ("|", ".")]
)
def test_tables_with_another_separator(tmp_path: Path, separator: str, decimal: str) -> None:
    path = tracks.openface(tmp_path / "of.csv", TIMES, THEIRS)
    wanted = read_track(path)
    text = path.read_text().replace(",", separator).replace(".", decimal)
    path.write_text(f"sep={separator}\r\n{text}" if separator == ";" else text)
    found = read_track(path)
    assert (found.strength["AU12"] == wanted.strength["AU12"]).all()
    assert (found.decision["AU12"] == wanted.decision["AU12"]).all()


def test_of_a_table_of_several_videos_the_one_of_this_name_is_read(tmp_path: Path) -> None:
    ours = tracks.ours(tmp_path, TIMES, OURS, name="clip")
    path = tracks.pyfeat(tmp_path / "feat.csv", range(FRAMES), THEIRS)
    head, *rows = path.read_text().splitlines()
    twice = [f"{row},/data/{name}.mp4" for name in ("other", "clip") for row in rows]
    path.write_text("\n".join([f"{head},input", *twice]))
    assert "120 shared frames" in compare_files(ours, path)
    with pytest.raises(DataError, match=r"holds rows of 2 videos .*other\.mp4"):
        read_track(path)
    with pytest.raises(DataError, match="not of one called 'third'"):
        read_track(path, "third")
    path.write_text("\n".join([head, *rows, *rows]))
    with pytest.raises(DataError, match="line 122: column frame begins again with '0'"):
        read_track(path)


@pytest.mark.parametrize(
    ("header", "task"),
    [
        ("Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other", "expressions"),
        ("valence,arousal", "valence and arousal"),
        ("image,valence,arousal,expression,aus", "several tasks"),
    ],
)
def test_annotations_of_another_task_are_called_what_they_are(
    tmp_path: Path, header: str, task: str
) -> None:
    path = tmp_path / "clip.txt"
    path.write_text(f"{header}\n4\n4\n")
    with pytest.raises(DataError, match=f"is an annotation of {task}"):
        read_track(path)
    with pytest.raises(DataError, match=f"is an annotation of {task}"):
        read_annotation(path)
