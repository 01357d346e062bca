"""Labels, faces and stores of every video brought together; what lacks something is left out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stages.core import paths
from stages.core.console import say
from stages.core.errors import DataError
from stages.core.feature_store import FeatureReader
from stages.crops.crop_file import FACE, CropReader
from stages.crops.half_labels import HiddenLabel, hide_intensity, hide_labels
from stages.crops.masked_clips import Copy, read_copies
from stages.sequence.dataset import Video, make_video
from stages.sequence.features import masked_paths
from stages.sequence.protocol import resolve_choice
from stages.sequence.settings import SequenceSettings
from stages.sequence.splits import group_entries, number_folds
from stages.videos.manifest import Entry, Manifest, read_intensities, read_labels


def join_video(entry: Entry, lengths: dict[str, dict[str, int]]) -> Video:
    """Bring together what is known of one entry of the manifest.

    Parameters
    ----------
    entry : Entry
    lengths : dict of str to dict of str to int
        Rows per video in each store, by the store's path.

    Returns
    -------
    Video

    Raises
    ------
    DataError
        When the crops or the features of the video are missing, or their rows are not its frames.
    """
    name = entry.name
    labels = read_labels(paths.INDEX, name)
    with CropReader(paths.CROPS / f"{name}.h5") as crops:
        face = crops.status == FACE
    rows = {"its crops": len(face), **{path: videos.get(name) for path, videos in lengths.items()}}
    for what, count in rows.items():
        if count != len(labels):
            found = "nothing" if count is None else f"{count} rows"
            raise DataError(f"{name} has {len(labels)} frames, but {found} in {what}.")
    intensity = read_intensities(paths.INDEX, name)
    return make_video(name, labels, face, split=entry.split, intensity=intensity)


def join_copy(
    copy: Copy, source: Video, lengths: dict[str, dict[str, int]], hidden_label: HiddenLabel
) -> Video:
    """Make a training video of a masked copy: its source's frames, labels of the hidden half aside.

    Parameters
    ----------
    copy : Copy
    source : Video
        The training video that it is copied from.
    lengths : dict of str to dict of str to int
        Rows per copy in each store of masked copies, by the store's path.
    hidden_label : {"zero", "ignore"}
        See :func:`stages.crops.half_labels.hide_labels`.

    Returns
    -------
    Video

    Raises
    ------
    DataError
        When a store lacks the copy, or the copy is not part of its source.
    """
    if copy.stop > source.frames:
        raise DataError(f"{copy.name} ends after its source: run `dvc repro mask` again.")
    for path, copies in lengths.items():
        if copies.get(copy.name) != copy.frames:
            found = copies.get(copy.name, 0)
            raise DataError(f"{copy.name} has {copy.frames} frames, but {found} rows in {path}.")
    part = slice(copy.start, copy.stop)
    labels = hide_labels(source.labels[part], copy.half, hidden_label)
    intensity = source.intensity
    if intensity is not None:
        intensity = hide_intensity(intensity[part], copy.half, hidden_label)
    face = source.face[copy.start : copy.stop]
    return make_video(
        copy.name,
        labels,
        face,
        source.name,
        copy.start,
        split=source.split,
        group=source.group,
        intensity=intensity,
    )


def store_lengths(stores: Sequence[Path]) -> dict[str, dict[str, int]]:
    """Rows per video in each of some stores."""
    lengths = {}
    for path in stores:
        with FeatureReader(path) as store:
            lengths[path.as_posix()] = {name: store.frames(name) for name in store.names}
    return lengths


def join_all(params: SequenceSettings, lengths: dict[str, dict[str, int]]) -> list[Video]:
    """Join every entry of the manifest and every masked copy; what lacks something is named.

    Raises
    ------
    DataError
        When nothing is left.
    """
    entries = Manifest.load(paths.INDEX).entries
    groups = group_entries({e.name: (f"video {e.group}", f"person {e.person}") for e in entries})
    videos: list[Video] = []
    for entry in entries:
        try:
            videos.append(replace(join_video(entry, lengths), group=groups[entry.name]))
        except DataError as error:
            say(f"left out: {error}")
    if not videos:
        raise DataError("No video has crops and features: look at what `dvc repro crop` says.")
    splits, rule = params.splits, resolve_choice(params, "folds")
    folds = number_folds(videos, splits.train_folds, splits.validation_folds, rule)
    videos = [replace(video, fold=folds.get(video.name, 0)) for video in videos]
    training = {video.name: video for video in videos if video.split == "train"}
    copies = [copy for copy in read_copies(paths.MASKED) if copy.source in training]
    masked = store_lengths(masked_paths(list(params.visual))) if copies else {}
    for copy in copies:
        try:
            source = training[copy.source]
            videos.append(join_copy(copy, source, masked, params.mask.hidden_label))
        except DataError as error:
            say(f"left out: {error}")
    return videos
