"""Which networks there are, and how one is built, saved and loaded."""

import json
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from stages.core.errors import DataError
from stages.core.files import replacing
from stages.core.hashing import code_files, files_hash
from stages.learning.fit import State
from stages.networks.base import Dimensions, Network


def _found() -> dict[str, type[Network]]:
    names = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    modules = [
        import_module(f"{__package__}.{name}") for name in sorted(names) if name != "registry"
    ]
    return {key: network for m in modules for key, network in getattr(m, "NETWORKS", {}).items()}


NETWORKS: Final[Mapping[str, type[Network]]] = _found()


def code_of(name: str) -> str:
    """Hash of the files of this room that a network is made of, and of this one.

    A run depends on it, not on the room: so a new network trains no other again. Left out is
    ``settings.py``; the values that come from there are part of a run.
    """
    files = {*code_files(NETWORKS[name].__module__), Path(__file__)}
    mine = [file for file in files if file.parent == Path(__file__).parent]
    left_out = ("settings.py", "__init__.py")
    return files_hash(sorted(file for file in mine if file.name not in left_out))


def build_network(dimensions: Dimensions) -> Network:
    """Build a network with fresh weights from torch's global generator."""
    network = NETWORKS[dimensions.name](dimensions)
    network.begin_with_encoders()
    return network


def parameter_count(dimensions: Dimensions) -> int:
    """Count the trained parameters of a network without the memory or time to make its weights."""
    with torch.device("meta"):
        return sum(p.numel() for p in build_network(dimensions).parameters())


def save_network(path: Path, dimensions: Dimensions, state: State, notes: dict[str, str]) -> None:
    """Write a checkpoint that needs no configuration to be loaded.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file; written under a temporary name and renamed.
    dimensions : Dimensions
        Stored in the file's metadata.
    state : dict of str to torch.Tensor
        On the CPU.
    notes : dict of str to str
        Further metadata: which features, best epoch.
    """
    # one metadata key: safetensors writes several in an order that changes from run to run
    content = json.dumps({**notes, "dimensions": dimensions.as_dict()}, sort_keys=True)
    tensors = {name: tensor.contiguous() for name, tensor in sorted(state.items())}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"aufusion": content})


def load_network(path: Path) -> tuple[Network, dict[str, str]]:
    """Read a checkpoint of :func:`save_network`.

    Returns
    -------
    network : Network
        In eval mode, on the CPU.
    notes : dict of str to str

    Raises
    ------
    DataError
        When the file is no such checkpoint, or its weights do not fit its dimensions.
    """
    try:
        with safe_open(path, framework="pt") as file:
            notes = json.loads((file.metadata() or {})["aufusion"])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network = build_network(Dimensions(**notes.pop("dimensions")))
        network.load_state_dict(state)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError, OSError) as error:
        raise DataError(
            f"{path} is not a checkpoint of a sequence network: {' '.join(str(error).split())}. "
            "Run `dvc repro train` to make it again."
        ) from None
    return network.eval(), notes
