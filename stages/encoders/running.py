"""Running an encoder over a video: batches of crops, blocks of sound, and their times."""

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.core.facs import N_AUS
from stages.encoders.base import AudioEncoder, VisualEncoder

Item = TypeVar("Item")


def prefetch(items: Iterable[Item], ahead: int = 2) -> Iterator[Item]:
    """Iterate with a thread that prepares the next items while the caller works on one.

    Parameters
    ----------
    items : iterable
        What it raises is raised to the caller, in its place in the order.
    ahead : int
        Items held ready.

    Yields
    ------
    object
        The items in their order.
    """
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(ahead)
    stopped = threading.Event()

    def put(more: bool, value: object) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                ready.put((more, value), timeout=0.1)
                return

    def work() -> None:
        try:
            for item in items:
                put(True, item)
                if stopped.is_set():
                    return
        except BaseException as error:  # not lost in the thread
            put(False, error)
        else:
            put(False, None)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        more, value = ready.get()
        while more:
            yield value
            more, value = ready.get()
        if value is not None:
            raise value
    finally:
        stopped.set()
        thread.join()


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
    batch = encoder.prepare(torch.from_numpy(images).to(device), encoder.side_of(network))
    features = network(batch)
    if au_start(network) is not None:
        features = torch.cat([features, network.au_head(features)], dim=-1)  # type: ignore[operator]
    return _half(features)


def _half(features: Tensor) -> NDArray[np.float16]:
    limit = torch.finfo(torch.float16).max
    return features.float().clamp(-limit, limit).to(torch.float16).cpu().numpy()


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
        return first, _half(steps)

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
