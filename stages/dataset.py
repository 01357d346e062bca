"""What the networks are given: videos with labels, and the feature stores joined to them.

`data/inputs.h5` (stage `inputs`) holds one group per video with ``labels`` (frames, 12), ``face``
(frames,) and the attribute ``split``; the file's attribute ``stores`` is the JSON of each store's
path and SHA-256.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from stages import params as settings
from stages import paths
from stages.errors import DataError, SettingsError
from stages.windows import Features, Video, make_video

MODALITIES = ("audiovisual", "visual")  # picture and sound, or picture alone


def visual_stores(selection: settings.Features) -> list[Path]:
    """Paths of the visual stores of a selection."""
    return [paths.VISUAL_FEATURES / f"{name}.h5" for name in selection.visual]


def audio_stores(selection: settings.Features) -> list[Path]:
    """Paths of the audio stores of a selection."""
    return [paths.AUDIO_FEATURES / f"{name}.h5" for name in selection.audio]


def write_inputs(path: Path, videos: Iterable[tuple[str, Video]], stores: dict[str, str]) -> None:
    """Write ``inputs.h5``.

    Parameters
    ----------
    path : Path
        Written under a temporary name and renamed.
    videos : iterable of (str, Video)
        Split and video.
    stores : dict of str to str
        SHA-256 by path.
    """
    temporary = path.with_name(f".{path.name}")
    with h5py.File(temporary, "w") as file:
        file.attrs["stores"] = json.dumps(stores, sort_keys=True)
        for split, video in videos:
            group = file.create_group(video.name)
            group.attrs["split"] = split
            group.create_dataset("labels", data=video.labels)
            group.create_dataset("face", data=video.face)
    temporary.replace(path)


def load_videos(*splits: str, path: Path = paths.INPUTS) -> list[Video]:
    """Videos of some splits, in the order of their names.

    Parameters
    ----------
    *splits : str
        ``train``, ``validation``, ``test``.
    path : Path
        ``inputs.h5``.

    Returns
    -------
    list of Video

    Raises
    ------
    DataError
        When the file is missing.
    """
    try:
        with h5py.File(path, "r") as file:
            return [
                make_video(name, group["labels"][()], np.asarray(group["face"][()], bool))
                for name, group in sorted(file.items())
                if group.attrs["split"] in splits
            ]
    except OSError:
        raise DataError(f"{path} is missing or damaged: run `dvc repro inputs`.") from None


def open_features(selection: settings.Features, modalities: str) -> Features:
    """Open the stores that a network reads.

    Parameters
    ----------
    selection : settings.Features
        The encoders by name.
    modalities : str
        ``audiovisual``, or ``visual`` for the visual stores alone.

    Returns
    -------
    Features
        To be used as a context manager.

    Raises
    ------
    SettingsError
        When `modalities` is neither.
    """
    if modalities not in MODALITIES:
        raise SettingsError(f"{modalities!r} is no input; allowed: {', '.join(MODALITIES)}.")
    return Features(
        visual_stores(selection),
        audio_stores(selection) if modalities == "audiovisual" else [],
    )
