"""What docs/encoders.md says to put into params.yaml adds an encoder that the stages run."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from stages import pretrain, visual
from stages.check_settings import load_params
from stages.core.facs import N_AUS
from stages.core.feature_store import FeatureReader
from stages.encoders.loading import load_encoding
from stages.encoders.registry import ENCODERS
from tests import stand_ins

DOCUMENT = (stand_ins.ROOT / "docs/encoders.md").read_text()
LISTED = yaml.safe_load("\n".join(re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.S)))


def settings(**short: Any) -> dict[str, Any]:
    """The shipped settings with the documented lines in their sections."""
    content = yaml.safe_load((stand_ins.ROOT / "params.yaml").read_text())
    content["compute"].update(workers=1, device="cpu", precision="32-true")
    for section, lines in LISTED.items():
        assert not set(lines) & set(content[section])
        content[section].update(lines)
    for kind in ("visual", "audio"):
        content["features"][kind] += list(LISTED[kind])
    for name in LISTED["pretrain"]:
        content["pretrain"][name].update(short)
    return content


def test_all_encoders_are_shipped_or_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(settings()))
    params = load_params()
    assert {*params.visual, *params.audio} == set(ENCODERS)
    for kind in ("visual", "audio"):
        assert set(getattr(params.features, kind)) == set(getattr(params, kind))
    for name in LISTED["pretrain"]:
        assert f"| `{name}` |" in DOCUMENT
        licence = ENCODERS[name].licence.split()[0]
        assert licence in DOCUMENT


def test_a_documented_encoder_is_pretrained_and_encodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(settings(epochs=2, batch=16)))
    Path("data/crops").mkdir(parents=True)
    stand_ins.write_faces(Path("data/faces.h5"), faces=64)
    stand_ins.write_crops(Path("data/crops/one.h5"), [1, 0, 1, 1])
    stand_ins.write_index(tmp_path, [stand_ins.entry("one", "one.mp4", 4)], {"one": np.arange(4)})
    monkeypatch.setattr("sys.argv", ["pretrain", "hsemotion"])
    pretrain.main()
    assert "expression_f1" in json.loads(Path("metrics/pretrain/hsemotion.json").read_text())
    monkeypatch.setattr("sys.argv", ["visual", "hsemotion"])
    load_encoding.cache_clear()
    visual.main()
    with FeatureReader(Path("data/features/visual/hsemotion")) as store:
        rows = store.read("one")
        assert (store.attributes["encoder"], store.width) == ("hsemotion", 128 + N_AUS)
    np.testing.assert_array_equal(np.isnan(rows).all(1), [False, True, False, False])
