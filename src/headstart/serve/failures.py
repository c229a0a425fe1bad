"""What happens where the server itself fails: the client reads one line, the log has the place, and no payload."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headstart.serve.refused import json_answer

_FRAMES = 4  # the innermost ones
_log = logging.getLogger("headstart.serve")


class Failures:
    """Answers 500 in the place of an exception. What that says may hold what was sent, so only its class is logged."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http":
                raise
            _log.error("a request failed, please report this: %s at %s", type(error).__name__, _places(error))
            if not begun:
                failed = json_answer({"error": "the server failed at this request; its log says more"}, 500)
                await failed(scope, receive, send)


def _places(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return ", ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
