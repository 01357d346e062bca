"""Windows: which frame stands for which, what is padded, how overlapping windows are averaged."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stages.check_settings import load_params
from stages.core.errors import DataError
from stages.core.feature_store import FeatureWriter
from stages.networks.registry import build_network
from stages.sequence.batches import (
    Batch,
    Order,
    make_batch,
    training_orders,
    window_starts,
)
from stages.sequence.choices import CORRECTED
from stages.sequence.dataset import Video, make_video, nearest_valid
from stages.sequence.features import Features
from stages.sequence.protocol import network_settings
from stages.sequence.selection import complete_frames
from stages.sequence.training import dimensions_of
from stages.sequence.windows import input_statistics, predict_logits, predict_video

ROOT = Path(__file__).resolve().parents[2]
LENGTHS = {"a": 300, "b": 50, "c": 129}


def frame_features(name: str, width: int) -> np.ndarray:
    """Features that say where they come from: column 0 is the frame's number."""
    rows = np.random.default_rng(ord(name)).normal(size=(LENGTHS[name], width))
    rows[:, 0] = np.arange(LENGTHS[name])
    return rows.astype(np.float16)


@pytest.fixture
def stores(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    found = {}
    for encoder, width in (("v1", 3), ("v2", 2), ("a1", 4)):
        path = tmp_path / encoder
        with FeatureWriter(
            path, encoder=encoder, weights_hash="", width=width, settings={}
        ) as writer:
            for name in sorted(LENGTHS):
                rows = frame_features(name, width)
                if encoder.startswith("v") and name == "a":
                    rows[10:20] = np.nan
                if encoder == "a1" and name == "b":
                    rows[:30] = np.nan
                writer.add(name, rows, 25.0)
        found[encoder] = path
    return [found["v1"], found["v2"]], [found["a1"]]


def video(name: str) -> Video:
    face = np.ones(LENGTHS[name], bool)
    if name == "a":
        face[10:20] = False
    labels = np.random.default_rng(1).integers(-1, 2, (LENGTHS[name], 12)).astype(np.int8)
    return make_video(name, labels, face)


def test_nearest_valid_against_brute_force() -> None:
    generator = np.random.default_rng(0)
    for share in (0.05, 0.5, 0.95):
        valid = generator.random(200) < share
        valid[100] = True
        known = np.flatnonzero(valid)
        expected = [known[np.argmin(np.abs(known - t))] for t in range(200)]  # the first of equals
        assert nearest_valid(valid).tolist() == expected


def test_without_any_valid_frame_each_stands_for_itself() -> None:
    assert nearest_valid(np.zeros(4, bool)).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("frames", "window", "stride", "starts"),
    [
        (300, 128, 128, [0, 128, 172]),
        (256, 128, 128, [0, 128]),
        (128, 128, 64, [0]),
        (50, 128, 64, [0]),
        (129, 128, 64, [0, 1]),
    ],
)
def test_window_starts(frames: int, window: int, stride: int, starts: list[int]) -> None:
    assert window_starts(frames, window, stride) == starts


def test_a_frame_without_a_face_reads_its_nearest_neighbour(stores) -> None:
    with Features(*stores) as features:
        visual, _, _ = features.read(video("a"), 8, 22)
    assert visual[:, 0].tolist() == [8, 9, 9, 9, 9, 9, 9, 20, 20, 20, 20, 20, 20, 21]
    assert not np.isnan(visual).any()


def test_a_window_reaches_beyond_its_edge_for_a_face(stores) -> None:
    with Features(*stores) as features:
        visual, _, _ = features.read(video("a"), 16, 19)
    assert visual[:, 0].tolist() == [20, 20, 20]


def test_stores_are_concatenated_and_missing_sound_is_said(stores) -> None:
    with Features(*stores) as features:
        assert (features.visual_width, features.audio_width) == (5, 4)
        visual, audio, sound = features.read(video("b"), 25, 35)
    np.testing.assert_array_equal(visual[:, :3], frame_features("b", 3)[25:35])
    np.testing.assert_array_equal(visual[:, 3:], frame_features("b", 2)[25:35])
    assert sound.tolist() == [False] * 5 + [True] * 5
    assert not audio[:5].any()
    np.testing.assert_array_equal(audio[5:], frame_features("b", 4)[30:35])


@pytest.mark.parametrize(("rule", "real"), [("masked", 50), ("held", 128)])
def test_a_short_window_repeats_its_last_frame_without_labels(stores, rule, real) -> None:
    with Features(*stores) as features:
        batch = make_batch(features, Order([(video("b"), 0), (video("a"), 172)]), 128, rule)
    assert batch.real.sum(1).tolist() == [real, 128]
    assert batch.visual[0, 49:, 0].tolist() == [49.0] * 79
    assert (batch.labels[0, 50:] == -1).all()
    np.testing.assert_array_equal(batch.labels[1], video("a").labels[172:])


