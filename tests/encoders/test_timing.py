"""Time of an encoder's steps: against brute force, and from steps to the frames of a video."""

import numpy as np
import pytest
import torch

from stages.encoders import waveform
from stages.encoders.backbones import ecapatdnn, fbank, hubert, wav2vec
from stages.encoders.base import AudioEncoder
from stages.encoders.running import encode_sound
from stages.encoders.timing import FrameClock

ENCODERS = [fbank.ENCODER, wav2vec.ENCODER, hubert.ENCODER, ecapatdnn.ENCODER]


def test_the_receptive_field_is_the_published_one() -> None:
    assert waveform.receptive_field(waveform.KERNELS, waveform.STRIDES) == (400, 320)


@pytest.mark.parametrize("encoder", [wav2vec.ENCODER, hubert.ENCODER], ids=lambda e: e.name)
@pytest.mark.parametrize("step", [0, 1, 7])
def test_the_convolutions_see_exactly_the_window_around_the_centre(
    encoder: AudioEncoder, step: int
) -> None:
    layers, inputs = [], 1
    for kernel, stride in zip(waveform.KERNELS, waveform.STRIDES, strict=True):
        layers.append(torch.nn.Conv1d(inputs, 1, kernel, stride, bias=False))
        torch.nn.init.ones_(layers[-1].weight)
    samples = torch.zeros(1, 1, 4000, requires_grad=True)
    torch.nn.Sequential(*layers)(samples)[0, 0, step].backward()
    assert samples.grad is not None
    seen = torch.nonzero(samples.grad[0, 0])[:, 0]
    assert len(seen) == encoder.window
    assert encoder.centre(step) == pytest.approx(float(seen.double().mean()) / 16_000)


@pytest.mark.parametrize("step", [0, 1, 7])
def test_fbank_sees_exactly_the_window_around_the_centre(step: int) -> None:
    encoder = fbank.ENCODER
    network = encoder.build(encoder.scales["small"])
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (1, 2400))).float()
    usual = network(noise)[0, step]
    seen = []
    for sample in range(max(0, step * 160 - 3), step * 160 + 403):
        changed = noise.clone()
        changed[0, sample] += 0.5
        if not torch.equal(network(changed)[0, step], usual):
            seen.append(sample)
    assert seen == list(range(step * 160, step * 160 + 400))
    assert encoder.centre(step) == pytest.approx(np.mean(seen) / 16_000)


@pytest.mark.parametrize("step", [0, 1, 3])
def test_ecapatdnn_sees_exactly_the_window_around_the_centre(step: int) -> None:
    encoder = ecapatdnn.ENCODER
    torch.manual_seed(0)
    network = encoder.build(encoder.scales["small"]).eval()
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (1, 21_040))).float()
    first, last = step * encoder.hop, step * encoder.hop + encoder.window - 1
    with torch.inference_mode():
        usual = network(noise)[0, step]
        for sample, seen in ((first - 1, False), (first, True), (last, True), (last + 1, False)):
            if sample < 0:
                continue
            changed = noise.clone()
            changed[0, sample] += 5.0
            found = network(changed)[0, step]
            assert ((found - usual).abs().max() > 1e-4) == seen, sample
    assert encoder.centre(step) == pytest.approx((first + last) / 2 / 16_000)


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda e: e.name)
@pytest.mark.parametrize("samples", [399, 400, 719, 720, 16_000, 16_161, 17_200])
def test_the_number_of_steps_is_what_the_network_gives(encoder: AudioEncoder, samples: int) -> None:
    network = encoder.build(encoder.scales["small"]).eval()
    if encoder.steps(samples) == 0:
        assert samples < encoder.window
        return
    with torch.inference_mode():
        assert network(torch.randn(1, samples)).shape == (1, encoder.steps(samples), network.width)


def assign(
    encoder: AudioEncoder, times: np.ndarray, start: float, samples: int, block: int
) -> np.ndarray:
    """Step for each frame, -1 where there is none, read in blocks of steps."""
    clock = FrameClock(encoder, times)
    parts = [np.zeros(min(1000, samples - i), np.float32) for i in range(0, samples, 1000)]
    blocks = [(start + 1000 * i / 16_000, part) for i, part in enumerate(parts)]
    assert sum(len(part) for part in clock.watch(iter(blocks))) == samples
    chosen = np.full(len(times), -1)
    total = encoder.steps(samples)
    for first in range(0, total, block):
        frames, steps = clock.frames_of(first, min(block, total - first))
        chosen[frames] = first + steps
    if total:
        chosen[clock.frames_after()] = total - 1
    return chosen


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda e: e.name)
@pytest.mark.parametrize("start", [0.0, 0.713, -0.05])
@pytest.mark.parametrize("block", [7, 1000])
def test_each_frame_takes_the_step_with_the_nearest_centre(
    encoder: AudioEncoder, start: float, block: int
) -> None:
    random = np.random.default_rng(0)
    times = np.cumsum(random.uniform(0.01, 0.08, 80))  # a variable frame rate
    samples = 30_000
    chosen = assign(encoder, times, start, samples, block)
    centres = np.array([start + encoder.centre(k) for k in range(encoder.steps(samples))])
    slack = 2 * encoder.hop / 16_000
    for time, step in zip(times, chosen, strict=True):
        if start - slack <= time <= start + samples / 16_000 + slack:
            assert abs(centres[step] - time) == pytest.approx(np.abs(centres - time).min())
        else:
            assert step == -1
    assert (chosen == -1).any()
    assert (chosen >= 0).sum() > 20


def test_sound_too_short_for_a_step_gives_nothing() -> None:
    assert (assign(fbank.ENCODER, np.arange(5) / 25, 0.0, 300, 10) == -1).all()


def test_sound_long_after_the_last_frame_is_not_read() -> None:
    clock = FrameClock(fbank.ENCODER, np.array([0.0, 0.04]))
    blocks = [(float(second), np.zeros(16_000, np.float32)) for second in range(1000)]
    assert sum(1 for _ in clock.watch(iter(blocks))) == 61


def test_a_sound_shorter_than_a_step_is_heard_while_it_lasts() -> None:
    encoder, times = ecapatdnn.ENCODER, np.arange(50) / 25
    samples = encoder.window // 2
    network = encoder.build(encoder.scales["small"]).eval()
    clock = FrameClock(encoder, times)
    sound = clock.watch([(0.0, np.full(samples, 0.1, np.float32))])
    with torch.inference_mode():
        blocks = list(encode_sound(encoder, network, sound, torch.device("cpu")))
    assert [(first, len(steps)) for first, steps in blocks] == [(0, 1)]
    frames, chosen = clock.frames_of(0, 1)
    heard = np.zeros(50, bool)
    heard[frames] = chosen >= 0
    heard[clock.frames_after()] = True
    late = samples / encoder.sampling_rate + 2 * encoder.hop / encoder.sampling_rate
    assert heard.tolist() == (times <= late).tolist()


def test_frames_within_a_long_gap_have_no_sound() -> None:
    encoder = fbank.ENCODER
    times = np.concatenate([np.arange(50) / 25, [300.0], 1000 + np.arange(50) / 25])
    clock = FrameClock(encoder, times)
    silence = np.zeros(16_000, np.float32)
    list(clock.watch((start, silence) for start in (0.0, 1.0, 1000.0, 1001.0)))
    frames, chosen = clock.frames_of(0, encoder.steps(64_000))
    assert (frames.start, chosen[50]) == (0, -1)
    assert (chosen[:50] >= 0).all()
    np.testing.assert_allclose(chosen[51:] - chosen[: len(chosen) - 51], 200, atol=1)
