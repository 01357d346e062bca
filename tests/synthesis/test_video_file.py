import hashlib

import av
import numpy as np
import pytest

from stages.synthesis.video_file import write_video

RATE = 44_100


def _frames(count):
    for index in range(count):
        image = np.full((64, 96, 3), 40, np.uint8)
        image[:, index : index + 8] = 220
        yield image


def _read(path):
    with av.open(str(path)) as container:
        pictures = [(float(f.pts * f.time_base), f) for f in container.decode(video=0)]
    times = np.array([time for time, _ in pictures])
    images = [frame.to_ndarray(format="rgb24") for _, frame in pictures]
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return times, images, None
        blocks = [(float(f.pts * f.time_base), f.to_ndarray()) for f in container.decode(audio=0)]
    return times, images, blocks


def _onset(blocks):
    """Time in seconds at which the sound becomes loud."""
    samples = np.concatenate([block[0] for _, block in blocks])
    return blocks[0][0] + np.argmax(np.abs(samples) > 0.25) / RATE


def _beep(seconds, silence):
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.6 * np.sin(2 * np.pi * 440 * time) * (time >= silence))[None].astype(np.float32)


def test_uneven_presentation_times_come_back(tmp_path):
    rng = np.random.default_rng(0)
    times = np.concatenate([[0.0], np.cumsum(rng.choice([0.02, 0.04, 0.08], 39))])
    write_video(tmp_path / "a.mp4", _frames(40), times, crf=20)
    read, images, sound = _read(tmp_path / "a.mp4")
    np.testing.assert_allclose(read, times, atol=1e-4)
    assert sound is None
    for index, image in enumerate(images):
        assert image[:, index : index + 8].mean() > 180


@pytest.mark.parametrize("start", [0.0, 0.7])
def test_sound_is_where_it_belongs(tmp_path, start):
    times = np.arange(50) / 25
    sound = _beep(2.0 - start, 0.5)
    write_video(
        tmp_path / "a.mp4", _frames(50), times, crf=30, sound=sound, sample_rate=RATE,
        sound_start=start,
    )  # fmt: skip
    _, _, blocks = _read(tmp_path / "a.mp4")
    assert blocks is not None
    assert blocks[0][0] == pytest.approx(start, abs=0.03)
    assert _onset(blocks) == pytest.approx(start + 0.5, abs=0.005)


def test_stereo(tmp_path):
    sound = np.concatenate([_beep(1.0, 0.0), np.zeros((1, RATE), np.float32)])
    write_video(
        tmp_path / "a.mp4", _frames(25), np.arange(25) / 25, crf=30, sound=sound, sample_rate=RATE
    )
    _, _, blocks = _read(tmp_path / "a.mp4")
    left, right = np.concatenate([block for _, block in blocks], axis=1)
    assert np.abs(left).max() > 0.4
    assert np.abs(right).max() < 0.1


def test_same_input_same_bytes(tmp_path):
    digests = set()
    for name in ("a.mp4", "b.part"):
        write_video(
            tmp_path / name, _frames(30), np.arange(30) / 25, crf=26, sound=_beep(1.2, 0.1),
            sample_rate=RATE,
        )  # fmt: skip
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
