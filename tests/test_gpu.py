"""What runs on a GPU gives what the CPU gives, within tolerances that are stated here.

They need a CUDA device and are skipped without one: `pytest -m gpu`. With AUFUSION_TEST_DEVICE=cpu
the same code compares the CPU with itself, which shows that the tests themselves work.
"""

import os
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow.parquet
import pytest
import torch

from stages.core.devices import find_device, make_fabric
from stages.core.facs import AU_NAMES
from stages.core.onnx import CUDA, open_session
from stages.core.settings import Compute
from stages.encoders.base import AudioEncoder, VisualEncoder
from stages.encoders.registry import ENCODERS
from stages.encoders.running import encode_batches, encode_images, encode_sound, inference
from stages.encoders.weights import load_network
from stages.faces import centerface
from stages.faces.centerface import CenterFace
from stages.inference.options import Options
from stages.inference.predict import predict_file
from stages.inference.predictor import load_predictor
from stages.learning.fit import Recipe, fit
from stages.networks.base import Dimensions
from stages.networks.registry import build_network
from tests.encoders import published_files as files
from tests.inference import tiny

DEVICE = os.environ.get("AUFUSION_TEST_DEVICE", "cuda")
# float32 sums in another order; features are float16 (11 bits), so a few of their last steps
FEATURES = {"rtol": 1e-2, "atol": 1e-2}
LOSS = {"rtol": 1e-3, "atol": 1e-4}  # after a few steps of training
PROBABILITY = 2e-2  # of an AU, at most; one of its decimals may be rounded otherwise

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        DEVICE.startswith("cuda") and not torch.cuda.is_available(), reason="no CUDA device here"
    ),
]


def features(name: str, device: torch.device) -> np.ndarray:
    """Features of noise by an encoder of small scale, its weights the same on every device."""
    encoder, network = files.small(name)
    random = np.random.default_rng(0)
    with inference(device, "32-true"):
        if isinstance(encoder, VisualEncoder):
            network = network.to(device, memory_format=torch.channels_last)
            images = random.integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)
            return encode_images(encoder, network, images, device)
        assert isinstance(encoder, AudioEncoder)
        samples = random.normal(0, 0.1, 2 * encoder.sampling_rate).astype(np.float32)
        parts = encode_sound(encoder, network.to(device), [samples], device)
        return np.concatenate([steps for _, steps in parts])


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_every_encoder_says_the_same(name: str) -> None:
    expected = features(name, torch.device("cpu"))
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(features(name, find_device(DEVICE)), expected, **FEATURES)


def test_batches_on_their_way_keep_their_features() -> None:
    encoder, network = files.small("ires100")
    assert isinstance(encoder, VisualEncoder)
    device = find_device(DEVICE)
    network = network.to(device, memory_format=torch.channels_last)
    images = np.random.default_rng(0).integers(0, 256, (40, 112, 112, 3), dtype=np.uint8)
    rows = np.split(np.arange(40), range(4, 40, 4))
    with inference(device, "32-true"):
        expected = [encode_images(encoder, network, images[part], device) for part in rows]
        for _ in range(3):  # the same memory again
            found = encode_batches(
                encoder, network, [lambda r=part: (r, images[r]) for part in rows], device, 3
            )
            for (part, features), chosen, known in zip(found, rows, expected, strict=True):
                np.testing.assert_array_equal(part, chosen)
                np.testing.assert_allclose(features, known, rtol=2e-3, atol=2e-3)
    assert not np.allclose(expected[0], expected[1], rtol=1e-2, atol=1e-2)


def test_a_face_is_found_in_the_same_place() -> None:
    if DEVICE.startswith("cuda") and CUDA not in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has no CUDA: `make gpu` installs one that has")
    (picture,) = tiny.moving(1)
    expected, found = (CenterFace(0.5, device).detect(picture) for device in ("cpu", DEVICE))
    assert len(expected.scores) == 1
    np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=0.1)  # pixels
    np.testing.assert_allclose(found.scores, expected.scores, **FEATURES)
    if DEVICE.startswith("cuda"):  # and it was the GPU that found it
        session = open_session(centerface.weights_path().read_bytes(), DEVICE)
        assert session.get_providers()[0] == CUDA


def test_a_published_onnx_network_says_the_same(tmp_path: Path) -> None:
    files.iresnet_onnx(tmp_path / "w.onnx")
    images = torch.randn(5, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    rows = []
    for device in ("cpu", DEVICE):
        network = load_network(ENCODERS["ires100"], "small", tmp_path / "w.onnx", device)
        with torch.inference_mode():
            rows.append(network(images.to(find_device(device))).cpu())
    torch.testing.assert_close(rows[1], rows[0], **FEATURES)


def losses(device: str, folder: Path) -> list[float]:
    """Loss in each epoch of a sequence network that learns whether its input's mean is positive."""
    fabric = make_fabric(Compute(device=device, precision="32-true"))
    settings = {"width": 16, "layers": 1, "heads": 2, "feedforward": 16, "dropout": 0.0, "head": ()}
    torch.manual_seed(0)
    network = build_network(Dimensions("transformer", 12, 0, settings))
    x = torch.randn(16, 8, 12, generator=torch.Generator().manual_seed(1))

    def loss(model: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
        batch = batch.to(fabric.device)
        mask = torch.ones(batch.shape[:2], dtype=torch.bool, device=fabric.device)
        sound = batch[:, :, :0]
        heard = torch.zeros(batch.shape[:2], dtype=torch.bool, device=fabric.device)
        logits = model(batch, sound, heard, mask)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, (batch > 0).float())

    folder.mkdir()
    fitted = fit(
        network,
        batches=lambda epoch: iter(x.split(4)),
        loss=loss,
        validate=lambda model: {"score": -float(loss(model, x))},
        monitor="score",
        recipe=Recipe(
            epochs=3, learning_rate=1e-2, weight_decay=0.0, schedule=lambda epoch: 1.0, patience=3
        ),
        seed=0,
        folder=folder,
        fabric=fabric,
        description="training on a device",
    )
    assert {tensor.device.type for tensor in fitted.state.values()} == {"cpu"}
    return [epoch["loss"] for epoch in fitted.history]


def test_a_training_takes_the_same_course(tmp_path: Path) -> None:
    expected = losses("cpu", tmp_path / "cpu")
    assert expected[-1] < expected[0]
    np.testing.assert_allclose(losses(DEVICE, tmp_path / "device"), expected, **LOSS)


def probabilities(path: Path) -> np.ndarray:
    table = pyarrow.parquet.read_table(path, columns=list(AU_NAMES))
    return np.column_stack([column.to_numpy() for column in table.columns])


def test_a_video_is_told_the_same(tmp_path: Path) -> None:
    ensemble = tiny.make_ensemble(tmp_path)
    video = tmp_path / "talk.mp4"
    tiny.write_raw(video, tiny.moving(50), codec="libx264", pix_fmt="yuv420p")
    rows = []
    for number, device in enumerate(("cpu", DEVICE)):
        options = Options(device=device, precision="32-true")
        predictor = load_predictor(ensemble.folder, options)
        predict_file(video, predictor, tmp_path / str(number), options)
        rows.append(probabilities(tmp_path / str(number) / "talk.parquet"))
    assert rows[0].shape == (50, 12)
    assert np.abs(rows[1] - rows[0]).max() < PROBABILITY
