"""All that the report reads of runs: their predictions, scored and then let go again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.ensembles.ensemble import Rule, combine
from stages.reporting.paper_tables import ENSEMBLE, TABLES
from stages.reporting.results import Logits, Scored, score
from stages.sequence.dataset import Video, load_videos
from stages.sequence.predictions import FILE, RunPredictions, read_predictions

NEARLY = 1e-7  # how near to 0 and 1 a probability may come before its logit is taken


@dataclass
class Evidence:
    """What is known of some runs.

    Attributes
    ----------
    label : str
        ``synthetic`` or ``own_data``.
    videos : dict of str to list of Video
        ``train`` (without masked copies), ``validation`` and ``test``.
    results : dict of str to dict of str to Scored
        By run or ensemble, then ``held_out`` and ``test``.
    runs : dict of str to dict
        What each run is.
    """

    label: str
    videos: Mapping[str, Sequence[Video]]
    results: dict[str, dict[str, Scored]] = field(default_factory=dict)
    runs: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def labels(self, *splits: str) -> dict[str, NDArray[np.int8]]:
        """Labels of some splits by video."""
        return {video.name: video.labels for split in splits for video in self.videos[split]}

    def add(self, name: str, seeds: Sequence[Logits]) -> None:
        """Score predictions on what they were made for: held-out videos, and test."""
        sets = {"held_out": ("train", "validation"), "test": ("test",)}
        groups = {video.name: video.group for part in self.videos.values() for video in part}
        for key, splits in sets.items():
            scored = score(seeds, self.labels(*splits), groups)
            if scored is not None:
                self.results.setdefault(name, {})[key] = scored

    def add_decisions(self, name: str, decisions: Mapping[str, NDArray[np.bool_]]) -> None:
        """Score decisions that were made by other thresholds than 0.5."""
        signs = {
            video: np.where(rows, 1, -1).astype(np.float32) for video, rows in decisions.items()
        }
        self.add(name, [signs])


def load_evidence(label: str) -> Evidence:
    """Labels of all videos; no run yet."""
    videos = {
        split: [video for video in load_videos(split) if not video.masked]
        for split in ("train", "validation", "test")
    }
    return Evidence(label, videos)


def logits_of(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits that stand for probabilities: at 0.5 and above where these are."""
    p = np.clip(probabilities.astype(np.float64), NEARLY, 1 - NEARLY)
    return np.asarray(np.log(p) - np.log1p(-p), np.float32)


def together(members: Sequence[RunPredictions], rule: Rule = "mean") -> list[dict[str, Any]]:
    """Join members, seed by seed, on the videos that none of them was trained on.

    Returns
    -------
    list of dict of str to (frames, 12) np.ndarray
        Logits by video, one dict for each seed that all members have.
    """
    videos = set.intersection(*(set(member.videos) for member in members))
    seeds = min(len(member.seeds) for member in members)
    return [
        {
            name: logits_of(combine(np.stack([member.seeds[k][name] for member in members]), rule))
            for name in sorted(videos)
        }
        for k in range(seeds)
    ]


def joined_seeds(predictions: RunPredictions) -> dict[str, NDArray[np.float32]]:
    """Logits of a run by video, (frames, 12): of the mean of what its seeds say."""
    if len(predictions.seeds) == 1:
        return dict(predictions.seeds[0])
    return {
        name: logits_of(combine(np.stack([seed[name] for seed in predictions.seeds]), "mean"))
        for name in predictions.videos
    }


def gather(folders: Mapping[str, Path], label: str) -> Evidence:
    """Score all runs of some names whose predictions are there, and table 6's ensemble.

    Parameters
    ----------
    folders : mapping of str to Path
        Folder of results of each run; those that were not trained are passed over.
    label : str
        ``synthetic`` or ``own_data``.

    Returns
    -------
    Evidence
    """
    evidence = load_evidence(label)
    six = [row.run for row in TABLES[5].rows if row.run != ENSEMBLE]
    members = {}
    for name, folder in folders.items():
        path = folder / FILE
        if not path.is_file():
            continue
        predictions = read_predictions(path)
        evidence.runs[name] = predictions.run
        evidence.add(name, predictions.seeds)
        if name in six:
            members[name] = predictions
    if set(six) <= set(members):
        evidence.add(ENSEMBLE, together([members[name] for name in six]))
    return evidence
