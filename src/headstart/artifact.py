"""The saved folder: written, proved by opening it again, and opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headstart.backbone import Backbone, Features
from headstart.errors import OutputError
from headstart.inputs.modality import Modality
from headstart.pretrained.description import FILE
from headstart.pretrained.load import answers_questions, saved_in
from headstart.pretrained.rebuild import describe_saved, reopen
from headstart.record import Record
from headstart.report.page import report
from headstart.storage.place import Place, rejected_table, table, write_text
from headstart.storage.places import as_json
from headstart.task import Head, Task
from headstart.tasks.table import task_named, task_saved_as
from headstart.values import Dataset, Split

_REPLAYED = 64  # test examples that the opened folder must answer in the same way


@dataclass(frozen=True)
class Opened:
    """A model as it lies in a folder, or as it came."""

    task: Task
    modality: Modality
    backbone: Backbone
    head: Head
    record: Record | None = None  # how it was made; None: it is as it came, or was saved before there were records
    folder: Path | None = None
    about: Mapping[str, Any] = field(default_factory=dict)  # its summary, where there is no record


def save(made: Opened, place: Place, *, dataset: Dataset, parts: Split, known: Features | None = None) -> None:
    """Write, open again, compare, rename. The weights are still where they were, too.

    Args:
        made: what was fitted, with its record. known: features of the test part, where they are known.

    Raises:
        OutputError: no space, no permission, taken by now, or the opened folder gives other outputs (nothing is left
            behind).
    """
    rows = parts.test[:_REPLAYED]
    place.write(
        write=lambda folder: _write(made, folder, dataset, parts, name=place.folder.name),
        prove=lambda folder: _prove(made, open_model(folder), dataset, rows, known),
    )


def settle(backbone: Backbone, folder: Path) -> Backbone:
    """A tuned backbone in the folder that it was saved to; the copy in the cache goes."""
    from headstart.adapt.tuned_weights import settled  # loads torch, as training did

    return settled(backbone, folder)


def open_model(model: str | Path, *, task: str | None = None) -> Opened:
    """Open a saved model, or a pre-trained one as it is. Arguments and errors as for `headstart.load`."""
    told, folder = saved_in(model)
    saved_as = None if told is None else task_saved_as(told)
    if told is None or saved_as is None or task not in (None, saved_as.name):
        return _as_it_is(str(model), task)
    saved = saved_as.keeper.checked(told, folder)
    if "backbone" in saved:
        backbone = reopen(folder, saved["backbone"])
    else:  # settings that somebody wrote beside a model of the hub
        backbone, _ = saved_as.keeper.as_it_is(str(model))
    head = saved_as.keeper.opened(folder, saved, backbone)
    modality = _modality(saved_as, backbone, told.get("task"))
    return Opened(saved_as, modality, backbone, head, _record(saved_as, saved), folder, saved.get("summary", {}))


def _as_it_is(name: str, wanted: str | None) -> Opened:
    """A pre-trained model that nobody has adapted."""
    task = task_named(wanted or ("answering" if answers_questions(name) else "classification"))
    backbone, head = task.keeper.as_it_is(name)
    classes = getattr(head, "classes", ())
    about = {"model": backbone.name, "how": "as it is", "classes": list(classes)} if classes else {}
    return Opened(task, _modality(task, backbone, None), backbone, head, about=about)


def _modality(task: Task, backbone: Backbone, title: Any) -> Modality:
    """What a model takes: by what its folder calls the task; else the first that its backbone can take."""
    fitting = {name: m for name, m in task.modalities.items() if m.kind == backbone.kind}
    return next((m for name, m in fitting.items() if task.titles[name] == title), next(iter(fitting.values())))


def _record(task: Task, saved: dict[str, Any]) -> Record | None:
    """None of a folder that somebody wrote. Of one that was saved before there were records, with what is known."""
    try:
        summary = saved["summary"]
        before = {"data": "", "date": "", "mistakes": summary.get("mistakes", [])}
        return Record.from_json(task, summary, saved.get("record", before))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _prove(made: Opened, opened: Opened, dataset: Dataset, rows: np.ndarray, known: Features | None) -> None:
    keeper = made.task.keeper
    if opened.backbone.weights_hash != made.backbone.weights_hash or not keeper.same(made.head, opened.head):
        raise OutputError("the saved model is not the one that was fitted", fix="please report this")
    outputs = [
        each.task.predictor(each.backbone, each.head).outputs(dataset, rows, known=known, advance=lambda _: None)
        for each in (made, opened)
    ]
    if not keeper.equal(*outputs):
        raise OutputError("the saved model gives other outputs", fix="please report this")


def _write(made: Opened, folder: Path, dataset: Dataset, parts: Split, *, name: str) -> None:
    record, keeper = made.record, made.task.keeper
    if record is None:
        raise ValueError("a model is saved with its record")
    told = {
        "headstart": record.versions["headstart"],
        "task": record.title,
        **keeper.write(made.backbone, made.head, folder),
        "backbone": describe_saved(made.backbone),
        "summary": record.to_json(),
        "record": record.beside(),
    }
    write_text(folder / FILE, as_json(told))
    write_text(folder / "metrics.json", as_json(record.to_json()))
    write_text(folder / "split.csv", _split_table(dataset, parts))
    write_text(folder / "rejected.csv", rejected_table(dataset.rejected))
    write_text(folder / "report.html", report(record))
    write_text(folder / "README.md", made.task.words.card(record, made.backbone, made.head, name))


def _split_table(dataset: Dataset, parts: Split) -> str:
    part = np.full(len(dataset), "unused", dtype=object)
    part[parts.train], part[parts.test] = "train", "test"
    header, columns = dataset.task.keeper.split_columns(dataset, part)
    return table(header, zip(*columns, strict=True))
