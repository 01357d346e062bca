"""How sure a measure is: the bootstrap over people, whose frames are alike."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Measure = Callable[[Floats], Floats]  # (draws, people) how often each is drawn -> (draws,)

RESAMPLES = 2000
LEVEL = 0.95
FEWEST = 8  # people with an AU, and as many without it: fewer say nothing about others
BATCH = 500  # draws held at once


@dataclass(frozen=True)
class Estimate:
    """A measure and the interval that holds it for other people in 95 of 100 cases.

    Attributes
    ----------
    value : float
        NaN where the labels cannot tell it.
    low, high : float
        NaN where there is no interval; `note` says why.
    note : str
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")
    note: str = ""


def weights_of(drawn: NDArray[np.intp], people: int) -> Floats:
    """How often each person is drawn: (draws, drawn) numbers from 0 -> (draws, people)."""
    rows = len(drawn)
    flat = (drawn + people * np.arange(rows)[:, None]).ravel()
    return np.bincount(flat, minlength=rows * people).reshape(rows, people).astype(np.float64)


def estimate(
    measure: Measure,
    people: int,
    telling: int,
    value: float | None = None,
    *,
    share: bool = False,
) -> Estimate:
    """Estimate a measure with its interval over people: bias-corrected and accelerated.

    Parameters
    ----------
    measure : callable
    people : int
    telling : int
        People that the measure rests on: of those with the AU and those without it the fewer.
    value : float, optional
        Of the measure on everyone, where it is known more exactly than `measure` tells it.
    share : bool
        Whether it is a share of frames: one of 0 or 1 in everyone then has an interval, too, that
        of people who are each right or wrong.

    References
    ----------
    C. J. Clopper, E. S. Pearson. The use of confidence or fiducial limits. Biometrika 1934.
    B. Efron. Better bootstrap confidence intervals. JASA 1987.
    """
    from scipy.stats import binomtest, bootstrap

    whole = float(measure(np.ones((1, people)))[0]) if people else float("nan")
    value = whole if value is None else value
    if np.isnan(value):
        return Estimate(value)
    if telling < FEWEST:
        return Estimate(value, note=f"too few people ({telling}) for an interval")

    def statistic(drawn: NDArray[np.intp], axis: int = -1) -> Floats:
        shape = drawn.shape[:-1]
        found = measure(weights_of(drawn.reshape(-1, drawn.shape[-1]), people))
        # a draw that lacks an AU altogether says nothing: it leaves the value where it is
        return np.where(np.isnan(found), whole, found).reshape(shape)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = bootstrap(
            (np.arange(people),), statistic, vectorized=True, n_resamples=RESAMPLES, batch=BATCH,
            confidence_level=LEVEL, method="BCa", rng=np.random.default_rng(0),
        ).confidence_interval  # fmt: skip
    low, high = float(found.low), float(found.high)
    if np.isnan(low) or np.isnan(high):
        if share and value in (0.0, 1.0):
            bounds = binomtest(round(value * telling), telling).proportion_ci(LEVEL)
            return Estimate(value, float(bounds.low), float(bounds.high))
        return Estimate(value, note="alike in every draw of people: no interval")
    return Estimate(value, low, high)
