"""The data of the timeline against numpy, and the page as text."""

import json
from pathlib import Path

import numpy as np
import pytest

from stages.core.errors import DataError
from stages.core.facs import AU_NAMES
from stages.core.intensity import intensity_of
from stages.inference.results import Rows, read_faces, read_rows
from stages.inference.views.audio_envelope import waveform
from stages.inference.views.fragment import script_json, timeline_fragment
from stages.inference.views.person import STATUSES
from stages.inference.views.report import video_address, write_report
from stages.inference.views.timeline import (
    APART,
    FULL,
    STEP,
    add_pictures,
    find_moments,
    make_timeline,
    thresholds_of,
    wanted_frames,
)
from stages.videos.audio import read_sound
from tests.inference import clips, tracks


def made(folder: Path, frames: int, **changes: object) -> tuple[Rows, np.ndarray, np.ndarray]:
    times, strength = clips.irregular(frames), tracks.course(frames)
    path = tracks.ours(folder, times, strength, **changes)
    return read_rows(path.with_suffix(".parquet")), times, strength


@pytest.mark.parametrize(("frames", "columns"), [(50, 100), (100, 100), (101, 100), (1000, 77)])
def test_columns_are_bounded_and_hold_the_largest_of_their_frames(
    tmp_path: Path, frames: int, columns: int
) -> None:
    rows, times, strength = made(tmp_path, frames)
    data = make_timeline(rows, title="t", columns=columns)
    starts = np.asarray(data["first_frame"]) - 1
    assert starts[0] == 0
    assert len(starts) <= columns
    assert len(data["edges"]) == len(starts) + 1
    np.testing.assert_allclose(data["edges"][:-1], times[starts], atol=1e-4)
    assert data["edges"][-1] > times[-1]
    stops = [*starts[1:], frames]
    for au in range(12):
        largest = [strength[a:b, au].max() for a, b in zip(starts, stops, strict=True)]
        got = np.asarray(data["tracks"][0]["probability"][au]) / FULL
        np.testing.assert_allclose(got, largest, atol=0.5 / FULL + 1e-6)
        strong = np.asarray(data["tracks"][0]["intensity"][au]) / STEP
        np.testing.assert_allclose(strong, intensity_of(largest), atol=0.5 / STEP + 1e-3)


def test_one_frame_without_a_face_marks_its_column(tmp_path: Path) -> None:
    status = ["face"] * 300
    status[100], status[201] = "no_face", "interpolated"
    rows, _, strength = made(tmp_path, 300, status=status)
    data = make_timeline(rows, title="t", columns=60)
    column = [STATUSES[k] for k in data["tracks"][0]["status"]]
    assert [k for k, text in enumerate(column) if text == "no_face"] == [20]
    assert [k for k, text in enumerate(column) if text == "interpolated"] == [40]
    assert data["tracks"][0]["without_face"] == pytest.approx(1 / 300, abs=1e-4)
    seen = np.asarray(status) != "no_face"
    expected = (strength[seen] >= 0.5).mean(0)
    np.testing.assert_allclose(data["tracks"][0]["share"], expected, atol=1e-4)


def test_what_is_present_reaches_its_level_and_nothing_else_does(tmp_path: Path) -> None:
    rows, _, _ = made(tmp_path, 500)  # present from a probability of 0.5
    data = make_timeline(rows, title="t", thresholds=(0.5,) * 12, columns=60)
    for au, level in enumerate(data["levels"]):
        strong = np.asarray(data["tracks"][0]["intensity"][au]) / STEP
        active = np.asarray(data["tracks"][0]["active"][au]) == 1
        assert 0 < active.sum() < 60
        assert strong[active].min() >= level - 0.5 / STEP
        assert strong[~active].max() < level + 0.5 / STEP


def test_moments_are_the_strongest_with_the_face_and_apart(tmp_path: Path) -> None:
    status = ["no_face" if k % 7 == 0 else "face" for k in range(400)]
    rows, times, strength = made(tmp_path, 400, status=status)
    track = make_timeline(rows, title="t")["tracks"][0]
    seen = np.asarray(status) == "face"
    for au in range(12):
        mine = [moment for moment in track["moments"] if moment["au"] == au]
        assert mine[0]["probability"] == pytest.approx(strength[seen, au].max(), abs=1e-3)
        for moment in mine:
            frame = moment["frame"] - 1
            assert seen[frame]
            assert moment["time"] == pytest.approx(times[frame], abs=1e-3)
        gaps = np.diff(sorted(moment["time"] for moment in mine))
        assert (gaps >= APART - 1e-3).all()


