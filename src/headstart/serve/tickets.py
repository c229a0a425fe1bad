"""Tickets: addresses that a browser may open without the token, which links cannot send, for an hour or two."""

from __future__ import annotations

import hashlib
import hmac
import time
from urllib.parse import unquote

_HOURS = 2
_HOUR = 3600


def with_ticket(path: str, token: str | None) -> str:
    """A path, as addresses write it, with a ticket to it, which is the same for an hour; None: no token, no ticket."""
    if token is None:
        return path
    expires = (int(time.time()) // _HOUR + _HOURS) * _HOUR
    return f"{path}?ticket={expires}.{_sealed(unquote(path), expires, token)}"


def is_good(ticket: str, path: str, token: str) -> bool:
    """Whether a ticket is to this path, from this server, and has not expired."""
    expires, _, seal = ticket.partition(".")
    if not expires.isascii() or not expires.isdecimal() or len(expires) > 12 or int(expires) < time.time():
        return False
    return hmac.compare_digest(seal.encode("utf-8", "replace"), _sealed(path, int(expires), token).encode())


def _sealed(path: str, expires: int, token: str) -> str:
    return hmac.new(token.encode(), f"ticket\0{path}\0{expires}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()
