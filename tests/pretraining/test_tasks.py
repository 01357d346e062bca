"""Losses and figures of the tasks, against formulas in numpy."""

import numpy as np
import pytest
import torch

from stages.core.facs import EXPRESSIONS, FACE_CLASSES
from stages.crops.face_points import N_COORDINATES
from stages.learning.intensity import concordance, intensity_error
from stages.pretraining.tasks import UNKNOWN, WIDTHS, make_joint_task, make_task, widths_of


def ccc(x: np.ndarray, y: np.ndarray) -> float:
    return float(
        2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    )


def test_concordance_is_lins_formula() -> None:
    random = np.random.default_rng(0)
    y = random.normal(size=(50, 2))
    x = 0.5 * y + 0.3 + 0.2 * random.normal(size=(50, 2))
    found = concordance(torch.from_numpy(x), torch.from_numpy(y))
    assert found.tolist() == pytest.approx([ccc(x[:, 0], y[:, 0]), ccc(x[:, 1], y[:, 1])], rel=1e-5)


def test_unknown_values_have_no_part_in_the_concordance_nor_a_gradient() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 40, 2))
    y[::3, 1] = np.nan
    known = ~np.isnan(y[:, 1])
    predictions = torch.from_numpy(x).requires_grad_()
    found = concordance(predictions, torch.from_numpy(y))
    assert found[1].item() == pytest.approx(ccc(x[known, 1], y[known, 1]), rel=1e-5)
    found.sum().backward()
    assert predictions.grad is not None
    assert torch.isfinite(predictions.grad).all()
    assert (predictions.grad[~torch.from_numpy(known), 1] == 0).all()


def test_constant_predictions_have_concordance_zero() -> None:
    targets = torch.randn(20, 2)
    assert concordance(torch.zeros(20, 2), targets).abs().max() < 1e-6
    assert concordance(targets, targets).tolist() == pytest.approx([1, 1], rel=1e-5)


def test_au_task_scores_f1_beside_the_all_ones_baseline() -> None:
    labels = torch.tensor([[1, 0] * 6, [1, 1] * 6, [0, 0] * 6, [-1, 0] * 6], dtype=torch.int8)
    task = make_task("au", labels)
    perfect = torch.where(labels == 1, 4.0, -4.0)
    figures = task.figures(perfect, labels)
    assert figures["f1"] == 1
    # all ones: 2 of 3 known are positive in even columns (F1 0.8), 1 of 4 in odd ones (0.4)
    assert figures["f1_all_ones"] == pytest.approx(0.6)
    assert task.loss(perfect, labels) < task.loss(-perfect, labels)
    assert task.outputs == 12


def test_phoneme_task_ignores_what_is_unknown() -> None:
    truth = torch.tensor([[0, 1, 2, 0, -1, -1]])
    task = make_task("phoneme", truth)
    outputs = torch.nn.functional.one_hot(truth.clamp(min=0), 3).float() * 20
    figures = task.figures(outputs, truth)
    assert task.outputs == 3
    assert figures["frame_accuracy"] == 1
    assert figures["frame_error"] == 0
    assert figures["frame_accuracy_chance"] == 0.5  # always silence
    assert task.loss(outputs, truth) < 1e-4
    worse = outputs.clone()
    worse[:, 4:] = -100 * torch.randn(1, 2, 3)
    torch.testing.assert_close(task.loss(worse, truth), task.loss(outputs, truth))


def test_a_joint_task_is_its_parts_side_by_side_weighted_by_their_columns() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(-1, 2, (40, 12), generator=generator).float()
    feelings = torch.rand(40, 2, generator=generator) * 2 - 1
    outputs = torch.randn(40, 14, generator=generator)
    targets = torch.cat([feelings, labels], dim=1)
    joint = make_joint_task(["va", "au"], targets)
    va, au = make_task("va", feelings), make_task("au", labels)
    expected = 2 * va.loss(outputs[:, :2], feelings) + 12 * au.loss(outputs[:, 2:], labels)
    torch.testing.assert_close(joint.loss(outputs, targets), expected)
    assert (joint.outputs, joint.monitor) == (14, "ccc")
    assert joint.figures(outputs, targets) == {
        **va.figures(outputs[:, :2], feelings), **au.figures(outputs[:, 2:], labels)
    }  # fmt: skip


