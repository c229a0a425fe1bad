"""What is asked of the server: the routes of /v1, and how it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from headstart import __version__
from headstart.serve import schemas
from headstart.serve.forms import Form, form_in
from headstart.serve.metrics import TYPE
from headstart.serve.models import Served
from headstart.serve.refused import RefusedError, json_answer
from headstart.serve.requests import (
    AnswerBody,
    ExplainBody,
    FeedbackBody,
    Given,
    PredictBody,
    from_form,
    from_json,
    given_files,
    given_json,
    texts_to_search,
)
from headstart.serve.serving import Serving

JSON, FORM = "application/json", "multipart/form-data"
router, feedback_router = APIRouter(), APIRouter()
B = TypeVar("B", bound=PredictBody | ExplainBody | FeedbackBody)


def serving_of(request: Request) -> Serving:
    """The server that was asked."""
    serving: Serving = request.app.state.serving
    return serving


def kind_of(request: Request, *kinds: str) -> str:
    """The media type of a body. Raises RefusedError where it is none of these."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in kinds:
        raise RefusedError(
            415, f"the body is {kind[:60] or 'of no type'}", where="Content-Type", fix=f"send {' or '.join(kinds)}"
        )
    return kind


def asked(
    serving: Serving,
    request: Request,
    content: bytes,
    body: type[B],
    *,
    several: bool,
    name: Callable[[str | None], str | None] = lambda said: said,
) -> tuple[Served, Given, B]:
    """The model that is asked, the inputs as it takes them, and all that was said beside them.

    Args:
        several: whether the inputs are `inputs`, of which there may be several; else one `input`.
        name: of the model, by what was said.
    """
    limits, field = serving.settings.limits, "inputs" if several else "input"
    if kind_of(request, JSON, FORM) == JSON:
        said = from_json(content, body)
        served, inputs = serving.named(name(said.model)), getattr(said, field)
        return served, given_json(inputs if several else [inputs], served.model.modality, limits), said
    most = min(limits.inputs, limits.queue) if several else 1
    form: Form = form_in(content, request.headers["content-type"], most_files=most)
    said = from_form(form, body, **{field: ["a file"] if several else "a file"})
    served = serving.named(name(said.model))
    return served, given_files(form.files, served.model.modality, limits), said


@router.get("/v1/models", summary="The models, and what each can do", responses=schemas.MODELS)
async def models(request: Request) -> Response:
    serving = serving_of(request)
    said = [served.about(feedback=serving.feedback is not None) for served in serving.shelf]
    return json_answer({"models": said, "version": __version__})


@router.post(
    "/v1/predict", summary="A prediction for each input", **schemas.of(PredictBody, schemas.PREDICTED, form=True)
)
async def predict(request: Request) -> Response:
    """Texts, photos, pairs of texts, or questions with their texts; as JSON, or photos and text files in a form.

    Where an input cannot be used it has an `error`, and the status is 422; the others are answered.
    """
    serving = serving_of(request)
    serving.refuse_while_draining()
    kind_of(request, JSON, FORM)
    async with serving.places.body(request) as content:
        work = partial(asked, serving, request, content, PredictBody, several=True)
        served, given, said = await serving.answers.aside(work)
        found = await serving.answers.predict(
            request, served, given, top=said.top, abstain=said.abstain, coverage=said.coverage
        )
    return json_answer(found, 422 if any("error" in row for row in found["predictions"]) else 200)


@router.post("/v1/answer", summary="The answers to a question, from texts", **schemas.of(AnswerBody, schemas.ANSWERED))
async def answer(request: Request) -> Response:
    """`context` of an answer is the number of its text, from 0. Where the texts have no answer, that comes first."""
    serving = serving_of(request)
    serving.refuse_while_draining()
    kind_of(request, JSON)
    async with serving.places.body(request) as content:
        said = await serving.answers.aside(partial(from_json, content, AnswerBody))
        served = await serving.answers.aside(partial(serving.named, said.model))
        texts = texts_to_search(said.context, serving.settings.limits)
        found = await serving.answers.answer(request, served, said.question, texts, top=said.top)
    return json_answer(found)


@router.post("/v1/explain", summary="Why it answers so", **schemas.of(ExplainBody, schemas.EXPLAINED, form=True))
async def explain(request: Request) -> Response:
    """Of a photo a heat map (`map`, a PNG as data URL); of a text its words; and training examples that are like it."""
    serving = serving_of(request)
    serving.refuse_while_draining()
    kind_of(request, JSON, FORM)
    async with serving.places.body(request) as content:
        work = partial(asked, serving, request, content, ExplainBody, several=False)
        served, given, said = await serving.answers.aside(work)
        found = await serving.answers.explain(request, served, given, target=said.target, top=said.top)
    return json_answer(found)


@feedback_router.post(
    "/v1/feedback", summary="Store a corrected example", **schemas.of(FeedbackBody, schemas.STORED, form=True)
)
async def feedback(request: Request) -> Response:
    """`headstart fit` learns from what is stored. The same example again has its label replaced."""
    serving = serving_of(request)
    store = serving.feedback
    serving.refuse_while_draining()
    kind_of(request, JSON, FORM)
    if store is None:
        raise RefusedError(404, "no feedback is taken", fix="start the server with --feedback FOLDER")
    async with serving.places.body(request) as content:

        def work() -> dict[str, Any]:
            served, given, said = asked(serving, request, content, FeedbackBody, several=False)
            (value,) = given.values
            if isinstance(value, Exception):
                raise value
            stored = store.store(served, value, said.label, new=said.new)
            return {"stored": stored.where, "replaced": stored.replaced}

        return json_answer(await serving.answers.aside(work))


@router.get("/healthz", summary="Whether it is alive", responses=schemas.HEALTH)
async def alive() -> Response:
    return json_answer({"alive": True})


@router.get("/readyz", summary="Whether it takes requests", responses=schemas.READY)
async def ready(request: Request) -> Response:
    """503 while models are opened, and while the server ends."""
    is_ready = serving_of(request).ready
    return json_answer({"ready": is_ready}, 200 if is_ready else 503)


@router.get("/metrics", summary="Counters, as Prometheus reads them", responses=schemas.METRICS)
async def metrics(request: Request) -> Response:
    return Response(serving_of(request).metrics.text(), headers={"Content-Type": TYPE})
