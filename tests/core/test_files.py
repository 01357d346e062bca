"""Writing whole or not at all: temporary names, leftovers, folders, claims."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stages.core import files
from stages.core.errors import DataError
from stages.core.hashing import ROOT


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.json"
    files.write_json(path, {"b": 1})
    before = path.read_bytes()

    def half() -> None:
        with files.replacing(path) as temporary:
            assert temporary.suffix == ".json"
            temporary.write_text("half of it")
            assert path.read_bytes() == before
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert json.loads(path.read_text()) == {"b": 1}
    assert names(path.parent) == ["a.json"]


def test_two_writers_of_one_file_never_share_a_temporary_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with files.replacing(path) as one, files.replacing(path) as two:
        assert one != two
        one.write_text("one")
        two.write_text("two")
    assert path.read_text() == "one", "who ends last"
    assert names(tmp_path) == ["a.csv"]


def test_a_name_of_any_length_has_a_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 124 + ".csv")
    files.write_rows(path, [("a", "b"), (1, 2)])
    assert list(csv.reader(path.open())) == [["a", "b"], ["1", "2"]]


def killed(code: str, *words: object) -> None:
    """Run code in a process that ends without a chance to tidy up."""
    done = subprocess.run(
        [sys.executable, "-c", code + "\nimport os; os._exit(9)", *map(str, words)],
        cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 9


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    path, other = tmp_path / "a.h5", tmp_path / "b.h5"
    code = (
        "import sys; from pathlib import Path; from stages.core import files\n"
        "for name in sys.argv[1:]: files.temporary_path(Path(name)).write_text('half')"
    )
    killed(code, path, other)
    alive = files.temporary_path(path)
    alive.write_text("of this process")
    assert len(names(tmp_path)) == 3
    files.write_text(path, "whole")
    assert alive.exists(), "what lives is at work"
    assert len(names(tmp_path)) == 3, "the other file's is not looked for"
    files.sweep(tmp_path)
    assert names(tmp_path) == sorted([alive.name, "a.h5"])


def test_a_folder_takes_the_place_of_another_at_once(tmp_path: Path) -> None:
    path = tmp_path / "crops"
    for made in (("a", "b"), ("c",)):
        with files.replacing_folder(path) as fresh:
            for name in made:
                (fresh / name).touch()
    assert names(path) == ["c"]
    with pytest.raises(RuntimeError), files.replacing_folder(path) as fresh:
        (fresh / "d").touch()
        raise RuntimeError
    assert names(path) == ["c"]
    assert names(tmp_path) == ["crops"]


def test_a_claim_is_of_one_process_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.csv"
    with files.claim(path, "somebody has it") as held:
        assert held
        with (
            pytest.raises(DataError, match="somebody has it"),
            files.claim(path, "somebody has it"),
        ):
            pass
        with files.claim(path.with_name("b.csv"), "nobody has it"):
            pass
    assert names(tmp_path) == [], "an empty folder is not left behind"
    code = (
        "import sys; from pathlib import Path; from stages.core import files\n"
        "files.claim(Path(sys.argv[1]), 'x').__enter__()"
    )
    killed(code, path)
    with files.claim(path, "the dead hold nothing"):
        path.touch()
    assert names(path.parent) == ["a.csv"]
