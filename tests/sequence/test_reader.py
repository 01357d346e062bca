"""Batches made ahead, and batches gathered on a device: both are those that are made one by one."""

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.core.devices import find_device
from stages.core.errors import DataError
from stages.core.feature_store import FeatureWriter
from stages.sequence.batches import Batch, Order, make_batch, training_orders
from stages.sequence.dataset import Video, make_video
from stages.sequence.features import Features
from stages.sequence.reader import BatchReader, HeldBatches, open_batches
from stages.sequence.selection import complete_frames
from stages.sequence.windows import input_statistics

LENGTHS = {"a": 90, "b": 25, "c": 40, "d": 64}
COPY = "a:upper:000010"
CPU = torch.device("cpu")
GPU = os.environ.get("AUFUSION_TEST_DEVICE", "cuda")


@pytest.fixture
def features(tmp_path: Path) -> Iterator[Features]:
    random = np.random.default_rng(0)
    stores = {"v1": 5, "v2": 3, "m1": 5, "m2": 3, "s1": 4, "s2": 2}
    for store, width in stores.items():
        names = {COPY: 30} if store.startswith("m") else LENGTHS
        with FeatureWriter(
            tmp_path / store, encoder=store, weights_hash="", width=width, settings={}
        ) as writer:
            for name, frames in names.items():
                rows = random.normal(size=(frames, width)).astype(np.float16)
                if not store.startswith("s"):
                    rows[6:9] = np.nan
                elif name == "c":
                    rows[: 5 if store == "s1" else 7] = np.nan
                writer.add(name, rows, 25.0)
    paths = [[tmp_path / f"{kind}{n}" for n in (1, 2)] for kind in "vsm"]
    with Features(*paths) as opened:
        yield opened


def videos() -> list[Video]:
    random = np.random.default_rng(1)
    found = []
    for name, frames in LENGTHS.items():
        face = np.ones(frames, bool)
        face[6:9] = False
        labels = random.integers(0, 2, (frames, 12)).astype(np.int8)
        labels[random.integers(0, frames, 9), random.integers(0, 12, 9)] = -1
        intensity = random.uniform(0, 5, (frames, 12)).astype(np.float32) if name == "b" else None
        found.append(make_video(name, labels, face, intensity=intensity))
    copy = make_video(COPY, found[0].labels[10:40], np.ones(30, bool), source="a", start=10)
    return [complete_frames(found[0]), *found[1:], copy]


def orders(rank: int = 0, processes: int = 1) -> list[Order]:
    return list(
        training_orders(
            videos(), window=32, stride=8, batch=3, sound_dropout=0.3, seed=5, rank=rank,
            processes=processes,
        )
    )  # fmt: skip


def assert_same(batch: Batch, expected: Batch) -> None:
    for ours, theirs in zip(batch.tensors(), expected.tensors(), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours.cpu().numpy(), theirs.numpy())


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("rule", ["held", "masked", "repeated", "cycled"])
def test_batches_made_ahead_are_those_made_one_by_one(features, threads, rule) -> None:
    with BatchReader(
        features, window=32, batch=3, device=CPU, short_videos=rule, threads=threads
    ) as reader:
        for _ in range(2):  # epochs, in the same memory
            asked = orders()
            for order, batch in zip(asked, reader.read(iter(asked)), strict=True):
                assert_same(batch, make_batch(features, order, 32, rule))


@pytest.mark.parametrize("rule", ["held", "masked", "repeated", "cycled"])
def test_batches_gathered_on_a_device_are_those_made_one_by_one(features, rule) -> None:
    asked = orders(rank=2, processes=3)
    assert not asked[-1].labelled
    with HeldBatches(features, videos(), window=32, device=CPU, short_videos=rule) as held:
        for order, batch in zip(asked, held.read(asked), strict=True):
            assert_same(batch, make_batch(features, order, 32, rule))


def test_memory_is_used_again_and_no_more_batches_are_made_than_it_holds(features) -> None:
    taken = []

    def watched() -> Iterator[Order]:
        for order in orders():
            taken.append(order)
            yield order

    with BatchReader(features, window=32, batch=3, device=CPU, threads=2) as reader:
        places = set()
        for number, batch in enumerate(reader.read(watched()), start=1):
            places.add(batch.visual.data_ptr())
            assert len(taken) <= number + 3
    assert len(taken) > 4
    assert len(places) <= 4


def test_a_fault_in_a_thread_is_raised_in_its_place_and_ends_the_threads(features) -> None:
    asked = orders()
    strange = make_video("nobody", np.zeros((40, 12), np.int8), np.ones(40, bool))
    asked[2] = Order([(strange, 0)])
    before = threading.active_count()
    with (
        BatchReader(features, window=32, batch=3, device=CPU) as reader,
        pytest.raises(DataError, match="no features of 'nobody'"),
    ):
        for number, batch in enumerate(reader.read(asked)):
            assert number < 2
            assert_same(batch, make_batch(features, asked[number], 32))
    assert threading.active_count() == before


def test_who_stops_early_can_begin_again(features) -> None:
    asked = orders()
    with BatchReader(features, window=32, batch=3, device=CPU) as reader:
        for _ in range(3):
            epoch = reader.read(asked)
            assert_same(next(epoch), make_batch(features, asked[0], 32))
            epoch.close()


def test_sums_of_the_stores_are_those_of_a_pass_over_the_rows(features, monkeypatch) -> None:
    whole = [video for video in videos() if video.kept is None]
    read = []
    fill = Features.fill

    def watched(self: Features, video: Video, *rest) -> None:
        read.append(video.name)
        fill(self, video, *rest)

    monkeypatch.setattr(Features, "fill", watched)
    statistics = input_statistics(features, whole)
    # the stores of sound know different frames of c: their sums are not those of the joint rows
    assert read == ["c"]
    # as if frames could be left out: then no store's sums do
    passed = [replace(video, kept=np.arange(video.frames)) for video in whole if not video.masked]
    for name, values in input_statistics(features, passed).items():
        assert torch.equal(values, statistics[name]), name
    assert read == ["c", "b", "c", "d"]


@pytest.mark.gpu
@pytest.mark.skipif(
    GPU.startswith("cuda") and not torch.cuda.is_available(), reason="no CUDA device here"
)
@pytest.mark.parametrize("held", [True, False])
def test_a_gpu_is_given_the_same_batches(features, held: bool, monkeypatch) -> None:
    monkeypatch.setattr("stages.sequence.reader.SHARE", 0.5 if held else 0.0)
    device = find_device(GPU)
    with open_batches(features, videos(), window=32, batch=3, device=device) as batches:
        for _ in range(2):
            asked = orders()
            for order, batch in zip(asked, batches.read(asked), strict=True):
                assert batch.visual.device == device
                assert_same(batch, make_batch(features, order, 32))
