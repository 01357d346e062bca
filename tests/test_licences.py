"""Stage `licences` and the terms: what a run used, from what its files say."""

import json
from pathlib import Path

import numpy as np
import pytest

from stages import crop, licences
from stages.core.errors import SettingsError
from stages.crops import CropWriter
from stages.encoders.registry import ENCODERS
from stages.encoders.weights import save_weights
from stages.runs import resolve_run, write_run
from stages.settings.params import load_params
from stages.settings.sources import made_path
from stages.store import FeatureWriter
from stages.terms import OURS, Use, as_table, enforce, weights_terms
from tests import stand_ins


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    stand_ins.settings(tmp_path, features={"visual": ["ires100"], "audio": ["fbank"]})
    encoder = ENCODERS["ires100"]
    network = encoder.build(encoder.scales["small"])
    save_weights(made_path("ires100"), encoder, "small", "au", network.state_dict(), {})
    for name, path in (("visual/ires100", made_path("ires100")), ("audio/fbank", None)):
        store = Path(f"data/features/{name}.h5")
        store.parent.mkdir(parents=True, exist_ok=True)
        settings = {"weights": weights_terms(path)}
        with FeatureWriter(store, encoder="", weights_hash="", width=3, settings=settings):
            pass
    Path("data/crops").mkdir(parents=True)
    params = load_params()
    for name, row in params.runs.items():
        write_run(resolve_run(params, name, row), {})
    return tmp_path


def write_crop(name: str, **attributes: str) -> None:
    with CropWriter(Path(f"data/crops/{name}.h5"), attributes) as writer:
        writer.append(None)


def rows() -> list[list[str]]:
    licences.main()
    lines = Path("metrics/licences.md").read_text().splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line][2:]


@pytest.mark.usefixtures("project")
def test_a_run_on_the_corpus_alone_is_free() -> None:
    write_crop("a", detector="centerface")
    write_crop("b", detector="centerface")
    listed = rows()
    assert [row[0] for row in listed] == ["crop.detector", "visual.ires100", "audio.fbank"]
    assert {row[3] for row in listed} == {"no"}
    assert listed[0][2] == "MIT"
    assert listed[1][1:3] == ["pretrain (au)", OURS]
    assert listed[2][1] == "none: computed without weights"


def test_detectors_of_insightface_count(project: Path) -> None:
    write_crop("a", detector="insightface", pack="buffalo_l")
    write_crop("b", source="cropped_aligned")
    assert rows()[0][:4] == [
        "crop.detector", "insightface, pack buffalo_l", "non-commercial research only", "yes",
    ]  # fmt: skip
    before = Path("metrics/licences.md").read_bytes()
    stand_ins.settings(
        project,
        features={"visual": ["ires100"], "audio": []},
        licences__noncommercial="refuse",
    )
    with pytest.raises(SettingsError, match=r"refuse.*crop\.detector \(insightface, pack buffalo"):
        licences.main()
    assert Path("metrics/licences.md").read_bytes() == before


def test_crop_refuses_such_a_detector_before_it_looks_for_it(project: Path) -> None:
    stand_ins.settings(project, crop__detector="insightface", licences__noncommercial="refuse")
    stand_ins.write_index(project, [stand_ins.entry("a", "a.mp4", 1)], {"a": np.zeros(1)})
    with pytest.raises(SettingsError, match=r"refuse.*crop\.detector"):
        crop.main()
    assert not list(Path("data/crops").iterdir())


def test_policies(capsys: pytest.CaptureFixture[str]) -> None:
    free, bound = Use("a", "x", "MIT", False), Use("b", "y", "research", True, "ff")
    for policy in ("warn", "refuse", "allow"):
        enforce(policy, [free])
    assert capsys.readouterr().out == ""
    enforce("warn", [free, bound])
    assert capsys.readouterr().out.splitlines() == [
        "warning: not for commercial use: b (y: research)"
    ]
    table = as_table([free, bound]).splitlines()
    assert table[2] == "| a | x | MIT | no |  |"
    assert table[3] == "| b | y | research | yes | ff |"
    assert json.dumps(table)  # plain text
