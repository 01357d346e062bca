"""Fetching by the real clients from loopback: hashes, caches, offline, no leftovers."""

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stages.core.errors import DataError
from stages.encoders.fetching import fetch, is_offline, trouble
from stages.encoders.source import Source
from tests.encoders import published_files as files
from tests.hub import COMMIT, Hub, serve, use_caches

DATA = b"weights" * 1000
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve() as server:
        use_caches(tmp_path, server.address, monkeypatch)
        yield server


def repository(hub: Hub, folder: Path, **contents: bytes) -> Source:
    folder.mkdir()
    for name, data in contents.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    hub.repositories["owner/model"] = folder
    return Source(kind="huggingface", name="owner/model", revision=COMMIT)


def leftovers(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and ".locks" not in p.parts]


def test_a_repository_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    source = repository(
        hub, tmp_path / "repo", model__safetensors=DATA, config__json=b"{}", other__bin=b"x"
    )
    assert not trouble(source, offline=False)
    path, digest = fetch(source, offline=False)
    assert path.read_bytes() == DATA
    assert digest == DIGEST
    assert (path.parent / "config.json").read_text() == "{}"
    asked = len(hub.asked)
    assert fetch(source, offline=True) == (path, digest)  # from the cache
    assert not trouble(source, offline=True)
    assert len(hub.asked) == asked
    assert not any("other.bin" in request for request in hub.asked)


def test_the_first_known_file_is_taken_or_the_one_that_is_named(hub: Hub, tmp_path: Path) -> None:
    source = repository(hub, tmp_path / "repo", pytorch_model__bin=DATA, w__pth=b"other")
    assert fetch(source, offline=False)[0].name == "pytorch_model.bin"
    assert fetch(replace(source, file="w.pth"), offline=False)[0].read_bytes() == b"other"
    absent = replace(source, file="absent.bin")
    assert "none of the files absent.bin" in trouble(absent, offline=False)
    with pytest.raises(DataError, match=r"none of the files absent\.bin"):
        fetch(absent, offline=False)


def test_bytes_other_than_the_hub_promises_are_refused(hub: Hub, tmp_path: Path) -> None:
    source = repository(hub, tmp_path / "repo", model__safetensors=DATA)
    hub.tamper = True
    with pytest.raises(DataError, match=f"is not what hub:owner/model.* expected {DIGEST}"):
        fetch(source, offline=False)


def test_a_cached_file_that_was_changed_is_refused(hub: Hub, tmp_path: Path) -> None:
    source = repository(hub, tmp_path / "repo", model__safetensors=DATA, small__json=b"[]")
    for wanted in (source, replace(source, file="small.json")):
        path, _ = fetch(wanted, offline=False)
        path.resolve().write_bytes(b"changed")
        with pytest.raises(DataError, match=r"is not what .* Delete it"):
            fetch(wanted, offline=False)


def test_another_hash_than_the_setting_s_is_refused(hub: Hub, tmp_path: Path) -> None:
    source = repository(hub, tmp_path / "repo", model__safetensors=DATA)
    assert fetch(replace(source, sha256=DIGEST), offline=False)[1] == DIGEST
    with pytest.raises(DataError, match=f"its hash is {DIGEST}, expected {'0' * 64}"):
        fetch(replace(source, sha256="0" * 64), offline=False)


def test_a_release_asset(hub: Hub, tmp_path: Path) -> None:
    hub.files["v1/w.pth"] = DATA
    source = Source(
        kind="address", name=f"{hub.address}/files/v1/w.pth", file="w.pth", sha256=DIGEST
    )
    assert not trouble(source, offline=False)
    path, digest = fetch(source, offline=False)
    assert path == Path(torch.hub.get_dir()) / "checkpoints/w.pth"
    assert (path.read_bytes(), digest) == (DATA, DIGEST)
    hub.files.clear()
    assert fetch(source, offline=True) == (path, digest)
    path.write_bytes(b"changed")
    with pytest.raises(DataError, match="is not what"):
        fetch(source, offline=False)


def test_a_release_asset_with_another_hash_leaves_nothing(hub: Hub, tmp_path: Path) -> None:
    hub.files["w.pth"] = DATA[1:]
    source = Source(kind="address", name=f"{hub.address}/files/w.pth", file="w.pth", sha256=DIGEST)
    with pytest.raises(DataError, match="could not be fetched: invalid hash value"):
        fetch(source, offline=False)
    assert not leftovers(tmp_path / "torch")


