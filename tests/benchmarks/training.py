"""How much of training is the network's, and how fast windows are read (`make bench`).

Without ``--full`` it needs a finished `make repro` and measures on its stores. With ``--full`` it
makes a store of the widths of the nine published encoders, 6,160 values a frame, and needs none.
Printed are the share of an epoch that is spent in the network, windows a second of the reader with
one and two threads and of the plain way, one HDF5 dataset a frame in one file an encoder that is
opened for every window, and at full scale of the network alone; with each, seconds of processor
time a window and the load of the machine. Files are read once before: all are in the page cache.
"""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import torch
import typer
from torch import nn

from stages.check_settings import load_params
from stages.core import paths
from stages.core.devices import pick_device, pick_precision
from stages.core.feature_store import FeatureReader, FeatureWriter
from stages.learning.losses import masked_bce
from stages.networks.base import Dimensions
from stages.networks.registry import build_network
from stages.sequence.batches import Batch, Order, training_orders
from stages.sequence.dataset import Video, load_videos, make_video
from stages.sequence.features import Features, audio_paths, visual_paths
from stages.sequence.protocol import network_settings
from stages.sequence.reader import Batches, BatchReader, HeldBatches
from stages.sequence.runs import read_run
from stages.sequence.windows import input_statistics

VISUAL: Final = {"ires100": 512, "mae": 768, "mobilenet": 1280, "densenet": 1024, "vit": 768}
AUDIO: Final = {"wav2vec": 768, "hubert": 768, "ecapatdnn": 192, "fbank": 80}
VIDEO_FRAMES: Final = 4000  # of a generated video; those of Aff-Wild2 have 4,300 on average


@dataclass
class Cost:
    """What some work took, seconds of the clock and of all processors."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure what the block takes."""
    cost, wall, cpu = Cost(), time.perf_counter(), time.process_time()
    yield cost
    cost.wall, cost.cpu = time.perf_counter() - wall, time.process_time() - cpu


def said(name: str, windows: int, cost: Cost) -> float:
    """Print windows a second, and return them."""
    rate = windows / cost.wall
    print(
        f"{name}: {rate:,.0f} windows a second, {1000 * cost.cpu / windows:.2f} ms of processor "
        f"time a window (load {os.getloadavg()[0]:.1f})",
        flush=True,
    )
    return rate


def orders(videos: Sequence[Video], window: int, batch: int, seed: int = 0) -> list[Order]:
    """Batches of an epoch."""
    return list(
        training_orders(
            videos, window=window, stride=window // 2, batch=batch, sound_dropout=0.2, seed=seed
        )
    )


def finish(device: torch.device) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Trainer:
    """A network that is trained, and the time that it takes."""

    def __init__(
        self, dimensions: Dimensions, device: torch.device, precision: str = "32-true"
    ) -> None:
        self._device, self._halved = device, precision == "bf16-mixed"
        self._network: nn.Module = build_network(dimensions).train().to(device)
        self._optimizer = torch.optim.Adam(self._network.parameters())
        self.inside = 0.0

    def step(self, batch: Batch) -> None:
        """Forward pass, backward pass and optimizer."""
        start = time.perf_counter()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._halved):
            logits = self._network(batch.visual, batch.audio, batch.sound, batch.real)
        self._optimizer.zero_grad(set_to_none=True)
        masked_bce(logits.float(), batch.labels).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        finish(self._device)
        self.inside += time.perf_counter() - start


def share_in_the_network(batches: Batches, asked: Sequence[Order], trainer: Trainer) -> float:
    """Part of the time of some steps that the network takes."""
    trainer.inside = 0.0
    begin = time.perf_counter()
    for batch in batches.read(asked):
        trainer.step(batch)
    return trainer.inside / (time.perf_counter() - begin)


def reader_rate(
    features: Features, asked: Sequence[Order], window: int, device: torch.device, threads: int
) -> float:
    """Windows a second of the reader alone."""
    size = max(len(order.places) for order in asked)
    with BatchReader(features, window=window, batch=size, device=device, threads=threads) as reader:
        return batches_rate(f"reader, {threads} thread{'s' * (threads > 1)}", reader, asked, device)


def batches_rate(
    name: str, batches: Batches, asked: Sequence[Order], device: torch.device
) -> float:
    """Windows a second of what makes batches, once it has made all of them before."""
    for _ in batches.read(asked):  # reads what is not in the page cache
        pass
    finish(device)
    with measured() as cost:
        for _ in batches.read(asked):
            pass
        finish(device)
    return said(name, sum(len(order.places) for order in asked), cost)


def write_plainly(path: Path, store: Path, videos: Sequence[Video]) -> None:
    """Write the features of one store with one dataset a frame."""
    with h5py.File(path, "w") as file, FeatureReader(store) as features:
        for video in videos:
            for i, row in enumerate(features.read(video.name)):
                file[f"{video.name}/{i:06d}"] = row


def plain_rate(
    folder: Path, stores: Sequence[Path], videos: Sequence[Video], window: int, windows: int
) -> float:
    """Windows a second of the plain way."""
    plain = [folder / f"{number}.h5" for number in range(len(stores))]
    for path, store in zip(plain, stores, strict=True):
        write_plainly(path, store, videos)
    places = [place for order in orders(videos, window, 1) for place in order.places]
    with measured() as cost:
        for video, start in islice(cycle(places), windows):
            found = []
            for path in plain:
                with h5py.File(path) as file:
                    group = file[video.name]
                    stop = min(start + window, video.frames)
                    found.append(np.stack([group[f"{i:06d}"][()] for i in range(start, stop)]))
            np.concatenate(found, axis=1).astype(np.float32)
    return said("one dataset a frame", windows, cost)


