"""A stretch of a test video: faces, and below them labels and predictions of each AU by time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_MEANINGS, AU_NAMES, N_AUS
from stages.crops.crop_file import FACE, CropReader
from stages.reporting.plots import BLUE, ORANGE, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 10.0  # seconds
FACES = 11
DARK = "#3c4653"


@dataclass(frozen=True)
class Stretch:
    """Frames `start` to `stop` (not included) of one video."""

    name: str
    start: int
    stop: int


def richest_stretch(labels: Mapping[str, NDArray[np.int8]], frames: int) -> Stretch | None:
    """Find the stretch in which the most AUs are at times active and at times not.

    How well they are predicted has no part in the choice.

    Parameters
    ----------
    labels : mapping of str to (frames, 12) np.ndarray
        By video.
    frames : int
        Length of the stretch; a shorter video is taken whole.

    Returns
    -------
    Stretch or None
        Of equals the one in which most is active; None where nothing is annotated.
    """
    best: tuple[tuple[int, float], Stretch] | None = None
    for name, rows in sorted(labels.items()):
        for start in range(0, max(len(rows) - frames, 0) + 1, max(frames // 4, 1)):
            part = rows[start : start + frames]
            if not (part >= 0).all(1).mean() > 0.9:
                continue
            varied = int(((part == 1).any(0) & (part == 0).any(0)).sum())
            rank = (varied, float((part == 1).mean()))
            if best is None or rank > best[0]:
                best = (rank, Stretch(name, start, start + len(part)))
    return best[1] if best else None


def runs_of(active: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First index and length of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], active.astype(np.int8), [0]])))
    return [(int(a), int(b - a)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def faces_of(
    crops: Path, stretch: Stretch, count: int = FACES
) -> list[tuple[float, NDArray[np.uint8] | None]]:
    """Evenly spaced faces of a stretch with their times in seconds; None where there is none."""
    with CropReader(crops) as reader:
        edges = np.linspace(stretch.start, stretch.stop, count + 1)
        found: list[tuple[float, NDArray[np.uint8] | None]] = []
        for first, last in pairwise(edges):
            middle = int((first + last) / 2)
            near = sorted(range(int(first), int(last)), key=lambda row: abs(row - middle))
            rows = [row for row in near if reader.status[row] == FACE]
            face = reader.read(rows[0], rows[0] + 1)[0] if rows else None
            found.append((float(reader.timestamps[rows[0] if rows else middle]), face))
    return found


def _bars(
    axis: "Axes", times: NDArray[np.float64], active: NDArray[np.bool_], bottom: float, colour: str
) -> None:
    spans = [(times[a], times[a + n] - times[a]) for a, n in runs_of(active)]
    axis.broken_barh(spans, (bottom, 0.38), facecolors=colour, linewidth=0)


def timeline(
    path: Path,
    faces: Sequence[tuple[float, NDArray[np.uint8] | None]],
    times: NDArray[np.float64],
    labels: NDArray[np.int8],
    predictions: NDArray[np.bool_],
) -> None:
    """Draw faces over lanes of labels (dark) above predictions (blue, orange where wrong).

    Parameters
    ----------
    path : Path
        PNG file.
    faces : sequence of (float, (112, 112, 3) uint8 np.ndarray or None)
        See :func:`faces_of`.
    times : (frames + 1,) np.ndarray
        Start of each frame in seconds, and the end of the last.
    labels : (frames, 12) np.ndarray
        1, 0 or -1 (not annotated, left white with no prediction coloured wrong).
    predictions : (frames, 12) np.ndarray
        bool.
    """
    from matplotlib.patches import Patch

    figure, axes = new_figure(9.5, 6.4)
    axis: Axes = axes[0, 0]  # type: ignore[index]
    for au in range(N_AUS):
        if au % 2 == 0:
            axis.axhspan(au - 0.5, au + 0.5, color="#f4f6f8", zorder=0, linewidth=0)
        _bars(axis, times, labels[:, au] == 1, au - 0.42, DARK)
        _bars(axis, times, predictions[:, au] & (labels[:, au] != 0), au + 0.04, BLUE)
        _bars(axis, times, predictions[:, au] & (labels[:, au] == 0), au + 0.04, ORANGE)
    names = [f"{name} {AU_MEANINGS[name]}" for name in AU_NAMES]
    axis.set_yticks(range(N_AUS), names)
    axis.set_xlim(times[0], times[-1])
    high = 1.75
    axis.set_ylim(N_AUS - 0.5, -0.5 - high)
    side = (times[-1] - times[0]) / max(len(faces), 1)
    for place, (_, face) in enumerate(faces):
        left = times[0] + place * side
        if face is not None:
            extent = (left + 0.02 * side, left + 0.98 * side, -0.6, -0.45 - high)
            axis.imshow(face, extent=extent, aspect="auto", interpolation="bilinear", zorder=2)
    axis.set_xlim(times[0], times[-1])
    axis.set_ylim(N_AUS - 0.5, -0.5 - high)
    axis.set_xlabel("seconds")
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.legend(
        handles=[
            Patch(color=DARK, label="labelled"),
            Patch(color=BLUE, label="predicted, rightly"),
            Patch(color=ORANGE, label="predicted, wrongly"),
        ],
        ncols=3, frameon=False, fontsize=9, loc="upper right", bbox_to_anchor=(1, -0.07),
    )  # fmt: skip
    save_figure(figure, path)
