"""The table of faults in docs/faults.md names tests that are there."""

import ast
import re

import pytest

from stages.core.hashing import ROOT

TEXT = (ROOT / "docs/faults.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)))


def test_its_rows_are_numbered_and_each_names_a_test() -> None:
    tables = re.findall(r"(?:^\|.*\n)+", TEXT, re.M)
    assert len(tables) == 2
    for table in tables:
        rows = [line.split("|")[1:-1] for line in table.splitlines()[2:]]
        assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
        assert all("::test_" in row[2] for row in rows)


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_every_test_it_names_is_there(file: str) -> None:
    tree = ast.parse((ROOT / "tests" / file).read_text())
    there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {name for where, name in NAMED if where == file} <= there
