"""Files of figures: JSON of numbers, as the stages leave them for each other and for DVC."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.core import paths
from stages.core.errors import DataError
from stages.sequence.settings import AUTO


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of figures, such as those that git tracks under ``metrics``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict
        Empty where the file is not there.

    Raises
    ------
    DataError
        When the file is no JSON.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise DataError(f"{path} holds no figures: delete it and run the pipeline again.") from None
    return content


def main_ensemble(setting: str, figures: Mapping[str, Any]) -> str:
    """Return the ensemble that is exported.

    Parameters
    ----------
    setting : str
        ``ensemble.main``; ``auto`` means what stage `ensemble` chose.
    figures : mapping
        What it wrote of each ensemble; in that of the chosen one ``exported`` is 1.
    """
    if setting != AUTO:
        return setting
    return next((name for name, steps in figures.items() if steps.get("exported")), AUTO)


def read_network_sizes() -> dict[str, int]:
    """Read how many parameters each network has at the published sizes, as stage `inputs` counts.

    Raises
    ------
    DataError
        When the file is missing or damaged.
    """
    sizes = read_json(paths.NETWORK_SIZES)
    if not sizes:
        raise DataError(f"{paths.NETWORK_SIZES} is missing: run `dvc repro -f inputs`.")
    return sizes
