"""A loopback stand-in for those who publish weights: the Hugging Face hub, and plain files."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Hub:
    """What the server holds and was asked.

    `repositories` are folders by OWNER/REPOSITORY, served as the hub does at one commit: weights
    by a redirect to another host, with their SHA-256 as the linked tag, other files with git's
    hash. `files` are served at /files/NAME, as a release does.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.repositories: dict[str, Path] = {}
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.tamper = False  # the bytes sent for weights are not those that the tag promises

    def answer(self, path: str, host: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        self.asked.append(path)
        parts = path.split("?")[0].strip("/").split("/")
        if parts[0] == "files":
            found = self.files.get("/".join(parts[1:]))
            return (404, {}, b"") if found is None else (200, {}, found)
        cdn = parts[0] == "cdn"
        parts = parts[1:] if cdn else parts
        owner, name, _, commit, *rest = [*parts, "", "", "", ""]
        rest = [part for part in rest if part]
        folder = self.repositories.get(f"{owner}/{name}")
        if folder is None:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        if commit != COMMIT:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        file = folder.joinpath(*rest)
        if not file.is_file():
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b""
        data = file.read_bytes()
        if cdn:
            return 200, {}, bytes([data[0] ^ 1]) + data[1:] if self.tamper else data
        headers = {"X-Repo-Commit": COMMIT}
        if file.suffix in (".json", ".yaml", ".txt"):
            return 200, {**headers, "ETag": f'"{git_hash(data)}"'}, data
        headers["X-Linked-Etag"] = f'"{hashlib.sha256(data).hexdigest()}"'
        headers["X-Linked-Size"] = str(len(data))
        other = host.replace("127.0.0.1", "localhost")
        headers["Location"] = f"http://{other}/cdn/{'/'.join(parts)}"
        return 302, headers, b""


@contextmanager
def serve() -> Iterator[Hub]:
    """Run the server in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = hub.answer(self.path, self.headers["Host"])
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = Hub(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def use_caches(folder: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the clients' caches below a folder, and the hub's client to an address."""
    from huggingface_hub import constants
    from insightface.utils import storage

    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("TORCH_HOME", str(folder / "torch"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE",
                        endpoint + "/{repo_id}/resolve/{revision}/{filename}")  # fmt: skip
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(storage, "MODEL_ZOO_RELEASE_DOWNLOAD_URL", f"{endpoint}/files/")
