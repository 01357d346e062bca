"""Which videos a run is trained on, and which it is scored on: official split, folds, mixes.

All entries that share a video or a person are one group, and a group is never divided. A video
that a run is scored on has no part in its training, nor in any figure that its training uses.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import SettingsError
from stages.sequence.balancing import balanced_aus
from stages.sequence.choices import BalancedAUs, Folds
from stages.sequence.dataset import Video

LABELLED = ("train", "validation")  # what folds and mixes are made of


@dataclass(frozen=True)
class Parts:
    """The videos of one run.

    Attributes
    ----------
    training : list of Video
        With masked copies, if the run has them.
    held_out : list of Video
        By which the epoch is chosen, and which the run is scored on.
    test : list of Video
        What is predicted besides: the test videos, labelled or not, and the unlabelled ones.
    left_out : list of Video
        Those that would be trained on, but share a video or a person with one that is scored.
    """

    training: list[Video]
    held_out: list[Video]
    test: list[Video]
    left_out: list[Video]


def group_entries(links: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Find the groups of entries that share something.

    Parameters
    ----------
    links : mapping of str to sequence of str
        For each entry what ties it to others: its video, its person.

    Returns
    -------
    dict of str to str
        For each entry the first name, in alphabetical order, of its group.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    names = sorted(links)
    ties = dict.fromkeys(tie for name in names for tie in links[name])
    nodes = {tie: len(names) + k for k, tie in enumerate(ties)}
    entry = [k for k, name in enumerate(names) for _ in links[name]]
    tied = [nodes[tie] for name in names for tie in links[name]]
    size = len(names) + len(nodes)
    graph = coo_matrix((np.ones(len(entry)), (entry, tied)), (size, size))
    groups = dict(zip(names, connected_components(graph, directed=False)[1].tolist(), strict=False))
    first: dict[int, str] = {}
    for name in names:
        first.setdefault(groups[name], name)
    return {name: first[groups[name]] for name in links}


def assign_parts(counts: Mapping[str, NDArray[np.int64]], parts: int) -> dict[str, int]:
    """Spread groups over parts of about equal length and about equal counts of every AU.

    The groups are dealt in order of size, each to the part that it brings nearest to its share of
    frames and of active frames of each AU.

    Parameters
    ----------
    counts : mapping of str to (1 + 12,) np.ndarray
        For each group its frames, and its active frames of each AU.
    parts : int

    Returns
    -------
    dict of str to int
        Part of each group, from 0.

    References
    ----------
    K. Sechidis, G. Tsoumakas, I. Vlahavas. On the stratification of multi-label data. ECML PKDD
    2011: rare labels count as much as frequent ones.
    """
    names = sorted(counts)
    if not names:
        return {}
    table = np.stack([counts[name] for name in names]).astype(float)
    table = table / np.maximum(table.sum(0), 1)  # shares: a rare AU weighs as much as a frequent
    held = np.zeros((parts, table.shape[1]))
    chosen: dict[str, int] = {}
    for i in sorted(range(len(names)), key=lambda i: (-table[i].sum(), names[i])):
        cost = ((held + table[i] - 1 / parts) ** 2 - (held - 1 / parts) ** 2).sum(1)
        # an empty part comes first, for a fold without a video has no score
        empty = [part for part in range(parts) if not held[part].any()]
        part = min(empty or range(parts), key=lambda part: (cost[part], part))
        held[part] += table[i]
        chosen[names[i]] = part
    return chosen


def label_counts(videos: Sequence[Video]) -> dict[str, NDArray[np.int64]]:
    """Frames, and active frames of each AU, of each group of some videos."""
    counts: dict[str, NDArray[np.int64]] = {}
    for video in videos:
        row = np.concatenate([[video.frames], (video.labels == 1).sum(0)]).astype(np.int64)
        counts[video.group] = counts.get(video.group, 0) + row
    return counts


def deal_in_order(counts: Mapping[str, NDArray[np.int64]], parts: int) -> dict[str, int]:
    """Cut groups in the order of their names into parts of about equal length.

    Parameters
    ----------
    counts : mapping of str to (1 + 12,) np.ndarray
        See :func:`assign_parts`.
    parts : int

    Returns
    -------
    dict of str to int
        Part of each group, from 0.
    """
    names = sorted(counts)
    frames = np.array([int(counts[name][0]) for name in names])
    middles = (frames.cumsum() - frames / 2) / max(frames.sum(), 1)
    chosen: dict[str, int] = {}
    part = -1
    for i, (name, at) in enumerate(zip(names, middles, strict=True)):
        # no part is skipped, and those that follow are left a group each
        part = min(max(int(at * parts), part, parts - (len(names) - i)), part + 1)
        chosen[name] = part
    return chosen


def number_folds(
    videos: Sequence[Video], train_folds: int, validation_folds: int, rule: Folds = "stratified"
) -> dict[str, int]:
    """Fold of each train and validation video, from 1; those of validation come last.

    Parameters
    ----------
    videos : sequence of Video
        Without masked copies.
    train_folds, validation_folds : int
        Parts that the train and the validation videos are cut into.
    rule : {"stratified", "in_order"}
        :func:`assign_parts` or :func:`deal_in_order`.

    Returns
    -------
    dict of str to int
        By the video's name; other videos have none.
    """
    deal = assign_parts if rule == "stratified" else deal_in_order
    folds: dict[str, int] = {}
    first = 1
    for split, parts in (("train", train_folds), ("validation", validation_folds)):
        chosen = [video for video in videos if video.split == split]
        dealt = deal(label_counts(chosen), parts)
        folds.update({video.name: first + dealt[video.group] for video in chosen})
        first += parts
    return folds


def _mix(videos: Sequence[Video], number: int, share: float, seed: int) -> set[str]:
    """Groups that mix `number` holds out: drawn at random until they have `share` of the frames."""
    counts = label_counts(videos)
    total = sum(int(row[0]) for row in counts.values())
    order = np.random.default_rng([seed, number]).permutation(sorted(counts))
    held: set[str] = set()
    frames = 0
    for group in order:
        if frames >= share * total:
            break
        held.add(str(group))
        frames += int(counts[str(group)][0])
    return held


def divide(
    videos: Sequence[Video],
    split: str,
    *,
    masked: bool,
    mix_held_out: float,
    seed: int,
    balanced: BalancedAUs = "below_average",
) -> Parts:
    """Choose the videos of a run.

    Parameters
    ----------
    videos : sequence of Video
        All of them, with their masked copies.
    split : str
        ``official``, ``foldN`` or ``mixN``.
    masked : bool
        Whether to train on masked copies as well. A copy stays only if it shows an AU that is to be
        balanced by this run's own training labels.
    mix_held_out : float
        Share of the frames that a mix holds out.
    seed : int
        Of the mixes.
    balanced : {"below_average", "paper"}
        See :func:`stages.sequence.balancing.balanced_aus`.

    Returns
    -------
    Parts

    Raises
    ------
    SettingsError
        When there is no such split or fold.
    """
    found = re.fullmatch(r"(official|fold|mix)(\d*)", split)
    if not found:
        raise SettingsError(f"split = {split!r}; allowed: official, fold1, fold2, ..., mix1, ...")
    kind, number = found[1], int(found[2] or 0)
    real = [video for video in videos if not video.masked]
    if kind == "official":
        training = [video for video in real if video.split == "train"]
        held_out = [video for video in real if video.split == "validation"]
    else:
        pool = [video for video in real if video.split in LABELLED]
        if kind == "fold":
            groups = {video.group for video in pool if video.fold == number}
            if not groups:
                known = ", ".join(f"fold{n}" for n in sorted({video.fold for video in pool}))
                raise SettingsError(f"split = {split!r} holds no video; allowed: {known}.")
        else:
            groups = _mix(pool, number, mix_held_out, seed)
        held_out = [video for video in pool if video.group in groups]
        training = [video for video in pool if video.group not in groups]
    test = [video for video in real if video.split in ("test", "unlabelled")]
    # a user's own lists may show one person in train and in validation or test
    scored = {video.group for video in held_out}
    scored |= {video.group for video in test if video.split == "test"}
    left_out = [video for video in training if video.group in scored]
    training = [video for video in training if video.group not in scored]
    if masked and training:
        rare = balanced_aus(np.concatenate([video.labels for video in training]), balanced)
        names = {video.name for video in training}
        training += [
            video
            for video in videos
            if video.masked and video.source in names and (video.labels[:, rare] == 1).any()
        ]
    return Parts(training, held_out, test, left_out)
