"""The folder of an ensemble, and how members are joined."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.core.errors import DataError
from stages.core.facs import AU_NAMES
from stages.core.hashing import ROOT, file_hash
from stages.ensembles.calibration import Calibration
from stages.ensembles.ensemble import (
    Ensemble,
    Member,
    Weights,
    combine,
    load_ensemble,
    write_ensemble,
)
from stages.faces.settings import Crop


def made_ensemble(folder: Path) -> Ensemble:
    sources = {}
    for name in ("members/a.safetensors", "members/b.safetensors", "encoders/vit.safetensors"):
        sources[name] = folder / Path(name).name
        sources[name].write_bytes(name.encode())
    hashes = {name: file_hash(path) for name, path in sources.items()}
    crop = yaml.safe_load((ROOT / "params.yaml").read_text())["crop"]
    members = tuple(
        Member(run, f"members/{run}.safetensors", hashes[f"members/{run}.safetensors"],
               ("vit",), ("fbank",))
        for run in ("a", "b")
    )  # fmt: skip
    ensemble = Ensemble(
        name="kfold", rule="mean", window=128, scale="small", precision="32-true",
        members=members,
        visual={"vit": Weights("encoders/vit.safetensors", hashes["encoders/vit.safetensors"],
                               64, "ours", "Apache-2.0")},
        audio={"fbank": Weights(None, "", 1, "", "")},
        crop=Crop.model_validate(crop), calibration=Calibration(),
        scores={"label": "synthetic"}, versions={"torch": "2.11"}, folder=folder / "ensemble",
    )  # fmt: skip
    write_ensemble(ensemble, sources)
    return ensemble


def test_mean_and_vote_are_what_they_say() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 20, 12)).astype(np.float32)
    mean = np.mean([1 / (1 + np.exp(-rows.astype(float))) for rows in logits], axis=0)
    np.testing.assert_allclose(combine(logits, "mean"), mean, atol=1e-6)
    votes = sum((rows >= 0).astype(float) for rows in logits) / 3
    np.testing.assert_allclose(combine(logits, "vote"), votes, atol=1e-6)


def test_a_member_is_asked_for_its_aus_alone(tmp_path: Path) -> None:
    made = made_ensemble(tmp_path)
    first, second = made.members
    split = replace(
        made, members=(replace(first, aus=AU_NAMES[:5]), replace(second, aus=AU_NAMES[5:]))
    )
    logits = np.random.default_rng(0).normal(size=(2, 6, 12)).astype(np.float32)
    joined = split.combine(list(logits))
    np.testing.assert_allclose(joined[:, :5], combine(logits[:1], "mean")[:, :5])
    np.testing.assert_allclose(joined[:, 5:], combine(logits[1:], "mean")[:, 5:])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    made = made_ensemble(tmp_path)
    found = load_ensemble(tmp_path / "ensemble")
    assert found == made
    assert found.hash == file_hash(tmp_path / "ensemble/ensemble.json")


def test_the_layer_of_an_encoder_of_sound_is_told_where_one_was_chosen(tmp_path: Path) -> None:
    made = made_ensemble(tmp_path)
    assert "layer" not in (tmp_path / "ensemble/ensemble.json").read_text()
    ninth = replace(made.audio["fbank"], layer=9)
    chosen = replace(made, audio={"fbank": ninth})
    assert Ensemble.from_dict(chosen.as_dict(), chosen.folder).audio["fbank"].layer == 9


def test_a_changed_or_missing_file_is_refused(tmp_path: Path) -> None:
    made_ensemble(tmp_path)
    target = tmp_path / "ensemble/members/b.safetensors"
    target.write_bytes(b"other weights")
    with pytest.raises(DataError, match=r"b\.safetensors is not the file"):
        load_ensemble(tmp_path / "ensemble")
    target.unlink()
    with pytest.raises(DataError, match=r"b\.safetensors is missing"):
        load_ensemble(tmp_path / "ensemble")
    with pytest.raises(DataError, match="make repro"):
        load_ensemble(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["members"][0].update(file="../../secret.safetensors"), "no file of an ens"),
        (lambda c: c["encoders"]["visual"]["vit"].update(file="/etc/passwd"), "no file of an ens"),
        (lambda c: c["members"][0].update(visual=["mae"]), "does not have"),
        (lambda c: c["members"][0].update(aus=["AU05"]), "does not have"),
        (lambda c: [member.update(aus=["AU01"]) for member in c["members"]], "no member"),
        (lambda c: c.update(format=1), "another version"),
        (lambda c: c.update(rule="median"), "another version"),
        (lambda c: c.pop("calibration"), "calibration"),
        (lambda c: c["calibration"].update(thresholds=[2.0] * 12), "probability"),
        (lambda c: c["crop"].update(detector="eyes"), "crop.detector"),
        (lambda c: c["choices"].update(no_face="any"), "choices.no_face"),
    ],
)
def test_what_is_no_ensemble_is_refused(tmp_path: Path, change: object, said: str) -> None:
    made_ensemble(tmp_path)
    path = tmp_path / "ensemble/ensemble.json"
    content = json.loads(path.read_text())
    change(content)  # type: ignore[operator]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=said):
        load_ensemble(tmp_path / "ensemble")


def test_text_that_is_no_json_is_refused(tmp_path: Path) -> None:
    made_ensemble(tmp_path)
    (tmp_path / "ensemble/ensemble.json").write_text("{")
    with pytest.raises(DataError, match="is not an ensemble's"):
        load_ensemble(tmp_path / "ensemble")
