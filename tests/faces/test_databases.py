"""Face databases as they are handed out, in tiny: what the table says, and what bad folders get."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from stages.cli import app
from stages.core.errors import DataError, SettingsError
from stages.core.facs import AU_NUMBERS, EXPRESSIONS
from stages.faces.databases.table import DATABASES, write_table
from stages.faces.label_table import read_table
from stages.inference.label_command import NAMES
from stages.synthesis.video_file import write_video


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(path)


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def affectnet_lists(root: Path) -> None:
    lists, images = root / "Manually_Annotated_file_lists", root / "Manually_Annotated_Images"
    titles = ("subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
              "expression,valence,arousal")  # fmt: skip
    text(
        lists / "training.csv", titles, "1/a.jpg,0,0,9,9,1;2,1,0.5,0.25",
        "1/b.jpg,0,0,9,9,1;2,7,-2,-2",
        "1/gone.jpg,0,0,9,9,1;2,1,0,0", "../a.jpg,0,0,9,9,1;2,1,0,0",
    )  # fmt: skip
    text(lists / "validation.csv", titles, "2/c.jpg,0,0,9,9,1;2,9,-2,-2")
    for name in ("1/a", "1/b", "2/c"):
        picture(images / f"{name}.jpg")
    picture(root / "a.jpg")


def affectnet_sets(root: Path) -> None:
    for part, number, label in (("train_set", 3, "6"), ("val_set", 4, "0")):
        picture(root / part / f"images/{number}.jpg")
        (root / part / "annotations").mkdir()
        for kind, value in (("exp", label), ("val", "-0.5"), ("aro", "0.75")):
            np.save(root / part / f"annotations/{number}_{kind}.npy", np.array(value))


VOTES = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def ferplus(root: Path) -> None:
    text(
        root / "fer2013new.csv", VOTES, "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0",
        "Training,,0,0,0,0,0,0,0,0,0,10", "PublicTest,fer0000002.png,0,5,5,0,0,0,0,0,0,0",
        "PrivateTest,fer0000003.png,0,0,0,0,0,0,9,0,1,0",
    )  # fmt: skip
    faces = [f"0,{' '.join(['7'] * 48**2)},Training" for _ in range(4)]
    text(root / "fer2013.csv", "emotion,pixels,Usage", *faces)
    picture(root / "FER2013Test/fer0000003.png")


def rafau(root: Path) -> None:
    text(root / "RAFAU_label.txt", "0001.jpg 1+L2+25 ", "0002.jpg null", "0009.jpg 12")
    picture(root / "original/0001.jpg")
    picture(root / "aligned/0002_aligned.jpg")


def emotionet(root: Path) -> None:
    text(
        root / "EmotioNet_FACS_aws_2020_24600.csv", "URL,' AU 1',' AU 12',' AU 60'",
        "'http://a.b/c/one.jpg',1,999,0", "'http://a.b/c/two.jpg?x=1',0,1,0",
        "'http://a.b/gone.jpg',1,1,1",
    )  # fmt: skip
    picture(root / "imgs/one.jpg")
    picture(root / "imgs/two.jpg")


def dfew(root: Path) -> None:
    for part, clip, label in (("train", 1, 4), ("test", 12, 7)):
        text(root / f"EmoLabel_DataSplit/{part}(single-labeled)/set_1.csv", "video_name,label",
             f"{clip},{label}")  # fmt: skip
        for frame in (1, 2, 10):
            picture(root / f"Clip/clip_224x224/{clip:05d}/{frame}.jpg")


def ferv39k(root: Path) -> None:
    for frame in range(3):
        picture(root / f"2_ClipsforFaceCrop/Action/Happy/0267/{frame:04d}.jpg")
    picture(root / "2_ClipsforFaceCrop/Crime/Sad/0001/0001.jpg")


def disfa(root: Path) -> None:
    for au, values in ((1, (0, 2, 5, 0)), (26, (1, 0, 0, 3)), (17, (0, 0, 0, 0))):
        lines = [f"{frame},{value}" for frame, value in enumerate(values, start=1)]
        text(root / f"ActionUnit_Labels/SN001/SN001_au{au}.txt", *lines)
    (root / "Videos_LeftCamera").mkdir()
    frames = [np.full((32, 32, 3), 60 * shade, np.uint8) for shade in range(4)]
    write_video(root / "Videos_LeftCamera/LeftVideoSN001_comp.avi", frames, np.arange(4) / 20,
                crf=20, sound=None)  # fmt: skip


def bp4d(root: Path) -> None:
    text(root / "AUCoding/AU_OCC/F001_T1.csv", "0,1,2,12,17", "2440,1,0,9,1", "2441,0,0,1,0")
    text(root / "AUCoding/AU_INT/AU12/F001_T1_AU12.csv", "2440,9", "2441,3")
    for frame in (2439, 2440, 2441):
        picture(root / f"Sequences/F001/T1/{frame}.jpg")


def affwild2(root: Path) -> None:
    au = ",".join(f"AU{n}" for n in AU_NUMBERS)
    track = root / "AU_Detection_Challenge/Train_Set"
    text(track / "v.txt", au, *(",".join([value] * 12) for value in ("1", "0", "-1")))
    text(root / "EXPR_Recognition_Challenge/Validation_Set/v.txt", "Neutral,Anger", "4", "7", "-1")
    text(
        root / "VA_Estimation_Challenge/Train_Set/w_left.txt", "valence,arousal", "0.5,-5", "-5,-5"
    )
    for video, frames in (("v", (1, 2, 3)), ("w_left", (1, 2))):
        for frame in frames:
            picture(root / f"cropped_aligned/{video}/{frame:05d}.jpg")


Layout = Callable[[Path], None]
ALL: dict[str, list[Layout]] = {
    "affectnet": [affectnet_lists, affectnet_sets], "ferplus": [ferplus], "rafau": [rafau],
    "emotionet": [emotionet], "dfew": [dfew], "ferv39k": [ferv39k], "disfa": [disfa],
    "bp4d": [bp4d], "affwild2": [affwild2],
}  # fmt: skip


def read(tmp_path: Path, layout: Layout, name: str, every: int = 1) -> list[dict[str, str]]:
    """The table's rows, cells without content left out, pictures by their last three parts."""
    (tmp_path / "root").mkdir()
    layout(tmp_path / "root")
    written = write_table(name, tmp_path / "root", tmp_path / "faces.csv", every=every)
    table = read_table(tmp_path / "faces.csv")  # as the pipeline does
    # a class that is none of ours may be all that is known
    assert set(table.left_out.values()) <= {"it has no label"}
    assert all(row.image.is_file() for row in table.rows)
    with (tmp_path / "faces.csv").open() as file:
        rows = [{key: cell for key, cell in row.items() if cell} for row in csv.DictReader(file)]
    assert len(rows) == written.pictures
    for row in rows:
        row["image"] = Path(row["image"]).name
    return rows


