"""A small ensemble with random weights, and videos of a real face that moves."""

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from skimage import data

from stages.core.hashing import ROOT, file_hash
from stages.encoders.registry import any_encoder
from stages.encoders.weights import save_weights
from stages.ensembles.calibration import Calibration
from stages.ensembles.ensemble import Ensemble, Member, Weights, write_ensemble
from stages.faces.settings import Crop
from stages.networks.base import Dimensions
from stages.networks.registry import build_network, save_network

VISUAL = ("vit", "ires100")
AUDIO = ("fbank", "wav2vec")
MEMBERS = {"both": (VISUAL, AUDIO), "seeing": (("ires100",), ())}
WINDOW = 32
SMOOTHING = (0, 5, 9) * 4
NETWORK = {"width": 16, "layers": 1, "heads": 2, "feedforward": 16, "dropout": 0.0, "head": ()}


def make_ensemble(folder: Path, **changes: Any) -> Ensemble:
    """Write an ensemble of two members below `folder`; `changes` are of its fields."""
    torch.manual_seed(0)
    parts = folder / "parts"
    sources: dict[str, Path] = {}
    weights: dict[str, Weights] = {"fbank": Weights(None, "", 1, "none", "BSD-2-Clause")}
    widths: dict[str, int] = {"fbank": 80}
    for name in (*VISUAL, "wav2vec"):
        encoder = any_encoder(name)
        network = encoder.build(encoder.scales["small"])
        file = f"encoders/{name}.safetensors"
        sources[file] = parts / f"{name}.safetensors"
        save_weights(sources[file], encoder, "small", "test", network.state_dict(), {})
        weights[name] = Weights(file, file_hash(sources[file]), 16, "test", "Apache-2.0")
        widths[name] = int(network.width)  # type: ignore[arg-type]
    members = []
    for run, (seen, heard) in MEMBERS.items():
        dimensions = Dimensions(
            "transformer", sum(widths[n] for n in seen), sum(widths[n] for n in heard), NETWORK
        )
        network = build_network(dimensions)
        file = f"members/{run}.safetensors"
        sources[file] = parts / f"{run}.safetensors"
        state = {k: v.detach() for k, v in network.state_dict().items()}
        state["no_sound"] = torch.randn(dimensions.audio_width)
        save_network(sources[file], dimensions, state, {})
        members.append(Member(run, file, file_hash(sources[file]), seen, heard))
    crop = yaml.safe_load((ROOT / "params.yaml").read_text())["crop"]
    fields: dict[str, Any] = {
        "name": "tiny", "rule": "mean", "window": WINDOW, "scale": "small",
        "precision": "32-true", "members": tuple(members),
        "visual": {name: weights[name] for name in VISUAL},
        "audio": {name: weights[name] for name in AUDIO},
        "crop": Crop.model_validate(crop),
        "calibration": Calibration(smoothing=SMOOTHING, thresholds=(0.4, 0.5, 0.6) * 4),
        "scores": {"label": "synthetic", "test": {"f1": {"macro": 0.25}}}, "versions": {},
        "folder": folder / "ensemble",
    }  # fmt: skip
    ensemble = Ensemble(**{**fields, **changes})
    write_ensemble(ensemble, sources)
    return ensemble


@cache
def portrait() -> NDArray[np.uint8]:
    """A real face, about 110 pixels large in a picture of 288 by 288."""
    return np.ascontiguousarray(data.astronaut()[:288, 80:368])


def moving(count: int, *, size: int = 160, without: range = range(0)) -> list[NDArray[np.uint8]]:
    """Pictures of the face, swaying and brightening; grey in the frames `without`."""
    pictures = []
    for k in range(count):
        x, y = (64 + round(40 * np.sin(k / 9)), 24 + round(16 * np.cos(k / 7)))
        image = portrait()[y : y + size, x : x + size].astype(int) + round(20 * np.sin(k / 5))
        pictures.append(image.clip(0, 255).astype(np.uint8))
    for k in without:
        pictures[k] = np.full_like(pictures[k], 128)
    return pictures


def speech(seconds: float, rate: int = 48_000) -> NDArray[np.float32]:
    """Tones that come and go, (1, samples)."""
    t = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * 220 * t) * (np.sin(2 * np.pi * t) > 0))[None].astype("f4")


def write_raw(
    path: Path,
    pictures: list[NDArray[np.uint8]],
    *,
    codec: str,
    pix_fmt: str,
    rate: int = 25,
    options: dict[str, str] | None = None,
) -> None:
    """Write pictures with any codec and pixel format, by whatever container the name says."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        for number, image in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
