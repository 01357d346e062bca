"""Weights of encoders in one format: written by `pretrain`, read by `visual` and `audio`.

A file of ours is safetensors with the dimensions in its metadata, so that it loads without
settings, and with where it came from, if others made it. An ONNX network is kept as its bytes.
The files of others have no dimensions: they are of one of the encoder's two scales.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stages.core.errors import DataError
from stages.core.facs import N_AUS
from stages.core.files import replacing
from stages.encoders.base import Dimensions, Encoder, State, VisualEncoder
from stages.encoders.formats import ABOUT, Content, check_config, read_weights
from stages.encoders.onnx_conversion import converted
from stages.encoders.onnx_network import OnnxNetwork
from stages.encoders.source import ORIGIN
from stages.encoders.waveform import MASK

HEAD = "head."  # the linear head of pre-training, kept beside the encoder
START = "start"  # key in our metadata: the weights that training began with
AU_HEAD = "au_head."  # of a loaded network: the part of that head whose outputs are AU logits


def save_weights(
    path: Path,
    encoder: Encoder,
    scale: str,
    task: str,
    network: State,
    head: State,
    au_start: int | None = None,
    data: Sequence[Mapping[str, Any]] = (),
    start: Mapping[str, Any] | None = None,
) -> None:
    """Write pre-trained weights with all that is needed to load them.

    Parameters
    ----------
    path : Path
    encoder : Encoder
    scale : str
        ``small`` or ``full``.
    task : str
        What it was trained for.
    network, head : dict of str to torch.Tensor
        State of the encoder's network and of its task's linear head.
    au_start : int, optional
        First of the head's 12 outputs that are AU logits; None where it has none.
    data : sequence of mapping
        What it was trained on, with the licences: the fields of
        :class:`stages.core.licences.Dataset`.
    start : mapping, optional
        The weights that training began with: ``source``, ``sha256``, and ``published``, whether
        they, and so these, expect the normalisation of published ones.
    """
    about: dict[str, Any] = {
        "encoder": encoder.name,
        "dimensions": encoder.scales[scale],
        "scale": scale,
        "task": task,
        "data": [dict(one) for one in data],
    }
    if au_start is not None:
        about["au_start"] = au_start
    if start is not None:
        about[START] = dict(start)
    _write(path, {**network, **{HEAD + name: tensor for name, tensor in head.items()}}, about)


def _write(path: Path, tensors: State, about: dict[str, Any]) -> None:
    # one entry, for safetensors writes several in no fixed order
    metadata = {ABOUT: json.dumps(about, sort_keys=True)}
    ordered = {name: tensors[name].contiguous() for name in sorted(tensors)}
    with replacing(path) as temporary:
        save_file(ordered, temporary, metadata)


def take_weights(
    encoder: Encoder, scale: str, source: Path, origin: dict[str, Any], path: Path
) -> nn.Module:
    """Write weights that others made as a file of ours; nothing is written unless they fit.

    Parameters
    ----------
    encoder : Encoder
    scale : str
        The scale that is tried first.
    source : Path
        The file of others, see :func:`stages.encoders.formats.read_weights`.
    origin : dict
        Where it came from, its licence, its hash.
    path : Path
        The file to write.

    Returns
    -------
    nn.Module
        The network, as :func:`load_network` gives it.
    """
    content = _read(encoder, source)
    network, about = _load(encoder, scale, source, content, "cpu")
    tensors = network.state_dict()
    for name in [name for name in tensors if name.startswith(AU_HEAD)]:  # weights of ours, moved
        tensors[HEAD + name.removeprefix(AU_HEAD)] = tensors.pop(name)
        about["au_start"] = 0
    if isinstance(network, OnnxNetwork):
        tensors = {"onnx": torch.frombuffer(bytearray(content.onnx), dtype=torch.uint8)}
        about["form"] = "onnx"
    _write(path, tensors, {**about, ORIGIN: origin})
    return network


def load_network(
    encoder: Encoder, scale: str, path: Path | None, device: str = "auto"
) -> nn.Module:
    """Build an encoder's network and load its weights.

    Parameters
    ----------
    encoder : Encoder
    scale : str
        Dimensions to try first where the file does not say.
    path : Path or None
        File of the weights; None for an encoder that has none.
    device : str
        ``cpu``, ``cuda`` or ``auto``, for an ONNX network; others are moved by the caller.

    Returns
    -------
    nn.Module
        In eval mode. Its attribute ``published`` says whether others made the weights, which then
        expect :meth:`stages.encoders.base.VisualEncoder.for_published`. Where pre-training taught
        it AUs, ``au_head`` maps its features to 12 AU logits.

    Raises
    ------
    DataError
        When the file is damaged or holds more than tensors, or does not fit the encoder.
    """
    if path is None:
        network = encoder.build(encoder.scales[scale])
        network.published = False  # type: ignore[assignment]
        return network.eval()
    return _load(encoder, scale, path, _read(encoder, path), device)[0]


def _read(encoder: Encoder, path: Path) -> Content:
    try:
        return read_weights(path)
    except DataError as error:
        raise DataError(f"{error} {encoder.instead}".strip()) from None


def _load(
    encoder: Encoder, scale: str, path: Path, content: Content, device: str
) -> tuple[nn.Module, dict[str, Any]]:
    about = content.about
    owner = about.get("encoder", encoder.name)
    if owner != encoder.name:
        raise DataError(f"{path} holds weights of {owner}, not of {encoder.name}.")
    if content.onnx:
        network, scale = _onnx(encoder, scale, path, content.onnx, device)
    elif "dimensions" in about:
        state = {n: t for n, t in content.state.items() if not n.startswith(HEAD)}
        network, scale = _own(encoder, about, path, state), about.get("scale", scale)
    else:
        network, scale = _foreign(encoder, scale, path, content.state)
    began = about.get(START, {}).get("published", False)
    network.published = ORIGIN in about or not about or began  # type: ignore[assignment]
    if "au_start" in about:
        network.au_head = _au_head(path, network, content.state, about["au_start"])
    made = {
        "encoder": encoder.name,
        "dimensions": about.get("dimensions", encoder.scales.get(scale)),
        "scale": scale,
        "task": about.get("task", ""),
    }
    return network.eval(), made


def _au_head(path: Path, network: nn.Module, state: State, start: Any) -> nn.Linear:
    """Cut the outputs that are AU logits out of the head of pre-training."""
    head = nn.Linear(int(network.width), N_AUS)  # type: ignore[arg-type]
    try:
        rows = slice(start, start + N_AUS)
        head.load_state_dict({n: state[HEAD + n][rows] for n in ("weight", "bias")})
    except (KeyError, RuntimeError, TypeError):
        raise DataError(f"{path} lacks the head of AUs that it names: make it again.") from None
    return head


def _own(encoder: Encoder, about: dict[str, Any], path: Path, state: State) -> nn.Module:
    dimensions = about["dimensions"]
    known = [set(at_scale) for at_scale in encoder.scales.values()]
    if not isinstance(dimensions, dict) or set(dimensions) not in known:
        raise DataError(f"{path} says dimensions that {encoder.name} does not have: make it again.")
    try:
        network = encoder.build(dimensions)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{path}: no {encoder.name} has such dimensions ({error}).") from None
    problem = _misfit(network.state_dict(), state)
    if problem:
        raise DataError(f"{path} does not fit its own dimensions: {problem}. Make it again.")
    network.load_state_dict(state, strict=False)
    return network


def _scales(encoder: Encoder, first: str) -> dict[str, Dimensions]:
    return {first: encoder.scales[first], **encoder.scales}


def _foreign(encoder: Encoder, scale: str, path: Path, published: State) -> tuple[nn.Module, str]:
    """Load a state that does not say its dimensions: those of the settings, else of the other."""
    try:
        state = encoder.published(published)
    except (LookupError, ValueError, RuntimeError, TypeError) as error:
        raise DataError(f"{path} is no published state of {encoder.name} ({error!r}).") from None
    problems = {}
    for name, dimensions in _scales(encoder, scale).items():
        network = encoder.build(dimensions)
        problem = check_config(encoder, dimensions, path)
        problem = problem or _misfit(network.state_dict(), state)
        if not problem:
            network.load_state_dict(state, strict=False)
            return network, name
        problems[name] = problem
    raise DataError(
        f"{path} does not fit {encoder.name} at scale {scale}: {problems[scale]}. "
        "Check the file and the setting `scale`."
    )


def _onnx(
    encoder: Encoder, scale: str, path: Path, model: bytes, device: str
) -> tuple[nn.Module, str]:
    if not isinstance(encoder, VisualEncoder):
        raise DataError(f"{path}: {encoder.name} is not run from ONNX, give its tensors.")
    if encoder.converts_onnx:
        return convert(encoder, scale, path, model)
    try:
        network = OnnxNetwork(model, device)
    except DataError as error:
        raise DataError(f"{path}: {error}; it cannot be {encoder.name}.") from None
    if network.side != encoder.resolution:
        raise DataError(
            f"{path} takes pictures of {network.side} pixels, "
            f"{encoder.name} gives it {encoder.resolution}: it cannot be {encoder.name}."
        )
    widths = {}
    for name, dimensions in _scales(encoder, scale).items():
        widths[name] = int(encoder.build(dimensions).width)  # type: ignore[arg-type]
        if widths[name] == network.width:
            return network, name
    raise DataError(
        f"{path} gives features {network.width} wide, {encoder.name} at scale {scale} has "
        f"{widths[scale]}. Check the file and the setting `scale`."
    )


def convert(encoder: VisualEncoder, scale: str, path: Path, model: bytes) -> tuple[nn.Module, str]:
    """Turn an ONNX network into tensors; DataError where it is not the encoder's."""
    try:
        scales = _scales(encoder, scale)
        return converted(encoder.build, scales, encoder.side_of, model)
    except DataError as error:
        raise DataError(f"{path} is not {encoder.name} ({error}).") from None


def _misfit(expected: State, given: State) -> str:
    """Say in what a state differs from the expected one; empty where it fits."""
    # a counter of training steps, which some published files leave out
    missing = [n for n in expected if n not in given and not n.endswith("num_batches_tracked")]
    # and the learnt mask of wav2vec, in files of ours from when it had one though nothing is masked
    surplus = [n for n in given if n not in expected and not n.endswith(MASK)]

    def shape(tensor: Tensor) -> tuple[int, ...]:
        return tuple(tensor.shape)

    shapes = [
        f"{n} is {shape(given[n])}, expected {shape(expected[n])}"
        for n in expected
        if n in given and given[n].shape != expected[n].shape
    ]
    parts = []
    if missing:
        parts.append(f"{len(missing)} tensors are missing ({missing[0]}, ...)")
    if surplus:
        parts.append(f"{len(surplus)} are unknown ({surplus[0]}, ...)")
    if shapes:
        parts.append(f"{len(shapes)} have another shape ({shapes[0]}, ...)")
    return "; ".join(parts)