def test_there_is_a_layout_of_every_database() -> None:
    assert set(DATABASES) == set(ALL) == set(NAMES.split(", "))


def test_affectnet(tmp_path: Path) -> None:
    assert read(tmp_path, affectnet_lists, "affectnet") == [
        {"image": "a.jpg", "valence": "0.5", "arousal": "0.25", "expression": "happiness"},
        {"image": "b.jpg", "expression": "contempt"},
    ]


def test_affectnet_of_eight_classes(tmp_path: Path) -> None:
    assert read(tmp_path, affectnet_sets, "affectnet") == [
        {"image": "3.jpg", "valence": "-0.5", "arousal": "0.75", "expression": "anger"},
        {"image": "4.jpg", "valence": "-0.5", "arousal": "0.75", "expression": "neutral"},
    ]


def test_ferplus_takes_the_class_with_most_votes_and_keeps_the_votes(tmp_path: Path) -> None:
    votes = {"vote_neutral": "4", "vote_anger": "3", "vote_disgust": "2", "vote_sadness": "1"}
    assert read(tmp_path, ferplus, "ferplus") == [
        {"image": "00000.png", "expression": "neutral", **votes},
        {"image": "00002.png", "vote_happiness": "5", "vote_surprise": "5"},
        {"image": "fer0000003.png", "expression": "fear", "vote_fear": "9"},
    ]
    with Image.open(tmp_path / "faces_frames/00000.png") as image:
        assert (np.asarray(image) == 7).all()


def test_votes_for_no_face_are_no_votes_for_a_class() -> None:
    from stages.faces.databases.layouts.ferplus import CLASSES, kept_votes

    votes = {**dict.fromkeys((*CLASSES, "unknown", "NF"), 0.0), "anger": 4.0}
    assert kept_votes({**votes, "unknown": 3.0})["anger"] == 4
    assert kept_votes({**votes, "NF": 4.0}) == {}
    assert kept_votes({**votes, "unknown": 6.0}) == {}


def test_rafau(tmp_path: Path) -> None:
    first, second = read(tmp_path, rafau, "rafau")
    present = {f"AU{n}": str(int(n in (1, 2, 25))) for n in AU_NUMBERS}
    assert first == {"image": "0001.jpg", **present}
    assert second == {"image": "0002_aligned.jpg", **dict.fromkeys(present, "0")}


def test_emotionet(tmp_path: Path) -> None:
    assert read(tmp_path, emotionet, "emotionet") == [
        {"image": "one.jpg", "AU1": "1"},
        {"image": "two.jpg", "AU1": "0", "AU12": "1"},
    ]


def test_dfew(tmp_path: Path) -> None:
    assert read(tmp_path, dfew, "dfew", every=2) == [
        {"image": f"{frame}.jpg", "person": f"clip {clip}", "expression": label}
        for clip, label in (("00012", "fear"), ("00001", "anger"))
        for frame in (1, 10)
    ]


