"""What is labelled in a folder: photos and videos with their labels."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.inference.evaluation.samples import File


@dataclass(frozen=True)
class Labelled:
    """A photo or video and its labels.

    Attributes
    ----------
    path : Path
    file : File
    frame : (rows,) int64 np.ndarray or None
        Numbers of the labelled frames from 1; None where the one row holds for all.
    labels : (rows, 12) int8 np.ndarray
        1, 0 or -1.
    intensity : (rows, 12) float32 np.ndarray
        0 to 5; NaN where unknown.
    side : {"", "left", "right"}
        Of two people, which.
    """

    path: Path
    file: File
    frame: NDArray[np.int64] | None
    labels: NDArray[np.int8]
    intensity: NDArray[np.float32]
    side: str = ""


@dataclass
class Found:
    """All that is labelled in a folder.

    Attributes
    ----------
    items : list of Labelled
    left_out : dict of str to str
        Why something is not evaluated, a sentence each.
    notes : list of str
        What is to be known of the labels.
    """

    items: list[Labelled] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
