"""Features of face crops by one visual encoder, whole videos and masked copies of some.

For the stage `visual`: the list of the work, and doing it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages.core import paths
from stages.core.hashing import file_hash, identities_of
from stages.crops.crop_file import FACE, CropReader
from stages.crops.masked_clips import Copy, masked_readers
from stages.encoders.backbones import code_of
from stages.encoders.extraction import make_store
from stages.encoders.loading import (
    Encoding,
    choose_encoding,
    encoding_workers,
    feature_writer,
    load_encoding,
)
from stages.encoders.settings import EncoderSettings
from stages.videos.manifest import Manifest

if TYPE_CHECKING:  # it imports torch
    from stages.encoders.running import Batch

WORTH_A_WORKER = {"small": 5_000, "full": 100}  # frames, by scale; see `make_store`


@dataclass(frozen=True)
class Work:
    """The crops of one face of one video, and what to encode them with."""

    name: str
    crops: Path
    frames: int
    frame_rate: float
    batch: int
    encoding: Encoding
    copies: tuple[Copy, ...] = ()  # of these frames with half of the face hidden, not of the video


def batch_readers(crops: CropReader, batch: int) -> Iterator[Callable[[], Batch]]:
    """List what decodes the crops that show a face, a batch at a time.

    Parameters
    ----------
    crops : CropReader
    batch : int
        Faces in a batch.

    Yields
    ------
    callable
        Returns the faces' rows in the crop file, (n,) int64, and the faces, (n, 112, 112, 3)
        uint8, RGB.
    """
    rows = np.flatnonzero(crops.status == FACE)
    for first in range(0, len(rows), batch):
        yield partial(_read, crops, rows[first : first + batch])


def _read(crops: CropReader, rows: NDArray[np.int64]) -> Batch:
    images = crops.read(int(rows[0]), int(rows[-1]) + 1)
    return rows, np.stack([image for image in images if image is not None])


def encode_video(work: Work, path: Path) -> None:
    """Write the features of one face of one video, or of its masked copies: a shard of a store."""
    from stages.encoders.base import VisualEncoder
    from stages.encoders.running import decoding_threads, encode_batches, inference

    loaded = load_encoding(work.encoding)
    encoder, device = loaded.encoder, loaded.device
    threads = decoding_threads(device)
    assert isinstance(encoder, VisualEncoder)
    with (
        CropReader(work.crops) as crops,
        feature_writer(path, work.encoding, loaded) as store,
        inference(device, loaded.precision),
    ):
        parts = [(copy.name, copy.frames, masked_readers(crops, copy, work.batch))
                 for copy in work.copies]  # fmt: skip
        for name, frames, batches in parts or [
            (work.name, len(crops), batch_readers(crops, work.batch))
        ]:
            features = store.create(name, frames, work.frame_rate)
            for rows, encoded in encode_batches(encoder, loaded.network, batches, device, threads):
                # batches are stretches of rows with holes where there is no face
                stretch = np.full((rows[-1] + 1 - rows[0], encoded.shape[1]), np.nan, np.float16)
                stretch[rows - rows[0]] = encoded
                features[rows[0] : rows[-1] + 1] = stretch


def list_work(name: str, params: EncoderSettings) -> dict[str, Work]:
    """List what an encoder has to do: the crops of every entry of the manifest that has some.

    Raises
    ------
    DataError
        When the encoder's weights are missing.
    SettingsError
        When the licence of its weights is not allowed.
    """
    encoding = choose_encoding("visual", name, params)
    return {
        entry.name: Work(
            name=entry.name,
            crops=paths.CROPS / f"{entry.name}.h5",
            frames=entry.frames,
            frame_rate=entry.frame_rate,
            batch=params.visual[name].batch,
            encoding=encoding,
        )
        for entry in Manifest.load(paths.INDEX).entries
        # `crop` said why one is missing
        if (paths.CROPS / f"{entry.name}.h5").is_file()
    }


def of_copies(works: dict[str, Work], copies: list[Copy]) -> dict[str, Work]:
    """List the work on masked copies by their sources' names, from the work on these sources."""
    found: dict[str, list[Copy]] = {}
    for copy in sorted(copies, key=lambda one: one.name):
        found.setdefault(copy.source, []).append(copy)
    return {
        name: replace(works[name], frames=sum(copy.frames for copy in copies), copies=tuple(copies))
        for name, copies in found.items()
        if name in works
    }


def make_visual_store(
    path: Path,
    name: str,
    items: dict[str, Work],
    params: EncoderSettings,
    *,
    stage: str,
) -> None:
    """Encode some faces with one encoder and assemble its store; see :func:`make_store`."""
    settings = params.visual[name]
    identities = identities_of(
        "stages.encoders.face_extraction",
        [name, params.scale, params.compute.precision, settings.model_dump(), code_of(name)],
        {
            key: [
                work.name,
                work.encoding.weights_hash,
                file_hash(work.crops),
                work.frame_rate,
                [copy.as_list() for copy in work.copies],
            ]
            for key, work in items.items()
        },
    )
    make_store(
        path,
        encode_video,
        items,
        stage=stage,
        identities=identities,
        compute=params.compute,
        workers=encoding_workers(params.compute),
        frames=sum(work.frames for work in items.values()),
        worth_a_worker=WORTH_A_WORKER[params.scale],
    )