def test_no_moment_where_no_face_was_seen() -> None:
    times = np.arange(5.0)
    assert find_moments(np.ones(5), times, np.zeros(5, bool)) == []
    assert find_moments(np.full(5, np.nan), times, np.ones(5, bool)) == []


def test_a_video_without_any_face_has_a_timeline(tmp_path: Path) -> None:
    rows, _, _ = made(tmp_path, 30, status=["no_face"] * 30)
    data = make_timeline(rows, title="t")
    assert set(data["tracks"][0]["status"]) == {0}
    assert wanted_frames(data) == set()
    json.loads(script_json(data))


def test_each_person_has_a_track_and_is_absent_where_not_seen(tmp_path: Path) -> None:
    alone = made(tmp_path, 90)[0]
    second = [
        dict.fromkeys(AU_NAMES) | {
            "frame": k + 1, "timestamp": round(float(alone.timestamp[k]), 6), "face_id": 2,
            "status": "face", "confidence": 0.5, **dict.fromkeys(("x0", "y0"), 1.0),
            **dict.fromkeys(("x1", "y1"), 9.0), **dict.fromkeys(AU_NAMES, 0.25),
            **{f"{name}_r": 1.2 for name in AU_NAMES},
            **{f"{name}_c": 0 for name in AU_NAMES}, **dict.fromkeys(LANDMARK_CELLS, 5.0),
        }
        for k in range(20, 50)
    ]  # fmt: skip
    rows = made(tmp_path, 90, more=second)[0]
    data = make_timeline(rows, title="t")
    assert [track["face"] for track in data["tracks"]] == [1, 2]
    other = data["tracks"][1]
    assert [k for k, status in enumerate(other["status"]) if status] == list(range(20, 50))
    assert other["probability"][3][30] == 250
    assert other["probability"][3][10] is None


LANDMARK_CELLS = [
    f"{point}_{axis}"
    for point in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    for axis in "xy"
]


