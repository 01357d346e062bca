"""A user's CSV of labelled pictures: what is read, and what is left out with which words."""

import math
from pathlib import Path

import numpy as np
import pytest

from stages.core.errors import DataError
from stages.core.expressions import DATABASES
from stages.core.facs import AU_NUMBERS, EXPRESSIONS
from stages.faces.label_table import Table, read_table


def table(folder: Path, *lines: str, database: str = "names") -> Table:
    (folder / "faces.csv").write_text("".join(f"{line}\n" for line in lines))
    return read_table(folder / "faces.csv", database)


def test_labels_in_all_their_spellings(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "Valence,image,AU01,au2,AU26,expression,person,arousal",
        "0.5,a/b.jpg,1,0,1.0,Happiness,ann,-1",
        ",a.png,,,-1,surprise,,nan",
        '" -0.25 ","c, d.png",0,,,,bob,',
    )
    assert not found.left_out
    first, second, third = found.rows
    assert first.image == tmp_path / "a/b.jpg"
    assert (first.line, first.person, first.valence, first.arousal) == (2, "ann", 0.5, -1.0)
    known = dict(zip(AU_NUMBERS, first.aus, strict=True))
    assert {n: value for n, value in known.items() if value != -1} == {1: 1, 2: 0, 26: 1}
    assert (first.expression, second.expression, third.expression) == (4, 6, -1)
    assert math.isnan(second.valence)
    assert math.isnan(second.arousal)
    assert set(second.aus) == {-1}
    assert third.image == tmp_path / "c, d.png"
    assert third.valence == -0.25


