"""`aufusion evaluate`: labels, predictions of them, figures, files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from stages.core import paths
from stages.core.console import say
from stages.core.errors import DataError, SettingsError
from stages.core.files import temporary_path
from stages.inference.baseline import check_seconds
from stages.inference.comparison.ours import OURS
from stages.inference.comparison.tracks import Track
from stages.inference.evaluation.items import Found, Labelled
from stages.inference.evaluation.labels import read_labels, unlabelled
from stages.inference.evaluation.mistakes import worst
from stages.inference.evaluation.page import Places, write_html
from stages.inference.evaluation.predictions import (
    Library,
    Said,
    at_frames,
    frames_of,
    our_track,
    person_of,
)
from stages.inference.evaluation.ranking import Pair, rank
from stages.inference.evaluation.result import Evaluation
from stages.inference.evaluation.samples import Gathering
from stages.inference.evaluation.scoring import by_group, score
from stages.inference.evaluation.writing import KIND, NAME, TABLES, as_json, as_text, write_csv
from stages.inference.options import Options
from stages.inference.outputs import Outputs, discard, sentences

PREDICTIONS = "predictions"  # below --out; kept, and used again
TWO = "two_people"  # of videos in which two people are annotated


Ask = Callable[[Labelled], Track | None]


def _predict(
    items: Sequence[Labelled], ensemble: Path, out: Path, options: Options, baseline: float | None
) -> tuple[Ask, dict[str, str], dict[str, object]]:
    """Predict all files with our ensemble, once; say how a file's result is asked for."""
    from stages.inference.folder import predict_all
    from stages.inference.predictor import Predictor, load_predictor

    loaded: list[Predictor] = []

    def load(folder: Path, chosen: Options) -> Predictor:
        if not loaded:
            loaded.append(load_predictor(folder, chosen))
        return replace(loaded[0], options=chosen)

    where: dict[tuple[Path, bool], Path] = {}
    failed: dict[str, str] = {}
    for two in (False, True):
        media = list(dict.fromkeys(item.path for item in items if bool(item.side) == two))
        if not media:
            continue
        folder = out / PREDICTIONS / TWO if two else out / PREDICTIONS
        faces = replace(options, faces="all") if two else options
        done = predict_all(media, ensemble, folder, faces, load=load)
        failed |= done.failed
        where |= {(result.video, two): result.parquet for result in done.results}
    if not where:
        raise DataError("None of the files could be predicted: see above.")

    def ask(item: Labelled) -> Track | None:
        path = where.get((item.path, bool(item.side)))
        # a photo has no seconds of rest
        rest = None if item.file.photo else baseline
        return None if path is None else our_track(path, item.side, rest)

    made = load(ensemble, options)
    about: dict[str, object] = {"ensemble": {"name": made.ensemble.name, "hash": made.hash}}
    return ask, failed, about


