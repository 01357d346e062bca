"""Sequence networks: features of a window of frames in, a logit per frame and AU out.

All share one shape of input and output (:class:`stages.sequence.networks.base.Network`); a new one
is a file here, an entry in the registry and a section in ``params.yaml``.
"""

from stages.sequence.networks.base import Dimensions, Disturbance, Network
from stages.sequence.networks.registry import (
    NETWORKS,
    build_network,
    load_network,
    parameter_count,
    save_network,
)

__all__ = [
    "NETWORKS",
    "Dimensions",
    "Disturbance",
    "Network",
    "build_network",
    "load_network",
    "parameter_count",
    "save_network",
]
