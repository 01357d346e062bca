"""Who may speak to the server: the right Host, the right Origin, the token; and what pages may do.

A pure ASGI middleware, so that uploads and videos stream through it.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stages.inference.web.settings import Settings

COOKIE: Final = "aufusion"
OPEN_PATHS: Final = ("/login", "/static/page.css")  # what is needed to log in

# Everything comes from the server itself. Plotly sets styles of the elements that it makes, which
# `style-src 'self'` would forbid; scripts in the page, `eval` and other hosts stay forbidden.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with `no-referrer`, our own form's Origin would be "null"
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
_SAFE: Final = ("GET", "HEAD", "OPTIONS")


def cookie_value(token: str) -> str:
    """What the cookie holds in place of the token, so that a stolen cookie does not tell it."""
    return hmac.digest(token.encode(), b"aufusion cookie", "sha256").hex()


def same(given: str, wanted: str) -> bool:
    """Compare two secrets in a time that does not tell how much of them agrees."""
    return hmac.compare_digest(given.encode(), wanted.encode())


def split_host(header: str) -> str:
    """Name or address in a header Host: lower case, without port and brackets; "" if malformed."""
    try:
        parts = urlsplit(f"//{header}")
        _ = parts.port
    except ValueError:
        return ""
    if parts.path or parts.query or parts.fragment or "@" in header:
        return ""
    return parts.hostname or ""


class Guard:
    """Refuses requests that are not the user's own.

    Parameters
    ----------
    app : ASGI application
    settings : Settings
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        scope = _below(scope, self.settings.root_path)
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is None and scope["path"] == self.settings.root_path != "":
            refusal = RedirectResponse(f"{self.settings.root_path}/", 303)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
        else:
            await self.app(scope, receive, send_guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        host = headers.get("host", "")
        if not self.settings.serves(split_host(host)):
            return _answer(421, f"This server is not called {host!r}.")
        if scope["method"] not in _SAFE and not _own_origin(headers, host):
            return _answer(403, "A page of another site may not change anything here.")
        token = self.settings.token
        if token is None or scope["path"] in OPEN_PATHS or _knows(headers, token):
            return None
        if scope["path"] == "/":
            return RedirectResponse("login", 303)
        return _answer(401, "Please log in with the token that the server was started with.")


def _below(scope: Scope, root: str) -> Scope:
    """A request as if the page lay at the top, also where a proxy leaves its path in front."""
    path = scope["path"]
    if not root or not path.startswith(f"{root}/"):
        return scope
    rest = {key: value for key, value in scope.items() if key != "raw_path"}
    return {**rest, "path": path.removeprefix(root)}


def _answer(status: int, sentence: str) -> ASGIApp:
    return JSONResponse({"error": sentence}, status)


def _own_origin(headers: Headers, host: str) -> bool:
    """Tell whether a request comes from our page, or from no page at all (a script, say curl)."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    return origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


def _knows(headers: Headers, token: str) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and same(given.strip(), token):
        return True
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return cookie is not None and same(cookie.value, cookie_value(token))
