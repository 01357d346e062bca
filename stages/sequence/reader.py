"""Batches on their way to a device: made ahead by threads, or gathered where all features lie.

:class:`BatchReader` makes batches from the mapped stores in memory that is used again and again;
for a GPU that memory is pinned and the copies run beside the computing. :class:`HeldBatches` keeps
the features of all videos on the device, where they fit. Both give the same batches; who takes one
has it until it asks for the next.
"""

from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from stages.core.closing import Closing
from stages.core.facs import N_AUS, NOT_ANNOTATED
from stages.sequence.batches import Batch, Order, empty_batch, filling_frames, make_batch
from stages.sequence.choices import ShortVideos
from stages.sequence.dataset import Video
from stages.sequence.features import Features

THREADS: Final = 2  # that make batches ...
LARGE: Final = 4 << 20  # ... of so many bytes; for smaller ones they would wait for one another
AHEAD: Final = 2  # batches made beyond those in the threads' hands
SHARE: Final = 0.5  # of a GPU's free memory that features may take; the rest is the network's


class Batches(Closing):
    """What makes batches of orders."""

    @abstractmethod
    def read(self, orders: Iterable[Order]) -> Iterator[Batch]:
        """Make batches in their order.

        Parameters
        ----------
        orders : iterable of Order
            Taken in this thread, maybe a few ahead.

        Yields
        ------
        Batch
            On the device; it may be overwritten when the next is asked for.
        """


class _Slot:
    """Memory for one batch, here and on a GPU."""

    def __init__(self, features: Features, count: int, window: int, device: torch.device) -> None:
        on_gpu = device.type == "cuda"
        self.here = empty_batch(count, window, features, pinned=on_gpu)
        self.there = empty_batch(count, window, features, str(device)) if on_gpu else self.here
        self.copied: Any = torch.cuda.Event() if on_gpu else None  # type: ignore[no-untyped-call]
        self.used: Any = torch.cuda.Event() if on_gpu else None  # type: ignore[no-untyped-call]


class BatchReader(Batches):
    """Makes batches ahead of who takes them.

    Parameters
    ----------
    features : Features
    window : int
        Length of a window in frames.
    batch : int
        Windows of a batch, at most.
    device : torch.device
        Where they are to be.
    short_videos : {"held", "masked", "repeated", "cycled"}
        See :func:`stages.sequence.batches.make_batch`.
    threads : int, optional
        That make batches; as many as pay where it is left out.
    """

    def __init__(
        self,
        features: Features,
        *,
        window: int,
        batch: int,
        device: torch.device,
        short_videos: ShortVideos = "held",
        threads: int | None = None,
    ) -> None:
        if threads is None:
            size = 2 * batch * window * (features.visual_width + features.audio_width)
            threads = THREADS if size >= LARGE else 1
        self._features, self._window, self._short_videos = features, window, short_videos
        self._device = device
        self._side: Any = None
        if device.type == "cuda":
            self._side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._slots = [_Slot(features, batch, window, device) for _ in range(threads + AHEAD)]
        self._pool = ThreadPoolExecutor(threads)

    def read(self, orders: Iterable[Order]) -> Iterator[Batch]:
        """Make batches in their order; see :meth:`Batches.read`."""
        wanted = iter(orders)
        begun: deque[tuple[Future[Batch], _Slot]] = deque()

        def begin(slot: _Slot) -> None:
            order = next(wanted, None)
            if order is not None:
                begun.append((self._pool.submit(self._make, order, slot), slot))

        try:
            for slot in self._slots:
                begin(slot)
            while begun:
                future, slot = begun.popleft()
                yield self._moved(future.result(), slot)
                if slot.used is not None:
                    slot.used.record(torch.cuda.current_stream(self._device))
                begin(slot)
        finally:  # also where not all were taken: the memory must be nobody's
            for future, _ in begun:
                if not future.cancel():
                    future.exception()

    def _make(self, order: Order, slot: _Slot) -> Batch:
        if slot.copied is not None:
            slot.copied.synchronize()  # what it held before is on the GPU
        return make_batch(self._features, order, self._window, self._short_videos, slot.here)

    def _moved(self, made: Batch, slot: _Slot) -> Batch:
        if self._side is None:
            return made
        moved = slot.there.first(len(made.visual))
        with torch.cuda.stream(self._side):
            self._side.wait_event(slot.used)  # the step that had this memory before
            for source, target in zip(made.tensors(), moved.tensors(), strict=True):
                target.copy_(source, non_blocking=True)
            slot.copied.record(self._side)
        torch.cuda.current_stream(self._device).wait_event(slot.copied)
        return moved

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


