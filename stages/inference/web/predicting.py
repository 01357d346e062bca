"""The predictor of `aufusion serve`: one video after another, one ensemble, in a worker's process.

The ensemble stays loaded; where it was exported again in the meantime, or other options are wanted,
it is loaded again.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from stages.ensembles.ensemble import load_ensemble
from stages.inference.web.work import Progress

if TYPE_CHECKING:
    from stages.inference.options import Options
    from stages.inference.predictor import Predictor


@lru_cache(maxsize=1)
def _loaded(ensemble: Path, sha256: str, options: Options) -> Predictor:
    from stages.inference.predictor import load_predictor, share_cores

    share_cores()
    return load_predictor(ensemble, options)


def _predictor(ensemble: Path, options: Options) -> Predictor:
    # all that is loaded is named by its hash in the file that this is the hash of
    return _loaded(ensemble, load_ensemble(ensemble).hash, options)


def load_for_uploads(ensemble: Path, options: Options) -> None:
    """Load all that :func:`predict_upload` needs.

    Parameters
    ----------
    ensemble : Path
        Folder of the ensemble.
    options : Options

    Raises
    ------
    DataError
        If the ensemble cannot be read.
    SettingsError
        If the device is not there.
    """
    from stages.inference import predict  # noqa: F401  as predict_upload does

    _predictor(ensemble, options)


def predict_upload(
    ensemble: Path, options: Options, video: Path, out: Path, progress: Progress
) -> None:
    """Predict one video, with the ensemble that is in the folder now.

    Parameters
    ----------
    ensemble : Path
        Folder of the ensemble.
    options : Options
    video : Path
    out : Path
        Folder of the results.
    progress : callable
        Takes frames done, and frames expected.

    Raises
    ------
    DataError
        If the ensemble or the video cannot be read.
    """
    from stages.inference.predict import predict_file

    predictor = _predictor(ensemble, options)

    def told(done: int, total: int | None, rate: float) -> None:
        progress(done, total)

    predict_file(video, predictor, out, options, progress=told)
