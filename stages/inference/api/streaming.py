"""`aufusion.stream`: one frame in, one row out, some frames later."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Any

from stages.inference.api.predicting import Image, PathLike, checked_rate, loaded
from stages.inference.columns import COLUMNS
from stages.inference.footage import Pictures
from stages.inference.options import Options
from stages.inference.predictor import Predictor
from stages.inference.row_assembler import REACH, Assembly
from stages.inference.running import SIGHTS_PER_BATCH, Facts, final_frames
from stages.inference.sound import SoundTrack
from stages.inference.stopwatch import Stopwatch
from stages.inference.writing import cells
from stages.videos.clock import Log

Row = dict[str, Any]


class Stream(Iterator[Row]):
    """Rows of frames as they come, in their order; see :func:`stream`.

    Parameters
    ----------
    frames : iterable of (height, width, 3) uint8 np.ndarray
    fps : float
    predictor : Predictor
    options : Options

    Attributes
    ----------
    delay : int
        Frames that are taken, at most, between a frame and its row, as long as the face is seen:
        a window and a half of the networks, half of what smoothing spans, the frames between two
        looks of the detector, and two batches that are under way.
    longest_delay : int
        The same where the face is gone: a frame waits for the next face, so long at most.
    """

    def __init__(
        self, frames: Iterable[Image], fps: float, predictor: Predictor, options: Options
    ) -> None:
        ensemble = predictor.ensemble
        window, batch = ensemble.window, predictor.batch
        smoothing = max(ensemble.calibration.smoothing) // 2
        under_way = SIGHTS_PER_BATCH * batch + batch + 2  # gathered, and ready in the queue
        between = 2 * ensemble.crop.detect_every + options.every
        self.delay = window + max(window // 2, 1) + smoothing + under_way + between
        self.longest_delay = self.delay + 2 * REACH
        self._rows = self._run(Pictures(frames, fps), predictor, options)

    @staticmethod
    def _run(
        footage: Pictures, predictor: Predictor, options: Options
    ) -> Generator[Row, None, None]:
        track, assembly = SoundTrack(footage, predictor), Assembly(predictor, options)
        frames = final_frames(
            footage, predictor, options, track, Facts(), Log(), Stopwatch(), assembly
        )
        try:
            with closing(frames):
                for frame in frames:
                    for row in cells(frame, predictor.ensemble.calibration):
                        yield dict(zip(COLUMNS, row, strict=True))
        finally:
            track.close()

    def __next__(self) -> Row:
        return next(self._rows)

    def close(self) -> None:
        """Take no more frames."""
        self._rows.close()


def stream(
    frames: Iterable[Image],
    *,
    fps: float,
    ensemble: PathLike | None = None,
    every: int = 1,
    device: str = "auto",
    precision: str = "auto",
    batch: int = 4,
) -> Stream:
    """Predict frames as they come, of a camera for instance; memory does not grow.

    The AUs are those of the main person and the same as :func:`aufusion.predict` says of all the
    frames at once, without sound.

    Parameters
    ----------
    frames : iterable of (height, width, 3) uint8 np.ndarray
        RGB. They are taken in a thread of their own.
    fps : float
        Frames a second; the first is at 0 seconds.
    ensemble, every, device, precision
        As of :func:`aufusion.predict`.
    batch : int
        Faces encoded at once: fewer shorten the delay, more are faster.

    Returns
    -------
    Stream
        An iterator over dicts, one a frame, with the columns of :func:`aufusion.predict`; None
        where there is no value. ``delay`` says how many frames later a row comes; the rows of the
        last frames come when `frames` ends.

    Raises
    ------
    DataError
        When a frame is no picture, or the ensemble none.
    SettingsError
        When an option is none of those allowed.
    """
    options = Options(every=every, batch=batch, device=device, precision=precision)  # type: ignore[arg-type]
    return Stream(frames, checked_rate(fps), loaded(ensemble, options), options)
