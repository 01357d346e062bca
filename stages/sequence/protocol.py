"""Which choices of protocol the settings make, what a network is built from, and their table.

The values are in :mod:`stages.sequence.choices`; they are followed in
:mod:`stages.sequence.selection` (which videos and frames), :mod:`stages.sequence.windows`,
:mod:`stages.learning.losses`, :mod:`stages.sequence.training`, :mod:`stages.sequence.balancing` and
where the folds are made.
"""

from typing import Any

from stages.core.settings import Scale
from stages.networks.settings import Model
from stages.sequence.choices import CORRECTED, MEANINGS, PAPER_WORDS, PRESETS, Choices, Overlap
from stages.sequence.settings import SequenceSettings
from stages.sequence.training_presets import PAPER_TRAINING, TRAINING, TRAINING_MEANINGS


def resolve_choices(params: SequenceSettings) -> Choices:
    """Values of all choices: those of the preset, but for what the section ``choices`` sets."""
    own = {key: value for key, value in params.choices.model_dump().items() if value is not None}
    return PRESETS[params.protocol].model_copy(update=own)


def resolve_choice(params: SequenceSettings, name: str) -> Any:
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


def choices_table() -> str:
    """Table of what each preset does and why, in Markdown."""
    rows = [
        "| choice | `corrected` | `paper` | `code` | why `corrected` does so |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, (meanings, why) in MEANINGS.items():
        cells = []
        for preset, choices in PRESETS.items():
            value = getattr(choices, name)
            shown = str(value).lower() if isinstance(value, bool) else value
            if preset == "paper" and name not in PAPER_WORDS:
                cells.append(f"`{shown}` (the paper does not say)")
            elif preset != "corrected" and value == getattr(CORRECTED, name):
                cells.append(f"`{shown}`")
            else:
                cells.append(f"`{shown}`: {meanings[value]}")
        rows.append(f"| `{name}` | {' | '.join(cells)} | {why} |")
    for name, (what, why) in TRAINING_MEANINGS.items():
        cells = []
        for preset, training in TRAINING.items():
            silent = preset == "paper" and name not in PAPER_TRAINING
            cells.append(f"`{training[name]}`{' (the paper does not say)' if silent else ''}")
        cells[0] += f" {what}"
        rows.append(f"| `train.{name}` | {' | '.join(cells)} | {why} |")
    return "\n".join(rows) + "\n"
