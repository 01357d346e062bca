"""Work of several stages done at once: how many, whether it pays, and what becomes of failures."""

from pathlib import Path

import pytest

from stages.core.aside import asked_jobs, do_aside, pays, places
from stages.core.errors import DataError, SettingsError
from stages.core.settings import Compute


def make(item: str, path: Path) -> None:
    if item == "bad":
        raise DataError("its faces are all alike")
    path.write_text(item)
    Path(f"{item}.done").write_text(item)


def test_the_first_word_says_how_many() -> None:
    assert asked_jobs(["3", "train"], "runs to train") == 3
    assert asked_jobs([], "runs to train") is None
    assert asked_jobs(["", "train"], "runs to train") is None


@pytest.mark.parametrize("word", ["0", "-1", "2.5", "two", "²"])
def test_what_is_no_number_is_refused_by_name(word: str) -> None:
    with pytest.raises(SettingsError, match=f"'{word}' is no number of runs to train at once"):
        asked_jobs([word], "runs to train")


def test_it_pays_from_two_at_once_and_always_with_ray() -> None:
    here, ray = Compute(), Compute(engine="ray")
    assert pays(here, 2, 2)
    assert not pays(here, 1, 2)
    assert not pays(here, 2, 1)
    assert pays(ray, 1, 1)
    assert not pays(ray, 0, 4)
    assert (places(here, 2), places(ray, 2)) == ("2 at once", "by Ray")


def test_what_fails_is_said_and_the_rest_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    items = {"one": "one", "two": "bad", "three": "three"}
    do_aside(
        make,
        items,
        ["a", "b", "c"],
        jobs=1,
        compute=Compute(),
        name="train_parallel",
        what="pieces made",
    )
    assert {path.stem for path in tmp_path.glob("*.done")} == {"one", "three"}
    said = capsys.readouterr()
    assert "two: its faces are all alike" in said.out + said.err
