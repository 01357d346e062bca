"""Stage `licences` and the terms: what a run used, from what its files say."""

import json
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages import crop, index, licences, pretrain, pretrain_faces, pretrain_frames
from stages.check_settings import load_params
from stages.core.errors import SettingsError
from stages.core.feature_store import FeatureWriter
from stages.core.licences import GENERATED, Use, as_table, enforce
from stages.crops.crop_file import CropWriter
from stages.encoders.face_extraction import list_work
from stages.encoders.licences import weights_terms
from stages.encoders.registry import ENCODERS
from stages.encoders.source import made_path, read_about
from stages.encoders.weights import save_weights
from stages.ensembles.ensemble import Ensemble, Weights, load_ensemble
from stages.inference.info import describe
from stages.videos.manifest import Manifest
from tests import stand_ins
from tests.inference import tiny

OURS = f"Apache-2.0: trained by this pipeline on {GENERATED.source} ({GENERATED.licence})"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    stand_ins.settings(tmp_path, features={"visual": ["ires100"], "audio": ["fbank"]})
    encoder = ENCODERS["ires100"]
    network = encoder.build(encoder.scales["small"])
    trained_on = [asdict(GENERATED)]
    save_weights(
        made_path("ires100"), encoder, "small", "au", network.state_dict(), {}, data=trained_on
    )
    for name, path in (("visual/ires100", made_path("ires100")), ("audio/fbank", None)):
        store = Path(f"data/features/{name}")
        store.parent.mkdir(parents=True, exist_ok=True)
        settings = {"weights": weights_terms(path)}
        with FeatureWriter(store, encoder="", weights_hash="", width=3, settings=settings):
            pass
    Path("data/crops").mkdir(parents=True)
    stand_ins.write_run_files()
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
    assert [row[0] for row in listed] == [
        "data.root", "crop.detector", "visual.ires100", "audio.fbank",
    ]  # fmt: skip
    assert {row[3] for row in listed} == {"no"}
    assert listed[0][1:3] == ["the generated corpus", "CC0-1.0"]
    assert listed[1][2] == "MIT"
    assert listed[2][1:3] == ["pretrain (au)", OURS]
    assert listed[3][1] == "none: computed without weights"


