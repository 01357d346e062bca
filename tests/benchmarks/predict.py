"""Frames a second of `aufusion predict`, where the time goes, and the plain way beside it.

The plain way takes one frame at a time: detection in the whole picture, every encoder on one face,
the sound decoded anew for each of its encoders, all in one thread. The video is a photograph of a
person (of skimage) that moves, with tones that come and go, 640x360 at 25 Hz. Needs an ensemble
(`make repro`); run by `make bench`.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage import data

from stages.core import paths
from stages.crops.alignment import align
from stages.crops.crop_file import decode_jpeg, encode_jpeg
from stages.encoders.running import encode_images, encode_sound, inference
from stages.encoders.timing import FrameClock
from stages.faces.detector import load_detector
from stages.faces.face import choose, faces_of
from stages.inference.options import Options
from stages.inference.predict import predict_file
from stages.inference.predictor import Predictor, load_predictor, share_cores
from stages.inference.results import read_rows
from stages.sequence.batches import window_starts
from stages.sequence.dataset import nearest_valid
from stages.synthesis.video_file import write_video
from stages.videos.audio import read_sound
from stages.videos.video import read_frames

WIDTH, HEIGHT, RATE = 640, 360, 25
PARTS = ("decode", "detect", "encode", "sound", "predict", "write")


def pictures(count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the photograph as a slow camera sees it."""
    photograph = data.astronaut()  # type: ignore[no-untyped-call]
    large = cv2.resize(photograph, (960, 960), interpolation=cv2.INTER_CUBIC)
    for k in range(count):
        x, y = 160 + round(40 * np.sin(k / 40)), 40 + round(20 * np.sin(k / 27))
        yield np.ascontiguousarray(large[y : y + HEIGHT, x : x + WIDTH])


def make_video(path: Path, seconds: int) -> None:
    """Write the video that is measured on."""
    count = seconds * RATE
    t = np.arange(seconds * 48_000) / 48_000
    sound = (0.3 * np.sin(2 * np.pi * 220 * t) * (np.sin(2 * np.pi * t) > 0)).astype(np.float32)
    write_video(path, pictures(count), np.arange(count) / RATE, crf=23, sound=sound[None])


def predict_plainly(path: Path, predictor: Predictor, frames: int) -> NDArray[np.float32]:
    """Predict the first frames of a video one at a time; probabilities (frames, 12)."""
    ensemble, cpu = predictor.ensemble, predictor.device
    crop = ensemble.crop
    detector = load_detector(crop.detector, crop.pack, crop.score_threshold, "cpu")
    times, features = [], []
    for moment, image in read_frames(path):
        face = choose(faces_of(detector.detect(image)), "only", image.shape[1])
        row = np.full(sum(part.width for part in predictor.visual), np.nan, np.float16)
        if face is not None:
            aligned = decode_jpeg(encode_jpeg(align(image, face.landmarks), crop.jpeg_quality))
            with inference(cpu, predictor.precision):
                parts = [
                    encode_images(part.encoder, part.network, aligned[None], cpu)[0]
                    for part in predictor.visual
                ]
            row = np.concatenate(parts)
        times.append(moment)
        features.append(row)
        if len(times) == frames:
            break
    seen = np.stack(features)
    seen = seen[nearest_valid(np.asarray(~np.isnan(seen).any(axis=1)))].astype(np.float32)
    heard = [np.zeros((frames, 0), np.float32)]  # ensembles may have no ears
    for part in predictor.audio:
        clock = FrameClock(part.encoder, np.asarray(times))
        rows = np.full((frames, part.width), np.nan, np.float32)
        sound = clock.watch(read_sound(path, part.encoder.sampling_rate))
        with inference(cpu, "32-true"):
            for first, steps in encode_sound(part.encoder, part.network, sound, cpu):
                at, chosen = clock.frames_of(first, len(steps))
                rows[at] = steps[chosen]
        heard.append(rows)
    sounds = np.concatenate(heard, axis=1)
    said = []
    for voice in predictor.voices:
        logits, count = np.zeros((frames, 12), np.float32), np.zeros((frames, 1))
        own = sounds[:, voice.audio]
        has = np.asarray(~np.isnan(own).any(axis=1) & bool(voice.audio))
        for start in window_starts(frames, ensemble.window, ensemble.window // 2):
            at = slice(start, start + ensemble.window)
            given = (seen[at][:, voice.visual], np.nan_to_num(own[at]), has[at], has[at] | True)
            with torch.inference_mode():
                rows = voice.network(*(torch.from_numpy(values)[None] for values in given))[0]
            logits[at] += rows.numpy()
            count[at] += 1
        said.append((logits / count).astype(np.float32))
    return ensemble.calibration.smooth(ensemble.combine(said))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ensemble", type=Path, default=paths.default_ensemble())
    parser.add_argument("--seconds", type=int, default=40, help="length of the video")
    parser.add_argument("--plain", type=int, default=200, help="frames done the plain way, too")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto")
    given = parser.parse_args()
    predictor = load_predictor(given.ensemble, Options(device=given.device))
    share_cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_video(folder / "a.mp4", given.seconds)
        make_video(folder / "short.mp4", 2)
        predict_file(folder / "short.mp4", predictor, folder / "out")  # first calls set up much
        spent = time.process_time()
        result = predict_file(folder / "a.mp4", predictor, folder / "out")
        spent = time.process_time() - spent
        rows = read_rows(result.parquet)
        torch.set_num_threads(1)
        start = time.perf_counter()
        plain = predict_plainly(folder / "a.mp4", predictor, given.plain)
        slow = given.plain / (time.perf_counter() - start)
    fast = result.frames / result.seconds["all"]
    encoders = len(predictor.visual) + len(predictor.audio)
    print(
        f"predict, {result.frames} frames of {WIDTH}x{HEIGHT}, {encoders} encoders, "
        f"{len(predictor.voices)} members, {len(os.sched_getaffinity(0))} cores, {predictor.device}"
    )
    print(f"  in one pass:   {fast:7.1f} frames a second, {fast / RATE:.1f} times real time")
    for part in PARTS:
        each = 1000 * result.seconds.get(part, 0.0) / result.frames
        print(f"    {part:8} {each:6.2f} ms a frame")
    print("    (by the clock; decode and detect run beside the rest)")
    print(f"    {1000 * spent / result.frames:.2f} ms of a core a frame, all together")
    print(f"  the plain way: {slow:7.1f} frames a second; {fast / slow:.1f} times as fast")
    # the last window of the plain way is the whole video's only where both end
    settled = max(1, given.plain - predictor.ensemble.window)
    apart = np.abs(rows.probabilities[:settled] - plain[:settled])
    print(f"  probabilities lie {apart.mean():.4f} apart on average, at most {apart.max():.4f}")


if __name__ == "__main__":
    main()
