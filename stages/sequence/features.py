"""The feature stores that a network reads, joined to one visual and one audio input a frame.

Every frame gets an input: one without a face takes the visual features of the nearest frame that
has one. The stores are mapped into memory, not read: the system keeps of them what it has room
for, and what is not there is read from the disk where it is looked at.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.core import paths
from stages.core.closing import Closing
from stages.core.feature_shard import summed
from stages.core.feature_store import FeatureReader
from stages.sequence.dataset import Video

PIECE_FRAMES = 4096  # that are summed up at a time, where a store's sums do not do
Rows = NDArray[np.float16]
Window = tuple[Rows, Rows, NDArray[np.bool_]]
Sums = tuple[int, NDArray[np.float64]]  # rows, and (2, width)


def visual_paths(encoders: Sequence[str]) -> list[Path]:
    """Paths of the stores of some visual encoders."""
    return [paths.VISUAL_FEATURES / name for name in encoders]


def masked_paths(encoders: Sequence[str]) -> list[Path]:
    """Paths of the stores of the masked copies' features."""
    return [paths.MASKED_FEATURES / name for name in encoders]


def audio_paths(encoders: Sequence[str]) -> list[Path]:
    """Paths of the stores of some audio encoders."""
    return [paths.AUDIO_FEATURES / name for name in encoders]


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

    Attributes
    ----------
    visual_width, audio_width : int
    au_starts : tuple of int
        First of the 12 columns of AU logits, for each visual encoder that has some.
    """

    def __init__(
        self, visual: Sequence[Path], audio: Sequence[Path], masked: Sequence[Path] = ()
    ) -> None:
        self._stack = ExitStack()
        self._visual = [self._open(path) for path in visual]
        self._masked = [self._open(path) for path in masked]
        self._audio = [self._open(path) for path in audio]
        self._sound: dict[str, NDArray[np.bool_]] = {}
        self.visual_width = sum(store.width for store in self._visual)
        self.audio_width = sum(store.width for store in self._audio)
        self.au_starts = au_starts([(store.width, store.au_start) for store in self._visual])

    def _open(self, path: Path) -> FeatureReader:
        return self._stack.enter_context(FeatureReader(path))

    def close(self) -> None:
        """Close the stores."""
        self._stack.close()

    def sound(self, name: str) -> NDArray[np.bool_]:
        """Whether every audio store has something for each frame of a video, (frames,) bool."""
        found = self._sound.get(name)
        if found is None:
            found = np.logical_and.reduce([store.valid(name) for store in self._audio])
            self._sound[name] = found
        return found

    def fill(
        self,
        video: Video,
        start: int,
        stop: int,
        visual: Rows,
        audio: Rows,
        sound: NDArray[np.bool_],
    ) -> None:
        """Copy the features of some consecutive frames to where they are wanted.

        Parameters
        ----------
        video : Video
        start, stop : int
            The first frame, and the one after the last.
        visual : (frames, visual width) np.ndarray
            float16; takes for each frame the row of the nearest frame with a face.
        audio : (frames, audio width) np.ndarray
            float16; takes 0 where there is no sound.
        sound : (frames,) np.ndarray
            bool; takes whether every audio store has something for the frame.
        """
        if self._visual:
            stores = self._masked if video.masked else self._visual
            _copy(stores, video.name, video.nearest[start:stop], visual)
        if not self._audio:
            sound[:] = False
            return
        name, rows = heard_rows(video, start, stop)
        _copy(self._audio, name, rows, audio)
        sound[:] = self.sound(name)[rows]
        if not sound.all():
            audio[~sound] = 0

    def read(self, video: Video, start: int, stop: int) -> Window:
        """Read the features of some consecutive frames, float16; see :meth:`fill`."""
        frames = stop - start
        visual = np.empty((frames, self.visual_width), np.float16)
        audio = np.empty((frames, self.audio_width), np.float16)
        sound = np.empty(frames, np.bool_)
        self.fill(video, start, stop, visual, audio, sound)
        return visual, audio, sound

    def sums(self, video: Video) -> tuple[Sums, Sums]:
        """Sum up the visual rows of a video's frames with a face, the audio rows with sound.

        Returns
        -------
        (int, (2, visual width) np.ndarray), (int, (2, audio width) np.ndarray)
            How many rows there are; float64, for each column their sum and that of their squares.
        """
        if video.kept is None and not video.masked:
            seen = self._known_sums(self._visual, video.name, video.face)
            heard = self._known_sums(self._audio, video.name)
            if seen is not None and heard is not None:
                return seen, heard
        return self._summed_up(video)

    @staticmethod
    def _known_sums(
        stores: Sequence[FeatureReader], name: str, wanted: NDArray[np.bool_] | None = None
    ) -> Sums | None:
        """What the stores say of a video, if theirs are the same rows and the ones wanted."""
        for store in stores:
            valid = store.valid(name)
            wanted = valid if wanted is None else wanted
            if not np.array_equal(valid, wanted):
                return None
        if wanted is None:
            return 0, np.zeros((2, 0))
        sums = [store.sums(name) for store in stores]
        return int(wanted.sum()), np.concatenate([np.zeros((2, 0)), *sums], axis=1)

    def _summed_up(self, video: Video) -> tuple[Sums, Sums]:
        totals = [0, 0]
        sums = [np.zeros((2, self.visual_width)), np.zeros((2, self.audio_width))]
        for start in range(0, video.frames, PIECE_FRAMES):
            stop = min(start + PIECE_FRAMES, video.frames)
            visual, audio, sound = self.read(video, start, stop)
            for number, rows in enumerate((visual[video.face[start:stop]], audio[sound])):
                totals[number] += len(rows)
                sums[number] += summed(rows)
        return (totals[0], sums[0]), (totals[1], sums[1])


def heard_rows(video: Video, start: int, stop: int) -> tuple[str, NDArray[np.int64]]:
    """Whose sound some frames of a video have, and which rows of it."""
    rows = np.arange(start, stop) if video.kept is None else video.kept[start:stop]
    return video.source or video.name, rows + video.start


def _copy(
    stores: Sequence[FeatureReader], name: str, rows: NDArray[np.int64], target: Rows
) -> None:
    """Copy some rows of all stores side by side."""
    first, last = int(rows[0]), int(rows[-1])
    at_once = last - first + 1 == len(rows) and bool((np.diff(rows) == 1).all())
    begin = 0
    for store in stores:
        end = begin + store.width
        whole = store.rows(name)
        target[:, begin:end] = whole[first : last + 1] if at_once else whole[rows]
        begin = end


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
