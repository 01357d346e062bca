"""The page of an evaluation: `evaluation.html`, one file that opens offline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

from stages.core.errors import DataError
from stages.core.facs import AU_MEANINGS
from stages.inference.evaluation.intervals import FEWEST, LEVEL
from stages.inference.evaluation.mistakes import Mistake, pictures
from stages.inference.evaluation.ranking import HIGH, LOW, SHORTEST, SHOWN
from stages.inference.evaluation.result import Evaluation
from stages.inference.evaluation.scoring import MEASURES, means
from stages.inference.evaluation.writing import (
    SHARES,
    TITLES,
    group_tables,
    ranking_table,
    sentence,
    table_of,
)
from stages.inference.views.timeline import picture_address
from stages.reporting.page import Html, paragraph, subheading, table, tiles, write_page

SIDE = 112  # pixels of a picture
FACES_STYLE = Html(
    "<style>.faces { display: flex; flex-wrap: wrap; gap: .6rem; margin: .4rem 0 1rem; padding: 0; "
    "list-style: none; } .faces li { width: 7.2rem; font-size: .78rem; line-height: 1.25; "
    "overflow-wrap: anywhere; color: var(--soft); } .faces img { display: block; width: 100%; "
    "border-radius: .4rem; margin-bottom: .2rem; } .faces b { color: var(--ink); } "
    "@media (max-width: 34rem) { .faces li { width: 30%; } }</style>"
)

Places = Mapping[str, tuple[Path, Path | None, int]]  # media, our result, person by the file's name


def _addresses(mistakes: list[Mistake], places: Places) -> dict[tuple[str, int], str]:
    wanted: dict[str, list[int]] = {}
    for one in mistakes:
        wanted.setdefault(one.file, []).append(one.frame)
    found = {}
    for name, frames in wanted.items():
        media, result, person = places[name]
        try:
            for frame, image in pictures(media, frames, result, person):
                found[name, frame] = picture_address(image, SIDE)
        except DataError:  # it could be read before: the page is complete without its pictures
            continue
    return found


def _faces(mistakes: list[Mistake], addresses: Mapping[tuple[str, int], str]) -> str:
    items = []
    for one in mistakes:
        address = addresses.get((one.file, one.frame), "")
        shown = f"<img src='{address}' alt='{escape(one.file, quote=True)}'>" if address else ""
        score = "no face found" if one.score != one.score else f"score {one.score:.2f}"
        frame = f", frame {one.frame}" if one.frame > 1 else ""
        items.append(f"<li>{shown}<b>{score}</b><br>{escape(one.file)}{frame}</li>")
    return f"<ul class='faces'>{''.join(items)}</ul>"


def _mistakes(evaluation: Evaluation, places: Places) -> str:
    addresses = _addresses(evaluation.mistakes, places)
    parts = [FACES_STYLE, paragraph("Of each person the worst frame; the surest mistakes first.")]
    for au in evaluation.scores:
        for kind in ("false alarm", "miss"):
            chosen = [m for m in evaluation.mistakes if m.au == au and m.kind == kind]
            if chosen:
                title = {"false alarm": "said to be there", "miss": "not found"}[kind]
                parts.append(subheading(f"{au} {AU_MEANINGS[au]}: {title}"))
                parts.append(Html(_faces(chosen, addresses)))
    if not evaluation.mistakes:
        parts.append(paragraph("There are none."))
    return "".join(parts)


def _tiles(evaluation: Evaluation) -> Html:
    mean = means(evaluation.scores)
    items = [(str(len(evaluation.samples.people)), "people")]
    for name in MEASURES:
        if name in mean:
            value = f"{100 * mean[name]:.1f} %" if name in SHARES else f"{mean[name]:.3f}"
            count = sum(name in one.measures for one in evaluation.scores.values())
            items.append((value, f"{TITLES[name]}, mean of {count} AU{'s' if count > 1 else ''}"))
    return tiles(items)


def _ranking(evaluation: Evaluation) -> str:
    tool = evaluation.about["reference"]
    text = (
        "No labels, but another tool's continuous values. Within a clip: the quarter of the frames "
        f"where {tool} is highest against the quarter where it is lowest, in clips of at least "
        f"{SHORTEST} frames in which the means of the two lie {SHOWN} or more apart: such a clip "
        f"shows the AU. Pooled: frames above {HIGH} against frames below {LOW}."
    )
    rows = [["AU", "clip", "AUC"]]
    for au, one in evaluation.ranking.items():
        rows += [[au, name, f"{value:.3f}"] for name, value in one.clips.items()]
    return "".join(
        [
            paragraph(text),
            table(ranking_table(evaluation), total=False),
            subheading("Clip by clip"),
            table(rows, total=False, kind="narrow"),
        ]
    )


HOW = (
    "AUC: the chance that a frame with the AU scores above one without it, over all people pooled, "
    "and as the mean of those within each clip (a person's photos are one clip). Hits: share of "
    "the frames with the AU in which it is found. False alarms: share of the frames without it in "
    "which it is said to be there. A face that is not found is an AU that is not found, and has no "
    f"score. Intervals hold for other people in {LEVEL:.0%} of cases: people are drawn with "
    "replacement (bootstrap, bias-corrected and accelerated); there are none where fewer than "
    f"{FEWEST} people have the AU, or fewer are without it."
)


def _sections(evaluation: Evaluation, places: Places) -> list[tuple[str, str]]:
    sections = []
    if evaluation.scores:
        rows = table_of(evaluation.scores)
        sections.append(("Action units", table(rows, total=False) + paragraph(HOW)))
    groups = group_tables(evaluation)
    if groups:
        body = "".join(subheading(t) + table(rows, total=False) for t, rows in groups.items())
        sections.append(("Groups", body))
    if evaluation.ranking:
        sections.append((f"Against {evaluation.about['reference']}", _ranking(evaluation)))
    if evaluation.scores:
        sections.append(("Worst mistakes", _mistakes(evaluation, places)))
    notes = [paragraph(note) for note in evaluation.notes]
    notes += [
        paragraph(f"{name}: {why}", "small") for name, why in sorted(evaluation.left_out.items())
    ]
    if notes:
        sections.append(("Notes", "".join(notes)))
    return sections


def write_html(path: Path, evaluation: Evaluation, place: Callable[[], Places]) -> None:
    """Write ``evaluation.html``.

    Parameters
    ----------
    path : Path
    evaluation : Evaluation
    place : callable
        Says where the files are: media, our result, and whose face in it.
    """
    made = evaluation.about.get("ensemble")
    what = (
        f"{evaluation.tool}, ensemble {made['name']}" if isinstance(made, dict) else evaluation.tool
    )
    write_page(
        path,
        f"{evaluation.tool} on {evaluation.about['evaluated']}",
        f"{sentence(evaluation)}. Made with `aufusion evaluate` ({what}).",
        _sections(evaluation, place()),
        _tiles(evaluation),
    )
