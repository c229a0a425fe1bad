"""The saved folder: written, proved by opening it again, and opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from headstart.backbone import Backbone, Features
from headstart.confidence import kept
from headstart.confidence.confidence import Confidence
from headstart.data.learned import BOTH, COLUMNS, UNLABELLED, written_columns
from headstart.errors import ModelError, OutputError
from headstart.inputs.modality import Modality
from headstart.pretrained.description import FILE
from headstart.pretrained.load import answers_questions, saved_in
from headstart.pretrained.rebuild import describe_saved, reopen
from headstart.pretrained.schema import checked
from headstart.record import Record
from headstart.report.document import MOST_BYTES
from headstart.report.examples import gallery_of
from headstart.report.page import report
from headstart.storage.files import read_file
from headstart.storage.manifest import was_changed
from headstart.storage.place import Place, rejected_table, table, write_text
from headstart.storage.places import as_json
from headstart.task import Head, Task
from headstart.tasks.table import task_named, task_saved_as
from headstart.values import Dataset, Split

PAGE = "report.html"
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
    confidence: Confidence | None = None  # None: it is as it came, or was saved before any was kept


@dataclass(frozen=True)
class Fitted:
    """What a model was made of, for the folder that it may be saved to."""

    dataset: Dataset
    parts: Split
    known: Features | None


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
    written, folder = saved_in(model)
    wanted = None if task is None else task_named(task)
    saved_as = None if written is None else task_saved_as(written, folder)
    if written is None or saved_as is None:
        return _as_it_is(str(model), wanted)
    if wanted not in (None, saved_as):
        raise ModelError(
            f"a model for {saved_as.name}, not for {task}",
            where=str(folder),
            fix="headstart predict asks it; or name another folder",
        )
    saved = saved_as.keeper.checked(written, folder)
    if "backbone" in saved:
        backbone = reopen(folder, saved["backbone"])
    else:  # settings that somebody wrote beside a model of the hub
        backbone, _ = saved_as.keeper.as_it_is(str(model))
    modality = _modality(saved_as, backbone)
    if "task" in written:
        modality = next(m for name, m in saved_as.modalities.items() if saved_as.titles[name] == written["task"])
    if modality.kind != backbone.kind:
        what = f"damaged: task is {written['task']}, and its backbone takes {backbone.kind}s"
        raise ModelError(what, where=str(folder / FILE), fix="save or copy it again")
    head = saved_as.keeper.opened(folder, saved, backbone, modality)
    record = _record(saved_as, saved, folder)
    summary = saved.get("summary", {})
    confidence = kept.opened(folder, written, saved_as.certainty, head, summary.get("confidence", {}))
    return Opened(saved_as, modality, backbone, head, record, folder, summary, confidence)


def saved_page(folder: Path | None) -> bytes | None:
    """The page that was saved in a model's folder; None: there is none, or somebody has changed it."""
    try:
        return None if folder is None or was_changed(folder, PAGE) else read_file(folder / PAGE, most=MOST_BYTES)
    except OSError:
        return None


def _as_it_is(name: str, wanted: Task | None) -> Opened:
    """A pre-trained model that nobody has adapted."""
    task = wanted or task_named("answering" if answers_questions(name) else "classification")
    backbone, head = task.keeper.as_it_is(name)
    classes = getattr(head, "classes", ())
    about = {"model": backbone.name, "how": "as it is", "classes": list(classes)} if classes else {}
    return Opened(task, _modality(task, backbone), backbone, head, about=about)


def _modality(task: Task, backbone: Backbone) -> Modality:
    """What a model takes that does not say it: the first that its backbone can take."""
    return next(modality for modality in task.modalities.values() if modality.kind == backbone.kind)


def _record(task: Task, saved: dict[str, Any], folder: Path) -> Record | None:
    """None of a folder that somebody wrote. Of one that was saved before there were records, with what is known.

    Raises:
        ModelError: a field is missing, of another type or out of its range.
    """
    if "summary" not in saved:
        return None
    summary = {**saved["summary"], "out": str(folder)}
    before = {"data": "", "date": "", "mistakes": saved["summary"].get("mistakes", [])}
    return checked(
        summary,
        lambda summary, _: Record.from_json(task, summary, saved.get("record", before)),
        str(folder / FILE),
        ours=True,
    )


def _prove(made: Opened, opened: Opened, dataset: Dataset, rows: np.ndarray, known: Features | None) -> None:
    keeper = made.task.keeper
    same = opened.backbone.weights_hash == made.backbone.weights_hash and opened.confidence == made.confidence
    if not (same and keeper.same(made.head, opened.head)):
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
    summary = {**record.to_json(), "out": name}  # not where it lies on this machine: folders are passed on
    saved = {
        "headstart": record.versions["headstart"],
        "task": record.title,
        **keeper.write(made.backbone, made.head, folder),
        **({} if made.confidence is None else kept.write(made.confidence, folder)),
        "backbone": describe_saved(made.backbone),
        "summary": summary,
        "record": record.beside(),
    }
    write_text(folder / FILE, as_json(saved))
    write_text(folder / "metrics.json", as_json(summary))
    write_text(folder / "split.csv", _split_table(dataset, parts))
    write_text(folder / "rejected.csv", rejected_table(dataset.rejected))
    write_text(folder / PAGE, report(record, gallery_of(record, dataset, parts.test)))
    write_text(folder / "README.md", made.task.words.card(record, made.backbone, made.head, name))


def _split_table(dataset: Dataset, parts: Split) -> str:
    """The table of examples and their parts, those of a pool that was learned from among them."""
    part = np.full(len(dataset), "unused", dtype=object)
    part[parts.train], part[parts.test] = "train", "test"
    part[np.intersect1d(parts.train, parts.test)] = BOTH
    header, columns = dataset.task.keeper.split_columns(dataset, part)
    rows, pool = zip(*columns, *written_columns(dataset), strict=True), dataset.pool
    if pool is None:
        return table((*header, *COLUMNS), rows)
    of, blank = {"example": pool.where, "part": [UNLABELLED] * len(pool)}, [""] * len(pool)
    more = zip(*(of.get(name, blank) for name in header), *written_columns(pool), strict=True)
    return table((*header, *COLUMNS), chain(rows, more))  # behind the others, whose places are known
