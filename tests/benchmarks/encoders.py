"""Frames a second of each encoder: the stage, its forward pass alone, and the plain way.

The stage is timed from file to file: reading and decoding, the forward pass, the rows written. The
forward pass alone runs on the same batches, prepared in memory. The plain way takes one frame
at a time in float32: a crop, or the sound around the frame. All of it with one thread for the
network, as in one worker of the stage, on one core, or on more (``--cores 2``), where the thread
that decodes has one of its own. Needs a finished `make repro`; run by `make bench`. The stage's
figures on one core go to metrics/speed.json, for the report's table of encoders. With
``--scale full`` the networks have the published sizes and random weights, which are as fast as any.
``--generated`` measures on made-up crops and sound and needs no `make repro`: for a GPU, say, with
``--device``.
"""

import argparse
import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from stages import audio
from stages.check_settings import Params, load_params
from stages.core import paths
from stages.core.console import run_stage
from stages.core.facs import N_AUS, NOT_ANNOTATED
from stages.core.feature_shard import read_shard
from stages.core.files import write_json
from stages.core.torchrun import use_one_thread
from stages.crops.crop_file import CropReader, CropWriter
from stages.encoders import face_extraction
from stages.encoders.base import VisualEncoder
from stages.encoders.loading import Encoding, choose_encoding, load_encoding
from stages.encoders.registry import audio_encoder
from stages.encoders.running import encode_sound, inference
from stages.videos.audio import read_sound
from stages.videos.manifest import Entry, Manifest, read_timestamps, save_frames
from tests.stand_ins import RATE, entry, write_video

PLAIN_FRAMES = 100  # frames on which the plain way is timed
FRAME_RATE = 25.0  # of generated videos, in Hz
PLAIN_SECONDS = 2.0  # of sound around a frame, for the plain way


def best(function: Callable[[], object], repeats: int) -> float:
    """Shortest time of several runs, in seconds; the first, which warms up, does not count."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def finish(device: torch.device) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def generate(videos: int, frames: int) -> list[Entry]:
    """Write made-up crops, sound and an index where the stages have theirs in this folder."""
    random = np.random.default_rng(0)
    root = Path("root")
    root.mkdir()
    paths.CROPS.mkdir(parents=True)
    paths.INDEX.mkdir(parents=True)
    times = np.arange(frames) / FRAME_RATE
    entries = []
    for number in range(videos):
        name = f"v{number:02d}"
        with CropWriter(paths.CROPS / f"{name}.h5", {}) as crops:
            for time in times:
                noise = random.integers(0, 256, (14, 14, 3), dtype=np.uint8)
                crops.append(np.asarray(cv2.resize(noise, (112, 112))), timestamp=time)
        samples = random.normal(0, 0.1, round(RATE * frames / FRAME_RATE)).astype(np.float32)
        write_video(root / f"{name}.avi", samples, frames=frames)
        entries.append(entry(name, f"{name}.avi", frames))
    labels = np.full((frames, N_AUS), NOT_ANNOTATED, np.int8)
    save_frames(paths.INDEX, [(one.name, times, labels) for one in entries])
    Manifest(str(root), tuple(entries), {}).save(paths.INDEX)
    return entries


def encoding_of(name: str, params: Params) -> Encoding:
    """Weights of the finished run; else none, that is random ones."""
    if not paths.ENCODERS.exists() or params.scale != load_params().scale:
        return Encoding(name, None, "", params.scale, params.compute)
    return choose_encoding("visual" if name in params.visual else "audio", name, params)


def visual_rates(
    name: str, params: Params, entries: list[Entry], repeats: int
) -> tuple[float, float, float]:
    """Frames with a face a second: the stage, the forward pass alone, the plain way."""
    batch_size, encoding = params.visual[name].batch, encoding_of(name, params)
    works = [
        face_extraction.Work(
            name=entry.name,
            crops=paths.CROPS / f"{entry.name}.h5",
            frames=entry.frames,
            frame_rate=entry.frame_rate,
            batch=batch_size,
            encoding=encoding,
        )
        for entry in entries
    ]
    loaded = load_encoding(encoding)
    encoder, network, device = loaded.encoder, loaded.network, loaded.device
    assert isinstance(encoder, VisualEncoder)
    side = encoder.side_of(network)
    batches: list[torch.Tensor] = []
    images: list[NDArray[np.uint8]] = []
    for work in works:
        with CropReader(work.crops) as crops:
            for read in face_extraction.batch_readers(crops, batch_size):
                _, pictures = read()
                batches.append(encoder.prepare(torch.from_numpy(pictures).to(device), side))
                images.extend(pictures)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "piece.h5"

        def encode() -> None:
            for work in works:
                face_extraction.encode_video(work, target)

        stage = best(encode, repeats)

    def forward() -> None:
        with inference(device, loaded.precision):
            for batch in batches:
                network(batch)
        finish(device)

    alone = best(forward, repeats)
    few = images[:: max(1, len(images) // PLAIN_FRAMES)][:PLAIN_FRAMES]

    def plain() -> None:
        with torch.no_grad():
            for image in few:
                network(encoder.prepare(torch.from_numpy(image[None]).to(device), side))

    return len(images) / stage, len(images) / alone, len(few) / best(plain, 1)


def audio_rates(
    name: str, params: Params, entries: list[Entry], repeats: int
) -> tuple[float, float, float]:
    """Frames with sound a second: the stage, the forward pass alone, the plain way."""
    root = Path(Manifest.load(paths.INDEX).root)
    encoding = encoding_of(name, params)
    works = [
        audio.Work(entry.name, root / entry.video, entry.frame_rate, encoding)
        for entry in entries
        if entry.video is not None and entry.sound
    ]
    loaded = load_encoding(encoding)
    encoder, network, device = audio_encoder(name), loaded.network, loaded.device
    sounds = []
    for work in works:
        assert work.video is not None
        blocks = list(read_sound(work.video, encoder.sampling_rate))
        sounds.append((work, blocks[0][0], np.concatenate([samples for _, samples in blocks])))
    frames = 0
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "piece.h5"

        def encode() -> None:
            for work in works:
                audio.encode_video(work, target)

        stage = best(encode, repeats)
        for work in works:
            audio.encode_video(work, target)
            _, (stored,) = read_shard(target)
            frames += sum(stop - start for start, stop in stored.valid)

    def forward() -> None:
        with inference(device, "32-true"):
            for _, _, samples in sounds:
                for _ in encode_sound(encoder, network, [samples], device):
                    pass
        finish(device)

    def around() -> Iterator[torch.Tensor]:
        half = round(PLAIN_SECONDS / 2 * encoder.sampling_rate)
        work, start, samples = sounds[0]
        for moment in read_timestamps(paths.INDEX, work.name)[:PLAIN_FRAMES]:
            middle = round((moment - start) * encoder.sampling_rate)
            part = samples[max(0, middle - half) : max(middle, 0) + half]
            if len(part) >= encoder.window:
                yield torch.from_numpy(part[None]).to(device)

    few = list(around())

    def plain() -> None:
        with torch.no_grad():
            for part in few:
                network(part)

    return frames / stage, frames / best(forward, repeats), len(few) / best(plain, 1)


def measure(params: Params, chosen: list[Entry], names: list[str], repeats: int) -> dict[str, int]:
    """Measure encoders on some videos and print the table; frames a second of each one's stage."""
    print(f"{'encoder':<12}{'stage':>9}{'forward':>9}{'share':>7}{'plain':>9}{'gain':>7}")
    speeds = {}
    for name in names:
        rates = visual_rates if name in params.visual else audio_rates
        stage, forward, plain = rates(name, params, chosen, repeats)
        speeds[name] = round(stage)
        print(
            f"{name:<12}{stage:>9.0f}{forward:>9.0f}{stage / forward:>7.2f}"
            f"{plain:>9.0f}{stage / plain:>6.1f}x",
            flush=True,
        )
    return speeds


