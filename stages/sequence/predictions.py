"""What a run says of the videos that it was not trained on: ``models/runs/NAME/predictions.h5``.

One group a seed, ``seed0``, and beside it ``seed0_mute`` for the same weights with the sound
withheld; in each one dataset a video, (frames, 12) float32 logits. The file's attribute ``run`` is
JSON: the run as it was resolved, and the number of the network's parameters. No file holds a
prediction of a video that its network was trained on, so whatever reads these files can score,
select and calibrate without a leak.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from stages.core.closing import Closing
from stages.core.errors import DataError
from stages.core.facs import N_AUS
from stages.core.files import sweep, temporary_path

Logits = NDArray[np.float32]
FILE: Final = "predictions.h5"  # in the folder of a run
MUTE = "_mute"  # ends the name of the group whose predictions were made without the sound


@dataclass(frozen=True)
class RunPredictions:
    """The predictions of one run.

    Attributes
    ----------
    name : str
    run : dict
        ``model``, ``visual``, ``audio``, ``masked``, ``split`` and ``parameters``.
    seeds : tuple of dict of str to (frames, 12) float32 np.ndarray
        For each seed the logits by video.
    muted : tuple of dict of str to (frames, 12) float32 np.ndarray
        The same with the sound withheld; empty where the network reads no sound.
    """

    name: str
    run: dict[str, Any]
    seeds: tuple[dict[str, Logits], ...]
    muted: tuple[dict[str, Logits], ...] = ()

    @property
    def videos(self) -> tuple[str, ...]:
        """Names of the videos that the run was not trained on."""
        return tuple(sorted(self.seeds[0]))


class PredictionWriter(Closing):
    """Writes the file of one run, a video at a time, so that no more than one is in memory.

    Parameters
    ----------
    path : Path
        Written under a temporary name and renamed by :meth:`close`; after an error nothing is left.
    run : dict
        See :class:`RunPredictions`.
    """

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, path.name)
        self._path, self._temporary = path, temporary_path(path)
        self._file = h5py.File(self._temporary, "w")
        self._file.attrs["run"] = json.dumps(dict(run), sort_keys=True)

    def write(self, seed: int, videos: Iterable[tuple[str, Logits]], *, mute: bool = False) -> None:
        """Add the logits of some videos; `seed` counts the run's seeds from 0."""
        group = self._file.create_group(f"seed{seed}{MUTE if mute else ''}")
        for name, logits in videos:
            group.create_dataset(name, data=logits.astype(np.float32))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()
        self._temporary.replace(self._path)

    def abandon(self) -> None:
        """Leave an earlier file as it was."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)


def read_predictions(path: Path) -> RunPredictions:
    """Read the file of one run, or of an ensemble.

    Raises
    ------
    DataError
        When the file is missing, damaged, or something else.
    """
    name = path.parent.name if path.name == FILE else path.stem
    try:
        with h5py.File(path, "r") as file:
            run = json.loads(file.attrs["run"])
            groups = {
                key: {video: np.asarray(data[()], np.float32) for video, data in group.items()}
                for key, group in file.items()
            }
        heard = sorted(key for key in groups if not key.endswith(MUTE))
        seeds = tuple(groups[f"seed{i}"] for i in range(len(heard)))
        muted = tuple(group for key, group in sorted(groups.items()) if key.endswith(MUTE))
        shapes = {logits.shape[1:] for group in groups.values() for logits in group.values()}
        if not seeds or shapes - {(N_AUS,)}:
            raise KeyError("no logits of 12 AUs")
    except FileNotFoundError:
        raise DataError(f"{path} is missing: run `dvc repro train@{name}`.") from None
    except (OSError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"{path} holds no predictions ({' '.join(str(error).split())}): "
            f"run `dvc repro -f train@{name}`."
        ) from None
    return RunPredictions(name, run, seeds, muted)
