"""Stage `visual`: main() on tiny crops, rows without a face, resume, one store."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from stages import visual
from stages.core.errors import SettingsError
from stages.core.feature_store import FeatureReader
from stages.crops.crop_file import CropReader
from stages.encoders import face_extraction
from stages.encoders.base import VisualEncoder
from stages.encoders.loading import load_encoding
from stages.encoders.registry import visual_encoder
from stages.encoders.weights import save_weights
from tests import stand_ins

STATUS = {"one": [1] * 70 + [0] * 5 + [1] * 60, "two": [0] * 9, "three": [0, 1, 1]}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    stand_ins.settings(tmp_path, visual__ires100__batch=32, compute__precision="32-true")
    Path("data/crops").mkdir(parents=True)
    for number, (name, status) in enumerate(STATUS.items()):
        stand_ins.write_crops(Path(f"data/crops/{name}.h5"), status, seed=number)
    entries = [stand_ins.entry(n, f"{n}.mp4", len(s)) for n, s in STATUS.items()]
    entries.append(stand_ins.entry("uncropped", "x.mp4", 4))
    times = {e.name: np.arange(e.frames) / 25 for e in entries}
    stand_ins.write_index(tmp_path, entries, times)
    torch.manual_seed(0)
    encoder = visual_encoder("ires100")
    network = encoder.build(encoder.scales["small"])
    path = Path("models/encoders/ires100.safetensors")
    save_weights(path, encoder, "small", "au", network.state_dict(), {})
    monkeypatch.setattr("sys.argv", ["visual", "ires100"])
    load_encoding.cache_clear()
    return tmp_path


def reference(name: str) -> np.ndarray:
    """One frame at a time, in float32, by the plainest code."""
    encoder = visual_encoder("ires100")
    assert isinstance(encoder, VisualEncoder)
    from stages.encoders.weights import load_network

    network = load_network(encoder, "small", Path("models/encoders/ires100.safetensors"))
    rows = []
    with CropReader(Path(f"data/crops/{name}.h5")) as crops, torch.inference_mode():
        for image in crops.read():
            if image is None:
                rows.append(np.full(256, np.nan, np.float32))
            else:
                x = (torch.from_numpy(image).permute(2, 0, 1)[None].float() - 127.5) / 127.5
                rows.append(network(x)[0].numpy())
    return np.stack(rows)


@pytest.mark.usefixtures("project")
def test_main_gives_one_row_a_frame_and_nan_where_there_is_no_face() -> None:
    visual.main()
    with FeatureReader(Path("data/features/visual/ires100")) as store:
        assert store.names == ("one", "three", "two")
        assert store.attributes["encoder"] == "ires100"
        assert len(store.attributes["weights_hash"]) == 64
        assert json.loads(store.attributes["settings"])["scale"] == "small"
        assert store.frame_rate("one") == 25.0
        for name, status in STATUS.items():
            rows = store.read(name)
            assert rows.shape == (len(status), 256)
            np.testing.assert_array_equal(np.isnan(rows).all(1), np.array(status) == 0)
            np.testing.assert_allclose(rows, reference(name), rtol=2e-2, atol=2e-2)


@pytest.mark.usefixtures("project")
def test_a_killed_run_continues_to_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("data/features/visual/ires100")
    visual.main()
    undisturbed = stand_ins.contents(path)
    shutil.rmtree(path)
    shutil.rmtree(".partial")
    encode, encoded = face_extraction.encode_video, []

    def killed_at_the_second(work: face_extraction.Work, piece: Path) -> None:
        if encoded:
            raise KeyboardInterrupt
        encoded.append(work.name)
        encode(work, piece)

    with monkeypatch.context() as patch:
        patch.setattr(face_extraction, "encode_video", killed_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            visual.main()
    assert not path.exists()

    def counted(work: face_extraction.Work, piece: Path) -> None:
        encoded.append(work.name)
        encode(work, piece)

    monkeypatch.setattr(face_extraction, "encode_video", counted)
    visual.main()
    assert sorted(encoded) == ["one", "three", "two"]  # nothing was done twice
    assert stand_ins.contents(path) == undisturbed


@pytest.mark.usefixtures("project")
def test_batch_sizes_make_no_difference_to_which_row_is_which(project: Path) -> None:
    stand_ins.settings(project, visual__ires100__batch=1, compute__precision="32-true")
    visual.main()
    with FeatureReader(Path("data/features/visual/ires100")) as store:
        np.testing.assert_allclose(store.read("one"), reference("one"), rtol=2e-2, atol=2e-2)


@pytest.mark.usefixtures("project")
def test_an_unknown_encoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["visual", "fbank"])
    with pytest.raises(SettingsError, match=r"'fbank' is no encoder of `visual`; allowed: .*ires"):
        visual.main()
