"""Sections of the report that are drawn: from runs' predictions to figures, plot data and HTML."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NAMES, NOT_ANNOTATED
from stages.core.files import write_rows
from stages.crops.crop_file import CropReader
from stages.learning.metrics import all_ones_f1, base_rates, f1_per_au, precision_recall
from stages.reporting import plots as plain
from stages.reporting import run_plots as figures
from stages.reporting.confusion import mistaken_for
from stages.reporting.evidence import Evidence
from stages.reporting.page import Html, paragraph, picture, subheading, table
from stages.reporting.score_table import describe, table_rows
from stages.reporting.sections import Section, kind_of
from stages.reporting.timeline import LONGEST, faces_of, richest_stretch, timeline


@dataclass(frozen=True)
class Shown:
    """The predictions that the report draws: the main ensemble's, or one run's.

    Attributes
    ----------
    title : str
        What they are of.
    split : str
        ``test`` or ``validation``.
    probabilities : dict of str to (frames, 12) np.ndarray
        By video.
    decisions : dict of str to (frames, 12) np.ndarray
        bool.
    calibrated : bool
        Whether they are the exported ensemble's, with its thresholds and smoothing.
    """

    title: str
    split: str
    probabilities: Mapping[str, NDArray[np.float32]]
    decisions: Mapping[str, NDArray[np.bool_]]
    calibrated: bool = False


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write plot data for DVC."""
    write_rows(path, [header, *rows])


def _joined(
    shown: Shown, labels: Mapping[str, NDArray[np.int8]]
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.bool_]]:
    names = sorted(set(shown.probabilities) & set(labels))
    return (
        np.concatenate([labels[name] for name in names]),
        np.concatenate([shown.probabilities[name] for name in names]),
        np.concatenate([shown.decisions[name] for name in names]),
    )


def per_au(folder: Path, shown: Shown, evidence: Evidence, others: Mapping[str, str]) -> Html:
    """Bars of F1 per AU; `others` are runs drawn beside, by what to call them."""
    labels, _, decisions = _joined(shown, evidence.labels(shown.split))
    f1, ones, rates = f1_per_au(labels, decisions), all_ones_f1(labels), base_rates(labels)
    columns = zip(AU_NAMES, f1, ones, rates, strict=True)
    write_csv(folder / "f1_per_au.csv", ["AU", "f1", "f1_all_ones", "base_rate"], list(columns))
    key = "test" if shown.split == "test" else "held_out"
    bars = {shown.title: f1}
    for name, title in others.items():
        if key in evidence.results.get(name, {}):
            bars[title] = evidence.results[name][key].f1
    bars["all-ones baseline"] = ones
    heading = f"F1 per AU, {shown.split}{kind_of(evidence.label)}"
    plain.f1_bars(folder / "f1_per_au.png", bars, heading)
    return picture(folder / "f1_per_au.png", heading)


def au_section(
    folder: Path, shown: Shown | None, evidence: Evidence, scores: Mapping[str, Any]
) -> Section | None:
    """F1 of each AU: bars, and the tables of `evaluate`; None where there is neither."""
    parts = []
    if shown is not None:
        beside = {"main": "run main", "visual": "run visual (no sound)"}
        parts.append(per_au(folder, shown, evidence, beside))
    for split in ("test", "validation"):
        if split in scores:
            parts.append(subheading(describe(evidence.label, split)))
            parts.append(table(table_rows(scores[split])))
    return ("F1 of each AU", "".join(parts)) if parts else None


def precision_section(folder: Path, shown: Shown, evidence: Evidence) -> Section:
    """Precision against recall of each AU."""
    labels, probabilities, _ = _joined(shown, evidence.labels(shown.split))
    curves = {
        name: precision_recall(labels[:, i], probabilities[:, i]) for i, name in enumerate(AU_NAMES)
    }
    flat = [
        (name, round(float(r), 4), round(float(p), 6))
        for name, (recall, precision) in curves.items()
        for r, p in zip(recall, precision, strict=True)
        if not np.isnan(p)
    ]
    write_csv(folder / "precision_recall.csv", ["AU", "recall", "precision"], flat)
    heading = f"{shown.title}, {shown.split}{kind_of(evidence.label)}"
    plain.precision_recall_grid(
        folder / "precision_recall.png", curves, base_rates(labels), heading
    )
    text = f"Precision and recall of each AU: {heading}"
    return "Precision and recall", picture(folder / "precision_recall.png", text)


def mistakes_section(folder: Path, shown: Shown, evidence: Evidence) -> Section:
    """Which AU is said in place of one that is missed."""
    labels, _, decisions = _joined(shown, evidence.labels(shown.split))
    shares, missed = mistaken_for(labels, decisions)
    figures.mistaken_grid(folder / "mistaken.png", shares, missed)
    about = (
        f"{shown.title}, {shown.split}{kind_of(evidence.label)}. Of the frames in which an AU "
        "(row) is active and missed, the percentage in which another (column) is said though it is "
        "not active. A figure above the rest of its column marks two AUs of which one is taken for "
        "the other; a column that is high throughout is an AU that is said too often."
    )
    drawn = picture(folder / "mistaken.png", "Which AU is said wrongly where another is missed")
    return "What is mistaken for what", paragraph(about, "small") + drawn