def test_detectors_of_insightface_count(project: Path) -> None:
    write_crop("a", detector="insightface", pack="buffalo_l")
    write_crop("b", source="cropped_aligned")
    assert rows()[1][:4] == [
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


def trained(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Run the stages before and of pre-training for an encoder; what its weights say."""
    pretrain_faces.main()
    pretrain_frames.main()
    monkeypatch.setattr("sys.argv", ["pretrain", name])
    pretrain.main()
    return read_about(made_path(name))


@pytest.fixture
def learning(project: Path) -> dict[str, object]:
    """Settings with which an encoder learns from faces in a moment."""
    stand_ins.write_faces(project / "mine.h5")
    return {
        "data__faces": "mine.h5",
        "pretrain__ires100__epochs": 1,
        "pretrain__ires100__batch": 16,
        "pretrain__ires100__validation": 0.25,
        "features": {"visual": ["ires100"], "audio": []},
    }


@pytest.mark.parametrize(
    ("licence", "answer", "head"),
    [
        (None, None, "not known: trained by this pipeline on mine.h5 (licence not kn"),
        ("AffectNet agreement", True, "non-commercial: trained by this pipeline on mine.h5"),
        ("cc-by-4.0", False, "Apache-2.0: trained by this pipeline on mine.h5 (cc-by"),
        ("own", False, "Apache-2.0: trained by this pipeline on mine.h5 (own)"),
    ],
)
def test_weights_say_whose_faces_they_learnt_from(
    project: Path,
    learning: dict[str, object],
    licence: str | None,
    answer: bool | None,
    head: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_ins.settings(project, data__faces_licence=licence, **learning)
    about = trained("ires100", monkeypatch)
    assert about["data"] == [
        {
            "source": "mine.h5",
            "licence": licence or "licence not known",
            "noncommercial": answer,
        }
    ]
    terms = weights_terms(made_path("ires100"))
    assert terms["noncommercial"] is answer
    assert str(terms["licence"]).startswith(head)
    assert terms["data"] == about["data"]
    # refused by the stage that would look at the faces, and by that which would learn from them
    stand_ins.settings(
        project, data__faces_licence=licence, licences__noncommercial="refuse", **learning
    )
    for stage in (pretrain_faces.main, pretrain.main, lambda: list_work("ires100", load_params())):
        if answer is False:
            continue
        with pytest.raises(SettingsError, match=r"noncommercial is refuse.*mine\.h5"):
            stage()


def test_a_csv_of_faces_and_frames_of_own_videos_both_count(
    project: Path, learning: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "faces").mkdir()
    random = np.random.default_rng(0)
    for number in range(24):
        au = (random.random(12) < 0.5).astype(np.int8)
        cv2.imwrite(f"faces/{number}.png", stand_ins.picture(random, au))
    lines = [f"faces/{n}.png,p{n % 8},{n % 2}" for n in range(24)]
    Path("faces.csv").write_text("\n".join(["image,person,AU12", *lines]) + "\n")
    entry = stand_ins.entry("a", "a.mp4", 4)
    stand_ins.write_index(project, [entry], {"a": np.arange(4) / 25})
    stand_ins.write_crops(Path("data/crops/a.h5"), [1] * 4)
    changes = {
        **learning,
        "data__faces": "faces.csv",
        "data__faces_licence": "CC-BY-4.0",
        "data__licence": "Aff-Wild2 agreement",
        "pretrain__ires100__data": "faces+train",
    }
    stand_ins.settings(project, **changes)
    about = trained("ires100", monkeypatch)
    data = about["data"]
    assert isinstance(data, list)
    root = Manifest.load(Path("data/index")).root
    assert [one["source"] for one in data] == [
        "faces.csv", Path(root).name,
    ]  # fmt: skip
    assert [one["noncommercial"] for one in data] == [False, True]
    assert weights_terms(made_path("ires100"))["noncommercial"] is True
    stand_ins.settings(project, **changes, licences__noncommercial="refuse")
    with pytest.raises(SettingsError, match=r"data\.root \(.*Aff-Wild2 agreement"):
        pretrain_frames.main()
    with pytest.raises(SettingsError, match=r"pretrain\.ires100 .*Aff-Wild2 agreement"):
        pretrain.main()


def test_own_videos_are_refused_by_the_first_stage_and_named_by_licences(project: Path) -> None:
    changes = {"features": {"visual": ["ires100"], "audio": ["fbank"]}, "data__root": "videos"}
    stand_ins.settings(project, licences__noncommercial="refuse", **changes)
    with pytest.raises(SettingsError, match=r"unknown licence.*data\.root .*data\.licence"):
        index.main()
    with pytest.raises(SettingsError, match=r"unknown licence.*data\.root"):
        licences.main()
    stand_ins.settings(
        project, licences__noncommercial="refuse", data__licence="CC-BY-4.0", **changes
    )
    assert rows()[0][:4] == ["data.root", "videos", "CC-BY-4.0", "no"]


def test_a_detector_for_research_is_refused_before_it_looks_at_the_faces_of_a_csv(
    project: Path,
) -> None:
    Path("faces.csv").write_text("image,AU12\na.png,1\n")
    stand_ins.settings(
        project, data__faces="faces.csv", data__faces_licence="own", crop__detector="insightface",
        licences__noncommercial="refuse",
    )  # fmt: skip
    with pytest.raises(SettingsError, match=r"refuse.*crop\.detector"):
        pretrain_faces.main()


def test_weights_without_a_record_of_their_data_are_of_unknown_licence(project: Path) -> None:
    encoder = ENCODERS["ires100"]
    network = encoder.build(encoder.scales["small"])
    save_weights(made_path("ires100"), encoder, "small", "au", network.state_dict(), {})
    assert weights_terms(made_path("ires100"))["noncommercial"] is None


def test_the_exported_ensemble_and_info_name_the_data(tmp_path: Path) -> None:
    videos = {"source": "Aff-Wild2", "licence": "agreement", "noncommercial": True}
    faces = {"source": "f.csv", "licence": "CC-BY-4.0", "noncommercial": False}
    weights = Weights(None, "", 1, "pretrain (au)", "Apache-2.0: f.csv", (faces,))
    made = tiny.make_ensemble(tmp_path, data=(videos,))
    loaded = load_ensemble(made.folder)
    assert loaded.data == (videos,)
    said = " ".join(describe(made.folder).split())
    assert "networks members trained on Aff-Wild2 agreement" in said
    text = json.loads((made.folder / "ensemble.json").read_text())
    text["encoders"]["visual"]["vit"]["data"] = list(weights.data)
    assert Ensemble.from_dict(text, made.folder).visual["vit"].data == (faces,)
    del text["data"], text["encoders"]["visual"]["vit"]["data"]  # as it was before
    assert Ensemble.from_dict(text, made.folder).data == ()


def test_policies(capsys: pytest.CaptureFixture[str]) -> None:
    free, bound = Use("a", "x", "MIT", False), Use("b", "y", "research", True, "ff")
    for policy in ("warn", "refuse", "allow"):
        enforce(policy, [free])
    assert capsys.readouterr().out == ""
    enforce("warn", [free, bound])
    assert capsys.readouterr().out.splitlines() == [
        "warning: not for commercial use: b (y: research)"
    ]
    unknown = Use("c", "z", "who knows", None)
    enforce("allow", [unknown])
    enforce("warn", [unknown])
    assert capsys.readouterr().out.splitlines() == [
        "warning: of an unknown licence, perhaps not for commercial use: c (z: who knows)"
    ]
    with pytest.raises(SettingsError, match=r"unknown licence.*c \(z: who knows\).*data\.licence"):
        enforce("refuse", [free, unknown])
    table = as_table([free, bound]).splitlines()
    assert table[2] == "| a | x | MIT | no |  |"
    assert table[3] == "| b | y | research | yes | ff |"
    assert as_table([unknown]).splitlines()[2] == "| c | z | who knows | not known |  |"
    assert json.dumps(table)  # plain text
