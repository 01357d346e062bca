"""Videos that cannot be read, results that cannot be written: a sentence, never half a file."""

import subprocess
import sys
from collections.abc import Callable
from errno import ENOSPC
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stages.core.errors import DataError
from stages.inference import known_hashes
from stages.inference.options import Options
from stages.inference.predict import predict_file
from stages.inference.predictor import Predictor
from stages.inference.results import read_rows
from stages.synthesis.video_file import write_video
from tests.inference import tiny


def test_a_truncated_video_keeps_what_decodes(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(60), np.arange(60) / 25, crf=20)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    result = predict_file(path, predictor, tmp_path / "out")
    rows, warnings = read_rows(result.parquet), result.warnings
    assert 10 < rows.frame[-1] < 60
    assert any("promises 60 pictures" in warning for warning in warnings)


@pytest.mark.parametrize("seed", range(12))
def test_damage_anywhere_gives_rows_or_a_sentence(
    predictor: Predictor, tmp_path: Path, seed: int
) -> None:
    random = np.random.default_rng(seed)
    path = tmp_path / f"a.{('mp4', 'mkv', 'ts')[seed % 3]}"
    write_video(tmp_path / "whole.mp4", tiny.moving(30), np.arange(30) / 25, crf=24,
                sound=tiny.speech(1.2))  # fmt: skip
    with av.open(str(tmp_path / "whole.mp4")) as source, av.open(str(path), "w") as target:
        streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    data[random.integers(0, len(data), 60)] = random.integers(0, 256, 60)
    path.write_bytes(data.tobytes())
    try:
        rows = read_rows(predict_file(path, predictor, tmp_path / "out").parquet)
    except DataError:
        assert not list((tmp_path / "out").glob("*"))
        return
    assert rows.frame.tolist() == list(range(1, rows.frame[-1] + 1))
    assert (np.diff(rows.timestamp) > 0).all()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:300]),
            "no picture stream|cannot be opened",
        ),
        (lambda path: path.write_text("no video\n" * 100), "cannot be opened as a video"),
        (lambda path: path.write_text("ffconcat version 1.0\nfile b.mp4\n"), "cannot be opened"),
        (lambda path: path.unlink(), "No such file"),
        (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(
    predictor: Predictor, tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(10), np.arange(10) / 25, crf=20)
    spoil(path)
    with pytest.raises(DataError, match=said):
        predict_file(path, predictor, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_permission_is_a_sentence(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(4), np.arange(4) / 25, crf=20)

    def refuse(asked: Path) -> str:
        raise PermissionError(13, "Permission denied", str(asked))

    # as root, who runs the tests in containers, every file can be read
    monkeypatch.setattr(known_hashes, "file_hash", refuse)
    with pytest.raises(DataError, match=r"a\.mp4 cannot be read: Permission denied"):
        predict_file(path, predictor, tmp_path / "out")


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".json"])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(40), np.arange(40) / 25, crf=20)
    predict_file(path, predictor, tmp_path / "out")
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    full = OSError(ENOSPC, "No space left on device")

    def write(*given: object, **more: object) -> None:
        raise full

    from stages.inference import writing

    if ending == ".csv":
        plain = writing.csv.writer

        class Half:
            def __init__(self, *given: Any, **more: Any) -> None:
                self._writer, self._rows = plain(*given, **more), 0

            def writerow(self, row: Any) -> None:
                self._rows += 1
                if self._rows > 10:
                    raise full
                self._writer.writerow(row)

        monkeypatch.setattr(writing.csv, "writer", Half)
    elif ending == ".parquet":
        monkeypatch.setattr(writing.parquet.ParquetWriter, "write_table", write)
    else:
        monkeypatch.setattr(Path, "write_text", write)
    with pytest.raises(DataError, match=rf"a\{ending} cannot be written: No space left"):
        predict_file(path, predictor, tmp_path / "out", Options(every=2))
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before
    with pytest.raises(DataError, match="No space left"):
        predict_file(path, predictor, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


def test_a_file_that_is_truly_too_large_for_the_disk(predictor: Predictor, tmp_path: Path) -> None:
    """The same with a limit of the system's own on the size of a file."""
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(120), np.arange(120) / 25, crf=20)
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from stages.inference.predict import predict_file\n"
        "from stages.inference.predictor import load_predictor\n"
        "from stages.core.errors import DataError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "p = load_predictor(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "sys.dont_write_bytecode = True  # Python would leave half of a file of it behind\n"
        "try:\n    predict_file(Path(sys.argv[2]), p, Path(sys.argv[3]))\n"
        "except DataError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, predictor.ensemble.folder, path, tmp_path / "out"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "cannot be written: File too large." in done.stdout
    assert not (tmp_path / "out").exists()


def test_a_video_that_changes_meanwhile_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, tiny.moving(60), np.arange(60) / 25, crf=20)

    def grow(done: int, total: int | None, rate: float) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with pytest.raises(DataError, match="changed while it was read"):
        predict_file(path, predictor, tmp_path / "out", progress=grow)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".a", "a\0"])
def test_a_name_cannot_leave_the_folder(predictor: Predictor, tmp_path: Path, name: str) -> None:
    write_video(tmp_path / "a.mp4", tiny.moving(2), np.arange(2) / 25, crf=20)
    with pytest.raises(DataError, match="cannot be the name"):
        predict_file(tmp_path / "a.mp4", predictor, tmp_path / "out", name=name)
