"""The pipeline as a whole: dvc.yaml against the code, the house's rules, the picture."""

import ast
import inspect
import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import get_args

import pytest
import yaml
from PIL import Image

from stages.check_settings import Params
from stages.core.attempts import ATTEMPTS
from stages.core.hashing import ROOT, code_files
from stages.core.setting_types import Section
from stages.pictures import PICTURES
from stages.reporting.pipeline_picture import GRAPH_KEY, read_graph
from stages.sequence.probing import MODEL

LISTED = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
TABLES = yaml.safe_load((ROOT / "metrics/tables/dvc.yaml").read_text())["stages"]
STAGES = {
    **{name: stage.get("do", stage) for name, stage in LISTED.items()},  # of a `foreach`
    **{f"tables/{name}": stage.get("do", stage) for name, stage in TABLES.items()},
}
SETTINGS = yaml.safe_load((ROOT / "params.yaml").read_text())


def module_of(stage: str) -> str:
    return f"stages.{STAGES[stage]['cmd'].split()[2]}"


def stage_modules() -> list[str]:
    return sorted({module_of(stage) for stage in STAGES})


# what these stages depend on by the file of a run, which holds a hash of its network's code and the
# values of its dimensions; and `probe` of what its dimensions may be, by params
ROOM = set((ROOT / "stages/networks").glob("*.py"))
BY_RUN = {"train": ROOM, "tables/train": ROOM, "probe": {ROOT / "stages/networks/settings.py"}}


BACKBONES = {
    file for file in (ROOT / "stages/encoders/backbones").glob("*.py") if file.name != "__init__.py"
}


def code_deps(stage: str) -> list[str]:
    return [dep for dep in STAGES[stage]["deps"] if dep.startswith("stages/")]


def files_of(dep: str) -> set[Path]:
    """Source files of a dependency on code; a name that DVC fills in stands for any."""
    if "${" in dep:
        found = set(ROOT.glob(re.sub(r"\$\{[^}]*\}", "*", dep)))
    elif dep.endswith(".py"):
        found = {ROOT / dep} if (ROOT / dep).is_file() else set()
    else:
        found = set((ROOT / dep).rglob("*.py")) - BACKBONES  # by .dvcignore
    assert found, dep
    return found


def covered(stage: str) -> set[Path]:
    return set().union(*(files_of(dep) for dep in code_deps(stage)))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_the_code_it_imports(stage: str) -> None:
    needed = set(code_files(module_of(stage))) - BY_RUN.get(stage, set())
    missing = needed - covered(stage) - {ROOT / "stages/__init__.py"}
    assert not missing, f"list in dvc.yaml, stage {stage}: {sorted(map(str, missing))}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_no_code_it_does_not_import(stage: str) -> None:
    used = set(code_files(module_of(stage)))
    used |= set((ROOT / "stages").glob("*/settings.py"))  # asked for by what params says
    if ROOT / "stages/networks/registry.py" in used:  # which finds the networks by themselves
        used |= set((ROOT / "stages/networks").glob("*.py"))
    if ROOT / "stages/encoders/registry.py" in used:  # and the encoders
        used |= BACKBONES
    for dep in code_deps(stage):
        assert used & files_of(dep), f"{dep} is no longer imported by {stage}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_settings_that_exist(stage: str) -> None:
    for key in STAGES[stage].get("params", ()):
        node = SETTINGS
        for part in key.split("."):
            if "${" in part:
                break
            assert part in node, f"{key} of stage {stage}"
            node = node[part]


def sections(annotation: object) -> set[type]:
    """Classes of sections that a type of a setting names."""
    found = (
        {annotation} if isinstance(annotation, type) and issubclass(annotation, Section) else set()
    )
    return found.union(*map(sections, get_args(annotation)))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_room_that_says_what_its_settings_are(stage: str) -> None:
    for key in STAGES[stage].get("params", ()):
        top = key.split(".")[0]
        if top in Params.model_fields:
            for section in sections(Params.model_fields[top].annotation):
                file = Path(inspect.getfile(section))
                wanted = covered(stage) | BY_RUN.get(stage, set())
                assert file in wanted, f"{stage} reads {key}: {file.relative_to(ROOT)} is no dep"


def test_what_shows_every_network_depends_on_the_room() -> None:
    for stage in ("inputs", "report", "tables/report"):
        assert "stages/networks" in STAGES[stage]["deps"]
    assert f"stages/networks/{MODEL}.py" in STAGES["probe"]["deps"]


def test_what_no_stage_depends_on_holds_no_code() -> None:
    (docstring,) = ast.parse((ROOT / "stages/__init__.py").read_text()).body
    assert isinstance(docstring, ast.Expr)


def test_every_output_has_one_maker() -> None:
    outs = [
        next(iter(out)) if isinstance(out, dict) else out
        for stage in STAGES.values()
        for out in (*stage.get("outs", ()), *stage.get("metrics", ()))
        if stage is not STAGES["tables/train"]  # names its outputs as `train` does, for other runs
    ]
    assert len(outs) == len(set(outs))
    # of a dep on a parent folder of several outs, all must lie in it side by side
    for stage, out in itertools.product(STAGES.values(), outs):
        for dep in stage["deps"]:
            if out.startswith(f"{dep}/"):
                assert "/" not in out.removeprefix(f"{dep}/"), f"{dep} has {out}"