@pytest.mark.parametrize("rule", ["repeated", "cycled"])
def test_a_short_window_without_a_mask(stores, rule: str) -> None:
    with Features(*stores) as features:
        batch = make_batch(features, Order([(video("b"), 0), (video("a"), 172)]), 128, rule)
    expected = [
        *range(50),
        *([49] * 78 if rule == "repeated" else [t % 50 for t in range(50, 128)]),
    ]
    assert batch.real.all()
    assert batch.visual[0, :, 0].tolist() == expected
    np.testing.assert_array_equal(batch.labels[0], video("b").labels[expected])
    assert batch.sound[0].tolist() == [t >= 30 for t in expected]
    np.testing.assert_array_equal(batch.labels[1], video("a").labels[172:])


def test_frames_that_are_left_out_are_left_out_of_every_input(stores) -> None:
    reduced = complete_frames(video("a"))
    assert reduced.kept is not None
    with Features(*stores) as features:
        visual, audio, sound = features.read(reduced, 2, reduced.frames)
        batch = make_batch(features, Order([(reduced, 0)]), 32)
    np.testing.assert_array_equal(visual[:, :3], frame_features("a", 3)[reduced.kept[2:]])
    np.testing.assert_array_equal(audio, frame_features("a", 4)[reduced.kept[2:]])
    assert sound.all()
    assert batch.real.sum() == 32


def test_frames_left_out_of_a_copy_are_those_of_its_source(stores, tmp_path: Path) -> None:
    labels, face = np.zeros((30, 12), np.int8), np.ones(30, bool)
    labels[3, 0], face[7] = -1, False
    copy = complete_frames(make_video("a:upper:000100", labels, face, source="a", start=100))
    with FeatureWriter(
        tmp_path / "m", encoder="m", weights_hash="", width=3, settings={}
    ) as writer:
        writer.add(copy.name, frame_features("a", 3)[100:130], 25.0)
    with Features(stores[0][:1], stores[1], [tmp_path / "m"]) as features:
        visual, audio, _ = features.read(copy, 0, copy.frames)
    expected = [100 + t for t in range(30) if t not in (3, 7)]
    assert visual[:, 0].tolist() == audio[:, 0].tolist() == expected


def epoch(features: Features, seed: int, dropout: float = 0.0) -> list[Batch]:
    videos = [video(name) for name in LENGTHS]
    orders = training_orders(
        videos, window=64, stride=64, batch=4, sound_dropout=dropout, seed=seed
    )
    return [make_batch(features, order, 64) for order in orders]


def test_an_epoch_shows_every_frame_and_its_order_comes_from_the_seed(stores) -> None:
    with Features(*stores) as features:
        first, again, other = epoch(features, 1), epoch(features, 1), epoch(features, 2)
    seen = torch.cat([b.audio[b.real][:, 0] for b in first])
    assert set(seen.tolist()) == {float(t) for t in range(300)}
    assert all(torch.equal(x.visual, y.visual) for x, y in zip(first, again, strict=True))
    assert any(not torch.equal(x.visual, y.visual) for x, y in zip(first, other, strict=True))


def test_sound_dropout_silences_whole_windows_and_nothing_else(stores) -> None:
    with Features(*stores) as features:
        full, silent = epoch(features, 1), epoch(features, 1, dropout=1.0)
    assert torch.cat([b.sound for b in full]).any()
    assert not torch.cat([b.sound for b in silent]).any()
    assert all(torch.equal(x.visual, y.visual) for x, y in zip(full, silent, strict=True))


