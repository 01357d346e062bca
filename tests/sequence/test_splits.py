"""Which videos a run is trained on: no group is divided, and nothing that is scored is learnt."""

import numpy as np
import pytest

from stages.core.errors import SettingsError
from stages.sequence.dataset import Video, make_video
from stages.sequence.splits import assign_parts, deal_in_order, divide, group_entries, number_folds

TRAIN, VALIDATION = 30, 10


def made_videos(seed: int = 0) -> list[Video]:
    """Two videos a person; of every fourth train video there is a masked copy."""
    draw = np.random.default_rng(seed)
    rates = np.linspace(0.02, 0.6, 12)
    videos = []
    for split, count in (("train", TRAIN), ("validation", VALIDATION), ("test", 4)):
        for i in range(count):
            frames = int(draw.integers(50, 300))
            labels = (draw.random((frames, 12)) < rates).astype(np.int8)
            person = f"{split}{i // 2:02d}"
            face = np.ones(frames, bool)
            name = f"{split}{i:02d}"
            videos.append(make_video(name, labels, face, split=split, group=person))
            if split == "train" and i % 4 == 0:
                hidden = labels[:40].copy()
                hidden[:, 5:] = 0
                videos.append(
                    make_video(f"{name}:lower:000000", hidden, face[:40], name, 0,
                               split="train", group=person)
                )  # fmt: skip
    real = [video for video in videos if not video.masked]
    folds = number_folds(real, 5, 2)
    return [
        Video(**{**vars(video), "fold": folds.get(video.source or video.name, 0)})
        for video in videos
    ]


def test_entries_of_one_person_or_one_video_are_one_group() -> None:
    links = {"a": ("v1", "p1"), "b": ("v1", "p2"), "c": ("v2", "p2"), "d": ("v3", "p3")}
    assert group_entries(links) == {"a": "a", "b": "a", "c": "a", "d": "d"}


def test_folds_are_even_in_frames_and_in_every_au_and_divide_nobody() -> None:
    videos = [video for video in made_videos() if not video.masked]
    for split, folds in (("train", range(1, 6)), ("validation", (6, 7))):
        mine = [video for video in videos if video.split == split]
        assert {video.fold for video in mine} == set(folds)
        total = sum(video.frames for video in mine)
        counts = sum((video.labels == 1).sum(0) for video in mine)
        for fold in folds:
            part = [video for video in mine if video.fold == fold]
            share = sum(video.frames for video in part) / total
            assert abs(share - 1 / len(folds)) < 0.1
            aus = sum((video.labels == 1).sum(0) for video in part) / counts
            assert np.abs(aus - 1 / len(folds)).mean() < 0.1
    by_group: dict[str, set[int]] = {}
    for video in videos:
        by_group.setdefault(video.group, set()).add(video.fold)
    assert all(len(folds) == 1 for folds in by_group.values())


def test_stratified_folds_are_more_even_than_dealt_ones() -> None:
    draw = np.random.default_rng(1)
    rare = draw.geometric(0.2, (40, 12)) * (draw.random((40, 12)) < 0.3)
    counts = {f"g{i:02d}": np.concatenate([[100], row]) for i, row in enumerate(rare)}
    table = np.stack([counts[name] for name in sorted(counts)])

    def spread(parts: list[int]) -> float:
        shares = [table[np.array(parts) == p].sum(0) / table.sum(0) for p in range(5)]
        return float(np.std(shares, axis=0).mean())

    ours = assign_parts(counts, 5)
    dealt = [i % 5 for i in range(40)]
    assert spread([ours[name] for name in sorted(counts)]) < 0.6 * spread(dealt)


def test_no_fold_is_empty_where_there_are_groups_for_all() -> None:
    counts = {name: np.array([10, *[0] * 12]) for name in "abcde"}
    counts["a"] = np.array([1000, *[5] * 12])
    assert sorted(assign_parts(counts, 5).values()) == [0, 1, 2, 3, 4]
    assert assign_parts({}, 5) == {}


def test_folds_in_order_are_runs_of_names_of_about_equal_length() -> None:
    draw = np.random.default_rng(2)
    counts = {f"g{i:02d}": np.array([int(draw.integers(50, 300)), *[0] * 12]) for i in range(40)}
    chosen = deal_in_order(counts, 5)
    assert list(chosen) == sorted(counts)
    assert list(chosen.values()) == sorted(chosen.values())
    lengths = [sum(int(counts[n][0]) for n, p in chosen.items() if p == part) for part in range(5)]
    assert max(lengths) - min(lengths) < 600
    for longest in "abcde":
        uneven = {name: np.array([1000 if name == longest else 10, *[0] * 12]) for name in "abcde"}
        assert list(deal_in_order(uneven, 5).values()) == [0, 1, 2, 3, 4]
    assert deal_in_order({}, 5) == {}


