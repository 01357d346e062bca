"""Running an encoder over a video: batches of crops, blocks of sound, and their times."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.core.facs import N_AUS
from stages.encoders.base import AudioEncoder, VisualEncoder
from stages.encoders.read_ahead import in_order
from stages.encoders.recorded import Recorded

GPU_DECODERS: Final = 8
# of each network on a GPU: rows, whether in bfloat16, and what is recorded, if it can be
_recorded: WeakKeyDictionary[nn.Module, tuple[int, bool, Recorded | None]] = WeakKeyDictionary()
Batch = tuple[NDArray[np.int64], NDArray[np.uint8]]  # rows of faces, and the faces


def decoding_threads(device: torch.device) -> int:
    """Threads that decode crops for one network: a GPU takes them faster than one thread can."""
    return 1 if device.type == "cpu" else min(GPU_DECODERS, len(os.sched_getaffinity(0)))


@contextlib.contextmanager
def inference(device: torch.device, precision: str) -> Iterator[None]:
    """Run networks without gradients, under bfloat16 where `precision` says ``bf16-mixed``."""
    enabled = precision == "bf16-mixed"
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=enabled):
        yield


def au_start(network: nn.Module) -> int | None:
    """First column of the AU logits among an encoder's features; None where it has none."""
    return int(network.width) if hasattr(network, "au_head") else None  # type: ignore[arg-type]


def feature_width(network: nn.Module) -> int:
    """Width of an encoder's features: its embedding, and its AU logits where it has some."""
    return int(network.width) + N_AUS * hasattr(network, "au_head")  # type: ignore[arg-type]


def encode_images(
    encoder: VisualEncoder, network: nn.Module, images: NDArray[np.uint8], device: torch.device
) -> NDArray[np.float16]:
    """Encode a batch of face crops, within :func:`inference`.

    Parameters
    ----------
    encoder : VisualEncoder
    network : nn.Module
    images : (n, 112, 112, 3) np.ndarray
        uint8, RGB.
    device : torch.device

    Returns
    -------
    (n, width) np.ndarray
        float16; as wide as :func:`feature_width` says, with the AU logits last.
    """
    return _on_cpu(_features(encoder, network, torch.from_numpy(images).to(device)))