def test_the_waveform_is_the_sounds_outline(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    samples = random.uniform(-0.8, 0.8, 5000).astype(np.float32)
    edges = np.array([0.0, 0.2, 0.25, 0.6, 1.4])
    blocks = [(0.1 + first / 8000, samples[first : first + 700]) for first in range(0, 5000, 700)]
    drawn = waveform(blocks, edges, 8000)
    assert drawn is not None
    times = 0.1 + np.arange(5000) / 8000
    for column in range(4):
        inside = samples[(times >= edges[column] - 1e-9) & (times < edges[column + 1] - 1e-9)]
        assert drawn["high"][column] == pytest.approx(FULL * max(inside.max(), 0), abs=0.51)
        assert drawn["low"][column] == pytest.approx(FULL * min(inside.min(), 0), abs=0.51)
    assert waveform([], edges, 8000) is None


def test_sound_that_starts_late_is_drawn_late(tmp_path: Path) -> None:
    times = clips.irregular(60)
    video = clips.write_clip(tmp_path / "v.mkv", times, sound="pcm_s16le", sound_start=1.0)
    rows = read_rows(tracks.ours(tmp_path, times, tracks.course(60)).with_suffix(".parquet"))
    data = make_timeline(rows, title="t", sound=read_sound(video))
    edges, high = np.asarray(data["edges"]), np.asarray(data["waveform"]["high"])
    assert not high[edges[1:] < 1.0].any()
    assert (high[:-1][edges[:-2] > 1.1] > 200).all()


def test_pictures_stand_at_their_frames(tmp_path: Path) -> None:
    times = clips.irregular(40)
    video = clips.write_clip(tmp_path / "v.mp4", times, size=(64, 64))
    rows = read_rows(tracks.ours(tmp_path, times, tracks.course(40)).with_suffix(".parquet"))
    data = make_timeline(rows, title="t")
    add_pictures(data, read_faces(video, rows, wanted_frames(data)))
    places = data["tracks"][0]["strip"] + data["tracks"][0]["moments"]
    assert all(place["picture"].startswith("data:image/jpeg;base64,") for place in places)
    by_frame: dict[int, set[str]] = {}
    for place in places:
        by_frame.setdefault(place["frame"], set()).add(place["picture"])
    assert all(len(pictures) == 1 for pictures in by_frame.values())
    assert len(set.union(*by_frame.values())) > 30, "the frames differ, and so do their pictures"


def test_thresholds_are_found_where_the_prediction_tells_them() -> None:
    twelve = [0.1 * k / 2 for k in range(12)]
    assert thresholds_of({"calibration": {"thresholds": twelve}}) == tuple(twelve)
    assert thresholds_of({}) is None
    assert thresholds_of({"calibration": {"thresholds": [0.5]}}) is None


def test_an_hour_makes_a_page_of_reasonable_size(tmp_path: Path) -> None:
    frames = 90_000
    strength = np.round(np.random.default_rng(0).random((frames, 12)), 4).astype(np.float32)
    rows = Rows(
        frame=np.arange(1, frames + 1),
        timestamp=np.arange(frames) / 25,
        face_id=np.ones(frames, np.int64),
        status=np.full(frames, "face"),
        confidence=np.ones(frames, np.float32),
        box=np.zeros((frames, 4), np.float32),
        probabilities=strength,
        intensity=5 * strength,
        active=strength > 0.5,
        landmarks=np.zeros((frames, 5, 2), np.float32),
    )
    second = np.sin(np.arange(16_000)).astype(np.float32)
    data = make_timeline(rows, title="t", sound=((float(k), second) for k in range(3600)))
    assert len(data["first_frame"]) == 3000
    assert len(wanted_frames(data)) <= 160
    assert len(script_json(data)) < 600_000


def test_names_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    times = clips.irregular(12)
    name = "a </script><img src=x onerror=alert(1)> & \"b\" 'c' #1?.mp4"
    video = clips.write_clip(tmp_path / "v.mp4", times)
    evil = tmp_path / name.replace("/", "_")
    video.rename(evil)
    table = tracks.ours(tmp_path, times, tracks.course(12)).with_suffix(".parquet")
    page = write_report(evil, table, tmp_path / "p.html", title=name).read_text()
    assert "<img src=x" not in page
    assert "</script><img" not in page
    assert "#1?" not in page.split("src='")[1].split("'")[0], "part of the name, not of the address"
    data = script_json({"title": name})
    assert "<" not in data
    assert json.loads(data)["title"] == name
    assert "<img" not in timeline_fragment({"title": name}, 'x"><img>', "v")


def test_the_video_is_named_by_its_path_from_the_page_or_embedded(tmp_path: Path) -> None:
    video = clips.write_clip(tmp_path / "my clip.mp4", clips.irregular(5))
    page = tmp_path / "out" / "p.html"
    assert video_address(video, page) == "../my%20clip.mp4"
    assert video_address(video, tmp_path / "p.html") == "my%20clip.mp4"
    assert video_address(video, page, embed=True).startswith("data:video/mp4;base64,")
    with pytest.raises(DataError, match=r"browsers play none that ends in \.avi"):
        video_address(video.rename(tmp_path / "c.avi"), page, embed=True)


def test_a_page_is_written_whole_and_the_same_each_time(tmp_path: Path) -> None:
    times = clips.irregular(20)
    video = clips.write_clip(tmp_path / "v.mp4", times, sound="aac")
    table = tracks.ours(tmp_path, times, tracks.course(20)).with_suffix(".parquet")
    about = {"kind": "aufusion prediction", "source": {}, "ensemble": {"name": "best<1>"},
             "options": {}, "warnings": ["Only <half> of it."]}  # fmt: skip
    table.with_suffix(".json").write_text(json.dumps(about))
    first = write_report(video, table, tmp_path / "p.html").read_bytes()
    assert write_report(video, table, tmp_path / "p.html").read_bytes() == first
    assert b"Only &lt;half&gt; of it." in first
    assert b"best&lt;1&gt;" in first
    assert not list(tmp_path.glob(".p*"))
    with pytest.raises(DataError, match="cannot be written"):
        write_report(video, table, tmp_path / "absent" / "p.html")
