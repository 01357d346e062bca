"""Sound beside the frames, encoder by encoder."""

import numpy as np
import pytest
import torch

from stages.encoders.backbones import ecapatdnn, fbank
from stages.encoders.base import AudioEncoder
from stages.inference.predictor import AudioPart
from stages.inference.sound import Steps


@pytest.mark.parametrize("encoder", [ecapatdnn.ENCODER, fbank.ENCODER], ids=lambda e: e.name)
def test_half_a_second_of_sound_is_heard_by_every_encoder(encoder: AudioEncoder) -> None:
    """Also by one whose step takes a second, which would silence all others."""
    torch.manual_seed(0)
    network = encoder.build(encoder.scales["small"]).eval()
    rate, times = encoder.sampling_rate, np.arange(50) / 25
    sound = np.random.default_rng(0).normal(0, 0.1, rate // 2).astype(np.float32)
    part = AudioPart(encoder, network, int(network.width))
    with torch.inference_mode():
        steps = Steps(part, iter([(0.0, sound)]), torch.device("cpu"))
        features = np.concatenate([steps.take(times[k : k + 10]) for k in range(0, 50, 10)])
    heard = ~np.isnan(features).any(1)
    near = 0.5 + 2 * encoder.hop / rate
    assert heard.tolist() == (times <= near).tolist()
