"""Photos that other processes look at: chunks of them go out, and what was seen of each comes back in order.

Who looks is an ambient choice, as it is for features (`encode.elsewhere`). This module knows of no cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

SEEN = "data, models and HEADSTART_CACHE have to lie where every node sees them, under the same names"


@dataclass(frozen=True)
class Look:
    """What was seen of a photo."""

    digest: bytes  # the sha256 of its own bytes
    fingerprint: np.ndarray


@dataclass(frozen=True)
class NoLook:
    """Nothing was seen of it: it is damaged, or that process cannot read it."""

    unread: str  # who could not read the file, and why; empty: it was read, and is no photo that can be used


Looks = list[Look | NoLook]


class Lookers(Protocol):
    """Processes that look at photos beside each other."""

    def look(self, count: int, chunk: Callable[[int], Sequence[Any]]) -> Iterator[Looks]:
        """What is seen of so many chunks of photos, in their order; each is asked for when somebody has time for it."""
        ...


_lookers: ContextVar[Lookers | None] = ContextVar("lookers", default=None)


@contextmanager
def looked_at_by(lookers: Lookers) -> Iterator[None]:
    """Within the block, photos of more than one chunk are looked at by these processes."""
    token = _lookers.set(lookers)
    try:
        yield
    finally:
        _lookers.reset(token)


def lookers() -> Lookers | None:
    """Who looks at photos; None: this process."""
    return _lookers.get()
