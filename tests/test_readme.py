"""The README says what is so: its figures, its pictures, its links."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from stages.cli import app
from stages.core.hashing import ROOT
from stages.ensembles.members import SUBMISSIONS
from stages.inference.columns import as_markdown as columns
from stages.reporting.score_table import as_markdown, table_rows
from stages.sequence.choices import PAPER_WORDS, PRESETS
from stages.sequence.training_presets import PAPER_TRAINING, TRAINING
from tests.benchmarks import scale

README = (ROOT / "README.md").read_text()


def tracked_scores() -> dict:
    return json.loads((ROOT / "metrics/scores.json").read_text())["synthetic"]["test"]


def test_the_table_of_results_is_that_of_the_tracked_scores() -> None:
    assert as_markdown(table_rows(tracked_scores())) in README


def test_the_table_of_encoders_is_that_of_the_tracked_scores() -> None:
    scores = json.loads((ROOT / "metrics/encoders.json").read_text())["synthetic"]
    rows = [["encoder alone", "mean of 12 AUs", "AU25 lips part", "AU26 jaw drop"]]
    for name in [*(name for name in scores if name != "all_ones"), "all_ones"]:
        values = [f"{scores[name][key]:.3f}" for key in ("macro", "AU25", "AU26")]
        rows.append([name.replace("all_ones", "all-ones baseline"), *values])
    assert as_markdown(rows) in README


def test_the_simulation_of_scale_is_what_its_program_computes() -> None:
    assert scale.document() in (ROOT / "docs/scale.md").read_text()


def test_its_table_of_columns_is_that_of_the_code() -> None:
    assert columns().rstrip() in README


def test_its_table_of_protocols_has_the_values_of_each_preset() -> None:
    table = README[README.index("| choice | `corrected` |") :].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    choices = {preset: values.model_dump() for preset, values in PRESETS.items()}
    training = {
        preset: {f"train.{key}": value for key, value in values.items()}
        for preset, values in TRAINING.items()
    }
    known = {preset: {**choices[preset], **training[preset]} for preset in choices}
    said = {*PAPER_WORDS, *(f"train.{key}" for key in PAPER_TRAINING)}
    assert [row[0].strip("`") for row in rows] == list(known["corrected"])
    for name, *cells, why in rows:
        key = name.strip("`")
        assert why
        for preset, cell in zip(known, cells, strict=True):
            value = known[preset][key]
            shown = str(value).lower() if isinstance(value, bool) else value
            assert cell.startswith(f"`{shown}`"), (name, preset)
            assert ("the paper does not say" in cell) == (preset == "paper" and key not in said)


def test_the_table_of_submissions_is_that_of_make_tables() -> None:
    tables = json.loads((ROOT / "metrics/tables/tables.json").read_text())["synthetic"]
    section = README[README.index("The paper's five submissions") :]
    for name in SUBMISSIONS:
        row = tables["table8"][name]
        shown = [
            f"{row['paper']:.4f}",
            f"{row['f1']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
        ]
        assert re.search(r"\|\s+" + r" \|\s+".join(map(re.escape, shown)) + r" \|", section), name


def test_pictures_and_files_it_names_are_there_and_small() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert "://" not in target, f"{target}: the README needs no other host"
        assert (ROOT / target).exists(), target
    for picture in (ROOT / "metrics/pictures").iterdir():
        assert picture.stat().st_size < 1_000_000


def test_every_score_is_labelled_synthetic() -> None:
    where = README.index(as_markdown(table_rows(tracked_scores())).splitlines()[0])
    assert "synthetic" in README[:where][-600:]


def test_every_make_target_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.M)) <= targets


def test_the_way_from_aff_wild2_to_a_submission_names_what_there_is() -> None:
    text = (ROOT / "docs/affwild2.md").read_text()
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())

    def is_one(key: str) -> bool:
        node: object = settings
        for part in key.split("."):
            if not isinstance(node, dict) or (part not in node and part != "NAME"):
                return False
            node = next(iter(node.values())) if part == "NAME" else node[part]
        return True

    table = re.findall(r"^\| `([\w.]+)` \| [^|]+ \| [^|]+ \|$", text, re.M)
    given = re.findall(r"-S ([\w.]+)=", text) + re.findall(r"`([\w]+\.[\w.]+)=", text)
    assert len(table) > 5
    assert len(given) > 3
    assert [key for key in (*table, *given) if not is_one(key)] == []
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    named = re.findall(r"^dvc repro (\w+)", text, re.M)
    assert len(named) > 5
    assert set(named) <= set(stages)
    modules = re.findall(r"-m (stages\.\w+)", text)
    assert len(modules) == 3
    assert all((ROOT / f"{module.replace('.', '/')}.py").is_file() for module in modules)
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert set(re.findall(r"^aufusion (\w+)", text, re.M)) <= commands


def test_the_quotes_it_names_bring_any_path_through_dvcs_grammar(tmp_path: Path) -> None:
    (command,) = re.findall(r"`(dvc exp run -S \"data\.root=.*)`;", README)
    setting = shlex.split(command)[-1]
    path = setting.removeprefix("data.root=").strip("'")
    assert {*"(),=ès "} <= {*path}
    shutil.copy(ROOT / "params.yaml", tmp_path)
    apply_overrides(tmp_path / "params.yaml", [setting])
    assert yaml.safe_load((tmp_path / "params.yaml").read_text())["data"]["root"] == path
    with pytest.raises(Exception, match="set-param"):
        apply_overrides(tmp_path / "params.yaml", [f"data.root={path}"])
