"""Why a request is not answered, with its HTTP status, and how that is said."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from headstart.errors import UserError
from headstart.storage.places import as_json, as_utf8


class RefusedError(UserError):
    """A request that is refused: what is wrong, where in it, what to do."""

    for_python = False

    def __init__(
        self, status: int, what: str, *, where: str = "", fix: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status, self.headers = status, headers or {}


def json_answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A value as JSON, which may hold halves of characters as clients send them."""
    return Response(as_utf8(as_json(value, indent=None)), status, headers, media_type="application/json")


def refusal(error: UserError) -> Response:
    """What a client reads: "what; where; fix", as far as each is known. What is wrong with the inputs is a 422."""
    said = "; ".join(part for part in (error.what, error.where, error.fix) if part)
    if isinstance(error, RefusedError):
        return json_answer({"error": said}, error.status, error.headers)
    return json_answer({"error": said}, 422)
