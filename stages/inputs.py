"""Join labels, faces and feature stores into what the networks are given (`dvc repro inputs`).

In: the manifest and labels (data/index), which frames show a face (data/crops), the stores that
`features` names (data/features), the masked copies of training videos (data/masked.h5) and their
stores. Out: data/inputs.h5, with the stores' hashes: a network is trained again when what it reads
has changed, and not otherwise.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from stages import paths
from stages.console import run_stage, say
from stages.copies import Copy, read_copies
from stages.crops import FACE, CropReader
from stages.dataset import (
    Video,
    audio_stores,
    make_video,
    masked_stores,
    visual_stores,
    write_inputs,
)
from stages.errors import DataError
from stages.manifest import Manifest, read_labels
from stages.masking import HiddenLabel, hide_labels
from stages.params import load_params
from stages.provenance import file_hash
from stages.store import FeatureReader


def join_video(name: str, lengths: dict[str, dict[str, int]]) -> Video:
    """Bring together what is known of one entry of the manifest.

    Parameters
    ----------
    name : str
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
    labels = read_labels(paths.INDEX, name)
    with CropReader(paths.CROPS / f"{name}.h5") as crops:
        face = crops.status == FACE
    rows = {"its crops": len(face), **{path: videos.get(name) for path, videos in lengths.items()}}
    for what, count in rows.items():
        if count != len(labels):
            found = "nothing" if count is None else f"{count} rows"
            raise DataError(f"{name} has {len(labels)} frames, but {found} in {what}.")
    return make_video(name, labels, face)


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
        See :func:`stages.masking.hide_labels`.

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
    labels = hide_labels(source.labels[copy.start : copy.stop], copy.half, hidden_label)
    face = source.face[copy.start : copy.stop]
    return make_video(copy.name, labels, face, source=source.name, start=copy.start)


def store_lengths(stores: Sequence[Path]) -> dict[str, dict[str, int]]:
    """Rows per video in each of some stores."""
    lengths = {}
    for path in stores:
        with FeatureReader(path) as store:
            lengths[path.as_posix()] = {name: store.frames(name) for name in store.names}
    return lengths


def main() -> None:
    """Join every entry of the manifest; what lacks something is left out and said so."""
    params = load_params()
    selection = params.features
    lengths = store_lengths([*visual_stores(selection), *audio_stores(selection)])
    videos: list[tuple[str, Video]] = []
    for entry in Manifest.load(paths.INDEX).entries:
        try:
            videos.append((entry.split, join_video(entry.name, lengths)))
        except DataError as error:
            say(f"left out: {error}")
    if not videos:
        raise DataError("No video has crops and features: look at what `dvc repro crop` says.")
    counts = Counter(split for split, _ in videos)
    training = {video.name: video for split, video in videos if split == "train"}
    copies = [copy for copy in read_copies(paths.MASKED) if copy.source in training]
    masked = store_lengths(masked_stores(selection)) if copies else {}
    for copy in copies:
        try:
            made = join_copy(copy, training[copy.source], masked, params.mask.hidden_label)
            videos.append(("train", made))
            counts["masked copies of train"] += 1
        except DataError as error:
            say(f"left out: {error}")
    hashes = {path: file_hash(Path(path)) for path in (*lengths, *masked)}
    write_inputs(paths.INPUTS, videos, hashes)
    say("inputs: " + ", ".join(f"{count} {split}" for split, count in sorted(counts.items())))


if __name__ == "__main__":
    run_stage(main)