def encode_batches(
    encoder: VisualEncoder,
    network: nn.Module,
    batches: Iterable[Callable[[], Batch]],
    device: torch.device,
    threads: int = 1,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
    """Encode batches of face crops, within :func:`inference`.

    Threads read them ahead. A GPU is given the next batch before the features of the one before
    are taken from it, so that it does not wait.

    Parameters
    ----------
    encoder : VisualEncoder
    network : nn.Module
    batches : iterable of callable
        Each returns rows, (n,), and their crops as :func:`encode_images` takes them.
    device : torch.device
    threads : int
        That read.

    Yields
    ------
    (n,) np.ndarray
        int64, the rows of a batch.
    (n, width) np.ndarray
        float16, their features.
    """
    on_gpu = device.type == "cuda"

    def ready(read: Callable[[], Batch]) -> tuple[NDArray[np.int64], Tensor]:
        rows, images = read()
        pictures = torch.from_numpy(images)
        if on_gpu:
            with torch.cuda.device(device):  # else this thread would begin to use the first GPU
                pictures = pictures.pin_memory()
        return rows, pictures

    before: tuple[NDArray[np.int64], Tensor, Any] | None = None
    for rows, images in in_order((partial(ready, read) for read in batches), threads):
        there = _function_of(encoder, network, images, device)(images)
        features = torch.empty(there.shape, dtype=there.dtype, pin_memory=True) if on_gpu else there
        copied: Any = torch.cuda.Event() if on_gpu else None  # type: ignore[no-untyped-call]
        if on_gpu:
            features.copy_(there, non_blocking=True)
            copied.record(torch.cuda.current_stream(device))
        if before is not None:
            yield _taken(*before)
        before = rows, features, copied
    if before is not None:
        yield _taken(*before)


def _function_of(
    encoder: VisualEncoder, network: nn.Module, images: Tensor, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """Give what maps a batch to its features; on a GPU it is recorded, where that can be done."""

    def plainly(batch: Tensor) -> Tensor:
        return _features(encoder, network, batch.to(device, non_blocking=True))

    if device.type != "cuda":
        return plainly
    halved = torch.is_autocast_enabled(device.type)
    rows, of_halved, recorded = _recorded.get(network, (0, halved, None))
    if rows < len(images) or of_halved != halved:
        recorded = None
        with contextlib.suppress(RuntimeError):
            recorded = Recorded(partial(_features, encoder, network), images, device)
        _recorded[network] = len(images), halved, recorded
    return recorded or plainly


def _taken(
    rows: NDArray[np.int64], features: Tensor, copied: Any
) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    if copied is not None:
        copied.synchronize()
    return rows, features.numpy()


def _features(encoder: VisualEncoder, network: nn.Module, images: Tensor) -> Tensor:
    """Compute features of (n, height, width, 3) uint8 pictures, where they lie."""
    features = network(encoder.prepare(images, encoder.side_of(network)))
    if au_start(network) is not None:
        features = torch.cat([features, network.au_head(features)], dim=-1)  # type: ignore[operator]
    return _half(features)


def _half(features: Tensor) -> Tensor:
    limit = torch.finfo(torch.float16).max
    return features.float().clamp(-limit, limit).to(torch.float16)


def _on_cpu(features: Tensor) -> NDArray[np.float16]:
    return features.cpu().numpy()


def encode_sound(
    encoder: AudioEncoder,
    network: nn.Module,
    parts: Iterable[NDArray[np.float32]],
    device: torch.device,
) -> Iterator[tuple[int, NDArray[np.float16]]]:
    """Encode a gapless sound in bounded memory, within :func:`inference`.

    Parameters
    ----------
    encoder : AudioEncoder
    network : nn.Module
    parts : iterable of (samples,) np.ndarray
        float32 at the encoder's sampling rate. Where one part ends and the next begins makes no
        difference. A sound shorter than one step is filled up with silence.
    device : torch.device

    Yields
    ------
    int
        Number of the first step, from 0.
    (steps, width) np.ndarray
        float16; each block begins with the step after the last one of the block before it.
    """
    held = np.zeros(0, np.float32)
    origin = 0  # number of the sound's sample that `held` begins with
    first = 0  # first step of the next block
    waiting: list[NDArray[np.float32]] = []
    size = 0

    def block(last: int) -> tuple[int, NDArray[np.float16]]:
        before = min(encoder.context, first)
        start = (first - before) * encoder.hop - origin
        stop = (last + encoder.context - 1) * encoder.hop + encoder.window - origin
        samples = torch.from_numpy(held[start:stop]).to(device)
        steps = network(samples[None])[0, before : before + last - first]
        return first, _on_cpu(_half(steps))

    for part in parts:
        waiting.append(part)
        size += len(part)
        whole = (first + encoder.block + encoder.context - 1) * encoder.hop + encoder.window
        if origin + len(held) + size < whole:
            continue
        held, waiting, size = np.concatenate([held, *waiting]), [], 0
        while origin + len(held) >= whole:
            yield block(first + encoder.block)
            first += encoder.block
            whole += encoder.block * encoder.hop
            dropped = max(first - encoder.context, 0) * encoder.hop - origin
            held, origin = held[dropped:], origin + dropped
    held = np.concatenate([held, *waiting])
    total = encoder.steps(origin + len(held))
    if not total and len(held):  # shorter than one step: silence makes it one
        held, total = np.pad(held, (0, encoder.window - len(held))), 1
    while first < total:
        last = min(first + encoder.block, total)
        yield block(last)
        first = last
