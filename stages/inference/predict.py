"""Predict the action units of one video and write them, with what is to be known of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import av

from stages.core.errors import DataError
from stages.core.facs import AU_NAMES
from stages.core.hashing import package_versions
from stages.faces.detector import detector_use
from stages.inference.card import load_card
from stages.inference.footage import File, player_start
from stages.inference.levels import levels_of
from stages.inference.options import Options
from stages.inference.outputs import Outputs
from stages.inference.predictor import Predictor
from stages.inference.results import KIND, Result
from stages.inference.row_assembler import Assembly
from stages.inference.running import Facts, final_frames
from stages.inference.sound import SoundTrack
from stages.inference.sources import check_output_name, output_name, source_of
from stages.inference.stopwatch import Stopwatch
from stages.inference.writing import ENDINGS, Writer
from stages.videos.clock import Log
from stages.videos.decoding import frame_rate, open_video, promised_pictures
from stages.videos.photo import expected_pictures, is_photo, is_picture

Progress = Callable[[int, int | None, float], None]

USUAL_RATES = (12.0, 75.0)  # Hz; the networks were trained near 25 to 30
PACKAGES = ("av", "numpy", "onnxruntime", "opencv-python", "pyarrow", "torch")


def expected_frames(path: Path) -> tuple[int, int | None]:
    """Frames that a file leads to expect.

    Returns
    -------
    int
        By its header; 0 where that does not say.
    int or None
        By its header, or else by its length; None where nobody knows.

    Raises
    ------
    DataError
        When the file is no video.
    """
    if is_picture(path):
        count = expected_pictures(path)
        return count, count
    with open_video(path) as (container, stream):
        promised = promised_pictures(stream)
        if promised or not container.duration:
            return promised, promised or None
        return 0, max(1, round(container.duration / av.time_base * frame_rate(stream)))


def warnings_of(
    predictor: Predictor, facts: Facts, track: SoundTrack, log: Log, promised: int, photo: bool
) -> list[str]:
    """Sentences about what is to be known of a prediction."""
    found, heard = [*log.sentences(), *track.notes], track.heard
    if facts.frames < promised:
        found.append(f"The header promises {promised} pictures, {facts.frames} decode.")
    if not facts.with_face:
        where = "" if photo else " in any frame"
        found.append(f"No face was found{where}: there are no AUs.")
    if photo:
        pass  # nobody expects sound of it
    elif predictor.audio and not heard:
        found.append(
            "There is no sound, or none that can be decoded: the AUs were predicted without it."
        )
    elif predictor.audio and heard < facts.frames:
        found.append(
            f"{facts.frames - heard} of {facts.frames} frames have no sound beside them: their "
            "AUs were predicted without it."
        )
    low, high = USUAL_RATES
    if facts.rate is not None and not low <= facts.rate <= high:
        found.append(
            f"The video has {facts.rate:.4g} frames a second; the networks were trained near 25, "
            "and know a face's motion at that pace."
        )
    choices = predictor.ensemble.choices
    if (choices.prediction_overlap, choices.no_face) != ("half", "nearest"):
        found.append(
            "The ensemble's figures are of another protocol: its networks are asked in windows "
            "that overlap, and a frame without a face takes the nearest face."
        )
    card = load_card(predictor.ensemble.folder)
    if card is not None:
        found.append(card.sentence())
    elif predictor.ensemble.scores.get("label") == "synthetic":
        found.append(
            "The ensemble was trained on a generated corpus (synthetic) and brings no card "
            "(card.json) with figures of real faces."
        )
    return found


def about_of(
    predictor: Predictor, options: Options, facts: Facts, people: int, heard: int
) -> dict[str, Any]:
    """What made a prediction, and what it found, as plain values."""
    ensemble = predictor.ensemble
    detector = detector_use(ensemble.crop.detector, ensemble.crop.pack)
    licences = {"detector": {"source": detector.source, "licence": detector.licence}}
    for name, weights in (*ensemble.visual.items(), *ensemble.audio.items()):
        licences[name] = {"source": weights.source, "licence": weights.licence}
    for one in ensemble.data:
        licences["networks"] = {"source": f"trained on {one['source']}", "licence": one["licence"]}
    return {
        "kind": KIND,
        "format": 2,
        "frames": facts.frames,
        "faces": people,
        "frames_with_a_face": facts.with_face,
        "frames_with_sound": heard,
        "cuts": facts.cuts,
        "first_timestamp": round(facts.first, 6),
        "last_timestamp": round(facts.last, 6),
        "ensemble": {
            "name": ensemble.name,
            "hash": predictor.hash,
            "rule": ensemble.rule,
            "members": [member.run for member in ensemble.members],
            "scores": dict(ensemble.scores),
            "card": None if (card := load_card(ensemble.folder)) is None else card.model_dump(),
            "versions": dict(ensemble.versions),
        },
        "options": predictor.settings(options),
        "calibration": {
            "aus": list(AU_NAMES),
            **ensemble.calibration.as_dict(),
            "intensities": levels_of(ensemble.calibration.thresholds).tolist(),
        },
        "crop": ensemble.crop.model_dump(mode="json"),
        "licences": licences,
        "versions": package_versions("aufusion", *PACKAGES),
    }


def predict_file(
    path: Path,
    predictor: Predictor,
    out: Path,
    options: Options | None = None,
    *,
    name: str | None = None,
    progress: Progress | None = None,
    outputs: Outputs | None = None,
) -> Result:
    """Predict one video and write its three files, see :mod:`stages.inference.results`.

    Parameters
    ----------
    path : Path
        The video.
    predictor : Predictor
    out : Path
        Folder of the files; made if it is not there.
    options : Options, optional
        `faces` and `every` are heeded here; else those that the predictor was loaded with.
    name : str, optional
        What the files are called; else the video's stem.
    progress : callable, optional
        ``progress(done, total, rate)`` is called after each batch with frames done, frames
        expected (None where nobody knows) and frames a second. What it raises ends the work.
    outputs : Outputs, optional
        The claim on these files, where the caller holds it.

    Returns
    -------
    Result

    Raises
    ------
    DataError
        When the video cannot be read, or the files cannot be written, are claimed by another
        process or not ours. Nothing is left behind then; an earlier prediction stays.
    """
    options = options or predictor.options
    name = output_name(path.stem) if name is None else check_output_name(name)
    if outputs is None:
        expected_frames(path)  # what is no video leaves no trace
        with Outputs(out, name, KIND) as held:
            return predict_file(path, predictor, out, options, name=name, progress=progress,
                                outputs=held)  # fmt: skip
    outputs.refuse_others(".json", *ENDINGS)
    begun, told = time.perf_counter(), 0
    watch, log, facts = Stopwatch(), Log(), Facts()
    source, photo = source_of(path, out), is_photo(path)
    promised, total = expected_frames(path)
    if options.section and not photo:
        promised, total = 0, None
    assembly = Assembly(predictor, options)
    footage = File(path, (options.start, options.end))
    track = SoundTrack(footage, predictor)
    writer = Writer(outputs, predictor.ensemble.calibration)
    try:
        rows = final_frames(footage, predictor, options, track, facts, log, watch, assembly)
        with closing(rows):
            for frame in rows:
                with watch.time("write"):
                    writer.add(frame)
                if progress is not None and facts.frames >= told + predictor.batch:
                    told = facts.frames
                    expected = None if total is None else max(total, told)
                    progress(told, expected, told / (time.perf_counter() - begun))
        if source_of(path, out) != source:
            raise DataError(f"{path} changed while it was read: predict it again.")
        about = about_of(predictor, options, facts, assembly.people, track.heard)
        about["source"], about["photo"], about["start"] = source, photo, player_start(path)
        about["warnings"] = warnings_of(predictor, facts, track, log, promised, photo)
        with watch.time("write"):
            about = writer.finish(about)
    finally:
        writer.discard()
        track.close()
    if progress is not None:
        progress(facts.frames, facts.frames, facts.frames / (time.perf_counter() - begun))
    watch.add("all", time.perf_counter() - begun)
    return Result(path, out, name, about, dict(watch.seconds))
