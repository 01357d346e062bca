"""Replicas give the gradient of the whole batch, and the same bytes each time."""

import copy

import pytest
import torch
from torch import Tensor, nn

from stages.learning.replicas import Replicas


def loss(network: nn.Module, part: tuple[Tensor, ...]) -> Tensor:
    inputs, targets = part
    return (network(inputs) - targets).square().mean()


def batch(size: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(size, 6, generator=generator), torch.randn(size, 2, generator=generator)


def gradients(network: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize(("size", "count"), [(8, 2), (7, 2), (9, 4), (1, 2)])
def test_gradient_and_loss_are_those_of_the_whole_batch(size: int, count: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))
    whole = copy.deepcopy(network)
    expected = loss(whole, batch(size))
    expected.backward()  # type: ignore[no-untyped-call]
    replicas = Replicas(network, count)
    value = replicas.backward(loss, batch(size))
    replicas.close()
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(gradients(network), gradients(whole))


def test_copies_follow_the_optimizer_and_share_running_figures() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    replicas = Replicas(network, 2)
    replicas.train()
    parts = [tuple(t[i * 4 : i * 4 + 4] for t in batch(8)) for i in range(2)]
    norm = network[1]
    assert isinstance(norm, nn.BatchNorm1d)
    for _ in range(3):
        with torch.no_grad():  # each part's batch mean, from the parameters as they are now
            means = [network[0](part[0]).mean(0) for part in parts]
        wanted = 0.9 * norm.running_mean.clone() + 0.1 * torch.stack(means).mean(0)
        replicas.backward(loss, batch(8))
        torch.testing.assert_close(norm.running_mean, wanted)
        optimizer.step()
    replicas.close()


def test_same_bytes_each_time() -> None:
    def train() -> list[Tensor]:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
        replicas = Replicas(network, 2)
        for _ in range(20):
            replicas.backward(loss, batch(16))
            optimizer.step()
        replicas.close()
        return [p.detach().clone() for p in network.parameters()]

    first, again = train(), train()
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_network_that_draws_random_numbers_is_refused() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Linear(6, 2))
    replicas = Replicas(network, 2)
    replicas.train()
    with pytest.raises(RuntimeError, match="random"):
        replicas.backward(loss, batch(8))
    replicas.close()
