from pathlib import Path

import pytest

from stages.inference.options import Options
from stages.inference.predictor import Predictor, load_predictor
from tests.inference import tiny


@pytest.fixture(scope="session")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small ensemble."""
    return tiny.make_ensemble(tmp_path_factory.mktemp("tiny")).folder


@pytest.fixture(scope="session")
def predictor(ensemble: Path) -> Predictor:
    return load_predictor(ensemble, Options(device="cpu"))
