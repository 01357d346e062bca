"""Who may speak to the server, and what its pages may do."""

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from stages.core.errors import SettingsError
from stages.inference.web.guard import COOKIE
from stages.inference.web.settings import Limits, Settings
from stages.inference.web.static import TYPES, page, static_file
from tests.inference.web.conftest import Start

TOKEN = "correct horse battery staple"


@pytest.fixture
def own(start: Start) -> TestClient:
    return start()


@pytest.fixture
def guarded(start: Start) -> TestClient:
    return start(host="0.0.0.0", token=TOKEN)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("evil.example:8000", 421),
        ("127.0.0.1.evil.example", 421),
        ("127.0.0.1@evil.example", 421),
        ("evil.example/127.0.0.1", 421),
        ("192.168.0.7:8000", 421),
        ("[::1", 421),
        ("127.0.0.1:x", 421),
        ("", 421),
    ],
)
def test_only_names_of_this_machine_are_answered(own: TestClient, host: str, status: int) -> None:
    answer = own.get("/api/state", headers={"host": host})
    assert answer.status_code == status
    if status != 200:
        assert "is not called" in answer.json()["error"]


def test_a_proxy_may_leave_its_path_in_front_or_take_it_away(start: Start) -> None:
    page = start(root_path="/tools/aus")
    for path in ("/tools/aus/", "/", "/tools/aus/api/state", "/api/state"):
        assert page.get(path).status_code == 200, path
    assert "AUFusion" in page.get("/tools/aus/").text
    assert "body" in page.get("/tools/aus/static/page.css").text
    moved = page.get("/tools/aus", follow_redirects=False)
    assert (moved.status_code, moved.headers["location"]) == (303, "/tools/aus/")
    assert page.get("/tools/ausgang/").status_code == 404
    assert page.get("/tools/aus/api/jobs/none/video").status_code == 404
    # what links to elsewhere would leave the proxy's path
    assert not re.findall(r"""(?:href|src|action)="/""", page.get("/").text)


def test_behind_a_proxy_the_token_is_asked_for_as_well(start: Start) -> None:
    page = start(root_path="/aus", public_hosts=("Videos.example.org",), token=TOKEN)
    named = {"host": "videos.example.org"}
    assert page.get("/aus/api/state", headers=named).status_code == 401
    answer = page.get("/aus/", headers=named, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "login")
    known = {**named, "authorization": f"Bearer {TOKEN}"}
    assert page.get("/aus/api/state", headers=known).status_code == 200
    other = {**known, "host": "other.example.org"}
    assert page.get("/aus/api/state", headers=other).status_code == 421


@pytest.mark.parametrize("path", ["aus", "/aus/", "/a b", "//", "/..", "/a/../b", "/aus?x", "/é"])
def test_what_is_no_path_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(SettingsError, match="--root-path"):
        Settings(tmp_path, root_path=path)


@pytest.mark.parametrize("name", ["https://a.org", "a.org:80", "a.org/aus", "", "-a", "a b"])
def test_what_is_no_name_of_a_host_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="--public-host"):
        Settings(tmp_path, public_hosts=(name,), token=TOKEN)


def test_a_public_name_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--public-host would let other machines in"):
        Settings(tmp_path, public_hosts=("a.org",))


@pytest.mark.parametrize(("host", "status"), [("192.168.0.7:8000", 200), ("evil.example", 421)])
def test_an_open_server_answers_to_addresses(guarded: TestClient, host: str, status: int) -> None:
    headers = {"host": host, "authorization": f"Bearer {TOKEN}"}
    assert guarded.get("/api/state", headers=headers).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "http://127.0.0.1:8000.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(own: TestClient, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/api/jobs"), ("DELETE", "/api/jobs/x"), ("POST", "/login")):
        answer = own.request(method, path, headers=headers, content=b"x")
        assert answer.status_code == 403
        assert "another site" in answer.json()["error"]


@pytest.mark.parametrize("headers", [{}, {"origin": "http://127.0.0.1:8000"}])
def test_our_page_and_a_script_may(own: TestClient, headers: dict[str, str]) -> None:
    assert own.delete(f"/api/jobs/{'0' * 32}", headers=headers).status_code == 404


PATHS = ("/api/state", "/static/page.js", f"/api/jobs/{'0' * 32}/files/csv", "/nothing")


