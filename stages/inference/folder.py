"""Many videos: what is done stays done, what fails is said, the rest goes on."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from stages.core.console import say
from stages.core.errors import DataError, SettingsError
from stages.core.refusals import sentence
from stages.core.settings import Compute
from stages.ensembles.ensemble import load_ensemble
from stages.inference.options import Options
from stages.inference.predictor import Predictor, load_predictor, share_cores
from stages.inference.results import Result
from stages.inference.side_by_side import carry_out_all
from stages.inference.sources import Input, check_output_name, find_videos, printable
from stages.inference.task import Ended, Extras, Task, carry_out
from stages.videos.decoding import is_our_video


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


def tell(text: str) -> None:
    """Say a line; that whoever read along has gone (``| head``) does not stop the work."""
    try:
        say(text)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    jobs: int | None = None,
    engine: str = "local",
    address: str | None = None,
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
    jobs : int, optional
        Videos at once; else one, or by Ray as many as it has place for. With more than one each
        has a process of one thread, which loads the ensemble once; lines come in the order in which
        videos end, results in that of `given`.
    engine : {"local", "ray"}
        Whose processes these are: this machine's, or workers of Ray, which see all folders under
        the same paths.
    address : str, optional
        Of Ray, see :func:`stages.core.ray_cluster.connect`.
    load : callable
        Loads the ensemble, where the work is done in this process.

    Returns
    -------
    Done

    Raises
    ------
    DataError, SettingsError
        When nothing could be begun: no ensemble, no such device, no such number of jobs, no such
        Ray, or workers of it that do not see the folders.
    """
    compute = _compute(jobs, engine, address, options)
    extras = extras or Extras()
    videos, failed = find_videos(given, recursive)
    if name is not None:
        videos = _named(videos, failed, name)
    done = Done(failed=failed)
    for reason in failed.values():
        print(reason, file=sys.stderr, flush=True)
    if not videos:
        return done
    tasks = []
    for number, video in enumerate(videos, start=1):
        text = f"[{number}/{len(videos)}] {printable(video.path)}"
        if _is_ours(video):
            if video.path not in given:
                tell(f"{text}: left out, AUFusion drew it")
                continue
            reason = f"{video.path} was drawn by AUFusion: name the video that it shows."
            done.failed[str(video.path)] = reason
            print(f"{text}: {reason}", file=sys.stderr, flush=True)
            continue
        folder = out / video.below
        tasks.append(Task(video, folder, text, options, extras, overwrite, bar=compute is None))
    found: dict[int, Result] = {}
    shown: set[str] = set()

    def told(place: int, ended: Ended) -> None:
        text, path = tasks[place].text, tasks[place].video.path
        if ended.result is None:
            done.failed[str(path)] = ended.failure
            print(f"{text}: {ended.failure}", file=sys.stderr, flush=True)
            return
        found[place] = ended.result
        tell("\n  ".join([f"{text}: {_said(ended.result, ended.fresh, shown)}", *ended.notes]))

    if compute is not None and (len(tasks) > 1 or (tasks and engine == "ray")):
        load_ensemble(ensemble)  # what is wrong with it is no fault of the videos
        carry_out_all(tasks, ensemble, out, compute, told)
    elif tasks:
        predictor = load(ensemble, options)
        share_cores()
        for place, task in enumerate(tasks):
            told(place, carry_out(task, predictor))
    done.results = [found[place] for place in sorted(found)]
    if len(videos) > 1 or done.failed:
        tell(
            f"{len(done.results)} of {len(done.results) + len(done.failed)} done; results in {out}"
        )
    return done


def _compute(
    jobs: int | None, engine: str, address: str | None, options: Options
) -> Compute | None:
    """Whose processes predict the videos; None for this one."""
    if jobs is not None and jobs < 1:
        raise SettingsError(f"--jobs is {jobs}; allowed: 1 video at once or more.")
    if engine == "local" and address is not None:
        raise SettingsError("--address is that of a Ray: name --engine ray with it.")
    if engine == "local" and jobs in (None, 1):
        return None
    asked = {"engine": engine, "address": address, "workers": jobs, "device": options.device}
    try:
        return Compute.model_validate(asked)
    except ValidationError as error:
        raise SettingsError(f"--{sentence(error, Compute)}.") from None


def _is_ours(video: Input) -> bool:
    try:
        return is_our_video(video.path)
    except Exception:  # whatever it is, whoever predicts it says why
        return False


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
