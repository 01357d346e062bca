"""A person's own rest, subtracted from what is predicted of them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.special import expit, logit

from stages.core.errors import DataError, SettingsError
from stages.core.facs import AU_NAMES
from stages.core.intensity import intensity_of
from stages.inference.comparison.compare import compare_files
from stages.inference.evaluation.predictions import our_track
from stages.inference.evaluation.run import evaluate
from stages.inference.folder import predict_all
from stages.inference.formats.convert import convert_all
from stages.inference.options import Options
from stages.inference.predictor import Predictor
from stages.inference.task import Extras
from tests.inference import tiny, tracks
from tests.inference.test_folder import clip, loaded

__all__ = ["loaded"]  # a fixture

FRAMES, REST = 100, 50  # the first two seconds
TIMES = np.arange(FRAMES) / 25
HALF = [0.5] * 12


def predicted(folder: Path, thresholds: list[float] | None = HALF) -> tuple[Path, np.ndarray]:
    """AU04 rests at a probability of 0.6, AU12 at 0.01; both are strong later."""
    random = np.random.default_rng(0)
    z = np.full((FRAMES, 12), -5.0)
    z[:, 2] = logit(0.6) + random.normal(0, 0.2, FRAMES)
    z[:, 6] = logit(0.01)
    z[REST:, 2] += 4.0
    z[REST:, 6] += 8.0
    strength = np.round(expit(z), 6)
    path = tracks.ours(folder, TIMES, strength)
    about = {"kind": "aufusion prediction", "source": {}, "ensemble": {}, "options": {}}
    if thresholds is not None:
        about["calibration"] = {"thresholds": thresholds}
    path.with_suffix(".json").write_text(json.dumps(about))
    return path, strength


def test_rest_is_subtracted_and_presence_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, strength = predicted(tmp_path)
    convert_all([path], ["table", "summary"], None, baseline=2.0)
    said = capsys.readouterr().out
    assert "the resting face of the first 2 seconds was subtracted" in said
    rest = np.median(logit(strength[:REST, 2]))
    assert f"face 1: AU04 {(rest + 3.5) / 2:.1f}" in said
    assert "AU12" not in said, "what rests at an intensity of 0 stays"
    table = pd.read_csv(tmp_path / "clip.baseline.table.csv")
    wanted = expit(logit(strength[:, 2]) - rest - 3.5)
    np.testing.assert_allclose(table["AU04"], wanted, atol=2e-6)
    np.testing.assert_allclose(table["AU04_r"], intensity_of(wanted), atol=2e-3)
    np.testing.assert_allclose(table["AU12"], strength[:, 6], atol=1e-6)
    assert table["AU04_c"][:REST].sum() == 0
    assert (strength[:REST, 2] >= 0.5).mean() > 0.9, "it was present before"
    assert (table["AU04_c"][REST:] == 1).mean() > 0.5
    for name in AU_NAMES:
        assert ((table[f"{name}_r"] >= 1.75) == (table[f"{name}_c"] == 1)).all()
    record = json.loads((tmp_path / "clip.baseline.formats.json").read_text())
    assert record["baseline"]["seconds"] == 2.0
    subtracted = record["baseline"]["intensities"]["1"]["AU04"]
    assert subtracted == pytest.approx((rest + 3.5) / 2, abs=1e-2)
    convert_all([path], ["summary"], None)
    plain = pd.read_csv(tmp_path / "clip.summary.csv").set_index("au")
    rested = pd.read_csv(tmp_path / "clip.baseline.summary.csv").set_index("au")
    assert plain.loc["AU04", "share_present"] > 0.9
    assert rested.loc["AU04", "share_present"] < 0.55


def test_another_length_of_rest_replaces_the_first(tmp_path: Path) -> None:
    path, _ = predicted(tmp_path)
    convert_all([path], ["table", "summary"], None, baseline=2.0)
    first = (tmp_path / "clip.baseline.table.csv").read_bytes()
    convert_all([path], ["table"], None, baseline=1.0)
    assert (tmp_path / "clip.baseline.table.csv").read_bytes() != first
    assert not (tmp_path / "clip.baseline.summary.csv").exists()


def test_compare_subtracts_it_too_and_says_so(tmp_path: Path) -> None:
    path, strength = predicted(tmp_path)
    theirs = tracks.openface(tmp_path / "of.csv", TIMES, strength)
    said = compare_files(path, theirs, tmp_path / "out", baseline=2.0)
    assert "was subtracted (intensities: face 1: AU04 2.0" in said
    row = next(line for line in said.splitlines() if line.startswith("| AU04"))
    before = next(
        line for line in compare_files(path, theirs).splitlines() if line.startswith("| AU04")
    )
    assert row != before
    about = json.loads((tmp_path / "out/clip_openface.json").read_text())
    assert about["baseline"]["seconds"] == 2.0


def test_evaluate_subtracts_it_of_our_own_predictions(tmp_path: Path) -> None:
    path, _ = predicted(tmp_path)
    plain = our_track(path.with_suffix(".parquet"))
    rested = our_track(path.with_suffix(".parquet"), baseline=2.0)
    assert plain.decision["AU04"][:REST].mean() > 0.9
    assert not rested.decision["AU04"][:REST].any()
    assert (rested.decision["AU12"] == plain.decision["AU12"]).all()
    with pytest.raises(SettingsError, match="--baseline is for our own predictions"):
        evaluate(tmp_path, tmp_path / "e", ensemble=tmp_path, predictions=tmp_path, baseline=1.0)


def test_what_cannot_be_subtracted_is_said(tmp_path: Path) -> None:
    path, _ = predicted(tmp_path)
    with pytest.raises(SettingsError, match="--baseline is -1; allowed: a number of seconds above"):
        convert_all([path], ["table"], None, baseline=-1.0)
    with pytest.raises(
        DataError, match=r"seen in fewer than 3 frames of their first 0\.05 seconds"
    ):
        convert_all([path], ["table"], None, baseline=0.05)
    path, _ = predicted(tmp_path, thresholds=None)
    with pytest.raises(DataError, match="tells no thresholds"):
        convert_all([path], ["table"], None, baseline=2.0)


def test_predict_writes_it_beside_and_says_what_was_subtracted(
    loaded: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video, photo = clip(tmp_path / "in/a.mp4", frames=30), tmp_path / "in/b.png"
    Image.fromarray(tiny.moving(1)[0]).save(photo)
    out, options = tmp_path / "out", Options(device="cpu")
    extras = Extras(baseline=0.4)
    done = predict_all([tmp_path / "in"], tmp_path, out, options, extras=extras)
    assert not done.failed
    said = capsys.readouterr().out
    assert "a: the resting face of the first 0.4 seconds was subtracted" in said
    assert "no baseline: a photo has no first seconds" in said
    assert not list(out.glob("b.baseline*"))
    plain = pd.read_csv(out / "a.csv")
    rested = pd.read_csv(out / "a.baseline.table.csv")
    assert len(plain) == len(rested) == 30
    assert (rested["AU12"].to_numpy() <= plain["AU12"].to_numpy() + 1e-6).all()
    before = (out / "a.csv").read_bytes()
    few = Extras(baseline=0.01, formats=("events",))
    again = predict_all([video], tmp_path, out, options, extras=few)
    assert not again.failed
    assert "no baseline: Person 1 of a is seen in fewer than 3 frames" in capsys.readouterr().out
    assert (out / "a.csv").read_bytes() == before
