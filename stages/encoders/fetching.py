"""Fetching published weights by the clients of those who publish them, into their usual caches.

The Hugging Face hub by huggingface_hub, insightface's packs by insightface, files of a release by
torch.hub. Every file is checked by its hash, also one that was in the cache already.
"""

import hashlib
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from stages.core.errors import DataError
from stages.core.hashing import file_hash
from stages.encoders.formats import CONFIG, FILES, weights_file
from stages.encoders.source import Source

TIMEOUT = 10  # seconds, to find out whether a host answers
INSIGHTFACE = ".insightface"  # below the home folder, insightface's own cache
TRUE = {"1", "ON", "YES", "TRUE"}


def is_offline(setting: bool) -> bool:
    """Whether nothing may be fetched: by ``compute.offline``, or by ``HF_HUB_OFFLINE``."""
    from huggingface_hub import constants

    given = os.environ.get("HF_HUB_OFFLINE", "").upper() in TRUE
    return setting or given or bool(constants.HF_HUB_OFFLINE)


def cached(source: Source) -> Path | None:
    """Where the file of a source lies here already; its hash is not looked at."""
    if source.kind == "huggingface":
        from huggingface_hub import try_to_load_from_cache

        for file in _files(source):
            found = try_to_load_from_cache(source.name, file, revision=source.revision)
            if isinstance(found, str):
                return Path(found)
        return None
    places = {
        "insightface": (_pack(source) / source.file, _pack(source) / source.name / source.file),
        "address": (_release_folder() / source.file,),
        "file": (Path(source.name).expanduser(),),
    }[source.kind]
    return next((place for place in places if place.exists()), None)


def fetch(source: Source, offline: bool) -> tuple[Path, str]:
    """Bring the file of a source here, unless it is, and check it.

    Parameters
    ----------
    source : Source
    offline : bool
        Look in the caches only.

    Returns
    -------
    Path
        The file of the tensors.
    str
        Its SHA-256.

    Raises
    ------
    DataError
        When it cannot be had, or is not what the setting pins.
    """
    path = cached(source)
    if path is None:
        if offline or source.kind == "file":
            raise DataError(f"{source.text} is not here.")
        try:
            path = _download(source)
        except DataError:
            raise
        except Exception as error:  # each client has errors of its own, and of its transport
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise DataError(f"{source.text} could not be fetched: {reason}") from None
    path = weights_file(path)
    return path, _checked(source, path)


def _download(source: Source) -> Path:
    if source.kind == "huggingface":
        return _download_from_hub(source)
    if source.kind == "insightface":
        return _download_pack(source)
    import torch

    path = _release_folder() / source.file
    path.parent.mkdir(parents=True, exist_ok=True)
    # written under another name, and moved only if the hash is right
    torch.hub.download_url_to_file(source.name, str(path), hash_prefix=source.sha256)
    return path


def _download_from_hub(source: Source) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    for file in _files(source):
        try:
            path = Path(hf_hub_download(source.name, file, revision=source.revision))
        except RemoteEntryNotFoundError:
            continue
        folder = Path(file).parent
        try:
            config = (folder / CONFIG).as_posix()
            hf_hub_download(source.name, config, revision=source.revision)
        except RemoteEntryNotFoundError:
            pass  # not every architecture has one
        return path
    raise DataError(f"{source.text} has none of the files {', '.join(_files(source))}.")


def _download_pack(source: Source) -> Path:
    from insightface.utils import storage

    home = _pack(source).parents[1]
    home.mkdir(parents=True, exist_ok=True)
    # insightface unpacks in place: a killed download would look like a pack
    with tempfile.TemporaryDirectory(dir=home) as folder:
        storage.download("models", source.name, root=folder)
        unpacked = Path(folder) / "models" / source.name
        inner = unpacked / source.name  # some packs hold a folder of their own name
        unpacked = inner if inner.is_dir() else unpacked
        if not (unpacked / source.file).is_file():
            raise DataError(f"insightface's pack {source.name} holds no {source.file}.")
        _pack(source).mkdir(parents=True, exist_ok=True)
        for file in unpacked.iterdir():
            if not (_pack(source) / file.name).exists():
                shutil.move(file, _pack(source) / file.name)
    return _pack(source) / source.file


