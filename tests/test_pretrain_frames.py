"""Stage `pretrain_frames`: which frames of the videos join the faces, and which never do."""

from pathlib import Path

import numpy as np
import pytest

from stages import pretrain, pretrain_frames
from stages.crops.crop_file import CropReader, CropWriter
from stages.pretraining import faces
from stages.videos.manifest import Entry, Manifest, save_frames
from tests import stand_ins

SPLITS = {
    "one": ("train", "ann"),
    "two_left": ("train", "bob"),
    "two_right": ("validation", "cat"),  # the same video
    "three": ("train", "dan"),
    "four": ("validation", "dan"),  # the same person
    "five": ("test", "eve"),
    "six": ("train", "eve"),
    "seven": ("unlabelled", "fay"),
    "eight": ("train", "gil"),
    "nine": ("train", "ann"),
    "uncropped": ("train", "hal"),
}
LENGTH = 21
COLOURS = {name: 10 + 20 * number for number, name in enumerate(SPLITS)}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Videos each in a grey of its own; labels of frame t are -1 where t is 4."""
    monkeypatch.chdir(tmp_path)
    Path("data/crops").mkdir(parents=True)
    Path("data/index").mkdir()
    stand_ins.write_faces(Path("data/faces.h5"), faces=24, people=6)
    entries: list[Entry] = []
    for name, (split, person) in SPLITS.items():
        video = f"{name.partition('_')[0]}.mp4"
        entries.append(stand_ins.entry(name, video, LENGTH, split=split, person=person))
        if name != "uncropped":
            with CropWriter(Path(f"data/crops/{name}.h5"), {}) as writer:
                for t in range(LENGTH):
                    grey = np.full((112, 112, 3), COLOURS[name], np.uint8)
                    writer.append(None if t == 8 else grey, timestamp=t / 25)
    labels = np.tile((np.arange(LENGTH) % 3 == 0)[:, None], 12).astype(np.int8)
    labels[4] = -1
    labels[12, :6] = -1  # still annotated in part
    Manifest("root", tuple(sorted(entries, key=lambda e: e.name)), {}).save(Path("data/index"))
    save_frames(
        Path("data/index"),
        ((name, np.arange(LENGTH) / 25, labels) for name in sorted(SPLITS)),
    )
    stand_ins.settings(tmp_path, data__frame_step=4, pretrain__vit__data="faces+train")
    return tmp_path


def greys() -> dict[str, int]:
    """How many rows of the result show each video, by its grey."""
    with CropReader(Path("data/faces+train.h5")) as reader:
        flat = [image.mean() for image in reader.read() if image is not None and image.std() < 2]
    names = {name: sum(abs(mean - grey) < 5 for mean in flat) for name, grey in COLOURS.items()}
    assert sum(names.values()) == len(flat)
    return {name: count for name, count in names.items() if count}


@pytest.mark.usefixtures("project")
def test_only_frames_of_training_people_join_the_faces() -> None:
    pretrain_frames.main()
    # of frames 0, 4, 8, 12, 16, 20 the second has no label and the third no face
    assert greys() == {"one": 4, "eight": 4, "nine": 4}
    with (
        CropReader(Path("data/faces.h5")) as stills,
        CropReader(Path("data/faces+train.h5")) as joined,
    ):
        assert len(joined) == 24 + 12
        only = joined.extra("of_video")
        np.testing.assert_array_equal(only, np.arange(36) >= 24)
        for name in ("au", "valence", "arousal", "expression", "person"):
            np.testing.assert_array_equal(joined.extra(name)[:24], stills.extra(name))
        for before, after in zip(stills.encoded(), joined.encoded()[:24], strict=True):
            np.testing.assert_array_equal(before, after)  # not coded anew
        expected = np.array([[1] * 12, [-1] * 6 + [1] * 6, [0] * 12, [0] * 12])
        np.testing.assert_array_equal(joined.extra("au")[24:], np.tile(expected, (3, 1)))
        assert np.isnan(joined.extra("valence")[24:]).all()
        assert (joined.extra("expression")[24:] == -1).all()
        people = joined.extra("person")[24:]
        by_name = dict(zip(sorted(["one", "eight", "nine"]), people.reshape(3, 4), strict=True))
        assert len({*by_name["one"], *by_name["nine"]}) == 1  # both of ann
        assert not {*by_name["eight"]} & {*by_name["one"]}
        assert people.min() > stills.extra("person").max()


def test_an_encoder_that_will_know_the_held_out_videos_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretrain_frames.main()
    assert "warning: vit will know frames of the training videos" in capsys.readouterr().out
    stand_ins.settings(project)  # none asks for them
    pretrain_frames.main()
    assert "warning" not in capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_one_of_two_people_of_frames_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pretrain_frames.main()
    for seed in range(6):
        parts = faces.load_faces(Path("data/faces+train.h5"), ["au"], 0.5, seed)
        flat = [sum(part.image(row).std() < 2 for row in range(len(part))) for part in parts]
        assert flat in ([8, 4], [4, 8])  # all frames of either person
    used = []
    load = faces.load_faces

    def watched(path: Path, *rest: object) -> object:
        used.append(path)
        return load(path, *rest)  # type: ignore[arg-type]

    stand_ins.settings(
        Path(), pretrain__vit__data="faces+train", pretrain__vit__epochs=1,
        pretrain__vit__validation=0.3,
    )  # fmt: skip
    monkeypatch.setattr(faces, "load_faces", watched)
    monkeypatch.setattr("sys.argv", ["pretrain", "vit"])
    pretrain.main()
    assert used == [Path("data/faces+train.h5")]


@pytest.mark.usefixtures("project")
def test_the_file_is_left_empty_where_nobody_asks(project: Path) -> None:
    stand_ins.settings(project)
    pretrain_frames.main()
    with CropReader(Path("data/faces+train.h5")) as reader:
        assert len(reader) == 0
    first = Path("data/faces+train.h5").read_bytes()
    stand_ins.settings(project, pretrain__vit__epochs=99)
    pretrain_frames.main()
    assert Path("data/faces+train.h5").read_bytes() == first
