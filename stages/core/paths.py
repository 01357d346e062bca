"""Where the stages' artefacts lie, relative to the repository root; ``dvc.yaml`` names the same."""

from pathlib import Path
from typing import Final

CORPUS: Final = Path("data/corpus")
CORPUS_VIDEOS: Final = CORPUS / "videos"  # the generated data root
CORPUS_FACES: Final = CORPUS / "faces.h5"
CORPUS_SPEECH: Final = CORPUS / "speech.h5"
INDEX: Final = Path("data/index")
CROPS: Final = Path("data/crops")
MASKED: Final = Path("data/masked.h5")
FACES: Final = Path("data/faces.h5")  # labelled faces for pre-training
FACES_LEFT_OUT: Final = Path("data/faces_left_out.txt")
FACES_AND_TRAIN: Final = Path("data/faces+train.h5")  # the same with frames of training videos
VISUAL_FEATURES: Final = Path("data/features/visual")
MASKED_FEATURES: Final = Path("data/features/masked")  # visual features of the masked copies
AUDIO_FEATURES: Final = Path("data/features/audio")
INPUTS: Final = Path("data/inputs.h5")
RUNS: Final = Path("data/runs")  # each run as it was resolved
NETWORK_SIZES: Final = Path("data/network_sizes.json")
ENSEMBLE_PREDICTIONS: Final = Path("data/ensembles")
SUBMISSION: Final = Path("data/submission.txt")  # for the ABAW challenge
TABLE_ENSEMBLES: Final = Path("data/tables/ensembles")
ENCODERS: Final = Path("models/encoders")
RUN_RESULTS: Final = Path("models/runs")  # a folder a run: networks, learning curves, predictions
TABLE_RUN_RESULTS: Final = Path("models/tables")  # the same of the runs of `make tables`
ENSEMBLE: Final = Path("models/ensemble")
# what is shipped: models/pretrained in the repository, a folder of the package once installed
PRETRAINED: Final = Path(__file__).resolve().parent.parent / "pretrained"
PRETRAIN_SCORES: Final = Path("metrics/pretrain")
SPEED: Final = Path("metrics/speed.json")  # written by `make bench`, tracked by git
SINGLE_SCORES: Final = Path("metrics/encoders.json")
SINGLE_REPORT: Final = Path("metrics/encoders")
MASK_REPORT: Final = Path("metrics/mask")
REPORT: Final = Path("metrics/report")  # figures and plot data of the page ...
PAGE: Final = Path("metrics/report.html")  # ... that opens offline
TABLES: Final = Path("metrics/tables.json")  # the paper's tables with our figures
TABLES_MARKDOWN: Final = Path("metrics/tables.md")
ALL_TABLES: Final = Path("metrics/tables")  # the same of `make tables`
ENSEMBLE_SCORES: Final = Path("metrics/ensembles.json")
TABLE_ENSEMBLE_SCORES: Final = Path("metrics/tables/ensembles.json")
SCORES: Final = Path("metrics/scores.json")
LICENCES: Final = Path("metrics/licences.md")


def default_ensemble() -> Path:
    """Return the folder of the ensemble that is shipped; without one, of that made here."""
    return PRETRAINED if (PRETRAINED / "ensemble.json").is_file() else ENSEMBLE
