"""What DVC does again after a change: the shipped dvc.yaml and code, with commands that only hash.

An output is a hash of the settings and files that its stage declares, but for the code: the changes
made here leave the results of other code as they are. The files of runs are those that `inputs`
really writes.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages.core.attempts import try_again
from stages.core.hashing import ROOT
from tests.clone import leave_out_encoders, leave_out_runs

RUNS = ("main", "visual", "frame_head", "fold1")  # each stage of more takes its time

IDLE = """
import hashlib, json, shutil, sys
from pathlib import Path
import yaml

outs, keys, deps = (part.split() for part in " ".join(sys.argv[1:]).split("|"))
settings = yaml.safe_load(Path("params.yaml").read_text())

def value(key):
    node = settings
    for part in key.split("."):
        node = node[part]
    return node

def digest(path):
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [[str(file), file.read_bytes().hex()] for file in files if file.is_file()]

runs = "data/runs" in outs  # what the file of the inputs is not made from
joined = ("model", "models", "runs", "tables", "features", "pretrain", "visual", "audio", "train",
          "loss", "seed")
left_out = joined if runs else ()
content = [[key, value(key)] for key in keys if key not in left_out]
content += [digest(Path(dep)) for dep in deps if not (runs and dep.startswith("data/features"))]
text = hashlib.sha256(json.dumps(content).encode()).hexdigest()
for out in map(Path, outs):
    out.parent.mkdir(parents=True, exist_ok=True)
    if out == Path("data/runs"):
        from stages.check_settings import load_params
        from stages.networks.registry import code_of
        from stages.sequence.features import audio_paths, visual_paths
        from stages.sequence.runs import all_rows, resolve_run, write_run

        shutil.rmtree(out, ignore_errors=True)
        params = load_params()
        for name, row in all_rows(params).items():
            run = resolve_run(params, name, row)
            stores = [*visual_paths(run.visual), *audio_paths(run.audio)]
            texts = {str(store): store.read_text() for store in stores}
            write_run(run, params, texts, code_of(run.model))
    else:
        out.write_text(text)
