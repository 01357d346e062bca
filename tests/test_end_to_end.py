"""The README's commands, all of them, in a fresh clone with a tiny corpus."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest
import yaml

from stages.core.facs import AU_NAMES
from stages.core.feature_store import FeatureReader
from stages.core.hashing import ROOT
from stages.networks.registry import load_network
from tests.clone import RUNS, Clone
from tests.declared import Declared, Exemption, declared, environment, findings, records

README = (ROOT / "README.md").read_text()
OWN_DATA = "dvc exp run -S data.root=/path/to/Aff-Wild2"


def readme_commands() -> list[str]:
    """Lines of the README's bash blocks."""
    blocks = re.findall(r"```bash\n(.*?)```", README, re.S)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    made = Clone(tmp_path_factory.mktemp("clone"))
    made.log = made.run("make repro", **environment(made.folder.parent / "recorded"))
    made.run("git add -A && git commit -q -m 'First run'")
    return made


def test_make_repro_ends_with_the_table_and_the_place_of_the_report(clone: Clone) -> None:
    assert re.search(r"mean of 12 AUs", clone.log)
    assert clone.log.rstrip().splitlines()[-1].startswith("Report: metrics/report.html")
    assert (clone.folder / "metrics/report.html").exists()
    for split in ("validation", "test"):
        assert {"macro", *AU_NAMES} == set(clone.scores()[split]["f1"])


MAY = [
    Exemption("*", "look", "stages*", "`code_files` looks whether an imported name is a module"),
    Exemption("*", "run", "uname -p", "numpy asks so what machine this is", sometimes=True),
    Exemption("*", "setting", "compute.*", "where and how fast, never what comes out"),
    Exemption("*", "setting", "licences.noncommercial", "it can only refuse"),
    Exemption("index", "setting", "data.licence", "with the last; the manifest does not have it"),
    Exemption("pretrain_parallel*", "setting", "pretrain", "the encoders' names and order"),
    Exemption("pretrain_parallel*", "setting", "visual*", "as in the stage"),
    Exemption("pretrain_parallel*", "setting", "audio*", "as in the stage"),
    Exemption("pretrain *", "setting", "visual*", "all weights are looked for before the first of "
              "these stages works, so that none is missing after hours: it can only refuse"),
    Exemption("pretrain *", "setting", "audio*", "as visual"),
    Exemption("crop", "read look", "data/corpus/videos/*", "data/index has the videos' hashes"),
    Exemption("audio *", "read look", "data/corpus/videos/*", "data/index has the videos' hashes"),
    Exemption("train_parallel*", "list read look", "data/runs*", "which runs there are"),
    Exemption("train*", "read look", "data/features/*", "data/runs/NAME.json has their hashes"),
    *(
        Exemption(stages, "run", command, why, sometimes=True)
        for name in ("pretrain", "train")
        for stages, command, why in (
            (f"{name}_parallel*", "*dvc status*", "it asks DVC what has changed"),
            (f"{name} *", f"*stages.{name}_parallel*", "what is trained beside it comes later"),
        )
    ),
    Exemption("inputs", "look list read write", "models/*", "results of runs that are no longer in "
              "the settings are removed, and not read", sometimes=True),
    *(
        Exemption(stages, "read write mkdir list look", place,
                  "dvclive looks at the repository that it is in", sometimes=True)
        for stages in ("train*", "probe")
        for place in (".git*", ".dvc*", "/var/tmp/dvc/*")
    ),
    Exemption("licences", "read look", "data/features/*", "data/runs has their hashes"),
]  # fmt: skip


