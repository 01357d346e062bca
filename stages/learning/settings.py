"""What may be chosen of a loss."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from stages.core.setting_types import Fraction, Number, Section

PositiveWeight = Literal["negatives", "au25", "none"]
AUWeight = Literal["equal", "rarity"]
IntensityLoss = Literal["smooth_l1", "ordinal", "concordance"]


def _zero_or_one(value: float) -> float:
    if 0 < value < 1:  # its slope has no bound where the error is nothing
        raise ValueError("0, or 1 and more")
    return value


Exponent = Annotated[float, Field(ge=0), AfterValidator(_zero_or_one), Number]


class Loss(Section):
    """The section ``loss``: how a network's error on the presence of AUs is counted.

    How much positives weigh is a choice of protocol, ``choices.positive_weight``.

    Attributes
    ----------
    kind : {"bce", "asymmetric"}
        Binary cross entropy; or the asymmetric loss, in which an error counts less the smaller it
        is, by an exponent of its own for positives and for negatives.
    gamma_positive, gamma_negative : float
        These exponents; 0 for plain cross entropy.
    margin : float
        Of the asymmetric loss: a negative whose probability is below it counts nothing.
    smoothing : float
        Share that labels give up: 1 becomes 1 - smoothing / 2, 0 becomes smoothing / 2.
    au_weight : {"equal", "rarity"}
        Whether all AUs count alike, or in proportion to 1 / how often they are active.
    """

    kind: Literal["bce", "asymmetric"] = "bce"
    gamma_positive: Exponent = 0.0
    gamma_negative: Exponent = 4.0
    margin: Fraction = 0.05
    smoothing: Fraction = 0.0
    au_weight: AUWeight = "equal"