def generate(folder: Path, widths: Mapping[str, int], frames: int) -> list[Path]:
    """Write stores of noise, one an encoder."""
    random = np.random.default_rng(0)
    stores = []
    for encoder, width in widths.items():
        noise = random.standard_normal((VIDEO_FRAMES, width), np.float32).astype(np.float16)
        stores.append(folder / encoder)
        with FeatureWriter(
            stores[-1], encoder=encoder, weights_hash="", width=width, settings={}
        ) as writer:
            for number in range(-(-frames // VIDEO_FRAMES)):
                writer.add(f"v{number:04d}", np.roll(noise, number, axis=0), 30.0)
    return stores


def at_full_scale(frames: int, steps: int, plain_windows: int) -> None:
    """Measure on a generated store of full width."""
    params = load_params()
    window, batch, device = params.train.window, params.train.batch, pick_device(params.compute)
    precision = pick_precision(params.compute) if device.type == "cuda" else "32-true"
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        visual, audio = generate(folder, VISUAL, frames), generate(folder, AUDIO, frames)
        random = np.random.default_rng(1)
        videos = [
            make_video(
                f"v{number:04d}",
                random.integers(0, 2, (VIDEO_FRAMES, 12)).astype(np.int8),
                np.ones(VIDEO_FRAMES, np.bool_),
            )
            for number in range(-(-frames // VIDEO_FRAMES))
        ]
        asked = orders(videos, window, batch)
        with Features(visual, audio) as features:
            width = features.visual_width + features.audio_width
            total = sum(video.frames for video in videos)
            print(
                f"generated: {len(videos)} videos, {total:,} frames of {width:,} values; windows "
                f"of {window} frames, {batch} a batch, on {device}, {torch.get_num_threads()} "
                f"threads of torch, {os.cpu_count()} cores"
            )
            with measured() as cost:
                input_statistics(features, videos)
            print(f"statistics of all inputs: {cost.wall:.2f} s")
            ours = [reader_rate(features, asked, window, device, threads) for threads in (1, 2)]
            dimensions = Dimensions(
                "transformer",
                features.visual_width,
                features.audio_width,
                network_settings(params, "transformer", "full"),
                centred=True,
                audio_centred=True,
            )
            trainer = Trainer(dimensions, device, precision)
            with BatchReader(features, window=window, batch=batch, device=device) as reader:
                (held,) = reader.read(asked[:1])
                trainer.step(held)
                with measured() as cost:
                    for _ in range(steps):
                        trainer.step(held)
                said(f"network alone (transformer, full scale, {precision})", steps * batch, cost)
                share = share_in_the_network(reader, asked[:steps], trainer)
            print(f"training: {share:.1%} of the time in the network ({steps} steps)")
            if device.type == "cuda":
                with HeldBatches(features, videos, window=window, device=device) as on_gpu:
                    batches_rate("features held on the GPU", on_gpu, asked, device)
                    share = share_in_the_network(on_gpu, asked[:steps], trainer)
                print(f"training: {share:.1%} of the time in the network ({steps} steps), held")
        plain = plain_rate(folder, [*visual, *audio], videos[:1], window, plain_windows)
        print(f"the reader with two threads is {ours[1] / plain:,.0f} times as fast as that")


def at_small_scale(repeats: int, plain_windows: int) -> None:
    """Measure on the stores of a finished `make repro`."""
    params, run = load_params(), read_run("main")
    window, batch, device = params.train.window, params.train.batch, torch.device("cpu")
    videos = [video for video in load_videos("train") if not video.masked]
    visual, audio = visual_paths(run.visual), audio_paths(run.audio)
    epochs = [order for seed in range(repeats) for order in orders(videos, window, batch, seed)]
    with Features(visual, audio) as features:
        dimensions = Dimensions(
            run.model,
            features.visual_width,
            features.audio_width,
            dict(run.settings),
            centred=True,
            audio_centred=True,
        )
        trainer = Trainer(dimensions, device)
        with BatchReader(features, window=window, batch=batch, device=device) as reader:
            share_in_the_network(reader, epochs[:3], trainer)
            share = share_in_the_network(reader, epochs, trainer)
        print(f"training: {share:.1%} of {repeats} epochs in the network ({run.model}, one core)")
        ours = [reader_rate(features, epochs, window, device, threads) for threads in (1, 2)]
    with tempfile.TemporaryDirectory(dir=paths.INPUTS.parent) as folder:
        plain = plain_rate(Path(folder), [*visual, *audio], videos, window, plain_windows)
    print(f"the reader with two threads is {ours[1] / plain:,.0f} times as fast as that")


def main(
    full: bool = False,
    frames: int = 100_000,
    steps: int = 4,
    repeats: int = 3,
    plain_windows: int = 30,
) -> None:
    """Print the figures."""
    torch.set_num_threads(1)
    if full:
        at_full_scale(frames, steps, plain_windows)
    else:
        at_small_scale(repeats, plain_windows)


if __name__ == "__main__":
    typer.run(main)
