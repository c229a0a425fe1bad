"""How much one client gets: bytes of a body, places for inputs, and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from starlette.requests import ClientDisconnect, Request

from headstart.serve.refused import RefusedError
from headstart.serve.settings import Limits

_RETRY = {"Retry-After": "1"}
_CLOSE = {"Connection": "close"}  # what a client still sends is not read


class Places:
    """Inputs that are waited for, and bytes of bodies that are held, over all requests."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.waiting, self._bytes = limits, 0, 0

    @contextmanager
    def taken(self, inputs: int) -> Iterator[None]:
        """Places for so many inputs, until they are answered or nobody waits for them. Raises RefusedError where there
        are none left."""
        if self.waiting + inputs > self.limits.queue:
            what = f"{self.waiting:,} inputs are waiting, and there are places for {self.limits.queue:,}"
            raise RefusedError(503, what, fix="ask again in a moment", headers=_RETRY)
        self.waiting += inputs
        try:
            yield
        finally:
            self.waiting -= inputs

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request; its bytes are counted until it is answered.

        Raises:
            RefusedError: it is too long, comes too slowly, or there is no room for more bodies now.
        """
        held = bytearray()
        try:
            await self._read(request, held)
            yield bytes(held)
        finally:
            self._bytes -= len(held)

    async def _read(self, request: Request, held: bytearray) -> None:
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                await self._read_chunks(request, held)
        except TimeoutError:
            what = f"the request was not there after {self.limits.body_seconds:g} seconds"
            raise RefusedError(408, what, fix="send less, or by a faster line", headers=_CLOSE) from None
        except ClientDisconnect:
            raise RefusedError(400, "the request was cut off", fix="send it again") from None

    async def _read_chunks(self, request: Request, held: bytearray) -> None:
        said = request.headers.get("content-length", "")
        if said.isdecimal() and int(said[:20]) > self.limits.body:
            raise self._too_long()
        async for chunk in request.stream():
            if len(held) + len(chunk) > self.limits.body:
                raise self._too_long()
            if self._bytes + len(chunk) > self.limits.bodies:
                raise RefusedError(503, "too many large requests at once", fix="ask again in a moment", headers=_RETRY)
            held += chunk
            self._bytes += len(chunk)

    def _too_long(self) -> RefusedError:
        what = f"the request has more than {self.limits.body / 2**20:g} MB"
        return RefusedError(413, what, where="body", fix="send fewer or smaller inputs at a time", headers=_CLOSE)


async def until_gone(request: Request) -> None:
    """Returns when the client has closed the connection; the body has to be read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
