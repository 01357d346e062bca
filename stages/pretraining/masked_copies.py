"""Masked copies of faces for pre-training: a rare AU's face once more, its other half black.

References
----------
Y. Deng et al. Multi-modal information fusion for action unit detection in the wild. CVPR
Workshops 2023, section 3.1; the released code masks pictures, to train encoders, and leaves out
30 % of the copies.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
import torch

from stages.core.facs import N_AUS
from stages.crops.half_labels import hide_intensity, hide_labels, worth_copying
from stages.crops.half_masks import HALVES, dividing_lines
from stages.learning.fit import epoch_seed
from stages.learning.metrics import below_average
from stages.pretraining.faces import Faces, Hidden, unknown_targets


def with_masked_copies(
    faces: Faces, hidden_label: Literal["zero", "ignore"], dropped: float, seed: int
) -> Faces:
    """Add masked copies to the faces that are trained on.

    Parameters
    ----------
    faces : Faces
        Of the training part alone: from its labels comes which AUs are rare.
    hidden_label : {"zero", "ignore"}
        Whether a covered AU is not active, or nothing is known of it.
    dropped : float
        Share of the copies that are left out, drawn from the seed.
    seed : int

    Returns
    -------
    Faces
        Those that there were, and behind them for each half a copy of every face on which an AU
        that is rarer than the average is active in the other half. Of a copy the AUs alone are
        known: valence, expression and points are those of a whole face.

    Raises
    ------
    KeyError
        When the targets have no AUs.
    """
    place = faces.columns["au"]
    presence = slice(place.start, place.start + N_AUS)
    strength = slice(presence.stop, place.stop)
    nothing = np.concatenate(
        [unknown_targets(task, at.stop - at.start) for task, at in faces.columns.items()]
    )
    labels = faces.targets[:, presence].numpy().astype(np.int8)
    rare = below_average(labels)
    random = np.random.default_rng(epoch_seed(seed, 0, "masked copies"))
    rows: list[int] = []
    hidden: list[Hidden | None] = [*faces.hidden] or [None] * len(faces)
    added = []
    for half in HALVES:
        found = np.flatnonzero(worth_copying(labels, rare, half))
        found = found[random.random(len(found)) >= dropped]
        targets = torch.from_numpy(np.tile(nothing, (len(found), 1)))
        targets[:, presence] = torch.from_numpy(
            hide_labels(labels[found], half, hidden_label).astype(np.float32)
        )
        if strength.stop > strength.start:
            whole = faces.targets[found][:, strength].numpy()
            targets[:, strength] = torch.from_numpy(hide_intensity(whole, half, hidden_label))
        lines = dividing_lines(faces.landmarks[found])
        rows += found.tolist()
        hidden += [(half, line) for line in lines]
        added.append(targets)
    return replace(
        faces,
        jpegs=[*faces.jpegs, *(faces.jpegs[row] for row in rows)],
        targets=torch.cat([faces.targets, *added]),
        landmarks=np.concatenate([faces.landmarks, faces.landmarks[rows]]),
        hidden=tuple(hidden),
    )
