from pathlib import Path

import pytest

from stages.prediction.options import Options
from stages.prediction.predictor import Predictor, load_predictor
from tests.prediction import tiny


@pytest.fixture(scope="session")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small ensemble."""
    return tiny.make_ensemble(tmp_path_factory.mktemp("tiny")).folder


@pytest.fixture(scope="session")
def predictor(ensemble: Path) -> Predictor:
    return load_predictor(ensemble, Options(device="cpu"))
