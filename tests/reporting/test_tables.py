"""The paper's tables with results in them: cells, numbers, Markdown."""

import json

import numpy as np
import pytest

from stages.reporting.paper_tables import TABLES, table_runs
from stages.reporting.results import Scored, score
from stages.reporting.tables import (
    ALL_ONES,
    NOT_TRAINED,
    fold_mean,
    join,
    table_text,
    tables_numbers,
)

VIDEOS = {"held_out": ["v1", "v2", "v3", "v4"], "test": ["t1", "t2", "t3", "t4", "t5"]}


def made(name: str, noise: float, seeds: int = 1, seed: int = 0) -> Scored:
    truth_random = np.random.default_rng(len(name) + sum(map(ord, name)))
    random = np.random.default_rng(seed)
    labels = {v: (truth_random.random((50, 12)) < 0.4).astype(np.int8) for v in VIDEOS[name]}
    said = [
        {
            v: (np.where(rows == 1, 1, -1) + noise * random.normal(size=rows.shape)).astype(
                np.float32
            )
            for v, rows in labels.items()
        }
        for _ in range(seeds)
    ]
    scored = score(said, labels, {name: name for name in labels})
    assert scored is not None
    return scored


def run(noise: float, seeds: int = 1, seed: int = 0) -> dict[str, Scored]:
    return {key: made(key, noise, seeds, seed) for key in VIDEOS}


def test_a_row_shows_the_papers_figure_and_what_is_known_here() -> None:
    known = run(1.0, seeds=3)
    results = {"ires100": known}
    rows = table_text(TABLES[1], join(TABLES[1], results), known, "synthetic")
    assert rows[0][:3] == ["Transformer on", "paper", "here (validation, synthetic)"]
    assert rows[0][5] == "here (test, synthetic)"
    bounds = known["held_out"].interval
    assert rows[1] == [
        "ires100",
        "0.518",
        f"{known['held_out'].macro:.3f}",
        f"{known['held_out'].spread:.3f}",
        f"{bounds.low:.3f} to {bounds.high:.3f}",
        f"{known['test'].macro:.3f}",
        f"{known['test'].interval.low:.3f} to {known['test'].interval.high:.3f}",
    ]
    assert rows[2] == ["mae", "0.507", NOT_TRAINED, "–", "–", "–", "–"]
    assert rows[-1][0] == ALL_ONES
    assert rows[-1][2] == f"{known['held_out'].baseline.macro:.3f}"
    assert rows[-1][5] == f"{known['test'].baseline.macro:.3f}"
    assert {len(row) for row in rows} == {7}


def test_figures_on_own_data_are_not_called_synthetic() -> None:
    rows = table_text(TABLES[0], join(TABLES[0], {}), {}, "own_data")
    assert "synthetic" not in str(rows)
    assert [row[2] for row in rows[1:]] == [NOT_TRAINED, NOT_TRAINED, "–"]


def test_every_table_can_be_shown_whatever_is_trained() -> None:
    everything = {name: run(1.0, seed=i) for i, name in enumerate(table_runs())}
    everything |= {row.run: run(0.8) for table in TABLES for row in table.rows if not row.model}
    for results in ({}, {"main": run(1)}, everything):
        for table in TABLES:
            outcomes = join(table, results)
            rows = table_text(table, outcomes, results.get("main", {}), "synthetic")
            assert len({len(row) for row in rows}) == 1
            assert [row[1] for row in rows[1:]][: len(table.rows)] == [
                row.printed for row in table.rows
            ]
            shown = NOT_TRAINED in str(rows)
            assert shown == (results is not everything)
            assert rows[-1][0] == ALL_ONES


def test_the_folds_have_a_mean_and_a_spread_once_all_are_trained() -> None:
    folds = {f"fold{i}": run(0.5 + 0.1 * i) for i in range(1, 8)}
    outcomes = join(TABLES[6], folds)
    values = [found["held_out"].macro for found in folds.values()]
    mean = fold_mean(outcomes)
    assert mean is not None
    assert mean == (pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)))
    rows = table_text(TABLES[6], outcomes, {}, "synthetic")
    assert rows[-2][:3] == ["mean of the folds", "0.559", f"{np.mean(values):.3f}"]
    del folds["fold3"]
    assert fold_mean(join(TABLES[6], folds)) is None


def test_submissions_are_compared_on_test() -> None:
    results = {"kfold": run(0.7)}
    rows = table_text(TABLES[7], join(TABLES[7], results), {}, "synthetic")
    assert rows[0][2] == "here (test, synthetic)"
    assert rows[3][:3] == ["K-fold", "0.5422", f"{results['kfold']['test'].macro:.3f}"]


def test_numbers_are_numbers_only_and_the_same_as_the_cells() -> None:
    results = {"ires100": run(1.0, seeds=2), "kfold": run(0.7)}
    numbers = tables_numbers(results)

    def leaves(node: object) -> list[object]:
        if isinstance(node, dict):
            return [leaf for value in node.values() for leaf in leaves(value)]
        return [node]

    assert all(type(leaf) is float for leaf in leaves(json.loads(json.dumps(numbers))))
    assert list(numbers) == [f"table{i}" for i in range(1, 9)]
    row = numbers["table2"]["ires100"]
    assert row["paper"] == 0.518
    assert row["f1"] == pytest.approx(results["ires100"]["held_out"].macro, abs=1e-6)
    assert row["test"]["f1"] == pytest.approx(results["ires100"]["test"].macro, abs=1e-6)
    assert row["low"] < row["f1"] < row["high"]
    assert numbers["table2"]["mae"] == {"paper": 0.507}
    assert numbers["table8"]["kfold"]["f1"] == pytest.approx(
        results["kfold"]["test"].macro, abs=1e-6
    )
