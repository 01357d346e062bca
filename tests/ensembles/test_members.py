"""Which runs make which ensemble, and by what they are judged."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from stages.core.facs import AU_NAMES
from stages.ensembles.members import choose_members, held_out_f1
from stages.sequence.dataset import make_video
from stages.sequence.predictions import RunPredictions

SPLITS = {
    **{f"o{i}": "official" for i in range(4)},
    **{f"fold{i}": f"fold{i}" for i in (1, 2, 3)},
    **{f"mix{i}": f"mix{i}" for i in (1, 2)},
}


def scores() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    return {name: draw.random(12) for name in SPLITS}


def runs(submission: str, f1: dict[str, np.ndarray], members: int = 3) -> list[str]:
    return [chosen.run for chosen in choose_members(submission, SPLITS, f1, members)]


def test_for_each_au_the_run_that_is_best_on_it() -> None:
    f1 = scores()
    asked = {
        au: chosen.run for chosen in choose_members("au_top", SPLITS, f1, 3) for au in chosen.aus
    }
    assert set(asked) == set(AU_NAMES)
    for i, au in enumerate(AU_NAMES):
        assert f1[asked[au]][i] == max(f1[f"o{k}"][i] for k in range(4))


def test_the_best_runs_of_the_official_split() -> None:
    f1 = scores()
    ranked = sorted((f"o{k}" for k in range(4)), key=lambda name: -f1[name].mean())
    assert runs("model", f1) == sorted(ranked[:3])
    assert runs("model", f1, members=5) == []  # there are four


def test_all_folds_all_mixes_and_the_best_of_both() -> None:
    f1 = scores()
    assert runs("kfold", f1) == ["fold1", "fold2", "fold3"]
    assert runs("train_val_mix", f1) == ["mix1", "mix2"]
    both = ["fold1", "fold2", "fold3", "mix1", "mix2"]
    assert runs("kfold_mix", f1) == sorted(sorted(both, key=lambda n: -f1[n].mean())[:3])


@pytest.mark.parametrize("submission", ["model", "kfold", "train_val_mix", "kfold_mix", "au_top"])
def test_without_its_runs_there_is_no_ensemble(submission: str) -> None:
    assert choose_members(submission, {"o0": "official"}, {"o0": np.ones(12)}, 3) == []


def test_a_run_is_judged_by_held_out_videos_alone() -> None:
    draw = np.random.default_rng(1)
    videos, logits = {}, {}
    for name, split in (("a", "validation"), ("b", "train"), ("t", "test"), ("u", "unlabelled")):
        labels = draw.integers(-1, 2, (80, 12)).astype(np.int8)
        videos[name] = make_video(name, labels, np.ones(80, bool), split=split)
        logits[name] = draw.normal(size=(80, 12)).astype(np.float32)
    found = held_out_f1(RunPredictions("r", {}, (logits,)), videos)
    labels = np.concatenate([videos[name].labels for name in "ab"])
    said = np.concatenate([logits[name] for name in "ab"]) >= 0
    for au in range(12):
        known = labels[:, au] >= 0
        assert found[au] == pytest.approx(f1_score(labels[known, au], said[known, au]))
    only_test = RunPredictions("r", {}, ({"t": logits["t"]},))
    assert held_out_f1(only_test, videos) is None
    twice = held_out_f1(
        RunPredictions("r", {}, (logits, {n: -v for n, v in logits.items()})), videos
    )
    other = held_out_f1(RunPredictions("r", {}, ({n: -v for n, v in logits.items()},)), videos)
    np.testing.assert_allclose(twice, (found + other) / 2)


def test_runs_that_hold_nothing_out_are_not_taken_for_the_worst() -> None:
    f1 = {name: None if name.startswith("mix") else values for name, values in scores().items()}
    assert runs("train_val_mix", f1) == ["mix1", "mix2"]
    assert runs("kfold_mix", f1) == []  # nothing to choose by
    f1["o0"] = None
    assert "o0" not in runs("model", f1)
    assert runs("model", f1) == ["o1", "o2", "o3"]
