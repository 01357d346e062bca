"""Score runs and ensemble on validation and test (`dvc repro evaluate`).

In: what the runs `main` and `visual` say (models/runs), the ensemble's figures
(metrics/ensembles.json), labels and faces (data/inputs.h5). Out: metrics/scores.json (mean F1 and
each AU's, base rates, the all-ones baseline, the share of frames without a face; numbers only,
tracked by git).
"""

from typing import Any

import numpy as np

from stages.check_settings import load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.errors import DataError
from stages.core.facs import NOT_ANNOTATED
from stages.core.files import write_json
from stages.reporting import score_table
from stages.reporting.figure_files import main_ensemble, read_json
from stages.reporting.scores import intensity_scores, predicted, score_split
from stages.sequence.dataset import load_videos
from stages.sequence.predictions import FILE, read_predictions

SPLITS = ("validation", "test")
MAIN, WITHOUT_SOUND = "main", "visual"  # the runs that are reported beside the ensemble ...
BASELINE = "frame_head"  # ... and the encoders alone, where that run is there


def main() -> None:
    """Score the runs and the ensemble on every split that has labels."""
    params = load_params()
    label = params.data_label
    main_run = read_predictions(paths.RUN_RESULTS / MAIN / FILE)
    visual = read_predictions(paths.RUN_RESULTS / WITHOUT_SOUND / FILE)
    ensembles = read_json(paths.ENSEMBLE_SCORES).get(label, {})
    exported = main_ensemble(params.ensemble.main, ensembles)
    if exported not in ensembles:
        raise DataError(f"{paths.ENSEMBLE_SCORES} lacks the ensemble: run `dvc repro ensemble`.")
    steps = ensembles[exported]
    frames = (
        read_predictions(path).seeds
        if (path := paths.RUN_RESULTS / BASELINE / FILE).is_file()
        else ()
    )
    scores: dict[str, Any] = {}
    for split in SPLITS:
        videos = load_videos(split)
        if not videos:
            continue
        labels = np.concatenate([video.labels for video in videos])
        if (labels == NOT_ANNOTATED).all():
            say(f"{split}: no labels, not scored")
            continue
        said = {
            "f1": predicted(videos, main_run.seeds),
            "f1_sound_withheld": predicted(videos, main_run.muted),
            "f1_trained_without_sound": predicted(videos, visual.seeds),
            "f1_frame_head": predicted(videos, frames),
        }
        predictions = {row: seeds for row, seeds in said.items() if seeds}
        if "f1" not in predictions:
            raise DataError(
                f"Run {MAIN} says nothing of some {split} videos: is its split official?"
            )
        face = np.concatenate([video.face for video in videos])
        scores[split] = score_split(labels, face, predictions)
        scores[split] |= intensity_scores(videos, predictions)
        for step, row in (("raw", "f1_ensemble"), ("smoothing", "f1_ensemble_calibrated")):
            if split in steps[step]:
                scores[split][row] = steps[step][split]
        if split in steps.get("intensity_icc", {}):
            scores[split]["icc_ensemble"] = steps["intensity_icc"][split]
    if not scores:
        raise DataError("Neither the validation nor the test split has labels: nothing to score.")
    split = next(name for name in reversed(SPLITS) if name in scores)
    write_json(paths.SCORES, {label: scores})
    say(score_table.describe(label, split))
    say(score_table.as_markdown(score_table.table_rows(scores[split])))


if __name__ == "__main__":
    run_stage(main)
