"""Running encoders: order of prefetched items, sound in blocks, batches of faces."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from stages.encoders.backbones import ecapatdnn, fbank, hubert, wav2vec
from stages.encoders.base import AudioEncoder
from stages.encoders.read_ahead import in_order, prefetch
from stages.encoders.registry import visual_encoder
from stages.encoders.running import encode_batches, encode_images, encode_sound, inference

CPU = torch.device("cpu")


def test_prefetched_items_keep_their_order() -> None:
    assert list(prefetch(iter(range(100)), ahead=3)) == list(range(100))
    assert list(prefetch([])) == []
    assert list(prefetch([None, None])) == [None, None]


def test_an_error_arrives_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("third")

    received = []
    with pytest.raises(KeyError, match="third"):
        for item in prefetch(items()):
            received.append(item)
    assert received == [1, 2]


def test_a_reader_that_stops_early_leaves_no_thread() -> None:
    before = threading.active_count()
    for item in prefetch(iter(range(1000))):
        if item == 5:
            break
    del item
    assert threading.active_count() == before


@pytest.mark.parametrize("threads", [1, 3])
def test_tasks_are_done_ahead_and_given_in_their_order(threads: int) -> None:
    begun: list[int] = []
    free = threading.Event()

    def task(number: int) -> Callable[[], int]:
        def work() -> int:
            if number == 0 and threads > 1:
                assert free.wait(60)  # until another has ended before it
            if number == 1:
                free.set()
            return number

        begun.append(number)
        return work

    for expected, number in enumerate(in_order((task(k) for k in range(50)), threads)):
        assert number == expected
        assert len(begun) <= number + threads + 2
    assert begun == list(range(50))
    assert list(in_order([], threads)) == []


def test_a_tasks_error_arrives_in_its_place_and_ends_the_threads() -> None:
    def fail() -> int:
        raise KeyError("third")

    before, received = threading.active_count(), []
    with pytest.raises(KeyError, match="third"):
        for item in in_order([lambda: 1, lambda: 2, fail, lambda: 4], 2):
            received.append(item)
    assert received == [1, 2]
    assert threading.active_count() == before


def test_batches_read_ahead_are_encoded_as_each_alone() -> None:
    torch.manual_seed(0)
    encoder = visual_encoder("ires100")
    network = encoder.build(encoder.scales["small"]).eval()
    images = np.random.default_rng(0).integers(0, 256, (7, 112, 112, 3), dtype=np.uint8)
    rows = [np.arange(0, 3), np.arange(3, 6), np.arange(6, 7)]
    with inference(CPU, "32-true"):
        found = list(
            encode_batches(encoder, network, [lambda r=r: (r, images[r]) for r in rows], CPU, 2)
        )
        assert [list(r) for r, _ in found] == [list(r) for r in rows]
        for r, features in found:
            np.testing.assert_array_equal(features, encode_images(encoder, network, images[r], CPU))


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * 16_000)).astype(np.float32)


def encoded(encoder: AudioEncoder, network: torch.nn.Module, parts: list) -> np.ndarray:
    with inference(CPU, "32-true"):
        blocks = list(encode_sound(encoder, network, parts, CPU))
    end = 0
    for first, steps in blocks:
        assert first == end
        end += len(steps)
    return np.concatenate([steps for _, steps in blocks])


def pieces(samples: np.ndarray, seed: int) -> list[np.ndarray]:
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(samples), 40))
    return np.split(samples, cuts)


def test_fbank_in_blocks_is_kaldi_on_the_whole() -> None:
    from torchaudio.compliance import kaldi

    samples = sound(65.3)  # more than two blocks
    whole = kaldi.fbank(torch.from_numpy(samples)[None] * 32768, num_mel_bins=80, dither=0.0)
    network = fbank.FilterBank(80)
    found = encoded(fbank.ENCODER, network, pieces(samples, 1))
    np.testing.assert_allclose(found, whole.numpy(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("frequency", [200, 1000, 4000])
def test_a_tone_is_in_the_right_bin(frequency: int) -> None:
    times = np.arange(16_000) / 16_000
    samples = (0.3 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)
    steps = encoded(fbank.ENCODER, fbank.FilterBank(80), [samples])

    def mel(hertz: float) -> float:  # Kaldi's scale, 20 Hz to 8000 Hz, 80 triangles
        return float(1127 * np.log(1 + hertz / 700))

    width = (mel(8000) - mel(20)) / 81
    expected = (mel(frequency) - mel(20)) / width - 1
    assert np.abs(steps[10].argmax() - expected) <= 1


def briefly(encoder: AudioEncoder) -> AudioEncoder:
    """An encoder with blocks of 2 seconds in place of 10: as much is asked, of less sound."""
    return replace(encoder, block=encoder.block // 5, context=encoder.context // 5)


def test_ecapatdnn_in_blocks_is_the_network_on_the_whole() -> None:
    torch.manual_seed(0)
    encoder = briefly(ecapatdnn.ENCODER)
    network = encoder.build(encoder.scales["small"]).eval()
    samples = sound(5.0)  # more than two blocks
    with inference(CPU, "32-true"):
        expected = network(torch.from_numpy(samples)[None])[0].numpy()
    assert len(expected) > 2 * encoder.block
    found = encoded(encoder, network, pieces(samples, 5))
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(
    "encoder", [wav2vec.ENCODER, hubert.ENCODER, ecapatdnn.ENCODER], ids=lambda e: e.name
)
@pytest.mark.parametrize("seconds", [0.03, 1.99, 2.4, 2.5, 6.3])
def test_how_sound_is_cut_by_the_reader_makes_no_difference(
    encoder: AudioEncoder, seconds: float
) -> None:
    torch.manual_seed(0)
    encoder = briefly(encoder)
    network = encoder.build(encoder.scales["small"]).eval()
    samples = sound(max(seconds, encoder.window / encoder.sampling_rate))
    whole = encoded(encoder, network, [samples])
    assert len(whole) == encoder.steps(len(samples))
    np.testing.assert_array_equal(encoded(encoder, network, pieces(samples, 2)), whole)


def test_sound_of_one_block_is_the_network_on_the_whole() -> None:
    torch.manual_seed(0)
    encoder = wav2vec.ENCODER
    network = encoder.build(encoder.scales["small"]).eval()
    samples = sound(9.0)
    with inference(CPU, "32-true"):
        expected = network(torch.from_numpy(samples)[None])[0].numpy()
    found = encoded(encoder, network, pieces(samples, 3))
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


def test_a_block_sees_its_context_and_no_more() -> None:
    class Window(torch.nn.Module):
        width = 1

        def forward(self, samples: torch.Tensor) -> torch.Tensor:
            lengths.append(samples.shape[-1])
            return samples.unfold(-1, 400, 320)[..., :1]

    lengths: list[int] = []
    encoder = wav2vec.ENCODER
    samples = np.arange(30 * 16_000, dtype=np.float32) / 1e6
    found = encoded(encoder, Window(), pieces(samples, 4))
    np.testing.assert_array_equal(
        found[:, 0], samples[: encoder.steps(len(samples)) * 320 : 320].astype(np.float16)
    )
    assert max(lengths) <= (encoder.block + 2 * encoder.context) * encoder.hop + encoder.window


def test_faces_are_encoded_alone_as_in_a_batch() -> None:
    torch.manual_seed(0)
    encoder = visual_encoder("ires100")
    network = encoder.build(encoder.scales["small"]).eval()
    images = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)
    with inference(CPU, "32-true"):
        together = encode_images(encoder, network, images, CPU)
        alone = np.concatenate(
            [encode_images(encoder, network, images[i : i + 1], CPU) for i in range(5)]
        )
    assert together.dtype == np.float16
    assert together.shape == (5, network.width)
    np.testing.assert_allclose(together, alone, rtol=1e-2, atol=2e-3)
