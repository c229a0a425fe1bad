"""Which precision features are made in: as the user asked, as a model's answers were measured, or as is measured here.

bfloat16 is 1.4 to 2.5 times as fast where the processor has it. Features are never quite those of float32 in it, so
what counts is what heads on them answer (`bench/precision.py`), and, of weights that nobody has measured, that every
example of a sample comes out almost the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np

from headstart.backbone import Backbone, Precision
from headstart.encode.engines import cpu_has_bf16, gpu_for, open_engine
from headstart.encode.graph_file import graph_file, is_int8
from headstart.encode.int8 import refuse_int8
from headstart.encode.kinds import Batch
from headstart.encode.store import store_folder
from headstart.errors import OutputError, UserError
from headstart.pretrained.catalog import answers_alike_in_bf16
from headstart.storage.files import read_json
from headstart.storage.kept import say_not_kept, write_kept
from headstart.storage.shared import write_first

_CLOSE = 0.9995  # cosine to float32 that lower precision must keep on real examples, each of them
_IN_KEYS = {"float32": "f32", "bfloat16": "bf16"}  # of the store, and of saved heads
_PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_decided: dict[Path, str] = {}  # precisions that were read in this process, or could not be written


def precision_named(name: str) -> Precision:
    """Raises UserError where there is no such precision."""
    precision = next((one for one in _PRECISIONS if one == name), None)
    if precision is None:
        raise UserError(f"unknown precision {name!r}", where="--precision", fix=f"one of: {', '.join(_PRECISIONS)}")
    return precision


def in_precision(backbone: Backbone, precision: Precision) -> Backbone:
    """The backbone, its features made in this precision; for int8, as it is until it is `calibrated`.

    Raises:
        UserError: that cannot be done here.
    """
    if precision == "bfloat16" and not may_encode_in_bf16(backbone):
        what = "a GPU makes features in float32" if gpu_for(backbone) else "this processor has no bfloat16"
        raise UserError(what, where="--precision", fix="--precision auto takes the fastest that it has")
    if precision == "int8":
        if gpu_for(backbone):
            raise UserError("a GPU makes features in float32", where="--precision", fix="--precision auto")
        refuse_int8(backbone)
        return backbone
    return replace(backbone, precision=precision)


def precision_of(features_key: str) -> str | None:
    """The precision of features that a key names; None: the key names none."""
    precision = features_key.rsplit(" ", 1)[-1]
    return "int8" if is_int8(precision) else next((one for one, key in _IN_KEYS.items() if key == precision), None)


def lowest_cosine(reference: list[np.ndarray], low: list[np.ndarray]) -> float:
    """Between the features of each example, (n, width) a batch: the worst of them."""
    a, b = np.concatenate(reference), np.concatenate(low)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / np.maximum(norms, 1e-12)).min())


def choose_precision(
    backbone: Backbone,
    sample: list[tuple[np.ndarray, Batch]],
    *,
    alike: Callable[[list[np.ndarray], list[np.ndarray]], float] = lowest_cosine,
    least: float = _CLOSE,
) -> str:
    """Take "bf16" where the processor has it and `sample` comes out as in float32, else "f32".

    Decided once for each backbone on this machine and kept in the cache, since the store's keys contain it.

    Args:
        alike: what the engine made of each batch in float32 and in bfloat16 -> how alike they are.
        least: of that, for "bf16".
    """
    known = known_precision(backbone)
    if known is not None:
        return known
    reference, low = ([made for _, made in open_engine(backbone, p)(sample)] for p in ("f32", "bf16"))
    agreement = alike(reference, low)
    precision = "bf16" if agreement >= least else "f32"
    note = _precision_file(backbone)
    told = json.dumps({"precision": precision, "agreement": round(agreement, 6)})
    try:
        if store_folder() is None:
            write_kept(note, told)
        elif not write_first(note, told):
            return known_precision(backbone) or precision
    except OutputError as error:
        say_not_kept("the model's graph", error.__cause__ or error, note.parent, 0)
        _decided[note] = precision
    return precision


def known_precision(backbone: Backbone) -> str | None:
    """What was asked for, or measured of these weights, or `choose_precision` decided here; None before the first run.

    A processor without bfloat16, or a GPU, makes features in float32 whatever was asked for: a model from another
    machine answers here too.
    """
    if is_int8(backbone.precision):
        return backbone.precision
    if not may_encode_in_bf16(backbone):
        return "f32"
    if backbone.precision in _IN_KEYS:
        return _IN_KEYS[backbone.precision]
    if answers_alike_in_bf16(backbone.weights_hash):
        return "bf16"
    note = _precision_file(backbone)
    if note in _decided:
        return _decided[note]
    try:
        known = read_json(note)["precision"]
    except (OSError, ValueError, KeyError, TypeError):  # not there, or not whole
        return None
    if known not in ("f32", "bf16"):
        return None
    return _decided.setdefault(note, known)  # a service asks for each input


def may_encode_in_bf16(backbone: Backbone) -> bool:
    """Whether features can be made in bfloat16 by the hardware here."""
    return gpu_for(backbone) is None and cpu_has_bf16()


def _precision_file(backbone: Backbone) -> Path:
    """In a store that machines share, of all of them: else features would have other names on each."""
    store = store_folder()
    return (graph_file(backbone) if store is None else store / "precision" / graph_file(backbone).name).with_suffix(
        ".precision.json"
    )
