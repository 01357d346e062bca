"""Sound: true start, resampling against a known signal, gaps, and files without sound."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stages.core.errors import DataError
from stages.videos.audio import read_sound
from tests.stand_ins import write_video


def whole(path: Path, rate: int = 16_000) -> tuple[float, NDArray[np.float32]]:
    blocks = list(read_sound(path, rate))
    end = blocks[0][0]
    for time, samples in blocks:  # no gap, no overlap
        assert time == pytest.approx(end, abs=1e-9)
        assert 0 < len(samples) <= rate
        end = time + len(samples) / rate
    return blocks[0][0], np.concatenate([samples for _, samples in blocks])


def click(seconds: float, at: float, rate: int) -> NDArray[np.float32]:
    samples = np.zeros(round(seconds * rate), np.float32)
    samples[round(at * rate)] = 0.9
    return samples


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 8_000])
def test_a_click_stays_at_its_time_at_every_sampling_rate(tmp_path: Path, rate: int) -> None:
    write_video(tmp_path / "v.mov", click(1.5, 0.8, rate), rate=rate)
    start, samples = whole(tmp_path / "v.mov")
    found = start + np.abs(samples).argmax() / 16_000
    assert found == pytest.approx(0.8, abs=1.0 / min(rate, 16_000))
    assert len(samples) == pytest.approx(1.5 * 16_000, abs=32)


def test_a_tone_keeps_its_frequency_and_level(tmp_path: Path) -> None:
    times = np.arange(2 * 44_100) / 44_100
    write_video(
        tmp_path / "v.mov", (0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32), rate=44_100
    )
    _, samples = whole(tmp_path / "v.mov")
    ideal = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(samples)) / 16_000)
    inner = slice(800, -800)
    assert np.abs(samples[inner] - ideal[inner]).max() < 2e-3


@pytest.mark.parametrize(("name", "codec"), [("v.mov", "pcm_s16le"), ("v.mp4", "aac")])
def test_sound_that_starts_late(tmp_path: Path, name: str, codec: str) -> None:
    rate = 48_000
    write_video(tmp_path / name, click(1.2, 0.5, rate), sound_start=0.7, rate=rate, codec=codec)
    start, samples = whole(tmp_path / name)
    assert start == pytest.approx(0.7, abs=0.05)
    # AAC holds up to 1024 samples of silence before the first one, within the time stamps
    assert start + np.abs(samples).argmax() / 16_000 == pytest.approx(1.2, abs=0.002)


def test_a_gap_in_the_time_stamps_is_silence(tmp_path: Path) -> None:
    samples = np.full(16_000, 0.5, np.float32)
    write_video(tmp_path / "v.mkv", samples, gap=(0.5, 0.6))
    start, heard = whole(tmp_path / "v.mkv")
    assert start == pytest.approx(0, abs=1e-3)
    assert len(heard) == pytest.approx(1.6 * 16_000, abs=64)
    first = 8 * 1024  # the first block of samples that starts at half a second or later
    assert np.abs(heard[first + 50 : first + 9_500]).max() < 1e-3
    assert heard[first - 100] == pytest.approx(0.5, abs=0.01)
    assert heard[first + 9_700] == pytest.approx(0.5, abs=0.01)


def test_no_sound_is_nothing_and_no_video_is_an_error(tmp_path: Path) -> None:
    write_video(tmp_path / "silent.mp4", None)
    assert list(read_sound(tmp_path / "silent.mp4")) == []
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(DataError, match="cannot be opened"):
        list(read_sound(tmp_path / "text.mp4"))
