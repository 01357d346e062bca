"""Many videos, one after another: what is done stays done, what fails is said, the rest goes on."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from stages.core.console import say
from stages.core.errors import DataError, SettingsError, is_of_the_machine
from stages.inference.options import Options
from stages.inference.outputs import EXTRAS, OVERLAY, PHOTO_OVERLAY, REPORT, Outputs
from stages.inference.predictor import Predictor, load_predictor, share_cores
from stages.inference.results import KIND, Result
from stages.inference.sources import (
    Input,
    check_output_name,
    find_videos,
    is_done,
    printable,
)
from stages.videos.decoding import is_our_video
from stages.videos.photo import is_photo


@dataclass(frozen=True)
class Extras:
    """What else is made of each video."""

    overlay: bool = False
    report: bool = False
    formats: tuple[str, ...] = ()  # keys of stages.inference.formats.convert.FORMATS

    def endings(self, video: Path) -> list[str]:
        """What the names of a video's extra files end in."""
        return [_overlay_ending(video)] * self.overlay + [REPORT] * self.report


@dataclass
class Done:
    """What became of the videos.

    Attributes
    ----------
    results : list of Result
        Of the videos that have their files now.
    failed : dict of str to str
        Why a path or video has none, a sentence each.
    """

    results: list[Result] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def _bar(video: Path, text: str) -> "tqdm[None]":
    terminal = sys.stderr.isatty()
    return tqdm(
        desc=text,
        unit="frame",
        file=sys.stderr,
        mininterval=0.5 if terminal else 10.0,
        dynamic_ncols=True,
        leave=False,
        disable=is_photo(video),
    )


def _predict(video: Input, predictor: Predictor, outputs: Outputs, text: str) -> Result:
    from stages.inference.predict import predict_file

    with _bar(video.path, text) as bar:

        def progress(done: int, total: int | None, rate: float) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return predict_file(
            video.path, predictor, outputs.folder, name=video.name, progress=progress,
            outputs=outputs,
        )  # fmt: skip


def _overlay_ending(video: Path) -> str:
    return PHOTO_OVERLAY if is_photo(video) else OVERLAY


def _make(result: Result, ending: str, path: Path) -> None:
    if ending != REPORT:
        from stages.inference.views.overlay import write_overlay

        write_overlay(result.video, result.parquet, path)
    else:
        from stages.inference.views.report import write_report

        write_report(result.video, result.parquet, path)


def tell(text: str) -> None:
    """Say a line; that whoever read along has gone (``| head``) does not stop the work."""
    try:
        say(text)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_formats(result: Result, formats: tuple[str, ...]) -> list[str]:
    """Write a result in other formats; sentences on what a photo cannot be written in."""
    from stages.inference.formats.convert import FORMATS, convert
    from stages.inference.formats.recording import Recording

    recording = Recording(result.parquet, result.name, result.about)
    possible = [name for name in formats if not (recording.photo and FORMATS[name].course)]
    convert(recording, possible, result.folder)
    left = [name for name in formats if name not in possible]
    return [f"not as {', '.join(left)}: a photo has no course over time"] if left else []


def _forget_formats(result: Result) -> None:
    from stages.inference.formats.convert import forget_earlier

    forget_earlier(result.parquet, result.folder, result.name)


def _named(videos: list[Input], failed: dict[str, str], name: str) -> list[Input]:
    """Give the only video another name."""
    if len(videos) != 1 or failed:
        raise SettingsError(
            f"--name is for one video or photo; {len(videos) + len(failed)} are named."
        )
    try:
        return [replace(videos[0], below=Path(), name=check_output_name(name))]
    except DataError as error:
        raise SettingsError(f"--name: {error}") from None


def predict_all(
    given: Sequence[Path],
    ensemble: Path,
    out: Path,
    options: Options,
    *,
    recursive: bool = False,
    extras: Extras | None = None,
    name: str | None = None,
    overwrite: bool = False,
    load: Callable[[Path, Options], Predictor] = load_predictor,
) -> Done:
    """Predict files and folders.

    Parameters
    ----------
    given : sequence of Path
    ensemble : Path
        Folder of the ensemble.
    out : Path
        Folder of the results.
    options : Options
    recursive : bool
        Look into the folders' folders.
    extras : Extras, optional
        What else to make of each video; made again only where it is missing.
    name : str, optional
        What the files of the only video are called.
    overwrite : bool
        Predict again what is done, and replace results of other videos of the same names. Files
        that are not ours stay all the same.
    load : callable
        Loads the ensemble.

    Returns
    -------
    Done

    Raises
    ------
    DataError, SettingsError
        When nothing could be begun: no ensemble, no such device.
    """
    extras = extras or Extras()
    videos, failed = find_videos(given, recursive)
    if name is not None:
        videos = _named(videos, failed, name)
    done = Done(failed=failed)
    for reason in failed.values():
        print(reason, file=sys.stderr, flush=True)
    if not videos:
        return done
    predictor = load(ensemble, options)
    share_cores()
    settings = predictor.settings(options)
    told: set[str] = set()
    for number, video in enumerate(videos, start=1):
        folder = out / video.below
        text = f"[{number}/{len(videos)}] {printable(video.path)}"
        try:
            if is_our_video(video.path):
                if video.path in given:
                    raise DataError(
                        f"{video.path} was drawn by AUFusion: name the video that it shows."
                    )
                tell(f"{text}: left out, AUFusion drew it")
                continue
            with Outputs(folder, video.name, KIND) as outputs:
                fresh = overwrite or not is_done(video.path, outputs, predictor.hash, settings)
                wanted = extras.endings(video.path)
                outputs.refuse_others(*wanted)
                if fresh:
                    result = _predict(video, predictor, outputs, text)
                    outputs.remove_ours(*EXTRAS)  # of an earlier prediction
                    _forget_formats(result)
                else:
                    result = Result.load(outputs.path(".json"), video.path)
                for ending in wanted:
                    if not outputs.shows_these(ending):
                        _make(result, ending, outputs.path(ending))
                notes = _write_formats(result, extras.formats) if extras.formats else []
        except Exception as error:  # one video, whatever is wrong with it, does not stop the rest
            reason = _reason(error)
            done.failed[str(video.path)] = reason
            print(f"{text}: {reason}", file=sys.stderr, flush=True)
            continue
        done.results.append(result)
        tell("\n  ".join([f"{text}: {_said(result, fresh, told)}", *notes]))
    if len(videos) > 1 or done.failed:
        tell(
            f"{len(done.results)} of {len(done.results) + len(done.failed)} done; results in {out}"
        )
    return done


def _reason(error: Exception) -> str:
    if isinstance(error, DataError | SettingsError):
        return str(error)
    if is_of_the_machine(error):
        return f"{str(error) or 'The memory is full'}: no fault of this video, predict it again."
    return f"{type(error).__name__}: {error}. This is a defect of the program: please report it."


def _said(result: Result, fresh: bool, told: set[str]) -> str:
    """Say what became of a video; of photos, what was told of one is not told of the next."""
    if not fresh:
        return "done before"
    faces = int(result.about["faces"])
    people = {0: "no face", 1: "1 person"}.get(faces, f"{faces} people")
    rate = result.frames / result.seconds["all"]
    lines = [f"{result.frames} frames, {people}, {rate:.0f} frames a second"]
    if result.about.get("photo"):
        news = [text for text in result.warnings if text not in told]
        told.update(news)
        return "\n  ".join([f"photo, {people}", *news])
    return "\n  ".join([*lines, *result.warnings])
