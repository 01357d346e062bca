"""`aufusion evaluate` as a user runs it: our ensemble, and other tools' files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from stages.cli import app
from stages.core.facs import ANNOTATION_HEADER, AU_NAMES
from stages.inference.evaluation.predictions import our_track
from stages.inference.evaluation.writing import KIND, NAME, TABLES
from stages.inference.outputs import Outputs
from stages.inference.results import read_rows
from stages.synthesis.video_file import write_video
from tests.inference import tiny

PEOPLE = 10


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["evaluate", *map(str, words)], catch_exceptions=False)
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos each of ten "people": one face, lit and cut in many ways."""
    folder = tmp_path_factory.mktemp("photos")
    lines = ["image,person,gender,AU1,AU12,AU12_r"]
    for k, picture in enumerate(tiny.moving(2 * PEOPLE, size=200)):
        Image.fromarray(picture).save(folder / f"{k}.png")
        smile = k % 2
        lines.append(f"{k}.png,p{k // 2},{'fm'[k // 2 % 2]},0,{smile},{2.5 * smile}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_our_ensemble_on_photos(ensemble: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said = run(photos, "--ensemble", ensemble, "--out", out, "--device", "cpu")
    assert code == 0
    assert "20 files, 10 people, 20 labelled frames" in said
    found = json.loads((out / "evaluation.json").read_text())
    assert found["tool"] == "AUFusion"
    assert found["ensemble"]["name"] == "tiny"
    rows = [read_rows(out / f"predictions/{k}.parquet") for k in range(2 * PEOPLE)]
    scores = [row.probabilities[0, AU_NAMES.index("AU12")] for row in rows]
    said_so = np.asarray([row.active[0, AU_NAMES.index("AU12")] for row in rows])
    labels = np.arange(2 * PEOPLE) % 2
    au12 = found["aus"]["AU12"]
    assert au12["auc"]["value"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-6)
    assert au12["auc"]["low"] <= au12["auc"]["value"] <= au12["auc"]["high"]
    assert au12["hits"]["value"] == pytest.approx(said_so[labels == 1].mean(), abs=1e-6)
    assert au12["false_alarms"]["value"] == pytest.approx(said_so[labels == 0].mean(), abs=1e-6)
    assert (au12["people"], au12["positives"]) == (10, 10)
    assert "auc" not in found["aus"]["AU01"]  # no positives
    assert set(found["groups"]["gender"]) == {"f", "m"}
    few = found["groups"]["gender"]["f"]["aus"]["AU12"]
    assert few["auc"]["note"] == "too few people (5) for an interval"
    with (out / "evaluation.csv").open() as file:
        table = {(r["group"], r["value"], r["au"], r["measure"]): r for r in csv.DictReader(file)}
    row = table["all", "", "AU12", "hits"]
    assert float(row["estimate"]) == au12["hits"]["value"]
    page = (out / "evaluation.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    wrong = ((said_so == 1) & (labels == 0)).any() or ((said_so == 0) & (labels == 1)).any()
    assert ("data:image/jpeg;base64," in page) == wrong

    stamps = {p: p.stat().st_mtime_ns for p in (out / "predictions").iterdir()}
    first = {p.name: p.read_bytes() for p in out.glob("evaluation.*")}
    code, said = run(photos, "--ensemble", ensemble, "--out", out, "--device", "cpu")
    assert code == 0
    assert said.count("done before") == 20
    assert {p: p.stat().st_mtime_ns for p in (out / "predictions").iterdir()} == stamps
    assert {p.name: p.read_bytes() for p in out.glob("evaluation.*")} == first


def blendshapes(path: Path, key: str, names: list[str], smiles: np.ndarray) -> Path:
    shapes = ["browInnerUp", "jawOpen", "mouthSmileLeft", "mouthSmileRight"]
    lines = [",".join([key, *shapes])]
    for name, smile in zip(names, smiles, strict=True):
        lines.append(f"{name},0.1,0.05,{max(smile - 0.1, 0):.4f},{min(smile + 0.1, 1):.4f}")
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_blendshapes_of_photos(photos: Path, tmp_path: Path) -> None:
    smiles = np.clip(0.15 + 0.4 * (np.arange(20) % 2) + 0.02 * np.arange(20), 0.1, 0.9)
    names = [f"{k}.png" for k in range(20)]
    path = blendshapes(tmp_path / "mp/table.csv", "image", names, smiles)
    for given in (path, path.parent):
        code, said = run(photos, "--predictions", given, "--out", tmp_path / given.stem)
        assert code == 0
        found = json.loads((tmp_path / given.stem / "evaluation.json").read_text())
        assert found["tool"] == "MediaPipe"
        labels = np.arange(20) % 2
        assert found["aus"]["AU12"]["auc"]["value"] == pytest.approx(
            roc_auc_score(labels, smiles), abs=1e-6
        )
        hits = (smiles[labels == 1] >= 0.5).mean()
        assert found["aus"]["AU12"]["hits"]["value"] == pytest.approx(hits)
        assert "predictions" not in said


def test_a_table_of_pyfeat_and_a_face_that_it_misses(photos: Path, tmp_path: Path) -> None:
    labels = np.arange(20) % 2
    scores = np.linspace(0, 0.3, 20) + 0.5 * labels
    lines = ["input,frame,FaceScore,AU01,AU12"]
    for k in range(20):
        value = "" if k == 1 else f"{scores[k]:.4f}"
        lines.append(f"/home/anna/photos/{k}.png,0,{'' if k == 1 else 0.99},{value},{value}")
    (tmp_path / "fex.csv").write_text("\n".join(lines) + "\n")
    code, _ = run(photos, "--predictions", tmp_path / "fex.csv", "--out", tmp_path / "out")
    assert code == 0
    au12 = json.loads((tmp_path / "out/evaluation.json").read_text())["aus"]["AU12"]
    kept = np.arange(20) != 1
    assert au12["auc"]["value"] == pytest.approx(roc_auc_score(labels[kept], scores[kept]))
    assert au12["frames_without_a_face"] == 1
    said = np.where(kept, scores, 0) >= 0.5
    assert au12["hits"]["value"] == pytest.approx(said[labels == 1].mean())


def test_intensities_of_openface(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "of").mkdir()
    told = [0.5 * k % 5 for k in range(20)]
    for k in range(20):
        (tmp_path / f"of/{k}.csv").write_text(
            f"face, confidence, AU12_r, AU12_c\n0, 0.98, {told[k]:.2f}, {k % 2}\n"
        )
    code, _ = run(photos, "--predictions", tmp_path / "of", "--out", tmp_path / "out")
    assert code == 0
    au12 = json.loads((tmp_path / "out/evaluation.json").read_text())["aus"]["AU12"]
    true = 2.5 * (np.arange(20) % 2)
    assert au12["pearson"]["value"] == pytest.approx(np.corrcoef(true, told)[0, 1], abs=1e-6)
    assert au12["icc"]["value"] < au12["pearson"]["value"] + 1e-9
    assert au12["f1"]["value"] == 1


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A video of two people with an annotation of each, and one of one person."""
    root = tmp_path / "root"
    folder = root / "AU_Detection_Challenge/Train_Set"
    folder.mkdir(parents=True)
    faces = tiny.moving(24)
    pair = [np.concatenate([a, b], axis=1) for a, b in zip(faces, faces[::-1], strict=True)]
    write_video(root / "two.mp4", pair, np.arange(24) / 25, crf=20)
    write_video(root / "one.mp4", faces, np.arange(24) / 25, crf=20)
    for name in ("one", "two_left", "two_right"):
        rows = [",".join(["0"] * 6 + [str(int(k >= 12))] + ["0"] * 5) for k in range(24)]
        (folder / f"{name}.txt").write_text("\n".join([ANNOTATION_HEADER, *rows]) + "\n")
    return root


def test_annotated_clips_of_two_people(ensemble: Path, clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said = run(clips, "--ensemble", ensemble, "--out", out, "--device", "cpu")
    assert code == 0
    found = json.loads((out / "evaluation.json").read_text())
    assert (found["media"], found["labelled_frames"]) == (3, 72)
    both = read_rows(out / "predictions/two_people/two.parquet")
    scores, labels, inside = [], [], []
    for person in both.face_ids:
        mine = both.of(person)
        scores.append(mine.probabilities[:, AU_NAMES.index("AU12")])
    for side in ("left", "right"):
        track = our_track(out / "predictions/two_people/two.parquet", side)
        mine = both.of(both.face_ids[0])
        first = bool(np.median(mine.box[:, 0]) < 160) == (side == "left")
        same = np.allclose(track.strength["AU12"], scores[0 if first else 1])
        assert same, side
    scores.append(read_rows(out / "predictions/one.parquet").probabilities[:, 6])
    labels = [np.arange(24) >= 12] * 3
    inside = [roc_auc_score(a, b) for a, b in zip(labels, scores, strict=True)]
    au12 = found["aus"]["AU12"]
    assert au12["auc_within"]["value"] == pytest.approx(np.mean(inside), abs=1e-6)
    assert au12["auc"]["value"] == pytest.approx(
        roc_auc_score(np.concatenate(labels), np.concatenate(scores)), abs=1e-6
    )
    assert "There is no people.csv" in said


def test_ranking_against_a_reference(ensemble: Path, clips: Path, tmp_path: Path) -> None:
    smiles = np.linspace(0.0, 0.9, 24)
    names = [str(k) for k in range(1, 25)]
    folder = blendshapes(tmp_path / "mp/one.csv", "frame", names, smiles).parent
    out = tmp_path / "out"
    code, said = run(
        clips, "--ensemble", ensemble, "--out", out, "--reference", folder, "--device", "cpu"
    )
    assert code == 0
    ranking = json.loads((out / "evaluation.json").read_text())["ranking"]["aus"]
    ours = read_rows(out / "predictions/one.parquet").probabilities[:, 6]
    rows = np.r_[0:6, 18:24]
    expected = roc_auc_score([0] * 6 + [1] * 6, ours[rows])
    assert ranking["AU12"]["clips"] == {"one": pytest.approx(expected, abs=1e-6)}
    high, low = smiles > 0.5, smiles < 0.1
    assert ranking["AU12"]["pooled"]["value"] == pytest.approx(
        roc_auc_score(high[high | low], ours[high | low]), abs=1e-6
    )
    assert ranking["AU26"]["clips"] == {}  # never moves
    assert "Frames ranked as MediaPipe ranks them" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gone"], "gone is not there"),
        (["photos", "--predictions", "nowhere"], "nowhere is not there"),
        (["photos", "--predictions", "empty"], "has nothing for any of the files"),
        (["photos", "--ensemble", "empty"], "empty"),
    ],
)
def test_what_cannot_begin_is_said(
    photos: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    words = [str(photos) if word == "photos" else word for word in words]
    words = [word if word[0] in "/-" else str(tmp_path / word) for word in words]
    code, output = run(*words, "--out", tmp_path / "out")
    assert code == 2
    assert said in output
    assert "Traceback" not in output


def figures(folder: Path) -> Path:
    """A folder of photos, with another tool's figures of them, in seconds."""
    folder.mkdir()
    lines, theirs = ["image,AU12"], ["input,frame,FaceScore,AU01,AU12"]
    for k in range(4):
        Image.new("RGB", (64, 64), (40 * k, 90, 90)).save(folder / f"{k}.png")
        lines.append(f"{k}.png,{k % 2}")
        theirs.append(f"{k}.png,0,0.99,0.1,{0.2 + 0.5 * (k % 2)}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    (folder.parent / "pyfeat.csv").write_text("\n".join(theirs) + "\n")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("ending", ["csv", "html", "json"])
@pytest.mark.parametrize("changed", [False, True])
def test_files_of_others_are_not_overwritten(tmp_path: Path, ending: str, changed: bool) -> None:
    photos, out = figures(tmp_path / "photos"), tmp_path / "out"
    words = (photos, "--predictions", tmp_path / "pyfeat.csv", "--out", out)
    if changed:  # ours, and changed by the user since
        assert run(*words)[0] == 0
        with (out / f"evaluation.{ending}").open("a") as file:
            file.write("my notes")
    else:
        out.mkdir()
        (out / f"evaluation.{ending}").write_text("mine")
    before = contents(out)
    code, said = run(*words)
    assert code == 2
    assert "is there and not as AUFusion wrote it" in said
    assert contents(out) == before


def test_own_files_are_renewed_and_nothing_else_is_left(tmp_path: Path) -> None:
    photos, out = figures(tmp_path / "photos"), tmp_path / "out"
    words = (photos, "--predictions", tmp_path / "pyfeat.csv", "--out", out)
    assert run(*words)[0] == 0
    first = contents(out)
    assert set(first) == {f"evaluation.{ending}" for ending in ("csv", "html", "json")}
    assert run(*words)[0] == 0
    assert contents(out) == first
    (photos / "labels.csv").write_text("image,AU12\n0.png,1\n1.png,0\n")
    assert run(*words)[0] == 0
    assert contents(out).keys() == first.keys()
    assert all(contents(out)[name] != first[name] for name in first)


def test_a_second_writer_is_refused_at_once(tmp_path: Path) -> None:
    photos, out = figures(tmp_path / "photos"), tmp_path / "out"
    words = (photos, "--predictions", tmp_path / "pyfeat.csv", "--out", out)
    with Outputs(out, NAME, KIND, TABLES):
        code, said = run(*words)
        assert code == 2
        assert "is being written by another AUFusion" in said
    assert run(*words)[0] == 0


def test_what_a_kill_left_is_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, out = figures(tmp_path / "photos"), tmp_path / "out"
    words = (photos, "--predictions", tmp_path / "pyfeat.csv", "--out", out)
    assert run(*words)[0] == 0
    whole = contents(out)
    (photos / "labels.csv").write_text("image,AU12\n0.png,1\n1.png,0\n")
    assert run(*words)[0] == 0
    renewed = contents(out)

    class Killed(BaseException):
        pass

    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if Path(target).name == "evaluation.json":
            raise Killed
        return replace(self, target)

    for name, content in whole.items():
        (out / name).write_bytes(content)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Path, "replace", killed)
        run(*words)
    assert contents(out) != whole
    assert run(*words)[0] == 0
    assert contents(out) == renewed
