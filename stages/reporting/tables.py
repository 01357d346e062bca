"""The paper's tables joined with what the runs here score, and what they look like.

A row whose run was not trained stays in its table and says so: `make tables` trains all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.reporting.bootstrap import Interval
from stages.reporting.paper_tables import CALIBRATED, FOLD_MEAN, TABLES, Row, Table
from stages.reporting.results import Scored

NOT_TRAINED = "not trained: make tables"
ALL_ONES = "all-ones baseline"
Results = Mapping[str, Mapping[str, Scored]]  # by run, then by ``held_out`` or ``test``


@dataclass(frozen=True)
class Outcome:
    """One row: the paper's figure, and what is known here.

    Attributes
    ----------
    row : Row
    own : Scored or None
        On the set that the paper's figure is on.
    test : Scored or None
        On the test videos.
    """

    row: Row
    own: Scored | None
    test: Scored | None

    @property
    def trained(self) -> bool:
        """Whether there is anything beside the paper's figure."""
        return self.own is not None or self.test is not None


def join(table: Table, results: Results) -> list[Outcome]:
    """Rows of a table with the results of their runs, and of the calibrated ensemble in table 8."""
    own = "test" if table.split == "test" else "held_out"
    joined = []
    for row in table.rows:
        found = results.get(row.run, {})
        joined.append(Outcome(row, found.get(own), found.get("test")))
    if table.split == "test" and CALIBRATED in results:
        row = Row(CALIBRATED, "", "the exported one, calibrated (not in the paper)")
        joined.append(Outcome(row, results[CALIBRATED]["test"], results[CALIBRATED]["test"]))
    return joined


def fold_mean(outcomes: Sequence[Outcome]) -> tuple[float, float] | None:
    """Mean and standard deviation of the folds' F1; None unless all are trained."""
    values = [outcome.own.macro for outcome in outcomes if outcome.own is not None]
    if len(values) < len(outcomes) or len(values) < 2:
        return None
    return float(np.mean(values)), float(np.std(values, ddof=1))


def f1_text(value: float | None, digits: int = 3) -> str:
    """F1 with some decimals, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval_text(interval: Interval | None) -> str:
    """Bounds of an interval, why there are none, or a dash."""
    if interval is None:
        return "–"
    if not interval.known:
        return interval.note
    kind = f" ({interval.note})" if interval.note else ""
    return f"{interval.low:.3f} to {interval.high:.3f}{kind}"


def heading(table: Table, label: str) -> list[str]:
    """First row of a table; `label` says what kind of data ours is on."""
    kind = ", synthetic" if label == "synthetic" else ""
    where = {"validation": "validation", "folds": "held-out fold", "test": "test"}[table.split]
    own = [f"here ({where}{kind})", "spread over seeds", "95 % interval"]
    test = [] if table.split == "test" else [f"here (test{kind})", "95 % interval, test"]
    return [table.column, "paper", *own, *test]


def _cells(own: Scored | None, test: Scored | None, with_test: bool) -> list[str]:
    spread = own.spread if own else None
    cells = [
        f1_text(own.macro if own else None),
        "one seed" if own and spread is None else f1_text(spread),
        interval_text(own.interval if own else None),
    ]
    if with_test:
        cells += [f1_text(test.macro if test else None)]
        cells += [interval_text(test.interval if test else None)]
    return cells


def _baseline(
    table: Table, outcomes: Sequence[Outcome], anything: Mapping[str, Scored]
) -> list[str]:
    own = [outcome.own.baseline for outcome in outcomes if outcome.own]
    test = [outcome.test.baseline for outcome in outcomes if outcome.test]
    if table.split == "folds":  # each fold has other videos
        values = [scored.macro for scored in own]
        cells = [f1_text(float(np.mean(values)) if values else None), "–", "–"]
    else:
        known = anything.get("test" if table.split == "test" else "held_out")
        first = own[0] if own else known.baseline if known else None
        cells = _cells(first, None, with_test=False)
    if table.split != "test":
        known = anything.get("test")
        cells += _cells(test[0] if test else known.baseline if known else None, None, False)[::2]
    cells[1] = "–"
    return [ALL_ONES, "–", *cells]


def table_text(
    table: Table, outcomes: Sequence[Outcome], anything: Mapping[str, Scored], label: str
) -> list[list[str]]:
    """All cells of a table, heading first, the all-ones baseline last.

    Parameters
    ----------
    table : Table
    outcomes : sequence of Outcome
        See :func:`join`.
    anything : mapping of str to Scored
        Results of any run on ``held_out`` (the validation videos) and ``test``: the baseline of
        those videos, where no row of the table is trained.
    label : str
        ``synthetic`` or ``own_data``.

    Returns
    -------
    list of list of str
    """
    with_test = table.split != "test"
    rows = [heading(table, label)]
    for outcome in outcomes:
        cells = (
            _cells(outcome.own, outcome.test, with_test)
            if outcome.trained
            else [NOT_TRAINED, *["–"] * (4 if with_test else 2)]
        )
        rows.append([outcome.row.label, outcome.row.printed or "–", *cells])
    if table.split == "folds":
        mean = fold_mean(outcomes)
        own = ["–", "–"] if mean is None else [f1_text(mean[0]), f"{mean[1]:.3f} over folds"]
        rows.append(["mean of the folds", FOLD_MEAN, *own, "–", "–", "–"])
    rows.append(_baseline(table, outcomes, anything))
    return rows


def _numbers(scored: Scored | None) -> dict[str, float]:
    if scored is None:
        return {}
    bounds = scored.interval
    numbers = {"f1": scored.macro}
    if bounds.known:
        numbers |= {"low": bounds.low, "high": bounds.high}
    if scored.spread is not None:
        numbers["spread"] = scored.spread
    return {key: round(value, 6) for key, value in numbers.items()}


def tables_numbers(results: Results) -> dict[str, Any]:
    """Figures of all tables, for ``dvc metrics diff``: numbers only, by table and run."""
    numbers: dict[str, Any] = {}
    for table in TABLES:
        rows: dict[str, Any] = {}
        for outcome in join(table, results):
            paper = {} if outcome.row.paper is None else {"paper": outcome.row.paper}
            entry: dict[str, Any] = {**paper, **_numbers(outcome.own)}
            if table.split != "test" and outcome.test is not None:
                entry["test"] = _numbers(outcome.test)
            rows[outcome.row.run] = entry
        numbers[f"table{table.number}"] = rows
    return numbers