def main() -> None:
    """Measure every encoder of the settings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=8, help="how many videos to measure on")
    parser.add_argument("--repeats", type=int, default=3, help="the best of so many runs counts")
    parser.add_argument("--scale", choices=("small", "full"), help="default: as in params.yaml")
    parser.add_argument("--cores", type=int, default=1, help="how many to measure on")
    parser.add_argument("--device", default="cpu", help="as compute.device")
    parser.add_argument("--batch", type=int, help="faces a batch; default: as in params.yaml")
    parser.add_argument("--generated", type=int, metavar="FRAMES", help="of a made-up video")
    parser.add_argument("--encoders", nargs="*", help="default: all of params.yaml")
    given = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.cores])
    use_one_thread()
    params = load_params()
    compute = params.compute.model_copy(update={"device": given.device})
    params = params.model_copy(update={"scale": given.scale or params.scale, "compute": compute})
    if given.batch:
        visual = {name: one.model_copy(update={"batch": given.batch})
                  for name, one in params.visual.items()}  # fmt: skip
        params = params.model_copy(update={"visual": visual})
    names = given.encoders or [*params.visual, *params.audio]
    measured = f"{given.videos} videos, cores: {given.cores}, device: {given.device}"
    print(f"encoders at scale {params.scale}, {measured}; frames a second")
    if given.generated:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            measure(params, generate(given.videos, given.generated), names, given.repeats)
        return
    entries = [e for e in Manifest.load(paths.INDEX).entries if not e.warnings]
    chosen = entries[:: max(1, len(entries) // given.videos)][: given.videos]
    speeds = measure(params, chosen, names, given.repeats)
    if given.cores > 1 or given.device != "cpu":
        return  # the report's table is of one core
    known = json.loads(paths.SPEED.read_text()) if paths.SPEED.exists() else {}
    write_json(paths.SPEED, {**known, params.scale: speeds})


if __name__ == "__main__":
    run_stage(main)
