"""The saved folder: written, proved by opening it again, and opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.adapt.checkpoint import Checkpoint
from headstart.errors import OutputError
from headstart.model import Model
from headstart.pretrained.description import FILE
from headstart.pretrained.load import answers_questions, saved_in
from headstart.pretrained.rebuild import describe_saved, reopen
from headstart.record import Record
from headstart.report.page import report
from headstart.storage.place import Place, rejected_table, table, write_text
from headstart.storage.places import as_json
from headstart.task import Task
from headstart.tasks.table import TASKS
from headstart.values import Dataset, Features, Split

_REPLAYED = 64  # test examples that the opened folder must answer in the same way


def save(model: Model, place: Place, *, dataset: Dataset, parts: Split, known: Features | None = None) -> Model:
    """Write, open again, compare, rename. Returns the model with its folder; its weights are still where they were.

    Raises:
        OutputError: no space, no permission, taken by now, or the opened folder gives other outputs (nothing is left
            behind).
    """
    rows = parts.test[:_REPLAYED]
    place.write(
        write=lambda folder: _write(model, folder, dataset, parts, name=place.folder.name),
        prove=lambda folder: _prove(model, load(folder), dataset, rows, known),
    )
    return replace(model, folder=place.folder)


def settle(model: Model, checkpoints: Sequence[Checkpoint | None]) -> Model:
    """The model is made: what a killed run would have gone on from is not needed, nor a second copy of the weights. The
    copy goes first: it is the checkpoint that names it."""
    if model.folder is not None and model.record is not None and model.record.method != "probe":
        from headstart.adapt.tuned_weights import settled  # loads torch, as training did

        model = replace(model, backbone=settled(model.backbone, model.folder))
    for checkpoint in checkpoints:
        if checkpoint is not None:
            checkpoint.remove()
    return model


def load(model: str | Path, *, task: str | None = None) -> Model:
    """Open a saved model, or a pre-trained one as it is: with the classes that it was trained on, or as it answers
    questions.

    The weights are hashed and compared with what was saved; nothing in a folder is executed.

    Args:
        model: a folder that `fit` saved; or what `fit` takes as its model: a catalog or hub name, a folder, a file.
        task: by its name, where the model has to be for that.

    Raises:
        ModelError: not there, changed since it was saved, for another task, or a pre-trained model without a head.
    """
    told, folder = saved_in(model)
    saved_as = None if told is None else next((t for t in TASKS if t.keeper.claims(told)), None)
    if told is None or saved_as is None or task not in (None, saved_as.name):
        return _as_it_is(str(model), task)
    saved = saved_as.keeper.checked(told, folder)
    if "backbone" in saved:
        backbone, own = reopen(folder, saved["backbone"]), folder
    else:  # settings that somebody wrote beside a model of the hub
        backbone, own = saved_as.keeper.as_it_is(str(model))[0], folder
    head = saved_as.keeper.opened(folder, saved, backbone)
    record = _record(saved_as, saved)
    return Model(saved_as, backbone, head, record, own, saved.get("summary", {}))


def _as_it_is(name: str, wanted: str | None) -> Model:
    """A pre-trained model that nobody has adapted."""
    found = wanted or ("answering" if answers_questions(name) else "classification")
    task = next(task for task in TASKS if task.name == found)
    backbone, head = task.keeper.as_it_is(name)
    model = Model(task, backbone, head)
    about = {"model": backbone.name, "how": "as it is", "classes": list(model.classes)}
    return replace(model, _about=about if model.classes else {})


def _record(task: Task, saved: dict[str, Any]) -> Record | None:
    """None of a folder that was saved before there were records, or that somebody wrote."""
    try:
        return Record.from_json(task, saved["summary"], saved["record"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _prove(model: Model, opened: Model, dataset: Dataset, rows: np.ndarray, known: Features | None) -> None:
    same = opened.backbone.weights_hash == model.backbone.weights_hash
    if not same or not model.task.keeper.same(model.head, opened.head):
        raise OutputError("the saved model is not the one that was fitted", fix="please report this")
    outputs = [each.predictor.outputs(dataset, rows, known=known, advance=lambda _: None) for each in (model, opened)]
    if not model.task.keeper.equal(*outputs):
        raise OutputError("the saved model gives other outputs", fix="please report this")


def _write(model: Model, folder: Path, dataset: Dataset, parts: Split, *, name: str) -> None:
    record = model.record
    if record is None:
        raise ValueError("a model is saved with its record")
    told = {
        "headstart": record.versions["headstart"],
        "task": record.title,
        **model.task.keeper.write(model.backbone, model.head, folder),
        "backbone": describe_saved(model.backbone),
        "summary": record.to_json(),
        "record": record.beside(),
    }
    write_text(folder / FILE, as_json(told))
    write_text(folder / "metrics.json", as_json(record.to_json()))
    write_text(folder / "split.csv", _split_table(dataset, parts))
    write_text(folder / "rejected.csv", rejected_table(dataset.rejected))
    write_text(folder / "report.html", report(record))
    write_text(folder / "README.md", model.task.words.card(record, model.backbone, model.head, name))


def _split_table(dataset: Dataset, parts: Split) -> str:
    part = np.full(len(dataset), "unused", dtype=object)
    part[parts.train], part[parts.test] = "train", "test"
    header, columns = dataset.task.keeper.split_columns(dataset, part)
    return table(header, zip(*columns, strict=True))