def _checked(source: Source, path: Path) -> str:
    """Hash of a file, compared with what pins it: the setting, or the hub's name of the blob."""
    digest = file_hash(path)
    expected, found = source.sha256, digest
    if not expected and source.kind == "huggingface":
        expected = path.resolve().name
        if re.fullmatch("[0-9a-f]{40}", expected):  # git's own hash, of a file outside of LFS
            data = path.read_bytes()
            found = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        elif not re.fullmatch("[0-9a-f]{64}", expected):
            raise DataError(
                f"{path} cannot be checked against the hub, for this cache has no blobs: if you "
                f"trust the file, say so by +sha256:{digest} at the end of the setting."
            )
    if expected and found != expected:
        raise DataError(
            f"{path} is not what {source.text} pins: its hash is {found}, expected {expected}. "
            "Delete it and fetch it again; if it comes back the same, do not use it."
        )
    return digest


def trouble(source: Source, offline: bool) -> str:
    """Say why the weights of a source cannot be had; empty where they can.

    Parameters
    ----------
    source : Source
    offline : bool
        Look in the caches only.

    Returns
    -------
    str
        What is missing, why, the command that fetches it elsewhere, and where to put it.
    """
    if cached(source):
        return ""
    if source.kind == "file":
        return f"{source.name} is missing: check the path."
    if offline:
        reason = "offline mode is on"
    else:
        reason = _unreachable(source)
        if not reason:
            return ""
    command, place = _by_hand(source)
    how_much = f" ({source.megabytes} MB)" if source.megabytes else ""
    return (
        f"{source.text}{how_much} is missing and cannot be fetched, for {reason}: on a machine "
        f"with network run `{command}` and put what it fetched to {place}."
    )


def _unreachable(source: Source) -> str:
    if source.kind == "huggingface":
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.errors import RemoteEntryNotFoundError

        for file in _files(source):
            url = hf_hub_url(source.name, file, revision=source.revision)
            try:
                get_hf_file_metadata(url, timeout=TIMEOUT)
            except RemoteEntryNotFoundError:
                continue
            except Exception as error:  # of the hub, or of whichever library it fetches with
                return _reason(url, error)
            return ""
        return f"it has none of the files {', '.join(_files(source))}"
    if source.kind == "insightface":
        from insightface.utils import storage

        url = storage.model_zoo_download_url(f"{source.name}.zip")
    else:
        url = source.name
    try:
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=TIMEOUT):
            return ""
    except (OSError, ValueError) as error:
        if getattr(error, "code", None) in (403, 405, 501):  # signed addresses know GET alone
            return ""
        return _reason(url, error)


def _reason(url: str, error: Exception) -> str:
    host = urlsplit(url).netloc
    status = getattr(error, "code", None) or getattr(
        getattr(error, "response", None), "status_code", None
    )
    if isinstance(status, int):
        return f"{host} answers with error {status}"
    return f"{host} cannot be reached ({type(error).__name__})"


def _by_hand(source: Source) -> tuple[str, str]:
    """Command that fetches a source on another machine, and where the result goes here."""
    if source.kind == "huggingface":
        from huggingface_hub import constants

        files = " ".join(dict.fromkeys([source.file or FILES[0], CONFIG]))
        folder = f"models--{source.name.replace('/', '--')}"
        command = f"hf download {source.name} {files} --revision {source.revision}"
        return command, f"{Path(constants.HF_HUB_CACHE) / folder} (the whole folder of its cache)"
    if source.kind == "insightface":
        from insightface.utils import storage

        url = storage.model_zoo_download_url(f"{source.name}.zip")
        return f"curl -LO {url}", f"{_pack(source)}, unpacked"
    return f"curl -L -o {source.file} {source.name}", str(_release_folder() / source.file)


def _files(source: Source) -> tuple[str, ...]:
    return (source.file,) if source.file else FILES


def _pack(source: Source) -> Path:
    return Path.home() / INSIGHTFACE / "models" / source.name


def _release_folder() -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"
