"""Encoders of sound against the libraries' own classes, processors and published layouts."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from stages.encoders import waveform
from stages.encoders.backbones import ecapatdnn
from stages.encoders.base import Encoder
from stages.encoders.registry import ENCODERS
from stages.encoders.weights import load_network


def small(name: str) -> tuple[Encoder, nn.Module]:
    torch.manual_seed(1)
    encoder = ENCODERS[name]
    return encoder, encoder.build(encoder.scales["small"]).eval()


def noise() -> torch.Tensor:
    return torch.randn(2, 4000, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "model"), [("wav2vec", "wav2vec2"), ("hubert", "hubert")])
@pytest.mark.parametrize("old_names", [False, True])
def test_a_published_speech_transformer_loads_by_name(
    tmp_path: Path, name: str, model: str, old_names: bool
) -> None:
    encoder, network = small(name)
    state = {}
    for key, tensor in getattr(network, model).state_dict().items():
        if old_names:
            key = key.replace("parametrizations.weight.original0", "weight_g")
            key = key.replace("parametrizations.weight.original1", "weight_v")
            key = f"{model}.{key}"
        state[key] = tensor.clone()
    save_file({**state, "lm_head.weight": torch.zeros(32, 128)}, tmp_path / "hub.safetensors")
    loaded = load_network(encoder, "small", tmp_path / "hub.safetensors")
    with torch.inference_mode():
        torch.testing.assert_close(loaded(noise()), network(noise()))


def test_a_folder_of_from_pretrained_loads_as_the_library_reads_it(tmp_path: Path) -> None:
    from transformers import HubertConfig, HubertForCTC, HubertModel

    encoder, _ = small("hubert")
    torch.manual_seed(3)
    config = HubertConfig(
        conv_kernel=waveform.KERNELS, conv_stride=waveform.STRIDES, **encoder.scales["small"]
    )
    HubertForCTC(config).save_pretrained(tmp_path)
    reference = HubertModel.from_pretrained(tmp_path).eval()
    loaded = load_network(encoder, "small", tmp_path / "model.safetensors")
    x = torch.nn.functional.layer_norm(noise(), (4000,), eps=1e-7)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x), reference(x).last_hidden_state, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("name", "kind"), [("wav2vec", "Wav2Vec2"), ("hubert", "Hubert")])
def test_full_scale_is_the_library_s_base_network(name: str, kind: str) -> None:
    import transformers

    encoder = ENCODERS[name]
    encoder.build(encoder.scales["small"])
    with torch.device("meta"):
        network = encoder.build(encoder.scales["full"])
        # the library's defaults are the published base network
        base = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")())
    model = next(network.children())
    expected = {n: t.shape for n, t in base.state_dict().items()}
    if name == "wav2vec":
        del expected["masked_spec_embed"]  # nothing is masked
    assert {n: t.shape for n, t in model.state_dict().items()} == expected


def ecapa_of_speechbrain(channels: int, **others: int) -> nn.Module:
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

    return ECAPA_TDNN(
        80,
        channels=[channels, channels, channels, channels, 3 * channels],
        kernel_sizes=[5, 3, 3, 3, 1],
        dilations=[1, 2, 3, 4, 1],
        lin_neurons=192,
        **others,
    )


def test_ecapatdnn_has_the_names_and_shapes_of_the_published_one() -> None:
    with torch.device("meta"):
        network = ecapatdnn.ENCODER.build(ecapatdnn.ENCODER.scales["full"])
        published = ecapa_of_speechbrain(1024, attention_channels=128)  # its hyperparams.yaml
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    state = ecapatdnn.published(published.state_dict())
    assert shapes == {name: tensor.shape for name, tensor in state.items()}
    # from the published embedding_model.ckpt
    assert shapes["ecapa.blocks.0.conv.conv.weight"] == (1024, 80, 5)
    assert shapes["ecapa.asp.tdnn.conv.conv.weight"] == (128, 3 * 3072, 1)
    assert shapes["ecapa.fc.conv.weight"] == (192, 6144, 1)


def test_a_published_ecapatdnn_is_speechbrain_s_recipe_on_each_window(tmp_path: Path) -> None:
    from speechbrain.lobes.features import Fbank
    from speechbrain.processing.features import InputNormalization

    torch.manual_seed(4)
    reference = ecapa_of_speechbrain(64, attention_channels=32, se_channels=32)
    for buffer in reference.buffers():  # a network that has seen data
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    reference.eval()
    save_file(reference.state_dict(), tmp_path / "embedding_model.safetensors")
    encoder = ecapatdnn.ENCODER
    network = load_network(encoder, "small", tmp_path / "embedding_model.safetensors")
    generator = torch.Generator().manual_seed(0)
    samples = 0.1 * torch.randn(1, encoder.window + 2 * encoder.hop, generator=generator)
    samples[:, :6000] *= 1e-7  # more than 80 dB below the rest
    bands = Fbank(n_mels=80)
    bands.compute_STFT.center = False  # no frames that reach beyond the window
    normalise = InputNormalization(norm_type="sentence", std_norm=False)
    with torch.inference_mode():
        found = network(samples)
        assert found.shape == (1, 3, 192)
        for step in range(3):
            window = samples[:, step * encoder.hop :][:, : encoder.window]
            expected = reference(normalise(bands(window), torch.ones(1)))[0, 0]
            torch.testing.assert_close(found[0, step], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["wav2vec", "hubert"])
def test_no_steps_are_masked_at_random(name: str) -> None:
    _, network = small(name)
    model = next(network.children())
    hidden = torch.ones(4, 200, 128)
    network.train()
    if name == "hubert":  # nor after a step with masks
        network(torch.randn(1, 4000), torch.ones(1, 12, dtype=torch.bool))
    network(torch.randn(1, 4000))
    torch.testing.assert_close(model._mask_hidden_states(hidden.clone()), hidden)


def test_hubert_does_not_see_what_is_masked() -> None:
    encoder, network = small("hubert")
    samples = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    steps = encoder.steps(4000)
    with torch.inference_mode():
        nothing = network(samples, torch.ones(1, steps, dtype=torch.bool))
        other = network(samples.flip(1), torch.ones(1, steps, dtype=torch.bool))
        torch.testing.assert_close(nothing, other)  # all masked: no sound is left
        unmasked = network(samples, torch.zeros(1, steps, dtype=torch.bool))
        torch.testing.assert_close(unmasked, network(samples))
        assert (unmasked - nothing).abs().max() > 0.1


def test_wav2vec_is_the_library_s_behind_its_processor() -> None:
    from transformers import Wav2Vec2FeatureExtractor

    _, network = small("wav2vec")
    samples = noise()[:1] * 0.05 + 0.01
    processor = Wav2Vec2FeatureExtractor(do_normalize=True)
    inputs = processor(samples[0].numpy(), sampling_rate=waveform.RATE, return_tensors="pt")
    with torch.inference_mode():
        expected = network.wav2vec2(inputs.input_values).last_hidden_state
        torch.testing.assert_close(network(samples), expected, rtol=1e-3, atol=1e-4)
