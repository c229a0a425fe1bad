"""What one running server consists of, and how it begins and ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from headstart.serve.answers import Answers
from headstart.serve.feedback import Feedback
from headstart.serve.limits import Places
from headstart.serve.metrics import Metrics
from headstart.serve.models import Served
from headstart.serve.refused import RefusedError
from headstart.serve.settings import Settings

_LOOKS_EVERY = 1.0  # seconds between two looks at the folders of the models
_log = logging.getLogger("headstart.serve")


class Models(Protocol):
    """The models that a server asks."""

    def __iter__(self) -> Iterator[Served]:
        """Those that are open."""
        ...

    def named(self, name: str | None) -> Served:
        """The model of a name, opened if need be; None: the first. Raises RefusedError where there is none."""
        ...

    def put(self, served: Served) -> None:
        """Serve this one under its name from now on."""
        ...

    def look_after(self) -> None:
        """What is to be done every now and then: open what has changed, or close what nobody asks."""
        ...

    @property
    def ready(self) -> bool: ...


@dataclass
class Serving:
    """A server's parts, and the state that it is in."""

    settings: Settings
    shelf: Models
    places: Places
    metrics: Metrics
    feedback: Feedback | None
    draining: bool = False  # whether it ends: what is under way is answered, and nothing new is taken
    _answers: Answers | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: Settings, shelf: Models) -> Serving:
        """The parts of a server. Raises UserError where its folder for feedback cannot be used."""
        places = Places(settings.limits)
        names = [served.name for served in shelf]
        feedback = None if settings.feedback is None else Feedback(settings.feedback, names, settings.limits)
        return cls(settings, shelf, places, Metrics(lambda: places.waiting), feedback)

    @property
    def answers(self) -> Answers:
        """What asks the models, while the server runs."""
        if self._answers is None:
            raise RuntimeError("the server does not run")
        return self._answers

    @property
    def ready(self) -> bool:
        """Whether it takes requests without letting them wait for a model to be opened."""
        return self.shelf.ready and not self.draining

    def refuse_while_draining(self) -> None:
        """Raises RefusedError where the server ends."""
        if self.draining:
            headers = {"Retry-After": "5", "Connection": "close"}
            raise RefusedError(503, "the server is shutting down", fix="ask again in a moment", headers=headers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the server runs: its threads, and what looks after the models."""
        self._answers = Answers(self.places, self.metrics)
        tasks = [asyncio.create_task(work) for work in (self._make_ready(), self._look_after())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            await asyncio.to_thread(self._answers.close)

    async def _make_ready(self) -> None:
        for served in self.shelf:
            try:
                self.shelf.put(await self.answers.made_ready(served))
            except Exception as error:  # of whatever kind: the others are served, and /readyz goes on to say no
                _log.error("%s: cannot be made ready: %s", served.name, " ".join(str(error).split()))

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(_LOOKS_EVERY)
            await asyncio.to_thread(self.shelf.look_after)

    def named(self, name: str | None) -> Served:
        """As `Models.named`, while it takes requests; a model may have to be opened for it."""
        self.refuse_while_draining()
        return self.shelf.named(name)
