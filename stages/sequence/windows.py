"""A network run over whole videos, window by window, and the statistics of its inputs."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.core.errors import DataError
from stages.core.facs import N_AUS
from stages.sequence.batches import Order, Place, window_starts
from stages.sequence.choices import CORRECTED, Choices
from stages.sequence.dataset import Video
from stages.sequence.features import Features
from stages.sequence.protocol import window_stride
from stages.sequence.reader import BatchReader

PREDICT_BATCH = 32  # windows that are predicted together


def input_statistics(features: Features, videos: Sequence[Video]) -> dict[str, Tensor]:
    """Mean and standard deviation of the inputs over the frames of the training part.

    Returns
    -------
    dict of str to torch.Tensor
        ``visual_mean``, ``visual_deviation``, ``audio_mean``, ``audio_deviation``, each (width,);
        frames without a face, or without sound, do not count, nor do masked copies: what is
        scored has no masks.

    Raises
    ------
    DataError
        When no frame of these videos shows a face.
    """
    widths = {"visual": features.visual_width, "audio": features.audio_width}
    counts = dict.fromkeys(widths, 0)
    sums = {name: np.zeros((2, width)) for name, width in widths.items()}
    for video in (video for video in videos if not video.masked):
        for name, (count, found) in zip(widths, features.sums(video), strict=True):
            counts[name] += count
            sums[name] += found
    if not counts["visual"]:
        raise DataError(
            "No face was found in any training video: look at data/crops, or lower "
            "crop.score_threshold."
        )
    result: dict[str, Tensor] = {}
    for name, (total, squares) in sums.items():
        mean = total / max(counts[name], 1)
        variance = squares / max(counts[name], 1) - mean**2
        result[f"{name}_mean"] = torch.from_numpy(mean).float()
        result[f"{name}_deviation"] = torch.from_numpy(np.sqrt(variance.clip(min=0))).float()
    return result


@torch.inference_mode()
def predict_logits(
    network: nn.Module,
    features: Features,
    videos: Iterable[Video],
    *,
    window: int,
    device: torch.device,
    mute: bool = False,
    choices: Choices = CORRECTED,
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Logit of each AU in each frame of some videos.

    Windows overlap by half, and the logits of overlapping windows are averaged; or, as the protocol
    chooses, each frame is predicted once. Windows of several short videos are predicted together.

    Parameters
    ----------
    network : nn.Module
        In eval mode.
    features : Features
    videos : iterable of Video
    window : int
        Length of a window in frames.
    device : torch.device
    mute : bool
        Withhold the sound.
    choices : Choices
        For `prediction_overlap` and `short_videos`.

    Yields
    ------
    str, (frames, 12) np.ndarray
        Name and float32 logits of each video, in their order.
    """
    once = choices.prediction_overlap == "none"
    stride = window_stride(window, choices.prediction_overlap)
    sums: dict[str, tuple[Tensor, Tensor]] = {}
    asked: deque[tuple[list[Place], list[str]]] = deque()

    def orders() -> Iterator[Order]:
        """Batches of windows; with each, the videos whose last window is in it."""
        places: list[Place] = []
        ended: list[str] = []
        for video in videos:
            sums[video.name] = (torch.zeros(video.frames, N_AUS), torch.zeros(video.frames, 1))
            for start in window_starts(video.frames, window, stride):
                if len(places) == PREDICT_BATCH:
                    asked.append((places, ended))
                    yield Order(places)
                    places, ended = [], []
                places.append((video, start))
            ended.append(video.name)
        if places:
            asked.append((places, ended))
            yield Order(places)

    with BatchReader(
        features,
        window=window,
        batch=PREDICT_BATCH,
        device=device,
        short_videos=choices.short_videos,
    ) as reader:
        for batch in reader.read(orders()):
            sound = torch.zeros_like(batch.sound) if mute else batch.sound
            logits = network(batch.visual, batch.audio, sound, batch.real).float().cpu()
            places, ended = asked.popleft()
            for (video, start), rows in zip(places, logits, strict=True):
                total, count = sums[video.name]
                stop = min(start + window, video.frames)
                # with each frame once, the last window gives what the one before it has left
                first_new = int(count.count_nonzero()) if once else start
                total[first_new:stop] += rows[first_new - start : stop - start]
                count[first_new:stop] += 1
            for name in ended:
                total, count = sums.pop(name)
                yield name, (total / count).numpy()


def predict_video(
    network: nn.Module,
    features: Features,
    video: Video,
    *,
    window: int,
    device: torch.device,
    mute: bool = False,
    choices: Choices = CORRECTED,
) -> NDArray[np.float32]:
    """Probability of each AU in each frame of one video; see :func:`predict_logits`.

    Returns
    -------
    (frames, 12) np.ndarray
        float32.
    """
    ((_, logits),) = predict_logits(
        network, features, [video], window=window, device=device, mute=mute, choices=choices
    )
    return torch.sigmoid(torch.from_numpy(logits)).numpy()
