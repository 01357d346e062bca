"""Which AUs are rarer than the average."""

import numpy as np

from stages.core.facs import AFF_WILD2_BASE_RATES, AU_NAMES
from stages.learning.metrics import below_average


def test_rare_aus_of_aff_wild2s_base_rates_are_those_of_the_protocol() -> None:
    frames = 1000
    labels = np.zeros((frames, 12), np.int8)
    for column, rate in enumerate(AFF_WILD2_BASE_RATES.values()):
        labels[: round(rate * frames), column] = 1
    rare = {AU_NAMES[i] for i in np.flatnonzero(below_average(labels))}
    assert rare == {"AU01", "AU02", "AU04", "AU15", "AU23", "AU24", "AU26"}


def test_what_nobody_annotated_is_not_rare_and_does_not_lower_the_average() -> None:
    labels = np.full((100, 12), -1, np.int8)
    labels[:50, :3] = 0
    labels[:30, 0], labels[:20, 1], labels[:5, 2] = 1, 1, 1  # 60 %, 40 %, 10 %; mean 37 %
    assert np.flatnonzero(below_average(labels)).tolist() == [2]
    assert not below_average(np.full((4, 12), -1, np.int8)).any()
    assert not below_average(np.empty((0, 12), np.int8)).any()
