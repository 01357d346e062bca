"""Reading the formats in which weights are published, without running anything from them.

Read are safetensors; torch's own files, as tensors alone (``weights_only=True``); ONNX; and
folders as `transformers` and speechbrain publish them, of which only the file of the tensors and
`config.json` are opened. Hyperparameters in YAML, which speechbrain would execute, are not.
"""

import argparse
import json
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from stages.core.errors import DataError
from stages.encoders.base import Dimensions, Encoder, State

ABOUT = "aufusion"  # the key of our metadata
CONFIG = "config.json"
# of a folder, in order of preference: transformers, transformers of old, speechbrain
FILES = ("model.safetensors", "pytorch_model.bin", "embedding_model.ckpt")
NESTED = ("state_dict", "model_state_dict", "model")  # where training scripts put the tensors
TORCH_SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".tar")


@dataclass(frozen=True)
class Content:
    """What a file of weights holds.

    Attributes
    ----------
    state : dict of str to torch.Tensor
        Empty where it is an ONNX network.
    onnx : bytes
        Empty where it is tensors.
    about : dict
        Our metadata; empty for files of others.
    """

    state: State = field(default_factory=dict)
    onnx: bytes = b""
    about: dict[str, Any] = field(default_factory=dict)


def weights_file(path: Path) -> Path:
    """Find the file of the tensors: the path itself, or the known name in a folder.

    Raises
    ------
    DataError
        When there is none.
    """
    if not path.is_dir():
        if path.is_file():
            return path
        raise DataError(f"{path} is missing: check the setting `weights`.")
    for name in FILES:
        if (path / name).is_file():
            return path / name
    raise DataError(f"{path} holds no weights: expected {', '.join(FILES)}; or name the file.")


def read_weights(path: Path) -> Content:
    """Read a file of weights of any known format.

    Parameters
    ----------
    path : Path
        ``.safetensors``, ``.onnx``, or torch's ``.pth``, ``.pt``, ``.bin``, ``.ckpt``, ``.tar``.

    Returns
    -------
    Content

    Raises
    ------
    DataError
        When the file is damaged, of another format, or holds more than tensors: nothing that it
        holds is run.
    """
    if path.suffix == ".onnx":
        return Content(onnx=path.read_bytes())
    if path.suffix in TORCH_SUFFIXES:
        return Content(state=_unpickled_safely(path))
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(
            f"{path} is no safetensors file, or damaged ({_first_line(error)}): fetch it again, "
            f"or name it by what it is (.safetensors, .onnx, {', '.join(TORCH_SUFFIXES)})."
        ) from None
    if not isinstance(about, dict):
        raise DataError(f"{path} says nonsense of itself: its metadata {ABOUT!r} is no mapping.")
    if about.get("form") == "onnx":
        return Content(onnx=state["onnx"].numpy().tobytes(), about=about)
    return Content(state=state, about=about)


def _unpickled_safely(path: Path) -> State:
    try:
        # the settings of a training script, which MAE and timm put beside the tensors: plain data
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, TypeError,
            AttributeError, OSError) as error:  # fmt: skip
        raise DataError(
            f"{path} is damaged or holds more than tensors: refused, and nothing in it was run "
            f"({_first_line(error)})."
        ) from None
    for name in NESTED:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
            break
    if not isinstance(content, dict) or not content:
        raise DataError(f"{path} holds no state of a network, but a {type(content).__name__}.")
    strange = [str(n) for n, t in content.items() if not isinstance(t, Tensor)]
    if strange:
        raise DataError(f"{path} holds more than tensors ({strange[0]}, ...): give a plain state.")
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def check_config(encoder: Encoder, dimensions: Dimensions, path: Path) -> str:
    """Say in what a folder's ``config.json`` differs from the encoder; empty where it fits.

    The shapes of tensors do not tell everything: not the number of attention heads, and not
    HuBERT from wav2vec 2.0.

    Parameters
    ----------
    encoder : Encoder
    dimensions : mapping
    path : Path
        The file of the tensors; the config is looked for beside it.

    Returns
    -------
    str

    Raises
    ------
    DataError
        When the config is no JSON.
    """
    file = path.with_name(CONFIG)
    if not encoder.model_type or not file.is_file():
        return ""
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        kind = config.get("model_type")
    except (ValueError, AttributeError):
        raise DataError(f"{file} is no JSON of settings: fetch the folder again.") from None
    parts = []
    if kind != encoder.model_type:
        parts.append(f"{CONFIG} is of a {kind}, expected {encoder.model_type}")
    parts += [
        f"{key} is {config[key]} in {CONFIG}, expected {value}"
        for key, value in encoder.configuration(dimensions).items()
        if key in config and config[key] != value
    ]
    return "; ".join(parts)