"""


class Pipeline:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(ROOT / "params.yaml", folder)
        left_out = shutil.ignore_patterns("__pycache__", "pretrained")
        shutil.copytree(ROOT / "stages", folder / "stages", ignore=left_out)
        (folder / "idle.py").write_text(IDLE)
        shutil.copy(ROOT / ".dvcignore", folder)
        (folder / "metrics").mkdir()
        for name in ("speed.json", "attempts.yaml"):
            shutil.copy(ROOT / "metrics" / name, folder / "metrics")
        shipped = yaml.safe_load((ROOT / "dvc.yaml").read_text())
        for stage in shipped["stages"].values():
            body = stage.get("do", stage)
            outs = [*body.get("outs", ()), *body.get("metrics", ())]
            names = [next(iter(out)) if isinstance(out, dict) else out for out in outs]
            deps = [dep for dep in body["deps"] if not dep.startswith("stages/")]
            if "data.root" in body.get("params", ()) and "corpus" not in body["cmd"]:
                deps = [dep for dep in deps if dep != "${data.root}"]
            parts = [names, body.get("params", ()), deps]
            words = "' '|' '".join(" ".join(part) for part in parts)
            _, mark, attempt = body["cmd"].partition(" # ")
            body["cmd"] = f"{sys.executable} idle.py '{words}'{mark}{attempt}"
        del shipped["plots"]
        (folder / "dvc.yaml").write_text(yaml.safe_dump(shipped, sort_keys=False, width=10_000))
        leave_out_encoders(folder)
        leave_out_runs(folder, RUNS)
        self.settings = yaml.safe_load((folder / "params.yaml").read_text())
        self.dvc("init --no-scm -q")

    def dvc(self, command: str) -> str:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("dvc")), *command.split()],
            cwd=self.folder, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def repro(self, **changes: object) -> set[str]:
        """Change settings (`visual__mae__weights=...`), reproduce; the stages that ran."""
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            section = content
            *parents, last = key.split("__")
            for parent in parents:
                section = section[parent]
            section[last] = value
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return set(re.findall(r"Running stage '([\w@]+)'", self.dvc("repro --no-run-cache")))

    def edit(self, name: str, old: str, new: str) -> None:
        """Change the code."""
        path = self.folder / "stages" / name
        text = path.read_text()
        assert text.count(old) == 1, (name, old, text.count(old))
        path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    made = Pipeline(tmp_path_factory.mktemp("pipeline"))
    made.repro()
    return made


JOINED = {"inputs", "licences", "ensemble", "evaluate", "report", "submit"}  # what reads all runs


def readers(settings: dict, kind: str, name: str) -> set[str]:
    """Trainings of the runs that read an encoder; the baseline hears nothing."""
    found = set()
    for run, row in settings["runs"].items():
        names = row.get(kind)
        names = settings["features"][kind] if names is None else names
        if name in names and (kind == "visual" or row.get("model") != "frame_head"):
            found.add(f"train@{run}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [("visual", "mobilenet"), ("audio", "wav2vec")])
def test_the_weights_of_one_encoder_redo_its_store_and_what_reads_it(
    pipeline: Pipeline, kind: str, name: str
) -> None:
    setting = "file:weights.safetensors@sha256:" + "0" * 64
    ran = pipeline.repro(**{f"{kind}__{name}__weights": setting})
    stores = {f"{kind}@{name}"}
    trained = readers(pipeline.settings, kind, name)
    assert ran == {f"pretrain@{name}", "probe"} | stores | trained | JOINED


# `pretrain_frames` asks whether any encoder wants frames, and comes to the same
ASKED = {"pretrain_frames"}


def test_an_added_encoder_redoes_no_other(pipeline: Pipeline) -> None:
    backbones = pipeline.folder / "stages/encoders/backbones"
    shutil.copy(backbones / "ires100.py", backbones / "tenth.py")
    settings = {key: pipeline.settings[key]["ires100"] for key in ("pretrain", "visual")}
    ran = pipeline.repro(pretrain__tenth=settings["pretrain"], visual__tenth=settings["visual"])
    own = {"pretrain@tenth", "visual@tenth"}
    assert ran == own | ASKED | {"probe"} | JOINED - {"licences"}


@pytest.mark.slow
def test_a_changed_encoder_redoes_its_own_and_what_reads_it(pipeline: Pipeline) -> None:
    file = pipeline.folder / "stages/encoders/backbones/tenth.py"
    file.write_text(file.read_text() + "# mended\n")
    before = ("pretrain", "visual", "audio", "fbank", "train")
    ran = {name for name in pipeline.repro() if name.startswith(before)}
    assert ran == {"pretrain@tenth", "visual@tenth"}


@pytest.mark.slow
def test_a_stage_that_left_a_video_out_runs_again_and_nothing_else(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pipeline.folder)
    try_again("crop")
    assert pipeline.repro() == {"crop"}  # it made the same: nothing is left to do
    try_again("audio")
    assert {name.partition("@")[0] for name in pipeline.repro()} == {"audio", "fbank"}
    assert pipeline.repro() == set()


@pytest.mark.slow
def test_licences_are_looked_at_again_without_other_work(pipeline: Pipeline) -> None:
    changes = {"licences__noncommercial": "refuse", "compute__offline": True}
    assert pipeline.repro(**changes) == {"licences"}


@pytest.mark.slow
def test_a_run_redoes_its_own_training_and_what_joins_runs(pipeline: Pipeline) -> None:
    ran = pipeline.repro(runs__added={"model": "gru"})
    assert ran == {"train@added"} | JOINED


def test_a_network_redoes_no_other_networks_runs(pipeline: Pipeline) -> None:
    code = (pipeline.folder / "stages/networks/recurrent.py").read_text()
    code = re.sub(r"NETWORKS = .*", 'NETWORKS = {"own": GRU}', code)
    (pipeline.folder / "stages/networks/own.py").write_text(code)
    pipeline.edit("networks/settings.py", '    "frame_head",\n', '    "frame_head",\n    "own",\n')
    pipeline.edit(
        "networks/settings.py", "    gru: RecurrentScales\n",
        "    gru: RecurrentScales\n    own: RecurrentScales\n",
    )  # fmt: skip
    ran = pipeline.repro(models__own=pipeline.settings["models"]["gru"], runs__own={"model": "own"})
    # `mask` knows how wide networks are, and comes to the same
    assert ran == {"mask", "train@own"} | JOINED


@pytest.mark.slow
def test_a_changed_network_redoes_its_own_runs_alone(pipeline: Pipeline) -> None:
    pipeline.edit("networks/own.py", "class GRU(Recurrent):", "class GRU(Recurrent):  # mended")
    assert {name for name in pipeline.repro() if name.startswith("train@")} == {"train@own"}


def test_a_choice_redoes_no_features(pipeline: Pipeline) -> None:
    pipeline.edit(
        "sequence/choices.py", "    frames: Frames | None\n",
        "    frames: Frames | None\n    lips: bool | None\n",
    )  # fmt: skip
    ran = pipeline.repro(choices__lips=True)
    before = ("corpus", "index", "crop", "pretrain", "visual", "audio", "fbank")
    assert not {name for name in ran if name.startswith(before)}
    assert {"inputs", "train@main"} <= ran
