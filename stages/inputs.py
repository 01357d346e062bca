"""Join labels, faces and feature stores into what the networks are given (`dvc repro inputs`).

In: the manifest and labels (data/index), which frames show a face (data/crops), the stores that
`features` names (data/features). Out: data/inputs.h5, with the stores' hashes: a network is
trained again when what it reads has changed, and not otherwise.
"""

from collections import Counter
from pathlib import Path

from stages import paths
from stages.console import run_stage, say
from stages.crops import FACE, CropReader
from stages.dataset import Video, audio_stores, make_video, visual_stores, write_inputs
from stages.errors import DataError
from stages.manifest import Manifest, read_labels
from stages.params import Features, load_params
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


def store_lengths(selection: Features) -> dict[str, dict[str, int]]:
    """Rows per video in each store of a selection."""
    lengths = {}
    for path in (*visual_stores(selection), *audio_stores(selection)):
        with FeatureReader(path) as store:
            lengths[path.as_posix()] = {name: store.frames(name) for name in store.names}
    return lengths


def main() -> None:
    """Join every entry of the manifest; what lacks something is left out and said so."""
    selection = load_params().features
    lengths = store_lengths(selection)
    videos: list[tuple[str, Video]] = []
    for entry in Manifest.load(paths.INDEX).entries:
        try:
            videos.append((entry.split, join_video(entry.name, lengths)))
        except DataError as error:
            say(f"left out: {error}")
    if not videos:
        raise DataError("No video has crops and features: look at what `dvc repro crop` says.")
    write_inputs(paths.INPUTS, videos, {path: file_hash(Path(path)) for path in lengths})
    counts = Counter(split for split, _ in videos)
    say("inputs: " + ", ".join(f"{count} {split}" for split, count in sorted(counts.items())))


if __name__ == "__main__":
    run_stage(main)
