import numpy as np
import pytest

from stages.videos.audio import read_sound
from stages.videos.video import read_frames
from tests.benchmarks.voices import CLIPS, agreement, blendshapes, rewritten


def test_agreement_ranks_frames_and_leaves_out_unknown_ones():
    shown = np.linspace(0.0, 1.0, 40)
    assert agreement(shown**3, shown) == (pytest.approx(1.0), 1.0)
    assert agreement(-shown, shown) == (pytest.approx(-1.0), 0.0)
    holes = shown.copy()
    holes[::3] = np.nan
    assert agreement(shown, holes) == (pytest.approx(1.0), 1.0)
    assert np.isnan(agreement(np.full(40, np.nan), shown)).all()


@pytest.mark.skipif(not CLIPS.is_dir(), reason="no real clips beside the checkout")
def test_pictures_and_times_stay_when_the_sound_changes(tmp_path):
    first, second = sorted(CLIPS.glob("grid_*.mpg"))[:2]
    rewritten(first, tmp_path / "silent.mkv", None)
    rewritten(first, tmp_path / "other.mkv", second)
    given = list(read_frames(first))
    for name in ("silent.mkv", "other.mkv"):
        copied = list(read_frames(tmp_path / name))
        np.testing.assert_allclose(
            np.diff([time for time, _ in copied]), np.diff([time for time, _ in given]), atol=2e-3
        )
        for (_, picture), (_, copy) in zip(given, copied, strict=True):
            np.testing.assert_array_equal(picture, copy)
    assert not list(read_sound(tmp_path / "silent.mkv", 16_000))
    sounds = [
        np.concatenate([part for _, part in read_sound(path, 16_000)])
        for path in (second, tmp_path / "other.mkv")
    ]
    count = min(map(len, sounds))
    assert np.corrcoef(sounds[0][:count], sounds[1][:count])[0, 1] > 0.99
    assert {len(values) for values in blendshapes(first).values()} == {len(given)}
