"""`aufusion` in Python: arrays, files and folders give the same rows as the command."""

from fractions import Fraction
from pathlib import Path

import aufusion
import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.inference.columns import COLUMNS
from stages.inference.options import Options
from stages.inference.predict import predict_file
from stages.inference.predictor import load_predictor
from tests.inference import tiny

FRAMES, FPS, RATE = 60, 25, 48_000


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.stack(tiny.moving(FRAMES, without=range(20, 24)))


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    """Two channels, shorter than the pictures."""
    sound = (tiny.speech(1.6, RATE)[0] * 32767).astype(np.int16)
    return np.stack([sound, sound // 2], axis=1)


@pytest.fixture(scope="module")
def video(
    frames: np.ndarray, samples: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same pictures and sound in a file, without loss."""
    path = tmp_path_factory.mktemp("video") / "clip.mkv"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("ffv1", rate=FPS)
        pictures.height, pictures.width = frames.shape[1:3]
        pictures.pix_fmt = "bgr0"
        sound = container.add_stream("pcm_s16le", rate=RATE)
        sound.layout = "stereo"
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode())
        for first in range(0, len(samples), 1024):
            block = samples[first : first + 1024].reshape(1, -1)
            part = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "s16", "stereo")
            part.sample_rate, part.time_base, part.pts = RATE, Fraction(1, RATE), first
            container.mux(sound.encode(part))
        container.mux(sound.encode())
    return path


@pytest.fixture(scope="module")
def table(frames: np.ndarray, samples: np.ndarray, ensemble: Path) -> pd.DataFrame:
    return aufusion.predict(frames, fps=FPS, sound=(samples, RATE), ensemble=ensemble)


def test_an_array_is_predicted_as_the_file_of_its_frames(
    table: pd.DataFrame, video: Path, ensemble: Path, tmp_path: Path
) -> None:
    read = aufusion.predict(video, ensemble=ensemble)
    assert list(table) == list(COLUMNS)
    assert len(table) == FRAMES
    assert set(table["status"]) == {"face", "interpolated"} | {"no_face"}
    pd.testing.assert_frame_equal(table, read)
    about = table.attrs["about"]
    assert about["frames_with_sound"] == read.attrs["about"]["frames_with_sound"] > 30
    assert any("frames have no sound" in text for text in about["warnings"])
    # and as the command writes it
    result = predict_file(video, load_predictor(ensemble, Options(device="cpu")), tmp_path)
    written = pd.read_csv(result.csv).astype(read.dtypes.to_dict())
    pd.testing.assert_frame_equal(written, read, check_exact=False, rtol=0, atol=2e-6)


def test_sound_changes_the_aus(table: pd.DataFrame, frames: np.ndarray, ensemble: Path) -> None:
    silent = aufusion.predict(list(frames), fps=FPS, ensemble=ensemble)
    assert np.abs(silent["AU12"] - table["AU12"]).max() > 1e-4
    assert (silent["x0"].dropna() == table["x0"].dropna()).all()


def test_a_stream_says_the_same_within_its_delay(frames: np.ndarray, ensemble: Path) -> None:
    many = np.concatenate([frames, frames, frames])
    taken = 0

    def camera():
        nonlocal taken
        for image in many:
            taken += 1
            yield image

    stream = aufusion.stream(camera(), fps=FPS, ensemble=ensemble)
    assert stream.delay < len(many)
    rows, late = [], []
    for row in stream:
        late.append(taken - row["frame"])
        rows.append(row)
    whole = aufusion.predict(many, fps=FPS, ensemble=ensemble, batch=4)
    pd.testing.assert_frame_equal(pd.DataFrame(rows).astype(whole.dtypes.to_dict()), whole)
    assert stream.delay // 3 < max(late) <= stream.delay


def test_a_stream_can_be_left(frames: np.ndarray, ensemble: Path) -> None:
    def camera():
        while True:
            yield from frames

    stream = aufusion.stream(camera(), fps=FPS, ensemble=ensemble)
    assert next(stream)["frame"] == 1
    stream.close()
    assert list(stream) == []


def test_photos_and_folders(ensemble: Path, tmp_path: Path) -> None:
    face = tiny.portrait()
    Image.fromarray(face).save(tmp_path / "a.png")
    Image.fromarray(face[:, ::-1]).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    photo = aufusion.predict(face, ensemble=ensemble)
    assert len(photo) == 1
    assert photo.attrs["about"]["photo"]
    with pytest.warns(UserWarning, match=r"c\.png cannot be read as a photo"):
        both = aufusion.predict(tmp_path, ensemble=ensemble)
    assert list(both) == ["file", *COLUMNS]
    assert both["file"].tolist() == [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    pd.testing.assert_frame_equal(both.iloc[:1].drop(columns="file"), photo)
    assert set(both.attrs["about"]) == set(both["file"])
    listed = aufusion.predict([tmp_path / "b.png", str(tmp_path / "a.png")], ensemble=ensemble)
    assert listed["file"].tolist() == [str(tmp_path / "b.png"), str(tmp_path / "a.png")]


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        (np.zeros((2, 8, 8, 3), np.uint8), {}, "Frames need their rate"),
        (np.zeros((2, 8, 8, 3), np.uint8), {"fps": 0}, "fps is 0"),
        (np.zeros((2, 8, 8, 3)), {"fps": 25}, r"Frame 1 is float64 of the shape \(8, 8, 3\)"),
        (np.zeros((8, 8), np.uint8), {"fps": 25}, r"The array has the shape \(8, 8\)"),
        (np.zeros((0, 8, 8, 3), np.uint8), {"fps": 25}, "There are no frames"),
        ([], {"fps": 25}, "The source is empty"),
        ("absent.mp4", {}, "absent.mp4 is not there"),
        ("absent.mp4", {"fps": 25}, "a file knows its own"),
        (
            np.zeros((2, 8, 8, 3), np.uint8),
            {"fps": 25, "sound": (np.zeros((2, 900)), 16_000)},
            "samples come first",
        ),
    ],
)
def test_what_cannot_be_predicted_is_said(
    ensemble: Path, source: object, options: dict, said: str
) -> None:
    with pytest.raises(aufusion.DataError, match=said):
        aufusion.predict(source, ensemble=ensemble, **options)


def test_a_wrong_option_names_those_allowed() -> None:
    with pytest.raises(aufusion.SettingsError, match="faces is 'both'; allowed: main, all"):
        aufusion.predict("a.mp4", faces="both")


def test_plot(table: pd.DataFrame, tmp_path: Path) -> None:
    figure = aufusion.plot(table)
    curve = figure.axes[6].lines[0]
    shown = np.where(table["status"] == "no_face", np.nan, table["AU12_r"])
    np.testing.assert_allclose(curve.get_ydata(), shown)
    figure.savefig(tmp_path / "a.png")
    with pytest.raises(aufusion.DataError, match="no column 'AU26'"):
        aufusion.plot(table.drop(columns="AU26"))


def test_compare_of_tables_and_files(table: pd.DataFrame, tmp_path: Path) -> None:
    found = aufusion.compare(table, table)
    assert found.index.tolist() == [name for name in COLUMNS if name.startswith("AU")][:12]
    assert (found["correlation"] > 0.999).all()
    assert found.attrs["tool"] == "AUFusion"
    fex = pd.DataFrame({"frame": table["frame"] - 1, "FaceScore": 0.9, "AU01": 1 - table["AU01"]})
    fex["input"] = "clip.mp4"
    found = aufusion.compare(table, fex)
    assert found.attrs["tool"] == "py-feat"
    assert found.index.tolist() == ["AU01"]
    assert found.loc["AU01", "correlation"] == pytest.approx(-1, abs=1e-6)
    fex.to_csv(tmp_path / "fex.csv", sep=";", decimal=",", index=False)
    pd.testing.assert_frame_equal(aufusion.compare(table, tmp_path / "fex.csv"), found)
    with pytest.raises(aufusion.DataError, match="name that of AUFusion first"):
        aufusion.compare(fex, table)


def test_evaluate(ensemble: Path, tmp_path: Path) -> None:
    face = Image.fromarray(tiny.portrait())
    lines = ["image,person,AU1,AU12"]
    for number in range(4):
        face.rotate(3 * number).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,p{number},{number % 2},1")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    found = aufusion.evaluate(tmp_path, ensemble=ensemble)
    assert {"group", "au", "measure", "estimate", "low", "high"} <= set(found)
    assert {"AU01", "AU12"} <= set(found["au"])
    assert found.attrs["about"]["kind"] == "aufusion evaluation"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "0.png", "1.png", "2.png", "3.png", "labels.csv",
    ]  # fmt: skip
