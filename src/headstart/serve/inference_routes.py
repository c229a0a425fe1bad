"""The routes of the Open Inference Protocol."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from headstart import __version__
from headstart.serve import schemas
from headstart.serve.inference_protocol import InferBody, inputs_in, metadata, outputs_of
from headstart.serve.models import Served
from headstart.serve.refused import RefusedError, json_answer
from headstart.serve.requests import Given, from_json, given_json
from headstart.serve.routes import JSON, kind_of, serving_of
from headstart.serve.serving import Serving

router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])


def _ready(serving: Serving, name: str) -> Served:
    """A model of this name. Raises RefusedError where it is not there, or not opened yet."""
    served = serving.named(name)
    if not served.ready:
        what = f"the model {served.name} is being opened"
        raise RefusedError(503, what, fix="ask again in a moment", headers={"Retry-After": "2"})
    return served


@router.get("", summary="The server", responses=schemas.INFERENCE)
async def server(request: Request) -> Response:
    return json_answer({"name": "headstart", "version": __version__, "extensions": []})


@router.get("/health/live", summary="Whether it is alive", responses=schemas.INFERENCE)
async def live() -> Response:
    return json_answer({"live": True})


@router.get("/health/ready", summary="Whether all models are ready", responses=schemas.INFERENCE)
async def all_ready(request: Request) -> Response:
    is_ready = serving_of(request).ready
    return json_answer({"live": True, "ready": is_ready}, 200 if is_ready else 503)


@router.get("/models/{name}", summary="The tensors of a model", responses=schemas.INFERENCE)
async def model(request: Request, name: str) -> Response:
    return json_answer(metadata(_ready(serving_of(request), name)))


@router.get("/models/{name}/ready", summary="Whether a model is ready", responses=schemas.INFERENCE)
async def model_ready(request: Request, name: str) -> Response:
    served = serving_of(request).named(name)
    return json_answer({"name": served.name, "ready": served.ready}, 200 if served.ready else 503)


@router.post("/models/{name}/infer", summary="Inference", **schemas.of(InferBody, schemas.INFERENCE))
async def infer(request: Request, name: str) -> Response:
    serving = serving_of(request)
    served = _ready(serving, name)
    kind_of(request, JSON)
    async with serving.places.body(request) as content:

        def work() -> tuple[InferBody, Given]:
            body = from_json(content, InferBody)
            return body, given_json(inputs_in(body, served), served.model.modality, serving.settings.limits)

        body, given = await serving.answers.aside(work)
        top = max(1, len(served.model.classes))
        found = await serving.answers.predict(request, served, given, top=top, abstain=None, coverage=None)
    return json_answer(outputs_of(body, served, found["predictions"]))
