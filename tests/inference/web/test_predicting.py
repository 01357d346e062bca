"""What the worker of `aufusion serve` keeps loaded, and when it loads again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from stages.core.errors import DataError
from stages.inference import predictor as predictor_module
from stages.inference.options import Options
from stages.inference.predict import predict_file
from stages.inference.predictor import Predictor, load_predictor
from stages.inference.web.predicting import load_for_uploads, predict_upload
from stages.synthesis.video_file import write_video
from tests.inference import tiny

CPU = Options(device="cpu")


@pytest.fixture
def copied(ensemble: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ensemble, tmp_path / "ensemble"))


@pytest.fixture
def loadings(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """The options of each time that an ensemble was loaded."""
    made: list[Options] = []

    def counting(folder: Path, options: Options) -> Predictor:
        made.append(options)
        return load_predictor(folder, options)

    monkeypatch.setattr(predictor_module, "load_predictor", counting)
    return made


def predict(ensemble: Path, options: Options, video: Path, out: Path) -> bytes:
    predict_upload(ensemble, options, video, out, lambda done, total: None)
    return (out / f"{video.stem}.csv").read_bytes()


def test_an_ensemble_is_loaded_once_until_it_or_the_options_change(
    copied: Path, predictor: Predictor, loadings: list[Options], tmp_path: Path
) -> None:
    video = tmp_path / "video.mp4"
    pictures = tiny.moving(20)
    write_video(video, pictures, np.arange(20) / 25, crf=22, sound=tiny.speech(1))
    load_for_uploads(copied, CPU)
    assert loadings == [CPU]
    predict_file(video, predictor, tmp_path / "alone")
    expected = (tmp_path / "alone" / "video.csv").read_bytes()
    for name in ("first", "second"):
        assert predict(copied, CPU, video, tmp_path / name) == expected
    assert loadings == [CPU]
    everyone = Options(device="cpu", faces="all")
    predict(copied, everyone, video, tmp_path / "all")
    assert loadings == [CPU, everyone]

    record = copied / "ensemble.json"
    about = json.loads(record.read_text())
    about["calibration"]["thresholds"] = [0.0] * 12
    record.write_text(json.dumps(about))
    changed = predict(copied, everyone, video, tmp_path / "changed")
    assert loadings == [CPU, everyone, everyone]
    assert changed != (tmp_path / "all" / "video.csv").read_bytes()
    (copied / "members").rename(tmp_path / "gone")
    with pytest.raises(DataError, match="is missing"):
        predict(copied, everyone, video, tmp_path / "broken")
