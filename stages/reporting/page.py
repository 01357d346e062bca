"""The report as one HTML file that opens offline: tables and figures, nothing from elsewhere."""

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from stages.core.files import write_text

STYLE = """
:root { --ink: #1d2733; --soft: #5b6773; --line: #e3e7ec; --tint: #f4f6f8; --blue: #2563a8;
        --orange: #d9822b; --green: #3f8f5b; --red: #b8483d; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 4rem; }
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--ink);
       margin: 0 auto; max-width: 64rem; padding: 1.2rem 1.2rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .6rem 0 .2rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; margin: 2.8rem 0 .6rem; padding-top: .9rem;
     border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.8rem 0 .3rem; }
p { margin: .5rem 0; max-width: 46rem; }
p.small, figcaption { color: var(--soft); font-size: .88rem; }
nav { position: sticky; top: 0; z-index: 5; background: rgba(255,255,255,.96);
      margin: 1rem -1.2rem 0; padding: .5rem 1.2rem; border-bottom: 1px solid var(--line);
      display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; font-size: .88rem; }
nav a { color: var(--blue); text-decoration: none; white-space: nowrap; }
nav a:hover { text-decoration: underline; }
.note { background: #fdf4e9; border-left: 4px solid var(--orange); padding: .6rem 1rem;
        max-width: none; border-radius: 0 .4rem .4rem 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem;
         margin: 1.2rem 0; }
.tile { border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; }
.tile b { display: block; font-size: 1.7rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { display: block; overflow-wrap: anywhere; font-size: .86rem; color: var(--soft); }
.tile.first { background: #eaf1f8; border-color: #c9dcee; }
.claim { border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem;
         margin: .7rem 0; }
.claim h3 { margin: 0; display: flex; flex-wrap: wrap; gap: .3rem .7rem; align-items: center; }
.claim p { margin: .35rem 0 0; max-width: none; }
.badge { font-size: .78rem; font-weight: 600; padding: .1rem .6rem; border-radius: 1rem;
         color: #fff; background: var(--soft); white-space: nowrap; }
.badge.held { background: var(--green); } .badge.undecided { background: var(--orange); }
.badge.did-not-hold { background: var(--red); }
.badge.points-to-it, .badge.points-against-it { background: var(--orange); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; width: 100%; margin: .4rem 0; }
th, td { padding: .34rem .6rem; text-align: right; border-bottom: 1px solid var(--line);
         font-variant-numeric: tabular-nums; }
th { vertical-align: bottom; font-weight: 600; color: var(--soft); font-size: .84rem; }
th:first-child, td:first-child { text-align: left; min-width: 9.5rem; max-width: 21rem; }
.total tr:last-child td { font-weight: 600; border-top: 2px solid var(--ink); }
.total td:first-child { white-space: nowrap; }
table.narrow { width: auto; } table.wide { font-size: .84rem; }
.wide th:nth-child(2), .wide td:nth-child(2) { text-align: left; min-width: 15rem; }
.last tr:last-child td { color: var(--soft); border-top: 2px solid var(--line); }
.last:not(.wide) td:not(:first-child) { white-space: nowrap; }
td em { color: var(--soft); }
td svg { display: block; margin-left: auto; }
figure { margin: .6rem 0; } figure img { display: block; width: 100%; min-width: 40rem; }
footer { margin-top: 3rem; color: var(--soft); font-size: .86rem; }
@media (max-width: 34rem) {
  body { padding: .8rem .8rem 3rem; }
  nav { margin: .8rem -.8rem 0; padding: .5rem .8rem; flex-wrap: nowrap; overflow-x: auto; }
  h1 { font-size: 1.4rem; } .tiles { grid-template-columns: 1fr 1fr; gap: .5rem; }
  .tile { padding: .6rem .7rem; } .tile b { font-size: 1.35rem; } th, td { padding: .3rem .4rem; }
}
@media print { nav { display: none; } h2 { break-after: avoid; }
  figure, .claim { break-inside: avoid; } }
"""


class Html(str):
    """Markup that is put into a page as it is; any other text is escaped."""


def _cell(cell: str) -> str:
    return cell if isinstance(cell, Html) else escape(cell)


