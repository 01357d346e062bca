"""Which videos and frames are trained on, and which are predicted, by the choices of protocol."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.core.facs import NOT_ANNOTATED
from stages.sequence.choices import Choices, NoFace
from stages.sequence.dataset import Video, nearest_valid


def standing_frames(face: NDArray[np.bool_], rule: NoFace) -> NDArray[np.int64]:
    """The frame whose picture stands for each frame.

    Parameters
    ----------
    face : (frames,) np.ndarray
        bool, whether a face was found.
    rule : {"nearest", "last"}
        For a frame without a face: the nearest one with a face, or the video's last one.

    Returns
    -------
    (frames,) np.ndarray
        int64; a frame's own index where no frame has a face.
    """
    if rule == "nearest" or not face.any():
        return nearest_valid(face)
    return np.where(face, np.arange(len(face)), np.flatnonzero(face)[-1]).astype(np.int64)


def scored_videos(videos: Sequence[Video], choices: Choices) -> list[Video]:
    """Videos that are predicted: all of their frames, each with a frame that stands for it."""
    return [
        replace(video, nearest=standing_frames(video.face, choices.no_face)) for video in videos
    ]


def complete_frames(video: Video) -> Video:
    """Leave out a video's frames without a face, and those with an AU that is not annotated."""
    keep = np.flatnonzero(video.face & (video.labels != NOT_ANNOTATED).all(1))
    return replace(
        video,
        labels=video.labels[keep],
        face=video.face[keep],
        nearest=video.nearest[keep],
        kept=keep,
        intensity=None if video.intensity is None else video.intensity[keep],
    )


def training_videos(videos: Sequence[Video], choices: Choices, seed: int) -> list[Video]:
    """Videos that are trained on.

    Parameters
    ----------
    videos : sequence of Video
        The training part with its masked copies.
    choices : Choices
    seed : int
        Of the draw which copies are left out.

    Returns
    -------
    list of Video
        In the order of `videos`.

    Raises
    ------
    DataError
        When no frame is left.
    """
    copies = [video.name for video in videos if video.masked]
    count = round(choices.dropped_copies * len(copies))
    dropped = set(np.random.default_rng(seed).permutation(copies)[:count].tolist())
    kept = scored_videos([video for video in videos if video.name not in dropped], choices)
    if choices.frames == "complete":
        kept = [complete for video in kept if (complete := complete_frames(video)).frames]
        if videos and not kept:
            raise DataError(
                "No frame of the training videos has both a face and a label for each of the "
                "12 AUs: set choices.frames to all."
            )
    return kept
