"""What the OpenAPI document says of bodies and answers; bodies are read by the same classes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from headstart.serve.inference_protocol import InferBody
from headstart.serve.requests import AnswerBody, ExplainBody, FeedbackBody, PredictBody

_BODIES = (PredictBody, AnswerBody, ExplainBody, FeedbackBody, InferBody)
_REF = "#/components/schemas/{model}"
_TEXT, _NUMBER, _FLAG = {"type": "string"}, {"type": "number"}, {"type": "boolean"}
_ANYTHING: dict[str, Any] = {}
_ERROR_SCHEMA = {"type": "object", "properties": {"error": _TEXT}, "required": ["error"]}
_WHY = {
    400: "The request is malformed",
    401: "The token is missing or wrong",
    403: "The request comes from elsewhere",
    404: "There is no such model",
    408: "The request came too slowly",
    413: "The request is too large",
    415: "The body is of another type",
    422: "The request cannot be answered",
    503: "All places are taken, or the server begins or ends",
    507: "The folder for feedback is full",
}

Responses = dict[int | str, dict[str, Any]]


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **optional}, "required": [*required]}


def _several(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _json(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _responses(schema: dict[str, Any], *errors: int, description: str = "Answered") -> Responses:
    wrong: Responses = {status: _json(_ERROR_SCHEMA, _WHY[status]) for status in (401, 403, *errors)}
    return {200: _json(schema, description), **wrong}


_OF_BODIES = (400, 404, 408, 413, 415, 422, 503)
_PREDICTION = _object({"input": _TEXT}, error=_TEXT, label=_TEXT, probability=_NUMBER, out_of_scope=_or_null(_FLAG))
_PREDICTIONS = _object({"model": _TEXT, "predictions": _several(_PREDICTION)}, scope_threshold=_NUMBER)
_CAN = _object(dict.fromkeys(("explain", "answer", "abstain", "coverage", "feedback"), _FLAG))
_SCORE = _object({"key": _TEXT, "title": _TEXT, "value": _NUMBER, "interval": _or_null(_several(_NUMBER))})
_MODEL = _object(
    {
        **dict.fromkeys(("name", "task", "modality", "backbone"), _TEXT),
        "classes": _several(_TEXT),
        "licence": _or_null(_TEXT),
        "score": _or_null(_SCORE),
        "can": _CAN,
    }
)
_NEIGHBOUR = _object({"where": _TEXT, "label": _ANYTHING, "similarity": _NUMBER, "shown": _or_null(_TEXT)})
_EXPLANATION = _object(
    {
        "model": _TEXT,
        "prediction": {"type": "object"},
        "target": _or_null(_TEXT),
        "neighbours": _several(_NEIGHBOUR),
        "notes": _several(_TEXT),
    },
    map=_or_null(_TEXT),
    words=_several({"type": "object"}),
)

MODELS = _responses(_object({"models": _several(_MODEL), "version": _TEXT}))
PREDICTED = {
    **_responses(_PREDICTIONS, *_OF_BODIES),
    422: _json(
        {"anyOf": [_PREDICTIONS, _ERROR_SCHEMA]}, "An input cannot be used, or the model cannot do what is asked"
    ),
}
ANSWERED = _responses(
    _object(
        {"model": _TEXT, "question": _TEXT, "answers": _several(_object({"answer": _TEXT, "confidence": _NUMBER}))}
    ),
    *_OF_BODIES,
)
EXPLAINED = _responses(_EXPLANATION, *_OF_BODIES)
STORED = _responses(_object({"stored": _TEXT, "replaced": _FLAG}), *_OF_BODIES, 507)
HEALTH = _responses(_object({"alive": _FLAG}))
READY = {
    **_responses(_object({"ready": _FLAG})),
    503: _json(_object({"ready": _FLAG}), "Models are opened, or the server ends"),
}
INFERENCE = {
    **_responses({"type": "object"}, *_OF_BODIES),
    503: _json({"type": "object"}, "Not ready"),
}
METRICS: Responses = {
    **_responses({}),
    200: {"description": "Counters", "content": {"text/plain": {"schema": _TEXT}}},
}


def of(body: type[BaseModel], responses: Responses, *, form: bool = False) -> dict[str, Any]:
    """What a route says of the body that it takes and of its answers. form: whether files are taken, too."""
    content: dict[str, Any] = {"application/json": {"schema": {"$ref": _REF.format(model=body.__name__)}}}
    if form:
        properties = {name: _field(field) for name, field in body.model_fields.items() if not name.startswith("input")}
        files = _several({"type": "string", "format": "binary"})
        schema = _object({"files": files}, **properties)
        schema["required"] += [n for n, f in body.model_fields.items() if f.is_required() and n in properties]
        content["multipart/form-data"] = {"schema": schema}
    return {
        "responses": responses,
        "openapi_extra": {"requestBody": {"required": True, "content": content}},
    }


def _field(field: Any) -> dict[str, Any]:
    """A field of a form, which is a text."""
    return _TEXT if field.description is None else {**_TEXT, "description": field.description}


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            summary="Models that headstart has fitted, asked over HTTP",
            routes=app.routes,
        )
        _, bodies = models_json_schema([(body, "validation") for body in _BODIES], ref_template=_REF)
        made.setdefault("components", {}).setdefault("schemas", {}).update(bodies["$defs"])
        made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{}, {"token": []}]
        app.openapi_schema = made
    return app.openapi_schema
