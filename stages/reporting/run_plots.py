"""Figures that compare runs: calibration, folds, learning curves, which AU is said for which."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NAMES, N_AUS
from stages.reporting.bootstrap import Interval
from stages.reporting.plots import BLUE, GREY, ORANGE, Curve, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 0.005  # share from which on a number is written into its cell


def ladder(path: Path, rungs: Mapping[str, Mapping[str, float]]) -> None:
    """Draw the macro F1 after each step of calibration, a line a set of videos.

    Parameters
    ----------
    path : Path
        PNG file.
    rungs : mapping of str to mapping of str to float
        By set of videos, then by step in order.
    """
    figure, axes = new_figure(9.5, 3.2)
    axis: Axes = axes[0, 0]  # type: ignore[index]
    steps = list(next(iter(rungs.values())))
    tops = [max(values[step] for values in rungs.values()) for step in steps]
    for (name, values), colour in zip(rungs.items(), (ORANGE, BLUE, GREY), strict=False):
        heights = [values[step] for step in steps]
        axis.plot(heights, "o-", color=colour, linewidth=2, markersize=7, label=name)
        for place, height in enumerate(heights):
            above = height == tops[place]
            axis.annotate(
                f"{height:.3f}", (place, height), xytext=(0, 8 if above else -17),
                textcoords="offset points", ha="center", fontsize=9, color=colour,
            )  # fmt: skip
    axis.set_xticks(range(len(steps)), steps)
    axis.set_xlim(-0.45, len(steps) - 0.55)
    axis.margins(y=0.3)
    axis.set_ylabel("mean F1 of 12 AUs")
    axis.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    save_figure(figure, path)


def folds_spread(path: Path, folds: Mapping[str, tuple[Interval, Interval | None]]) -> None:
    """Draw each fold's F1 on what it held out and on test, with 95 % intervals.

    Parameters
    ----------
    path : Path
        PNG file.
    folds : mapping of str to (Interval, Interval or None)
        By fold: on its held-out videos, and on test.
    """
    figure, axes = new_figure(9.5, 3.2)
    axis: Axes = axes[0, 0]  # type: ignore[index]
    places = np.arange(len(folds))
    sets = (("held-out fold", ORANGE, -0.12), ("test", BLUE, 0.12))
    for column, (name, colour, shift) in enumerate(sets):
        found = [(at, pair[column]) for at, pair in enumerate(folds.values())]
        bounds = [(at, value) for at, value in found if value is not None]
        if not bounds:
            continue
        x = [at + shift for at, _ in bounds]
        values = np.array([value.value for _, value in bounds])
        # an interval need not hold the value itself, and may be unknown
        below = np.fmax(values - [value.low for _, value in bounds], 0)
        above = np.fmax([value.high for _, value in bounds] - values, 0)
        axis.errorbar(x, values, yerr=[below, above], fmt="o", color=colour, capsize=3, label=name)
        axis.axhline(float(values.mean()), color=colour, linestyle=":", linewidth=1.2)
    axis.set_xticks(places, list(folds))
    axis.set_ylabel("mean F1 of 12 AUs")
    axis.grid(axis="x", visible=False)
    axis.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    save_figure(figure, path)


def curves_of_runs(
    path: Path, curves: Mapping[str, Mapping[str, Curve]], shown: Sequence[str]
) -> None:
    """Draw loss and validation F1 by epoch: some runs in colour, the others grey behind them.

    Parameters
    ----------
    path : Path
        PNG file.
    curves : mapping of str to mapping of str to (epochs, values)
        For each run its ``loss`` and ``validation_f1``.
    shown : sequence of str
        Runs in colour, two at most.
    """
    figure, axes = new_figure(9.5, 3.2, columns=2)
    names = {"loss": "training loss", "validation_f1": "mean F1 on what is held out"}
    colours = dict(zip(shown, (BLUE, ORANGE), strict=False))
    order = sorted(curves, key=lambda name: name in colours)
    for column, (key, label) in enumerate(names.items()):
        axis: Axes = axes[0, column]  # type: ignore[index]
        others = False
        for name in order:
            if key not in curves[name]:
                continue
            front = name in colours
            axis.plot(
                *curves[name][key],
                color=colours.get(name, GREY),
                linewidth=2 if front else 0.9,
                alpha=1 if front else 0.6,
                label=name if front else None if others else "other runs",
            )
            others |= not front
        axis.set_xlabel("epoch")
        axis.set_title(label, loc="left", fontsize=10)
        axis.legend(frameon=False, fontsize=9)
    save_figure(figure, path)


def mistaken_grid(path: Path, shares: NDArray[np.float64], missed: NDArray[np.int64]) -> None:
    """Draw which AU is said wrongly where another is missed, in percent.

    Parameters
    ----------
    path : Path
        PNG file.
    shares, missed
        See :func:`stages.reporting.confusion.mistaken_for`.
    """
    figure, axes = new_figure(9.5, 5.6)
    axis: Axes = axes[0, 0]  # type: ignore[index]
    top = max(float(np.nanmax(shares)) if np.isfinite(shares).any() else 0.0, 0.05)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=top, aspect="auto")
    for row in range(N_AUS):
        for column in range(N_AUS):
            value = shares[row, column]
            if np.isfinite(value) and value >= SHOWN:
                axis.text(
                    column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=9,
                    color="white" if value > 0.6 * top else "#1d2733",
                )  # fmt: skip
        axis.axvspan(row - 0.5, row + 0.5, 1 - (row + 1) / N_AUS, 1 - row / N_AUS, color="#eef0f3")
    labels = [f"{name}  (missed in {count})" for name, count in zip(AU_NAMES, missed, strict=True)]
    axis.set_yticks(range(N_AUS), labels)
    axis.set_xticks(range(N_AUS), AU_NAMES)
    axis.xaxis.tick_top()
    axis.set_xlabel("said, and not active: percent of the frames in which the row's AU is missed")
    axis.grid(visible=False)
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(False)
    save_figure(figure, path)
