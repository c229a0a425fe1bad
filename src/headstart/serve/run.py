"""A server in this process: it listens, says where, and ends when it is told to, once what is under way is answered."""

from __future__ import annotations

import logging
import os
import socket
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI

from headstart.errors import UserError
from headstart.progress import without_notes
from headstart.serve.app import create_app
from headstart.serve.connections import connections_within
from headstart.serve.models import Shelf
from headstart.serve.serving import Serving
from headstart.serve.settings import Settings

_KEEP_ALIVE = 30  # seconds, between two requests
_BACKLOG = 128
_BY_SIGNAL = 128  # more than the number of a signal is what a process ends with that it has ended


class Server(uvicorn.Server):
    """Ends in two steps: a first signal lets it take nothing new and end once all is answered, a second one at once."""

    def __init__(self, config: uvicorn.Config, serving: Serving) -> None:
        super().__init__(config)
        self._serving = serving

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, without notes on inputs, which nobody who asks would read."""
        with without_notes():
            super().run(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """As `signal.signal` calls it."""
        if self._serving.draining:
            os._exit(_BY_SIGNAL + sig)
        self.drain()

    def drain(self) -> None:
        """Take nothing new, and end when all that is under way is answered."""
        self._serving.draining = True

    async def on_tick(self, counter: int) -> bool:
        """As uvicorn calls it, ten times a second."""
        if self._serving.draining and not self.server_state.tasks:
            self.should_exit = True
        return await super().on_tick(counter)


def server_of(settings: Settings, shelf: Shelf) -> Server:
    """A server that does not listen yet.

    Raises:
        UserError: anybody on the network could ask it; or the folder for feedback cannot be used.
    """
    settings.refuse_open_door()
    return server_for(create_app(settings, shelf), settings)


def server_for(app: FastAPI, settings: Settings) -> Server:
    """A server of this application, whose `state.serving` says when it ends; it does not listen yet."""
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=connections_within(settings.limits),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
        backlog=_BACKLOG,
    )
    return Server(config, app.state.serving)


def listening(settings: Settings) -> socket.socket:
    """A socket at the address; port 0 is any that is free.

    Raises:
        UserError: there is no such address here, or the port is taken.
    """
    where = f"--host {settings.host} --port {settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UserError(error.strerror or str(error), where=where, fix="name an address of this machine") from None
    try:
        if os.name == "posix":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        fix = "choose another port, or --port 0 for one that is free"
        raise UserError(error.strerror or str(error), where=where, fix=fix) from None
    return opened


def address_of(opened: socket.socket, settings: Settings) -> str:
    """What a browser is told, with the token behind the # that no browser sends."""
    host = _address_for_others() if settings.everywhere else settings.host
    shown = f"[{host}]" if ":" in host else host
    token = "" if settings.token is None else f"/#token={settings.token}"
    return f"http://{shown}:{opened.getsockname()[1]}{token}"


def _address_for_others() -> str:
    """The address by which a phone beside this machine reaches it, or the machine's name where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # sends nothing: it only chooses the interface; an address of nobody's
            return str(asking.getsockname()[0])
        except OSError:
            return socket.gethostname()


def serve(settings: Settings, shelf: Shelf) -> None:
    """Serve until a signal says to end.

    Raises:
        UserError: as `server_of` and `listening`.
    """
    server = server_of(settings, shelf)
    opened = listening(settings)
    log_to_stderr()
    where = address_of(opened, settings)
    for served in shelf:
        sys.stderr.write(f"serving {served.name} ({served.title}) at {where}\n")
    with opened:
        server.run([opened])


def log_to_stderr() -> None:
    """What happens, a line each, for whoever runs the server."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    for name, level in (("headstart.serve", logging.INFO), ("uvicorn", logging.CRITICAL)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
