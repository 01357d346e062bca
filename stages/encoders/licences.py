"""The terms of an encoder's weights: what the file of them says of itself."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stages.core.licences import DATA, UNKNOWN_DATA, Dataset, Use, enforce
from stages.encoders.source import ORIGIN, read_about

KEYS = ("source", "licence", "noncommercial", "sha256")


def _trained_terms(about: Mapping[str, Any]) -> dict[str, Any]:
    """Terms of weights that were trained here: the strictest of their data's."""
    data = [Dataset(**one) for one in about.get(DATA, ())]
    if not data:
        data = [Dataset("data of which it has no record", UNKNOWN_DATA, None)]
    answers = [one.noncommercial for one in data]
    strictest = True if True in answers else None if None in answers else False
    named = ", ".join(f"{one.source} ({one.licence})" for one in data)
    head = {True: "non-commercial", None: "not known", False: "Apache-2.0"}[strictest]
    return {
        "source": f"pretrain ({about.get('task')})",
        "licence": f"{head}: trained by this pipeline on {named}",
        "noncommercial": strictest,
        "sha256": "",
        DATA: [asdict(one) for one in data],
    }


def weights_terms(path: Path | None) -> dict[str, Any]:
    """What a feature store says of its weights: what our file of them says of itself.

    Parameters
    ----------
    path : Path or None
        File of the weights; None for an encoder that has none.

    Returns
    -------
    dict
        ``source``, ``licence``, ``noncommercial``, ``sha256``, and ``data`` where they were trained
        here; empty where there are no weights.
    """
    if path is None:
        return {}
    about = read_about(path)
    origin = about.get(ORIGIN)
    return {key: origin.get(key) for key in KEYS} if origin else _trained_terms(about)


def store_use(what: str, attributes: Mapping[str, Any]) -> Use:
    """Terms of the weights behind a feature store, from its attributes."""
    return _use(what, json.loads(attributes["settings"]).get("weights"))


def _use(what: str, terms: Mapping[str, Any] | None) -> Use:
    if not terms:
        return Use(what, "none: computed without weights", "", False)
    return Use(what, **{key: terms[key] for key in KEYS})


def enforce_file(policy: str, what: str, path: Path | None) -> None:
    """Apply the policy to a file of weights, by what it says of itself; see :func:`enforce`."""
    enforce(policy, [_use(what, weights_terms(path))])
