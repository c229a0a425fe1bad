"""Confidence in a saved folder: arrays in reference.safetensors, how strangers are told in headstart.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headstart.confidence.confidence import Confidence, Reference
from headstart.errors import ModelError
from headstart.evaluate.out_of_scope import WAYS, Scope
from headstart.pretrained.description import FILE
from headstart.pretrained.schema import checked, listing, maybe, number, one_of, record, text
from headstart.pretrained.weights import RawTensor, raw_tensors, tensors_hash, write_tensors
from headstart.storage.files import is_there
from headstart.task import Certainty, Column, Head

NAME = "reference.safetensors"
_LONGEST = 1.01  # of features of length 1, in half precision
_DTYPES = {"U8": "|u1", "I32": "<i4", "I64": "<i8", "F16": "<f2", "F32": "<f4"}
_MOST = 2**24  # examples
_SCOPE = record(
    {
        "method": one_of(*WAYS),
        "threshold": number(),
        "near_auroc": maybe(number(0, 1)),
        "mean": listing(number(), least=2, most=2),
        "deviation": listing(number(above=0), least=2, most=2),
    }
)
_TOLD = record({"hash": text(most=64, pattern="[0-9a-f]{64}", said="a sha256"), "scope": maybe(_SCOPE)})


def write(confidence: Confidence, folder: Path) -> dict[str, Any]:
    """Write the arrays; gives what headstart.json says of them."""
    tensors = {name: _raw(array) for name, array in sorted(confidence.arrays.items())}
    write_tensors(folder / NAME, tensors)
    scope = confidence.scope
    saved = {"hash": tensors_hash(tensors), "scope": None if scope is None else dict(vars(scope))}
    return {"confidence": saved}


def _raw(array: np.ndarray) -> RawTensor:
    dtype = next(name for name, dtype in _DTYPES.items() if array.dtype == dtype)
    return RawTensor(dtype, list(array.shape), np.ascontiguousarray(array, dtype=_DTYPES[dtype]).tobytes())


def opened(
    folder: Path, saved: Mapping[str, Any], certainty: Certainty, head: Head, summary: Mapping[str, Any]
) -> Confidence | None:
    """What was written into a folder; None of one that was saved before anything was.

    Args:
        saved: what headstart.json says, unchecked. summary: what JSON says of it.

    Raises:
        ModelError: an array is missing, was changed, or is of another type, shape or range.
    """
    if "confidence" not in saved:
        return None
    said = checked(saved["confidence"], lambda value, _: _TOLD(value, "confidence"), str(folder / FILE), ours=True)
    file = str(folder / NAME)
    if not is_there(folder / NAME):
        raise ModelError("it is missing", where=file, fix="save or copy the whole folder again")
    tensors = raw_tensors(folder / NAME)
    if tensors_hash(tensors) != said["hash"]:
        raise ModelError("not what was saved", where=file, fix="save or copy it again")
    columns = {name.removeprefix("held."): t for name, t in tensors.items() if name.startswith("held.")}
    arrays = {name: t for name, t in tensors.items() if "." not in name}
    held, kept = _arrays(columns, certainty.columns, head, file), _arrays(arrays, _reference(certainty), head, file)
    _refuse(not kept and said["scope"] is not None, "no examples to hold others beside", file)
    _refuse(bool(kept) and kept["features"].shape[1:] != head.weight.shape[1:], "features of another width", file)
    lengths = np.linalg.norm(kept["features"].astype(np.float32), axis=1) if kept else np.zeros(0)
    _refuse(bool((lengths > _LONGEST).any()), "features that are not of length 1", file)
    scope = None if said["scope"] is None else _scope(**said["scope"])
    return Confidence(held, scope, Reference(**kept) if kept else None, summary)


def _reference(certainty: Certainty) -> dict[str, Column]:
    """The arrays of a reference."""
    classes = (lambda head: len(head.classes) - 1) if certainty.one_class else (lambda head: _MOST - 1)
    return {"features": Column("F16", least=-math.inf), "rows": Column("I64"), "classes": Column("I32", classes)}


def _scope(
    method: str, threshold: float, near_auroc: float | None, mean: Sequence[float], deviation: Sequence[float]
) -> Scope:
    """A scope from the fields that headstart.json has of it."""
    return Scope(method, threshold, near_auroc, (mean[0], mean[1]), (deviation[0], deviation[1]))


def _arrays(
    tensors: Mapping[str, RawTensor], wanted: Mapping[str, Column], head: Head, file: str
) -> dict[str, np.ndarray]:
    """All of the arrays that are wanted, or none where there is none; in their range, and of one length."""
    if not tensors:
        return {}
    arrays = {}
    for name, column in wanted.items():
        there = tensors.get(name)
        if there is None and not column.always:
            continue
        odd = there is None or there.dtype != column.dtype or len(there.shape) not in (1, 2)
        _refuse(odd, f"{name!r} is no {column.dtype}", file)
        arrays[name] = np.frombuffer(tensors[name].data, _DTYPES[column.dtype]).reshape(tensors[name].shape)
    _refuse(len({len(array) for array in arrays.values()}) != 1, "its arrays are of several lengths", file)
    _refuse(not 0 < len(next(iter(arrays.values()))) <= _MOST, "its arrays are empty, or too long", file)
    _refuse(any(a.ndim != 1 for name, a in arrays.items() if name != "features"), "an array of another shape", file)
    for name, array in arrays.items():
        _refuse(not np.isfinite(array).all(), "a value that is no number", file)
        odd = array.size > 0 and (array.min() < wanted[name].least or array.max() > wanted[name].most(head))
        _refuse(bool(odd), f"{name!r} has a value out of its range", file)
    return arrays


def _refuse(odd: bool, what: str, file: str) -> None:
    if odd:
        raise ModelError(f"damaged: {what}", where=file, fix="save or copy it again")
