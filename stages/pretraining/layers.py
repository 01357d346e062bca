"""Which layer of an encoder each parameter is of: rates by layer, and residual blocks left out.

References
----------
H. Bao et al. BEiT: BERT pre-training of image transformers. ICLR 2022 (layer-wise decay).

G. Huang et al. Deep networks with stochastic depth. ECCV 2016.

A. Fan, E. Grave, A. Joulin. Reducing transformer depth on demand with structured dropout. ICLR 2020
(LayerDrop).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import nn

from stages.core.errors import SettingsError

# a numbered part of a network: a transformer's block, a block of convolutions, a dense layer
BLOCK: Final = re.compile(
    r"(?:^|\.)(?:layer\d+|layers|blocks|features|conv_layers|denseblock\d+)\.(?:denselayer)?\d+\."
)
BRANCHES: Final = ("drop_path", "drop_path1", "drop_path2")  # what ends a residual branch


def layer_rates(network: nn.Module, decay: float, head: str = "head.") -> Mapping[str, float]:
    """Factor of the rate of each parameter: smaller, the nearer to the input its layer lies.

    Parameters
    ----------
    network : nn.Module
        Its parameters are declared from the input to the output, as those of all encoders here.
    decay : float
        From one layer to the one before it.
    head : str
        What the names of the head's parameters begin with.

    Returns
    -------
    dict of str to float
        With `n` blocks ``decay ** (n + 1)`` for what lies before the first, ``decay ** n`` for the
        first, ``decay`` for the last, 1 for what lies behind it. What lies between two blocks
        counts as the one before.

    Raises
    ------
    SettingsError
        When the network has no blocks.
    """
    names = [name for name, _ in network.named_parameters()]
    blocks: dict[str, int] = {}
    for name in names:
        found = BLOCK.search(name)
        if found:
            blocks.setdefault(name[: found.end()], len(blocks) + 1)
    if not blocks:
        raise SettingsError("layer_decay: this encoder has no blocks; leave it at 1.")
    last = max(k for k, name in enumerate(names) if BLOCK.search(name))
    layers, at = {}, 0
    for k, name in enumerate(names):
        found = BLOCK.search(name)
        if found:
            at = blocks[name[: found.end()]]
        layers[name] = at if k <= last and not name.startswith(head) else len(blocks) + 1
    return {name: decay ** (len(blocks) + 1 - layer) for name, layer in layers.items()}


def drop_blocks(network: nn.Module, rate: float) -> None:
    """Let training pass by residual blocks, drawn anew for every picture.

    timm's networks and ours end a residual branch in a module of that purpose, torchvision's get
    its own; for a transformer of the transformers library its LayerDrop is set, which leaves out a
    layer for the whole batch. No parameter's name changes.

    Parameters
    ----------
    network : nn.Module
    rate : float
        Share of the pictures that the last block does nothing for; before it the share rises evenly
        from 0 at the first. LayerDrop has the same share for all layers.

    Raises
    ------
    SettingsError
        When the network has no residual blocks.
    """
    from timm.layers import DropPath
    from torchvision.models.mobilenetv3 import InvertedResidual
    from torchvision.ops import StochasticDepth

    blocks: list[nn.Module] = []
    dropping = False
    for module in network.modules():
        config: Any = getattr(module, "config", None)
        if hasattr(config, "layerdrop"):
            config.layerdrop, dropping = rate, True
        residual = isinstance(module, InvertedResidual) and module.use_res_connect
        if residual or any(isinstance(getattr(module, b, None), nn.Module) for b in BRANCHES):
            blocks.append(module)
    if not blocks and not dropping:
        raise SettingsError("stochastic_depth: this encoder has no residual blocks; leave it at 0.")
    for block, share in zip(blocks, torch.linspace(0, rate, len(blocks)).tolist(), strict=True):
        for branch in BRANCHES:
            if isinstance(getattr(block, branch, None), nn.Module):
                setattr(block, branch, DropPath(share).train(block.training))
        if isinstance(block, InvertedResidual):
            drop = StochasticDepth(share, "row").train(block.training)
            block.block.add_module("stochastic_depth", drop)
