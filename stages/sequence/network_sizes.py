"""How many parameters each network has at the published sizes; ``data/network_sizes.json``."""

from typing import Final, get_args

from stages.core import paths
from stages.core.files import write_json
from stages.networks.base import Dimensions
from stages.networks.registry import parameter_count
from stages.networks.settings import Model
from stages.sequence.protocol import network_settings
from stages.sequence.settings import FRAME_HEAD, SequenceSettings

WIDTHS: Final = (512, 192)  # numbers a frame of ires100 and ecapatdnn at full scale


def write_network_sizes(params: SequenceSettings) -> None:
    """Count the parameters of every network at full scale and write them down."""
    sizes = {
        name: parameter_count(
            Dimensions(
                name,
                *WIDTHS,
                network_settings(params, name, "full"),
                au_starts=(0,) if name == FRAME_HEAD else (),
            )
        )
        for name in get_args(Model)
    }
    write_json(paths.NETWORK_SIZES, sizes)
