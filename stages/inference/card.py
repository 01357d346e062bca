"""``card.json`` in the folder of an ensemble: how well it does, on which material; optional.

It is the part of ``MODEL_CARD.md`` that a program can read: ``{"material": [...]}``, each with a
``name``, the number of ``people``, whether it is ``real`` or generated, and ``figures`` by AU (and
``mean`` over the AUs measured): any of ``auc``, ``f1``, ``false_alarms`` and ``hits``, 0 to 1.
"""

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, ValidationError, model_validator

from stages.core.errors import DataError
from stages.core.facs import AU_NAMES
from stages.core.setting_types import Section, Share

FILE: Final = "card.json"
MEAN: Final = "mean"
_WORDS: Final = {
    "auc": "AUC",
    "f1": "F1",
    "false_alarms": "false alarms",
    "hits": "hits",
}


class Figures(Section):
    """Measured of one AU: area under the ROC curve, F1, shares of false alarms and of hits."""

    auc: Share | None = None
    f1: Share | None = None
    false_alarms: Share | None = None
    hits: Share | None = None

    def text(self) -> str:
        """Say the figures in words."""
        known = {key: getattr(self, key) for key in _WORDS if getattr(self, key) is not None}
        return ", ".join(f"{_WORDS[key]} {value:.3g}" for key, value in known.items())


class Material(Section):
    """Pictures or videos that an ensemble was measured on; none of it was trained on."""

    name: Annotated[str, Field(min_length=1)]
    people: int = Field(ge=1)
    real: bool
    figures: dict[str, Figures] = Field(min_length=1)

    @model_validator(mode="after")
    def _aus_are_ours(self) -> Self:
        for name in self.figures:
            if name not in (*AU_NAMES, MEAN):
                raise ValueError(f"figures names {name!r}; allowed: {MEAN}, {', '.join(AU_NAMES)}")
        return self

    def text(self) -> str:
        """Say in a few words what was found: the mean, else each AU."""
        shown = [MEAN] if MEAN in self.figures else list(self.figures)
        said = "; ".join(
            f"{'mean of the AUs' if name == MEAN else name}: {self.figures[name].text()}"
            for name in shown
        )
        kind = "real faces" if self.real else "generated faces, synthetic"
        return f"{self.name} ({kind}, {self.people} people): {said}"


class Card(Section):
    """All that ``card.json`` says."""

    material: tuple[Material, ...]

    def sentence(self) -> str:
        """Say what is to be expected: by real faces where some were measured."""
        real = [one for one in self.material if one.real] or list(self.material)
        return "How well this ensemble does: " + "; ".join(one.text() for one in real) + "."


def load_card(folder: Path) -> Card | None:
    """Read the card of an ensemble; None where it brings none.

    Raises
    ------
    DataError
        When the file is damaged or holds something else.
    """
    path = folder / FILE
    try:
        return Card.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "content"
        raise DataError(f"{path} is no card of an ensemble: {where}: {first['msg']}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}).") from None
