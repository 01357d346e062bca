"""The table of F1 that ends `make repro`, and its Markdown."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.core import paths
from stages.core.errors import DataError
from stages.core.facs import AU_MEANINGS, AU_NAMES

COLUMNS = {
    "f1": "picture and sound",
    "f1_sound_withheld": "same weights, sound withheld",
    "f1_trained_without_sound": "trained without sound",
    "f1_frame_head": "encoders alone",
    "f1_ensemble": "ensemble",
    "f1_ensemble_calibrated": "ensemble, calibrated",
    "f1_all_ones": "all-ones baseline",
    "base_rate": "base rate",
    "icc_ensemble": "intensity, ICC(3,1)",
}


def read_scores(path: Path = paths.SCORES) -> tuple[str, dict[str, Any]]:
    """Read the scores that `evaluate` wrote.

    Returns
    -------
    label : str
        ``synthetic`` for the generated corpus, ``own_data`` for a user's data root.
    scores : dict
        By split.

    Raises
    ------
    DataError
        When there are none yet.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        ((label, scores),) = content.items()
    except FileNotFoundError:
        raise DataError(f"{path} is not there yet: run `make repro`.") from None
    except ValueError:
        raise DataError(f"{path} does not hold scores: run `dvc repro -f evaluate`.") from None
    return label, scores


def table_rows(scores: Mapping[str, Any]) -> list[list[str]]:
    """Rows of the table for one split: a heading, one row an AU, and the mean."""
    columns = {key: text for key, text in COLUMNS.items() if key in scores}
    rows = [["", *columns.values()]]
    for name in AU_NAMES:
        values = [f"{scores[key][name]:.3f}" if name in scores[key] else "-" for key in columns]
        rows.append([f"{name} {AU_MEANINGS[name]}", *values])
    rows.append(["mean of 12 AUs", *[f"{scores[key]['macro']:.3f}" for key in columns]])
    return rows


def as_markdown(rows: list[list[str]]) -> str:
    """Rows as a Markdown table, padded so that it also reads well in a terminal."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(cells: list[str]) -> str:
        padded = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = "|" + "|".join(
        ("-" * (width + 2) if i == 0 else "-" * (width + 1) + ":") for i, width in enumerate(widths)
    )
    return "\n".join([line(rows[0]), rule + "|", *map(line, rows[1:])])


def describe(label: str, split: str) -> str:
    """Name the metric, the set and the kind of data, for a table's heading."""
    kind = "synthetic: the generated corpus" if label == "synthetic" else "your data"
    return f"{split} ({kind}): F1 of the positive class per AU, threshold 0.5 unless calibrated"
