"""Score runs and ensemble on validation and test (`dvc repro evaluate`).

In: what the runs `main` and `visual` say (data/predictions), the ensemble's figures
(metrics/ensembles.json), labels and faces (data/inputs.h5), what `mask` and `single` say for the
report. Out: metrics/scores.json (mean F1 and each AU's, base rates, the
all-ones baseline, the share of frames without a face; numbers only, tracked by git) and
metrics/report (index.html, figures as PNG, plot data as CSV).
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages import figures, page, paths, table
from stages.console import run_stage, say
from stages.dataset import Video, load_videos
from stages.ensembles import sigmoid
from stages.errors import DataError
from stages.facs import AU_NAMES, NOT_ANNOTATED
from stages.params import Params, load_params
from stages.predictions import read_predictions
from stages.scores import THRESHOLD, all_ones_f1, base_rates, by_au, f1_per_au, precision_recall

SPLITS = ("validation", "test")
MAIN, WITHOUT_SOUND = "main", "visual"  # the runs that are reported beside the ensemble
Probabilities = NDArray[np.float32]


def predicted(
    videos: Sequence[Video], logits: Mapping[str, NDArray[np.float32]]
) -> Probabilities | None:
    """Probabilities of all frames of some videos, one after another.

    Parameters
    ----------
    videos : sequence of Video
    logits : mapping of str to (frames, 12) np.ndarray
        What a run says, by video.

    Returns
    -------
    (frames, 12) np.ndarray
        None where the run says nothing of one of them.
    """
    if any(video.name not in logits for video in videos):
        return None
    return sigmoid(np.concatenate([logits[video.name] for video in videos]))


def score_split(
    labels: NDArray[np.int8], face: NDArray[np.bool_], predictions: dict[str, Probabilities]
) -> dict[str, Any]:
    """All figures of one split.

    Parameters
    ----------
    labels : (frames, 12) np.ndarray
    face : (frames,) np.ndarray
        Whether a face was found.
    predictions : dict of str to (frames, 12) np.ndarray
        Probabilities by the name of their row of F1.

    Returns
    -------
    dict
        Numbers, and dicts of numbers by AU.
    """
    scores: dict[str, Any] = {
        row: by_au(f1_per_au(labels, probabilities >= THRESHOLD))
        for row, probabilities in predictions.items()
    }
    scores["f1_all_ones"] = by_au(all_ones_f1(labels))
    scores["base_rate"] = by_au(base_rates(labels))
    scores["frames"] = len(labels)
    scores["annotated_frames"] = int((labels != NOT_ANNOTATED).all(1).sum())
    scores["no_face_share"] = round(float(1 - face.mean()), 6)
    return scores


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write plot data for DVC."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def read_curves() -> dict[str, dict[str, figures.Curve]]:
    """Learning curves of the first seed of both runs, as dvclive wrote them."""
    curves: dict[str, dict[str, figures.Curve]] = {}
    for run in (MAIN, WITHOUT_SOUND):
        curves[run] = {}
        for key in ("loss", "validation_f1"):
            file = paths.CURVES / run / "seed0" / "plots" / "metrics" / f"{key}.tsv"
            with file.open(encoding="utf-8") as lines:
                rows = list(csv.DictReader(lines, delimiter="\t"))
            steps = [float(row["step"]) for row in rows]
            curves[run][key] = (steps, [float(row[key]) for row in rows])
    return curves


def mask_sections(folder: Path) -> list[tuple[str, str]]:
    """Sections on the masked copies, from what `mask` wrote; none where there are no copies."""
    if not (folder / "faces.png").is_file():
        return []
    faces = page.picture(
        folder / "faces.png", "Faces as they are and with either half hidden, at several head rolls"
    )
    bars = page.picture(folder / "counts.png", "Active frames per AU with and without the copies")
    with (folder / "counts.csv").open(encoding="utf-8") as file:
        heading, *rows = csv.reader(file)
    counts = page.table([[cell.replace("_", " ") for cell in heading], *rows], total=False)
    return [
        ("Masked copies of training videos: the mask follows the head", faces),
        ("Labels of the training set before and after the masked copies", bars + counts),
    ]


def encoder_sections(folder: Path) -> list[tuple[str, str]]:
    """Section with the table of encoders that `single` wrote; none where there is no table."""
    try:
        with (folder / "table.csv").open(encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        return []
    heading = "Encoders: F1 on validation of a transformer on each alone, mean of 12 AUs"
    return [(heading, page.table(rows))]


def write_report(
    label: str,
    params: Params,
    scores: dict[str, Any],
    labels: NDArray[np.int8],
    probabilities: Probabilities,
    split: str,
) -> None:
    """Write plot data, figures and the page for the split that is reported."""
    folder = paths.REPORT
    folder.mkdir(parents=True, exist_ok=True)
    title = f"{params.model}, {split}" + (" (synthetic)" if label == "synthetic" else "")
    rows = scores[split]
    f1 = np.array([rows["f1"][name] for name in AU_NAMES])
    ones = np.array([rows["f1_all_ones"][name] for name in AU_NAMES])
    rates = np.array([rows["base_rate"][name] for name in AU_NAMES])
    columns = zip(AU_NAMES, f1, ones, rates, strict=True)
    write_csv(folder / "f1_per_au.csv", ["AU", "f1", "f1_all_ones", "base_rate"], list(columns))
    bars = {"F1": f1, "all-ones baseline": ones, "base rate": rates}
    figures.f1_bars(folder / "f1_per_au.png", bars, f"F1 per AU: {title}")

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
    figures.precision_recall_grid(
        folder / "precision_recall.png", curves, rates, f"Precision and recall: {title}"
    )
    figures.learning_curves(folder / "learning_curves.png", read_curves(), f"Training: {title}")
    sections = [
        (table.describe(label, name), page.table(table.table_rows(scores[name])))
        for name in reversed(SPLITS)
        if name in scores
    ]
    for name, heading in (
        ("f1_per_au", "F1 per AU beside base rate"),
        ("precision_recall", "Precision and recall"),
        ("learning_curves", "Learning curves"),
    ):
        sections.append((heading, page.picture(folder / f"{name}.png", f"{heading}: {title}")))
    kind = " (synthetic)" if label == "synthetic" else ""
    sections += [(what + kind, html) for what, html in encoder_sections(paths.SINGLE_REPORT)]
    sections += mask_sections(paths.MASK_REPORT)
    note = (
        "Synthetic: all figures are on the generated corpus. They say that the pipeline works, "
        "not how well it does on Aff-Wild2; the paper's scores are not reproduced here."
        if label == "synthetic"
        else f"Figures on the data root {params.data.root.name}."
    )
    page.write_page(folder / "index.html", f"AUFusion: {params.model}", note, sections)


def main() -> None:
    """Score the runs and the ensemble on every split that has labels."""
    params = load_params()
    label = params.data_label
    main_run = read_predictions(paths.PREDICTIONS / f"{MAIN}.h5")
    visual = read_predictions(paths.PREDICTIONS / f"{WITHOUT_SOUND}.h5")
    steps = json.loads(paths.ENSEMBLE_SCORES.read_text())[label][params.ensemble.main]
    scores: dict[str, Any] = {}
    reported: tuple[str, NDArray[np.int8], Probabilities] | None = None
    for split in SPLITS:
        videos = load_videos(split)
        if not videos:
            continue
        labels = np.concatenate([video.labels for video in videos])
        if (labels == NOT_ANNOTATED).all():
            say(f"{split}: no labels, not scored")
            continue
        said = {
            "f1": predicted(videos, main_run.seeds[0]),
            "f1_sound_withheld": predicted(videos, main_run.muted[0] if main_run.muted else {}),
            "f1_trained_without_sound": predicted(videos, visual.seeds[0]),
        }
        predictions = {row: rows for row, rows in said.items() if rows is not None}
        if "f1" not in predictions:
            raise DataError(
                f"Run {MAIN} says nothing of some {split} videos: is its split official?"
            )
        face = np.concatenate([video.face for video in videos])
        scores[split] = score_split(labels, face, predictions)
        for step, row in (("raw", "f1_ensemble"), ("smoothing", "f1_ensemble_calibrated")):
            if split in steps[step]:
                scores[split][row] = steps[step][split]
        reported = (split, labels, predictions["f1"])
    if reported is None:
        raise DataError("Neither the validation nor the test split has labels: nothing to score.")
    split, labels, probabilities = reported
    write_report(label, params, scores, labels, probabilities, split)
    paths.SCORES.write_text(json.dumps({label: scores}, indent=2) + "\n", encoding="utf-8")
    say(table.describe(label, split))
    say(table.as_markdown(table.table_rows(scores[split])))


if __name__ == "__main__":
    run_stage(main)
