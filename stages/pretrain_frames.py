"""Add frames of the training videos to the faces for pre-training (`dvc repro pretrain_frames`).

In: data/faces.h5, the manifest and labels (data/index), the face crops (data/crops). Out:
data/faces+train.h5, the faces and every `data.frame_step`-th labelled crop of the videos of the
training split; no frame of a video of another split, nor of a person who is also seen in the
validation or test videos. Only the AUs of these frames are known. Where no encoder learns from
`faces+train`, the file is left empty.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.check_settings import load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.facs import N_AUS, NOT_ANNOTATED
from stages.core.files import replacing
from stages.core.licences import DATA, as_attribute, data_of_file, data_use, enforce, root_data
from stages.crops.crop_file import FACE, CropReader, CropWriter
from stages.crops.face_points import POINTS
from stages.videos.manifest import Entry, Manifest, read_intensities, read_labels

HELD_OUT = ("validation", "test")
LABELS = ("au", "au_intensity", "valence", "arousal", "expression", "person")
WHERE_KNOWN = (POINTS, "expression_votes")  # of frames neither is


def training_entries(entries: Sequence[Entry]) -> list[Entry]:
    """Choose the entries of training videos whose person and video no held-out set shows."""
    kept_out = [entry for entry in entries if entry.split in HELD_OUT]
    people, groups = {e.person for e in kept_out}, {e.group for e in kept_out}
    return [
        entry
        for entry in entries
        if entry.split == "train" and entry.person not in people and entry.group not in groups
    ]


def chosen_rows(
    status: NDArray[np.uint8], labels: NDArray[np.int8], step: int
) -> NDArray[np.int64]:
    """Rows of one video, `step` frames apart, that show a face and have a label."""
    rows = np.arange(0, min(len(status), len(labels)), step)
    known = (labels[rows] != NOT_ANNOTATED).any(1)
    return np.asarray(rows[known & (status[rows] == FACE)], np.int64)


def read_frames(
    entry: Entry, step: int
) -> Iterator[tuple[bytes, NDArray[np.int8], NDArray[np.float32]]]:
    """Yield the chosen crops of one entry as JPEGs, each with its AUs and intensities, (12,)."""
    labels, intensity = (
        read_labels(paths.INDEX, entry.name),
        read_intensities(paths.INDEX, entry.name),
    )
    if intensity is None:
        intensity = np.full(labels.shape, np.nan, np.float32)
    with CropReader(paths.CROPS / f"{entry.name}.h5") as crops:
        for row in chosen_rows(crops.status, labels, step):
            yield crops.encoded(row, row + 1)[0].tobytes(), labels[row], intensity[row]


def copy_faces(writer: CropWriter) -> dict[str, NDArray[np.generic]]:
    """Copy the still faces; return their labels."""
    with CropReader(paths.FACES) as faces:
        for row, crop in enumerate(faces.encoded()):
            score = float(faces.score[row])
            writer.append(crop.tobytes() or None, faces.landmarks[row], faces.box[row], score)
        unknown = np.full(faces.extra("au").shape, np.nan, np.float32)
        labels = {name: faces.extra(name) if faces.has(name) else unknown for name in LABELS}
        return labels | {name: faces.extra(name) for name in WHERE_KNOWN if faces.has(name)}


def write_faces_and_frames(writer: CropWriter, entries: Sequence[Entry], step: int) -> int:
    """Write the faces and the frames of the entries with all labels; the number of frames."""
    stills = copy_faces(writer)
    aus: list[NDArray[np.int8]] = []
    intensities: list[NDArray[np.float32]] = []
    people: list[int] = []
    names = sorted({entry.person for entry in entries})
    first = int(stills["person"].max(initial=-1)) + 1
    for entry in entries:
        if not (paths.CROPS / f"{entry.name}.h5").is_file():
            continue  # `crop` said why one is missing
        for crop, au, intensity in read_frames(entry, step):
            writer.append(crop, score=1.0)
            aus.append(au)
            intensities.append(intensity)
            people.append(first + names.index(entry.person))
    count = len(aus)
    frames = {
        "au": np.array(aus, np.int8).reshape(count, -1) if count else stills["au"][:0],
        "au_intensity": np.array(intensities, np.float32).reshape(-1, N_AUS),
        "valence": np.full(count, np.nan, np.float32),
        "arousal": np.full(count, np.nan, np.float32),
        "expression": np.full(count, -1, np.int8),
        "person": np.array(people, np.int32),
    }
    for name in WHERE_KNOWN:
        if name in stills:
            frames[name] = np.full((count, *stills[name].shape[1:]), np.nan, stills[name].dtype)
    for name in stills:
        writer.add(name, np.concatenate([stills[name], frames[name]]))
    writer.add("of_video", np.arange(len(stills["person"]) + count) >= len(stills["person"]))
    return count


def main() -> None:
    """Write the faces with the frames, where an encoder asks for them."""
    params = load_params()
    asking = [name for name, one in params.pretrain.items() if one.data == "faces+train"]
    path = paths.FACES_AND_TRAIN
    attributes = {}
    if asking:
        manifest = Manifest.load(paths.INDEX)
        videos = root_data(Path(manifest.root), params.data.licence)
        enforce(params.licences.noncommercial, [data_use("data.root", videos)])
        made_of = dict.fromkeys([*data_of_file(paths.FACES), videos])
        attributes = {DATA: as_attribute(list(made_of))}
    with replacing(path) as temporary, CropWriter(temporary, attributes) as writer:
        if asking:
            entries = training_entries(manifest.entries)
            count = write_faces_and_frames(writer, entries, params.data.frame_step)
            say(f"{path}: {count} frames of {len(entries)} training entries for {asking}")
            say(
                f"warning: {', '.join(asking)} will know frames of the training videos: what runs "
                "with a split foldN or mixN that read these encoders score on the train videos "
                "that they hold out is too high, and so is what is fitted on it"
            )
    if not asking:
        say(f"{path}: left empty, no encoder of `pretrain` learns from faces+train")


if __name__ == "__main__":
    run_stage(main)
