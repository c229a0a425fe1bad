"""Features that other processes compute: chunks of examples go out, their rows come back in order.

Who computes is an ambient choice, as the store is: whatever a fit encodes goes the same way. This module knows of no
cluster; `cluster.on_ray` is one that does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from headstart.backbone import Backbone

Made = list[tuple[np.ndarray, np.ndarray]]  # batch by batch: which examples of a chunk, and their features


@dataclass(frozen=True)
class Chunk:
    """Examples whose batches do not depend on others."""

    inputs: Sequence[Any]
    digests: np.ndarray  # (n, 32) uint8


class Runner(Protocol):
    """Processes that compute beside each other."""

    def worth(self) -> float:
        """How many machines like this one they are, by their processor cores."""
        ...

    def encode(self, count: int, chunk: Callable[[int], Chunk], backbone: Backbone, precision: str) -> Iterator[Made]:
        """What a backbone makes of so many chunks, in their order; each is asked for when somebody has time for it."""
        ...


_runner: ContextVar[Runner | None] = ContextVar("runner", default=None)
_here: ContextVar[bool] = ContextVar("here", default=False)


@contextmanager
def encoded_by(runner: Runner) -> Iterator[None]:
    """Within the block, what is more than one chunk is encoded by these processes."""
    token = _runner.set(runner)
    try:
        yield
    finally:
        _runner.reset(token)


@contextmanager
def encoded_here() -> Iterator[None]:
    """Within the block this process encodes: where speed is measured, which what comes back in chunks does not show."""
    token = _here.set(True)
    try:
        yield
    finally:
        _here.reset(token)


def runner() -> Runner | None:
    """Who encodes; None: this process."""
    return None if _here.get() else _runner.get()


def machines() -> float:
    """How many machines like this one encode, once nothing is measured any more."""
    others = _runner.get()
    return 1.0 if others is None else max(1.0, others.worth())


def encoded_elsewhere(
    inputs: Sequence[Any],
    digests: np.ndarray,
    rows: np.ndarray,
    backbone: Backbone,
    precision: str,
    *,
    by: Runner,
    size: int,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """As an engine's batches of these rows, which others compute: the same batches in the same order.

    Args:
        inputs, digests: of all examples. rows: (n,) those that are wanted. size: of a chunk.
    """
    pieces = [rows[start : start + size] for start in range(0, len(rows), size)]

    def chunk(number: int) -> Chunk:
        return Chunk([inputs[row] for row in pieces[number].tolist()], digests[pieces[number]])

    for piece, made in zip(pieces, by.encode(len(pieces), chunk, backbone, precision), strict=True):
        for which, features in made:
            yield piece[which], features
