"""Features of the sound, one run an encoder (`dvc repro audio@wav2vec`).

In: the manifest and the frames' presentation times (data/index), the videos (data.root), the
encoder's weights. Out: data/features/audio/ENCODER, a feature store with one row per decoded
frame: the step of the encoder whose centre is nearest to the frame in presentation time. Rows of
frames before the sound starts or after it ends, and of videos without sound, are NaN. Entries
that show two faces of one video share their features.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.check_settings import Params, load_params
from stages.core import paths
from stages.core.console import run_stage
from stages.core.errors import SettingsError
from stages.core.hashing import identities_of
from stages.encoders.backbones import code_of
from stages.encoders.extraction import make_store
from stages.encoders.loading import (
    Encoding,
    choose_encoding,
    encoding_workers,
    feature_writer,
    load_encoding,
)
from stages.videos.manifest import Manifest, read_timestamps, times_hash

WORTH_A_WORKER = {"small": 20_000, "full": 500}  # frames, by scale; see `make_store`


@dataclass(frozen=True)
class Work:
    """The sound of one video, and what to encode it with."""

    name: str
    video: Path | None  # None where there are only published crops
    frame_rate: float
    encoding: Encoding


def encode_video(work: Work, path: Path) -> None:
    """Write the features of one video's sound, a shard of a store."""
    from stages.encoders.read_ahead import prefetch
    from stages.encoders.registry import audio_encoder
    from stages.encoders.running import encode_sound, inference
    from stages.encoders.timing import FrameClock
    from stages.videos.audio import read_sound

    encoder, loaded = audio_encoder(work.encoding.name), load_encoding(work.encoding)
    times = read_timestamps(paths.INDEX, work.name)
    with (
        feature_writer(path, work.encoding, loaded) as store,
        inference(loaded.device, loaded.precision),
    ):
        features = store.create(work.name, len(times), work.frame_rate)
        clock = FrameClock(encoder, times)
        # blocks of about a second: they are decoded while the network has the one before
        blocks = read_sound(work.video, encoder.sampling_rate) if work.video else iter(())
        sound = clock.watch(prefetch(blocks, ahead=8))
        steps = None
        for first, steps in encode_sound(encoder, loaded.network, sound, loaded.device):
            frames, chosen = clock.frames_of(first, len(steps))
            values = steps[chosen]
            values[chosen < 0] = np.nan
            features[frames] = values
        if steps is not None:
            features[clock.frames_after()] = steps[-1]


def works(
    manifest: Manifest, encoder: str, params: Params
) -> tuple[dict[str, Work], dict[str, list[str]]]:
    """List the work, one item a video.

    Returns
    -------
    dict of str to Work
        By the name of the video's first entry.
    dict of str to list of str
        All entries of each of these videos.
    """
    encoding = choose_encoding("audio", encoder, params)
    names: dict[tuple[str | None, str], list[str]] = {}
    for entry in manifest.entries:
        alone = entry.name if entry.video is None else ""
        names.setdefault((entry.video, alone), []).append(entry.name)
    items = {}
    for entries in names.values():
        entry = manifest.entry(entries[0])
        items[entry.name] = Work(
            name=entry.name,
            video=None if entry.video is None else Path(manifest.root) / entry.video,
            frame_rate=entry.frame_rate,
            encoding=encoding,
        )
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
    items, names = works(manifest, name, params)
    identities = identities_of(
        "stages.audio",
        [name, params.scale, settings.model_dump(), code_of(name)],
        {key: [work.encoding.weights_hash, manifest.entry(key).video_hash, work.video is None,
               work.frame_rate, times_hash(paths.INDEX, key)]
         for key, work in items.items()},
    )  # fmt: skip
    make_store(
        paths.AUDIO_FEATURES / name,
        encode_video,
        items,
        names=names,
        stage=f"audio@{name}",
        identities=identities,
        compute=params.compute,
        workers=encoding_workers(params.compute),
        frames=sum(entry.frames for entry in manifest.entries),
        worth_a_worker=WORTH_A_WORKER[params.scale],
    )


if __name__ == "__main__":
    run_stage(main)
