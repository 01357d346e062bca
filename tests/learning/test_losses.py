"""Masked losses against torch's own on the known labels."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from stages.core.errors import DataError
from stages.core.facs import AFF_WILD2_BASE_RATES
from stages.learning.losses import class_weight, masked_bce, positive_weight


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
