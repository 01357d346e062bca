"""Stage `pretrain`: main() on tiny data, what it writes, and a kill in the middle."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors import safe_open

from stages import pretrain, pretrain_parallel
from stages.core.errors import DataError, SettingsError
from stages.encoders.registry import ENCODERS
from stages.encoders.weights import load_network
from stages.learning import fit
from stages.pretraining import clusters, training
from stages.pretraining.training import schedule
from tests import stand_ins

FIGURES = {
    "ires100": {"f1", "f1_all_ones", "best_epoch"},
    "mobilenet": {"ccc", "ccc_valence", "ccc_arousal", "f1", "f1_all_ones", "best_epoch"},
    "mae": {
        "ccc",
        "ccc_valence",
        "ccc_arousal",
        "accuracy",
        "accuracy_chance",
        "expression_f1",
        "f1",
        "f1_all_ones",
        "reconstruction_r2",
        "best_epoch",
    },
    "densenet": {"accuracy", "accuracy_chance", "expression_f1", "f1", "f1_all_ones", "best_epoch"},
    "vit": {"f1", "f1_all_ones", "best_epoch"},
    "wav2vec": {"frame_accuracy", "frame_error", "frame_accuracy_chance", "best_epoch"},
    "hubert": {
        "masked_accuracy",
        "masked_accuracy_chance",
        "visible_accuracy",
        "visible_accuracy_chance",
        "cluster_phone_purity",
        "best_epoch",
    },
    "ecapatdnn": {
        "voice_accuracy",
        "voice_accuracy_chance",
        "verification_eer",
        "verification_eer_chance",
        "best_epoch",
    },
}
TASKS = {
    "ires100": "au",
    "mobilenet": "va",
    "mae": "mae",
    "densenet": "expression",
    "vit": "au",
    "wav2vec": "phoneme",
    "hubert": "cluster",
    "ecapatdnn": "speaker",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("data/corpus").mkdir(parents=True)
    stand_ins.write_faces(Path("data/faces.h5"))
    stand_ins.write_speech(Path("data/corpus/speech.h5"))
    short = {
        f"pretrain__{name}__{key}": value
        for name in FIGURES
        for key, value in {
            "epochs": 3,
            "batch": 16,
            "learning_rate": 2e-3,
            "validation": 0.25,
        }.items()
    }
    short["pretrain__ecapatdnn__validation"] = 0.5  # two voices of four
    again = {"hidden": 0.75, "epochs": 2, "learning_rate": 2e-3}
    stand_ins.settings(tmp_path, pretrain__mae__reconstruction=again, **short)
    return tmp_path


def run(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setattr("sys.argv", ["pretrain", name])
    pretrain.main()
    return Path(f"models/encoders/{name}.safetensors"), Path(f"metrics/pretrain/{name}.json")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("name", sorted(FIGURES))
def test_main_writes_weights_that_load_and_numbers(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, metrics = run(name, monkeypatch)
    figures = json.loads(metrics.read_text())
    assert set(figures) == FIGURES[name]
    assert all(isinstance(value, int | float) for value in figures.values())
    assert 1 <= figures["best_epoch"] <= 3
    network = load_network(ENCODERS[name], "full", weights)  # the dimensions are in the file
    assert not network.training
    with safe_open(weights, "pt") as file:
        about = json.loads(file.metadata()["aufusion"])
        assert "head.weight" in file.keys()  # noqa: SIM118
    assert about["scale"] == "small"
    assert about["task"] == TASKS[name]


@pytest.mark.usefixtures("project")
def test_votes_and_intensities_are_learnt_where_the_faces_have_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File("data/faces.h5", "r+") as faces:
        random = np.random.default_rng(0)
        count = len(faces["expression"])
        votes = np.full((count, 8), np.nan, np.float32)
        votes[::2] = random.dirichlet(np.ones(8), len(votes[::2]))
        faces["expression_votes"] = votes
        faces["au_intensity"] = np.where(faces["au"][:], 3, 0).astype(np.float32)
    stand_ins.settings(
        project, pretrain__densenet__epochs=1, pretrain__densenet__intensity_loss="ordinal"
    )
    weights, metrics = run("densenet", monkeypatch)
    figures = json.loads(metrics.read_text())
    assert {"expression_f1", "f1", "intensity_icc"} <= set(figures)
    with safe_open(weights, "pt") as file:
        assert file.get_slice("head.weight").get_shape()[0] == 8 + 12
        assert json.loads(file.metadata()["aufusion"])["au_start"] == 8


@pytest.mark.usefixtures("project")
def test_speech_is_learnt_far_above_chance(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins.settings(project, pretrain__wav2vec__epochs=12, pretrain__wav2vec__batch=4)
    figures = json.loads(run("wav2vec", monkeypatch)[1].read_text())
    assert figures["frame_accuracy_chance"] < 0.5
    assert figures["frame_accuracy"] > figures["frame_accuracy_chance"] + 0.3


@pytest.mark.usefixtures("project")
def test_voices_and_hidden_sounds_are_learnt_above_chance(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.settings(
        project,
        pretrain__ecapatdnn__validation=0.5,
        pretrain__ecapatdnn__batch=8,
        pretrain__hubert__epochs=12,
        pretrain__hubert__batch=4,
    )
    figures = json.loads(run("ecapatdnn", monkeypatch)[1].read_text())
    assert figures["voice_accuracy"] > figures["voice_accuracy_chance"] + 0.2
    monkeypatch.setattr(clusters, "CLUSTERS", 3)  # silence and two tones
    figures = json.loads(run("hubert", monkeypatch)[1].read_text())
    assert figures["masked_accuracy"] > figures["masked_accuracy_chance"] + 0.2


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("name", "epochs"),
    # mae's second epoch is the last of the reconstruction, its third the first that is supervised
    [
        pytest.param("mobilenet", 2, marks=pytest.mark.slow),
        ("ires100", 2),
        pytest.param("mae", 1, marks=pytest.mark.slow),
        ("mae", 2),
        ("mae", 3),
        ("wav2vec", 2),
        pytest.param("hubert", 2, marks=pytest.mark.slow),
        ("ecapatdnn", 2),
    ],
)
def test_a_killed_run_ends_in_the_same_bytes(
    name: str, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, metrics = run(name, monkeypatch)
    undisturbed = weights.read_bytes(), metrics.read_bytes()
    weights.unlink()
    write, written = fit.write_state, []

    def killed_after_some_epochs(path: Path, state: dict[str, object]) -> None:
        write(path, state)
        written.append(path)
        if len(written) == epochs:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit, "write_state", killed_after_some_epochs)
        with pytest.raises(KeyboardInterrupt):
            run(name, monkeypatch)
    assert not weights.exists()
    torch.manual_seed(99)  # another process has another state
    assert len(written) == epochs
    run(name, monkeypatch)
    assert (weights.read_bytes(), metrics.read_bytes()) == undisturbed


@pytest.mark.usefixtures("project")
def test_what_is_trained_side_by_side_is_put_in_place_as_if_it_had_been_trained_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("vit", "wav2vec")
    alone = {name: [path.read_bytes() for path in run(name, monkeypatch)] for name in names}
    monkeypatch.setattr(pretrain_parallel, "changed_stages", lambda *asked: list(names))
    monkeypatch.setattr("sys.argv", ["pretrain_parallel", "2"])
    pretrain_parallel.main()  # in processes of their own

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was trained a second time")

    monkeypatch.setattr(training, "fit", never)
    for name in names:
        made = run(name, monkeypatch)
        assert [path.read_bytes() for path in made] == alone[name]
    with pytest.raises(AssertionError, match="second time"):
        run(names[0], monkeypatch)  # nothing was left behind


@pytest.mark.usefixtures("project")
def test_another_seed_gives_other_weights(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run("mobilenet", monkeypatch)[0].read_bytes()
    stand_ins.settings(project, seed=1, pretrain__mobilenet__epochs=1)
    assert run("mobilenet", monkeypatch)[0].read_bytes() != first


@pytest.mark.usefixtures("project")
def test_a_task_that_the_encoder_cannot_do_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.settings(project, pretrain__ires100__task="phoneme")
    with pytest.raises(SettingsError, match=r"ires100.task = 'phoneme'; allowed: au, va, expr"):
        run("ires100", monkeypatch)
    stand_ins.settings(project, pretrain__wav2vec__task="cluster")
    with pytest.raises(SettingsError, match=r"wav2vec.task = 'cluster'; allowed: phoneme, speaker"):
        run("wav2vec", monkeypatch)
    stand_ins.settings(project, pretrain__hubert__auxiliary=["phoneme"])
    with pytest.raises(SettingsError, match=r"hubert.auxiliary: .* one task"):
        run("hubert", monkeypatch)
    stand_ins.settings(project, pretrain__ires100__data="corpus/speech")
    with pytest.raises(SettingsError, match=r"'corpus/speech'; allowed: faces, faces\+train"):
        run("ires100", monkeypatch)
    reconstruction = {"hidden": 0.5, "epochs": 1, "learning_rate": 1e-3}
    stand_ins.settings(
        project,
        pretrain__vit__task="mae",
        pretrain__vit__auxiliary=["au"],
        pretrain__vit__reconstruction=reconstruction,
    )
    with pytest.raises(
        SettingsError, match=r"vit.task = 'mae'; allowed: au, va, expression, points\."
    ):
        run("vit", monkeypatch)
    with pytest.raises(SettingsError, match=r"no encoder of `pretrain`; allowed: .*ires100"):
        run("fbank", monkeypatch)


def test_the_rate_warms_up_and_falls() -> None:
    rates = [schedule(10)(epoch) for epoch in range(10)]
    assert rates[0] == 0.5
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert 0.05 <= rates[-1] < 0.1


@pytest.mark.usefixtures("project")
def test_other_encoders_weights_can_stop_it_and_are_not_in_what_it_makes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # so dvc.yaml need not declare them: an encoder would be trained anew for those of another
    epochs = {"pretrain__vit__epochs": 1, "pretrain__vit__validation": 0.25}
    stand_ins.settings(project, **epochs)
    made = [path.read_bytes() for path in run("vit", monkeypatch)]
    theirs = project / "theirs.pt"
    theirs.write_bytes(b"x")
    stand_ins.settings(project, audio__hubert__weights=f"file:{theirs}", **epochs)
    assert [path.read_bytes() for path in run("vit", monkeypatch)] == made
    theirs.unlink()
    with pytest.raises(DataError, match=r"audio\.hubert\.weights: .*theirs\.pt is missing"):
        run("vit", monkeypatch)