class HeldBatches(Batches):
    """Keeps all features on a device and gathers batches there.

    Parameters
    ----------
    features : Features
    videos : sequence of Video
        All that batches will be asked of.
    window : int
        Length of a window in frames.
    device : torch.device
    short_videos : {"held", "masked", "repeated", "cycled"}
        See :func:`stages.sequence.batches.make_batch`.
    """

    def __init__(
        self,
        features: Features,
        videos: Sequence[Video],
        *,
        window: int,
        device: torch.device,
        short_videos: ShortVideos = "held",
    ) -> None:
        self._window, self._device, self._short_videos = window, device, short_videos
        self._starts: dict[str, int] = {}  # of each video's frames among all
        total = 0
        for video in videos:
            self._starts[video.name] = total
            total += video.frames
        # one row more than there are frames: that of a frame of which nothing is known
        held = empty_batch(1, total + 1, features, str(device)).tensors()
        self._held = Batch(*(value[0] for value in held))
        self._held.labels.fill_(NOT_ANNOTATED)
        self._held.intensity.fill_(float("nan"))
        self._held.real.fill_(True)
        for video in videos:
            start = self._starts[video.name]
            visual, audio, sound = features.read(video, 0, video.frames)
            for target, rows in (
                (self._held.visual, visual),
                (self._held.audio, audio),
                (self._held.sound, sound),
                (self._held.labels, video.labels),
                (self._held.intensity, video.intensity),
            ):
                if rows is not None:
                    target[start : start + video.frames] = torch.from_numpy(rows).to(device)

    @staticmethod
    def size(features: Features, videos: Sequence[Video]) -> int:
        """Bytes that it takes on the device."""
        width = 2 * (features.visual_width + features.audio_width) + 5 * N_AUS + 2
        return sum(video.frames for video in videos) * width

    def read(self, orders: Iterable[Order]) -> Iterator[Batch]:
        """Gather batches in their order; see :meth:`Batches.read`."""
        for order in orders:
            rows, known, real = self._places(order)
            where = torch.from_numpy(rows).to(self._device, non_blocking=True)
            labelled = torch.from_numpy(known).to(self._device, non_blocking=True)
            shape = rows.shape
            gathered = [
                value.index_select(0, index.flatten()).view(*shape, *value.shape[1:])
                for value, index in (
                    (self._held.visual, where),
                    (self._held.audio, where),
                    (self._held.sound, where),
                    (self._held.labels, labelled),
                    (self._held.intensity, labelled),
                )
            ]
            visual, audio, sound, labels, intensity = gathered
            if order.silenced is not None:
                kept = torch.from_numpy(~order.silenced).to(self._device, non_blocking=True)
                sound &= kept[:, None]
            shown = torch.from_numpy(real).to(self._device, non_blocking=True)
            yield Batch(visual, audio, sound, shown, labels, intensity)

    def _places(
        self, order: Order
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Rows of the frames of some windows, those of their labels, and which frames are real."""
        shape = (len(order.places), self._window)
        nothing = len(self._held.labels) - 1
        rows, real = np.empty(shape, np.int64), np.ones(shape, np.bool_)
        known = np.full(shape, nothing, np.int64)
        for row, (video, start) in enumerate(order.places):
            n = min(self._window, video.frames - start)
            first = self._starts[video.name] + start
            rows[row, :n] = known[row, :n] = np.arange(first, first + n)
            if n < self._window:
                rest = filling_frames(n, self._window, self._short_videos)
                rows[row, n:] = rows[row, rest]
                real[row, n:] = self._short_videos != "masked"
                if self._short_videos in ("repeated", "cycled"):
                    known[row, n:] = known[row, rest]
        if not order.labelled:
            known[:] = nothing
        return rows, known, real

    def close(self) -> None:
        """Nothing is open."""


def open_batches(
    features: Features,
    videos: Sequence[Video],
    *,
    window: int,
    batch: int,
    device: torch.device,
    short_videos: ShortVideos = "held",
) -> Batches:
    """Hold the features of some videos on a GPU that has the room, else read them by the batch.

    To be used as a context manager.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if HeldBatches.size(features, videos) <= SHARE * free:
            return HeldBatches(
                features, videos, window=window, device=device, short_videos=short_videos
            )
    return BatchReader(
        features, window=window, batch=batch, device=device, short_videos=short_videos
    )
