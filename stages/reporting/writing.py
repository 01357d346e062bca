"""The report as a whole: which sections there are, and where they are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core import paths
from stages.core.files import write_json, write_text
from stages.ensembles.ensemble import load_ensemble, sigmoid
from stages.reporting import drawing, score_table, sections
from stages.reporting.bootstrap import Difference
from stages.reporting.claims import judge
from stages.reporting.drawing import Shown
from stages.reporting.evidence import Evidence, joined_seeds
from stages.reporting.page import paragraph, write_page
from stages.reporting.paper_tables import SUBMISSIONS
from stages.reporting.results import active
from stages.reporting.tables import tables_numbers
from stages.sequence.predictions import FILE, read_predictions

STEPS = {"raw": "threshold 0.5", "thresholds": "thresholds", "smoothing": "thresholds, smoothing"}

LADDER = (
    "The main ensemble with threshold 0.5, with a threshold for each AU, and with each AU smoothed "
    "over time as well. On validation cross-fitted: what is decided on a video was fitted on "
    "others. On test by what was fitted on all videos that no member had been trained on."
)


@dataclass(frozen=True)
class Target:
    """Where the report is written: the page, the tables, and a folder for figures."""

    page: Path
    numbers: Path
    markdown: Path
    figures: Path


def what_is_shown(
    evidence: Evidence, ensembles: Path, folders: Mapping[str, Path], main: str, exported: Path
) -> Shown | None:
    """Predictions to draw: the main ensemble's as it decides, else those of the run `main`.

    Parameters
    ----------
    evidence : Evidence
    ensembles : Path
        Predictions of the ensembles.
    folders : mapping of str to Path
        Folder of results of each run.
    main : str
        Which submission is exported.
    exported : Path
        Folder of the exported ensemble, with its calibration.

    Returns
    -------
    Shown or None
        None where no run says anything of an annotated validation or test video.
    """
    for split in ("test", "validation"):
        labels = evidence.labels(split)
        if not drawing.annotated(labels):
            continue
        path = ensembles / f"{main}.h5"
        if split == "test" and path.is_file() and (exported / "ensemble.json").is_file():
            calibration = load_ensemble(exported).calibration
            said = read_predictions(path).seeds[0]
            smoothed = {
                name: calibration.smooth(sigmoid(said[name])) for name in labels if name in said
            }
            decided = {name: calibration.decide(rows) for name, rows in smoothed.items()}
            if decided:
                title = SUBMISSIONS.get(main, "The encoders alone")
                return Shown(f"{title} (calibrated)", split, smoothed, decided, True)
        for name in ("main", *evidence.runs):
            path = folders.get(name, paths.RUN_RESULTS / name) / FILE
            if not path.is_file():
                continue
            said = {
                video: rows
                for video, rows in joined_seeds(read_predictions(path)).items()
                if video in labels
            }
            if said:
                probabilities = {video: sigmoid(rows) for video, rows in said.items()}
                decisions = {video: active(rows) for video, rows in said.items()}
                return Shown(f"run {name}", split, probabilities, decisions)
    return None


def rungs(scores: Mapping[str, Any], evidence: Evidence, main: str) -> dict[str, dict[str, float]]:
    """Macro F1 of the main ensemble after each step of calibration, by set of videos."""
    label = evidence.label
    steps: Mapping[str, Any] = scores.get(label, {}).get(main, {})
    splits = [
        split
        for split in ("validation", "test")
        if split in steps.get("raw", {}) and drawing.annotated(evidence.labels(split))
    ]
    names = {"validation": "validation, cross-fitted", "test": "test"}
    kind = sections.kind_of(label)
    return {
        names[split] + kind: {STEPS[s]: steps[s][split]["macro"] for s in STEPS if s in steps}
        for split in splits
    }


def note_of(evidence: Evidence, root: str) -> str:
    """What a reader must know before reading any figure."""
    if evidence.label != "synthetic":
        return f"Figures on the data root {root}; the paper's are on Aff-Wild2's own split."
    return (
        "Synthetic: all figures but the paper's are on the generated corpus. They say that the "
        "pipeline works, not how well it does on Aff-Wild2; the paper's scores are not reproduced "
        "here."
    )


def bounds_of(difference: Difference) -> dict[str, float]:
    """Figures of a difference, for ``dvc metrics diff``; without bounds where there are none."""
    numbers = {"difference": difference.value, "probability": difference.probability}
    if difference.known:
        numbers |= {"low": difference.low, "high": difference.high}
    return {key: round(value, 6) for key, value in sorted(numbers.items())}


def write_report(
    evidence: Evidence,
    target: Target,
    *,
    shown: Shown | None,
    curves: Mapping[str, Mapping[str, Any]],
    calibration: Mapping[str, Mapping[str, float]],
    scores: Mapping[str, Any],
    sizes: Mapping[str, int],
    root: str,
    protocol: str,
) -> list[str]:
    """Write the page, the tables as JSON and Markdown, and the figures.

    Parameters
    ----------
    evidence : Evidence
        Whatever runs there are.
    target : Target
    shown : Shown or None
        What is drawn AU by AU.
    curves : mapping of str to mapping
        Learning curves by run.
    calibration : mapping of str to mapping of str to float
        See :func:`rungs`.
    scores : mapping of str to mapping
        What `evaluate` says, by split.
    sizes : mapping of str to int
        Parameters of each network at full scale.
    root : str
        Name of the data root.
    protocol : str
        Preset that the runs follow.

    Returns
    -------
    list of str
        Title and verdict of each claim.
    """
    results, label = evidence.results, evidence.label
    claims = judge(results, label)
    anything: Mapping[str, Any] = results.get("main") or next(iter(results.values()), {})
    folder = target.figures
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[sections.Section | None] = [
        sections.claims_section(claims),
        sections.tables_section(results, anything, label),
        drawing.au_section(folder, shown, evidence, scores),
        drawing.ladder_section(folder, calibration, LADDER),
        drawing.folds_section(folder, evidence),
    ]
    if shown is not None:
        parts += [
            drawing.example_section(folder, shown, evidence, paths.CROPS),
            drawing.mistakes_section(folder, shown, evidence),
            drawing.precision_section(folder, shown, evidence),
        ]
    parts += [
        drawing.curves_section(folder, curves),
        sections.encoders_section(paths.SINGLE_REPORT, label),
        sections.networks_section(sizes),
        sections.mask_section(paths.MASK_REPORT),
        sections.reading_section(label),
    ]
    trained = sum(name not in SUBMISSIONS for name in evidence.runs)
    subtitle = paragraph(
        "Facial action units from picture and sound: the paper's experiments run again. "
        f"{trained} runs, protocol {protocol}.",
        "small",
    )
    write_page(
        target.page,
        "AUFusion report",
        note_of(evidence, root),
        [part for part in parts if part is not None],
        subtitle + sections.opening(results, claims, label),
    )
    differences = {
        claim.key: {where: bounds_of(found) for where, found in claim.differences.items()}
        for claim in claims
        if claim.differences
    }
    numbers = {label: {**tables_numbers(results), "claims": differences}}
    write_json(target.numbers, numbers)
    text = sections.tables_markdown(results, anything, claims, label, score_table.as_markdown)
    write_text(target.markdown, text)
    return [f"{claim.title}: {claim.verdict}" for claim in claims]
