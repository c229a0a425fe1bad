"""Encoders of BERT's kind that were exported to ONNX: their numbers under the names that transformers has for them.

So they are built, trained and saved as any other model of transformers. An exporter keeps the names of most tensors; a
matrix that is multiplied with has lost its own, and stands beside the bias of the same layer.
"""

from __future__ import annotations

import mmap
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.errors import ModelError
from headstart.pretrained import from_transformers
from headstart.pretrained.foreign_files import MOST_WEIGHTS
from headstart.pretrained.onnx_file import Message, fields_of, refuse_other_files
from headstart.pretrained.sentence_files import SentenceForm
from headstart.pretrained.weights import raw, write_tensors
from headstart.storage.files import open_file
from headstart.storage.places import as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

_GRAPH, _NODE, _TENSOR = 7, 1, 5  # fields of a model, and of a graph
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR = 1, 2, 4
_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9  # of a tensor
_FLOAT = 1
_BODY = re.compile(r"(?:.*\.)?((?:embeddings|encoder)\..+)")  # behind whatever the model was wrapped in
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")


def describe(
    path: Path, config: dict[str, Any], *, target: Path, head: str, words: Path, usual: SentenceForm
) -> dict[str, Any]:
    """Write model.safetensors into `target`; say how the model is built and fed.

    Args:
        path: the ONNX file. words: a folder with the tokenizer that it was trained with.
        config: of a model that differs from it in the number of its layers only.
        usual: how sentences are read by it.

    Raises:
        ModelError: not a whole ONNX file of such an encoder.
    """
    refuse_other_files(path)
    state = _state(path)
    layers = {int(found[1]) for name in state if (found := _LAYER.match(name))}
    told = {**config, "num_hidden_layers": len(layers), "architectures": ["BertModel"]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tensors(folder / "model.safetensors", {name: raw(values) for name, values in state.items()})
        (folder / "config.json").write_text(as_json(told), encoding="utf-8")
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(words / file, folder / file)
        described = from_transformers.describe(folder, told, target=target, head=head, usual=usual)
        shutil.copyfile(folder / "model.safetensors", target / "model.safetensors")
    return described


def _state(path: Path) -> dict[str, np.ndarray]:
    with open_file(path, most=MOST_WEIGHTS) as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    try:
        graph = next(_messages(content, _GRAPH))
        tensors = dict(filter(None, map(_tensor, _messages(graph, _TENSOR))))
        return _named(tensors, graph)
    except (StopIteration, ValueError, IndexError) as error:
        raise ModelError(f"no whole encoder in it: {error}", where=str(path), fix="fetch it again") from None


def _named(tensors: Mapping[str, np.ndarray], graph: Message) -> dict[str, np.ndarray]:
    """The tensors of the encoder; each matrix under the name that goes with its bias."""
    state = {found[1]: values for name, values in tensors.items() if (found := _BODY.fullmatch(name))}
    products: dict[str, str] = {}  # what a product is called, to the matrix in it
    for node in _messages(graph, _NODE):
        operator, inputs, outputs = _node(node)
        if operator == "MatMul" and len(inputs) == 2 and inputs[1] in tensors:
            products[outputs[0]] = inputs[1]
        elif operator == "Add":
            bias = next((found[1] for name in inputs if (found := _BODY.fullmatch(name))), "")
            matrix = next((products[name] for name in inputs if name in products), "")
            if bias.endswith(".bias") and matrix:
                state[f"{bias.removesuffix('bias')}weight"] = np.ascontiguousarray(tensors[matrix].T)
    return state


def _tensor(message: Message) -> tuple[str, np.ndarray] | None:
    """Name and numbers of a tensor; None of one that has no float32 numbers in bytes."""
    dims: list[int] = []
    kind, name, content = 0, "", None
    for field, value in fields_of(message):
        if field == _DIMS and isinstance(value, int):
            dims.append(value)
        elif field == _TYPE and isinstance(value, int):
            kind = value
        elif isinstance(value, memoryview) and field in (_NAME, _RAW):
            name, content = (bytes(value).decode(errors="replace"), content) if field == _NAME else (name, value)
    if kind != _FLOAT or content is None or not dims:
        return None
    return name, np.frombuffer(content, "<f4").reshape(dims)


def _node(message: Message) -> tuple[str, list[str], list[str]]:
    """Operator, inputs and outputs."""
    told: dict[int, list[str]] = {_NODE_OPERATOR: [], _NODE_INPUT: [], _NODE_OUTPUT: []}
    for field, value in fields_of(message):
        if field in told and isinstance(value, memoryview):
            told[field].append(bytes(value).decode(errors="replace"))
    return "".join(told[_NODE_OPERATOR]), told[_NODE_INPUT], told[_NODE_OUTPUT]


def _messages(message: Message, wanted: int) -> Iterator[Message]:
    for field, value in fields_of(message):
        if field == wanted and isinstance(value, memoryview):
            yield value
