"""The predictor of `aufusion serve`: one video, one ensemble, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stages.inference.web.work import Progress

if TYPE_CHECKING:
    from stages.inference.options import Options


def predict_upload(
    ensemble: Path, options: Options, video: Path, out: Path, progress: Progress
) -> None:
    """Load an ensemble and predict one video.

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
    from stages.inference.predictor import load_predictor, share_cores

    share_cores()
    predictor = load_predictor(ensemble, options)

    def told(done: int, total: int | None, rate: float) -> None:
        progress(done, total)

    predict_file(video, predictor, out, options, progress=told)
