"""What a result was made from: hashes of files, and of a stage's settings together with its code.

A piece of unfinished work may only be taken up again by the same code with the same settings on
the same input; :func:`identity_of` is the name under which it is kept.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = "stages"
CHECKS = f"{PACKAGE}.check_settings"  # decides whether work begins, not what comes out
ROOT = Path(__file__).resolve().parents[2]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex, read in bounded memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def package_versions(*packages: str) -> dict[str, str]:
    """Versions of installed packages, by their names."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _module_file(module: str) -> Path | None:
    """Source file of a first-party module, None where there is no such module."""
    base = ROOT / Path(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imported_modules(path: Path) -> set[str]:
    """First-party modules that a source file names in its imports, also those inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            # `from stages.encoders import visual` may name a module or a member of one
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name.split(".")[0] == PACKAGE}


@cache
def code_files(module: str) -> tuple[Path, ...]:
    """Source files that a first-party module is made of: itself and what it imports, transitively.

    The check of all settings is left out: the sections lie in the rooms that read them.

    Parameters
    ----------
    module : str
        Dotted name, for example ``"stages.crop"``.

    Returns
    -------
    tuple of Path
        Paths below the repository root, sorted.

    Raises
    ------
    ModuleNotFoundError
        When `module` is not part of this package.
    """
    if _module_file(module) is None:
        raise ModuleNotFoundError(f"{module} is not a module of {PACKAGE}/")
    seen: set[str] = set()
    files: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen or (name == CHECKS and name != module):
            continue
        seen.add(name)
        path = _module_file(name)
        if path is None:  # a class or function that was imported, not a module
            continue
        files.add(path)
        waiting.extend(_imported_modules(path))
        # importing a.b.c also runs a/__init__.py and a/b/__init__.py
        if "." in name:
            waiting.append(name.rpartition(".")[0])
    return tuple(sorted(files))


def _digest(paths: Iterable[Path]) -> "hashlib._Hash":
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest


def files_hash(paths: Iterable[Path]) -> str:
    """SHA-256 of some source files with their names, in hex."""
    return _digest(paths).hexdigest()


def identities_of(module: str, shared: object, items: Mapping[str, object]) -> dict[str, str]:
    """Hash of each item's settings and inputs together with the code that uses them.

    Parameters
    ----------
    module : str
        Dotted name of the module that does the work.
    shared : object
        What goes for all items; like the items anything that JSON can hold.
    items : mapping of str to object

    Returns
    -------
    dict of str to str
        32 hexadecimal digits for each item.
    """
    common = identity_of(module, shared)
    return {
        name: hashlib.sha256(json.dumps([common, part], sort_keys=True).encode()).hexdigest()[:32]
        for name, part in items.items()
    }


def identity_of(module: str, *parts: object) -> str:
    """Hash of some settings together with the code that uses them.

    Parameters
    ----------
    module : str
        Dotted name of the stage's module, for example ``"stages.crop"``.
    *parts
        Anything that JSON can hold: settings, hashes of inputs.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    digest = _digest(code_files(module))
    digest.update(json.dumps(parts, sort_keys=True).encode())
    return digest.hexdigest()[:32]
