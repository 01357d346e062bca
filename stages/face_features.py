"""Features of face crops by one visual encoder, whole videos and masked copies of some.

What the stages `visual` and `masked` share: the list of the work, and doing it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages import paths
from stages.copies import Copy, masked_batches
from stages.crops import FACE, CropReader
from stages.encoders.sources import weights_path
from stages.features import make_store
from stages.manifest import Manifest
from stages.params import Compute, Params
from stages.provenance import file_hash, identity_of
from stages.store import FeatureWriter
from stages.terms import enforce_file, weights_terms

if TYPE_CHECKING:  # torch is imported where the work is done, not by the process that assembles
    import torch
    from torch import nn

    from stages.encoders.base import VisualEncoder

WORTH_A_WORKER = {"small": 5_000, "full": 100}  # frames, by scale; see `make_store`


@dataclass(frozen=True)
class Work:
    """The crops of one face of one video, and what to encode them with."""

    name: str
    crops: Path
    frames: int
    frame_rate: float
    encoder: str
    weights: Path | None
    weights_hash: str
    scale: str
    batch: int
    compute: Compute
    copy: Copy | None = None  # these frames with half of the face hidden, instead of all frames


def read_batches(
    crops: CropReader, batch: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Decode the crops that show a face.

    Parameters
    ----------
    crops : CropReader
    batch : int
        Faces in a batch.

    Yields
    ------
    (n,) np.ndarray
        int64, the faces' rows in the crop file.
    (n, 112, 112, 3) np.ndarray
        uint8, RGB.
    """
    rows = np.flatnonzero(crops.status == FACE)
    for first in range(0, len(rows), batch):
        chosen = rows[first : first + batch]
        images = crops.read(int(chosen[0]), int(chosen[-1]) + 1)
        yield chosen, np.stack([image for image in images if image is not None])


@lru_cache(maxsize=1)  # one network a process, loaded for its first video
def _load(
    name: str, scale: str, weights: Path | None, compute: Compute
) -> "tuple[VisualEncoder, nn.Module, torch.device, str]":
    import torch

    from stages.compute import pick_device, pick_precision
    from stages.encoders.registry import visual_encoder
    from stages.encoders.weights import load_network

    encoder = visual_encoder(name)
    device = pick_device(compute)
    network = load_network(encoder, scale, weights, compute.device)
    if network.published:
        encoder = encoder.for_published()
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return encoder, network, device, pick_precision(compute)


def encode_video(work: Work, path: Path) -> None:
    """Write the features of one face of one video, a store of one dataset."""
    from stages.encoders.running import encode_images, inference, prefetch

    encoder, network, device, precision = _load(
        work.encoder, work.scale, work.weights, work.compute
    )
    with (
        CropReader(work.crops) as crops,
        FeatureWriter(
            path,
            encoder=work.encoder,
            weights_hash=work.weights_hash,
            width=int(network.width),  # type: ignore[arg-type]
            settings={
                "scale": work.scale,
                "precision": precision,
                "weights": weights_terms(work.weights),
            },
        ) as store,
        inference(device, precision),
    ):
        if work.copy is None:
            frames, batches = len(crops), read_batches(crops, work.batch)
        else:
            frames, batches = work.copy.frames, masked_batches(crops, work.copy, work.batch)
        features = store.create(work.name, frames, work.frame_rate)
        for rows, images in prefetch(batches):
            encoded = encode_images(encoder, network, images, device)
            # batches are stretches of rows with holes where there is no face
            stretch = np.full((rows[-1] + 1 - rows[0], encoded.shape[1]), np.nan, np.float16)
            stretch[rows - rows[0]] = encoded
            features[rows[0] : rows[-1] + 1] = stretch


def list_work(name: str, params: Params) -> dict[str, Work]:
    """List what an encoder has to do: the crops of every entry of the manifest that has some.

    Raises
    ------
    DataError
        When the encoder's weights are missing.
    SettingsError
        When the licence of its weights is not allowed.
    """
    settings = params.visual[name]
    weights = weights_path(name, settings.weights, params.scale)
    enforce_file(params.licences.noncommercial, f"visual.{name}", weights)
    weights_hash = file_hash(weights) if weights else ""
    return {
        entry.name: Work(
            name=entry.name,
            crops=paths.CROPS / f"{entry.name}.h5",
            frames=entry.frames,
            frame_rate=entry.frame_rate,
            encoder=name,
            weights=weights,
            weights_hash=weights_hash,
            scale=params.scale,
            batch=settings.batch,
            compute=params.compute,
        )
        for entry in Manifest.load(paths.INDEX).entries
        # `crop` said why one is missing
        if (paths.CROPS / f"{entry.name}.h5").is_file()
    }


def of_copies(works: dict[str, Work], copies: list[Copy]) -> dict[str, Work]:
    """List the work on masked copies by the copies' names, from the work on their sources."""
    return {
        copy.name: replace(works[copy.source], name=copy.name, frames=copy.frames, copy=copy)
        for copy in copies
        if copy.source in works
    }


def make_visual_store(
    path: Path,
    name: str,
    items: dict[str, Work],
    params: Params,
    *,
    stage: str,
    keep: bool = False,
) -> None:
    """Encode some faces with one encoder and assemble its store; see :func:`make_store`."""
    settings = params.visual[name]
    identity = identity_of(
        "stages.face_features",
        [name, params.scale, settings.model_dump()],
        {
            key: [
                work.weights_hash,
                file_hash(work.crops),
                work.frame_rate,
                work.copy.as_list() if work.copy else None,
            ]
            for key, work in items.items()
        },
    )
    make_store(
        path,
        encode_video,
        items,
        names={key: [key] for key in items},
        stage=stage,
        identity=identity,
        workers=params.compute.workers,
        frames=sum(work.frames for work in items.values()),
        worth_a_worker=WORTH_A_WORKER[params.scale],
        keep=keep,
    )
