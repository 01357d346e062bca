"""One video: the same probabilities as the pipeline's own, and every frame in its place."""

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from pyarrow import parquet

from stages import audio
from stages.core.errors import DataError
from stages.core.facs import AU_NAMES
from stages.core.feature_store import shard_path, write_index
from stages.core.hashing import file_hash
from stages.core.settings import Compute
from stages.crops.crop_file import CropReader
from stages.encoders import face_extraction
from stages.encoders.loading import Encoding
from stages.ensembles.calibration import Calibration
from stages.ensembles.ensemble import load_ensemble
from stages.faces import cropping
from stages.faces.settings import Crop
from stages.inference import detection
from stages.inference.columns import COLUMNS
from stages.inference.options import Options
from stages.inference.predict import predict_file
from stages.inference.predictor import Predictor, load_predictor
from stages.inference.results import Result, read_faces, read_rows
from stages.networks.registry import load_network
from stages.sequence.dataset import make_video
from stages.sequence.features import Features
from stages.sequence.windows import predict_video
from stages.synthesis.video_file import write_video
from tests import stand_ins
from tests.inference import tiny

FRAMES, GONE = 220, range(90, 131)
COMPUTE = Compute(workers=1, device="cpu", precision="32-true")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A face that goes away for a while; the sound starts late and ends early."""
    path = tmp_path / "clip.mp4"
    times = np.cumsum([0.0, *np.random.default_rng(0).uniform(0.03, 0.05, FRAMES - 1)])
    pictures = tiny.moving(FRAMES, without=GONE)
    write_video(path, pictures, times, crf=22, sound=tiny.speech(6), sound_start=1.5)
    return path


def store_of_one(store: Path, encode: Callable[[Path], None]) -> None:
    """Make a feature store of the one video that is called clip."""
    shard = shard_path(store, "clip")
    shard.parent.mkdir(parents=True)
    encode(shard)
    write_index(store, {}, {"clip": file_hash(shard)})


def by_the_pipeline(
    video: Path, ensemble: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[np.ndarray, np.ndarray]:
    """What the stages crop, visual, audio and the networks over their stores make of a video."""
    monkeypatch.chdir(folder)
    made = load_ensemble(ensemble)
    entry = stand_ins.entry(
        "clip", video.name, FRAMES, video_hash=file_hash(video), frame_rate=25.0
    )
    cropping.crop_entry(
        cropping.Task(entry, video.parent, Path("x"), made.crop, "cpu"), Path("crops.h5")
    )
    with CropReader(Path("crops.h5")) as crops:
        face, times = crops.status == 1, crops.timestamps
    stand_ins.write_index(video.parent, [entry], {"clip": times})
    stores: dict[str, Path] = {}
    for name, weights in made.visual.items():
        stores[name] = Path(name)
        file = ensemble / str(weights.file)
        encoding = Encoding(name, file, weights.sha256, "small", COMPUTE)
        work = face_extraction.Work("clip", Path("crops.h5"), FRAMES, 25.0, 16, encoding)
        store_of_one(stores[name], partial(face_extraction.encode_video, work))
    for name, weights in made.audio.items():
        stores[name] = Path(name)
        path = None if weights.file is None else ensemble / weights.file
        encoding = Encoding(name, path, weights.sha256, "small", COMPUTE)
        heard = audio.Work("clip", video, 25.0, encoding)
        store_of_one(stores[name], partial(audio.encode_video, heard))
    item = make_video("clip", np.zeros((FRAMES, 12), np.int8), face)
    said = []
    for member in made.members:
        network, _ = load_network(ensemble / member.file)
        seen, heard = ([stores[n] for n in names] for names in (member.visual, member.audio))
        with Features(seen, heard) as features:
            said.append(
                predict_video(
                    network, features, item, window=made.window, device=torch.device("cpu")
                )
            )
    return made.calibration.smooth(np.mean(said, axis=0)), face


def test_the_same_probabilities_as_the_pipeline(
    clip: Path,
    ensemble: Path,
    predictor: Predictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected, face = by_the_pipeline(clip, ensemble, tmp_path, monkeypatch)
    rows = read_rows(predict_file(clip, predictor, tmp_path / "out").parquet)
    np.testing.assert_allclose(rows.probabilities, expected, atol=2e-4)
    assert np.abs(expected - expected.mean(0)).max() > 0.01  # else nothing would be compared
    assert ((rows.status != "no_face") == face).all()
    assert not face[GONE].any()
    thresholds = np.asarray((0.4, 0.5, 0.6) * 4, np.float32)
    assert (rows.active == (rows.probabilities >= thresholds)).all()


def test_both_files_hold_the_same_rows_and_every_frame(
    clip: Path, predictor: Predictor, tmp_path: Path
) -> None:
    result = predict_file(clip, predictor, tmp_path / "out")
    import av

    with av.open(str(clip)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    rows = read_rows(result.parquet)
    assert rows.frame.tolist() == list(range(1, FRAMES + 1))
    np.testing.assert_allclose(rows.timestamp, times, atol=1e-6)
    with result.csv.open(newline="") as file:
        lines = list(csv.DictReader(file))
    table = parquet.read_table(result.parquet)
    assert list(lines[0]) == list(COLUMNS) == table.column_names
    for name in COLUMNS:
        for text, value in zip(
            (line[name] for line in lines), table[name].to_pylist(), strict=True
        ):
            same = (
                text == value
                if name == "status"
                else float(text or "nan")
                == pytest.approx(np.nan if value is None else value, abs=1e-3, nan_ok=True)
            )
            assert same, name
    assert set(rows.face_id.tolist()) == {1}
    assert np.isnan(rows.box[GONE]).all()
    assert (rows.confidence[GONE] == 0).all()
    assert np.isfinite(rows.probabilities).all()
    again = predict_file(clip, predictor, tmp_path / "again")
    for ending in ("csv", "parquet", "json"):
        assert (tmp_path / f"again/clip.{ending}").read_bytes() == getattr(
            result, ending
        ).read_bytes()
    assert again.about == Result.load(result.json, clip).about
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "clip.csv", "clip.json", "clip.parquet"]  # fmt: skip


def test_what_made_it_is_said(clip: Path, predictor: Predictor, tmp_path: Path) -> None:
    result = predict_file(clip, predictor, tmp_path / "out")
    about = json.loads(result.json.read_text())
    assert about["frames"] == FRAMES
    assert about["source"]["sha256"] == file_hash(clip)
    assert about["ensemble"]["hash"] == predictor.hash
    assert about["licences"]["vit"] == {"licence": "Apache-2.0", "source": "test"}
    assert str(tmp_path) not in result.json.read_text()
    heard = about["frames_with_sound"]
    assert 100 < heard < FRAMES
    assert any(f"{FRAMES - heard} of {FRAMES} frames have no sound" in w for w in result.warnings)
    assert any("synthetic" in warning for warning in result.warnings)


def test_without_sound_it_is_predicted_and_said(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "mute.mp4"
    write_video(path, tiny.moving(50), np.arange(50) / 25, crf=22)
    result = predict_file(path, predictor, tmp_path / "out")
    assert np.isfinite(read_rows(result.parquet).probabilities).all()
    assert any("no sound" in warning for warning in result.warnings)


def test_progress_is_told_and_can_end_the_work(
    clip: Path, predictor: Predictor, tmp_path: Path
) -> None:
    told: list[tuple[int, int | None, float]] = []
    predict_file(clip, predictor, tmp_path / "a", progress=lambda *now: told.append(now))
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1][:2] == (FRAMES, FRAMES)
    assert all(total == FRAMES and rate > 0 for _, total, rate in told)

    def stop(done: int, total: int | None, rate: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_file(clip, predictor, tmp_path / "b", progress=stop)
    assert not (tmp_path / "b").exists()


def test_skipped_frames_are_told_from_their_neighbours(
    predictor: Predictor, tmp_path: Path
) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(96), np.arange(96) / 25, crf=22, sound=tiny.speech(4))
    every = read_rows(predict_file(path, predictor, tmp_path / "1").parquet)
    result = predict_file(path, predictor, tmp_path / "4", Options(every=4))
    rows = read_rows(result.parquet)
    assert len(rows) == 96
    assert (rows.status[1::4] == "interpolated").all()
    assert result.about["options"]["every"] == 4
    # the face is followed in every frame all the same
    np.testing.assert_array_equal(rows.box, every.box)
    assert 0 < np.abs(rows.probabilities - every.probabilities).mean() < 0.05


def test_the_number_of_faces_at_once_hardly_matters(
    clip: Path, ensemble: Path, predictor: Predictor, tmp_path: Path
) -> None:
    other = load_predictor(ensemble, Options(device="cpu", batch=7))
    first = read_rows(predict_file(clip, predictor, tmp_path / "a").parquet)
    second = read_rows(predict_file(clip, other, tmp_path / "b").parquet)
    np.testing.assert_allclose(first.probabilities, second.probabilities, atol=2e-3)


def test_far_from_any_face_a_frame_is_nobodys(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.inference.row_assembler.REACH", 20)
    path = tmp_path / "a.mp4"
    pictures = tiny.moving(200, without=range(60, 140))
    write_video(path, pictures, np.arange(200) / 25, crf=22)
    rows = read_rows(predict_file(path, predictor, tmp_path / "out").parquet)
    assert rows.frame.tolist() == list(range(1, 201))
    first, last = np.flatnonzero(rows.face_id == 0)[[0, -1]]
    assert 80 <= first <= 84
    assert 116 <= last <= 120
    nobody = slice(first, last + 1)
    assert (rows.face_id[nobody] == 0).all()
    assert np.isnan(rows.probabilities[nobody]).all()
    assert np.isfinite(np.delete(rows.probabilities, np.arange(200)[nobody], axis=0)).all()


def test_thumbnails_are_the_crops_that_were_encoded(
    clip: Path, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops: dict[int, np.ndarray] = {}
    plain = detection.align

    def watched(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        crops[len(crops)] = plain(image, landmarks)
        return crops[len(crops) - 1]

    monkeypatch.setattr(detection, "align", watched)
    result = predict_file(clip, predictor, tmp_path / "out")
    rows = read_rows(result.parquet)
    found = list(read_faces(clip, rows, {1, 50, 100}))
    assert [(frame, face) for frame, face, _ in found] == [(1, 1), (50, 1)]
    for frame, _, image in found:
        assert np.abs(image.astype(int) - crops[frame - 1]).mean() < 1


def test_a_member_that_does_not_fit_its_encoders_is_a_sentence(tmp_path: Path) -> None:
    made = tiny.make_ensemble(tmp_path)
    content = json.loads((made.folder / "ensemble.json").read_text())
    content["members"][1]["visual"] = ["vit", "ires100"]
    (made.folder / "ensemble.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="export the ensemble again"):
        load_predictor(made.folder, Options(device="cpu"))


def test_every_au_has_its_columns() -> None:
    names = list(COLUMNS)
    assert names[:5] == ["frame", "timestamp", "face_id", "status", "confidence"]
    assert names[5:9] == ["x0", "y0", "x1", "y1"]
    assert names[9:21] == list(AU_NAMES)
    assert names[21:33] == [f"{name}_r" for name in AU_NAMES]
    assert names[33:45] == [f"{name}_c" for name in AU_NAMES]
    assert all(text.endswith(".") for text in COLUMNS.values())


def test_smoothing_and_crop_settings_are_the_ensembles(tmp_path: Path) -> None:
    made = tiny.make_ensemble(
        tmp_path,
        calibration=Calibration(),
        crop=Crop(source="detect", detector="centerface", pack="x", detect_every=1,
                  detection_side=320, score_threshold=0.5, jpeg_quality=20),
    )  # fmt: skip
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(30), np.arange(30) / 25, crf=22)
    loaded = load_predictor(made.folder, Options(device="cpu"))
    rows = read_rows(predict_file(path, loaded, tmp_path / "out").parquet)
    assert set(rows.status.tolist()) == {"face"}
