"""Footage through the parts of a prediction, in one pass.

Decoding, detection and cutting out run in a thread beside the encoders and the networks. What is
held at any time is bounded: some pictures, a batch of crops, the features of a few windows.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import cast

import numpy as np

from stages.encoders.read_ahead import prefetch
from stages.encoders.running import encode_images, inference
from stages.inference.detection import Seen, Sight, look
from stages.inference.footage import Footage
from stages.inference.options import Options
from stages.inference.predictor import Predictor
from stages.inference.row_assembler import Assembly, Frame
from stages.inference.sound import SoundTrack
from stages.inference.stopwatch import Stopwatch
from stages.videos.clock import Log

SIGHTS_PER_BATCH = 2  # batches of frames that are held at most until a batch of crops is full


class Facts:
    """What is to be known of a video once it was read."""

    def __init__(self) -> None:
        self.frames = 0
        self.first = self.last = 0.0
        self.with_face = self.cuts = 0

    def note(self, sight: Sight) -> None:
        """Take the next frame."""
        self.frames += 1
        self.with_face += bool(sight.seen)
        self.cuts += sight.cut
        self.last = sight.time
        if self.frames == 1:
            self.first = sight.time

    @property
    def rate(self) -> float | None:
        """Frames a second; None where there is but one."""
        span = self.last - self.first
        return (self.frames - 1) / span if span > 0 else None


def _batches(sights: Iterator[Sight], crops: int) -> Iterator[list[Sight]]:
    """Gather frames until they show so many faces to encode."""
    held: list[Sight] = []
    waiting = 0
    for sight in sights:
        held.append(sight)
        waiting += sum(seen.crop is not None for seen in sight.seen.values())
        if waiting >= crops or len(held) >= SIGHTS_PER_BATCH * crops:
            yield held
            held, waiting = [], 0
    if held:
        yield held


def _encode(predictor: Predictor, sights: list[Sight]) -> None:
    """Give each crop the features of all encoders, one after another."""
    seen: list[Seen] = [one for sight in sights for one in sight.seen.values()]
    chosen = [one for one in seen if one.crop is not None]
    for first in range(0, len(chosen), predictor.batch):
        batch = chosen[first : first + predictor.batch]
        images = np.stack([one.crop for one in batch if one.crop is not None])
        with inference(predictor.device, predictor.precision):
            features = [
                encode_images(part.encoder, part.network, images, predictor.device)
                for part in predictor.visual
            ]
        for one, row in zip(batch, np.concatenate(features, axis=1), strict=True):
            one.features, one.crop = row, None


def final_frames(
    footage: Footage,
    predictor: Predictor,
    options: Options,
    track: SoundTrack,
    facts: Facts,
    log: Log,
    watch: Stopwatch,
    assembly: Assembly,
) -> Generator[Frame, None, None]:
    """Predict footage; yield each frame once nothing about it can change any more.

    Parameters
    ----------
    footage : Footage
    predictor : Predictor
    options : Options
    track : SoundTrack
        Of the footage.
    facts : Facts
        Is filled on the way.
    log : stages.videos.decoding.Log
        Takes what goes wrong with decoding.
    watch : Stopwatch
    assembly : Assembly
        A new one.

    Yields
    ------
    Frame
        In the order of display.
    """
    crop, device = predictor.ensemble.crop, predictor.options.device
    ahead = prefetch(look(footage, crop, options, device, log, watch), predictor.batch)
    with closing(cast(Generator[Sight, None, None], ahead)) as sights:
        for batch in _batches(sights, predictor.batch):
            with watch.time("encode"):
                _encode(predictor, batch)
            with watch.time("sound"):
                sound = track.take([sight.time for sight in batch])
            for sight, heard in zip(batch, sound, strict=True):
                facts.note(sight)
                with watch.time("predict"):
                    done = list(assembly.add(sight, heard))
                yield from done
    with watch.time("predict"):
        done = list(assembly.finish())
    yield from done
