"""The Open Inference Protocol, version 2, over HTTP: https://github.com/kserve/open-inference-protocol.

A model has one input tensor, `inputs` of BYTES: texts, or photos in base64, in the shape [n]; pairs in [n, 2]. Which
output tensors it has follows from its predictions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from headstart.serve.models import Served
from headstart.serve.refused import RefusedError
from headstart.serve.requests import Pair, Photo

PLATFORM = "headstart_openvino"
_INPUT = "inputs"
_BYTES, _FLOAT = "BYTES", "FP32"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class Tensor(_Part):
    """An input tensor."""

    name: str
    shape: list[int] = Field(min_length=1, max_length=8)
    datatype: str
    data: list[Any]


class WantedTensor(_Part):
    """An output tensor that is asked for."""

    name: str


class InferBody(_Part):
    """An inference request."""

    id: str | None = None
    inputs: list[Tensor] = Field(min_length=1)
    outputs: list[WantedTensor] | None = None


@dataclass(frozen=True)
class _Output:
    """An output tensor, made of the rows of predictions that have its key."""

    name: str
    key: str
    datatype: str
    shape: Callable[[Served], tuple[int, ...]]  # beside the first dimension
    value: Callable[[Mapping[str, Any], Served], Any]


def _probabilities(row: Mapping[str, Any], served: Served) -> list[float]:
    known = {entry["label"]: entry["probability"] for entry in row["top"]}
    return [known[name] for name in served.model.classes]


def _of_one(served: Served) -> tuple[int, ...]:
    return ()


_OUTPUTS = (
    _Output("label", "label", _BYTES, _of_one, lambda row, _: row["label"]),
    _Output("probability", "label", _FLOAT, _of_one, lambda row, _: row["probability"]),
    _Output(  # several labels: a list as JSON
        "labels",
        "labels",
        _BYTES,
        _of_one,
        lambda row, _: json.dumps([entry["label"] for entry in row["labels"]], ensure_ascii=False),
    ),
    _Output("probabilities", "top", _FLOAT, lambda served: (len(served.model.classes),), _probabilities),
    _Output("value", "value", _FLOAT, _of_one, lambda row, _: row["value"]),
    _Output("interval", "interval", _FLOAT, lambda served: (2,), lambda row, _: row["interval"]),
    _Output("answer", "answer", _BYTES, _of_one, lambda row, _: row["answer"]),
    _Output("confidence", "answer", _FLOAT, _of_one, lambda row, _: row["confidence"]),
)


def metadata(served: Served) -> dict[str, Any]:
    """What a model takes and gives."""
    shape = [-1, 2] if served.model.modality.of_two else [-1]
    return {
        "name": served.name,
        "platform": PLATFORM,
        "inputs": [{"name": _INPUT, "datatype": _BYTES, "shape": shape}],
        "outputs": [
            {"name": output.name, "datatype": output.datatype, "shape": [-1, *output.shape(served)]}
            for output in _of(served)
        ],
    }


def inputs_in(body: InferBody, served: Served) -> list[Any]:
    """The inputs as a body of /v1/predict has them.

    Raises:
        RefusedError: it is not the tensor that the model takes.
    """
    tensor, modality = body.inputs[0], served.model.modality
    if len(body.inputs) != 1 or tensor.name != _INPUT or tensor.datatype != _BYTES:
        what = f"the model takes one tensor {_INPUT!r} of {_BYTES}"
        raise RefusedError(400, what, where="inputs", fix=f"GET /v2/models/{served.name} tells its shape")
    data = tensor.data
    if data and all(isinstance(each, list) for each in data):
        data = [value for each in data for value in each]
    wide = 2 if modality.of_two else 1
    shapes = ([len(data) // 2, 2],) if modality.of_two else ([len(data)], [len(data), 1])
    if not data or len(data) % wide or tensor.shape not in shapes or not all(isinstance(each, str) for each in data):
        what = f"the shape is {tensor.shape}, and there are {len(data):,} values"
        if math.prod(tensor.shape) == len(data) and data:
            what = "its data are not strings in the shape of the model's input"
        raise RefusedError(400, what, where=_INPUT, fix=f"GET /v2/models/{served.name} tells the shape; send strings")
    if not modality.in_tables:
        return [Photo(image=each) for each in data]
    if modality.of_two:
        return [Pair(text=one, text2=other) for one, other in zip(data[::2], data[1::2], strict=True)]
    return data


def outputs_of(body: InferBody, served: Served, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The response.

    Raises:
        RefusedError: an input cannot be used, or an output is asked for that the model does not have.
    """
    for number, row in enumerate(rows, start=1):
        if "error" in row:
            raise RefusedError(400, row["error"], where=f"input {number}", fix="leave it out")
    there = {output.name: output for output in _of(served)}
    wanted = list(there) if not body.outputs else [output.name for output in body.outputs]
    for name in wanted:
        if name not in there:
            raise RefusedError(
                400, f"no output is called {name[:40]!r}", where="outputs", fix=f"one of: {', '.join(there)}"
            )
    tensors = [
        {
            "name": name,
            "shape": [len(rows), *there[name].shape(served)],
            "datatype": there[name].datatype,
            "data": _flat([there[name].value(row, served) for row in rows]),
        }
        for name in wanted
    ]
    answered = {} if body.id is None else {"id": body.id}
    return {"model_name": served.name, **answered, "outputs": tensors}


def _of(served: Served) -> list[_Output]:
    return [output for output in _OUTPUTS if output.key in served.keys]


def _flat(values: list[Any]) -> list[Any]:
    """In the order of rows, as tensors have it."""
    return [each for value in values for each in (value if isinstance(value, list) else [value])]
