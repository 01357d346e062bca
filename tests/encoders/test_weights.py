"""Weights by name: published layouts, our own files, and what does not fit."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from stages.encoders import ecapatdnn, iresnet, mobilenet, waveform
from stages.encoders.base import Encoder, VisualEncoder
from stages.encoders.registry import ENCODERS, audio_encoder, visual_encoder
from stages.encoders.sources import check_weights, weights_path
from stages.encoders.weights import load_network, save_weights
from stages.errors import DataError, SettingsError


@pytest.mark.parametrize(
    ("name", "millions", "width"),
    [
        ("ires100", 65.15, 512),
        ("mobilenet", 4.20, 1280),
        ("wav2vec", 94.37, 768),
        ("hubert", 94.37, 768),
        ("ecapatdnn", 20.77, 192),
        ("fbank", 0, 80),
    ],
)
def test_full_scale_has_the_published_number_of_parameters(
    name: str, millions: float, width: int
) -> None:
    encoder = ENCODERS[name]
    encoder.build(encoder.scales["small"])  # imports libraries, whose constants shall be real
    with torch.device("meta"):
        network = encoder.build(encoder.scales["full"])
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.01)
    assert network.width == width


def test_ires100_has_the_names_and_shapes_of_arcface_iresnet100() -> None:
    with torch.device("meta"):
        state = iresnet.ENCODER.build(iresnet.ENCODER.scales["full"]).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    # from insightface's backbone.pth of Glint360K R100
    expected = {
        "conv1.weight": (64, 3, 3, 3),
        "bn1.running_var": (64,),
        "prelu.weight": (64,),
        "layer1.0.bn1.weight": (64,),
        "layer1.0.conv1.weight": (64, 64, 3, 3),
        "layer1.0.downsample.0.weight": (64, 64, 1, 1),
        "layer1.0.downsample.1.running_mean": (64,),
        "layer2.0.conv1.weight": (128, 64, 3, 3),
        "layer2.12.prelu.weight": (128,),
        "layer3.29.conv2.weight": (256, 256, 3, 3),
        "layer4.2.bn3.bias": (512,),
        "bn2.weight": (512,),
        "fc.weight": (512, 512 * 7 * 7),
        "fc.bias": (512,),
        "features.running_var": (512,),
    }
    assert {name: shapes.get(name) for name in expected} == expected
    blocks = {".".join(name.split(".")[:2]) for name in shapes if name.startswith("layer")}
    assert len(blocks) == 3 + 13 + 30 + 3
    assert not any("layer3.1.downsample" in name for name in shapes)


def test_the_fast_prelu_is_a_prelu() -> None:
    torch.manual_seed(0)
    fast, slow = iresnet.PReLU(6), nn.PReLU(6)
    with torch.no_grad():
        fast.weight.uniform_(-0.5, 1.5)
    slow.load_state_dict(fast.state_dict())
    x = torch.randn(4, 6, 5, 5, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    fast(x).square().sum().backward()
    slow(y).square().sum().backward()
    torch.testing.assert_close(fast(x), slow(y))
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(fast.weight.grad, slow.weight.grad)


def small(name: str) -> tuple[Encoder, nn.Module]:
    torch.manual_seed(1)
    encoder = ENCODERS[name]
    return encoder, encoder.build(encoder.scales["small"]).eval()


def example(encoder: Encoder) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if isinstance(encoder, VisualEncoder):
        return torch.randn(2, 3, 112, 112, generator=generator)
    samples = 20_000 if encoder.name == "ecapatdnn" else 4000
    shape = (2, samples)
    return torch.randn(shape, generator=generator)


@pytest.mark.parametrize("name", ["ires100", "mobilenet", "wav2vec", "hubert", "ecapatdnn"])
def test_our_own_files_load_without_settings(tmp_path: Path, name: str) -> None:
    encoder, network = small(name)
    path = tmp_path / "w.safetensors"
    head = nn.Linear(network.width, 12)
    save_weights(path, encoder, "small", "au", network.state_dict(), head.state_dict())
    loaded = load_network(encoder, "full", path)  # the file says small
    with torch.inference_mode():
        torch.testing.assert_close(loaded(example(encoder)), network(example(encoder)))
    again = tmp_path / "again.safetensors"
    save_weights(again, encoder, "small", "au", network.state_dict(), head.state_dict())
    assert path.read_bytes() == again.read_bytes()


def test_torchvisions_mobilenet_loads_by_name(tmp_path: Path) -> None:
    from torchvision.models import mobilenet_v3_large

    torch.manual_seed(0)
    published = mobilenet_v3_large().eval()
    save_file(published.state_dict(), tmp_path / "tv.safetensors")
    network = load_network(mobilenet.ENCODER, "full", tmp_path / "tv.safetensors")
    x = example(mobilenet.ENCODER)
    with torch.inference_mode():
        features = network(x)
        torch.testing.assert_close(published.classifier[3](features), published(x))


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
        torch.testing.assert_close(loaded(example(encoder)), network(example(encoder)))


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
    x = torch.nn.functional.layer_norm(example(encoder), (4000,), eps=1e-7)
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
    assert {n: t.shape for n, t in model.state_dict().items()} == {
        n: t.shape for n, t in base.state_dict().items()
    }


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
    torch.testing.assert_close(model.train()._mask_hidden_states(hidden.clone()), hidden)


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

    encoder, network = small("wav2vec")
    samples = example(encoder)[:1] * 0.05 + 0.01
    processor = Wav2Vec2FeatureExtractor(do_normalize=True)
    inputs = processor(samples[0].numpy(), sampling_rate=waveform.RATE, return_tensors="pt")
    with torch.inference_mode():
        expected = network.wav2vec2(inputs.input_values).last_hidden_state
        torch.testing.assert_close(network(samples), expected, rtol=1e-3, atol=1e-4)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    encoder, network = small("ires100")
    path = tmp_path / "w.safetensors"
    state = network.state_dict()
    save_file({n: t for n, t in state.items() if n != "fc.weight"}, path)
    with pytest.raises(
        DataError, match=r"does not fit ires100 .*1 tensors are missing \(fc.weight"
    ):
        load_network(encoder, "small", path)
    save_file({**state, "fc.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(DataError, match=r"fc.weight is \(3, 3\), expected \(256, "):
        load_network(encoder, "small", path)
    save_file({**state, "extra": torch.zeros(1)}, path)
    with pytest.raises(DataError, match=r"1 are unknown \(extra"):
        load_network(encoder, "small", path)
    save_weights(path, encoder, "small", "au", state, {})
    with pytest.raises(DataError, match="weights of ires100, not of mobilenet"):
        load_network(ENCODERS["mobilenet"], "small", path)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(DataError, match="no safetensors file"):
        load_network(ENCODERS["ires100"], "small", tmp_path / "w.pt")


def test_weights_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert weights_path("fbank", None) is None
    with pytest.raises(DataError, match="dvc repro pretrain@ires100"):
        weights_path("ires100", "pretrain")
    with pytest.raises(DataError, match="is missing: check the setting"):
        weights_path("ires100", f"file:{tmp_path}/none.safetensors")
    for wrong in ("hub:name@1", "file:", "", "random"):
        with pytest.raises(ValueError, match=r"allowed are pretrain .*file:PATH"):
            check_weights(wrong)


def test_unknown_encoders_are_refused_with_the_list() -> None:
    with pytest.raises(SettingsError, match="allowed: ires100, mobilenet"):
        visual_encoder("fbank")
    with pytest.raises(SettingsError, match="allowed: fbank, wav2vec"):
        audio_encoder("ires100")


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_every_entry_says_what_it_is(name: str) -> None:
    encoder = ENCODERS[name]
    assert encoder.name == name
    assert encoder.source
    assert encoder.licence
    for dimensions in encoder.scales.values():
        assert json.loads(json.dumps(dimensions)) == json.loads(json.dumps(dict(dimensions)))


def test_pictures_are_normalised_as_published() -> None:
    images = torch.full((1, 112, 112, 3), 255, dtype=torch.uint8)
    images[..., 1] = 0
    x = visual_encoder("ires100").prepare(images)
    assert x.shape == (1, 3, 112, 112)
    assert x[0, 0].unique().tolist() == [1.0]
    assert x[0, 1].unique().tolist() == [-1.0]
    larger = visual_encoder("ires100").prepare(torch.zeros(2, 160, 160, 3, dtype=torch.uint8))
    assert larger.shape == (2, 3, 112, 112)
