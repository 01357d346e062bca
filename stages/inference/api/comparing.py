"""`aufusion.compare` and `aufusion.evaluate`: how far tables agree, with others and with labels."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pandas as pd

from stages.core.errors import DataError
from stages.core.paths import default_ensemble
from stages.inference.api.tables import as_track
from stages.inference.comparison.agreement import agree, align
from stages.inference.comparison.ours import OURS
from stages.inference.options import Options

PathLike = str | os.PathLike[str]
Table: TypeAlias = pd.DataFrame | PathLike


def compare(table: Table, other: Table) -> pd.DataFrame:
    """Say how far two predictions of one video agree, AU by AU.

    Parameters
    ----------
    table : pandas.DataFrame or path
        Of :func:`aufusion.predict`, or a file of ``aufusion predict``.
    other : pandas.DataFrame or path
        The same of OpenFace, py-feat, LibreFace, MediaPipe, Aff-Wild2's annotators or AUFusion; a
        py-feat ``Fex`` is a DataFrame. Of several people the one who is seen most is compared.

    Returns
    -------
    pandas.DataFrame
        One row an AU that both know: ``frames`` in which both see the face, ``f1``,
        ``correlation`` and ``icc`` (of intensities where both tell them), shares of frames in
        which it is active, ``active_ours`` and ``active_theirs``; NaN where there is nothing to
        say. ``attrs``: ``tool``, ``aligned_by`` and ``notes`` on the two.

    Raises
    ------
    DataError
        When a table is of no known kind or wrong somewhere, or the two share nothing.
    """
    mine = as_track(table)
    if mine.tool != OURS:
        raise DataError(f"The first is a table of {mine.tool}: name that of AUFusion first.")
    theirs = as_track(other, "" if isinstance(table, pd.DataFrame) else Path(table).stem)
    if not len(mine) or not len(theirs):
        raise DataError("One of the two shows no face: nothing to compare.")
    pairs = align(mine, theirs)
    found = agree(mine, theirs, pairs)
    if not found:
        raise DataError("The other has none of the 12 AUs.")
    result = pd.DataFrame([asdict(one) for one in found]).set_index("au")
    notes = [*mine.notes, *theirs.notes]
    result.attrs = {"tool": theirs.tool, "aligned_by": pairs.by, "notes": notes}
    return result


def evaluate(
    folder: PathLike,
    *,
    out: PathLike | None = None,
    ensemble: PathLike | None = None,
    predictions: PathLike | None = None,
    reference: PathLike | None = None,
    device: str = "auto",
) -> pd.DataFrame:
    """Evaluate AUFusion, or another tool, on labelled photos and videos.

    Parameters
    ----------
    folder : path
        Folder of media with ``labels.csv`` or Aff-Wild2's annotations, or such a table.
    out : path, optional
        Folder that keeps the page, the figures and our predictions; else nothing is kept.
    ensemble : path, optional
        As of :func:`aufusion.predict`.
    predictions : path, optional
        Another tool's files, instead of our prediction.
    reference : path, optional
        A tool's files whose continuous values frames are ranked against.
    device : {"auto", "cpu", "cuda", "cuda:N"}

    Returns
    -------
    pandas.DataFrame
        ``evaluation.csv``: one row a group, AU and measure, with ``estimate`` and the bounds
        ``low`` and ``high`` of its interval over people. ``attrs["about"]`` is what
        ``evaluation.json`` says.

    Raises
    ------
    DataError, SettingsError
        When nothing can be evaluated.
    """
    from stages.inference.evaluation.run import evaluate as run

    options = Options(device=device)
    with TemporaryDirectory(prefix="aufusion-") as temporary:
        kept = Path(temporary) if out is None else Path(out)
        run(
            Path(folder),
            kept,
            ensemble=default_ensemble() if ensemble is None else Path(ensemble),
            predictions=None if predictions is None else Path(predictions),
            reference=None if reference is None else Path(reference),
            options=options,
        )
        table = pd.read_csv(kept / "evaluation.csv")
        table.attrs["about"] = json.loads((kept / "evaluation.json").read_text(encoding="utf-8"))
    return table
