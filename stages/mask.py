"""Choose the masked copies that balance the training set (`dvc repro mask`).

In: the manifest and labels (data/index), which frames show a face and where (data/crops). Out:
data/masked.h5, the list of copies (layout: stages/crops/masked_clips.py), and metrics/mask with
counts.csv (labels before and after), counts.png and faces.png.

Only training videos are looked at. A stretch is copied where an AU that is rarer than the average
is active in the half that stays visible. So that the encoders' time is bounded, no more frames are
copied than `mask.share` allows, those stretches first that add most to the rare AUs.
"""

from collections.abc import Sequence

import numpy as np

from stages.check_settings import load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.facs import AU_NAMES
from stages.core.files import write_rows
from stages.crops.masked_clips import Copy, write_copies
from stages.learning.metrics import below_average
from stages.reporting import mask_plots
from stages.sequence.balancing import balanced_aus
from stages.sequence.masked_copies import count_labels, crops_of, find_copies, within_budget
from stages.sequence.protocol import resolve_choice
from stages.videos.manifest import Manifest, read_labels


def write_report(counts: list[list[str | int | float]], copies: Sequence[Copy]) -> None:
    """Write counts and figures to metrics/mask; without copies the counts alone."""
    paths.MASK_REPORT.mkdir(parents=True, exist_ok=True)
    write_rows(paths.MASK_REPORT / "counts.csv", counts)
    if not copies:
        return
    rows = np.array([[float(row[4]), float(row[7])] for row in counts[1:]])
    mask_plots.count_bars(paths.MASK_REPORT / "counts.png", rows[:, 0], rows[:, 1])
    faces = mask_plots.faces_at_rolls({copy.source: crops_of(copy.source) for copy in copies})
    mask_plots.face_grid(paths.MASK_REPORT / "faces.png", faces)


def main() -> None:
    """List the copies of all training videos that have crops."""
    params = load_params()
    settings, rule = params.mask, resolve_choice(params, "balanced_aus")
    names = [
        entry.name
        for entry in Manifest.load(paths.INDEX).entries
        if entry.split == "train" and crops_of(entry.name).is_file()
    ]
    labels = {name: read_labels(paths.INDEX, name) for name in names}
    everything = np.concatenate([np.empty((0, len(AU_NAMES)), np.int8), *labels.values()])
    rare = balanced_aus(everything, rule)
    found = find_copies(labels, rare, settings) if settings.enabled else []
    copies = within_budget(found, labels, rare, int(settings.share * len(everything)))
    write_copies(paths.MASKED, copies)
    if not settings.enabled:
        say("mask: switched off (mask.enabled), no copies")
    else:
        say(
            f"mask: balanced are {', '.join(np.array(AU_NAMES)[rare]) or 'none'}; "
            f"{len(copies)} of {len(found)} stretches copied, "
            f"{sum(copy.frames for copy in copies)} frames for {len(everything)} of training"
        )
    if labels:
        write_report(
            count_labels(labels, copies, below_average(everything), settings.hidden_label), copies
        )
    else:
        paths.MASK_REPORT.mkdir(parents=True, exist_ok=True)


if __name__ == "__main__":
    run_stage(main)