def test_an_expression_of_seven_classes_weighs_as_one_target() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (40, 12), generator=generator).float()
    faces = torch.randint(0, 7, (40, 1), generator=generator).float()
    outputs = torch.randn(40, 19, generator=generator)
    targets = torch.cat([faces, labels], dim=1)
    joint = make_joint_task(["expression", "au"], targets)
    one, many = make_task("expression", faces), make_task("au", labels)
    expected = one.loss(outputs[:, :7], faces) + 12 * many.loss(outputs[:, 7:], labels)
    torch.testing.assert_close(joint.loss(outputs, targets), expected)


def test_a_joint_task_of_one_is_that_task() -> None:
    labels = torch.randint(0, 2, (20, 12), generator=torch.Generator().manual_seed(1)).float()
    outputs = torch.randn(20, 12, generator=torch.Generator().manual_seed(2))
    alone, joint = make_task("au", labels), make_joint_task(["au"], labels)
    assert joint.name == "au"
    assert joint.loss(outputs, labels) == alone.loss(outputs, labels)


def test_expression_task_is_cross_entropy_and_scikit_learns_scores() -> None:
    from sklearn.metrics import accuracy_score, f1_score

    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 7, (60, 1), generator=generator).float()
    truth[:20] = 0
    outputs = torch.randn(60, 7, generator=generator)
    outputs[torch.arange(40), truth[:40, 0].long()] += 3
    truth[50:] = UNKNOWN
    task = make_task("expression", truth)
    figures = task.figures(outputs, truth)
    wanted, chosen = truth[:50, 0].numpy(), outputs[:50].argmax(1).numpy()
    assert task.outputs == len(EXPRESSIONS) == 7
    assert figures["accuracy"] == pytest.approx(accuracy_score(wanted, chosen))
    assert figures["expression_f1"] == pytest.approx(f1_score(wanted, chosen, average="macro"))
    assert figures["accuracy_chance"] == pytest.approx((wanted == 0).mean())
    logs = outputs[:50].log_softmax(1)[torch.arange(50), truth[:50, 0].long()]
    assert float(task.loss(outputs, truth)) == pytest.approx(float(-logs.mean()), rel=1e-5)
    assert task.monitor in figures


def test_points_are_told_in_pixels_and_beside_their_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = 0.5 + 0.1 * torch.randn(30, N_COORDINATES, generator=generator)
    truth[:5, :4] = float("nan")
    task = make_task("points", truth)
    known = torch.where(torch.isnan(truth), torch.nanmean(truth, 0), truth)
    spread = torch.stack([column[~torch.isnan(column)].std(correction=0) for column in truth.T])
    exact = (known - torch.nanmean(truth, 0)) / spread
    assert float(task.loss(exact, truth)) < 1e-6
    assert task.figures(exact, truth)["points_error"] == pytest.approx(0, abs=1e-3)
    assert task.figures(exact, truth)["points_explained"] == pytest.approx(1, abs=1e-5)
    usual = task.figures(torch.zeros_like(truth), truth)
    assert usual["points_explained"] == pytest.approx(0, abs=1e-5)
    shifted = exact + 3 / 112 / spread  # by 3 pixels in both directions
    assert task.figures(shifted, truth)["points_error"] == pytest.approx(3 * 2**0.5, rel=1e-3)
    elsewhere = exact.clone()
    elsewhere[:5, :4] = 99.0  # where nothing is known
    torch.testing.assert_close(task.loss(elsewhere, truth), task.loss(exact, truth))


