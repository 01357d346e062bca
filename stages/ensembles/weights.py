"""What an exported ensemble says of the weights of an encoder."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Weights:
    """An encoder's weights within an ensemble.

    Attributes
    ----------
    file : str or None
        Relative to the folder; None for an encoder without weights.
    sha256 : str
    batch : int
        Faces encoded at once.
    source, licence : str
    data : tuple of mapping
        What they were trained on, where that was here: the fields of
        :class:`stages.core.licences.Dataset`.
    layer : int or None
        The last layer that counts, of an encoder of sound; None for all.
    """

    file: str | None
    sha256: str
    batch: int
    source: str
    licence: str
    data: tuple[Mapping[str, Any], ...] = ()
    layer: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """All of it, but for a layer that was not chosen."""
        content = asdict(self)
        if self.layer is None:
            del content["layer"]
        return content
