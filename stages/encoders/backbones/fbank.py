"""`fbank`: Kaldi's logarithmic Mel filter bank, 80 bins, windows of 25 ms every 10 ms."""

import torch
from torch import Tensor, nn

from stages.encoders.base import AudioEncoder, Dimensions

RATE = 16_000  # Hz
WINDOW = 400  # samples: 25 ms
HOP = 160  # samples: 10 ms
PCM_SCALE = 32768.0  # Kaldi's samples are 16-bit integers


class FilterBank(nn.Module):
    """torchaudio's Kaldi filter bank; it has no weights."""

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.width = bins

    def forward(self, samples: Tensor) -> Tensor:
        """Map (n, samples), full scale 1, to (n, steps, bins) logarithms of energies."""
        from torchaudio.compliance import kaldi

        rows = [
            kaldi.fbank(
                row[None] * PCM_SCALE,
                num_mel_bins=self.width,
                frame_length=1000 * WINDOW / RATE,
                frame_shift=1000 * HOP / RATE,
                sample_frequency=RATE,
                dither=0.0,  # the same sound, the same features
            )
            for row in samples
        ]
        return torch.stack(rows)


def build(dimensions: Dimensions) -> FilterBank:
    """Build the filter bank; ``bins`` is its width."""
    return FilterBank(dimensions["bins"])


ENCODER = AudioEncoder(
    name="fbank",
    build=build,
    scales={"small": {"bins": 80}, "full": {"bins": 80}},
    source="torchaudio.compliance.kaldi.fbank, no weights",
    licence="BSD-2-Clause",
    sampling_rate=RATE,
    window=WINDOW,
    hop=HOP,
    block=3000,  # 30 s
    context=0,  # each window is computed for itself
)
