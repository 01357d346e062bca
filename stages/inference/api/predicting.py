"""`aufusion.predict`: a table out of whatever holds pictures."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.paths import default_ensemble
from stages.inference.api.tables import FILE, as_table
from stages.inference.footage import File, Footage, Pictures
from stages.inference.options import Options
from stages.inference.predict import about_of, expected_frames, warnings_of
from stages.inference.predictor import Predictor, load_predictor
from stages.inference.row_assembler import Assembly
from stages.inference.running import Facts, final_frames
from stages.inference.sound import SoundTrack
from stages.inference.sources import find_videos, source_of
from stages.inference.stopwatch import Stopwatch
from stages.videos.clock import Log

PathLike = str | os.PathLike[str]
Image = NDArray[np.uint8]
Source = PathLike | Image | Iterable[PathLike] | Iterable[Image]
Sound = tuple[NDArray[Any], int]


@lru_cache(maxsize=1)
def _load(folder: Path, changed: float, options: Options) -> Predictor:
    return load_predictor(folder, options)


def loaded(ensemble: PathLike | None, options: Options) -> Predictor:
    """Load an ensemble; the one that was loaded last is kept, for the next call.

    Raises
    ------
    DataError
        When the folder is no ensemble, or a file of it is damaged.
    SettingsError
        When the device is not there.
    """
    folder = (default_ensemble() if ensemble is None else Path(ensemble)).resolve()
    described = folder / "ensemble.json"
    changed = described.stat().st_mtime if described.is_file() else 0.0
    # what differs from call to call is no part of what is loaded
    return _load(
        folder,
        changed,
        Options(batch=options.batch, device=options.device, precision=options.precision),
    )


def checked_rate(fps: float | None) -> float:
    """Return a frame rate that can be one."""
    if fps is None:
        raise DataError("Frames need their rate: predict(frames, fps=25), in frames a second.")
    if not 0 < fps < float("inf"):
        raise DataError(f"fps is {fps}: it must be a number of frames a second above 0.")
    return float(fps)


def _one(
    footage: Footage, predictor: Predictor, options: Options, promised: int = 0
) -> pd.DataFrame:
    log, facts, assembly = Log(), Facts(), Assembly(predictor, options)
    track = SoundTrack(footage, predictor)
    frames = final_frames(footage, predictor, options, track, facts, log, Stopwatch(), assembly)
    try:
        with closing(frames):
            table = as_table(frames, predictor.ensemble.calibration)
    finally:
        track.close()
    about = about_of(predictor, options, facts, assembly.people, track.heard)
    about["photo"] = footage.photo
    about["warnings"] = warnings_of(predictor, facts, track, log, promised, footage.photo)
    table.attrs["about"] = about
    return table


def _file(path: Path, predictor: Predictor, options: Options) -> pd.DataFrame:
    source = source_of(path)
    promised = 0 if options.section else expected_frames(path)[0]
    footage = File(path, (options.start, options.end))
    table = _one(footage, predictor, options, promised)
    table.attrs["about"]["source"] = source
    return table


def _files(given: list[Path], predictor: Predictor, options: Options) -> pd.DataFrame:
    inputs, failed = find_videos(given, recursive=False)
    tables: list[pd.DataFrame] = []
    abouts: dict[str, Any] = {}
    for item in inputs:
        try:
            table = _file(item.path, predictor, options)
        except DataError as error:  # one file, whatever is wrong with it, does not stop the rest
            failed[str(item.path)] = str(error)
            continue
        abouts[str(item.path)] = table.attrs.pop("about")
        table.insert(0, FILE, str(item.path))
        tables.append(table)
    if not tables:
        raise DataError(" ".join(failed.values()) or "There is no file to predict.")
    for reason in failed.values():
        warnings.warn(reason, stacklevel=3)
    joined = pd.concat(tables, ignore_index=True)
    joined.attrs = {"about": abouts, "failed": failed}
    return joined


def _pictures(
    source: NDArray[Any] | Iterator[Any], fps: float | None, sound: Sound | None
) -> Pictures:
    samples, rate = sound if sound is not None else (None, 0)
    if isinstance(source, np.ndarray) and source.ndim == 3:
        return Pictures([source], 1.0, photo=True)
    if isinstance(source, np.ndarray) and source.ndim != 4:
        raise DataError(
            f"The array has the shape {source.shape}: a video is (frames, height, width, 3), a "
            "photo (height, width, 3), uint8, RGB."
        )
    return Pictures(source, checked_rate(fps), samples, rate)


def predict(
    source: Source,
    *,
    fps: float | None = None,
    sound: Sound | None = None,
    ensemble: PathLike | None = None,
    faces: str = "main",
    every: int = 1,
    start: float | None = None,
    end: float | None = None,
    device: str = "auto",
    precision: str = "auto",
    batch: int | None = None,
) -> pd.DataFrame:
    """Predict the AUs of a video or photo, or of several.

    Parameters
    ----------
    source : path, (frames, height, width, 3) or (height, width, 3) uint8 np.ndarray, or iterable
        A video or photo; a folder of them, whose own folders are not searched; frames of a video
        as one RGB array or one by one; a photo as an array; a list of paths.
    fps : float, optional
        Frames a second, of frames; the first is at 0 seconds. A file knows its own times.
    sound : ((samples,) or (samples, channels) np.ndarray, int), optional
        Sound beside frames from 0 seconds on, float of full scale 1 or int16 or int32, and its
        sampling rate in Hz. Sound of a file is read from the file.
    ensemble : path, optional
        Folder of an ensemble; else the one that is shipped, without it ``models/ensemble``. The
        last one stays loaded.
    faces : {"main", "all"}
        The main person, or everyone under numbers of their own.
    every : int
        Encode every so many frames, 1 to 100; the others still get their rows.
    start, end : float, optional
        Seconds on the clock of a video file: its pictures from `start` on and before `end` alone,
        whose frames are counted from 1. No matter of photos and frames.
    device : {"auto", "cpu", "cuda", "cuda:N"}
    precision : {"auto", "32-true", "bf16-mixed"}
        Of the encoders; ``auto`` is what the ensemble was trained on.
    batch : int, optional
        Faces encoded at once; else what the ensemble says.

    Returns
    -------
    pandas.DataFrame
        The columns of ``aufusion predict``'s CSV file, see ``aufusion info --columns``, in its
        order of rows: numbers of frames from 1, seconds, pixels, probabilities from 0 to 1,
        intensities from 0 to 5; NaN (in ``AU01_c`` ...: ``pandas.NA``) where there is no value.
        Of a folder or a list of paths, a column ``file`` comes first. ``attrs["about"]`` is what
        ``NAME.json`` holds, with ``warnings`` about the prediction; by file where there are
        several, and ``attrs["failed"]`` has the reasons of files that could not be read, of which
        a Python warning tells, too.

    Raises
    ------
    DataError
        When the source, or all of its files, cannot be predicted.
    SettingsError
        When an option is none of those allowed.
    """
    options = Options(
        faces=faces, every=every, batch=batch, device=device, precision=precision,  # type: ignore[arg-type]
        start=start, end=end,
    )  # fmt: skip
    if isinstance(source, str | os.PathLike):
        paths: list[Path] | None = [Path(source)]
    elif isinstance(source, np.ndarray):
        paths = None
    else:
        items = iter(source)
        first = next(items, None)
        if first is None:
            raise DataError("The source is empty: there is nothing to predict.")
        whole = chain([first], items)
        named = isinstance(first, str | os.PathLike)
        paths = [Path(path) for path in whole] if named else None  # type: ignore[arg-type]
        source = whole  # type: ignore[assignment]
    if paths is None:
        footage = _pictures(source, fps, sound)  # type: ignore[arg-type]
        return _one(footage, loaded(ensemble, options), options)
    if sound is not None or fps is not None:
        raise DataError("fps and sound are of frames: a file knows its own.")
    if len(paths) == 1 and isinstance(source, str | os.PathLike) and not paths[0].is_dir():
        if not paths[0].exists():
            raise DataError(f"{paths[0]} is not there.")
        return _file(paths[0], loaded(ensemble, options), options)
    return _files(paths, loaded(ensemble, options), options)
