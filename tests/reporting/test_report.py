"""Stages `report` and `submit` on made-up runs: the page, the tables, what is not there."""

import json
import re
import shutil
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages import report, submit
from stages.core.errors import DataError, SettingsError
from stages.core.hashing import file_hash
from stages.crops.crop_file import CropWriter
from stages.ensembles.calibration import Calibration
from stages.ensembles.ensemble import Ensemble, Member, Weights, write_ensemble
from stages.faces.settings import Crop
from stages.learning.metrics import f1_per_au
from stages.reporting.drawing import read_curves
from stages.reporting.evidence import gather, logits_of, together
from stages.reporting.page import Html, table, whisker, write_page
from stages.reporting.timeline import richest_stretch, runs_of
from stages.reporting.writing import rungs
from stages.sequence.dataset import make_video, write_inputs
from stages.sequence.predictions import PredictionWriter
from stages.videos.manifest import Entry, Manifest
from tests import stand_ins

ROOT = Path(__file__).resolve().parent.parent.parent
VIDEOS = {"train": 6, "validation": 4, "test": 4}
FRAMES = 75
SECTIONS = (
    "The paper's claims", "The paper's tables", "F1 of each AU", "Calibration",
    "The folds' spread", "An example", "What is mistaken for what", "Precision and recall",
    "Learning curves", "Networks at full scale", "How to read this",
)  # fmt: skip


