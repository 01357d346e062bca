"""Weights of encoders as safetensors files: written by `pretrain`, or brought by the user.

Our own files carry the dimensions in their metadata; a published state has none, and is taken to
be of the scale that the settings name.
"""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from stages.encoders.base import Encoder, State
from stages.errors import DataError

ABOUT = "aufusion"  # the key of our metadata
HEAD = "head."  # the linear head of pre-training, kept beside the encoder


def save_weights(
    path: Path, encoder: Encoder, scale: str, task: str, network: State, head: State
) -> None:
    """Write an encoder's weights with all that is needed to load them.

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
    """
    tensors = {**network, **{HEAD + name: tensor for name, tensor in head.items()}}
    about = {
        "encoder": encoder.name,
        "dimensions": encoder.scales[scale],
        "scale": scale,
        "task": task,
    }
    # one entry, for safetensors writes several in no fixed order
    metadata = {ABOUT: json.dumps(about, sort_keys=True)}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    save_file({name: tensors[name].contiguous() for name in sorted(tensors)}, temporary, metadata)
    temporary.replace(path)


def load_network(encoder: Encoder, scale: str, path: Path | None) -> nn.Module:
    """Build an encoder's network and load its weights.

    Parameters
    ----------
    encoder : Encoder
    scale : str
        Dimensions to take where the file does not say.
    path : Path or None
        File of the weights; None for an encoder that has none.

    Returns
    -------
    nn.Module
        In eval mode.

    Raises
    ------
    DataError
        When the file is no safetensors file, or its weights do not fit the encoder.
    """
    if path is None:
        return encoder.build(encoder.scales[scale]).eval()
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(
            f"{path} is no safetensors file ({error}): convert it first, pickles are not read."
        ) from None
    owner = about.get("encoder", encoder.name)
    if owner != encoder.name:
        raise DataError(f"{path} holds weights of {owner}, not of {encoder.name}.")
    dimensions = encoder.scales[scale]
    if "dimensions" in about:
        dimensions = about["dimensions"]
        state = {name: tensor for name, tensor in state.items() if not name.startswith(HEAD)}
    else:
        state = encoder.published(state)
    network = encoder.build(dimensions)
    problem = _misfit(network.state_dict(), state)
    if problem:
        raise DataError(
            f"{path} does not fit {encoder.name} at scale {scale}: {problem}. "
            "Check the file and the setting `scale`."
        )
    network.load_state_dict(state, strict=False)
    return network.eval()


def _misfit(expected: State, given: State) -> str:
    """Say in what a state differs from the expected one; empty where it fits."""
    # a counter of training steps, which some published files leave out
    missing = [n for n in expected if n not in given and not n.endswith("num_batches_tracked")]
    surplus = [n for n in given if n not in expected]
    shapes = [
        f"{n} is {tuple(given[n].shape)}, expected {tuple(expected[n].shape)}"
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
