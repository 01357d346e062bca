"""What the members of an ensemble say, joined."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AU_NAMES
from stages.ensembles.ensemble import combine
from stages.ensembles.members import Chosen
from stages.sequence.predictions import PredictionWriter, RunPredictions

Probabilities = dict[str, NDArray[np.float32]]


def join(chosen: Sequence[Chosen], runs: Mapping[str, RunPredictions], rule: Any) -> Probabilities:
    """Probabilities of every video that some member was not trained on for each AU.

    Every network of a run, one a seed, has its say.

    Parameters
    ----------
    chosen : sequence of Chosen
    runs : mapping of str to RunPredictions
    rule : {"mean", "vote"}

    Returns
    -------
    dict of str to (frames, 12) np.ndarray
        By video.
    """
    found: Probabilities = {}
    for video in sorted({name for member in chosen for name in runs[member.run].videos}):
        columns = []
        for au in AU_NAMES:
            said = [
                seed[video][:, AU_NAMES.index(au)]
                for member in chosen
                if au in member.aus
                for seed in runs[member.run].seeds
                if video in seed
            ]
            if not said:
                break
            columns.append(combine(np.stack(said), rule))
        else:
            found[video] = np.stack(columns, axis=1)
    return found


def write_predictions(
    path: Path, chosen: Sequence[Chosen], found: Probabilities, rule: str
) -> None:
    """Write an ensemble's probabilities as the logits of a run."""
    about = {
        "name": path.stem,
        "members": [member.run for member in chosen],
        "aus": {member.run: list(member.aus) for member in chosen},
        "rule": rule,
    }
    safe = {
        video: np.clip(rows.astype(np.float64), 1e-6, 1 - 1e-6) for video, rows in found.items()
    }
    with PredictionWriter(path, about) as writer:
        writer.write(0, ((video, np.log(rows / (1 - rows))) for video, rows in safe.items()))
