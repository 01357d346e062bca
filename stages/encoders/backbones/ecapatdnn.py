"""`ecapatdnn`: speechbrain's ECAPA-TDNN, an embedding of the voice, in a window that slides.

The published network turns a whole utterance into one vector. Here a step is what it makes of one
second of sound (98 frames of the filter bank), and the steps are 80 ms apart: a voice says little
in less than a second, and does not change within 80 ms. The filter bank is computed once for all
windows. What the published pipeline does over an utterance is done over each window: levels more
than 80 dB below the loudest are raised to it, and the mean of each band is subtracted. The filter
bank alone differs: its frames lie within the sound, where the published one pads the utterance with
zeros for the first and the last.

References
----------
B. Desplanques, J. Thienpondt, K. Demuynck. ECAPA-TDNN: emphasized channel attention, propagation
and aggregation in TDNN based speaker verification. Interspeech 2020.
https://huggingface.co/speechbrain/spkrec-ecapa-voxceleb
"""

from typing import Any

import torch
from torch import Tensor, nn

from stages.encoders.base import AudioEncoder, Dimensions, State
from stages.encoders.source import Source

RATE = 16_000  # Hz
BANDS = 80
FRAME = 400  # samples: 25 ms, of one frame of the filter bank
FRAME_HOP = 160  # samples: 10 ms
FRAMES = 98  # of a window: one second but for 5 ms
WINDOW = (FRAMES - 1) * FRAME_HOP + FRAME  # samples
HOP_FRAMES = 8
HOP = HOP_FRAMES * FRAME_HOP  # samples: 80 ms
FLOOR = 1e-10  # of the energy in a band
RANGE = 80.0  # decibels below the loudest
TOGETHER = 64  # windows, which bounds the memory: at full scale they take a quarter of a GiB


class Ecapa(nn.Module):
    """ECAPA_TDNN behind the filter bank and the normalisation of its published recipe."""

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__()
        from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
        from speechbrain.processing.features import STFT, Filterbank

        self.width = int(dimensions["lin_neurons"])
        self.ecapa: Any = ECAPA_TDNN(BANDS, **dimensions)
        # neither has tensors of its own to learn, to store or to move to a device
        self._spectrum: Any = STFT(RATE, center=False)
        self._bands: Any = Filterbank(n_mels=BANDS, log_mel=False)

    def _windows(self, samples: Tensor) -> Tensor:
        """Return the normalised filter bank of each window, (n, steps, FRAMES, BANDS)."""
        with torch.autocast(samples.device.type, enabled=False):
            energy = self._spectrum(samples.float()).square().sum(-1)
            levels = 10 * self._bands(energy).clamp(min=FLOOR).log10()
        windows = levels.unfold(1, FRAMES, HOP_FRAMES).transpose(2, 3)
        loudest = windows.amax((2, 3), keepdim=True)
        windows = torch.maximum(windows, loudest - RANGE)
        normal: Tensor = windows - windows.mean(2, keepdim=True)
        return normal

    def forward(self, samples: Tensor) -> Tensor:
        """Map (n, samples) to (n, steps, width)."""
        windows = self._windows(samples)
        parts = torch.split(windows.flatten(0, 1), TOGETHER)
        vectors = torch.cat([self.ecapa(part)[:, 0] for part in parts])
        return vectors.view(*windows.shape[:2], self.width)


def published(state: State) -> State:
    """Rename the tensors of speechbrain's ``embedding_model.ckpt``."""
    return {f"ecapa.{name}": tensor for name, tensor in state.items()}


def _dimensions(channels: int, attention: int, squeezed: int, width: int) -> Dimensions:
    return {
        "channels": [channels] * 4 + [3 * channels],
        "kernel_sizes": [5, 3, 3, 3, 1],
        "dilations": [1, 2, 3, 4, 1],
        "attention_channels": attention,
        "se_channels": squeezed,
        "lin_neurons": width,
    }


ENCODER = AudioEncoder(
    name="ecapatdnn",
    build=Ecapa,
    scales={"small": _dimensions(64, 32, 32, 192), "full": _dimensions(1024, 128, 128, 192)},
    published=published,
    source="https://huggingface.co/speechbrain/spkrec-ecapa-voxceleb",
    licence="Apache-2.0",
    origin=Source(
        kind="huggingface",
        name="speechbrain/spkrec-ecapa-voxceleb",
        file="embedding_model.ckpt",
        revision="0f99f2d0ebe89ac095bcc5903c4dd8f72b367286",
        sha256="0575cb64845e6b9a10db9bcb74d5ac32b326b8dc90352671d345e2ee3d0126a2",
        megabytes=83,
    ),
    replicas=2,
    sampling_rate=RATE,
    window=WINDOW,
    hop=HOP,
    block=128,  # 10 s
    context=0,  # each window is computed for itself
)