def example_section(folder: Path, shown: Shown, evidence: Evidence, crops: Path) -> Section | None:
    """A stretch of video with faces, labels and predictions; None where nothing is annotated."""
    labels = evidence.labels(shown.split)
    usable = {
        name: labels[name]
        for name in sorted(set(shown.decisions) & set(labels))
        if (crops / f"{name}.h5").is_file()
    }
    rates = []
    for name in usable:
        with CropReader(crops / f"{name}.h5") as reader:
            rates.append(_frame_rate(reader.timestamps))
    if not rates:
        return None
    stretch = richest_stretch(usable, max(int(LONGEST * float(np.median(rates))), 1))
    if stretch is None:
        return None
    rows = slice(stretch.start, stretch.stop)
    with CropReader(crops / f"{stretch.name}.h5") as reader:
        times = reader.timestamps[rows]
        step = 1 / _frame_rate(reader.timestamps)
    timeline(
        folder / "timeline.png",
        faces_of(crops / f"{stretch.name}.h5", stretch),
        np.append(times, times[-1] + step),
        labels[stretch.name][rows],
        shown.decisions[stretch.name][rows],
    )
    about = (
        f"{stretch.name}, {shown.split}{kind_of(evidence.label)}: the stretch in which the most "
        f"AUs come and go, chosen by its labels alone. Labels above, predictions below: "
        f"{shown.title}."
    )
    drawn = picture(folder / "timeline.png", "Labels above predictions of each AU over time")
    return "An example", paragraph(about, "small") + drawn


def _frame_rate(timestamps: NDArray[np.float64]) -> float:
    gaps = np.diff(timestamps)
    middle = float(np.median(gaps)) if len(gaps) else 0.0
    return 1 / middle if middle > 0 else 25.0


def folds_section(folder: Path, evidence: Evidence) -> Section | None:
    """F1 of each fold; None where fewer than two are trained."""
    folds = {}
    for name, found in evidence.results.items():
        if name.startswith("fold") and name[4:].isdigit() and "held_out" in found:
            test = found["test"].interval if "test" in found else None
            folds[name] = (found["held_out"].interval, test)
    if len(folds) < 2:
        return None
    ordered = dict(sorted(folds.items(), key=lambda item: int(item[0][4:])))
    figures.folds_spread(folder / "folds.png", ordered)
    about = (
        f"Each fold's F1{kind_of(evidence.label)} on the videos that it held out, and on test, "
        "with 95 % intervals over people; dotted: the means. The fold that is best on its own "
        "videos need not be best on test, for the folds' videos differ in how hard they are."
    )
    drawn = picture(folder / "folds.png", "F1 of each fold on held-out and on test videos")
    return "The folds' spread", paragraph(about, "small") + drawn


def read_curves(folders: Mapping[str, Path]) -> dict[str, dict[str, plain.Curve]]:
    """Learning curves of runs as dvclive wrote them; of several seeds the first."""
    curves: dict[str, dict[str, plain.Curve]] = {}
    for name, folder in folders.items():
        for key in ("loss", "validation_f1"):
            files = sorted(folder.rglob(f"{key}.tsv"))
            if not files:
                continue
            with files[0].open(encoding="utf-8") as lines:
                rows = list(csv.DictReader(lines, delimiter="\t"))
            steps = [float(row["step"]) for row in rows]
            curves.setdefault(name, {})[key] = (steps, [float(row[key]) for row in rows])
    return curves


def curves_section(folder: Path, curves: Mapping[str, Mapping[str, plain.Curve]]) -> Section | None:
    """Learning curves; None where there are none."""
    if not curves:
        return None
    shown = [name for name in ("main", "visual") if name in curves] or list(curves)[:2]
    figures.curves_of_runs(folder / "learning_curves.png", curves, shown)
    text = "Training loss and F1 on held-out videos by epoch"
    return "Learning curves", picture(folder / "learning_curves.png", text)


def ladder_section(
    folder: Path, rungs: Mapping[str, Mapping[str, float]], about: str
) -> Section | None:
    """What each step of calibration adds; None where there is no calibration."""
    if not rungs:
        return None
    figures.ladder(folder / "ladder.png", rungs)
    drawn = picture(folder / "ladder.png", "Mean F1 after each step of calibration")
    return "Calibration", paragraph(about, "small") + drawn


def annotated(labels: Mapping[str, NDArray[np.int8]]) -> bool:
    """Whether anything is annotated."""
    return any((rows != NOT_ANNOTATED).any() for rows in labels.values())
