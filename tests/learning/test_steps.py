"""Steps over several batches, rates by parameter, and precision."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from stages.learning.fit import Recipe, fit, step_schedule
from stages.learning.steps import in_groups

Batch = tuple[Tensor, Tensor]


def loss(network: nn.Module, batch: Batch) -> Tensor:
    return (network(batch[0]) - batch[1]).square().mean()


def parts(count: int, size: int = 4) -> list[Batch]:
    generator = torch.Generator().manual_seed(3)
    return [
        (torch.randn(size, 6, generator=generator), torch.randn(size, 2, generator=generator))
        for _ in range(count)
    ]


def trained(
    folder: Path, batches: list[Batch], replicas: int = 1, precision: str = "32-true", **how: object
) -> tuple[nn.Module, list[float]]:
    """Train a small network for one epoch; the network, and the loss of the epoch."""
    folder.mkdir()
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))

    def given(epoch: int) -> Iterator[Batch]:
        yield from batches

    fitted = fit(
        network, batches=given, loss=loss, validate=None, monitor=None,
        recipe=Recipe(1, 0.01, 0.0, step_schedule(1, 1.0), 9, **how),  # type: ignore[arg-type]
        seed=0, folder=folder, replicas=replicas, description="toy", progress=False,
        fabric=Fabric(accelerator="cpu", devices=1, precision=precision),  # type: ignore[arg-type]
    )  # fmt: skip
    return network, [row["loss"] for row in fitted.history]


def test_groups_of_batches() -> None:
    assert list(in_groups(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(in_groups([], 3)) == []


@pytest.mark.parametrize("replicas", [1, 2])
def test_two_small_batches_are_as_one_of_twice_the_size(tmp_path: Path, replicas: int) -> None:
    small = parts(6)
    large = [tuple(torch.cat(pair) for pair in zip(a, b, strict=True)) for a, b in
             zip(small[::2], small[1::2], strict=True)]  # fmt: skip
    found, losses = trained(tmp_path / "a", small, replicas, accumulate=2)
    expected, whole = trained(tmp_path / "b", large, 1)  # type: ignore[arg-type]
    for ours, theirs in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert losses == pytest.approx(whole, rel=1e-5)
    apart, _ = trained(tmp_path / "c", small, replicas)
    assert not torch.allclose(next(apart.parameters()), next(expected.parameters()), atol=1e-3)


def test_the_last_step_may_have_fewer_batches(tmp_path: Path) -> None:
    first, last = parts(3)[:2], parts(3)[2]
    whole = tuple(torch.cat(pair) for pair in zip(*first, strict=True))
    found, _ = trained(tmp_path / "a", [*first, last], accumulate=2)
    expected, _ = trained(tmp_path / "b", [whole, last])  # type: ignore[list-item]
    for ours, theirs in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_each_parameter_has_a_rate_of_its_own(tmp_path: Path) -> None:
    """Adam's first step is as long as its rate, whatever the gradient is."""
    torch.manual_seed(0)
    before = copy.deepcopy(nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2)))
    rates = {"0.weight": 0.25, "0.bias": 0.25, "2.weight": 1.0, "2.bias": 0.0}
    after, _ = trained(tmp_path / "a", parts(1), rates=rates)
    for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True):
        moved = (new - old).abs().detach()
        torch.testing.assert_close(moved, torch.full_like(moved, 0.01 * rates[name]),
                                   rtol=1e-2, atol=1e-7)  # fmt: skip


def test_the_loss_is_computed_under_the_precision_of_the_settings(tmp_path: Path) -> None:
    seen = []

    class Watching(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            made = super().forward(x)
            seen.append(made.dtype)
            return made

    for precision in ("32-true", "bf16-mixed"):
        (tmp_path / precision).mkdir()
        fit(
            Watching(6, 2), batches=lambda _: iter(parts(2)), loss=loss, validate=None,
            monitor=None, recipe=Recipe(1, 0.01, 0.0, step_schedule(1, 1.0), 9, accumulate=2),
            seed=0, folder=tmp_path / precision, description="toy", progress=False,
            fabric=Fabric(accelerator="cpu", devices=1, precision=precision),  # type: ignore[arg-type]
        )  # fmt: skip
    assert seen == [torch.float32] * 2 + [torch.bfloat16] * 2