def test_input_statistics_are_those_of_the_frames_with_a_face(stores) -> None:
    videos = [video(name) for name in LENGTHS]
    with Features(*stores) as features:
        statistics = input_statistics(features, videos)
    rows = np.concatenate([frame_features(v.name, 3).astype(np.float64)[v.face] for v in videos])
    np.testing.assert_allclose(statistics["visual_mean"][:3], rows.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(statistics["visual_deviation"][:3], rows.std(0), rtol=1e-4)
    heard = np.concatenate(
        [frame_features(name, 4).astype(np.float64)[30 if name == "b" else 0 :] for name in LENGTHS]
    )
    np.testing.assert_allclose(statistics["audio_mean"], heard.mean(0), rtol=1e-4, atol=1e-5)


def test_training_videos_without_any_face_are_a_sentence(stores) -> None:
    blind = make_video("b", video("b").labels, np.zeros(50, bool))
    with Features(*stores) as features, pytest.raises(DataError, match="No face was found"):
        input_statistics(features, [blind])


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_without_overlap_each_frame_is_predicted_once(stores, name: str) -> None:
    watched = make_video(name, video(name).labels, np.ones(LENGTHS[name], bool))
    choices = CORRECTED.model_copy(update={"prediction_overlap": "none"})
    numbers = np.nan_to_num(frame_features(name, 3)[:, 0].astype(np.float64))
    if name == "a":
        watched = video(name)
        numbers = numbers[watched.nearest]
    with Features(stores[0], []) as features:
        ours = predict_video(
            WindowMean(), features, watched, window=60, device=torch.device("cpu"), choices=choices
        )
    frames = LENGTHS[name]
    for t in range(frames):
        start = t // 60 * 60
        start = start if start + 60 <= frames else max(frames - 60, 0)
        held = np.minimum(np.arange(start, start + 60), frames - 1)
        expected = 1 / (1 + np.exp(-numbers[held].mean() / 100))
        assert ours[t] == pytest.approx([expected] * 12, abs=1e-5)


class WindowMean(nn.Module):
    """Says of every frame the mean frame number of its window: overlaps become visible."""

    def forward(self, visual: Tensor, audio: Tensor, sound: Tensor, real: Tensor) -> Tensor:
        number = visual[..., 0].float() * real / 100
        mean = number.sum(1, keepdim=True) / real.sum(1, keepdim=True)
        return mean[..., None].expand(-1, visual.shape[1], 12)


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_logits_of_overlapping_windows_are_averaged(stores, name: str) -> None:
    watched = make_video(name, video(name).labels, np.ones(LENGTHS[name], bool))
    frames = LENGTHS[name]
    numbers = frame_features(name, 3)[:, 0].astype(np.float64)
    if name == "a":
        watched = video(name)
        numbers = numbers[watched.nearest]
    with Features(stores[0], []) as features:
        ours = predict_video(
            WindowMean(), features, watched, window=100, device=torch.device("cpu")
        )
    starts = [0] if frames <= 100 else sorted({*range(0, frames - 100, 50), frames - 100})
    for t in range(frames):
        held = [np.minimum(np.arange(s, s + 100), frames - 1) for s in starts if s <= t < s + 100]
        over = [numbers[rows].mean() / 100 for rows in held]
        expected = 1 / (1 + np.exp(-np.mean(over)))
        assert ours[t] == pytest.approx([expected] * 12, abs=1e-5)


def test_windows_of_several_videos_are_predicted_together_to_the_same_end(
    stores: tuple[list[Path], list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.sequence.windows.PREDICT_BATCH", 4)
    videos = [video(name) for name in LENGTHS]
    device = torch.device("cpu")
    with Features(stores[0], []) as features:
        said = dict(predict_logits(WindowMean(), features, videos, window=100, device=device))
        assert list(said) == list(LENGTHS)
        for one in videos:
            alone = predict_video(WindowMean(), features, one, window=100, device=device)
            np.testing.assert_allclose(1 / (1 + np.exp(-said[one.name])), alone, atol=1e-6)


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_every_batch(stores: tuple[list[Path], list[Path]], processes: int) -> None:
    videos = [video(name) for name in LENGTHS]

    def batches(**share: int) -> list[Batch]:
        orders = training_orders(
            videos, window=40, stride=20, batch=3, sound_dropout=0.5, seed=3, **share
        )
        return [make_batch(features, order, 40) for order in orders]

    with Features(*stores) as features:
        whole = batches()
        parts = [batches(rank=rank, processes=processes) for rank in range(processes)]
    assert len(whole[-1].visual) == 1  # not enough for each process
    for batch, *shares in zip(whole, *parts, strict=True):
        for rank, share in enumerate(shares):
            if rank < len(batch.visual):
                assert torch.equal(share.labels, batch.labels[rank::processes])
                assert torch.equal(share.sound, batch.sound[rank::processes])
            else:  # it takes the step without learning anything
                assert len(share.visual) == 1
                assert (share.labels == -1).all()


@pytest.mark.parametrize("model", ["transformer", "tcn", "bigru", "frame_head"])
def test_a_picture_is_judged_as_the_first_frame_of_a_video_that_stands_still(
    tmp_path: Path, model: str
) -> None:
    row = np.random.default_rng(3).normal(size=(1, 15)).astype(np.float16)
    with FeatureWriter(
        tmp_path / "s", encoder="s", weights_hash="", width=15, settings={}, au_start=3
    ) as writer:
        writer.add("long", np.repeat(row, 90, axis=0), 25.0)
        writer.add("photo", row, 25.0)
    with Features([tmp_path / "s"], []) as features:
        params = load_params(ROOT / "params.yaml")
        torch.manual_seed(0)
        network = build_network(
            dimensions_of(model, network_settings(params, model), features, CORRECTED)
        ).eval()
        if model != "frame_head":
            torch.nn.init.normal_(network.head[-1].weight)
        said = [
            predict_video(
                network,
                features,
                make_video(name, np.zeros((frames, 12), np.int8), np.ones(frames, bool)),
                window=32,
                device=torch.device("cpu"),
            )
            for name, frames in (("long", 90), ("photo", 1))
        ]
    np.testing.assert_allclose(said[1][0], said[0][0], atol=1e-6)


def test_the_parts_of_an_epoch_are_the_epoch() -> None:
    video = make_video("a", np.zeros((90, 12), np.int8), np.ones(90, bool))

    def first_frames(**part: int) -> list[list[int]]:
        orders = training_orders(
            [video], window=10, stride=5, batch=4, sound_dropout=0.0, seed=3, **part
        )
        return [[start for _, start in order.places] for order in orders]

    whole = first_frames()
    halves = [first_frames(part=part, parts=2) for part in (0, 1)]
    assert halves[0] + halves[1] == whole
    assert all(halves)
