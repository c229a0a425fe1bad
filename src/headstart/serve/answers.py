"""The models asked: decoding beside the forward pass, many requests in one of those, explanations apart from them."""

from __future__ import annotations

import asyncio
import base64
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from headstart.encode.machine import cores
from headstart.errors import DataError
from headstart.explain.drawing import as_png, drawn
from headstart.explain.explanation import Explanation
from headstart.explain.neighbours import Neighbour
from headstart.model import Model
from headstart.report.rows import prediction_rows, threshold_row
from headstart.serve.batching import Lane
from headstart.serve.limits import Places, until_gone
from headstart.serve.metrics import Metrics
from headstart.serve.models import Served
from headstart.serve.requests import Given

_TOGETHER = 8  # inputs of several requests in one call; with more of them, all would wait longer than they gain
_AT_ONCE = 32  # inputs of one request in one call, so few that nothing is kept in the cache

T = TypeVar("T")


class Answers:
    """Asks the models, within the limits of a server. Made where an event loop runs."""

    def __init__(self, places: Places, metrics: Metrics) -> None:
        self.places, self._metrics = places, metrics
        self._pool = ThreadPoolExecutor(cores(), "headstart-decode")
        self._fast = Lane("headstart-predict", most_together=_TOGETHER, on_batch=metrics.batch)
        self._slow = Lane("headstart-explain", most_together=1)

    def close(self) -> None:
        """Once nobody waits any more."""
        self._fast.close()
        self._slow.close()
        self._pool.shutdown()

    async def aside(self, work: Callable[[], T]) -> T:
        """What a decoding thread makes of it, so that others are served meanwhile."""
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, context.run, work)

    async def made_ready(self, served: Served) -> Served:
        """As `Served.made_ready`, in the turn of the thread that computes."""
        ready: Served = (await self._lane(served).ask(served, _for_one(served.made_ready), [None]))[0]
        return ready

    def _lane(self, served: Served) -> Lane:
        """Whoever reads whole texts for an answer holds up no predictions, and has one thread for all that it does."""
        return self._slow if served.answers else self._fast

    async def predict(
        self, request: Request, served: Served, given: Given, *, top: int, abstain: float | None, coverage: float | None
    ) -> dict[str, Any]:
        """What `headstart predict --json` prints, but for the model's name."""
        model = served.model
        with self.places.taken(len(given.values)):
            rows = await _unless_gone(request, self._rows(served, given, top, abstain, coverage))
        errors = sum("error" in row for row in rows)
        self._metrics.inputs(served.name, usable=len(rows) - errors, errors=errors)
        return {"model": served.name, **threshold_row(model.confidence), "predictions": rows}

    async def _rows(
        self, served: Served, given: Given, top: int, abstain: float | None, coverage: float | None
    ) -> list[dict[str, Any]]:
        ready = await self.aside(partial(_ready, served.model, given.values))
        usable = [each for each in ready if not isinstance(each, DataError)]
        compute = partial(_predicted, served.model, top, abstain, coverage)
        lane, key = self._lane(served), (served, top, abstain, coverage)
        made = iter(await lane.ask(key, compute, usable) if usable else [])
        rows = [{"error": each.what} if isinstance(each, DataError) else next(made) for each in ready]
        return [{"input": name} | row | {"input": name} for name, row in zip(given.names, rows, strict=True)]

    async def answer(
        self, request: Request, served: Served, question: str, texts: Sequence[str], *, top: int
    ) -> dict[str, Any]:
        """What `headstart answer --json` prints; which of the texts an answer is from is said by its number, from 0."""
        model = served.model
        with self.places.taken(1):
            compute = _for_one(partial(model.answer, question, texts, top=top))
            (found,) = await _unless_gone(request, self._slow.ask(object(), compute, [None]))
        answers = [model.task.words.row(each) for each in found]
        return {"model": served.name, "question": question, "answers": answers}

    async def explain(
        self, request: Request, served: Served, given: Given, *, target: str | None, top: int
    ) -> dict[str, Any]:
        """What `headstart explain --json` prints, with the pictures in it."""
        with self.places.taken(1):
            compute = _for_one(partial(_explained, served.model, given, target, top))
            (found,) = await _unless_gone(request, self._slow.ask(object(), compute, [None]))
        return {"model": served.name, **found}


def _for_one(work: Callable[[], Any]) -> Callable[[list[Any]], list[Any]]:
    """Work that is nobody else's, as a lane has it."""
    return lambda _: [work()]


def _ready(model: Model, values: list[Any]) -> Sequence[Any]:
    """The inputs as the engine takes them, the DataError of each that cannot be used in its place.

    Raises:
        DataError: they are nothing that the model could be asked about.
    """
    usable = [value for value in values if not isinstance(value, DataError)]
    made = iter(model.modality.ready(model.modality.given(usable)[0], model.backbone) if usable else ())
    return [value if isinstance(value, DataError) else next(made) for value in values]


def _predicted(
    model: Model, top: int, abstain: float | None, coverage: float | None, inputs: list[Any]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for start in range(0, len(inputs), _AT_ONCE):
        found = model.predict(inputs[start : start + _AT_ONCE], top=top, abstain=abstain, coverage=coverage)
        rows += prediction_rows(model.task.words, found)
    return rows


def _explained(model: Model, given: Given, target: str | None, top: int) -> dict[str, Any]:
    found: Explanation = model.explain(given.values, target, top=top)
    heat = found.evidence.heat
    result = found.to_json(map=None if heat is None else _data_url(as_png(drawn(heat)), "png"))
    result["prediction"] |= {"input": given.names[0]} if "input" in result["prediction"] else {}
    near = zip(result["neighbours"], found.neighbours, strict=True)
    return result | {"neighbours": [row | {"shown": _shown(neighbour)} for row, neighbour in near]}


def _shown(neighbour: Neighbour) -> str | None:
    """A text, or a small picture; None: it is not at hand."""
    if isinstance(neighbour.shown, bytes):
        return _data_url(neighbour.shown, "jpeg")
    return neighbour.shown or None


def _data_url(picture: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


async def _unless_gone(request: Request, answer: Awaitable[T]) -> T:
    """The answer; where its client goes away before it is there, nobody computes it. Raises ClientDisconnect then."""
    asked, gone = asyncio.ensure_future(answer), asyncio.ensure_future(until_gone(request))
    try:
        await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            raise ClientDisconnect
        return asked.result()
    finally:
        gone.cancel()
        asked.cancel()