def table(rows: Sequence[Sequence[str]], *, total: bool = True, kind: str = "") -> Html:
    """HTML of a table whose first row is its heading, and its last, with `total`, sums it up."""
    head = "".join(f"<th scope='col'>{_cell(cell)}</th>" for cell in rows[0])
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows[1:]
    )
    style = kind or ("total" if total else "")
    return Html(
        f"<div class='scroll'><table class='{style}'><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def picture(path: Path, text: str, caption: str = "") -> Html:
    """HTML of a PNG embedded in the page, with a text for those who cannot see it."""
    data = base64.b64encode(path.read_bytes()).decode()
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return Html(
        f"<figure><div class='scroll'><img alt='{escape(text, quote=True)}' "
        f"src='data:image/png;base64,{data}'></div>{below}</figure>"
    )


def paragraph(text: str, kind: str = "") -> Html:
    """HTML of a paragraph."""
    return Html(f"<p class='{kind}'>{escape(text)}</p>" if kind else f"<p>{escape(text)}</p>")


def subheading(text: str) -> Html:
    """HTML of a heading within a section."""
    return Html(f"<h3>{escape(text)}</h3>")


def whisker(
    value: float, low: float, high: float, scale: tuple[float, float], mark: float | None
) -> Html:
    """Inline picture of a value with its interval, and a dashed mark of the baseline.

    Parameters
    ----------
    value, low, high : float
    scale : (float, float)
        Values at the left and the right edge.
    mark : float or None
    """
    width, first, last = 120, *scale

    def x(at: float) -> float:
        share = (at - first) / max(last - first, 1e-9)
        return round(4 + (width - 8) * min(max(share, 0.0), 1.0), 1)

    dashes = (
        f"<line x1='{x(mark)}' x2='{x(mark)}' y1='1' y2='17' stroke='#9aa3ad' "
        "stroke-dasharray='2 2'/>"
        if mark is not None
        else ""
    )
    return Html(
        f"<svg width='{width}' height='18' role='img' aria-label='{low:.3f} to {high:.3f}'>{dashes}"
        f"<line x1='{x(low)}' x2='{x(high)}' y1='9' y2='9' stroke='#2563a8' stroke-width='2.5' "
        f"stroke-linecap='round' opacity='.55'/><circle cx='{x(value)}' cy='9' r='4' "
        "fill='#2563a8'/></svg>"
    )


def tiles(items: Sequence[tuple[str, str]]) -> Html:
    """HTML of key figures, each with what it is."""
    shown = "".join(
        f"<div class='tile{' first' if i == 0 else ''}'><b>{escape(figure)}</b>"
        f"<span>{escape(text)}</span></div>"
        for i, (figure, text) in enumerate(items)
    )
    return Html(f"<div class='tiles'>{shown}</div>") if items else Html("")


def claim(title: str, verdict: str, paper: str, sentence: str) -> Html:
    """HTML of a claim: its verdict, what it rests on in the paper, and what was found here."""
    kind = verdict.split(" (")[0].replace(" ", "-")
    return Html(
        f"<div class='claim'><h3>{escape(title)} <span class='badge {kind}'>"
        f"{escape(verdict)}</span></h3><p>{escape(sentence)}</p>"
        f"<p class='small'>In the paper: {escape(paper)}.</p></div>"
    )


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def write_page(
    path: Path, title: str, note: str, sections: Sequence[tuple[str, str]], opening: str = ""
) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    title : str
    note : str
        What a reader must know before reading any figure.
    sections : sequence of (str, str)
        Heading and HTML of each section.
    opening : str
        HTML before the first section.
    """
    body = "".join(
        f"<section><h2 id='{_anchor(heading)}'>{escape(heading)}</h2>{html}</section>"
        for heading, html in sections
    )
    links = "".join(
        f"<a href='#{_anchor(heading)}'>{escape(heading)}</a>" for heading, _ in sections
    )
    write_text(
        path,
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><header><h1>{escape(title)}</h1><p class='note'>{escape(note)}</p></header>"
        f"<nav aria-label='Sections'>{links}</nav>{opening}{body}</body></html>\n",
    )
