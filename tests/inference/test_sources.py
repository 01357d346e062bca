"""Which videos there are, and what their files are called."""

from pathlib import Path

from stages.inference.sources import find_videos


def test_files_are_called_after_their_videos_and_never_alike(tmp_path: Path) -> None:
    made = [
        "x/a.mp4", "x/a.mov", "x/B.mp4", "x/b.mkv", "x/deep/a.mp4", "x/deep/er/c.AVI", "y/a.mp4",
        "y/only.webm", "x/.hidden.mp4", "x/.git/d.mp4",
    ]  # fmt: skip
    for name in made:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "x/link.mp4").symlink_to(tmp_path / "y/only.webm")
    given = [tmp_path / "x", tmp_path / "y", tmp_path / "y/only.webm", tmp_path / "nothing"]
    flat, failed = find_videos(given, recursive=False)
    assert {i.path.relative_to(tmp_path).as_posix() for i in flat} == {
        "x/a.mp4", "x/a.mov", "x/B.mp4", "x/b.mkv", "x/link.mp4", "y/a.mp4",
    }  # fmt: skip
    assert list(failed.values()) == [f"{tmp_path / 'nothing'} is not there."]
    deep, _ = find_videos(given, recursive=True)
    assert len(deep) == 8
    for found in (flat, deep):
        places = [(i.below.as_posix() + "/" + i.name).lower() for i in found]
        assert len(set(places)) == len(places)
    by_path = {i.path.relative_to(tmp_path).as_posix(): i for i in deep}
    assert by_path["x/a.mov"].name == "a.mov"
    assert by_path["x/deep/a.mp4"].below == Path("deep")
    assert by_path["x/deep/er/c.AVI"].name == "c"
    (tmp_path / "empty").mkdir()
    assert "holds no video" in find_videos([tmp_path / "empty"], True)[1][str(tmp_path / "empty")]