@pytest.mark.parametrize("nested", [False, True])
def test_a_pack_of_insightface(hub: Hub, tmp_path: Path, nested: bool) -> None:
    files.onnx_network(tmp_path / "glintr100.onnx")
    data = (tmp_path / "glintr100.onnx").read_bytes()
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as pack:
        pack.writestr("antelopev2/glintr100.onnx" if nested else "glintr100.onnx", data)
    hub.files["antelopev2.zip"] = (tmp_path / "pack.zip").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    source = Source(kind="insightface", name="antelopev2", file="glintr100.onnx", sha256=digest)
    assert not trouble(source, offline=False)
    path, found = fetch(source, offline=False)
    assert path == Path.home() / ".insightface/models/antelopev2/glintr100.onnx"
    assert (path.read_bytes(), found) == (data, digest)
    assert fetch(source, offline=True) == (path, digest)
    with pytest.raises(DataError, match="is not what"):
        fetch(replace(source, sha256="0" * 64), offline=False)


def test_a_damaged_pack_leaves_nothing(hub: Hub, tmp_path: Path) -> None:
    hub.files["antelopev2.zip"] = b"no zip"
    source = Source(kind="insightface", name="antelopev2", file="g.onnx", sha256=DIGEST)
    with pytest.raises(DataError, match="could not be fetched"):
        fetch(source, offline=False)
    assert not leftovers(tmp_path / "home")


def test_files_here(tmp_path: Path) -> None:
    files.arcface_state(tmp_path / "w.pth")
    source = Source(kind="file", name=str(tmp_path / "w.pth"))
    digest = hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    assert fetch(source, offline=True) == (tmp_path / "w.pth", digest)
    with pytest.raises(DataError, match=r"is not what file:w\.pth@sha256"):
        fetch(replace(source, sha256=DIGEST), offline=True)
    assert "is missing: check the path" in trouble(replace(source, name="none.pth"), offline=True)
    files.transformers_folder(tmp_path / "folder")
    folder = Source(kind="file", name=str(tmp_path / "folder"))
    assert fetch(folder, offline=True)[0] == tmp_path / "folder/model.safetensors"


SOURCES = {
    "hf download owner/model w.bin config.json --revision " + COMMIT: Source(
        kind="huggingface", name="owner/model", file="w.bin", revision=COMMIT, megabytes=7
    ),
    "antelopev2.zip": Source(kind="insightface", name="antelopev2", file="g.onnx", sha256=DIGEST),
    "curl -L -o w.pth": Source(
        kind="address", name="http://127.0.0.1:9/w.pth", file="w.pth", sha256=DIGEST
    ),
}


@pytest.mark.parametrize(("command", "source"), SOURCES.items())
@pytest.mark.parametrize("offline", [False, True])
def test_what_cannot_be_had_is_said_with_the_command_that_fetches_it(
    command: str, source: Source, offline: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_caches(tmp_path, "http://127.0.0.1:9", monkeypatch)  # no one answers there
    said = trouble(source, offline)
    assert said.startswith(source.text)
    assert f"`{command}" in said or command in said
    assert ("offline mode is on" in said) == offline
    assert ("127.0.0.1:9 cannot be reached" in said) == (not offline)
    assert str(tmp_path) in said.rpartition(" to ")[2]  # where to put it
    if offline or source.kind != "huggingface":  # whose client tries for half a minute
        with pytest.raises(DataError):
            fetch(source, offline)
    assert not leftovers(tmp_path)


def test_errors_of_the_hub_are_named(hub: Hub, tmp_path: Path) -> None:
    source = Source(kind="huggingface", name="no/body", revision=COMMIT)
    assert "answers with error 404" in trouble(source, offline=False)
    gone = Source(kind="address", name=f"{hub.address}/files/x.pth", file="x.pth", sha256=DIGEST)
    assert "answers with error 404" in trouble(gone, offline=False)


def test_offline_by_the_setting_or_by_the_hub_s_own_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_caches(tmp_path, "http://127.0.0.1:9", monkeypatch)
    assert not is_offline(False)
    assert is_offline(True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert is_offline(False)
