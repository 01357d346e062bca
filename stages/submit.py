"""Write the ABAW challenge's file for the test videos (`dvc repro submit`).

In: what the exported ensemble says of the test videos (data/ensembles), its calibration
(models/ensemble), names and frames of the test videos (data/index). Out: data/submission.txt, a
row for every frame, with or without labels and faces; it is checked as `check_submission` would.
Where the data root has no test videos the file holds its first line alone.
"""

from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.files import write_text
from stages.ensembles.ensemble import load_ensemble, sigmoid
from stages.sequence.predictions import read_predictions
from stages.videos.manifest import Manifest
from stages.videos.submission import HEADER, check_submission, frames_of_test, write_submission


def main() -> None:
    """Decide on every frame of the test videos and write the file."""
    frames = frames_of_test(Manifest.load(paths.INDEX))
    if not frames:
        write_text(paths.SUBMISSION, f"{HEADER}\n")
        say("The data root has no test videos: the submission is empty.")
        return
    ensemble = load_ensemble(paths.ENSEMBLE)
    said = read_predictions(paths.ENSEMBLE_PREDICTIONS / f"{ensemble.name}.h5").seeds[0]
    calibration = ensemble.calibration
    decisions = {
        name: calibration.decide(calibration.smooth(sigmoid(said[name])))
        for name in frames
        if name in said
    }
    for name in write_submission(paths.SUBMISSION, decisions, frames):
        say(f"{name} has no predictions: all of its frames are written as 0")
    rows = check_submission(paths.SUBMISSION, frames)
    say(f"{paths.SUBMISSION}: {rows} rows, every frame of {len(frames)} test videos")


if __name__ == "__main__":
    run_stage(main)
