"""The figures of an evaluation as JSON, as CSV and as text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from stages.core.files import write_rows
from stages.inference.evaluation.intervals import LEVEL, Estimate
from stages.inference.evaluation.ranking import HIGH, LOW, SHOWN, Ranking
from stages.inference.evaluation.result import Evaluation
from stages.inference.evaluation.scoring import MEASURES, Figures, Scores, means
from stages.reporting.score_table import as_markdown

KIND: Final = "aufusion evaluation"
NAME: Final = "evaluation"
TABLES: Final = (".csv", ".html")  # that ``evaluation.json`` names
TITLES: Final = {
    "auc": "AUC",
    "auc_within": "AUC within clips",
    "f1": "F1",
    "precision": "precision",
    "hits": "hits",
    "false_alarms": "false alarms",
    "icc": "ICC(3,1)",
    "pearson": "Pearson's r",
}
SHARES: Final = ("precision", "hits", "false_alarms")
DECIMALS = 6


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, DECIMALS)


def _estimate(one: Estimate) -> dict[str, Any]:
    found: dict[str, Any] = {"value": _number(one.value)}
    if math.isnan(one.low):
        return {**found, "note": one.note} if one.note else found
    return {**found, "low": _number(one.low), "high": _number(one.high)}


def _figures(one: Figures) -> dict[str, Any]:
    return {
        "frames": one.frames,
        "positives": one.positives,
        "negatives": one.negatives,
        "people": one.people,
        "frames_without_a_face": one.unseen,
        **{name: _estimate(value) for name, value in one.measures.items()},
    }


def _scores(scores: Scores) -> dict[str, Any]:
    return {
        "aus": {name: _figures(one) for name, one in scores.items()},
        "mean": {name: _number(value) for name, value in means(scores).items()},
    }


def _ranking(one: Ranking) -> dict[str, Any]:
    return {
        "within": _estimate(one.within),
        "clips": {name: _number(value) for name, value in one.clips.items()},
        "reach": {name: _number(value) for name, value in one.reach.items()},
        "pooled": _estimate(one.pooled),
        "frames_high": one.high,
        "frames_low": one.low,
    }


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """All figures as plain values."""
    samples = evaluation.samples
    found: dict[str, Any] = {
        "format": 2,
        "tool": evaluation.tool,
        **evaluation.about,
        "media": len(samples.files),
        "people": len(samples.people),
        "labelled_frames": len(samples),
        "level": LEVEL,
        **_scores(evaluation.scores),
        "groups": {
            column: {value: _scores(scores) for value, scores in values.items()}
            for column, values in evaluation.groups.items()
        },
        "left_out": dict(sorted(evaluation.left_out.items())),
        "notes": evaluation.notes,
    }
    if evaluation.ranking:
        found["ranking"] = {
            "rule": {"shown": SHOWN, "high": HIGH, "low": LOW},
            "aus": {name: _ranking(one) for name, one in evaluation.ranking.items()},
        }
    return found


def _rows(evaluation: Evaluation) -> Iterator[list[Any]]:
    sets = {("all", ""): evaluation.scores}
    sets |= {
        (column, value): scores
        for column, values in evaluation.groups.items()
        for value, scores in values.items()
    }
    for (column, value), scores in sets.items():
        for au, one in scores.items():
            for measure, found in one.measures.items():
                yield [
                    column, value, au, measure, _number(found.value), _number(found.low),
                    _number(found.high), one.people, one.positives, one.negatives, found.note,
                ]  # fmt: skip
    for au, ranked in evaluation.ranking.items():
        for measure, found in (("ranked_within", ranked.within), ("ranked_pooled", ranked.pooled)):
            yield [
                "all", "", au, measure, _number(found.value), _number(found.low),
                _number(found.high), "", ranked.high, ranked.low, found.note,
            ]  # fmt: skip


def write_csv(path: Path, evaluation: Evaluation) -> None:
    """Write ``evaluation.csv``: one row per group, AU and measure."""
    heading = [
        "group", "value", "au", "measure", "estimate", "low", "high", "people", "positives",
        "negatives", "note",
    ]  # fmt: skip
    write_rows(path, [heading, *_rows(evaluation)])


def short(one: Estimate | None, measure: str, interval: bool = True) -> str:
    """An estimate as people read it: a share in %, else three digits; with its interval."""
    if one is None or math.isnan(one.value):
        return "-"

    def text(value: float) -> str:
        return f"{100 * value:.1f}" if measure in SHARES else f"{value:.3f}"

    unit = " %" if measure in SHARES else ""
    if not interval or math.isnan(one.low):
        return f"{text(one.value)}{unit}"
    return f"{text(one.value)}{unit} [{text(one.low)}, {text(one.high)}]"


def measures_of(scores: Scores) -> list[str]:
    """Measures that any AU has."""
    return [name for name in MEASURES if any(name in one.measures for one in scores.values())]


def table_of(scores: Scores) -> list[list[str]]:
    """Heading and a row an AU."""
    names = measures_of(scores)
    rows = [["AU", "people", "with", "without", *(TITLES[name] for name in names)]]
    for au, one in scores.items():
        cells = [short(one.measures.get(name), name) for name in names]
        rows.append([au, str(one.people), str(one.positives), str(one.negatives), *cells])
    return rows


def group_tables(evaluation: Evaluation) -> dict[str, list[list[str]]]:
    """A table a measure: a row an AU and column, a cell a group's value."""
    found = {}
    for column, values in evaluation.groups.items():
        for measure in ("auc", "hits", "false_alarms"):
            aus = [
                au for au in evaluation.scores
                if any(au in s and measure in s[au].measures for s in values.values())
            ]  # fmt: skip
            if not aus:
                continue
            rows = [["AU", *values]]
            for au in aus:
                cells = [
                    short(s[au].measures.get(measure) if au in s else None, measure)
                    for s in values.values()
                ]
                rows.append([au, *cells])
            found[f"{TITLES[measure]} by {column}"] = rows
    return found


