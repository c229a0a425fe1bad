"""Addresses of web pages that were made: their files ask for one another and know of no token, so each has a ticket."""

from __future__ import annotations

from headstart.serve.tickets import is_good, with_ticket

_NONE = "-"  # a ticket where there is no token


def look_address(page: str, token: str | None) -> str:
    """Of a page by its place: look/roses/3."""
    ticket = _NONE if token is None else with_ticket(f"/{page}", token).partition("?ticket=")[2]
    return f"{page}/{ticket}/"


def has_ticket(path: str, token: str | None) -> bool:
    """Whether an address is one of a file of such a page, with a ticket to it."""
    parts = path.split("/")
    if token is None or len(parts) != 6 or parts[:2] != ["", "look"]:
        return False
    return is_good(parts[4], "/".join(parts[:4]), token)
