"""Sections of the report: headings and HTML, made of what the runs' figures are."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.reporting.bootstrap import RESAMPLES
from stages.reporting.claims import Claim, best_single
from stages.reporting.page import Html, claim, paragraph, picture, subheading, table, tiles, whisker
from stages.reporting.paper_tables import CALIBRATED, MODEL_TITLES, SUBMISSIONS, TABLES, run_title
from stages.reporting.results import Scored
from stages.reporting.tables import (
    NOT_TRAINED,
    Outcome,
    Results,
    f1_text,
    interval_text,
    join,
    table_text,
)
from stages.reporting.verdicts import HELD, TOWARDS

Section = tuple[str, str]
NOTES: Mapping[int, str] = {
    1: "Both rows read the same two visual encoders; only the training set differs.",
    2: "No sound. Four of the paper's five were pre-trained on private databases, too.",
    5: "The last three are the paper's hybrids.",
    6: "The paper prints the third row without ecapatdnn and with the F1 of table 4's third row: "
    "it is taken for the same run.",
    7: "Folds hold different videos out, so each has a baseline of its own; the last row is their "
    "mean. The spread of the mean is over folds.",
    8: "The paper's test labels are not public; here the test videos are those of the data root.",
}


def kind_of(label: str) -> str:
    """Words that follow a heading over figures on the generated corpus."""
    return " (synthetic)" if label == "synthetic" else ""


def opening(results: Results, claims: Sequence[Claim], label: str) -> Html:
    """Key figures: the best ensemble, the best single run, the baseline, the claims that held."""
    items: list[tuple[str, str]] = []
    kind = kind_of(label)
    tested = {
        name: results[name]["test"] for name in SUBMISSIONS if "test" in results.get(name, {})
    }
    best, title = results.get(CALIBRATED, {}).get("test"), "the exported ensemble, calibrated"
    if best is None and tested:
        name = max(tested, key=lambda name: tested[name].macro)
        best, title = tested[name], f"the best submission, {SUBMISSIONS[name]}"
    if best is not None:
        text = f"test F1{kind} of {title}; {interval_text(best.interval)}"
        items.append((f1_text(best.macro), text))
    single = best_single(results)
    if single is not None:
        alone = results[single]["test"]
        text = (
            f"test F1{kind} of the single run best on validation, {run_title(single)}; "
            f"{interval_text(alone.interval)}"
        )
        items.append((f1_text(alone.macro), text))
        ones = f"test F1{kind} of saying every AU in every frame"
        items.append((f1_text(alone.baseline.macro), ones))
    known = [found for found in claims if found.differences]
    if known:
        held = sum(found.verdict == HELD for found in known)
        towards = sum(found.verdict == TOWARDS for found in known)
        text = "of the paper's claims that could be tried surely held here"
        if towards:
            text += f"; {towards} more the figures point to"
        items.append((f"{held} of {len(known)}", text))
    return tiles(items)


def claims_section(claims: Sequence[Claim]) -> Section:
    """Verdict and sentence of each claim."""
    about = paragraph(
        "Each claim compares runs on the same videos, on validation and on test. It counts as held "
        "where the first is higher beyond the 95 % interval on both, and the interval draws people "
        f"and seeds together ({RESAMPLES} resamples). With one seed, or labels of one set alone, "
        "the figures point to it at most.",
        "small",
    )
    shown = "".join(claim(c.title, c.verdict, c.paper, c.sentence) for c in claims)
    return "The paper's claims", about + shown


def _scale(scored: Sequence[Scored]) -> tuple[float, float]:
    lows = [min(np.fmin(s.macro, s.interval.low), s.baseline.macro) for s in scored]
    highs = [float(np.fmax(s.macro, s.interval.high)) for s in scored]
    return min(lows, default=0.0) - 0.02, max(highs, default=1.0) + 0.02


def _with_whiskers(rows: list[list[str]], outcomes: Sequence[Outcome]) -> list[list[str]]:
    known = [s for outcome in outcomes for s in (outcome.own, outcome.test) if s is not None]
    scale = _scale(known)
    own_column, test_column = 4, 6
    shown = [list(row) for row in rows]
    for row, outcome in zip(shown[1:], outcomes, strict=False):
        for column, scored in ((own_column, outcome.own), (test_column, outcome.test)):
            at = scored.interval if scored is not None else None
            if scored is not None and at is not None and at.known and column < len(row):
                drawn = whisker(at.value, at.low, at.high, scale, scored.baseline.macro)
                row[column] = Html(f"{drawn}{row[column]}")
        if row[2] == NOT_TRAINED:
            row[2] = Html(f"<em>{NOT_TRAINED}</em>")
    return shown


def tables_section(results: Results, anything: Mapping[str, Scored], label: str) -> Section:
    """Tables 1 to 8, each with the paper's figures beside ours."""
    parts = [
        paragraph(
            "Intervals: 95 %, over people (BCa bootstrap); the dot is the F1, the dashed line "
            "the all-ones baseline. The paper's figures are on Aff-Wild2, with other encoders.",
            "small",
        )
    ]
    for item in TABLES:
        outcomes = join(item, results)
        rows = table_text(item, outcomes, anything, label)
        parts.append(subheading(f"Table {item.number}. {item.title}"))
        if item.number in NOTES:
            parts.append(paragraph(NOTES[item.number], "small"))
        parts.append(table(_with_whiskers(rows, outcomes), kind="last"))
    return "The paper's tables", "".join(parts)


