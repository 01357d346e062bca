"""The terms on which a run's weights and data may be used, and what `licences.noncommercial` does.

Weights that are trained here are bound by what they were trained on: their file says which data,
and on which terms, and from there it goes into the feature stores, `metrics/licences.md` and the
exported ensemble. Whether a licence allows commercial use has three answers: yes, no, not known.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from stages.core import paths
from stages.core.console import say
from stages.core.errors import DataError, SettingsError

UNKNOWN = "not known here: see where it comes from"
UNKNOWN_DATA = "licence not known"
OWN = "own"  # a user's data to which all rights are the user's
# SPDX identifiers of licences that allow commercial use; any other text counts as one that does not
FREE: Final = (
    "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "PDDL-1.0", "ODC-By-1.0",
    "ODbL-1.0", "CDLA-Permissive-2.0", "MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", OWN,
)  # fmt: skip
DATA: Final = "data"  # key in our files: what they were made of


@dataclass(frozen=True)
class Dataset:
    """Data that weights are trained on.

    Attributes
    ----------
    source : str
        Which data; of a path the last part, which is no secret.
    licence : str
    noncommercial : bool or None
        Whether the licence forbids commercial use; None where that is not known.
    """

    source: str
    licence: str
    noncommercial: bool | None


GENERATED: Final = Dataset("the generated corpus", "CC0-1.0", False)


def users_data(path: Path, licence: str | None) -> Dataset:
    """Name data of a user; `licence` as the settings say, None where they do not."""
    source = path.resolve().name
    if licence is None:
        return Dataset(source, UNKNOWN_DATA, None)
    free = licence.lower() in (name.lower() for name in FREE)
    return Dataset(source, licence, not free)


def faces_data(path: Path, licence: str | None) -> Dataset:
    """Name the faces of the setting `data.faces`."""
    return GENERATED if path == paths.CORPUS_FACES else users_data(path, licence)


def root_data(path: Path, licence: str | None) -> Dataset:
    """Name the videos of the setting `data.root`."""
    return GENERATED if path == paths.CORPUS_VIDEOS else users_data(path, licence)


def as_attribute(data: Sequence[Dataset]) -> str:
    """Write data as text, for the attribute `DATA` of an HDF5 file."""
    return json.dumps([asdict(one) for one in data], sort_keys=True)


def data_of_file(path: Path) -> tuple[Dataset, ...]:
    """Read what a file of labelled faces or speech was made of.

    The files of the corpus do not say: who says nothing is generated.

    Raises
    ------
    DataError
        When the file is missing or damaged.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get(DATA)
        return (GENERATED,) if text is None else tuple(Dataset(**one) for one in json.loads(text))
    except (OSError, ValueError, TypeError):
        raise DataError(f"{path} is missing or damaged: run `dvc repro` again.") from None


def data_use(what: str, data: Dataset) -> "Use":
    """Terms of data."""
    return Use(what, data.source, data.licence, data.noncommercial)


@dataclass(frozen=True)
class Use:
    """Weights, or data, that a run uses.

    Attributes
    ----------
    what : str
        For whom: ``visual.ires100``, ``crop.detector``.
    source, licence : str
    noncommercial : bool or None
        Whether the licence forbids commercial use; None where that is not known.
    sha256 : str
        Of the file as it was published; ``""`` where it comes with this project's dependencies.
    """

    what: str
    source: str
    licence: str
    noncommercial: bool | None
    sha256: str = ""


def enforce(policy: str, uses: Iterable[Use]) -> None:
    """Warn of weights and data that are not for commercial use, or refuse them.

    Parameters
    ----------
    policy : str
        ``licences.noncommercial``: warn, refuse or allow.
    uses : iterable of Use

    Raises
    ------
    SettingsError
        When the policy is ``refuse``, and there are some whose licence forbids commercial use or is
        not known.
    """
    asked = list(uses)
    for answer, sentence in (
        (True, "not for commercial use"),
        (None, "of an unknown licence, perhaps not for commercial use"),
    ):
        found = [use for use in asked if use.noncommercial is answer]
        named = "; ".join(f"{use.what} ({use.source}: {use.licence})" for use in found)
        if found and policy == "refuse":
            raise SettingsError(
                f"licences.noncommercial is refuse, and what is asked for is {sentence}: {named}. "
                "Choose other weights or data, say the licence of data of yours by data.licence "
                "and data.faces_licence, or set licences.noncommercial to warn or allow."
            )
        if found and policy == "warn":
            say(f"warning: {sentence}: {named}")


def as_table(uses: Iterable[Use]) -> str:
    """Write uses as a Markdown table."""
    answers = {True: "yes", False: "no", None: "not known"}
    rows = ["| for | weights or data | licence | non-commercial only | SHA-256 as published |"]
    rows.append("| --- | --- | --- | --- | --- |")
    rows += [
        f"| {u.what} | {u.source} | {u.licence} | {answers[u.noncommercial]} | {u.sha256} |"
        for u in uses
    ]
    return "\n".join(rows) + "\n"