def test_stages_read_and_write_what_they_declare(clone: Clone) -> None:
    found = records(clone.folder.parent / "recorded")
    stages = declared(clone.folder)
    # of the stages of this pipeline each was seen; the runs of `make tables` are not trained here
    seen = {one.stage for one in found}
    assert seen >= {name for name in stages if not name.endswith(" tables")}
    tools = {"pretrain_parallel", "train_parallel", "table"}
    assert {name.split()[0] for name in seen - set(stages)} <= tools
    # what trains several beside each other reads and writes for them, and leaves all in .partial
    for kind in ("pretrain", "train"):
        training = [one for name, one in stages.items() if re.fullmatch(rf"{kind} \w+", name)]
        aside = Declared(
            deps=set().union({"stages"}, *(one.deps for one in training)),
            params=set().union(*(one.params for one in training)),
        )
        stages |= {name: aside for name in seen if name.startswith(f"{kind}_parallel")}
    assert findings(found, stages, MAY) == []


def test_every_frame_of_every_entry_has_a_row_in_every_store(clone: Clone) -> None:
    import h5py

    manifest = json.loads((clone.folder / "data/index/manifest.json").read_text())
    assert not manifest["unreadable"]
    frames = {entry["name"]: entry["frames"] for entry in manifest["entries"]}
    assert len(frames) >= 12
    features = yaml.safe_load((clone.folder / "params.yaml").read_text())["features"]
    stores = [f"{kind}/{name}" for kind, names in features.items() for name in names]
    assert len(stores) == 4
    for store in stores:
        with FeatureReader(clone.folder / f"data/features/{store}") as reader:
            assert {name: reader.frames(name) for name in reader.names} == frames
    for name, count in frames.items():
        with h5py.File(clone.folder / f"data/crops/{name}.h5") as file:
            assert len(file["status"]) == count


def test_a_second_repro_runs_nothing(clone: Clone) -> None:
    assert "Running stage" not in clone.run("dvc repro")
    assert "up to date" in clone.run("dvc status dvc.yaml")  # without the runs of the tables


def one_test_video(clone: Clone, folder: Path) -> tuple[Path, int]:
    """Copy a test video of one person, as a user's own; its number of frames."""
    manifest = json.loads((clone.folder / "data/index/manifest.json").read_text())
    entry = next(e for e in manifest["entries"] if e["split"] == "test" and e["side"] == "only")
    source = clone.folder / manifest["root"] / entry["video"]
    return shutil.copy(source, folder / "video.mp4"), entry["frames"]


def write_openface_csv(ours: Path, theirs: Path) -> None:
    """Say what `ours` says as OpenFace 2.2 would: blanks, intensities, two decimals."""
    with ours.open() as file:
        rows = list(csv.DictReader(file))
    names = [name for name in AU_NAMES if name in rows[0] and name != "AU24"]
    header = ["frame", "face_id", "timestamp", "confidence", "success"]
    header += [f"{name}_r" for name in names] + [f"{name}_c" for name in names]
    lines = [", ".join(header)]
    for number, row in enumerate(rows, start=1):
        cells = [str(number), "0", f"{float(row['timestamp']):.3f}", "0.98", "1"]
        cells += [f"{5 * float(row[name] or 0):.2f}" for name in names]
        cells += [f"{float(row[f'{name}_c'] or 0):.2f}" for name in names]
        lines.append(", ".join(cells))
    theirs.write_text("\n".join(lines) + "\n")


