"""The forms in which features are kept: two bytes a number; or one, and with each row what rounding it has cost.

A row in int8 is an array of bytes. Its numbers come first, as -127 to 127 between the least and the largest of the row;
behind them are three float32, the lowest byte first: how much one is, what 0 is, and the root mean square of what was
lost. (Most features are above zero. From 0 alone, as many bytes cost those of photos twice as much, as the log of int8
says.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from headstart.errors import UserError
from headstart.storage.files import read_json
from headstart.storage.shared import write_first, write_shared

FORMS = ("float16", "int8")
INT8 = np.dtype(np.int8)
_TYPES = {np.dtype(name).name: np.dtype(name) for name in (np.float16, np.float32, np.int8, np.uint8)}
_BEHIND = np.dtype([("step", "<f4"), ("middle", "<f4"), ("lost", "<f4")])
_TOP = 127
_HALF_EXPONENT = np.uint16(0x7C00)  # all of whose bits say that it is no finite number
_SAID = "kept.json"


def named(keep: str | None) -> str:
    """The form that --keep asks for; None: half precision.

    Raises:
        UserError: there is no such form.
    """
    if keep not in (None, *FORMS):
        raise UserError(f"features are not kept in {keep!r}", where="--keep", fix=f"one of: {', '.join(FORMS)}")
    return keep or FORMS[0]


def type_of(name: object) -> np.dtype:
    """The type of rows that a file says it has.

    Raises:
        ValueError: none that rows are written in.
    """
    if not isinstance(name, str) or name not in _TYPES:
        raise ValueError("rows of another type than are written")
    return _TYPES[name]


def are_finite(kept: np.ndarray) -> bool:
    """Whether rows as they are kept have numbers only, of which any may be learned from."""
    if kept.dtype == np.float16:
        return not (kept.view(np.uint16) & _HALF_EXPONENT == _HALF_EXPONENT).any()  # in half the time of np.isfinite
    if kept.dtype == INT8:
        return all(np.isfinite(_behind(kept)[name]).all() for name in _BEHIND.names or ())
    return bool(np.isfinite(kept).all())


def bytes_of(width: int, form: str) -> int:
    """What a row of so many features takes on disk."""
    dtype = np.dtype(form)
    return columns(width, dtype) * dtype.itemsize


def columns(width: int, dtype: np.dtype) -> int:
    """How many numbers of this type a row of so many features takes."""
    return width + _BEHIND.itemsize if dtype == INT8 else width


def to_int8(rows: np.ndarray) -> np.ndarray:
    """(n, width) float32 -> (n, width + 12) int8."""
    exact = rows.astype(np.float64)
    low, high = exact.min(axis=1), exact.max(axis=1)
    behind = np.zeros(len(rows), dtype=_BEHIND)
    behind["step"], behind["middle"] = (high - low) / (2 * _TOP), (low + high) / 2
    step, middle = (behind[name].astype(np.float64)[:, None] for name in ("step", "middle"))
    numbers = np.rint(np.divide(exact - middle, step, out=np.zeros_like(exact), where=step > 0))
    kept = np.hstack([numbers.clip(-_TOP, _TOP).astype(np.int8), _as_bytes(behind)])
    behind["lost"] = np.sqrt(np.square(opened(kept) - exact).mean(axis=1))
    kept[:, -_BEHIND.itemsize :] = _as_bytes(behind)
    return kept


def opened(kept: np.ndarray) -> np.ndarray:
    """(n, k) rows as they are kept -> (n, width) numbers."""
    if kept.dtype != INT8:
        return kept
    behind = _behind(kept)
    step, middle = (behind[name].astype(np.float32)[:, None] for name in ("step", "middle"))
    return kept[:, : -_BEHIND.itemsize].astype(np.float32) * step + middle


def loss_of(kept: Iterable[np.ndarray]) -> float | None:
    """What int8 has cost rows as they are kept: the root mean square of what was lost, as a share of that of the
    numbers; None where none of them is in int8."""
    lost = there = 0.0
    some = False
    for rows in kept:
        if rows.dtype == INT8:
            some = True
            lost += float(np.square(_behind(rows)["lost"].astype(np.float64)).sum())
            there += float(np.square(opened(rows).astype(np.float64)).mean(axis=1).sum())
    return float(np.sqrt(lost / there)) if some and there else 0.0 if some else None


def form_in(store: Path | None) -> str:
    """The form in which a store keeps features; the cache has but one."""
    return FORMS[0] if store is None else _said_in(store) or FORMS[0]


def _said_in(store: Path) -> str | None:
    try:
        said = read_json(store / _SAID)["features"]
    except (OSError, ValueError, KeyError, TypeError):  # of before, or nobody's
        return None
    return str(said) if said in FORMS else None


def say_form(store: Path, asked: str | None, found: Callable[[Path], str | None]) -> str:
    """Write down in which form a store keeps features, unless it stands there; of several that ask at once, the first
    one says it for all.

    Args:
        asked: for; None: what stands there, or half precision.
        found: the form of what lies in a store already, where nothing can be read of it.

    Raises:
        UserError: there is no such form, or another stands there. OutputError: nothing can be written there.
    """
    wanted = named(asked)
    if _said_in(store) is None:
        told = json.dumps({"features": found(store) or wanted}) + "\n"
        if not write_first(store / _SAID, told) and _said_in(store) is None:
            write_shared(store / _SAID, told)
    there = form_in(store)
    if asked is not None and wanted != there:
        fix = "leave it out, or choose another --store"
        raise UserError(f"features are kept in {there} there, not in {asked}", where=str(store), fix=fix)
    return there


def _as_bytes(behind: np.ndarray) -> np.ndarray:
    return behind.view(np.int8).reshape(len(behind), _BEHIND.itemsize)


def _behind(kept: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(kept[:, -_BEHIND.itemsize :]).view(_BEHIND).reshape(len(kept))
