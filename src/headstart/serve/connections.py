"""Connections that do not wait for ever: headers have to come in time and in bounds, and there are only so many."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from headstart.serve.settings import Limits

_FULL = b'{"error": "too many connections; ask again in a moment"}'
_LONG = b'{"error": "the headers are too long; send less in them"}'


class Connection(HttpToolsProtocol):
    """One connection of a client."""

    limits: ClassVar[Limits] = Limits()
    _late: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _in_headers = True  # whether the headers of the next request are not all there
    _requests = 0  # that were there in whole

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, b"Service Unavailable", _FULL)
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self._requests
        super().data_received(data)
        if self.transport.is_closing() or not self._in_headers or self._requests > before:
            return
        self._header_bytes += len(data)
        if self._header_bytes > self.limits.header_bytes:
            self._refuse(431, b"Request Header Fields Too Large", _LONG)
        elif self.cycle is None or self.cycle.response_complete:
            self._wait()

    def on_headers_complete(self) -> None:
        self._in_headers, self._header_bytes = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_headers, self._requests = True, self._requests + 1

    def _wait(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.limits.header_seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, status: int, reason: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        self.transport.write(head % (status, reason, len(body)) + body)
        self.transport.close()


def connections_within(limits: Limits) -> type[Connection]:
    """The class of connections that have these limits."""
    return type("LimitedConnection", (Connection,), {"limits": limits})
