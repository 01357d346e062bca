"""What an evaluation found."""

from __future__ import annotations

from dataclasses import dataclass, field

from stages.inference.evaluation.mistakes import Mistake
from stages.inference.evaluation.ranking import Ranking
from stages.inference.evaluation.samples import Samples
from stages.inference.evaluation.scoring import Scores


@dataclass
class Evaluation:
    """All that was found.

    Attributes
    ----------
    tool : str
    about : dict
        What was evaluated, and with what: plain values.
    samples : Samples
    scores : dict of str to Figures
        Of everyone, by AU.
    groups : dict
        Scores by column and value.
    ranking : dict of str to Ranking
        Against a reference, by AU.
    mistakes : list of Mistake
    left_out : dict of str to str
        Why a file is not among the samples.
    notes : list of str
    """

    tool: str
    about: dict[str, object]
    samples: Samples
    scores: Scores = field(default_factory=dict)
    groups: dict[str, dict[str, Scores]] = field(default_factory=dict)
    ranking: dict[str, Ranking] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