def test_the_rule_of_the_folds_is_followed() -> None:
    videos = [video for video in made_videos() if not video.masked]
    folds = number_folds(videos, 5, 2, "in_order")
    for split, expected in (("train", [1, 2, 3, 4, 5]), ("validation", [6, 7])):
        mine = [folds[v.name] for v in sorted(videos, key=lambda v: v.group) if v.split == split]
        assert mine == sorted(mine)
        assert sorted(set(mine)) == expected
    assert folds != number_folds(videos, 5, 2, "stratified")


@pytest.mark.parametrize("split", ["official", "fold1", "fold5", "fold6", "mix1", "mix2"])
def test_nothing_that_is_scored_is_learnt(split: str) -> None:
    videos = made_videos()
    parts = divide(videos, split, masked=True, mix_held_out=0.2, seed=0)
    assert parts.training
    assert parts.held_out
    learnt = {video.group for video in parts.training}
    assert not learnt & {video.group for video in (*parts.held_out, *parts.test)}
    assert not any(video.masked for video in (*parts.held_out, *parts.test))
    sources = {video.name for video in parts.training if not video.masked}
    assert all(video.source in sources for video in parts.training if video.masked)
    scored = {video.name for video in parts.held_out}
    everything = {v.name for v in videos if not v.masked and v.split in ("train", "validation")}
    if split == "official":
        assert scored == {v.name for v in videos if v.split == "validation"}
    else:
        assert sources | scored == everything


def test_the_folds_hold_out_every_video_once() -> None:
    videos = made_videos()
    held = [
        video.name
        for n in range(1, 8)
        for video in divide(videos, f"fold{n}", masked=False, mix_held_out=0.1, seed=0).held_out
    ]
    assert sorted(held) == sorted(
        v.name for v in videos if not v.masked and v.split in ("train", "validation")
    )


def test_a_person_of_two_splits_is_not_learnt() -> None:
    videos = [
        Video(**{**vars(v), "group": "validation00" if v.group == "train03" else v.group})
        for v in made_videos()
    ]
    parts = divide(videos, "official", masked=True, mix_held_out=0.1, seed=0)
    assert "validation00" not in {video.group for video in parts.training}
    assert "train06" in {v.name for v in videos if v.group == "validation00"}
    assert {v.name for v in parts.left_out} == {"train06", "train07"}


def test_an_unlabelled_face_beside_a_training_video_takes_nothing_from_it() -> None:
    videos = made_videos()
    group = next(video.group for video in videos if video.name == "train00")
    none = np.full((50, 12), -1, np.int8)
    other = make_video("train00_right", none, np.ones(50, bool), split="unlabelled", group=group)
    for split in ("official", "fold1", "mix1"):
        before = divide(videos, split, masked=True, mix_held_out=0.1, seed=0)
        parts = divide([*videos, other], split, masked=True, mix_held_out=0.1, seed=0)
        assert [v.name for v in parts.training] == [v.name for v in before.training]
        assert not parts.left_out
        assert "train00_right" in {video.name for video in parts.test}  # is predicted all the same


def test_copies_are_chosen_by_the_runs_own_labels() -> None:
    videos = made_videos()
    # an AU that only the copies' sources would make rare: here it is frequent everywhere
    for video in videos:
        video.labels[:, :5] = 1
    parts = divide(videos, "official", masked=True, mix_held_out=0.1, seed=0)
    assert not any(video.masked for video in parts.training)
    by_the_list = divide(
        videos, "official", masked=True, mix_held_out=0.1, seed=0, balanced="paper"
    )
    assert sum(video.masked for video in by_the_list.training) == 8


def test_mixes_differ_and_repeat() -> None:
    videos = made_videos()

    def held(n: int, seed: int = 0) -> list[str]:
        parts = divide(videos, f"mix{n}", masked=False, mix_held_out=0.2, seed=seed)
        return [video.name for video in parts.held_out]

    assert held(1) == held(1)
    assert held(1) != held(2)
    assert held(1) != held(1, seed=1)
    parts = divide(videos, "mix1", masked=False, mix_held_out=0.0, seed=0)
    assert parts.held_out == []
    assert len(parts.training) == TRAIN + VALIDATION


def test_a_split_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="allowed: official, fold1"):
        divide(made_videos(), "best", masked=False, mix_held_out=0.1, seed=0)
    with pytest.raises(SettingsError, match=r"fold9.*allowed: fold1, fold2"):
        divide(made_videos(), "fold9", masked=False, mix_held_out=0.1, seed=0)
