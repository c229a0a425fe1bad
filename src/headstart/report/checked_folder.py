"""The folder of `check --out`: the page, the findings to act on, and new data where that was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headstart.doctor.apply import write_changed
from headstart.doctor.changes import HEADER, changes, rows_of
from headstart.report.checked_page import page
from headstart.storage.place import reserve_place, table, write_text
from headstart.values import Columns

if TYPE_CHECKING:
    from headstart.report.checked import Checked

PAGE, FINDINGS = "report.html", "findings.csv"


def write_checked(checked: Checked, folder: Path, *, apply: str | None) -> str:
    """Write a new folder, whole or not at all.

    Returns:
        What was written, in a sentence.

    Raises:
        UserError: there is something at the folder, or what is to be applied cannot be.
    """
    shown = {where: checked.placed(where) for where in checked.dataset.where}
    todo = None if apply is None else changes(apply, checked.dataset, checked.parts, checked.examined.doubts, shown)

    def make(into: Path) -> str:
        write_text(into / PAGE, page(checked))
        write_text(into / FINDINGS, table(HEADER, rows_of(checked.findings, checked.dataset, shown)))
        if todo is None:
            return f"written: {folder / PAGE}, {folder / FINDINGS}"
        made = write_changed(checked.dataset, checked.source, checked.columns or Columns(), todo, into)
        new = f"{folder / made.relative_to(into)} ({todo.said}; the old data are as they were)"
        careful = "; what a model gets wrong is gone, so a score on them is too good" if todo.flatters else ""
        return f"written: {new}, {folder / PAGE}{careful}"

    with reserve_place(folder, force=None) as place:
        return make(folder) if place is None else place.write_new(make)
