"""What is drawn of a finished video: page and view of the same faces, decoded once."""

import json
from pathlib import Path

import pytest

from stages.inference.results import read_faces
from stages.inference.views.report import write_report
from stages.inference.web import view as view_module
from stages.inference.web.checking import check_upload
from stages.inference.web.job import JobFolder
from stages.inference.web.settings import Limits
from stages.inference.web.view import SeenFaces, write_page, write_view
from tests.inference.web import stand_in


def test_page_and_view_decode_the_faces_once(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def reading(video: Path, *given: object) -> object:
        asked.append(video)
        return read_faces(video, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(view_module, "read_faces", reading)
    folder = JobFolder(tmp_path / "job")
    folder.results.mkdir(parents=True)
    folder.video.write_bytes(clip.read_bytes())
    facts = check_upload(lambda message: None, folder.video, folder.poster, Limits())
    stand_in.predict(folder.video, folder.results, lambda done, total: None)
    faces = SeenFaces(folder)
    write_page(folder, "clip", facts, faces)
    write_view(folder, "clip", facts, faces)
    assert asked == [folder.video]
    named = folder.path / "named.mp4"
    named.symlink_to(folder.video)
    alone, table = tmp_path / "alone.html", folder.result("parquet")
    assert table is not None
    write_report(named, table, alone, embed=True, title="clip")
    page = folder.result("report")
    assert page is not None
    assert page.read_bytes() == alone.read_bytes()
    pictures = [place["picture"] for track in json.loads(folder.view.read_text())["tracks"]
                for place in track["strip"]]  # fmt: skip
    assert pictures
    assert all(picture in page.read_text() for picture in pictures)


def test_other_frames_are_decoded_anew(clip: Path, tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    folder.results.mkdir()
    folder.video.write_bytes(clip.read_bytes())
    stand_in.predict(folder.video, folder.results, lambda done, total: None)
    faces = SeenFaces(folder)
    for wanted in ({3, 5}, {5, 7}):
        assert {frame for frame, *_ in faces(wanted)} == wanted
