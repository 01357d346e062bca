"""JSON files of ours that bear a seal: the hash of the same file without it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

SEAL: Final = "seal"  # key


def read_json(path: Path, kind: str) -> dict[str, Any] | None:
    """Content of a JSON file of ours; None where there is none, or it is another file."""
    try:
        return _parsed(path.read_text(encoding="utf-8"), kind)
    except (OSError, ValueError):
        return None


def _parsed(text: str, kind: str) -> dict[str, Any] | None:
    about = json.loads(text)
    return about if isinstance(about, dict) and about.get("kind") == kind else None


def named_hashes(about: Mapping[str, Any] | None) -> dict[str, str]:
    """SHA-256 by the name of each file that a JSON file of ours was written with."""
    files = (about or {}).get("files")
    return dict(files) if isinstance(files, dict) else {}


def as_text(content: Mapping[str, Any]) -> str:
    """Write JSON as our files have it."""
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Add a seal."""
    return {**content, SEAL: hashlib.sha256(as_text(content).encode()).hexdigest()}


def unsealed(text: str, kind: str) -> dict[str, Any] | None:
    """Content of a text whose seal is whole; None of any other text."""
    try:
        about = _parsed(text, kind)
    except ValueError:
        return None
    if about is None:
        return None
    line = f'  "{SEAL}": "{about.get(SEAL)}",\n'
    if line in text:  # without it the text is what was sealed: writing that anew takes longer
        same = hashlib.sha256(text.replace(line, "", 1).encode()).hexdigest() == about[SEAL]
        return about if same and list(about) == sorted(about) else None
    rest = {key: value for key, value in about.items() if key != SEAL}
    return about if text == as_text(sealed(rest)) else None
