"""The house: commands in the root, rooms below, arrows down only."""

import ast
import graphlib
from pathlib import Path

import pytest

from stages.core.hashing import ROOT

# a room may import the rooms before it
ORDER = (
    "core", "learning", "crops", "videos", "faces", "encoders", "networks", "synthesis", "sequence",
    "pretraining", "ensembles", "reporting", "inference",
)  # fmt: skip
HOUSE = ROOT / "stages"


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted(HOUSE.rglob("*.py"))}
SETTINGS = "stages.check_settings"  # the one file of the root that commands may import
COMMANDS = {name for name, path in FILES.items() if path.parent == HOUSE} - {"stages", SETTINGS}


def imported(path: Path) -> set[str]:
    """Modules of the house that a file imports, those inside functions and for types too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in FILES else str(node.module) for name in names}
    return found & set(FILES)


ARROWS = {name: imported(path) for name, path in FILES.items()}


def room(module: str) -> str:
    return module.split(".")[1]


def test_the_rooms_are_the_folders_of_the_house() -> None:
    folders = {path.parent.name for path in HOUSE.glob("*/__init__.py")}
    assert folders == set(ORDER)
    assert len(ORDER) <= 13
    assert len(COMMANDS) <= 25
    for name in COMMANDS:
        lines = len(FILES[name].read_text().splitlines())
        assert lines <= 150, f"{name} has {lines} lines: move what is not main() into a room"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_imports_no_command(name: str) -> None:
    assert not ARROWS[name] & COMMANDS


@pytest.mark.parametrize("name", ORDER)
def test_a_room_imports_only_the_rooms_before_it(name: str) -> None:
    allowed = {"stages", *(f"stages.{below}" for below in ORDER[: ORDER.index(name) + 1])}
    for module, targets in ARROWS.items():
        if module.startswith(f"stages.{name}"):
            wrong = {one for one in targets if ".".join(one.split(".")[:2]) not in allowed}
            assert not wrong, f"{module} imports {', '.join(sorted(wrong))}"


def test_no_import_goes_in_a_circle() -> None:
    arrows = {name: targets - {name} for name, targets in ARROWS.items()}
    list(graphlib.TopologicalSorter(arrows).static_order())  # raises CycleError


def test_one_place_alone_starts_workers() -> None:
    """So that what is made sure of there of killed ones holds for every stage."""
    starting = ("multiprocessing", "joblib", "ray", "concurrent.futures.ProcessPoolExecutor")
    found = set()
    for name, path in FILES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            if any(f"{one}.".startswith(f"{way}.") for one in names for way in starting):
                found.add(name)
    assert found == {
        "stages.core.workers",
        "stages.core.ray_cluster",
        "stages.inference.web.apart",  # an upload is no stage's
    }


def test_every_room_says_what_it_is_for() -> None:
    for name, path in FILES.items():
        if path.name == "__init__.py":
            assert ast.get_docstring(ast.parse(path.read_text())), name
    for name in ORDER:
        assert "mport" in str(ast.get_docstring(ast.parse(FILES[f"stages.{name}"].read_text())))


def test_no_test_reaches_into_a_private_name() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        tree, ours = ast.parse(path.read_text()), set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "stages":
                names = {alias.name: alias.asname or alias.name for alias in node.names}
                assert not [name for name in names if name.startswith("_")], path
                ours |= set(names.values())
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                private = node.attr.startswith("_") and not node.attr.startswith("__")
                assert not (private and node.value.id in ours), f"{path}: {ast.unparse(node)}"
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr"):
                owner, name = node.args[0], ast.unparse(node.args[1])
                assert not (ast.unparse(owner) in ours and name[1:2] == "_"), f"{path}: {name}"


def test_tests_lie_in_the_folder_of_their_room() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if list(path.glob("test_*.py"))}
    assert folders == set(ORDER)
