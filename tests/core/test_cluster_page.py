"""docs/cluster.md: its commands, options, settings and defaults are those that there are."""

import re
import shlex
import subprocess
from typing import Any

import pytest
import yaml
from dvc.config_schema import SCHEMA

from stages.core.hashing import ROOT
from stages.core.ray_cluster import import_ray

PAGE = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.M | re.S)
LINES = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
SETTINGS = yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.mark.parametrize("block", BLOCKS)
def test_a_shell_reads_every_block(block: str) -> None:
    subprocess.run(["bash", "-n"], input=block, text=True, check=True)


def test_its_settings_and_their_defaults_are_those_of_params() -> None:
    rows = re.findall(r"^\| `compute\.(\w+)` \| `([^`]+)` \| .+ \|$", PAGE, re.M)
    assert len(rows) == 5
    for name, default in rows:
        assert yaml.safe_load(default) == SETTINGS["compute"][name], name
    given = re.findall(r"-S compute\.(\w+)=", PAGE)
    assert len(given) >= 4
    assert set(given) <= SETTINGS["compute"].keys()


def test_the_stages_it_names_are_there() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    sentence = PAGE[PAGE.index("once per video (") : PAGE.index(") is done by workers")]
    named = re.findall(r"`(\w+)`", sentence)
    assert len(named) == 6
    assert set(named) <= set(stages)


def commands() -> dict[str, Any]:
    import_ray(None)
    from ray.scripts import scripts

    return dict(scripts.cli.commands)


def test_ray_has_its_commands_and_options() -> None:
    known = commands()
    seen = set()
    for line in LINES:
        if not re.search(r"(^|\s)ray [a-z]", line):
            continue
        words = shlex.split(line[line.index("ray ") :])
        words = words[: words.index("--")] if "--" in words else words
        command = known[words[1]]
        options = {option for one in command.params for option in one.opts}
        asked = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert asked <= options, f"{line}: {asked - options}"
        seen.add(words[1])
    assert seen == {"get-auth-token", "start", "stop", "symmetric-run"}


def test_dvc_has_the_settings_that_it_names() -> None:
    found = re.findall(r"^dvc config --local (\w+)\.(\w+) ", PAGE, re.M)
    assert len(found) == 3
    for section, name in found:
        assert name in {str(key) for key in SCHEMA[section]}, name
