"""The folder of a comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headstart.comparison.comparison import Comparison
from headstart.storage.place import Place, write_text
from headstart.storage.places import as_json


def write(made: Comparison, place: Place | None) -> Comparison:
    """Write what was found into its place, whole or not at all; None: nowhere.

    Raises:
        OutputError: no space, no permission, or by now there is something of that name.
    """
    if place is None:
        return made
    made = replace(made, folder=str(place.asked))

    def write_into(folder: Path) -> None:
        write_text(folder / "comparison.json", as_json(made.to_json()))

    place.write_new(write_into)
    return made
