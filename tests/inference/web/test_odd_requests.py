"""Odd values everywhere in a request: an answer that is a sentence, never a defect."""

import itertools
import socket
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from stages.inference.web.refusals import MOST
from tests.inference.web import stand_in
from tests.inference.web.conftest import Start
from tests.inference.web.talk import upload, wait_until
from tests.inference.web.test_page import serving

NUMBERS = ("", "-1", "+1", "1.5", "1e3", "many", "0x10", "٣", "1_0", " 1", "9" * 5000, "\x00")
TEXTS = (
    "",
    ".",
    "..",
    "/",
    "\\",
    "\x00",
    "\n",
    "%",
    "'\"<>",
    "é面\U0001f600",
    "\ud800",
    "x" * 9000,
)
VALUES = (*NUMBERS, *TEXTS)


def safe(text: str) -> str:
    return quote(text.encode(errors="surrogatepass"), safe="")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_in.make_clip(tmp_path_factory.mktemp("odd") / "clip.mp4", frames=3)


def refused(client: TestClient, method: str, address: str, **more: object) -> int:
    answer = client.request(method, address, **more)  # type: ignore[arg-type]
    assert answer.status_code < 500, (method, address[:80], more)
    if answer.status_code >= 400:
        text = answer.json()["error"]
        assert text.endswith("."), text
        assert "Traceback" not in text
    return answer.status_code


def test_no_query_and_no_path_is_a_defect(start: Start, done: Path) -> None:
    client = start()
    job = upload(client, done)
    wait_until(client, job, "done")
    beside = f"/api/jobs/{job}/beside/{job}"
    assert client.get(beside).json()["agreement"] == 1
    for value in VALUES:
        text = safe(value)
        for address in (
            f"/api/state?with={text}", f"/api/state?{text}", f"/{text}", f"/static/{text}",
            f"/api/jobs/{text}/view", f"/api/jobs/{job}/{text}", f"/api/jobs/{job}/files/{text}",
            f"/api/jobs/{job}/beside/{text}", f"/login?{text}",
        ):  # fmt: skip
            refused(client, "GET", address)
        for method, end in itertools.product(("DELETE", "POST", "PUT", "PATCH"), ("", "/cancel")):
            assert refused(client, method, f"/api/jobs/{text}{end}") in (307, 404, 405, 422)
    for value in NUMBERS:
        assert refused(client, "GET", f"/api/state?show={safe(value)}") == 400
        assert refused(client, "GET", f"{beside}?face={safe(value)}") in (400, 422)
        assert refused(client, "GET", f"{beside}?other_face={safe(value)}") in (400, 422)
    assert refused(client, "GET", f"{beside}?face=7") == 422
    assert refused(client, "GET", "/api/state?" + "with=x&" * 5000) == 200


def test_an_upload_of_any_name_is_one(start: Start, done: Path) -> None:
    client = start(jobs=100)
    for value in VALUES:
        address = f"/api/jobs?name={safe(value)}"
        assert refused(client, "POST", address, content=done.read_bytes()) == 201


def test_the_list_has_a_longest_page(start: Start) -> None:
    client = start()
    state = client.get("/api/state", params={"show": MOST}).json()
    assert state["most"] == MOST
    answer = client.get("/api/state", params={"show": MOST + 1})
    assert answer.status_code == 400
    assert answer.json()["error"] == (
        "show is a number of videos, 1,000 at most, as in /api/state?show=50."
    )


RANGES = ("bytes=", "bytes=-", "bytes=9-1", "bytes=a-b", "bytes=0-0,1-1,2-2", "lines=1-2", "bytes",
          f"bytes={'9' * 5000}-", f"bytes=-{'9' * 5000}", "bytes=0-" + ",0-" * 3000,
          "bytes=1--1")  # fmt: skip

BYTES = (b"\xff\xfe", b"\x00", b"a=b; " * 2000, b"=;=", b'"', b"aufusion=\xe9", b"bytes=1-")


def test_no_header_is_a_defect(start: Start, done: Path) -> None:
    client = start()
    job = upload(client, done)
    wait_until(client, job, "done")
    for value in RANGES:
        for path in ("video", "files/csv", "poster"):
            answer = client.get(f"/api/jobs/{job}/{path}", headers={"range": value})
            assert answer.status_code in (200, 206, 400, 416), value
    for value in (
        b"\xff\xfe",
        b"\x00",
        b"a=b; " * 2000,
        b"=;=",
        b'"',
        b"aufusion=\xe9",
        b"bytes=1-",
    ):
        for name in (
            "cookie", "authorization", "accept-encoding", "if-none-match", "if-range", "origin",
            "sec-fetch-site", "content-type", "host", "range", "x-forwarded-for",
        ):  # fmt: skip
            for method, path in (("GET", "/api/state"), ("GET", f"/api/jobs/{job}/video"),
                                 ("POST", "/login"), ("DELETE", "/api/jobs/x")):  # fmt: skip
                client.cookies.clear()
                answer = client.request(method, path, headers=[(name.encode(), value)])
                assert answer.status_code < 500, (name, value, path)


FORMS = (
    ("application/x-www-form-urlencoded", b"token=%ff%fe&" * 50),
    ("application/x-www-form-urlencoded; charset=nothing", b"token=\xff"),
    ("application/x-www-form-urlencoded", b"&&&&=;"),
    ("multipart/form-data", b"no boundary"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--"),
    ("multipart/form-data; boundary=x; charset=nothing",
     b'--x\r\nContent-Disposition: form-data; name="token"\r\n\r\n\xff\r\n--x--\r\n'),
    ("multipart/form-data; boundary=x",
     b'--x\r\nContent-Disposition: form-data; name="token"; filename="a"\r\n\r\nx\r\n--x--\r\n'),
    ("multipart/form-data; boundary=" + "x" * 3000, b"--x"),
    ("application/json", b"{"),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "body"), FORMS)
def test_no_form_is_a_defect(
    start: Start, monkeypatch: pytest.MonkeyPatch, kind: str, body: bytes
) -> None:
    monkeypatch.setattr("stages.inference.web.app.LOGIN_SECONDS", 0.0)
    client = start(token="correct horse battery staple")
    answer = client.post("/login", content=body, headers={"content-type": kind})
    assert answer.status_code in (400, 401)


WIRE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    b"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    b"GET /api/state HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    b"GET /api/state?show=\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /%ff%fe%00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET //evil.example/%2e%2e HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: " + b"a=b;" * 30_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
)


def test_nothing_on_the_wire_is_a_defect(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path / "jobs", stand_in.predict) as address:
        port = int(address.rpartition(":")[2])
        for sent in WIRE:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
                wire.sendall(sent)
                wire.shutdown(socket.SHUT_WR)
                status = wire.makefile("rb").readline().split(b" ")
                assert status == [b""] or int(status[1]) < 500, sent[:80]
    assert "Traceback" not in caplog.text + "".join(capsys.readouterr())
