"""The report as one HTML file that opens offline: tables and figures, nothing from elsewhere."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2733; margin: 0 auto; max-width: 60rem;
       padding: 1rem; }
h1 { font-size: 1.6rem; margin: .5rem 0; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; width: 100%; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #e3e7ec;
         font-variant-numeric: tabular-nums; }
th { vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
.total tr:last-child td { font-weight: 600; border-top: 2px solid #1d2733; }
img { max-width: 100%; height: auto; }
.note { background: #f4f6f8; border-left: 4px solid #2563a8; padding: .6rem 1rem; }
"""


def table(rows: Sequence[Sequence[str]], *, total: bool = True) -> str:
    """HTML of a table whose first row is its heading, and its last, with `total`, sums it up."""
    head = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in rows[0])
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows[1:]
    )
    kind = " class='total'" if total else ""
    return (
        f"<div class='scroll'><table{kind}><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def picture(path: Path, text: str) -> str:
    """HTML of a PNG embedded in the page, with a text for those who cannot see it."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f"<img alt='{escape(text, quote=True)}' src='data:image/png;base64,{data}'>"


def write_page(path: Path, title: str, note: str, sections: Sequence[tuple[str, str]]) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    title : str
    note : str
        What a reader must know before reading any figure.
    sections : sequence of (str, str)
        Heading and HTML of each section.
    """
    body = "".join(f"<h2>{escape(heading)}</h2>{html}" for heading, html in sections)
    path.write_text(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1><p class='note'>{escape(note)}</p>{body}</body></html>\n",
        encoding="utf-8",
    )