def _wanted(item: Labelled, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Frames of a file that are evaluated: those with labels, or all that are known."""
    if item.frame is not None:
        return np.unique(item.frame)
    return np.arange(1, int(numbers.max(initial=1)) + 1)


def _laid(
    item: Labelled, wanted: NDArray[np.int64]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    if item.frame is None:
        shape = np.zeros(len(wanted), np.intp)
        return item.labels[shape], item.intensity[shape]
    _, first = np.unique(item.frame, return_index=True)
    return item.labels[first], item.intensity[first]


def _nothing(tool: str, count: int) -> Said:
    empty = np.full((count, 12), np.nan, np.float32)
    decisions = np.zeros((count, 12), np.int8)
    return Said(tool, np.zeros(count, np.bool_), empty, decisions, empty)


def _gather(
    evaluation: Evaluation, found: Found, ask: Ask, reference: Library | None
) -> list[Pair]:
    gathering, pairs = Gathering(), []
    for item in tqdm(found.items, desc="reading", unit="file", file=sys.stderr, leave=False):
        name = item.file.name
        try:
            track = ask(item)
            if track is None:
                if item.frame is None and not item.file.photo:
                    evaluation.left_out.setdefault(name, f"{name} has no prediction.")
                    continue
                numbers = np.ones(1, np.int64) if item.frame is None else item.frame
                wanted = _wanted(item, numbers)
                said = _nothing(evaluation.tool, len(wanted))
                evaluation.left_out.setdefault(
                    name, f"{name} has no prediction: its faces count as not found."
                )
            else:
                numbers = frames_of(track, item.path)
                wanted = _wanted(item, numbers)
                said = at_frames(track, numbers, wanted)
            labels, intensity = _laid(item, wanted)
            gathering.add(
                item.file, wanted, labels, intensity,
                said.seen, said.scores, said.decisions, said.intensity,
            )  # fmt: skip
            other = None if reference is None else reference.find(name)
            if track is not None and other is not None:
                theirs = frames_of(other, item.path)
                shared = np.intersect1d(numbers[numbers > 0], theirs[theirs > 0])
                mine, second = at_frames(track, numbers, shared), at_frames(other, theirs, shared)
                pairs.append(Pair(name, item.file.person, mine.scores, second.scores))
        except DataError as error:
            evaluation.left_out[name] = str(error)
            print(error, file=sys.stderr, flush=True)
    evaluation.samples = gathering.finish()
    return pairs


def _place(item: Labelled, track: Track | None) -> tuple[Path, Path | None, int]:
    if track is None or track.tool != OURS:
        return item.path, None, 0
    person = person_of(track.path, item.side) if item.side else 0
    return item.path, track.path, person


def _label(given: Path) -> str:
    corpus = paths.CORPUS.resolve()
    inside = given.resolve() == corpus or corpus in given.resolve().parents
    return "synthetic" if inside else "real or unknown"


def evaluate(
    given: Path,
    out: Path,
    *,
    ensemble: Path,
    predictions: Path | None = None,
    reference: Path | None = None,
    options: Options | None = None,
    baseline: float | None = None,
) -> Evaluation:
    """Evaluate a tool on labelled photos and videos, and write what is found.

    Parameters
    ----------
    given : Path
        Folder, or table of labels: see :mod:`stages.inference.evaluation.labels`.
    out : Path
        Folder of ``evaluation.json``, ``.csv``, ``.html`` and our predictions.
    ensemble : Path
        Folder of the ensemble that predicts.
    predictions : Path, optional
        Another tool's files instead, see :class:`stages.inference.evaluation.predictions.Library`.
    reference : Path, optional
        A tool's files whose continuous values frames are ranked against.
    options : Options, optional
        Of our prediction.
    baseline : float, optional
        Seconds at the begin of each video whose resting face is subtracted of our prediction.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError, SettingsError
        When nothing can be evaluated, another process writes into `out`, or files that are not
        ours bear the names there.
    """
    check_seconds(baseline)
    if baseline is not None and predictions is not None:
        raise SettingsError("--baseline is for our own predictions: leave out --predictions.")
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file: name a folder with --out.")
    with Outputs(out, NAME, KIND, TABLES) as outputs:
        outputs.refuse_others(".json", *TABLES)
        evaluation, places = _measure(
            given, out, ensemble, predictions, reference, options, baseline
        )
        written = {ending: temporary_path(outputs.path(ending)) for ending in TABLES}
        try:
            with sentences(out):
                write_csv(written[".csv"], evaluation)
                write_html(written[".html"], evaluation, places)
            outputs.put(as_json(evaluation), written)
        finally:
            discard(list(written.values()))
    say(as_text(evaluation))
    return evaluation


def _measure(
    given: Path,
    out: Path,
    ensemble: Path,
    predictions: Path | None,
    reference: Path | None,
    options: Options | None,
    baseline: float | None,
) -> tuple[Evaluation, Callable[[], Places]]:
    """Find all figures, and what says where the files of the worst mistakes are."""
    theirs = None if predictions is None else Library(predictions)
    against = None if reference is None else Library(reference)
    try:
        found = read_labels(given)
    except DataError:
        found = unlabelled(given)
        if against is None or not found.items:
            raise
    if not found.items:
        reasons = " ".join(list(found.left_out.values())[:3])
        raise DataError(f"{given} has no labelled file that can be evaluated. {reasons}".strip())
    names = [item.file.name for item in found.items]
    empty = Gathering().finish()
    evaluation = Evaluation(
        OURS if theirs is None else theirs.tool(names),
        {"evaluated": given.name, "label": _label(given)},
        empty,
        left_out=dict(found.left_out),
        notes=list(found.notes),
    )
    if against is not None:
        evaluation.about["reference"] = against.tool(names)
    if theirs is None:
        ask, failed, about = _predict(found.items, ensemble, out, options or Options(), baseline)
        evaluation.about |= about
        if baseline is not None:
            evaluation.about["baseline"] = baseline
            evaluation.notes.append(
                f"The resting face of each video's first {baseline:g} seconds was subtracted."
            )
        by_path = {str(item.path): item.file.name for item in found.items}
        evaluation.left_out |= {by_path.get(p, p): reason for p, reason in failed.items()}
    else:
        library = theirs

        def ask(item: Labelled) -> Track | None:
            return library.find(item.file.name)

    pairs = _gather(evaluation, found, ask, against)
    say("measuring, with intervals over people")
    evaluation.scores = score(evaluation.samples)
    evaluation.groups = by_group(evaluation.samples)
    if against is not None:
        evaluation.ranking = rank(pairs)
    evaluation.mistakes = worst(evaluation.samples)
    wrong = {mistake.file for mistake in evaluation.mistakes}

    def places() -> Places:
        return {
            item.file.name: _place(item, ask(item))
            for item in found.items
            if item.file.name in wrong
        }

    return evaluation, places
