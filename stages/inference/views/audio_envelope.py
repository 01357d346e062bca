"""The outline of a video's sound, for a picture of it."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

FULL = 1000  # full scale in the data: short integers make small pages


def waveform(
    sound: Iterable[tuple[float, NDArray[np.float32]]], edges: NDArray[np.float64], rate: int
) -> dict[str, list[int]] | None:
    """Lowest and highest sample between edges of time, in bounded memory.

    Parameters
    ----------
    sound : iterable of (float, (samples,) np.ndarray)
        Blocks, each with the time of its first sample in seconds, as `read_sound` yields them.
    edges : (columns + 1,) np.ndarray
        Rising times in seconds.
    rate : int
        Hz.

    Returns
    -------
    dict of str to list of int, or None
        ``low`` and ``high`` in thousandths of full scale, 0 where there is no sound; None where
        there is none at all.
    """
    low, high = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    heard = False
    for start, samples in sound:
        heard = True
        cuts = np.clip(np.ceil((edges - start) * rate), 0, len(samples)).astype(np.int64)
        for column in np.flatnonzero(np.diff(cuts)):
            part = samples[cuts[column] : cuts[column + 1]]
            low[column] = min(low[column], float(part.min()))
            high[column] = max(high[column], float(part.max()))
    if not heard:
        return None
    scaled = {"low": low, "high": high}
    return {
        name: np.round(FULL * values).clip(-FULL, FULL).astype(int).tolist()
        for name, values in scaled.items()
    }