@pytest.mark.parametrize(
    "value", [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"]
)
def test_without_the_token_nothing_is_told(guarded: TestClient, value: str | None) -> None:
    headers = {} if value is None else {"authorization": value}
    for path in PATHS:
        answer = guarded.get(path, headers=headers)
        assert answer.status_code == 401
        assert "log in" in answer.json()["error"]
    assert guarded.post("/api/jobs", headers=headers, content=b"x").status_code == 401
    front = guarded.get("/", headers=headers)
    assert (front.status_code, front.headers["location"]) == (303, "login")


def test_the_token_opens_by_header(guarded: TestClient) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert guarded.get("/api/state", headers=headers).status_code == 200


def test_the_login_form_sets_a_cookie_that_opens(guarded: TestClient) -> None:
    assert "Token" in guarded.get("/login").text
    answer = guarded.post("/login", data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in answer.headers["set-cookie"]
    assert guarded.get("/api/state").status_code == 200
    guarded.cookies.clear()
    assert guarded.get("/api/state", headers={"cookie": f"{COOKIE}={'0' * 64}"}).status_code == 401


def test_a_wrong_token_is_a_sentence(guarded: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.inference.web.app.LOGIN_SECONDS", 0.0)
    for data in ({"token": "wrong"}, {}, {"token": TOKEN.upper()}):
        answer = guarded.post("/login", data=data)
        assert answer.status_code == 401
        assert "This is not the token" in answer.text
        assert "set-cookie" not in answer.headers


def test_without_a_token_there_is_nothing_to_log_in_to(own: TestClient) -> None:
    for answer in (own.get("/login"), own.post("/login", data={"token": "x"})):
        assert (answer.status_code, answer.headers["location"]) == (303, "./")


@pytest.mark.parametrize("path", ["/", "/api/state", "/static/page.js", "/nothing"])
def test_every_answer_forbids_other_hosts(own: TestClient, path: str) -> None:
    headers = own.get(path).headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    allowed = {source for sources in policy.values() for source in sources.split()}
    assert allowed == {"'none'", "'self'", "'unsafe-inline'", "data:"}
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers


def test_the_pages_files_name_no_other_host() -> None:
    for name in ("index.html", "login.html", *(name for name in TYPES if name.startswith("page"))):
        assert "//" not in page(name).replace("// ", ""), name
    assert "on" + "click=" not in page("index.html")
    assert "<style" not in page("index.html") + page("login.html")


@pytest.mark.parametrize(
    "path", ["..%2fapp.py", "%2e%2e/app.py", "index.html", "page.css%00", "%2e%2e"]
)
def test_only_the_pages_files_are_static(own: TestClient, path: str) -> None:
    assert own.get(f"/static/{path}").status_code == 404


def test_static_files_come_packed_and_plain(own: TestClient) -> None:
    plain = own.get("/static/plotly.min.js", headers={"accept-encoding": "identity"})
    packed = own.get("/static/plotly.min.js", headers={"accept-encoding": "gzip"})
    assert plain.content == packed.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    again = own.get("/static/plotly.min.js", headers={"if-none-match": plain.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"host": "0.0.0.0"}, "give --token"),
        ({"host": "192.168.0.7"}, "give --token"),
        ({"host": "0.0.0.0", "token": "short"}, "too short"),
        ({"token": ""}, "too short"),
        ({"port": 70_000}, "--port"),
    ],
)
def test_unsafe_settings_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        Settings(Path(), **changes)


@pytest.mark.parametrize("name", ["megabytes", "minutes", "jobs", "working_minutes"])
def test_limits_are_above_zero(name: str) -> None:
    with pytest.raises(SettingsError, match=f"--max-{name.replace('_', '-')}"):
        Limits(**{name: 0})


def test_a_token_is_not_printed() -> None:
    assert TOKEN not in repr(Settings(Path(), token=TOKEN))


def test_it_works_behind_a_proxy_that_takes_a_prefix_away(guarded: TestClient) -> None:
    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await guarded.app(scope, receive, send)
            return
        assert scope["path"].startswith("/lab/aus/"), f"{scope['path']} leads out of the prefix"
        path = scope["path"].removeprefix("/lab/aus")
        await guarded.app({**scope, "path": path, "raw_path": path.encode()}, receive, send)

    outside = TestClient(proxy, base_url=str(guarded.base_url))
    front = outside.get("/lab/aus/")
    assert front.url.path == "/lab/aus/login"
    action = re.search(r'action="([^"]+)"', front.text)
    assert action is not None
    entered = outside.post(str(front.url.join(action[1])), data={"token": TOKEN})
    assert (entered.status_code, entered.url.path) == (200, "/lab/aus/")
    named = re.findall(r'(?:href|src)="([^"]+)"', entered.text)
    assert len(named) > 4
    for name in named:
        assert outside.get(str(entered.url.join(name))).status_code == 200, name
    scripts = [
        static_file(name).body.decode()
        for name in TYPES
        if name.endswith(".js") and not name.startswith("plotly")
    ]
    for script in scripts:
        assert not re.search(r"""["`'](/api|/static|/login)""", script)
        for address in re.findall(r"""["`'](api/state)["`']""", script):
            assert outside.get(str(entered.url.join(address))).status_code == 200
