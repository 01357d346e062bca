"""Figures of the report, by matplotlib, as PNG files."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stages.core.facs import AU_NAMES
from stages.core.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2563a8", "#d9822b", "#9aa3ad"
Curve = tuple[ArrayLike, ArrayLike]


def new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1
) -> "tuple[Figure, object]":
    """Make a figure of so many inches in the report's style, and its axes, (rows, columns)."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "axes.axisbelow": True,
            "figure.dpi": 150,
        }
    )
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, height), layout="constrained", squeeze=False
    )
    return figure, axes


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG, the same bytes for the same content, and close it."""
    import matplotlib.pyplot as plt

    # without the version of matplotlib in the file, the same figures give the same bytes
    with replacing(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None})
    plt.close(figure)


def f1_bars(path: Path, rows: Mapping[str, NDArray[np.float64]], title: str) -> None:
    """Bars of F1 per AU beside the base rate.

    Parameters
    ----------
    path : Path
        PNG file.
    rows : mapping of str to (12,) np.ndarray
        What to draw for each AU, by its label in the legend; at most four.
    title : str
    """
    figure, axes = new_figure(9.5, 3.6)
    axis: Axes = axes[0, 0]  # type: ignore[index]
    colours = (BLUE, ORANGE, "#5a9f68", GREY)
    width = 0.84 / len(rows)
    for i, ((label, values), colour) in enumerate(zip(rows.items(), colours, strict=False)):
        places = np.arange(len(AU_NAMES)) + (i - (len(rows) - 1) / 2) * width
        axis.bar(places, values, width * 0.94, label=label, color=colour)
    axis.set_xticks(range(len(AU_NAMES)), AU_NAMES)
    axis.set_ylim(0, 1)
    axis.set_ylabel("F1")
    axis.grid(axis="x", visible=False)
    axis.set_title(title, loc="left", fontsize=11)
    axis.legend(ncols=len(rows), frameon=False, loc="upper left", fontsize=9)
    save_figure(figure, path)


def precision_recall_grid(
    path: Path, curves: Mapping[str, Curve], rates: NDArray[np.float64], title: str
) -> None:
    """Draw one small precision-recall plot per AU, with its base rate as the chance level.

    Parameters
    ----------
    path : Path
        PNG file.
    curves : mapping of str to (recall, precision)
        By AU.
    rates : (12,) np.ndarray
        Base rates.
    title : str
    """
    figure, axes = new_figure(9.5, 5.6, rows=3, columns=4)
    for i, (name, (recall, precision)) in enumerate(curves.items()):
        axis: Axes = axes[i // 4, i % 4]  # type: ignore[index]
        axis.plot(recall, precision, color=BLUE)
        axis.axhline(float(rates[i]), color=GREY, linestyle="--", linewidth=1)
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1.02)
        axis.set_title(name, loc="left", fontsize=10)
        if i >= 8:
            axis.set_xlabel("recall")
        if i % 4 == 0:
            axis.set_ylabel("precision")
    figure.suptitle(f"{title}; dashed: base rate", x=0.01, ha="left", fontsize=11)
    save_figure(figure, path)