def test_ferv39k(tmp_path: Path) -> None:
    rows = read(tmp_path, ferv39k, "ferv39k")
    assert [(row["person"], row["expression"]) for row in rows] == [
        *[("clip Action/Happy/0267", "happiness")] * 3, ("clip Crime/Sad/0001", "sadness"),
    ]  # fmt: skip


def test_disfa(tmp_path: Path) -> None:
    assert read(tmp_path, disfa, "disfa", every=2) == [
        {"image": "00001.jpg", "person": "SN001", "AU1_r": "0", "AU26_r": "1"},
        {"image": "00003.jpg", "person": "SN001", "AU1_r": "5", "AU26_r": "0"},
    ]
    with Image.open(tmp_path / "faces_frames/SN001/00003.jpg") as image:
        assert abs(np.asarray(image, float).mean() - 120) < 8


def test_bp4d(tmp_path: Path) -> None:
    assert read(tmp_path, bp4d, "bp4d") == [
        {"image": "2440.jpg", "person": "F001", "AU1": "1", "AU2": "0"},
        {"image": "2441.jpg", "person": "F001", "AU1": "0", "AU2": "0", "AU12": "1", "AU12_r": "3"},
    ]


def test_affwild2(tmp_path: Path) -> None:
    every = {f"AU{n}": "1" for n in AU_NUMBERS}
    assert read(tmp_path, affwild2, "affwild2") == [
        {"image": "00001.jpg", "person": "v", **every, "expression": "happiness"},
        {"image": "00002.jpg", "person": "v", **dict.fromkeys(every, "0")},
        {"image": "00001.jpg", "person": "w", "valence": "0.5"},
    ]


@pytest.mark.parametrize("name", DATABASES)
def test_a_folder_of_another_layout_is_told_what_is_expected(name: str, tmp_path: Path) -> None:
    picture(tmp_path / "root/somewhere/else.jpg")
    with pytest.raises(DataError, match=re.escape(DATABASES[name].layout)):
        write_table(name, tmp_path / "root", tmp_path / "faces.csv")
    with pytest.raises(DataError, match="is no folder"):
        write_table(name, tmp_path / "gone", tmp_path / "faces.csv")
    assert not (tmp_path / "faces.csv").exists()


@pytest.mark.parametrize(
    ("layout", "name", "file", "line", "said"),
    [
        (
            affectnet_lists,
            "affectnet",
            "Manually_Annotated_file_lists/training.csv",
            "a,b",
            "column",
        ),
        (rafau, "rafau", "RAFAU_label.txt", "0001.jpg smile", "are no AUs"),
        (disfa, "disfa", "ActionUnit_Labels/SN001/SN001_au1.txt", "1,9", "outside 0 to 5"),
        (disfa, "disfa", "ActionUnit_Labels/SN001/SN001_au1.txt", "1,x", "no number"),
        (bp4d, "bp4d", "AUCoding/AU_OCC/F001_T1.csv", "frame,x", "no number"),
        (affwild2, "affwild2", "AU_Detection_Challenge/Train_Set/v.txt", "AU1\n1,0", "values"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(
    layout: Layout, name: str, file: str, line: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "root").mkdir()
    layout(tmp_path / "root")
    text(tmp_path / "root" / file, line)
    with pytest.raises(DataError, match=f"{re.escape(Path(file).name)}.*{said}"):
        write_table(name, tmp_path / "root", tmp_path / "faces.csv")
    assert not (tmp_path / "faces.csv").exists()


def test_an_annotation_that_is_a_pickle_is_refused(tmp_path: Path) -> None:
    affectnet_sets(tmp_path)
    path = tmp_path / "train_set/annotations/3_exp.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"3_exp\.npy holds no number"):
        write_table("affectnet", tmp_path, tmp_path / "faces.csv")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    rafau(tmp_path)
    (tmp_path / "faces.csv").write_text("mine")
    with pytest.raises(DataError, match="is there already"):
        write_table("rafau", tmp_path, tmp_path / "faces.csv")
    assert (tmp_path / "faces.csv").read_text() == "mine"


def test_the_command_says_what_to_set(tmp_path: Path) -> None:
    ferv39k(tmp_path / "root")
    words = ["labels", "ferv39k", str(tmp_path / "root"), "--out", str(tmp_path / "faces.csv")]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert "4 pictures of 2 people or clips" in done.output
    assert f"data.faces: {tmp_path / 'faces.csv'}" in done.output
    assert "non-commercial" in done.output
    words[1] = "imagenet"
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 2
    with pytest.raises(SettingsError, match="'imagenet' is no database; allowed: affectnet"):
        write_table("imagenet", tmp_path, tmp_path / "other.csv")
    with pytest.raises(SettingsError, match="every is 0"):
        write_table("ferv39k", tmp_path, tmp_path / "other.csv", every=0)


def test_expressions_are_ours_or_known_as_others() -> None:
    from stages.faces.databases.layouts import dfew, ferplus

    for name in (*dfew.CLASSES.values(), *ferplus.CLASSES):
        assert name in (*EXPRESSIONS, "contempt")
