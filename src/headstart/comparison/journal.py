"""The models of a comparison that are done, written down one by one: a run that was killed goes on with the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from headstart.adapt.checkpoint import Checkpoint
from headstart.comparison.comparison import Row


@dataclass(frozen=True)
class Journal:
    """Rows by name, in a folder of the cache. One of a run that was cut short is replaced where there is more time."""

    checkpoint: Checkpoint
    enough: float  # see `ComparingPolicy.enough`

    def row(self, name: str, seconds: float) -> Row | None:
        """What is known under this name, if more than so many seconds would hardly change it.

        Damaged or foreign files are as none.
        """
        rows = [row for row in map(_row, self.checkpoint.decided(f"{name}@*")) if row is not None]
        best = max(rows, key=lambda row: (row.whole, row.allowed or 0.0), default=None)
        if best is None or best.whole or (best.allowed or 0.0) >= self.enough * seconds:
            return best
        return None

    def write(self, name: str, row: Row) -> None:
        """Write a row down beside those of earlier runs that had less time."""
        number = len(self.checkpoint.decided(f"{name}@*"))
        self.checkpoint.decide_once(f"{name}@{number}", lambda: asdict(row))

    def once(self, name: str, decide: Callable[[], Any]) -> Any:
        """As `Checkpoint.decide_once`."""
        return self.checkpoint.decide_once(name, decide)


def _row(row: Any) -> Row | None:
    try:
        return Row(**{**row, "costs": tuple(map(float, row["costs"]))})
    except (TypeError, KeyError, ValueError):
        return None