UNLABELLED = {
    "au": UNKNOWN, "va": float("nan"), "expression": UNKNOWN, "points": float("nan"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(WIDTHS))
def test_a_batch_without_any_label_of_a_task_gives_a_loss_of_zero(name: str) -> None:
    labels = torch.zeros(8, WIDTHS[name])
    task = make_task(name, labels)
    outputs = torch.randn(8, task.outputs, requires_grad=True)
    loss = task.loss(outputs, torch.full_like(labels, UNLABELLED[name]))
    assert loss == 0
    loss.backward()
    assert (outputs.grad == 0).all()


def test_a_single_known_value_has_no_correlation() -> None:
    truth = torch.full((8, 2), float("nan"))
    truth[3] = 0.5
    task = make_task("va", truth)
    outputs = torch.randn(8, 2, requires_grad=True)
    assert task.loss(outputs, truth) == 0
    truth[:, 1] = torch.linspace(-1, 1, 8)  # the other column now counts alone
    expected = 1 - concordance(outputs, truth)[1]
    torch.testing.assert_close(task.loss(outputs, truth), expected)


def test_a_face_with_some_labels_teaches_those_tasks_alone() -> None:
    generator = torch.Generator().manual_seed(3)
    aus = torch.randint(0, 2, (30, 12), generator=generator).float()
    classes = torch.randint(0, 7, (30, 1), generator=generator).float()
    aus[:15], classes[15:] = UNKNOWN, UNKNOWN
    task = make_joint_task(["expression", "au"], torch.cat([classes, aus], 1))
    outputs = torch.randn(30, 19, generator=generator, requires_grad=True)
    task.loss(outputs, torch.cat([classes, aus], 1)).backward()
    assert outputs.grad is not None
    assert (outputs.grad[:15, 7:] == 0).all()
    assert (outputs.grad[15:, :7] == 0).all()
    assert (outputs.grad[:15, :7] != 0).all()
    assert (outputs.grad[15:, 7:] != 0).all()
    assert (task.outputs, task.monitor) == (19, "expression_f1")


def test_contempt_is_an_eighth_class_where_the_training_part_has_it() -> None:
    truth = torch.tensor([[0.0], [7.0], [3.0], [-1.0]])
    task = make_task("expression", truth)
    assert task.outputs == len(FACE_CLASSES) == 8
    outputs = 9 * torch.eye(8)[[0, 7, 3, 1]]
    assert task.figures(outputs, truth)["accuracy"] == 1
    assert float(task.loss(outputs, truth)) < 0.01


def test_votes_are_learnt_as_shares() -> None:
    generator = torch.Generator().manual_seed(0)
    shares = torch.rand(6, 8, generator=generator)
    shares = shares / shares.sum(1, keepdim=True)
    shares[4] = torch.tensor([0.5, 0.5, 0, 0, 0, 0, 0, 0])
    shares[5] = torch.nan
    task = make_task("expression", shares)
    outputs = torch.randn(6, 8, generator=generator, requires_grad=True)
    loss = task.loss(outputs, shares)
    p = outputs.detach().double().softmax(1).numpy()
    expected = -(shares[:5].double().numpy() * np.log(p[:5])).sum(1).mean()
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert outputs.grad is not None
    # what the shares are is what is said at the least loss
    torch.testing.assert_close(outputs.grad[:5], (outputs.softmax(1) - shares)[:5].detach() / 5)
    assert not outputs.grad[5].any()
    assert float(task.loss(outputs.detach()[5:], shares[5:])) == 0
    figures = task.figures(outputs.detach(), shares)  # of the four without a tie
    hits = (outputs[:4].argmax(1) == shares[:4].argmax(1)).double().mean()
    assert figures["accuracy"] == pytest.approx(float(hits))


@pytest.mark.parametrize(("graded", "voted"), [(0, 0), (12, 0), (0, 7), (12, 7)])
def test_a_joint_task_knows_what_its_columns_are(graded: int, voted: int) -> None:
    names = ["va", "expression", "au", "points"]
    columns = 2 + 1 + 12 + N_COORDINATES + graded + voted
    assert widths_of(names, columns) == [2, 1 + voted, 12 + graded, N_COORDINATES]
    assert widths_of(["au", "points"], 12 + N_COORDINATES + graded) == [12 + graded, N_COORDINATES]
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (20, 12), generator=generator).float()
    strength = 5 * torch.rand(20, graded, generator=generator)
    shares = torch.rand(20, 8, generator=generator).softmax(1)
    faces = shares if voted else torch.randint(0, 7, (20, 1), generator=generator).float()
    joint = make_joint_task(
        ["expression", "au"], torch.cat([faces, labels, strength], 1), 0.5,
        intensity_loss="ordinal",
    )  # fmt: skip
    classes = 8 if voted else 7
    outputs = torch.randn(20, classes + 12, generator=generator)
    one = make_task("expression", faces)
    many = make_task("au", torch.cat([labels, strength], 1), 0.5, intensity_loss="ordinal")
    expected = one.loss(outputs[:, :classes], faces) + 12 * many.loss(
        outputs[:, classes:], torch.cat([labels, strength], 1)
    )
    torch.testing.assert_close(
        joint.loss(outputs, torch.cat([faces, labels, strength], 1)), expected
    )
    assert joint.au_start == classes


def test_the_settings_loss_of_intensity_is_used() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.cat([torch.full((30, 12), -1.0), 5 * torch.rand(30, 12, generator=generator)], 1)
    outputs = torch.randn(30, 12, generator=generator)
    for kind in ("smooth_l1", "ordinal", "concordance"):
        task = make_task("au", truth, 2.0, intensity_loss=kind)
        torch.testing.assert_close(
            task.loss(outputs, truth), 2 * intensity_error(outputs, truth[:, 12:], kind)
        )
