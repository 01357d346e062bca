from pathlib import Path

import pytest

from tests.inference import tiny


@pytest.fixture(scope="session")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small ensemble."""
    return tiny.make_ensemble(tmp_path_factory.mktemp("tiny")).folder
