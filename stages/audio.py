"""Features of the sound, one run an encoder (`dvc repro audio@wav2vec`).

In: the manifest and the frames' presentation times (data/index), the videos (data.root), the
encoder's weights. Out: data/features/audio/ENCODER.h5, a feature store with one row per decoded
frame: the step of the encoder whose centre is nearest to the frame in presentation time. Rows of
frames before the sound starts or after it ends, and of videos without sound, are NaN. Entries
that show two faces of one video share their features.
"""

import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from stages import paths
from stages.console import run_stage
from stages.encoders.sources import weights_path
from stages.errors import SettingsError
from stages.features import make_store
from stages.manifest import FRAMES_FILE, Manifest, read_timestamps
from stages.params import Audio, Compute, Params, load_params
from stages.provenance import file_hash, identity_of
from stages.store import FeatureWriter
from stages.terms import enforce_file, weights_terms

if TYPE_CHECKING:  # torch is imported where the work is done, not by the process that assembles
    import torch
    from torch import nn

    from stages.encoders.base import AudioEncoder

WORTH_A_WORKER = {"small": 20_000, "full": 500}  # frames, by scale; see `make_store`


@dataclass(frozen=True)
class Work:
    """The sound of one video, and what to encode it with."""

    name: str
    video: Path
    frame_rate: float
    encoder: str
    weights: Path | None
    weights_hash: str
    scale: str
    compute: Compute


@lru_cache(maxsize=1)  # one network a process, loaded for its first video
def _load(
    name: str, scale: str, weights: Path | None, compute: Compute
) -> "tuple[AudioEncoder, nn.Module, torch.device]":
    from stages.compute import pick_device
    from stages.encoders.registry import audio_encoder
    from stages.encoders.weights import load_network

    encoder = audio_encoder(name)
    device = pick_device(compute)
    return encoder, load_network(encoder, scale, weights, compute.device).to(device), device


def encode_video(work: Work, path: Path) -> None:
    """Write the features of one video's sound, a store of one dataset."""
    from stages.encoders.running import encode_sound, inference
    from stages.encoders.timing import FrameClock
    from stages.media.audio import read_sound

    encoder, network, device = _load(work.encoder, work.scale, work.weights, work.compute)
    times = read_timestamps(paths.INDEX, work.name)
    with (
        FeatureWriter(
            path,
            encoder=work.encoder,
            weights_hash=work.weights_hash,
            width=int(network.width),  # type: ignore[arg-type]
            settings={"scale": work.scale, "weights": weights_terms(work.weights)},
        ) as store,
        inference(device, "32-true"),
    ):
        features = store.create(work.name, len(times), work.frame_rate)
        clock = FrameClock(encoder, times)
        sound = clock.watch(read_sound(work.video, encoder.sampling_rate))
        steps = None
        for first, steps in encode_sound(encoder, network, sound, device):
            frames, chosen = clock.frames_of(first, len(steps))
            features[frames] = steps[chosen]
        if steps is not None:
            features[clock.frames_after()] = steps[-1]


def works(
    manifest: Manifest, settings: Audio, encoder: str, params: Params
) -> tuple[dict[str, Work], dict[str, list[str]]]:
    """List the work, one item a video.

    Returns
    -------
    dict of str to Work
        By the name of the video's first entry.
    dict of str to list of str
        All entries of each of these videos.
    """
    weights = weights_path(encoder, settings.weights, params.scale)
    enforce_file(params.licences.noncommercial, f"audio.{encoder}", weights)
    weights_hash = file_hash(weights) if weights else ""
    names: dict[str, list[str]] = {}
    for entry in manifest.entries:
        names.setdefault(entry.video, []).append(entry.name)
    items = {
        entries[0]: Work(
            name=entries[0],
            video=Path(manifest.root) / video,
            frame_rate=manifest.entry(entries[0]).frame_rate,
            encoder=encoder,
            weights=weights,
            weights_hash=weights_hash,
            scale=params.scale,
            compute=params.compute,
        )
        for video, entries in names.items()
    }
    return items, {entries[0]: entries for entries in names.values()}


def main() -> None:
    """Encode the sound of every video with the encoder named on the command line."""
    params = load_params()
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in params.audio:
        allowed = ", ".join(params.audio)
        raise SettingsError(f"{name!r} is no encoder of `audio`; allowed: {allowed}.")
    settings = params.audio[name]
    manifest = Manifest.load(paths.INDEX)
    items, names = works(manifest, settings, name, params)
    identity = identity_of(
        "stages.audio",
        [name, params.scale, settings.model_dump(), names],
        [work.weights_hash for work in items.values()],
        [[entry.name, entry.video_hash, entry.frame_rate] for entry in manifest.entries],
        file_hash(paths.INDEX / FRAMES_FILE),
    )
    make_store(
        paths.AUDIO_FEATURES / f"{name}.h5",
        encode_video,
        items,
        names=names,
        stage=f"audio@{name}",
        identity=identity,
        workers=params.compute.workers,
        frames=sum(entry.frames for entry in manifest.entries),
        worth_a_worker=WORTH_A_WORKER[params.scale],
    )


if __name__ == "__main__":
    run_stage(main)
