"""Stage `audio`: main() on tiny videos; sound at a known time is found in the right frame."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from stages import audio
from stages.core.errors import SettingsError
from stages.core.feature_store import FeatureReader
from stages.encoders.loading import load_encoding
from stages.encoders.registry import audio_encoder
from stages.encoders.weights import save_weights
from tests import stand_ins

FRAMES = 50
CLICK = 0.52  # seconds after the sound starts
STARTS = {"prompt": 0.0, "late": 0.72}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    stand_ins.settings(tmp_path)
    root = tmp_path / "videos"
    root.mkdir()
    rate = 48_000
    samples = np.zeros(round(1.0 * rate), np.float32)
    samples[round(CLICK * rate) :][:96] = 0.8
    for name, start in STARTS.items():
        stand_ins.write_video(root / f"{name}.mov", samples, sound_start=start, rate=rate)
    stand_ins.write_video(root / "silent.mp4", None)
    (root / "broken.mp4").write_text("no video")
    entries = [
        stand_ins.entry("prompt", "prompt.mov", FRAMES),
        stand_ins.entry("prompt_left", "prompt.mov", FRAMES, side="left"),
        stand_ins.entry("late", "late.mov", FRAMES),
        stand_ins.entry("silent", "silent.mp4", FRAMES, sound=False),
        stand_ins.entry("broken", "broken.mp4", FRAMES),
    ]
    times = {e.name: np.arange(e.frames) / 25 for e in entries}
    stand_ins.write_index(root, entries, times)
    torch.manual_seed(0)
    for name in ("wav2vec", "hubert", "ecapatdnn"):
        encoder = audio_encoder(name)
        network = encoder.build(encoder.scales["small"])
        path = Path(f"models/encoders/{name}.safetensors")
        save_weights(path, encoder, "small", "phoneme", network.state_dict(), {})
    load_encoding.cache_clear()
    return tmp_path


def run(encoder: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.argv", ["audio", encoder])
    audio.main()
    return Path(f"data/features/audio/{encoder}")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("name", "start"), STARTS.items())
def test_a_click_is_found_in_the_frame_that_is_shown_with_it(
    name: str, start: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FeatureReader(run("fbank", monkeypatch)) as store:
        rows = store.read(name).astype(np.float32)
    times = np.arange(FRAMES) / 25
    # a frame hears the 25 ms around it (give or take half a hop of 10 ms)
    loud = np.nan_to_num(rows, nan=-99).max(1) > np.nanmedian(rows) + 5
    distance = np.abs(times - (start + CLICK + 0.001))
    assert not loud[distance > 0.0125 + 0.005 + 0.002].any()
    assert loud[distance < 0.0125 - 0.005 - 0.002].all()
    assert loud.any()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("encoder", ["fbank", "wav2vec", "hubert", "ecapatdnn"])
def test_frames_without_sound_are_nan(encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hop = audio_encoder(encoder).hop / 16_000
    times = np.arange(FRAMES) / 25
    with FeatureReader(run(encoder, monkeypatch)) as store:
        assert store.names == ("late", "prompt", "prompt_left", "silent")
        for name, start in STARTS.items():
            rows = store.read(name)
            assert rows.shape == (FRAMES, store.width)
            heard = (times >= start - 2 * hop) & (times <= start + 1.0 + 2 * hop)
            np.testing.assert_array_equal(~np.isnan(rows).any(1), heard)
            np.testing.assert_array_equal(np.isnan(rows).all(1), ~heard)
        assert np.isnan(store.read("silent")).all()


@pytest.mark.usefixtures("project")
def test_two_faces_of_one_video_share_their_sound(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run("fbank", monkeypatch)
    with FeatureReader(path) as store:
        np.testing.assert_array_equal(store.read("prompt"), store.read("prompt_left"))
    assert sorted(one.stem for one in (path / "videos").iterdir()) == ["late", "prompt", "silent"]
    printed = capsys.readouterr().out
    assert f"{4 * FRAMES} frames of 4 entries; 1 failed" in printed
    assert "broken: " in printed
    assert "cannot be opened" in printed


@pytest.mark.usefixtures("project")
def test_the_same_input_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    path = run("wav2vec", monkeypatch)
    first = stand_ins.contents(path)
    shutil.rmtree(path)
    shutil.rmtree(".partial")
    assert stand_ins.contents(run("wav2vec", monkeypatch)) == first
    with FeatureReader(path) as store:
        assert len(store.attributes["weights_hash"]) == 64
        assert store.attributes["encoder"] == "wav2vec"


@pytest.mark.usefixtures("project")
def test_an_unknown_encoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="allowed: ecapatdnn, fbank, hubert, wav2vec"):
        run("mfcc", monkeypatch)


@pytest.mark.usefixtures("project")
def test_an_earlier_layer_is_another_feature_and_is_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = run("hubert", monkeypatch)
    before = stand_ins.contents(path)
    with FeatureReader(path) as store:
        last = store.read("prompt")
        assert "layer" not in json.loads(store.attributes["settings"])
    stand_ins.settings(Path.cwd(), audio__hubert__layer=1)
    with FeatureReader(run("hubert", monkeypatch)) as store:
        first = store.read("prompt")
        assert json.loads(store.attributes["settings"])["layer"] == 1
    assert not np.allclose(first, last, equal_nan=True)
    np.testing.assert_array_equal(np.isnan(first), np.isnan(last))
    stand_ins.settings(Path.cwd(), audio__hubert__layer="last")
    assert stand_ins.contents(run("hubert", monkeypatch)) == before


@pytest.mark.usefixtures("project")
def test_a_layer_that_is_not_there_is_refused_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_ins.settings(Path.cwd(), audio__hubert__layer=3, audio__ecapatdnn__layer=1)
    with pytest.raises(SettingsError, match=r"audio.hubert.layer is 3, .* allowed: last, 1 ... 2"):
        run("hubert", monkeypatch)
    with pytest.raises(SettingsError, match="ecapatdnn has no layers to choose"):
        run("ecapatdnn", monkeypatch)
    assert not Path("data/features").exists()
