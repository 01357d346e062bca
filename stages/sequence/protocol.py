"""Which choices of protocol the settings make, and what a network is built from.

The values are in :mod:`stages.sequence.choices`; they are followed in
:mod:`stages.sequence.selection` (which videos and frames), :mod:`stages.sequence.windows`,
:mod:`stages.learning.losses`, :mod:`stages.sequence.training`, :mod:`stages.sequence.balancing` and
where the folds are made.
"""

from typing import Any

from stages.core.settings import Scale
from stages.networks.settings import Model
from stages.sequence.choices import PRESETS, Choices, Overlap
from stages.sequence.settings import SequenceSettings, TrainingSettings


def resolve_choices(params: TrainingSettings) -> Choices:
    """Values of all choices: those of the preset, but for what the section ``choices`` sets."""
    own = {key: value for key, value in params.choices.model_dump().items() if value is not None}
    return PRESETS[params.protocol].model_copy(update=own)


def resolve_choice(params: TrainingSettings, name: str) -> Any:
    """Value of one choice, for what depends on no other."""
    own = getattr(params.choices, name)
    return getattr(PRESETS[params.protocol], name) if own is None else own


def window_stride(window: int, overlap: Overlap) -> int:
    """Frames from the start of one window to that of the next."""
    return window if overlap == "none" else max(window // 2, 1)


def network_settings(
    params: SequenceSettings, model: Model, scale: Scale | None = None
) -> dict[str, Any]:
    """Settings that a network is built from (:class:`stages.networks.base.Dimensions`).

    Parameters
    ----------
    params : SequenceSettings
    model : str
        Key of the registry of networks.
    scale : {"small", "full"}, optional
        That of `params` where it is left out.

    Returns
    -------
    dict
        The model's section at this scale, and whether its convolutions, if any, are causal.
    """
    section = getattr(getattr(params.models, model), scale or params.scale)
    settings: dict[str, Any] = section.model_dump(mode="json")
    if "channels" in settings:
        settings["causal"] = resolve_choice(params, "tcn_causal")
    return settings
