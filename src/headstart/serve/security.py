"""Who may ask: the token, the Host and Origin of a request; and the headers that keep a browser from harm."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headstart.serve.refused import RefusedError, refusal
from headstart.serve.settings import LOOPBACK, Settings
from headstart.serve.tickets import is_good

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{1,5})?")  # an address or a name, and a port


class Door:
    """Lets in who may ask. `public` says which paths anybody may get who reaches the server: they hold no secrets."""

    def __init__(self, app: ASGIApp, settings: Settings, public: Callable[[str], bool]) -> None:
        self._app, self._settings, self._public = app, settings, public
        self._names = {*LOOPBACK, settings.host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no websockets here
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._refuse(scope)
        except RefusedError as error:
            await refusal(error)(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    def _refuse(self, scope: Scope) -> None:
        """Raises RefusedError where the request comes from a page of somebody else's, or without the token."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_ours(host):
            what = "the request is for another host than this server is"
            raise RefusedError(403, what, where="Host", fix="use the address that the server printed")
        ours = (f"http://{host.lower()}", f"https://{host.lower()}")
        origins = headers.getlist("origin")
        if len(origins) > 1 or any(origin.lower() not in ours for origin in origins):
            what = "the request comes from a page of another site"
            raise RefusedError(403, what, where="Origin", fix="ask from a program, or from the page of this server")
        if self._settings.token is None or (scope["method"] in ("GET", "HEAD") and self._is_open(scope)):
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(token.strip().encode("utf-8", "replace"), self._settings.token.encode())
        if scheme.lower() != "bearer" or not right:
            what, fix = "the token is missing or wrong", "send the header Authorization: Bearer TOKEN"
            raise RefusedError(401, what, where="Authorization", fix=fix, headers={"WWW-Authenticate": "Bearer"})

    def _is_open(self, scope: Scope) -> bool:
        """Whether anybody may get what is there, or the address has a ticket to it."""
        path, token = scope["path"], self._settings.token
        ticket = QueryParams(scope["query_string"]).get("ticket")
        return self._public(path) or (ticket is not None and token is not None and is_good(ticket, path, token))

    def _is_ours(self, host: str) -> bool:
        """Whether it is a name of this server. Of one that listens everywhere nobody can say; it has a token."""
        named = _HOST.fullmatch(host.lower())
        if named is None:
            return False
        return self._settings.everywhere or (named[1] or named[2].rstrip(".")) in self._names
