"""Small stand-ins for the corpus, in its layout: made in a second, learnable, free of renderers."""

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import yaml
from numpy.typing import NDArray

from stages.check_settings import load_params
from stages.core import paths
from stages.core.feature_store import FeatureReader, FeatureWriter
from stages.crops.crop_file import CropWriter
from stages.crops.masked_clips import write_copies
from stages.sequence.runs import all_rows, resolve_run, write_run
from stages.videos.manifest import Entry, Manifest, save_frames

ROOT = Path(__file__).resolve().parent.parent
SIDE = 112
RATE = 16_000


def settings(folder: Path, **changes: object) -> None:
    """Write the shipped settings with changes (`pretrain__ires100__epochs=2`) into a folder."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["compute"] = {"workers": 1, "device": "cpu", "precision": "auto"}
    for one in content["pretrain"].values():  # who wants the frames of videos, too, says so
        one["data"] = one["data"].removesuffix("+train")
    for key, value in changes.items():
        section = content
        *parents, last = key.split("__")
        for parent in parents:
            section = section[parent]
        section[last] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(content))


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of every file below a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def change_features(store: Path, name: str, change: Callable[[NDArray[Any]], Any]) -> None:
    """Give one video of a feature store other features, as if it had been encoded so."""
    with FeatureReader(store) as reader:
        kept = {one: (reader.read(one), reader.frame_rate(one)) for one in reader.names}
        about = dict(reader.attributes)
    shutil.rmtree(store)
    with FeatureWriter(
        store,
        encoder=about["encoder"],
        weights_hash=about["weights_hash"],
        width=about["width"],
        settings=json.loads(about["settings"]),
        au_start=about.get("au_start"),
    ) as writer:
        for one, (rows, rate) in kept.items():
            writer.add(one, np.asarray(change(rows)) if one == name else rows, rate)


def picture(random: np.random.Generator, au: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Grey noise on which AU k lights up the k-th of twelve tiles, the same when mirrored."""
    image = random.uniform(60, 120, (SIDE, SIDE, 3))
    for k in np.flatnonzero(au):
        top, left = 8 + 32 * (k // 4), 12 * (k % 4)
        for columns in (slice(left, left + 12), slice(SIDE - left - 12, SIDE - left)):
            image[top : top + 28, columns] += 110
    return image.clip(0, 255).astype(np.uint8)


def write_faces(path: Path, faces: int = 96, people: int = 8, seed: int = 0) -> None:
    """Write labelled faces: valence and expression go with AU12 and AU15, arousal with AU26."""
    random = np.random.default_rng(seed)
    au = (random.random((faces, 12)) < 0.4).astype(np.int8)
    with CropWriter(path, {}) as writer:
        for row in au:
            writer.append(picture(random, row), np.zeros((5, 2)), np.zeros(4), 1.0)
        writer.add("au", au)
        writer.add("valence", (0.5 * au[:, 6] - 0.5 * au[:, 7]).astype(np.float32))
        writer.add("arousal", (0.8 * au[:, 11] - 0.4).astype(np.float32))
        writer.add("expression", np.where(au[:, 6], 4, np.where(au[:, 7], 5, 0)).astype(np.int8))
        writer.add("person", (np.arange(faces) % people).astype(np.int32))


def write_speech(path: Path, utterances: int = 16, speakers: int = 4, seed: int = 0) -> None:
    """Write utterances of 3 seconds: silence, and two tones that stand for two phonemes.

    Each speaker has a pitch of its own.
    """
    random = np.random.default_rng(seed)
    seconds, length = 3, 0.25
    segments = int(seconds / length)
    phonemes = random.integers(0, 3, (utterances, segments)).astype(np.int16)
    times = np.arange(seconds * RATE) / RATE
    index = np.minimum((times / length).astype(int), segments - 1)
    samples = []
    for number, row in enumerate(phonemes):
        pitch = 1 + 0.15 * (number % speakers)
        tones = np.sin(2 * np.pi * pitch * np.outer([0, 300, 2500], times))
        chosen = 0.3 * tones[row[index], np.arange(len(times))]
        samples.append(chosen + random.normal(0, 0.003, len(times)))
    with h5py.File(path, "w") as file:
        file["samples"] = (np.concatenate(samples) * 32767).astype(np.int16)
        file["offset"] = np.arange(utterances + 1, dtype=np.int64) * len(times)
        file["speaker"] = (np.arange(utterances) % speakers).astype(np.int32)
        file["phoneme"] = phonemes.ravel()
        file["phoneme_start"] = np.tile(np.arange(segments) * length, utterances)
        file["phoneme_end"] = np.tile((np.arange(segments) + 1) * length, utterances)
        file["phoneme_offset"] = np.arange(utterances + 1, dtype=np.int64) * segments
        file.attrs["phonemes"] = '["", "a", "i"]'


def write_crops(path: Path, status: list[int], seed: int = 0) -> list[NDArray[np.uint8] | None]:
    """Write a crop file with a face in the frames whose status is 1; return the pictures."""
    random = np.random.default_rng(seed)
    pictures: list[NDArray[np.uint8] | None] = []
    with CropWriter(path, {}) as writer:
        for number, face in enumerate(status):
            au = (random.random(12) < 0.4).astype(np.int8)
            pictures.append(picture(random, au) if face else None)
            writer.append(pictures[-1], timestamp=number / 25)
    return pictures


def write_video(
    path: Path,
    samples: NDArray[np.float32] | None,
    *,
    sound_start: float = 0.0,
    frames: int = 50,
    rate: int = RATE,
    codec: str = "pcm_s16le",
    gap: tuple[float, float] | None = None,
) -> None:
    """Write a grey video of 25 Hz; its sound starts at `sound_start`.

    `gap` (time, length) leaves the sound's time stamps out for a while, in seconds.
    """
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        sound = None
        if samples is not None:
            sound = container.add_stream(codec, rate=rate)
            sound.layout = "mono"
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 128, np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound is None or samples is None:
            return
        for first in range(0, len(samples), 1024):
            part = (samples[None, first : first + 1024] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(part, "s16", "mono")
            late = sound_start + (gap[1] if gap and first / rate >= gap[0] else 0.0)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = first + round(late * rate)
            container.mux(sound.encode(frame))
        container.mux(sound.encode())


def entry(name: str, video: str, frames: int, **changes: object) -> Entry:
    """Make an entry of the manifest."""
    known: dict[str, object] = {
        "name": name, "video": video, "video_hash": "0" * 64, "side": "only", "person": name,
        "group": Path(video).stem, "split": "train", "frames": frames, "frame_rate": 25.0,
        "variable_frame_rate": False, "width": 64, "height": 64, "sound": True,
        "sound_start": 0.0, "annotation": None, "annotation_lines": 0, "official_crops": None,
        "warnings": (),
    }  # fmt: skip
    return Entry(**{**known, **changes})  # type: ignore[arg-type]


def write_run_files() -> None:
    """Write data/runs, no store in them, and the networks' sizes, as `inputs` does."""
    from stages.sequence.network_sizes import write_network_sizes  # torch: seconds for a worker

    params = load_params()
    for name, row in all_rows(params).items():
        write_run(resolve_run(params, name, row), params, {})
    write_network_sizes(params)


def write_index(root: Path, entries: list[Entry], times: dict[str, NDArray[np.float64]]) -> None:
    """Write data/index below the current folder, and that there are no masked copies."""
    write_copies(paths.MASKED, [])
    folder = Path("data/index")
    folder.mkdir(parents=True)
    Manifest(root.as_posix(), tuple(entries), {}).save(folder)
    ordered = sorted(entries, key=lambda e: e.name)
    save_frames(
        folder, ((e.name, times[e.name], np.zeros((e.frames, 12), np.int8)) for e in ordered)
    )
