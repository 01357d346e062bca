"""`aufusion compare OURS THEIRS`: agreement by AU as a table, a CSV file and a picture."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.files import temporary_path, write_rows
from stages.inference.baseline import check_seconds
from stages.inference.comparison.agreement import Agreement, Pairs, agree, align
from stages.inference.comparison.external_predictions import read_track
from stages.inference.comparison.ours import OURS
from stages.inference.comparison.tracks import INTENSITY, UNKNOWN, Track
from stages.inference.outputs import Outputs, discard, sentences
from stages.inference.sources import source_of
from stages.reporting.plots import BLUE, GREY, ORANGE, new_figure, save_figure
from stages.reporting.score_table import as_markdown

COMPARED = "aufusion comparison"
POINTS = 2000  # of a curve in the picture; each the largest of its frames


def _number(value: float, digits: int = 3) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def as_table(found: Sequence[Agreement], tool: str) -> str:
    """Agreement as a table for the terminal, with the means over AUs in its last row."""
    rows = [["AU", "frames", "F1", "correlation", "ICC(3,1)", "active, ours", f"active, {tool}"]]
    for one in found:
        numbers = [_number(one.f1), _number(one.correlation), _number(one.icc)]
        shares = [_share(one.active_ours), _share(one.active_theirs)]
        rows.append([one.au, str(one.frames), *numbers, *shares])
    means = [_mean([getattr(one, key) for one in found]) for key in ("f1", "correlation", "icc")]
    rows.append(["mean", "", *map(_number, means), "", ""])
    return as_markdown(rows)


def write_csv(path: Path, found: Sequence[Agreement]) -> None:
    """Write the agreement; a cell is empty where there is nothing to say."""
    names = ("au", "frames", "f1", "correlation", "icc", "active_ours", "active_theirs")

    def cell(value: object) -> object:
        if not isinstance(value, float):
            return value
        return "" if math.isnan(value) else round(value, 6)

    rows = [[cell(getattr(one, name)) for name in names] for one in found]
    write_rows(path, [names, *rows])


def _thin(values: NDArray[np.float64]) -> NDArray[np.float64]:
    step = -(-len(values) // POINTS)
    starts = np.arange(0, len(values), step)
    return np.asarray(np.fmax.reduceat(values, starts)) if step > 1 else values


def draw(path: Path, ours: Track, theirs: Track, pairs: Pairs, found: Sequence[Agreement]) -> None:
    """Draw both courses of each AU over time, intensities (0 to 5) where both tell them."""
    assert ours.time is not None
    times = ours.time[pairs.ours]
    shown = times[:: -(-len(times) // POINTS)]
    mine, other = ours.take(pairs.ours), theirs.take(pairs.theirs)
    figure, axes = new_figure(9.5, 0.72 * len(found) + 1.1, rows=len(found))
    for row, one in enumerate(found):
        axis = axes[row, 0]  # type: ignore[index]
        graded = one.au in mine.intensity and one.au in other.intensity
        top = INTENSITY if graded else 1.0  # of intensities where both tell them
        own = (mine.intensity if graded else mine.strength)[one.au]
        course = _thin(own + np.where(mine.seen, 0.0, np.nan))
        axis.plot(shown, course, color=BLUE, lw=1.0, label=OURS)
        present = _thin(np.where(mine.seen, mine.decision[one.au], 0).astype(np.float64)) == 1
        bold = np.where(present, course, np.nan)
        axis.plot(shown, bold, color=BLUE, lw=2.6, label=f"{OURS}: active")
        blank = np.where(other.seen, 0.0, np.nan)
        if one.au in other.strength:
            course = _thin((other.intensity if graded else other.strength)[one.au] + blank)
            axis.plot(shown, course, color=ORANGE, lw=1.2, label=theirs.tool)
        if one.au in other.decision:
            decided = np.where(other.decision[one.au] == UNKNOWN, np.nan, other.decision[one.au])
            on = _thin(decided + blank) == 1
            axis.fill_between(
                shown, 0, top, where=on, color=ORANGE, alpha=0.18, lw=0, step="mid",
                label=f"{theirs.tool}: active",
            )  # fmt: skip
        axis.set_ylim(-0.04 * top, 1.04 * top)
        axis.set_xlim(times[0], max(times[-1], times[0] + 1e-3))
        axis.set_yticks([0, top])
        axis.grid(axis="y", visible=False)
        axis.set_ylabel(one.au, rotation=0, ha="right", va="center")
        axis.text(
            1.01, 0.5, f"F1 {_number(one.f1, 2)}\nr {_number(one.correlation, 2)}"
            + (f"\nICC {_number(one.icc, 2)}" if graded else ""),
            transform=axis.transAxes, va="center", fontsize=8.5,
        )  # fmt: skip
        axis.tick_params(labelbottom=row == len(found) - 1, labelsize=8, color=GREY)
    axes[-1, 0].set_xlabel("seconds")  # type: ignore[index]
    handles = {
        label: handle
        for axis in axes[:, 0]  # type: ignore[index]
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles.keys(), loc="outside upper left", ncols=4, frameon=False,
        fontsize=9,
    )  # fmt: skip
    save_figure(figure, path)


def compare_files(
    ours: Path, theirs: Path, out: Path | None = None, baseline: float | None = None
) -> str:
    """Compare a prediction of ours with what another tool, or a person, says of the video.

    Parameters
    ----------
    ours : Path
        ``NAME.csv`` or ``NAME.parquet`` of ``aufusion predict``.
    theirs : Path
        Of any kind that :mod:`stages.inference.comparison.external_predictions` knows.
    out : Path, optional
        Folder for ``OURS_TOOL.csv`` and ``OURS_TOOL.png``, and ``OURS_TOOL.json``, which says
        what was compared.
    baseline : float, optional
        Seconds of rest that are subtracted of our prediction before it is compared.

    Returns
    -------
    str
        What to print.

    Raises
    ------
    DataError
        When a file is of no known kind or wrong somewhere, the two share nothing, or files that
        are not ours bear the names in `out`.
    """
    check_seconds(baseline)
    mine, other = read_track(ours, baseline=baseline), read_track(theirs, ours.stem)
    if mine.tool != OURS:
        raise DataError(
            f"{ours} is a file of {mine.tool}: name NAME.csv of `aufusion predict` first."
        )
    if not len(mine) or not len(other):
        raise DataError(f"{ours if not len(mine) else theirs} shows no face: nothing to compare.")
    pairs = align(mine, other)
    found = agree(mine, other, pairs)
    if not found:
        raise DataError(f"{theirs} has none of the 12 AUs.")
    lines = [
        f"{ours.name} and {theirs.name} ({other.tool}): {len(pairs.ours)} shared frames of "
        f"{len(mine)} and {len(other)}, aligned by {pairs.by}",
        as_table(found, other.tool),
        *mine.notes,
        *other.notes,
    ]
    if out is not None:
        name = f"{ours.stem}_{other.tool.lower().replace('-', '')}"
        about: dict[str, Any] = {"ours": source_of(ours), "theirs": source_of(theirs)}
        if baseline is not None:
            about["baseline"] = {"seconds": baseline, "notes": list(mine.notes)}
        with Outputs(out, name, COMPARED) as outputs:
            outputs.refuse_others(".json", ".csv", ".png")
            written = {ending: temporary_path(outputs.path(ending)) for ending in (".csv", ".png")}
            try:
                with sentences(out):
                    write_csv(written[".csv"], found)
                    draw(written[".png"], mine, other, pairs, found)
                outputs.put(about, written)
            finally:
                discard(list(written.values()))
        lines.append(f"{out / name}.csv, .png, .json")
    return "\n".join(lines)
