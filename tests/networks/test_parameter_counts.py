"""Parameters of every network at its published size, counted by hand."""

from typing import get_args

import pytest

from stages.check_settings import load_params
from stages.networks.base import Dimensions
from stages.networks.registry import parameter_count
from stages.networks.settings import Model
from stages.sequence.protocol import network_settings
from stages.sequence.settings import FRAME_HEAD

V, A, D = 512, 192, 1024  # widths of the inputs, and of the published networks
NO_SOUND = A


def affine(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def published_head(width: int) -> int:
    return affine(width, 512) + affine(512, 256) + affine(256, 12)


def attention_layer(width: int) -> int:
    return 4 * affine(width, width) + affine(width, 1024) + affine(1024, width) + 4 * width


def recurrent(gates: int, directions: int) -> int:
    one = gates * (D * 300 + 300 * 300 + 2 * 300)
    return affine(V + A, D) + directions * one + published_head(300 * directions)


def convolutions() -> int:
    total = 0
    for inputs, outputs in ((1024, 768), (768, 256), (256, 128)):
        for wide in (inputs, outputs):
            total += wide * outputs * 5 + outputs + outputs  # with weight norm's lengths, and bias
        total += affine(inputs, outputs)
    return total


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("transformer", affine(V + A, D) + 4 * attention_layer(D) + published_head(D)),
        ("tcn", affine(V + A, D) + convolutions() + published_head(128)),
        ("gru", recurrent(3, 1)),
        ("bigru", recurrent(3, 2)),
        ("lstm", recurrent(4, 1)),
        ("bilstm", recurrent(4, 2)),
        (
            "tcn_transformer",
            affine(V + A, D) + convolutions() + 4 * attention_layer(D) + published_head(D + 128),
        ),
        (
            "dual_transformer",
            affine(V, D) + affine(A, D) + 8 * attention_layer(D) + published_head(2 * D),
        ),
        (
            "cross_attention_transformer",
            affine(V, D)
            + affine(A, D)
            + 4 * attention_layer(D)
            + 2 * attention_layer(2 * D)
            + published_head(2 * D),
        ),
        (
            "au_query",
            affine(V + A, D)
            + 4 * attention_layer(D)
            + affine(D, 256)
            + 12 * 256
            + 2 * (8 * affine(256, 256) + affine(256, 512) + affine(512, 256) + 6 * 256)
            + 12 * 256
            + 12,
        ),
        (
            "au_graph",
            affine(V + A, D)
            + 4 * attention_layer(D)
            + affine(D, 12 * 128)
            + 2 * (affine(128, 128) + 128 * 128 + 2 * 128 + 12 * 12)
            + 12 * 128
            + 12,
        ),
    ],
)
def test_parameters_of_the_published_sizes(name: Model, expected: int) -> None:
    settings = network_settings(load_params(), name, "full")
    assert parameter_count(Dimensions(name, V, A, settings)) == expected + NO_SOUND


def test_every_network_is_counted_here() -> None:
    marks = test_parameters_of_the_published_sizes.pytestmark  # type: ignore[attr-defined]
    counted = {case[0] for case in marks[0].args[1]}
    assert counted == set(get_args(Model)) - {FRAME_HEAD}  # which is none of the paper's