def tables_markdown(
    results: Results,
    anything: Mapping[str, Scored],
    claims: Sequence[Claim],
    label: str,
    as_markdown: Any,
) -> str:
    """Tables and claims as Markdown."""
    kind = kind_of(label)
    parts = [f"# The paper's tables, F1 of the positive class, mean of 12 AUs{kind}"]
    for item in TABLES:
        rows = table_text(item, join(item, results), anything, label)
        parts += [f"## Table {item.number}. {item.title}", as_markdown(rows)]
    parts.append("## The paper's claims")
    parts += [
        f"- **{found.title}: {found.verdict}.** {found.sentence} In the paper: {found.paper}."
        for found in claims
    ]
    return "\n\n".join(parts) + "\n"


def networks_section(counts: Mapping[str, int]) -> Section:
    """Trained parameters of the nine networks at full scale."""
    rows = [["network", "parameters, millions"]]
    rows += [[MODEL_TITLES.get(name, name), f"{n / 1e6:.2f}"] for name, n in counts.items()]
    about = paragraph(
        "At the published sizes, reading ires100's 512 and ecapatdnn's 192 numbers a frame.",
        "small",
    )
    return "Networks at full scale", about + table(rows, kind="narrow")


def mask_section(folder: Path) -> Section | None:
    """What the masked copies look like and what they add; None where there are no copies."""
    if not (folder / "faces.png").is_file():
        return None
    with (folder / "counts.csv").open(encoding="utf-8") as file:
        heading, *rows = csv.reader(file)
    counts = table([[cell.replace("_", " ") for cell in heading], *rows], total=False)
    faces = picture(
        folder / "faces.png",
        "Faces as they are and with either half hidden, at several head rolls",
        "The mask follows the head, at whatever angle it is held.",
    )
    bars = picture(
        folder / "counts.png",
        "Active frames per AU with and without the copies",
        "Active frames of the training set before and after the masked copies.",
    )
    return "Masked copies", faces + bars + counts


def encoders_section(folder: Path, label: str) -> Section | None:
    """Table of encoders that `probe` wrote; None where there is none."""
    try:
        with (folder / "table.csv").open(encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        return None
    about = paragraph(
        f"F1 on validation{kind_of(label)} of a transformer that reads one encoder alone, mean of "
        "12 AUs.",
        "small",
    )
    return "Encoders", about + table(rows, kind="last wide")


def reading_section(label: str) -> Section:
    """What the figures are and how they were made."""
    lines = [
        "F1 is that of the positive class, per AU over all annotated frames of a set taken "
        "together, and its mean over the 12 AUs: the figure of the ABAW challenge. An AU that is "
        "neither present nor said counts 0.",
        "Tables 1 to 6 are on the validation videos, by which each run's epoch was chosen, as in "
        "the paper; the columns on test are free of that choice.",
        "Intervals are over people: all that shares a person or a video is drawn together, with "
        "replacement (bias-corrected and accelerated bootstrap); an AU that never occurs in such a "
        "draw has no part in its mean.",
        "Comparisons draw the same people for both sides, so what is hard for both cancels. A "
        "table's interval is about the people, the spread over seeds about the training. A claim "
        "is judged by both: its interval draws the seeds of each run, too.",
    ]
    if label == "synthetic":
        lines.append(
            "All of this is on the generated corpus: drawn heads with exact labels. It shows that "
            "the pipeline works, and nothing of how well it does on people."
        )
    return "How to read this", "".join(paragraph(line) for line in lines)
