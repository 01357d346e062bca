"""The README says what is so: its figures, its pictures, its links."""

import json
import re

from stages.core.hashing import ROOT
from stages.ensembles.members import SUBMISSIONS
from stages.inference.columns import as_markdown as columns
from stages.reporting.score_table import as_markdown, encoder_rows, table_rows
from stages.sequence.protocol import choices_table

README = (ROOT / "README.md").read_text()


def tracked_scores() -> dict:
    return json.loads((ROOT / "metrics/scores.json").read_text())["synthetic"]["test"]


def test_the_table_of_results_is_that_of_the_tracked_scores() -> None:
    assert as_markdown(table_rows(tracked_scores())) in README


def test_the_table_of_encoders_is_that_of_the_tracked_scores() -> None:
    scores = json.loads((ROOT / "metrics/encoders.json").read_text())["synthetic"]
    assert as_markdown(encoder_rows(scores)) in README


def test_its_tables_of_columns_and_of_protocols_are_those_of_the_code() -> None:
    assert columns().rstrip() in README
    assert choices_table().rstrip() in README


def test_the_table_of_submissions_is_that_of_make_tables() -> None:
    tables = json.loads((ROOT / "metrics/tables/tables.json").read_text())["synthetic"]
    section = README[README.index("The paper's five submissions") :]
    for name in SUBMISSIONS:
        row = tables["table8"][name]
        shown = [
            f"{row['paper']:.4f}",
            f"{row['f1']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
        ]
        assert re.search(r"\|\s+" + r" \|\s+".join(map(re.escape, shown)) + r" \|", section), name


def test_pictures_and_files_it_names_are_there_and_small() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert "://" not in target, f"{target}: the README needs no other host"
        assert (ROOT / target).exists(), target
    for picture in (ROOT / "metrics/pictures").iterdir():
        assert picture.stat().st_size < 1_000_000


def test_every_score_is_labelled_synthetic() -> None:
    where = README.index(as_markdown(table_rows(tracked_scores())).splitlines()[0])
    assert "synthetic" in README[:where][-600:]


def test_every_make_target_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.M)) <= targets
