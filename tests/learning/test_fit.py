"""The epoch loop: best epoch, early stop, and the same bytes after a kill."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from stages.learning.fit import Fitted, Recipe, epoch_seed, fit, step_schedule


class Killed(BaseException):
    """Stands for SIGKILL: no `except Exception` may catch it."""


def run(
    folder: Path,
    *,
    epochs: int = 6,
    patience: int = 99,
    kill_at: int | None = None,
    figure: Callable[[int], float] | None = None,
    seed: int = 0,
    watched: Callable[[int], float] | None = None,
    average: float = 0.0,
    seen: list[Tensor] | None = None,
) -> Fitted:
    folder.mkdir(exist_ok=True)
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    started: list[int] = []

    def batches(epoch: int) -> Iterator[Tensor]:
        started.append(epoch)
        generator = torch.Generator().manual_seed(epoch_seed(seed, epoch, "batches"))
        for step in range(3):
            if epoch == kill_at and step == 1:
                raise Killed
            yield torch.randn(5, 4, generator=generator)

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        if seen is not None and model.training:
            seen.append(network[0].weight.detach().clone())
        return (model(batch)[:, 0] - batch.sum(1)).square().mean()

    def validate(model: nn.Module) -> dict[str, float]:
        assert not model.training
        if figure is not None and watched is not None:
            return {"score": figure(started[-1]), "other": watched(started[-1])}
        if figure is not None:
            return {"score": figure(started[-1])}
        return {"score": -float(loss(model, torch.ones(1, 4)))}

    return fit(
        network,
        batches=batches,
        loss=loss,
        validate=validate,
        monitor="score",
        recipe=Recipe(
            epochs,
            0.01,
            1e-5,
            step_schedule(2, 0.5),
            patience,
            watched=("other",) if watched else (),
            average=average,
        ),
        seed=seed,
        folder=folder,
        fabric=Fabric(accelerator="cpu", devices=1),
        description="toy",
    )


@pytest.mark.parametrize(("kill_at", "average"), [(1, 0.0), (3, 0.9), (5, 0.0)])
def test_a_killed_run_ends_in_the_same_weights_and_history(
    tmp_path: Path, kill_at: int, average: float
) -> None:
    undisturbed = run(tmp_path / "a", average=average)
    with pytest.raises(Killed):
        run(tmp_path / "b", kill_at=kill_at, average=average)
    resumed = run(tmp_path / "b", average=average)
    assert resumed.history == undisturbed.history
    assert resumed.best_epoch == undisturbed.best_epoch
    for name, tensor in undisturbed.state.items():
        assert torch.equal(tensor, resumed.state[name])


def test_same_seed_same_weights_other_seed_other_weights(tmp_path: Path) -> None:
    first, again, other = run(tmp_path / "a"), run(tmp_path / "b"), run(tmp_path / "c", seed=1)
    assert all(torch.equal(tensor, again.state[name]) for name, tensor in first.state.items())
    assert not torch.equal(first.state["0.weight"], other.state["0.weight"])


def test_the_best_epoch_is_kept_not_the_last(tmp_path: Path) -> None:
    fitted = run(tmp_path / "a", figure=lambda epoch: -abs(epoch - 2))
    assert fitted.best_epoch == 3
    until_then = run(tmp_path / "b", epochs=3, figure=lambda epoch: epoch)
    for name, tensor in until_then.state.items():
        assert torch.equal(tensor, fitted.state[name])


def test_patience_stops_the_training(tmp_path: Path) -> None:
    fitted = run(tmp_path / "a", epochs=50, patience=4, figure=lambda epoch: -abs(epoch - 2))
    assert len(fitted.history) == 3 + 4


def test_a_watched_figure_that_gets_better_keeps_training_going_but_picks_no_epoch(
    tmp_path: Path,
) -> None:
    fitted = run(
        tmp_path / "a",
        epochs=50,
        patience=4,
        figure=lambda epoch: -abs(epoch - 2),
        watched=lambda epoch: min(epoch, 9),
    )
    assert len(fitted.history) == 10 + 4
    assert fitted.best_epoch == 3


def test_schedule_is_torchs_step_lr() -> None:
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([parameter], lr=0.1)
    reference = torch.optim.lr_scheduler.StepLR(optimizer, step_size=20, gamma=0.1)
    ours = step_schedule(20, 0.1)
    for epoch in range(50):
        assert 0.1 * ours(epoch) == pytest.approx(reference.get_last_lr()[0])
        optimizer.step()
        reference.step()


def test_epoch_seeds_differ_by_seed_epoch_and_purpose() -> None:
    seeds = {epoch_seed(s, e, p) for s in range(5) for e in range(50) for p in ("", "windows")}
    assert len(seeds) == 500


def test_the_running_mean_of_the_weights_is_what_is_kept(tmp_path: Path) -> None:
    seen: list[Tensor] = []
    fitted = run(tmp_path / "a", average=0.9, seen=seen, figure=lambda epoch: epoch)
    plain = run(tmp_path / "b", figure=lambda epoch: epoch)
    after = [*seen[1:], plain.state["0.weight"]]  # weights after each step; training is the same
    mean = after[0]
    for count, weight in enumerate(after[1:], start=1):
        keep = min(0.9, (1 + count) / (10 + count))
        mean = keep * mean + (1 - keep) * weight
    torch.testing.assert_close(fitted.state["0.weight"], mean)
    assert not torch.allclose(fitted.state["0.weight"], plain.state["0.weight"])
