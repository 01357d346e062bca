"""The section ``models`` of ``params.yaml``: the dimensions of each sequence network at each scale.

A network's checkpoint holds the same keys (and ``causal``, a choice of protocol, where it has
convolutions over time), so that it can be loaded without ``params.yaml``.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from stages.core.facs import N_AUS
from stages.core.setting_types import Fraction, Number, Positive, Section

Model = Literal[
    "transformer",
    "tcn",
    "gru",
    "bigru",
    "lstm",
    "bilstm",
    "tcn_transformer",
    "dual_transformer",
    "cross_attention_transformer",
    "au_query",
    "au_graph",
    "frame_head",
]


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("an odd number of frames is needed")
    return value


class Transformer(Section):
    """Dimensions of ``transformer`` and ``dual_transformer``."""

    width: Positive
    layers: Positive
    heads: Positive
    feedforward: Positive
    dropout: Fraction
    head: tuple[Positive, ...]


class TCN(Section):
    """Dimensions of ``tcn``; ``choices.tcn_causal`` says whether it sees what follows."""

    width: Positive
    channels: tuple[Positive, ...] = Field(min_length=1)
    kernel: Positive
    dropout: Fraction
    head: tuple[Positive, ...]


class Recurrent(Section):
    """Dimensions of ``gru``, ``bigru``, ``lstm`` and ``bilstm``; `hidden` is of one direction."""

    width: Positive
    hidden: Positive
    layers: Positive
    dropout: Fraction
    head: tuple[Positive, ...]


class TCNTransformer(TCN):
    """Dimensions of ``tcn_transformer``; `width` is what both branches are given."""

    layers: Positive
    heads: Positive
    feedforward: Positive


class CrossAttention(Section):
    """Dimensions of ``cross_attention_transformer``.

    `width` is that of one modality; the `layers` over both are twice as wide.
    """

    width: Positive
    cross_layers: Positive
    layers: Positive
    heads: Positive
    feedforward: Positive
    dropout: Fraction
    head: tuple[Positive, ...]


class AUQuery(Transformer):
    """Dimensions of ``au_query``: a transformer, and the decoder of the AUs' queries behind it.

    `heads` are those of both. `head` are layers that all AUs share.
    """

    query_width: Positive
    query_layers: Positive
    query_feedforward: Positive


class AUGraph(Transformer):
    """Dimensions of ``au_graph``: a transformer, and graph layers over one node per AU behind it.

    `adjacency` says how much AUs take of one another: learned weights, the same in all frames;
    equal ones of the `neighbours` nodes that are most alike, in each frame anew; or how often they
    come together in the training labels. `head` are layers that all AUs share.
    """

    node_width: Positive
    graph_layers: Positive
    adjacency: Literal["learned", "nearest", "cooccurrence"]
    neighbours: Annotated[int, Field(gt=0, lt=N_AUS), Number]


class FrameHead(Section):
    """Dimensions of ``frame_head``.

    Its box in frames, an odd number, and whether the weights of the encoders in the mean are
    learned or equal, or their median is taken: one encoder's false alarm has no part in it.
    """

    box: Annotated[int, Field(gt=0), AfterValidator(_odd), Number]
    shares: Literal["learned", "equal", "median"] = "learned"


class BuiltTCN(TCN):
    """What ``tcn`` is built from."""

    causal: bool


class BuiltTCNTransformer(TCNTransformer):
    """What ``tcn_transformer`` is built from."""

    causal: bool


class TransformerScales(Section):
    """A transformer's dimensions at both scales."""

    small: Transformer
    full: Transformer


class TCNScales(Section):
    """A temporal convolution network's dimensions at both scales."""

    small: TCN
    full: TCN


class RecurrentScales(Section):
    """A recurrent network's dimensions at both scales."""

    small: Recurrent
    full: Recurrent


class TCNTransformerScales(Section):
    """Dimensions of ``tcn_transformer`` at both scales."""

    small: TCNTransformer
    full: TCNTransformer


class CrossAttentionScales(Section):
    """Dimensions of ``cross_attention_transformer`` at both scales."""

    small: CrossAttention
    full: CrossAttention


class AUQueryScales(Section):
    """Dimensions of ``au_query`` at both scales."""

    small: AUQuery
    full: AUQuery


class AUGraphScales(Section):
    """Dimensions of ``au_graph`` at both scales."""

    small: AUGraph
    full: AUGraph


class FrameHeadScales(Section):
    """Dimensions of ``frame_head`` at both scales."""

    small: FrameHead
    full: FrameHead


class Models(Section):
    """One section a network."""

    transformer: TransformerScales
    tcn: TCNScales
    gru: RecurrentScales
    bigru: RecurrentScales
    lstm: RecurrentScales
    bilstm: RecurrentScales
    tcn_transformer: TCNTransformerScales
    dual_transformer: TransformerScales
    cross_attention_transformer: CrossAttentionScales
    au_query: AUQueryScales
    au_graph: AUGraphScales
    frame_head: FrameHeadScales
