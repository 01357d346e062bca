"""The feature stores that a network reads, joined to one visual and one audio input a frame.

Every frame gets an input: one without a face takes the visual features of the nearest frame that
has one. Videos that were read stay in memory, as float16, up to a limit; a data set that is larger
than that is read from its stores window by window.
"""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.core import paths
from stages.core.closing import Closing
from stages.core.feature_store import FeatureReader
from stages.sequence.dataset import Video

CACHE_BYTES: Final = 1 << 30  # of features that one process keeps in memory
Rows = NDArray[np.float16]
Window = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]


def visual_paths(encoders: Sequence[str]) -> list[Path]:
    """Paths of the stores of some visual encoders."""
    return [paths.VISUAL_FEATURES / f"{name}.h5" for name in encoders]


def masked_paths(encoders: Sequence[str]) -> list[Path]:
    """Paths of the stores of the masked copies' features."""
    return [paths.MASKED_FEATURES / f"{name}.h5" for name in encoders]


def audio_paths(encoders: Sequence[str]) -> list[Path]:
    """Paths of the stores of some audio encoders."""
    return [paths.AUDIO_FEATURES / f"{name}.h5" for name in encoders]


def _single(rows: Rows) -> NDArray[np.float32]:
    """Convert float16 to float32; torch does so several times as fast as numpy."""
    import torch  # not for the stages that only want to know where the stores are

    converted: NDArray[np.float32] = torch.from_numpy(rows).float().numpy()
    return converted


def au_starts(encoders: Sequence[tuple[int, int | None]]) -> tuple[int, ...]:
    """First columns of the encoders' AU logits within their joint features.

    Parameters
    ----------
    encoders : sequence of (int, int or None)
        Width of each encoder's features, and where its 12 AU logits begin among them.
    """
    found, begin = [], 0
    for width, start in encoders:
        if start is not None:
            found.append(begin + start)
        begin += width
    return tuple(found)


class Features(Closing):
    """Some feature stores, seen as one visual and one audio input.

    Parameters
    ----------
    visual, audio : sequence of Path
        One store an encoder; either may be empty.
    masked : sequence of Path
        Stores of the masked copies, in the order of `visual`; empty where none is to be read.
    cache_bytes : int
        How much to keep in memory; 0 for nothing.

    Attributes
    ----------
    visual_width, audio_width : int
    au_starts : tuple of int
        First of the 12 columns of AU logits, for each visual encoder that has some.
    """

    def __init__(
        self,
        visual: Sequence[Path],
        audio: Sequence[Path],
        masked: Sequence[Path] = (),
        *,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._stack = ExitStack()
        self._visual = [self._open(path) for path in visual]
        self._masked = [self._open(path) for path in masked]
        self._audio = [self._open(path) for path in audio]
        self.visual_width = sum(store.width for store in self._visual)
        self.audio_width = sum(store.width for store in self._audio)
        self.au_starts = au_starts([(store.width, store.au_start) for store in self._visual])
        self._kept: OrderedDict[tuple[str, bool], Rows] = OrderedDict()
        self._room = cache_bytes
        self._limit = cache_bytes // 8  # no video takes more of it

    def _open(self, path: Path) -> FeatureReader:
        return self._stack.enter_context(FeatureReader(path))

    def close(self) -> None:
        """Close the stores."""
        self._stack.close()

    def _rows(
        self, stores: Sequence[FeatureReader], name: str, sound: bool, start: int, stop: int
    ) -> Rows:
        """Read some rows of all stores side by side, from memory where they are there."""
        key = (name, sound)
        kept = self._kept.get(key)
        if kept is None:
            frames = stores[0].frames(name)
            size = 2 * frames * sum(store.width for store in stores)
            if size > self._limit:
                return np.concatenate([s.read(name, start, stop) for s in stores], axis=1)
            kept = np.concatenate([store.read(name) for store in stores], axis=1)
            self._kept[key] = kept
            self._room -= size
            while self._room < 0:
                self._room += self._kept.popitem(last=False)[1].nbytes
        else:
            self._kept.move_to_end(key)
        return kept[start:stop]

    def read(self, video: Video, start: int, stop: int) -> Window:
        """Read the features of some consecutive frames.

        Returns
        -------
        visual : (frames, visual width) np.ndarray
            float32, each row that of the nearest frame with a face.
        audio : (frames, audio width) np.ndarray
            float32, 0 where there is no sound.
        sound : (frames,) np.ndarray
            bool, whether every audio store has something for the frame.
        """
        nothing = np.zeros((stop - start, 0), np.float32)
        visual = nothing
        if self._visual:
            rows = video.nearest[start:stop]
            first, last = int(rows.min()), int(rows.max()) + 1
            stores = self._masked if video.masked else self._visual
            seen = self._rows(stores, video.name, False, first, last)
            at = rows - first
            if len(seen) != len(at) or (np.diff(at) != 1).any():
                seen = seen[at]
            visual = _single(seen)
        if not self._audio:
            return visual, nothing, np.zeros(stop - start, np.bool_)
        at = np.arange(start, stop) if video.kept is None else video.kept[start:stop]
        first, last = int(at.min()), int(at.max()) + 1
        name, shift = video.source or video.name, video.start
        heard = self._rows(self._audio, name, True, first + shift, last + shift)
        if video.kept is not None:
            heard = heard[at - first]
        audio = _single(heard)
        # one sum a row finds what is not a number in it
        sound = np.asarray(~np.isnan(audio.sum(axis=1)))
        if not sound.all():
            audio[~sound] = 0
        return visual, audio, sound


def open_features(visual: Sequence[str], audio: Sequence[str], *, masked: bool = False) -> Features:
    """Open the stores of some encoders.

    Parameters
    ----------
    visual, audio : sequence of str
        Names of encoders; no audio for a network without sound.
    masked : bool
        Open the stores of the masked copies, too.

    Returns
    -------
    Features
        To be used as a context manager.
    """
    return Features(
        visual_paths(visual), audio_paths(audio), masked_paths(visual) if masked else []
    )
