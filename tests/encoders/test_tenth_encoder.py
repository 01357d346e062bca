"""Adding an encoder is a file in `backbones` and its entries in params.yaml."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import yaml
from torch import Tensor, nn

from stages import pretrain, pretrain_frames, visual
from stages.check_settings import load_params
from stages.core.errors import SettingsError
from stages.core.facs import N_AUS
from stages.core.feature_store import FeatureReader
from stages.encoders import face_extraction
from stages.encoders.base import VisualEncoder
from stages.encoders.loading import load_encoding
from stages.encoders.registry import ENCODERS
from stages.pretraining import run
from tests import stand_ins

NAME = "stages.encoders.backbones.toy"


class Blocks(nn.Module):
    """Means of 8x8 cells, and a linear layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width, self.side = width, 64
        self.cells = nn.AvgPool2d(8)
        self.linear = nn.Linear(8 * 8 * 3, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 3, 64, 64) to (n, width)."""
        result: Tensor = self.linear(self.cells(x).flatten(1))
        return result


def module() -> types.ModuleType:
    """What a file stages/encoders/backbones/toy.py would hold."""
    toy = types.ModuleType(NAME)
    toy.ENCODER = VisualEncoder(  # type: ignore[attr-defined]
        name="toy",
        build=lambda dimensions: Blocks(dimensions["width"]),
        scales={"small": {"width": 20}, "full": {"width": 40}},
        source="this test",
        licence="Apache-2.0",
        resolution=64,
        mean=(127.5, 127.5, 127.5),
        deviation=(127.5, 127.5, 127.5),
    )
    return toy


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, NAME, module())
    content = yaml.safe_load((stand_ins.ROOT / "params.yaml").read_text())
    content["compute"].update(workers=1, device="cpu")
    for one in content["pretrain"].values():
        one["data"] = one["data"].removesuffix("+train")
    content["pretrain"]["toy"] = {**content["pretrain"]["ires100"], "epochs": 8, "batch": 16}
    content["visual"]["toy"] = dict(content["visual"]["ires100"])
    content["features"]["visual"].append("toy")
    Path("params.yaml").write_text(yaml.safe_dump(content))
    Path("data/crops").mkdir(parents=True)
    stand_ins.write_faces(Path("data/faces.h5"), faces=200)
    stand_ins.write_crops(Path("data/crops/one.h5"), [1, 0, 1, 1])
    stand_ins.write_index(tmp_path, [stand_ins.entry("one", "one.mp4", 4)], {"one": np.arange(4)})
    return tmp_path


@pytest.mark.usefixtures("project")
def test_a_tenth_encoder_is_pretrained_and_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["pretrain", "toy"])
    with pytest.raises(SettingsError, match="'toy' is no encoder for this; allowed: densenet"):
        pretrain.main()
    monkeypatch.setitem(ENCODERS, "toy", sys.modules[NAME].ENCODER)
    for user in (run, face_extraction):  # for it has no file
        monkeypatch.setattr(user, "code_of", lambda name: "")
    assert "toy" in load_params().features.visual
    pretrain_frames.main()  # the stage before; nobody asks for frames
    pretrain.main()
    figures = json.loads(Path("metrics/pretrain/toy.json").read_text())
    assert figures["f1"] > figures["f1_all_ones"] + 0.05
    monkeypatch.setattr("sys.argv", ["visual", "toy"])
    load_encoding.cache_clear()
    visual.main()
    with FeatureReader(Path("data/features/visual/toy")) as store:
        rows = store.read("one")
        assert (store.attributes["encoder"], store.width) == ("toy", 20 + N_AUS)
    np.testing.assert_array_equal(np.isnan(rows).all(1), [False, True, False, False])


def test_an_encoder_is_called_as_its_file() -> None:
    assert {name: encoder.name for name, encoder in ENCODERS.items()} == {n: n for n in ENCODERS}
    assert set(ENCODERS) >= {"ires100", "fbank"}
