"""What is labelled, in either layout, and what is refused with its place."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.core.errors import DataError
from stages.core.facs import ANNOTATION_HEADER, AU_NAMES
from stages.inference.evaluation.labels import read_labels

AU12 = AU_NAMES.index("AU12")


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)
    return path


def table(folder: Path, text: str) -> Path:
    (folder / "labels.csv").write_text(text)
    return folder


def test_a_table(tmp_path: Path) -> None:
    photo(tmp_path / "photos/a.png")
    photo(tmp_path / "photos/b.png")
    found = read_labels(
        table(
            tmp_path,
            "image,person,age,gender,AU1,AU9,AU12,AU12_r\n"
            "photos/a.png,p1,24,female,0,1,1,3.5\n"
            "photos/b.png,p1,NA,,,,0,\n"
            "photos/c.png,p2,30,male,0,0,0,0\n",
        )
    )
    a, b = found.items
    assert (a.file.name, a.file.person, a.file.photo) == ("photos/a.png", "p1", True)
    assert dict(a.file.groups) == {"age": "24", "gender": "female"}
    assert dict(b.file.groups) == {}
    assert a.labels[0, [0, 1, AU12]].tolist() == [0, -1, 1]
    assert b.labels[0, [0, AU12]].tolist() == [-1, 0]
    assert a.intensity[0, AU12] == 3.5
    assert np.isnan(b.intensity).all()
    assert "c.png is not there" in found.left_out["photos/c.png"]
    assert found.notes == ["Labels of AU9 are not used: only 12 AUs are predicted."]


def test_frames_of_a_video_in_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"not read here")
    text = "video,frame,AU12\na.mp4,1,0\na.mp4,5,1\na.mp4,9,\n"
    (item,) = read_labels(table(tmp_path, text)).items
    assert item.frame is not None
    assert item.frame.tolist() == [1, 5, 9]
    assert item.labels[:, AU12].tolist() == [0, 1, -1]
    assert not item.file.photo


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,AU12\n../a.png,1\n", "line 2: '../a.png' in column image is no path below"),
        ("image,AU12\n/etc/passwd,1\n", "line 2: '/etc/passwd' in column image is no path below"),
        ("image,AU12\na.png,0.5\n", "line 2: '0.5' in column AU12 is neither 0 nor 1; an"),
        ("image,AU12_r\na.png,7\n", "line 2: '7' in column AU12_r is not between 0 and 5"),
        ("image,AU12\na.png,1\na.png,0\n", "line 3: a.png stands in line 2 already"),
        ("picture,AU12\na.png,1\n", "names no column image or video"),
        ("image,smile\na.png,1\n", "names none of the 12 AUs"),
        ("image,AU12,AU012\na.png,1,1\n", "names AU12 twice"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, text: str, said: str) -> None:
    photo(tmp_path / "a.png")
    with pytest.raises(DataError, match=said):
        read_labels(table(tmp_path, text))


def test_annotations_as_aff_wild2_has_them(tmp_path: Path) -> None:
    sets = tmp_path / "AU_Detection_Challenge"
    rows = ["0,0,0,0,0,0,1,0,0,0,0,0", ",".join(["-1"] * 12), "0,0,0,0,0,0,0,0,0,0,0,0"]
    text = "\n".join([ANNOTATION_HEADER, *rows]) + "\n"
    for place, name in (("Train_Set", "a"), ("Validation_Set", "b_left"), ("Train_Set", "gone")):
        (sets / place).mkdir(parents=True, exist_ok=True)
        (sets / place / f"{name}.txt").write_text(text)
    (tmp_path / "batch1").mkdir()
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "batch1" / name).write_bytes(b"not read here")
    strengths = tmp_path / "AU_Intensity/Train_Set"
    strengths.mkdir(parents=True)
    values = "0,0,0,0,0,0,2.5,0,0,0,0,0"
    (strengths / "a.txt").write_text("\n".join([ANNOTATION_HEADER, values, rows[1], rows[2]]))
    (tmp_path / "people.csv").write_text("name,person\na,anna\nb_left,ben\n")
    (tmp_path / "notes.txt").write_text("no annotation")
    found = read_labels(tmp_path)
    a, b = found.items
    assert (a.file.person, a.file.groups["set"], a.side) == ("anna", "Train_Set", "")
    assert (b.file.person, b.path.name, b.side) == ("ben", "b.mp4", "left")
    assert a.labels[:, AU12].tolist() == [1, -1, 0]
    np.testing.assert_array_equal(a.intensity[:, AU12], [2.5, np.nan, 0])
    assert list(found.left_out) == ["gone"]


def test_a_folder_without_labels_is_told_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no labels: it needs labels\.csv"):
        read_labels(tmp_path)
    with pytest.raises(DataError, match="is not there"):
        read_labels(tmp_path / "gone")