def test_all_stores_are_dependencies_of_what_joins_or_tries_them() -> None:
    assert set(STAGES["inputs"]["deps"]) >= {
        f"data/features/{kind}" for kind in ("visual", "masked", "audio")
    }
    assert set(STAGES["probe"]["deps"]) >= {
        "data/features/visual", "data/features/audio", "metrics/pretrain",
    }  # fmt: skip


def test_what_is_exported_depends_on_the_encoders_and_the_stores_that_tell_of_them() -> None:
    assert set(STAGES["ensemble"]["deps"]) >= {"models/encoders", "data/features/visual"}


def test_ensembles_depend_on_every_run_that_they_may_join() -> None:
    assert not set(SETTINGS["runs"]) & set(SETTINGS["tables"])
    for name in ("ensemble", "report"):
        folders = {dep for dep in STAGES[name]["deps"] if dep.startswith("models/")}
        assert folders >= {"models/runs"}
        folders = {dep for dep in STAGES[f"tables/{name}"]["deps"] if dep.startswith("models/")}
        assert folders >= {"models/runs", "models/tables"}


def test_the_second_pipeline_works_in_the_top_folder() -> None:
    assert all(stage["wdir"] == "../.." for name, stage in STAGES.items() if "/" in name)
    own, shared = STAGES["tables/train"], STAGES["train"]
    assert own["deps"] == shared["deps"]
    assert "params" not in {*own, *shared}  # they are in the file of the run
    assert own["cmd"] == f"{shared['cmd']} tables"
    assert (shared["outs"], own["outs"]) == (["models/runs/${key}"], ["models/tables/${key}"])


def test_audio_stages_are_the_audio_encoders() -> None:
    command, _, _ = STAGES["fbank"]["cmd"].partition(" # ")
    runs = {*STAGES["audio"]["matrix"]["encoder"], command.split()[-1]}
    assert runs == set(SETTINGS["audio"])


def test_every_stage_that_may_leave_a_video_out_has_a_number_of_attempts() -> None:
    known = yaml.safe_load((ROOT / ATTEMPTS).read_text())["attempts"]
    for name, stage in STAGES.items():
        found = re.findall(r" # attempt \$\{attempts\.(\w+)\}$", stage["cmd"])
        kept = {"fbank": ["audio"]}.get(name, [name] if name in known else [])
        assert found == kept, name
    assert set(known) == {"crop", "visual", "audio"}


def test_plots_show_files_that_stages_write() -> None:
    outs = [out for stage in STAGES.values() for out in stage.get("outs", ())]
    stems = [str(out).split("${")[0] for out in outs]
    text = json.dumps(yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"])
    files = re.findall(r"(?:metrics|models)/[\w/]+\.\w+", text.replace("plots/metrics/", "plots/"))
    assert len(files) > 8
    for file in files:
        assert any(file.startswith(stem) for stem in stems), file


def test_the_readmes_picture_shows_the_present_pipeline() -> None:
    with Image.open(ROOT / PICTURES / "pipeline.png") as image:
        drawn = json.loads(image.text[GRAPH_KEY])
    assert [tuple(edge) for edge in drawn] == read_graph(ROOT / "dvc.yaml"), "run `make pictures`"


def test_the_lock_names_no_host_and_no_path_of_a_machine() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "file:" not in text
    assert re.search(r"^torch==2\.11\.", text, re.M)
    assert text.count("--hash=sha256:") > 100


def test_no_module_outside_the_house() -> None:
    for path in (ROOT / "data", ROOT / "models", ROOT / "metrics"):
        assert not list(path.rglob("*.py"))
    assert not list(Path(ROOT).glob("*.py"))


def test_make_clean_removes_every_output_and_nothing_that_git_tracks() -> None:
    recipe = (ROOT / "Makefile").read_text().split("\nclean:")[1].split("\n", 1)[1]
    removed = recipe.replace("\\\n", " ").split()[2:]
    assert ".partial" in removed
    for name, stage in STAGES.items():
        for out in stage.get("outs", ()):
            if isinstance(out, dict):
                continue  # tracked by git
            path = out.split("${")[0].rstrip("/")
            assert any(path == one or path.startswith(f"{one}/") for one in removed), (name, out)
    tracked = subprocess.run(
        ["git", "ls-files", "--", *removed], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert tracked == []


def test_no_row_of_the_readmes_tables_is_there_twice() -> None:
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| ")]
    named = [row for row in rows if not set(row) <= set("| -:")]
    assert [row for row in named if named.count(row) > 1] == []


def test_the_code_sends_people_to_stages_that_exist() -> None:
    sent = set()
    for file in sorted((ROOT / "stages").rglob("*.py")):
        for words in re.findall(r"`dvc repro ([^`\n]+)`", file.read_text(encoding="utf-8")):
            names = [word for word in words.split() if not word.startswith("-")]
            sent |= {(file.name, name.partition("@")[0]) for name in names}
    assert len(sent) > 10
    assert not {one for one in sent if one[1] not in STAGES and not one[1].endswith("dvc.yaml")}
