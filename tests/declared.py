"""What stages were recorded to do (tests/recording), against what they declare to DVC."""

import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from stages.core.files import temporary_path
from stages.core.hashing import CHECKS, ROOT, code_files

RECORDING = ROOT / "tests/recording"
SETTINGS = "params.yaml"
# decides whether a stage begins; that it depends on its own settings' room is in test_pipeline.py
CHECKING = {file.relative_to(ROOT).as_posix() for file in code_files(CHECKS)}
# find networks and encoders by the files in a folder, and depend on those of their own: by the hash
# in the file of a run, and by name
FINDERS = {
    "stages/networks": ("train ", "probe"),
    "stages/encoders/backbones": ("pretrain ", "visual ", "audio "),
}
MARK, DIGITS = ".aufusion-", 16  # of `temporary_path`: a hash of the name comes after the mark


@dataclass(frozen=True)
class Record:
    """One thing that a stage did.

    Attributes
    ----------
    stage : str
        Its module and arguments, ``train main``.
    kind : str
        ``read``, ``write``, ``mkdir``, ``list`` (a folder), ``look`` (whether a file is there),
        ``run`` (another program), ``setting``.
    what : str
        A path below the workspace, one elsewhere that begins with ``/``, a setting's dotted key.
    by : str
        MODULE:FUNCTION of ours.
    """

    stage: str
    kind: str
    what: str
    by: str


@dataclass
class Declared:
    """What a stage declares: paths below the workspace, dotted keys of settings."""

    deps: set[str] = field(default_factory=set)
    outs: set[str] = field(default_factory=set)
    params: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Exemption:
    """What a stage may do besides, and why; `stages` and `what` are patterns.

    `kinds` are names of kinds, apart by blanks. What happens `sometimes` need not.
    """

    stages: str
    kinds: str
    what: str
    why: str
    sometimes: bool = False

    def allows(self, one: Record) -> bool:
        """Whether it is about that."""
        return (
            fnmatch(one.stage, self.stages)
            and one.kind in self.kinds.split()
            and fnmatch(one.what, self.what)
        )


def environment(folder: Path) -> dict[str, str]:
    """Variables that have stages recorded; the logs go to `folder`."""
    folder.mkdir(exist_ok=True)
    return {"PYTHONPATH": str(RECORDING), "AUFUSION_RECORD": str(folder)}


def records(folder: Path) -> list[Record]:
    """Read all logs."""
    found = set()
    for path in folder.glob("*.jsonl"):
        for row in map(json.loads, path.read_text().splitlines()):
            if row["kind"] == "read":
                row["what"] = _source(row["what"])
            found.add(Record(**row))
    return sorted(found, key=lambda one: (one.stage, one.kind, one.what, one.by))


def words_of(command: str) -> str:
    """Module and arguments that a stage's command runs."""
    match = re.search(r"(?:-m stages\.|stages/stage\.sh )(.+)", command)
    assert match, command
    return match[1].split(" # ")[0]  # without the number of the attempt


def declared(workspace: Path) -> dict[str, Declared]:
    """What DVC makes of all ``dvc.yaml`` of a workspace, by module and arguments."""
    from dvc.dependency.param import ParamsDependency
    from dvc.repo import Repo

    found: dict[str, Declared] = {}
    with Repo(str(workspace)) as repo:
        for stage in repo.index.stages:
            one = found.setdefault(words_of(stage.cmd), Declared())
            one.outs |= {os.path.relpath(out.fs_path, workspace) for out in stage.outs}
            for dep in stage.deps:
                if isinstance(dep, ParamsDependency):
                    one.params |= set(dep.params)
                else:
                    one.deps.add(os.path.relpath(dep.fs_path, workspace))
    return found


def _within(path: str, places: Iterable[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def _is_covered(key: str, params: Iterable[str]) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in params)


def _source(path: str) -> str:
    """Source file of a file of bytecode; it is written where it is first read."""
    match = re.fullmatch(r"(.+/)__pycache__/(\w+)\.cpython-\d+\.pyc(\.\d+)?", path)
    return f"{match[1]}{match[2]}.py" if match else path


def _beside(out: str) -> str:
    """How the names of temporary files begin that are to become an output."""
    temporary = temporary_path(Path(out)).as_posix()
    return temporary[: temporary.index(MARK) + len(MARK) + DIGITS]


def _fits(one: Record, stage: Declared) -> bool:
    if one.kind == "setting":
        # what is null under `train` is filled in by `protocol`
        keys = [one.what, "protocol"] if one.what.startswith("train.") else [one.what]
        return all(_is_covered(key, stage.params) for key in keys)
    path = one.what
    if "__pycache__" in path and one.kind in ("write", "mkdir"):
        return True
    if one.kind == "write" and path.startswith("/"):
        return path == os.devnull or "/.cache/" in path or _within(path, [tempfile.gettempdir()])
    mine = [*stage.outs, ".partial"]
    if _within(path, mine) or any(path.startswith(_beside(out)) for out in stage.outs):
        return True
    known = [*stage.deps, *mine]
    above = any(_within(place, [path]) or path == "." for place in known)
    if one.kind in ("read", "list", "look") and (
        path in CHECKING
        or any(file.startswith(f"{path}/") for file in CHECKING)
        or any(
            one.stage.startswith(stages) and _within(path, [folder])
            for folder, stages in FINDERS.items()
        )
    ):
        return True
    if one.kind in ("read", "list"):
        settings = path == SETTINGS and one.by.endswith(":load_params")
        leftovers = one.kind == "list" and above and one.by.endswith(".files:temporaries")
        return settings or leftovers or _within(path, stage.deps)
    if one.kind == "look":
        return above or path == SETTINGS or _within(path, stage.deps)
    return one.kind == "mkdir" and above


def findings(
    found: Iterable[Record], stages: Mapping[str, Declared], exceptions: Sequence[Exemption]
) -> list[str]:
    """What stages do and do not declare, and exceptions that nothing makes use of any more."""
    undeclared, used = [], set()
    for one in found:
        if one.stage not in stages or _fits(one, stages[one.stage]):
            continue
        allowing = [exception for exception in exceptions if exception.allows(one)]
        used |= set(allowing)
        if not allowing:
            undeclared.append(f"{one.stage}: {one.kind} {one.what} (by {one.by})")
    idle = [one for one in exceptions if one not in used and not one.sometimes]
    return [*undeclared, *(f"an exception that is not needed: {one}" for one in idle)]