def first_answer_of(clone: Clone, command: str) -> str:
    """Start the server as the README does, fetch its page, stop it."""
    server = subprocess.Popen(
        command, shell=True, cwd=clone.folder, env=clone.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(600):
            assert server.poll() is None, "the server ended by itself"
            try:
                return httpx.get("http://127.0.0.1:8000").text
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError("no answer in a minute")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def test_every_command_of_the_readme(clone: Clone, tmp_path: Path) -> None:
    before = clone.scores()
    stores = sorted((clone.folder / "data").rglob("*.h5"))
    stores = [path for path in stores if "features" in path.parts or "crops" in path.parts]
    video, frames = one_test_video(clone, tmp_path)
    times = {path: path.stat().st_mtime_ns for path in stores}
    for command in readme_commands():
        if command in ("make repro", "make test", "make tables", OWN_DATA):
            continue  # above; running now; below, both of them
        if command == "aufusion serve":
            assert "AUFusion" in first_answer_of(clone, command)
            continue
        if command.startswith("aufusion compare"):
            write_openface_csv(clone.folder / "aus/video.csv", tmp_path / "openface.csv")
        for shown, meant in (
            ("/path/to/video.mp4", video),
            ("/path/to/openface.csv", tmp_path / "openface.csv"),
            ("/path/to/labelled", clone.folder / "data/corpus/videos"),
        ):
            command = command.replace(shown, str(meant))
        # no environment is activated: the README says that .venv/bin/dvc does as well
        bare = command.startswith("dvc exp run")
        printed = clone.run(f".venv/bin/{command}", bare=True) if bare else clone.run(command)
        if command.startswith("aufusion predict"):
            for ending in ("csv", "parquet", "json", "overlay.mp4", "html"):
                assert (clone.folder / f"aus/video.{ending}").is_file()
            with (clone.folder / "aus/video.csv").open() as file:
                assert len(list(csv.DictReader(file))) == frames
        if command.startswith("dvc exp run -S model="):
            model = command.split("=")[1]
            run = re.findall(r"Running stage '([\w@]+)'", printed)
            trained = {f"train@{name}" for name in RUNS}
            made = {"inputs", "licences", *trained, "ensemble", "evaluate", "report", "submit"}
            assert set(run) == made
            network, _ = load_network(clone.folder / "models/runs/main/seed0.safetensors")
            assert network.dimensions.name == model
            assert clone.scores() != before
            assert {path: path.stat().st_mtime_ns for path in stores} == times
        if command == "dvc metrics diff":
            assert re.search(r"synthetic\.test\.f1\.macro", printed)
        if command == "dvc dag":
            for stage in ("corpus", "index", "crop", "train", "ensemble", "evaluate", "report"):
                assert stage in printed


@pytest.mark.slow
def test_a_data_root_of_ones_own(clone: Clone, tmp_path: Path) -> None:
    assert OWN_DATA in readme_commands()
    own_root = shutil.copytree(clone.folder / "data/corpus/videos", tmp_path / "own_root")
    clone.run(OWN_DATA.replace("/path/to/Aff-Wild2", str(own_root)))
    assert "own_data" in (clone.folder / "metrics/scores.json").read_text()
    clone.run("git checkout -q . && dvc checkout -q")


@pytest.mark.slow
def test_make_tables_fills_all_eight_tables(clone: Clone) -> None:
    assert "make tables" in readme_commands()
    printed = clone.run("make tables")
    assert "Tables: metrics/tables/tables.md" in printed
    assert (clone.folder / "metrics/tables/report.html").is_file()
    tables = json.loads((clone.folder / "metrics/tables/tables.json").read_text())["synthetic"]
    assert {f"table{number}" for number in range(1, 9)} <= set(tables)
    assert "f1" in tables["table8"]["train_val_mix"]


@pytest.mark.slow  # test_invalidation.py asks the same of the shipped pipeline, with idle commands
def test_one_encoders_setting_redoes_its_store_and_what_reads_it(clone: Clone) -> None:
    printed = clone.run("dvc exp run -S visual.mobilenet.batch=32")
    run = re.findall(r"Running stage '([\w@]+)'", printed)
    assert run[0] == "visual@mobilenet"
    others = {"visual@ires100", "audio@wav2vec", "fbank", "crop", "corpus", "pretrain@mobilenet"}
    assert not others & set(run)


def test_an_unknown_model_is_refused_at_once_with_the_list_of_models(clone: Clone) -> None:
    printed = clone.run("dvc exp run -S model=resnet", expect=255)
    assert "transformer" in printed
    assert "dual_transformer" in printed
    assert "Traceback" not in printed
