"""What a model learned from beside labelled examples, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.record import Record


def beside_labels(record: Record) -> Iterator[str]:
    """A line for the names of classes, and one for examples without a label; none where there are none."""
    if record.names_used:
        yield "what each class is called was learned from as one of its examples"
    if record.unlabelled is not None:
        n, used = (int(record.unlabelled[key] or 0) for key in ("n", "used"))
        learned = f"{used:,} of them learned from" if used else "none of them learned from"
        yield f"{n:,} examples without a label, {learned}"
