"""What a result was made from."""

import hashlib
from pathlib import Path

import pytest

from stages.core import hashing
from stages.core.hashing import code_files, file_hash, identity_of


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(hashing, "ROOT", tmp_path)
    code_files.cache_clear()
    files = {
        "stages/__init__.py": "",
        "stages/a.py": "from stages.nouns import thing\nimport os\n",
        "stages/nouns/__init__.py": "",
        "stages/nouns/thing.py": "def f():\n    from stages.deep import x\n",
        "stages/deep.py": "x = 1\n",
        "stages/other.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield tmp_path
    code_files.cache_clear()


def test_code_is_followed_through_imports_in_functions_and_packages(package: Path) -> None:
    names = [path.relative_to(package / "stages").as_posix() for path in code_files("stages.a")]
    assert names == ["__init__.py", "a.py", "deep.py", "nouns/__init__.py", "nouns/thing.py"]


def test_identity_changes_with_settings_and_with_code_that_is_used(package: Path) -> None:
    first = identity_of("stages.a", {"x": 1})
    assert identity_of("stages.a", {"x": 1}) == first
    assert identity_of("stages.a", {"x": 2}) != first
    (package / "stages/other.py").write_text("y = 1\n")
    assert identity_of("stages.a", {"x": 1}) == first
    (package / "stages/deep.py").write_text("x = 2\n")
    assert identity_of("stages.a", {"x": 1}) != first


def test_unknown_module(package: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"stages\.nothing"):
        code_files("stages.nothing")


def test_file_hash_is_sha256(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc" * 100_000)
    assert file_hash(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()
