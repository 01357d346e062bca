"""Stage `pretrain_faces`: a CSV found, aligned and labelled; what is wrong named by line."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from stages import pretrain_faces
from stages.core.errors import DataError
from stages.core.licences import GENERATED, Dataset, data_of_file
from stages.crops.alignment import ARCFACE_TEMPLATE
from stages.crops.crop_file import CropReader
from stages.faces import label_files
from stages.faces.detector import load_detector
from stages.faces.label_files import person_numbers
from stages.pretraining.faces import load_faces
from tests import stand_ins

HEAD = "image,person,AU12,valence,arousal,expression"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine"
    (folder / "in").mkdir(parents=True)
    picture = cv2.cvtColor(data.astronaut()[:300, 100:400], cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(folder / "in/whole.png"), picture)
    cv2.imwrite(str(folder / "grey.jpg"), cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    cv2.imwrite(str(folder / "wall.png"), np.full((200, 200, 3), 90, np.uint8))
    aligned = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "aligned.png"), cv2.GaussianBlur(aligned, (0, 0), 4))
    (folder / "text.jpg").write_text("no picture")
    stand_ins.settings(tmp_path, data__faces="mine/faces.csv", crop__detection_side=320)
    return folder


def write(folder: Path, *lines: str) -> None:
    (folder / "faces.csv").write_text("".join(f"{line}\n" for line in (HEAD, *lines)))


def test_intensities_reach_the_file_and_the_targets(project: Path) -> None:
    lines = ["image,person,AU12,AU12_r", "aligned.png,zoe,,3.5", "aligned.png,amy,0,"]
    (project / "faces.csv").write_text("\n".join(lines) + "\n")
    pretrain_faces.main()
    seen, unseen = load_faces(Path("data/faces.h5"), ["au"], 0.5, 0)
    targets = np.concatenate([seen.targets.numpy(), unseen.targets.numpy()])
    targets = targets[np.argsort(targets[:, 6])]
    np.testing.assert_array_equal(targets[:, 6], [0, 1])
    np.testing.assert_array_equal(targets[:, 12 + 6], np.float32([np.nan, 3.5]))
    assert np.isnan(np.delete(targets, [6, 18], axis=1)[:, 11:]).all()


def test_votes_and_contempt_reach_the_file_and_the_targets(project: Path) -> None:
    lines = ["image,person,expression,vote_neutral,vote_contempt", "aligned.png,zoe,,1,3",
             "aligned.png,amy,contempt,,", "aligned.png,eva,,2,0"]  # fmt: skip
    (project / "faces.csv").write_text("\n".join(lines) + "\n")
    pretrain_faces.main()
    parts = load_faces(Path("data/faces.h5"), ["expression"], 0.5, 0)
    targets = np.concatenate([part.targets.numpy() for part in parts])
    targets = targets[np.argsort(targets[:, 7])]
    np.testing.assert_array_equal(targets[:, [0, 7]], np.float32([[1, 0], [0.25, 0.75], [0, 1]]))
    assert not targets[:, 1:7].any()
    lines = ["image,person,expression", "aligned.png,zoe,contempt", "aligned.png,amy,fear"]
    (project / "faces.csv").write_text("\n".join(lines) + "\n")
    pretrain_faces.main()
    parts = load_faces(Path("data/faces.h5"), ["expression"], 0.5, 0)
    assert sorted(float(part.targets[0, 0]) for part in parts) == [3, 7]


def test_faces_are_aligned_labelled_and_bad_lines_left_out(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        project,
        "in/whole.png,zoe,1,0.5,,happiness",
        "none.png,zoe,1,,,",
        "text.jpg,zoe,1,,,",
        "wall.png,zoe,1,,,",
        "aligned.png,,,,-0.5,",
        "grey.jpg,amy,0,,,neutral",
        "grey.jpg,amy,3,,,neutral",
        "in,amy,0,,,neutral",
    )
    pretrain_faces.main()
    with CropReader(Path("data/faces.h5")) as faces:
        assert not faces.has("au_intensity"), "presence alone trains presence alone"
        assert len(faces) == 3
        assert faces.status.all()
        crops = faces.read()
        np.testing.assert_array_equal(faces.extra("au")[:, 6], [1, -1, 0])
        assert (np.delete(faces.extra("au"), 6, axis=1) == -1).all()
        np.testing.assert_array_equal(faces.extra("valence"), np.float32([0.5, np.nan, np.nan]))
        np.testing.assert_array_equal(faces.extra("arousal"), np.float32([np.nan, -0.5, np.nan]))
        np.testing.assert_array_equal(faces.extra("expression"), [4, -1, 0])
        assert faces.extra("person").tolist() == [1, 2, 0]
        # a face that is found again in its crop has its points where the template has them
        detector = load_detector("centerface", "", 0.5, "cpu")
        for crop in (crops[0], crops[2]):
            wide = cv2.copyMakeBorder(crop, 40, 40, 40, 40, cv2.BORDER_CONSTANT)
            found = detector.detect(np.asarray(wide)).landmarks[0] - 40
            assert np.abs(found - ARCFACE_TEMPLATE).max() < 6
        untouched = cv2.imread(str(project / "aligned.png"))[:, :, ::-1]
        assert np.abs(crops[1].astype(int) - untouched).mean() < 3  # a JPEG of the same
    reasons = Path("data/faces_left_out.txt").read_text().splitlines()
    assert [reason.split(":")[0] for reason in reasons] == [f"line {n}" for n in (3, 4, 5, 8, 9)]
    for reason, words in zip(
        reasons,
        ("none.png is missing", "text.jpg is no picture", "wall.png shows no face", "AU12 = '3'",
         "in is missing"),
        strict=True,
    ):  # fmt: skip
        assert words in reason
    printed = capsys.readouterr().out
    assert "3 faces; 5 lines left out" in printed
    assert "line 8: AU12 = '3'" in printed
    assert "lines name no person" in printed
    assert "fill in `person`" in printed


def test_the_setting_says_whose_class_numbers_they_are(project: Path) -> None:
    write(project, "aligned.png,zoe,,,,1", "aligned.png,zoe,,,,6")
    with pytest.raises(DataError, match="expression = 1 is a number"):
        pretrain_faces.main()
    for database, expected in (("affectnet", [4, 1]), ("fer2013", [2, 0])):
        stand_ins.settings(
            project.parent, data__faces="mine/faces.csv", data__faces_expressions=database
        )
        pretrain_faces.main()
        with CropReader(Path("data/faces.h5")) as faces:
            assert faces.extra("expression").tolist() == expected


def test_pieces_and_workers_leave_no_trace(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, *[f"{name},p{i},1,,," for i, name in enumerate(["aligned.png", "wall.png"] * 4)])
    pretrain_faces.main()
    once = Path("data/faces.h5").read_bytes(), Path("data/faces_left_out.txt").read_bytes()
    monkeypatch.setattr(pretrain_faces, "CHUNK", 3)
    pretrain_faces.main()
    assert (
        Path("data/faces.h5").read_bytes(),
        Path("data/faces_left_out.txt").read_bytes(),
    ) == once


def test_a_killed_run_looks_at_no_picture_twice(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, *[f"aligned.png,p{i},1,,," for i in range(6)])
    monkeypatch.setattr(pretrain_faces, "CHUNK", 2)
    read, seen = label_files.read_picture, []

    def counted(path: Path) -> np.ndarray:
        if len(seen) == 3:
            seen.append(path)
            raise KeyboardInterrupt
        seen.append(path)
        return read(path)

    monkeypatch.setattr(label_files, "read_picture", counted)
    with pytest.raises(KeyboardInterrupt):
        pretrain_faces.main()
    assert not Path("data/faces.h5").exists()
    pretrain_faces.main()
    assert len(seen) == 4 + 4  # two whole pieces were left to do
    with CropReader(Path("data/faces.h5")) as faces:
        assert len(faces) == 6


def test_a_table_without_a_usable_picture_ends_in_a_sentence(project: Path) -> None:
    write(project, "none.png,a,1,,,")
    with pytest.raises(DataError, match="names no picture with a face and a label"):
        pretrain_faces.main()
    assert not Path("data/faces.h5").exists()
    assert "none.png is missing" in Path("data/faces_left_out.txt").read_text()


def test_generated_faces_are_taken_over_as_they_are(project: Path) -> None:
    stand_ins.settings(project.parent)
    with pytest.raises(DataError, match=r"faces.h5 is missing: check the setting `data.faces`"):
        pretrain_faces.main()
    Path("data/corpus").mkdir()
    stand_ins.write_faces(Path("data/corpus/faces.h5"), faces=5, people=2)
    pretrain_faces.main()
    assert Path("data/faces.h5").read_bytes() == Path("data/corpus/faces.h5").read_bytes()
    assert Path("data/faces_left_out.txt").read_text() == ""
    assert data_of_file(Path("data/faces.h5")) == (GENERATED,)


def test_a_file_of_faces_of_ones_own_gets_its_licence(project: Path) -> None:
    changes = {"data__faces": "mine/faces.h5", "data__faces_licence": "CC-BY-4.0"}
    stand_ins.settings(project.parent, **changes)
    stand_ins.write_faces(project / "faces.h5", faces=5, people=2)
    before = (project / "faces.h5").read_bytes()
    pretrain_faces.main()
    once = Path("data/faces.h5").read_bytes()
    assert data_of_file(Path("data/faces.h5")) == (Dataset("faces.h5", "CC-BY-4.0", False),)
    with CropReader(Path("data/faces.h5")) as faces:
        assert len(faces) == 5
    pretrain_faces.main()
    assert Path("data/faces.h5").read_bytes() == once
    assert (project / "faces.h5").read_bytes() == before  # the user's own
    (project / "faces.h5").write_text("no such file")
    with pytest.raises(DataError, match="damaged"):
        pretrain_faces.main()


def test_people_are_numbered_by_name_and_strangers_apart() -> None:
    pictures = [Path(name) for name in ("a", "b", "c", "d", "e", "b")]
    named = ["bob", "", "amy", "bob", "", ""]
    assert person_numbers(named, pictures).tolist() == [1, 2, 0, 1, 3, 2]
