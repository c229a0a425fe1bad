"""An ONNX file read as the protocol buffer that it is, just far enough to see whether its numbers are all in it.

Such a file may say that a tensor lies in another file, by any path; OpenVINO would open that one. What a saved folder
computes would then not be what the hash of model.onnx stands for, so such a file is refused, wherever it points.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from headstart.errors import ModelError
from headstart.pretrained.foreign_files import MOST_WEIGHTS, unreadable
from headstart.storage.files import open_file

Message = memoryview  # bytes of a protocol buffer
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_BELOW: dict[str, dict[int, str]] = {  # messages by field number, those that tensors may be in
    "model": {7: "graph", 8: "opset", 25: "function", 20: "training"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 10: "tensor", 6: "graph", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor
_OPSET_VERSION, _MOST_OPSET = 2, 1000  # there are some twenty; OpenVINO counts up to what is asked for
_OPERATOR = 4  # of a node
_REFUSED = {  # operators: rounds that nobody has counted, and features that are other ones each time
    *(b"Loop", b"Scan", b"SequenceMap"),
    *(b"RandomNormal", b"RandomNormalLike", b"RandomUniform", b"RandomUniformLike", b"Bernoulli", b"Multinomial"),
}
_INPUT = 1  # of a node
_LEAST_INPUTS = {b"Constant": 0, b"Conv": 2, b"Pad": 2}
_PAD_BY_INPUTS = 11  # the opset since which the width of a border is an input
_MOST_NODES, _MOST_NESTED = 50_000, 4  # of an EfficientNet-L2, or a ViT-G: some 2,000; graphs in one another
_MOST_FIELDS = 2_000_000


def refuse_other_files(path: Path) -> None:
    """Raises ModelError where the file cannot be read, is damaged, keeps numbers in another file, or has steps that no
    image model needs."""
    try:
        with open_file(path, most=MOST_WEIGHTS) as file:
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        _look_through(content)
    except OSError as error:
        raise unreadable(path, error) from None
    except _Elsewhere:
        raise ModelError(
            "its weights are in another file, which headstart does not follow",
            where=str(path),
            fix="one whole ONNX file is needed; where the weights are in a second one: onnx.save(onnx.load(FILE), NEW)",
        ) from None
    except (ValueError, IndexError) as error:
        raise ModelError(
            f"OpenVINO cannot read it: no whole ONNX file ({error})", where=str(path), fix="fetch or export it again"
        ) from None


class _Elsewhere(Exception):
    """A tensor whose numbers are not in the file."""


def _look_through(content: memoryview) -> None:
    waiting, left, nodes, newest = [("model", content, 0)], _MOST_FIELDS, 0, 0
    fewest: dict[bytes, int] = {}  # inputs of a node, by operator
    while waiting:
        kind, message, depth = waiting.pop()
        depth += kind == "graph"
        nodes += kind == "node"
        if depth > _MOST_NESTED or nodes > _MOST_NODES:
            raise ValueError("more steps than a model has")
        operator, inputs = b"", 0
        for field, value in fields_of(message):
            left -= 1
            if left < 0:
                raise ValueError("more in it than a model has")
            below = _BELOW.get(kind, {}).get(field)
            if below and isinstance(value, memoryview):
                waiting.append((below, value, depth))
            elif kind == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0)):
                raise _Elsewhere
            elif kind == "opset" and field == _OPSET_VERSION:
                newest = max(newest, _opset(value))
            elif kind == "node" and isinstance(value, memoryview):
                operator = bytes(value[:40]) if field == _OPERATOR else operator
                inputs += field == _INPUT and len(value) > 0
        if kind == "node":
            fewest[operator] = min(inputs, fewest.get(operator, inputs))
    _refuse_operators(fewest, newest)


def _opset(value: int | memoryview) -> int:
    if not isinstance(value, int) or value > _MOST_OPSET:
        raise ValueError("of a set of operators that there is not")
    return value


def _refuse_operators(fewest: dict[bytes, int], newest: int) -> None:
    """Those that no image model needs; and those with fewer inputs than they have to have, where OpenVINO crashes."""
    for operator in _REFUSED & fewest.keys():
        raise ValueError(f"it has {operator.decode()}, which no image model needs")
    for operator, inputs in fewest.items():
        least = 1 if operator == b"Pad" and newest < _PAD_BY_INPUTS else _LEAST_INPUTS.get(operator, 1)
        if inputs < least:
            raise ValueError(f"too few inputs of a {operator.decode(errors='replace')}")


def fields_of(message: Message) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message with their numbers: a whole number, or the bytes of what else there is."""
    at, end = 0, len(message)
    while at < end:
        key, at = _number(message, at)
        field, wire_type = key >> 3, key & 7
        if field == 0:
            raise ValueError("not a protocol buffer")
        if wire_type == _VARINT:
            value, at = _number(message, at)
            yield field, value
            continue
        if wire_type == _BYTES:
            length, at = _number(message, at)
        elif wire_type in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if wire_type == _EIGHT_BYTES else 4
        else:
            raise ValueError("not a protocol buffer")
        if at + length > end:
            raise ValueError("cut short")
        yield field, message[at : at + length]
        at += length


def _number(message: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where the next thing begins."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("not a protocol buffer")
