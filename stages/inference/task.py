"""One of many videos: its prediction and what is made of it, with a failure as a sentence."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from stages.core.errors import (
    FREE_MEMORY,
    DataError,
    SettingsError,
    is_of_the_machine,
    is_out_of_memory,
)
from stages.inference.known_hashes import known_hashes
from stages.inference.options import Options
from stages.inference.outputs import EXTRAS, OVERLAY, PHOTO_OVERLAY, REPORT, Outputs
from stages.inference.results import KIND, Result
from stages.inference.sources import Input, is_done
from stages.videos.photo import is_photo

if TYPE_CHECKING:
    from stages.inference.predictor import Predictor


@dataclass(frozen=True)
class Extras:
    """What else is made of each video.

    Attributes
    ----------
    overlay, report : bool
    formats : tuple of str
        Keys of :data:`stages.inference.formats.convert.FORMATS`.
    baseline : float or None
        Seconds of rest that are subtracted of each person in these formats, in ``table`` where
        none is named; NAME.csv stays as it is.
    """

    overlay: bool = False
    report: bool = False
    formats: tuple[str, ...] = ()
    baseline: float | None = None

    @property
    def converted(self) -> tuple[str, ...]:
        """Formats that are written."""
        return self.formats or (() if self.baseline is None else ("table",))

    def endings(self, video: Path) -> list[str]:
        """What the names of a video's extra files end in."""
        return [_overlay_ending(video)] * self.overlay + [REPORT] * self.report


@dataclass(frozen=True)
class Task:
    """A video and what is to be made of it.

    Attributes
    ----------
    video : Input
    folder : Path
        Where its files go.
    text : str
        What a line about it begins with.
    options : Options
    extras : Extras
    overwrite : bool
        Predict it again although it is done.
    bar : bool
        Show how far it is.
    """

    video: Input
    folder: Path
    text: str
    options: Options
    extras: Extras
    overwrite: bool = False
    bar: bool = True


@dataclass(frozen=True)
class Ended:
    """What became of a video.

    Attributes
    ----------
    result : Result or None
        None where it failed.
    fresh : bool
        Whether it was predicted now.
    notes : list of str
        Sentences on what could not be made of it.
    failure : str
        Why it failed.
    """

    result: Result | None = None
    fresh: bool = False
    notes: list[str] = field(default_factory=list)
    failure: str = ""


def carry_out(task: Task, predictor: "Predictor") -> Ended:
    """Predict a video where it is not done, and make what else is wanted.

    Whatever is wrong with one video does not stop the rest: nothing but a kill ends this without an
    answer.
    """
    try:
        return _done(task, predictor)
    except Exception as error:
        return Ended(failure=_reason(error))


def _done(task: Task, predictor: "Predictor") -> Ended:
    video, extras = task.video, task.extras
    settings = predictor.settings(task.options)
    with Outputs(task.folder, video.name, KIND) as outputs:
        fresh = task.overwrite or not is_done(video.path, outputs, predictor.hash, settings)
        wanted = extras.endings(video.path)
        if fresh:
            outputs.refuse_others(*wanted)
            result = _predict(task, predictor, outputs)
            outputs.remove_ours(*EXTRAS)  # of an earlier prediction
            _forget_formats(result)
        else:
            result = Result.load(outputs.path(".json"), video.path)
        stale = [ending for ending in wanted if not outputs.shows_these(ending)]
        outputs.refuse_others(*stale)
        for ending in stale:
            _make(result, ending, outputs.path(ending))
        known_hashes(task.folder).keep()
        notes = _write_formats(result, extras) if extras.converted else []
    return Ended(result, fresh, notes)


def _predict(task: Task, predictor: "Predictor", outputs: Outputs) -> Result:
    from stages.inference.predict import predict_file

    with _bar(task) as bar:

        def progress(done: int, total: int | None, rate: float) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return predict_file(
            task.video.path, predictor, outputs.folder, name=task.video.name, progress=progress,
            outputs=outputs,
        )  # fmt: skip


def _bar(task: Task) -> "tqdm[None]":
    terminal = sys.stderr.isatty()
    return tqdm(
        desc=task.text,
        unit="frame",
        file=sys.stderr,
        mininterval=0.5 if terminal else 10.0,
        dynamic_ncols=True,
        leave=False,
        disable=not task.bar or is_photo(task.video.path),
    )


def _overlay_ending(video: Path) -> str:
    return PHOTO_OVERLAY if is_photo(video) else OVERLAY


def _make(result: Result, ending: str, path: Path) -> None:
    if ending != REPORT:
        from stages.inference.views.overlay import write_overlay

        write_overlay(result.video, result.parquet, path)
    else:
        from stages.inference.views.report import write_report

        write_report(result.video, result.parquet, path)


def _write_formats(result: Result, extras: Extras) -> list[str]:
    """Write a result in other formats; sentences on what was done, and what could not be."""
    from stages.inference.formats.convert import FORMATS, convert
    from stages.inference.formats.recording import Recording

    recording = Recording(result.parquet, result.name, result.about, extras.baseline)
    if recording.photo and extras.baseline is not None:
        return ["no baseline: a photo has no first seconds"]
    names = extras.converted
    possible = [name for name in names if not (recording.photo and FORMATS[name].course)]
    try:
        remarks = recording.remarks
    except DataError as error:  # of a baseline; the prediction is complete without
        return [f"no baseline: {error}"]
    convert(recording, possible, result.folder)
    left = [name for name in names if name not in possible]
    photo = [f"not as {', '.join(left)}: a photo has no course over time"] if left else []
    return [*photo, *remarks]


def _forget_formats(result: Result) -> None:
    from stages.inference.formats.convert import forget_earlier

    forget_earlier(result.parquet, result.folder, result.name)


def _reason(error: Exception) -> str:
    if isinstance(error, DataError | SettingsError):
        return str(error)
    if is_out_of_memory(error):
        return f"Memory ran out, no fault of this video: {FREE_MEMORY}; then predict it again."
    if is_of_the_machine(error):
        return f"{error}: no fault of this video, predict it again."
    return f"{type(error).__name__}: {error}. This is a defect of the program: please report it."