def labels_of(name: str) -> np.ndarray:
    random = np.random.default_rng(sum(map(ord, name)))
    return np.repeat(random.random((FRAMES // 5, 12)) < 0.35, 5, axis=0).astype(np.int8)


def said(name: str, noise: float, seed: int) -> np.ndarray:
    random = np.random.default_rng([seed, *map(ord, name)])
    truth = labels_of(name)
    return (np.where(truth == 1, 1, -1) + noise * random.normal(size=truth.shape)).astype(
        np.float32
    )


NAMES = {split: [f"{split}{i}" for i in range(count)] for split, count in VIDEOS.items()}


def write_run(name: str, videos: list[str], noise: float, seeds: int = 1, folder: str = "") -> None:
    path = Path(folder) / f"{name}.h5" if folder else Path(f"models/runs/{name}/predictions.h5")
    about = {"name": name, "split": "official", "visual": [], "audio": [], "parameters": 1}
    writer = PredictionWriter(path, about)
    for seed in range(seeds):
        writer.write(seed, [(video, said(video, noise, seed)) for video in videos])
    writer.close()


def folders(*names: str) -> dict[str, Path]:
    return {name: Path("models/runs") / name for name in names}


def write_exported(calibration: Calibration) -> None:
    source = Path("source.safetensors")
    source.write_bytes(b"weights")
    content = yaml.safe_load(Path("params.yaml").read_text())
    ensemble = Ensemble(
        name="kfold", rule="mean", window=128, scale="small", precision="32-true",
        members=(Member("fold1", "members/fold1.safetensors", file_hash(source), ("vit",), ()),),
        visual={"vit": Weights(None, "", 1, "", "")}, audio={},
        crop=Crop.model_validate(content["crop"]), calibration=calibration,
        scores={}, versions={}, folder=Path("models/ensemble"),
    )  # fmt: skip
    write_ensemble(ensemble, {"members/fold1.safetensors": source})


def entry(name: str, split: str) -> Entry:
    return stand_ins.entry(name, f"{name}.mp4", FRAMES, split=split, annotation_lines=FRAMES)


def write_workspace(labelled_test: bool = True) -> None:
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    stand_ins.write_run_files()
    videos = []
    for split, names in NAMES.items():
        for name in names:
            labels = labels_of(name)
            if split == "test" and not labelled_test:
                labels = np.full_like(labels, -1)
            videos.append(make_video(name, labels, np.ones(FRAMES, bool), split=split))
    Path("data/index").mkdir(parents=True)
    write_inputs(Path("data/inputs.h5"), videos)
    entries = [entry(name, split) for split, names in NAMES.items() for name in names]
    Manifest("videos", tuple(entries), {}).save(Path("data/index"))
    Path("data/crops").mkdir()
    for name in NAMES["test"]:
        random = np.random.default_rng(1)
        with CropWriter(Path(f"data/crops/{name}.h5"), {}) as crops:
            for t in range(FRAMES):
                face = random.integers(0, 255, (112, 112, 3)).astype(np.uint8)
                crops.append(None if t < 20 else face, timestamp=t / 25)
    official = NAMES["validation"] + NAMES["test"]
    write_run("main", official, 0.8, seeds=2)
    write_run("visual", official, 1.2)
    both = NAMES["train"] + NAMES["validation"]
    for i in range(1, 8):
        write_run(f"fold{i}", both[i - 1 :: 7] + NAMES["test"], 0.9)
        curves = Path(f"models/runs/fold{i}/curves/seed0/plots/metrics")
        curves.mkdir(parents=True)
        (curves / "loss.tsv").write_text("step\tloss\n1\t0.7\n2\t0.5\n")
        (curves / "validation_f1.tsv").write_text("step\tvalidation_f1\n1\t0.3\n2\t0.4\n")
    write_run("kfold", both + NAMES["test"], 0.5, folder="data/ensembles")
    write_exported(Calibration((0.4,) * 12, (3,) * 12))
    steps = {
        step: {split: {"macro": 0.5 + 0.1 * i} for split in ("validation", "test")}
        for i, step in enumerate(("raw", "thresholds", "smoothing"))
    }
    Path("metrics").mkdir()
    Path("metrics/ensembles.json").write_text(
        json.dumps({"synthetic": {"kfold": {**steps, "exported": 1}}})
    )


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["report", *arguments])
    report.main()


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reported")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_workspace()
        run(patch)
    return folder


class Reader(HTMLParser):
    """Headings of a page, what it points at, and tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [str(values[key]) for key in ("src", "href") if key in values]
        self.ids |= {str(values["id"])} if "id" in values else set()
        if tag not in ("meta", "img", "line", "circle", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_opens_offline_and_has_every_section(reported: Path) -> None:
    text = (reported / "metrics/report.html").read_text()
    page = Reader(text)
    assert page.open == []
    assert tuple(page.headings) == SECTIONS
    for link in page.links:
        assert link.startswith("data:image/png;base64,") or link[1:] in page.ids
    assert "http" not in text
    assert "synthetic" in text
    assert "not trained: make tables" in text


def test_the_same_runs_give_the_same_bytes(reported: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(reported, again)
    shutil.rmtree(again / "metrics/report")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(again)
        run(patch)
    for name in ("report.html", "tables.json", "tables.md"):
        assert (again / "metrics" / name).read_bytes() == (reported / "metrics" / name).read_bytes()


def test_figures_are_pictures_and_plot_data_is_what_is_drawn(reported: Path) -> None:
    folder = reported / "metrics/report"
    drawn = {path.name for path in folder.glob("*.png")}
    assert drawn == {
        "f1_per_au.png", "precision_recall.png", "ladder.png", "folds.png", "timeline.png",
        "mistaken.png", "learning_curves.png",
    }  # fmt: skip
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in drawn)
    lines = (folder / "f1_per_au.csv").read_text().splitlines()
    assert lines[0] == "AU,f1,f1_all_ones,base_rate"
    # what is drawn is the ensemble as it decides: smoothed, with its thresholds
    calibration = Calibration((0.4,) * 12, (3,) * 12)
    decided = [
        calibration.decide(calibration.smooth((1 / (1 + np.exp(-said(n, 0.5, 0)))).astype("f4")))
        for n in NAMES["test"]
    ]
    labels = np.concatenate([labels_of(name) for name in NAMES["test"]])
    expected = f1_per_au(labels, np.concatenate(decided))
    np.testing.assert_allclose([float(line.split(",")[1]) for line in lines[1:]], expected)
    numbers = json.loads((reported / "metrics/tables.json").read_text())["synthetic"]
    assert numbers["table8"]["calibrated"]["f1"] == pytest.approx(expected.mean(), abs=1e-6)
    assert "paper" not in numbers["table8"]["calibrated"]


def test_tables_hold_the_f1_of_the_predictions(reported: Path) -> None:
    numbers = json.loads((reported / "metrics/tables.json").read_text())["synthetic"]
    test = np.concatenate([said(name, 0.5, 0) for name in NAMES["test"]]) >= 0
    labels = np.concatenate([labels_of(name) for name in NAMES["test"]])
    kfold = numbers["table8"]["kfold"]
    assert kfold["f1"] == pytest.approx(f1_per_au(labels, test).mean(), abs=1e-6)
    assert numbers["table8"]["model"] == {"paper": 0.5286}
    assert numbers["table1"]["ires100_mobilenet"] == {"paper": 0.5508}
    assert set(numbers["claims"]) == {"sound", "ensembles"}
    assert set(numbers["claims"]["sound"]) == {"validation", "test"}
    assert 0 <= numbers["claims"]["sound"]["test"]["probability"] <= 1
    text = (reported / "metrics/tables.md").read_text()
    assert text.count("## Table ") == 8
    assert re.search(rf"\| K-fold +\| 0.5422 \| +{kfold['f1']:.3f} \|", text)
    # `visual` has one seed
    assert "**Sound helps: points to it.**" in text


def test_tables_reports_all_runs_elsewhere_and_takes_in_what_other_stages_left(
    reported: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    shutil.copytree(reported, again)
    before = (again / "metrics/report.html").read_bytes()
    (again / "metrics/encoders").mkdir()
    (again / "metrics/encoders/table.csv").write_text("encoder,F1 alone\nvit <b>,0.5\nones,0.3\n")
    (again / "metrics/mask").mkdir()
    for name in ("faces.png", "counts.png"):
        shutil.copy(reported / "metrics/report/folds.png", again / "metrics/mask" / name)
    (again / "metrics/mask/counts.csv").write_text("AU,active_before\nAU01,7\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(again)
        write_run("kfold", NAMES["test"], 0.1, folder="data/tables/ensembles")
        run(patch, "tables")
        with pytest.raises(SettingsError, match="tables"):
            run(patch, "everything")
    numbers = json.loads((again / "metrics/tables/tables.json").read_text())["synthetic"]
    assert numbers["table8"]["kfold"]["f1"] > 0.99
    assert (again / "metrics/report.html").read_bytes() == before
    text = (again / "metrics/tables/report.html").read_text()
    assert {"Encoders", "Masked copies"} <= set(Reader(text).headings)
    assert "vit &lt;b&gt;" in text
    assert "active before" in text


def test_without_test_labels_validation_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_workspace(labelled_test=False)
    run(monkeypatch)
    text = Path("metrics/report.html").read_text()
    assert "run main, validation" in text
    steps = json.loads(Path("metrics/ensembles.json").read_text())
    evidence = gather(folders("main"), "synthetic")
    # without labels the F1 of test is no figure, whatever the file says
    assert list(rungs(steps, evidence, "kfold")) == ["validation, cross-fitted (synthetic)"]
    numbers = json.loads(Path("metrics/tables.json").read_text())["synthetic"]
    assert numbers["table8"]["kfold"] == {"paper": 0.5422}
    assert "test" not in numbers["table7"]["fold1"]


def test_no_predictions_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_workspace()
    shutil.rmtree("models/runs")
    shutil.rmtree("data/ensembles")
    with pytest.raises(DataError, match="run `dvc repro` first"):
        run(monkeypatch)


def test_members_are_joined_seed_by_seed_where_none_was_trained(reported: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(reported)
        evidence = gather(folders("main", "visual", "nobody"), "synthetic")
        assert set(evidence.results) == {"main", "visual"}
        assert evidence.results["main"]["held_out"].names == tuple(NAMES["validation"])
        from stages.sequence.predictions import read_predictions

        main = read_predictions(Path("models/runs/main/predictions.h5"))
        visual = read_predictions(Path("models/runs/visual/predictions.h5"))
        joined = together([main, replace(visual, seeds=visual.seeds * 3)])
    assert len(joined) == 2
    p = [1 / (1 + np.exp(-rows.astype(float))) for rows in
         (main.seeds[1]["test0"], visual.seeds[0]["test0"])]  # fmt: skip
    np.testing.assert_allclose(
        1 / (1 + np.exp(-joined[1]["test0"].astype(float))), np.mean(p, axis=0), atol=1e-5
    )
    assert logits_of(np.array([0.5], np.float32))[0] >= 0
    assert np.isfinite(logits_of(np.array([0.0, 1.0], np.float32))).all()


def test_the_submission_is_what_the_ensemble_decides(
    reported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(reported)
    submit.main()
    assert f"{FRAMES * 4} rows, every frame of 4 test videos" in capsys.readouterr().out
    rows = Path("data/submission.txt").read_text().splitlines()
    assert len(rows) == 1 + 4 * FRAMES
    calibration = Calibration((0.4,) * 12, (3,) * 12)
    p = (1 / (1 + np.exp(-said("test2", 0.5, 0)))).astype("f4")
    decided = calibration.decide(calibration.smooth(p)).astype(int)
    ours = [row.split(",")[1:] for row in rows if row.startswith("test2/")]
    np.testing.assert_array_equal(np.array(ours, int), decided)


def test_a_data_root_without_test_videos_has_an_empty_submission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/index").mkdir(parents=True)
    Manifest("videos", (entry("a", "train"),), {}).save(Path("data/index"))
    submit.main()
    assert Path("data/submission.txt").read_text().count("\n") == 1


def test_the_stretch_is_chosen_by_labels_alone() -> None:
    quiet = np.zeros((200, 12), np.int8)
    rich = quiet.copy()
    rich[120:150, ::2] = 1
    unknown = np.full((200, 12), -1, np.int8)
    found = richest_stretch({"a": quiet, "b": rich, "c": unknown}, 80)
    assert found is not None
    assert found.name == "b"
    assert found.start <= 120
    assert found.stop >= 150
    assert richest_stretch({"c": unknown}, 80) is None
    short = richest_stretch({"a": rich[100:160]}, 80)
    assert short is not None
    assert (short.start, short.stop) == (0, 60)


def test_runs_of_true_are_found_to_both_ends() -> None:
    active = np.array([1, 1, 0, 0, 1, 0, 1], bool)
    assert runs_of(active) == [(0, 2), (4, 1), (6, 1)]
    assert runs_of(np.zeros(3, bool)) == []


def test_text_is_escaped_and_markup_is_not(tmp_path: Path) -> None:
    made = table([["a<b", "c"], ["<script>", Html("<em>x</em>")]])
    assert "&lt;script&gt;" in made
    assert "<em>x</em>" in made
    write_page(tmp_path / "p.html", "A & B", "it's <not>", [("What's new?", made)])
    page = Reader((tmp_path / "p.html").read_text())
    assert page.headings == ["What's new?"]
    assert page.links == ["#what-s-new"]


def test_a_whisker_stays_within_its_picture() -> None:
    drawn = whisker(0.5, 0.1, 0.9, (0.2, 0.8), 0.3)
    places = [float(x) for x in re.findall(r"(?:x1|x2|cx)='([\d.]+)'", drawn)]
    assert len(places) == 5
    assert min(places) == 4
    assert max(places) == 116
    assert places[-1] == 60


def test_curves_of_runs_that_have_none_are_passed_over(tmp_path: Path) -> None:
    assert read_curves({"main": tmp_path}) == {}
