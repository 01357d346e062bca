"""Masked losses against torch's own on the known labels."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import binary_cross_entropy_with_logits

from stages.core.errors import DataError
from stages.core.facs import AFF_WILD2_BASE_RATES
from stages.learning.losses import (
    au_weight,
    class_weight,
    masked_bce,
    positive_weight,
    presence_loss,
)
from stages.learning.settings import Loss


def test_masked_bce_is_torchs_over_the_known_labels() -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, 7, 12)
    labels = torch.randint(-1, 2, (4, 7, 12), dtype=torch.int8)
    weight = torch.rand(12) * 5
    known = labels != -1
    reference = binary_cross_entropy_with_logits(
        logits[known], labels[known].float(), pos_weight=weight.expand(4, 7, 12)[known]
    )
    torch.testing.assert_close(masked_bce(logits, labels, weight), reference)


def test_unknown_labels_get_no_gradient_and_none_known_gives_zero() -> None:
    logits = torch.randn(3, 12, requires_grad=True)
    labels = torch.full((3, 12), -1, dtype=torch.int8)
    labels[0, 0] = 1
    masked_bce(logits, labels).backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum() == logits.grad[0, 0].abs() > 0
    assert masked_bce(logits, torch.full((3, 12), -1)) == 0


def test_positive_weight_counts_only_known_labels() -> None:
    labels = torch.tensor([[1, 0], [0, 0], [0, -1], [-1, -1]], dtype=torch.int8)
    torch.testing.assert_close(positive_weight(labels), torch.tensor([2.0, 2.0]))
    rare = torch.zeros(1000, 1, dtype=torch.int8)
    rare[0] = 1
    assert positive_weight(rare, limit=30.0).item() == 30.0
    assert positive_weight(1 - rare).item() == 1.0  # usual: not weighted down


def test_weights_of_the_released_code_follow_from_the_base_rates() -> None:
    published = [5.31, 12.62, 4.06, 2.35, 1.58, 1.82, 2.56, 22.33, 19.92, 24.53, 1.0, 8.44]
    labels = torch.zeros(1000, 12, dtype=torch.int8)
    for column, rate in enumerate(AFF_WILD2_BASE_RATES.values()):
        labels[: round(rate * 1000), column] = 1
    labels = torch.cat([labels, torch.full_like(labels, -1)])
    weight = class_weight(labels, "au25")
    # the rates are known to a tenth of a percent only
    torch.testing.assert_close(weight, torch.tensor(published), rtol=0.02, atol=0)


def test_rules_of_the_weights() -> None:
    labels = torch.tensor([[0] * 12, [1] * 12, [0] * 12], dtype=torch.int8)
    assert class_weight(labels, "none") is None
    torch.testing.assert_close(class_weight(labels, "negatives"), torch.full((12,), 2.0))
    labels[:, 10] = 0
    with pytest.raises(DataError, match="No training frame has AU25 active"):
        class_weight(labels, "au25")


CHOICES = [
    Loss(),
    Loss(smoothing=0.2),
    Loss(kind="asymmetric", gamma_positive=1.0, gamma_negative=2.0, margin=0.1),
    Loss(kind="asymmetric", gamma_negative=2.0, margin=0.0, smoothing=0.1),
]


def written_out(logit: float, label: int, loss: Loss) -> float:
    """Error of one label without any weight, in plain numbers."""
    p = 1 / (1 + math.exp(-logit))
    target = {0: loss.smoothing / 2, 1: 1 - loss.smoothing / 2}[label]
    if loss.kind == "bce":
        return -target * math.log(p) - (1 - target) * math.log(1 - p)
    q = max(p - loss.margin, 0)
    positive = (1 - p) ** loss.gamma_positive * math.log(p)
    return -target * positive - (1 - target) * q**loss.gamma_negative * math.log(1 - q)


@pytest.mark.parametrize("loss", CHOICES)
def test_losses_against_a_loop_over_labels(loss: Loss) -> None:
    torch.manual_seed(0)
    logits = 3 * torch.randn(2, 5, 12)
    labels = torch.randint(-1, 2, (2, 5, 12), dtype=torch.int8)
    known = [(x, int(y)) for x, y in zip(logits.flatten().tolist(), labels.flatten(), strict=True)]
    errors = [written_out(x, y, loss) for x, y in known if y != -1]
    assert float(presence_loss(logits, labels, loss)) == pytest.approx(sum(errors) / len(errors))
    assert float(presence_loss(logits, torch.full_like(labels, -1), loss)) == 0


def test_an_asymmetric_loss_by_hand() -> None:
    """Of logits ln 4 and -ln 4 (probabilities 0.8 and 0.2), a positive and a negative each."""
    loss = Loss(kind="asymmetric", gamma_positive=1.0, gamma_negative=2.0, margin=0.1)
    logits = torch.tensor([[math.log(4), -math.log(4), math.log(4), -math.log(4)]])
    labels = torch.tensor([[1, 1, 0, 0]], dtype=torch.int8)
    each = [
        -0.2 * math.log(0.8),
        -0.8 * math.log(0.2),
        -(0.7**2) * math.log(0.3),
        -(0.1**2) * math.log(0.9),
    ]
    weight = torch.tensor([3.0, 1.0, 5.0, 1.0])  # of positives alone
    share = torch.tensor([1.0, 2.0, 1.0, 0.5])  # of an AU as a whole
    found = presence_loss(logits, labels, loss, weight, share)
    expected = 3 * each[0] + 2 * each[1] + each[2] + 0.5 * each[3]
    assert float(found) == pytest.approx(expected / 4)


@pytest.mark.parametrize("loss", CHOICES)
def test_gradients_are_finite_everywhere_and_none_where_nothing_is_known(loss: Loss) -> None:
    ends = torch.tensor([-200.0, -30.0, -3.0, 0.0, 3.0, 30.0, 200.0])
    logits = ends[:, None].repeat(1, 3).requires_grad_()
    labels = torch.tensor([[1, 0, -1]] * 7, dtype=torch.int8)
    presence_loss(logits, labels, loss).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert (logits.grad[:, 2] == 0).all()
    assert (logits.grad[2:4, 0] < 0).all()  # towards presence
    assert (logits.grad[3:5, 1] > 0).all()
    numeric = torch.autograd.functional.jacobian(
        lambda x: presence_loss(x, labels[2:5], loss), logits.detach()[2:5]
    )
    torch.testing.assert_close(numeric * 6 / 14, logits.grad[2:5])


@pytest.mark.parametrize("loss", [c for c in CHOICES if c.smoothing])
def test_a_smoothed_label_weighs_as_the_hard_one(loss: Loss) -> None:
    logits = torch.tensor([[0.5, 0.5]])
    labels = torch.tensor([[1, 0]], dtype=torch.int8)
    found = presence_loss(logits, labels, loss, torch.tensor([30.0, 30.0]))
    expected = 30 * written_out(0.5, 1, loss) + written_out(0.5, 0, loss)
    assert float(found) == pytest.approx(expected / 2)


def test_what_is_surely_absent_counts_nothing_under_a_margin() -> None:
    loss = Loss(kind="asymmetric", margin=0.05)
    logits = torch.tensor([[math.log(0.04 / 0.96)]], requires_grad=True)
    value = presence_loss(logits, torch.zeros(1, 1, dtype=torch.int8), loss)
    value.backward()
    assert float(value.detach()) == 0
    assert logits.grad is not None
    assert float(logits.grad) == 0


def test_the_plain_loss_has_the_bytes_of_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, weight = torch.randn(4, 12), torch.rand(12)
    labels = torch.randint(-1, 2, (4, 12), dtype=torch.int8)
    same = presence_loss(logits, labels, Loss(), weight)
    assert torch.equal(same, masked_bce(logits, labels, weight))


def test_weights_of_whole_aus() -> None:
    labels = torch.tensor([[1, 0, 0], [1, 0, 0], [0, 1, -1], [0, 0, -1]], dtype=torch.int8)
    assert au_weight(labels, "equal") is None
    # known for each that is active: 2, 4, and 2 for the one that never is
    expected = torch.tensor([2.0, 4.0, 2.0]) * 3 / 8
    torch.testing.assert_close(au_weight(labels, "rarity"), expected)
    rare = torch.zeros(1000, 2, dtype=torch.int8)
    rare[:500, 0] = 1
    rare[0, 1] = 1
    torch.testing.assert_close(au_weight(rare, "rarity"), torch.tensor([2.0, 30.0]) / 16)


def test_an_exponent_between_nothing_and_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="0, or 1 and more"):
        Loss(kind="asymmetric", gamma_negative=0.5)