def ranking_table(evaluation: Evaluation) -> list[list[str]]:
    """Heading and a row an AU."""
    rows = [["AU", "clips that show it", "AUC within them", "frames high, low", "AUC pooled"]]
    for au, one in evaluation.ranking.items():
        rows.append(
            [
                au,
                f"{len(one.clips)} of {len(one.reach)}",
                short(one.within, "auc"),
                f"{one.high}, {one.low}",
                short(one.pooled, "auc"),
            ]
        )
    return rows


def sentence(evaluation: Evaluation) -> str:
    """What was evaluated, in a sentence."""
    samples = evaluation.samples
    unseen = int((~samples.seen).sum())
    label = " (synthetic)" if evaluation.about["label"] == "synthetic" else ""
    found = (
        f"{evaluation.tool} on {evaluation.about['evaluated']}{label}: {len(samples.files)} files, "
        f"{len(samples.people)} people, {len(samples)} labelled frames"
    )
    return f"{found}, {unseen} of them without a face that it finds" if unseen else found


def as_text(evaluation: Evaluation) -> str:
    """All that the terminal shows."""
    lines = [sentence(evaluation)]
    if evaluation.scores:
        lines += [
            f"intervals: {LEVEL:.0%}, over people",
            "",
            as_markdown(table_of(evaluation.scores)),
        ]
    for title, rows in group_tables(evaluation).items():
        lines += ["", title, as_markdown(rows)]
    if evaluation.ranking:
        lines += [
            "",
            f"Frames ranked as {evaluation.about['reference']} ranks them: within a clip the "
            f"highest against the lowest quarter where they lie {SHOWN} apart; pooled, above "
            f"{HIGH} against below {LOW}",
            as_markdown(ranking_table(evaluation)),
        ]
    lines += ["", *evaluation.notes]
    lines += [f"left out, {name}: {why}" for name, why in sorted(evaluation.left_out.items())]
    return "\n".join(lines).rstrip()