def test_intensities_beside_presence_or_alone(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "image,AU12,AU12_r,au04_R,AU1",
        "a.jpg,1,0.5,,",
        "b.jpg,,2.5,1.7,-1",
        "c.jpg,0,,-1,1",
        "d.jpg,1,0,,",
        "e.jpg,1,5.1,,",
        "f.jpg,,,x,",
    )
    au4, au12 = AU_NUMBERS.index(4), AU_NUMBERS.index(12)
    assert [(row.aus[au12], row.aus[au4]) for row in found.rows] == [(1, -1), (1, 0), (0, -1)]
    known = [[n for n in (au4, au12) if not math.isnan(r.intensities[n])] for r in found.rows]
    assert known == [[au12], [au4, au12], []]
    assert found.rows[1].intensities[au4] == 1.7
    assert not found.ignored
    reasons = [found.left_out[line] for line in (5, 6, 7)]
    assert "AU12 = 1 and AU12_r = 0 contradict" in reasons[0]
    assert "AU12_r = '5.1'; allowed: 0 to 5" in reasons[1]
    assert "AU4_r = 'x'" in reasons[2]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a.jpg,2,0,happiness", "AU4 = '2'; allowed: 0, 1, and -1"),
        ("a.jpg,0.5,0,happiness", "AU4 = '0.5'"),
        ("a.jpg,yes,0,happiness", "AU4 = 'yes'"),
        ("a.jpg,1,1.01,happiness", "valence = '1.01'; allowed: -1 to 1"),
        ("a.jpg,1,-2,happiness", "valence = '-2'"),
        ("a.jpg,1,inf,happiness", "valence = 'inf'"),
        ("a.jpg,1,0,joy", "expression = 'joy'; allowed: neutral, anger"),
        ("a.jpg,1,0", "it has 3 columns, the first line 4"),
        ("a.jpg,1,0,happiness,", "it has 5 columns, the first line 4"),
        ("a.jpg,,,", "it has no label"),
        ("a.jpg,-1,nan,-1", "it has no label"),
        (",1,0,happiness", "image is empty"),
        ("../a.jpg,1,0,happiness", "'../a.jpg' leads out of the CSV's folder"),
        ("x/../../a.jpg,1,0,happiness", "leads out of the CSV's folder"),
        ("..,1,0,happiness", "leads out of the CSV's folder"),
        ("a\0.jpg,1,0,happiness", "image holds a character that no path can hold"),
        (f"{'a' * 200_000},1,0,happiness", "it is no line of a CSV"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_is_used(tmp_path: Path, line: str, words: str) -> None:
    found = table(
        tmp_path, "image,AU4,valence,expression", "x.jpg,1,0,anger", "", line, "y.jpg,0,,"
    )
    assert [row.image.name for row in found.rows] == ["x.jpg", "y.jpg"]
    assert [row.line for row in found.rows] == [2, 5]
    ((number, reason),) = found.left_out.items()
    assert number == 4
    assert words in reason


# as each database's own description counts them
ORDERS = {
    "affectnet": {0: "neutral", 1: "happiness", 2: "sadness", 3: "surprise", 4: "fear",
                  5: "disgust", 6: "anger"},
    "affwild2": {0: "neutral", 1: "anger", 2: "disgust", 3: "fear", 4: "happiness", 5: "sadness",
                 6: "surprise"},
    "fer2013": {0: "anger", 1: "disgust", 2: "fear", 3: "happiness", 4: "sadness", 5: "surprise",
                6: "neutral"},
    "rafdb": {1: "surprise", 2: "fear", 3: "disgust", 4: "happiness", 5: "sadness", 6: "anger",
              7: "neutral"},
}  # fmt: skip


@pytest.mark.parametrize("database", DATABASES)
def test_class_numbers_are_those_of_the_database(tmp_path: Path, database: str) -> None:
    order = ORDERS[database]
    rows = [f"{number}.jpg,{number}" for number in order]
    found = table(tmp_path, "image,expression", *rows, "x.jpg,11", "y.jpg,1.5", database=database)
    assert [EXPRESSIONS[row.expression] for row in found.rows] == list(order.values())
    assert list(found.left_out) == [len(rows) + 2, len(rows) + 3]
    assert "expression = '11'; allowed: " in found.left_out[len(rows) + 2]
    assert f"{next(iter(order))} {order[next(iter(order))]}, " in found.left_out[len(rows) + 3]


def test_bare_numbers_are_refused_for_they_mean_something_else_in_each_database(
    tmp_path: Path,
) -> None:
    with pytest.raises(
        DataError, match=r"line 3: expression = 1 is a number.*data\.faces_expressions: affectnet"
    ):
        table(tmp_path, "image,expression", "a.jpg,happiness", "b.jpg,1")


def test_contempt_is_a_class_and_what_else_a_database_has_is_not_known(tmp_path: Path) -> None:
    rows = ("image,expression,AU1", "a.jpg,7,1", "b.jpg,contempt,1", "c.jpg,8,1", "d.jpg,-1,0")
    found = table(tmp_path, *rows, "e.jpg,9,", database="affectnet")
    assert [row.expression for row in found.rows] == [7, 7, -1, -1]
    assert found.left_out == {6: "it has no label"}
    found = table(tmp_path, "image,expression,AU1", "a.jpg,7,1", database="affwild2")
    assert found.rows[0].expression == -1  # "other"
    found = table(tmp_path, "image,expression", "a.jpg,Happy", "b.jpg,sad", database="affectnet")
    assert [EXPRESSIONS[row.expression] for row in found.rows] == ["happiness", "sadness"]


def test_votes_are_shares_and_give_the_class_that_most_chose(tmp_path: Path) -> None:
    rows = ("a.jpg,,3,1,", "b.jpg,,2,2,", "c.jpg,neutral,1,3,", "d.jpg,fear,,,", "e.jpg,,,,8")
    found = table(tmp_path, "image,expression,vote_anger,VOTE_FEAR,vote_contempt", *rows)
    shares = [row.votes for row in found.rows]
    assert shares[0] == (0, 0.75, 0, 0.25, 0, 0, 0, 0)
    assert shares[1] == (0, 0.5, 0, 0.5, 0, 0, 0, 0)
    assert np.isnan(shares[3]).all()
    assert shares[4] == (0, 0, 0, 0, 0, 0, 0, 1)
    assert [row.expression for row in found.rows] == [1, -1, 0, 3, 7]
    found = table(tmp_path, "image,vote_anger", "a.jpg,-1", "b.jpg,many", "c.jpg,0", "d.jpg,2")
    assert [row.image.name for row in found.rows] == ["d.jpg"]
    assert found.left_out == {
        2: "vote_anger = '-1'; allowed: 0 or more, and nothing for 0",
        3: "vote_anger = 'many'; allowed: 0 or more, and nothing for 0",
        4: "it has no label",
    }


def test_paths_within_the_folder_and_absolute_ones(tmp_path: Path) -> None:
    found = table(
        tmp_path, "image,AU4", "x/../a.jpg,1", f"{tmp_path.parent}/b.jpg,1", "..a/b.jpg,1"
    )
    assert not found.left_out
    assert [row.image.resolve() for row in found.rows] == [
        tmp_path / "a.jpg", tmp_path.parent / "b.jpg", tmp_path / "..a/b.jpg"
    ]  # fmt: skip


def test_columns_that_are_none_of_ours_are_named(tmp_path: Path) -> None:
    found = table(tmp_path, "image,AU5,frame, AU4", "x.jpg,9,17,1")
    assert found.ignored == ["AU5", "frame"]
    assert found.rows[0].aus[2] == 1


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("picture,AU1", "no column image: its first line names columns; image, person, AU1"),
        ("image,person,AU5", "no column of labels; allowed: image, person, AU1"),
        ("image,AU1,AU01", "two columns AU1"),
        ("", "no column image"),
    ],
)
def test_a_table_without_what_is_needed_is_refused(tmp_path: Path, title: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        table(tmp_path, title, "x.jpg,1")


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing: check the setting `data.faces`"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"image,AU1\n\xff\xfe\x00,1\n")
    with pytest.raises(DataError, match="cannot be read as a CSV in UTF-8"):
        read_table(tmp_path / "b.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path)
