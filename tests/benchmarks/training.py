"""How much of training is the network's, and how fast windows are read (`make bench`).

Needs a finished `make repro`. Prints the share of an epoch that is spent in the network, and
windows a second of three readers: ours with the videos in memory, ours from the stores, and the
plain way, one HDF5 dataset a frame in one file an encoder that is opened for every window.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import h5py
import numpy as np
import torch
import typer

from stages.check_settings import load_params
from stages.core import paths
from stages.core.feature_store import FeatureReader
from stages.learning.losses import masked_bce
from stages.networks.base import Dimensions
from stages.networks.registry import build_network
from stages.sequence.dataset import Video, load_videos
from stages.sequence.features import Features, audio_paths, visual_paths
from stages.sequence.runs import read_run
from stages.sequence.windows import Batch, make_batch, training_batches, window_starts


def batches(features: Features, videos: Sequence[Video], window: int, size: int) -> Iterator[Batch]:
    """Training batches of the first epoch."""
    return training_batches(
        features, videos, window=window, stride=window // 2, batch=size, sound_dropout=0.2, seed=0
    )


def share_in_the_network(features: Features, videos: Sequence[Video], repeats: int) -> float:
    """Part of the time of some epochs that forward pass, backward pass and optimizer take."""
    params, run = load_params(), read_run("main")
    settings = params.train
    dimensions = Dimensions(
        run.model,
        features.visual_width,
        features.audio_width,
        dict(run.settings),
        centred=True,
        audio_centred=True,
    )
    network = build_network(dimensions).train()
    optimizer = torch.optim.Adam(network.parameters())
    inside = 0.0
    list(batches(features, videos, settings.window, settings.batch))  # fills the memory
    begin = time.perf_counter()
    for _ in range(repeats):
        for batch in batches(features, videos, settings.window, settings.batch):
            start = time.perf_counter()
            logits = network(batch.visual, batch.audio, batch.sound, batch.real)
            optimizer.zero_grad(set_to_none=True)
            masked_bce(logits, batch.labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            inside += time.perf_counter() - start
    return inside / (time.perf_counter() - begin)


def rate(read: Callable[[Video, int], object], windows: Sequence[tuple[Video, int]]) -> float:
    """Windows a second."""
    start = time.perf_counter()
    for video, first in windows:
        read(video, first)
    return len(windows) / (time.perf_counter() - start)


def write_plainly(path: Path, store: Path, videos: Sequence[Video]) -> None:
    """Write the features of one store with one dataset a frame."""
    with h5py.File(path, "w") as file, FeatureReader(store) as features:
        for video in videos:
            for i, row in enumerate(features.read(video.name)):
                file[f"{video.name}/{i:06d}"] = row


def main(repeats: int = 3, plain_windows: int = 30) -> None:
    """Print the figures."""
    torch.set_num_threads(1)
    window = load_params().train.window
    run = read_run("main")
    videos = [video for video in load_videos("train") if not video.masked]
    windows = [
        (video, start)
        for video in videos
        for start in window_starts(video.frames, window, window // 2)
    ]
    stores = (visual_paths(run.visual), audio_paths(run.audio))
    with Features(*stores) as kept, Features(*stores, cache_bytes=0) as stored:
        share = share_in_the_network(kept, videos, repeats)
        print(f"training: {share:.1%} of an epoch in the network ({run.model}, one core)")
        found = {
            "in memory": rate(lambda video, at: make_batch(kept, [(video, at)], window), windows),
            "from the stores": rate(
                lambda video, at: make_batch(stored, [(video, at)], window), windows
            ),
        }
        with tempfile.TemporaryDirectory(dir=paths.INPUTS.parent) as folder:
            plain = []
            for store in (*stores[0], *stores[1]):
                plain.append(Path(folder) / store.name)
                write_plainly(plain[-1], store, videos)

            def read_plainly(video: Video, start: int) -> object:
                found, last = [], min(start + window, video.frames)
                for path in plain:
                    with h5py.File(path) as file:
                        group = file[video.name]
                        rows = [group[f"{i:06d}"][()] for i in range(start, last)]
                    found.append(np.stack(rows).astype(np.float32))
                return np.concatenate(found, axis=1)

            found["one dataset a frame"] = rate(read_plainly, list(islice(windows, plain_windows)))
    for name, value in found.items():
        times = value / found["one dataset a frame"]
        print(f"reader, {name}: {value:.0f} windows a second ({times:.0f} times)")


if __name__ == "__main__":
    typer.run(main)
