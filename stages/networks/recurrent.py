"""Recurrent networks over both modalities: GRU and LSTM, each in one direction or in both.

References
----------
S. Hochreiter, J. Schmidhuber. Long short-term memory. Neural Computation 9(8), 1997.
J. Chung, C. Gulcehre, K. Cho, Y. Bengio. Empirical evaluation of gated recurrent neural networks
on sequence modeling. arXiv:1412.3555, 2014.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from stages.networks.base import Dimensions, Head, Network
from stages.networks.settings import Recurrent as RecurrentDimensions


class Recurrent(Network):
    """Linear map, recurrent layers, head; the layers run over the real frames alone."""

    kind: ClassVar[type[nn.GRU] | type[nn.LSTM]]
    bidirectional: ClassVar[bool]

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__(dimensions)
        d = RecurrentDimensions.model_validate(dimensions.settings)
        self.affine = nn.Linear(dimensions.seen_width + dimensions.audio_width, d.width)
        self.layers = self.kind(
            d.width,
            d.hidden,
            d.layers,
            batch_first=True,
            dropout=d.dropout if d.layers > 1 else 0.0,  # torch's is between layers only
            bidirectional=self.bidirectional,
        )
        self.dropout = nn.Dropout(d.dropout)
        self.head = Head(d.hidden * (2 if self.bidirectional else 1), d.head)

    def encode(self, visual: Tensor, audio: Tensor, real: Tensor) -> Tensor:
        """See :meth:`Network.encode`."""
        x = self.affine(torch.cat([visual, audio], dim=-1))  # (batch, frames, width)
        logits: Tensor = self.head(self.dropout(self.run_layers(x, real)))
        return logits

    def run_layers(self, x: Tensor, real: Tensor) -> Tensor:
        """Map (batch, frames, width) to (batch, frames, directions x hidden), 0 where padded."""
        if bool(real.all()):
            states: Tensor = self.layers(x)[0]
            return states
        # torch packs by length alone: the real frames go to the front, and back afterwards
        order = torch.argsort(~real, dim=1, stable=True)
        row = torch.arange(len(x), device=x.device)[:, None]
        lengths = real.sum(1).clamp(min=1).cpu()
        packed = pack_padded_sequence(
            x[row, order], lengths, batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(
            self.layers(packed)[0], batch_first=True, total_length=x.shape[1]
        )
        return states[row, torch.argsort(order, dim=1)]


class GRU(Recurrent):
    """Gated recurrent units from the first frame to the last."""

    kind = nn.GRU
    bidirectional = False


class BiGRU(Recurrent):
    """Gated recurrent units in both directions; their states are concatenated."""

    kind = nn.GRU
    bidirectional = True


class LSTM(Recurrent):
    """Long short-term memory from the first frame to the last."""

    kind = nn.LSTM
    bidirectional = False


class BiLSTM(Recurrent):
    """Long short-term memory in both directions; the states are concatenated."""

    kind = nn.LSTM
    bidirectional = True


NETWORKS = {"gru": GRU, "bigru": BiGRU, "lstm": LSTM, "bilstm": BiLSTM}
