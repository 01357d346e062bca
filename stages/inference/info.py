"""What `aufusion info` says of an ensemble."""

from pathlib import Path
from typing import Any

from stages.core.facs import AU_NAMES
from stages.ensembles.ensemble import Ensemble, load_ensemble
from stages.faces.detector import detector_use
from stages.inference.card import load_card
from stages.inference.columns import DECISIONS

DATA = {
    "synthetic": "on the generated corpus (synthetic)",
    "own_data": "on the data root that it was trained on",
}


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _encoders(ensemble: Ensemble) -> list[str]:
    rows = [["encoder", "of", "weights", "licence"]]
    detector = detector_use(ensemble.crop.detector, ensemble.crop.pack)
    rows.append([ensemble.crop.detector, "detector", detector.source, detector.licence])
    for kind, encoders in (("faces", ensemble.visual), ("sound", ensemble.audio)):
        rows += [
            [name, kind, weights.source, weights.licence] for name, weights in encoders.items()
        ]
    rows += [["networks", "members", f"trained on {one['source']}", str(one["licence"])]
             for one in ensemble.data]  # fmt: skip
    return _table(rows)


def _figures(scores: Any) -> list[str]:
    """Every mean F1 that the scores hold with those of the AUs, by where it stands in them."""
    rows: list[list[str]] = []

    def walk(value: Any, names: tuple[str, ...]) -> None:
        if not isinstance(value, dict):
            return
        if "macro" in value:
            numbers = [value.get(key) for key in ("macro", *AU_NAMES)]
            said = ["-" if number is None else f"{float(number):.3f}" for number in numbers]
            rows.append([", ".join(names).replace("_", " "), *said])
            return
        for name, below in value.items():
            walk(below, (*names, str(name)))

    walk(scores, ())
    return _table([["", "mean", *AU_NAMES], *rows]) if rows else []


def describe(folder: Path) -> str:
    """Say in text what the ensemble in a folder is.

    Raises
    ------
    DataError
        When the folder is no ensemble.
    """
    ensemble = load_ensemble(folder)
    rule = {"mean": "mean of their probabilities", "vote": "share of them that say so"}
    label = str(ensemble.scores.get("label", ""))
    figures = _figures(ensemble.scores)
    calibration = [["AU", *AU_NAMES], ["threshold"], ["smoothed over"]]
    calibration[1] += [f"{value:.2f}" for value in ensemble.calibration.thresholds]
    calibration[2] += [str(width or 1) for width in ensemble.calibration.smoothing]
    return "\n".join(
        [
            f"Ensemble {ensemble.name} in {folder}",
            f"  hash {ensemble.hash}",
            f"  {len(ensemble.members)} members, joined by the {rule[ensemble.rule]}; "
            f"windows of {ensemble.window} frames",
            "",
            "Members",
            *_table(
                [["run", "sees", "hears"]]
                + [
                    [m.run, ", ".join(m.visual), ", ".join(m.audio) or "-"]
                    for m in ensemble.members
                ]
            ),
            "",
            f"Encoders, scale {ensemble.scale}, and licences",
            *_encoders(ensemble),
            "",
            *([card.sentence(), ""] if (card := load_card(folder)) is not None else []),
            f"F1 {DATA.get(label, '')}".rstrip(),
            *(figures or ["  no figures"]),
            "",
            f"Thresholds of {DECISIONS[0]} ... {DECISIONS[-1]}, and frames of smoothing",
            *_table(calibration),
        ]
    )
