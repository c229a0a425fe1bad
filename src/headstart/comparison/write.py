"""The folder of a comparison: what was found as JSON, its charts, and the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headstart.comparison.comparison import Comparison
from headstart.comparison.page import AGAINST, chart, page
from headstart.report.charts import as_file
from headstart.report.raster import as_png, style
from headstart.storage.place import Place, write_text
from headstart.storage.places import as_json


def write(comparison: Comparison, place: Place | None) -> Comparison:
    """Write a comparison into its place, whole or not at all; None: nowhere.

    Raises:
        OutputError: no space, no permission, or by now there is something of that name.
    """
    if place is None:
        return comparison
    comparison = replace(comparison, folder=str(place.asked))
    result = comparison.to_json()

    def write_into(folder: Path) -> None:
        write_text(folder / "comparison.json", as_json(result))
        write_text(folder / "report.html", page(result))
        for against in AGAINST:
            drawn = chart(result, against)
            write_text(folder / f"{against}.svg", as_file(drawn, style()))
            (folder / f"{against}.png").write_bytes(as_png(drawn))

    place.write_new(write_into)
    return comparison
