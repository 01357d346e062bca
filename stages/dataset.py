"""The videos of a split with their labels and features, from what the earlier stages wrote."""

from stages import params as settings
from stages import paths
from stages.crops import CropReader
from stages.errors import DataError, SettingsError
from stages.manifest import Manifest, read_labels
from stages.windows import Features, Video, make_video

INPUTS = ("audiovisual", "visual")  # what a network is given: picture and sound, or picture alone


def load_videos(*splits: str) -> list[Video]:
    """Videos of some splits, in the order of their names.

    Parameters
    ----------
    *splits : str
        ``train``, ``validation``, ``test``.

    Returns
    -------
    list of Video

    Raises
    ------
    DataError
        When the crops of a video do not have as many rows as the video has frames.
    """
    videos = []
    for name in Manifest.load(paths.INDEX).names(*splits):
        path = paths.CROPS / f"{name}.h5"
        if not path.exists():  # `crop` said why
            continue
        labels = read_labels(paths.INDEX, name)
        with CropReader(path) as crops:
            face = crops.status.astype(bool)
        if len(face) != len(labels):
            raise DataError(
                f"{path} has {len(face)} rows for {len(labels)} frames: run `dvc repro -f crop`."
            )
        videos.append(make_video(name, labels, face))
    return videos


def open_features(selection: settings.Features, inputs: str) -> Features:
    """Open the stores that a network reads.

    Parameters
    ----------
    selection : settings.Features
        The encoders by name.
    inputs : str
        ``audiovisual``, or ``visual`` for the visual stores alone.

    Returns
    -------
    Features
        To be used as a context manager.

    Raises
    ------
    SettingsError
        When `inputs` is neither.
    """
    if inputs not in INPUTS:
        raise SettingsError(f"inputs = {inputs!r}; allowed: {', '.join(INPUTS)}.")
    audio = selection.audio if inputs == "audiovisual" else ()
    return Features(
        {name: paths.VISUAL_FEATURES / f"{name}.h5" for name in selection.visual},
        {name: paths.AUDIO_FEATURES / f"{name}.h5" for name in audio},
    )


def store_paths(selection: settings.Features) -> list[str]:
    """Paths of all stores of a selection, sorted."""
    visual = [paths.VISUAL_FEATURES / f"{name}.h5" for name in selection.visual]
    audio = [paths.AUDIO_FEATURES / f"{name}.h5" for name in selection.audio]
    return sorted(path.as_posix() for path in (*visual, *audio))
