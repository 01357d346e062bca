"""Where an encoder's weights come from: the setting `weights` of `visual` and `audio`."""

from pathlib import Path

from stages import paths
from stages.errors import DataError

ALLOWED = "pretrain (made by the stage `pretrain`), file:PATH (a .safetensors file)"


def check_weights(setting: str) -> str:
    """Return a ``weights`` setting if it is one; else ValueError names what is allowed."""
    kind, _, place = setting.partition(":")
    if setting != "pretrain" and (kind != "file" or not place):
        raise ValueError(f"allowed are {ALLOWED}")
    return setting


def weights_path(encoder: str, setting: str | None) -> Path | None:
    """Find the file that a ``weights`` setting means.

    Parameters
    ----------
    encoder : str
        Name of the encoder.
    setting : str or None
        ``pretrain`` or ``file:PATH``; None for an encoder without weights.

    Returns
    -------
    Path or None

    Raises
    ------
    DataError
        When there is no such file.
    """
    if setting is None:
        return None
    if check_weights(setting) == "pretrain":
        path = paths.ENCODERS / f"{encoder}.safetensors"
        if not path.is_file():
            raise DataError(f"{path} is missing: run `dvc repro pretrain@{encoder}` first.")
        return path
    path = Path(setting.removeprefix("file:")).expanduser()
    if not path.is_file():
        raise DataError(f"{path}, the weights of {encoder}, is missing: check the setting.")
    return path
