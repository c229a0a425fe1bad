"""Data without any label: the names of the classes are its examples, and the user's texts the pool beside them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from headstart.data.labels.class_names import NONE, ClassWords, readable, words_of
from headstart.errors import DataError, UserError, some_of
from headstart.task import Task
from headstart.values import Dataset, Examples, Finding, Request

_WHERE = "--classes"


def names_of(given: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """The classes that the user lists, in a sequence or with commas between them; None: none are."""
    if given is None:
        return None
    try:
        names = next(csv.reader([given], skipinitialspace=True, strict=True), []) if isinstance(given, str) else given
    except csv.Error as error:
        raise UserError(f"its quotes do not end: {error}", where=_WHERE, fix='"lost, or stolen",fees') from None
    if not all(isinstance(name, str) for name in names):
        raise UserError("a class that is no text", where=_WHERE, fix="give their names")
    found = tuple(name.strip() for name in names if name.strip())
    for name in found:
        if found.count(name) > 1:
            raise UserError(f"{name!r} is named twice", where=_WHERE, fix="name each class once")
    return found


def named_dataset(request: Request, tasks: Sequence[Task], read_test: Callable[[], Examples | None]) -> Dataset:
    """The names of the classes that the user lists, a row a text, as the training part; and the test part, if any.

    Args:
        tasks: of which the first is taken that can be learned from names alone.
        read_test: the labelled examples to measure on; None: there are none.

    Raises:
        UserError: fewer than two classes, labels beside them, or a way of learning that needs labels.
        DataError: a class whose name says nothing, or a test whose examples are none of the classes.
    """
    classes = _asked_for(request)
    task, lesson = next((t, t.learner.from_names) for t in tasks if t.learner.from_names is not None)
    if request.task not in ("auto", task.name, *task.titles.values()):
        raise UserError(f"{request.task} cannot be learned from names", where="--task", fix=f"--task {task.name}")
    if isinstance(request.names, str) and request.names.strip().lower() == NONE:
        raise UserError("names are all that there is to learn from", where="--names", fix="leave out --names none")
    words = words_of(classes, request.names)
    silent = sorted(set(classes) - {classes[number] for number in words.classes.tolist()})
    if silent:
        what = f"the name {silent[0]!r} says nothing of its class, and there is nothing else to learn from"
        twin = [name for name in classes if name != silent[0] and readable(name) == readable(silent[0]) != ""]
        if twin:
            what = f"{silent[0]!r} and {twin[0]!r} are read as the same words, {readable(silent[0])!r}"
        raise DataError(what, where=_WHERE, fix="--names FILE says in words what each class is")
    learner = replace(task.learner, judge=None, lesson=lesson, decided=None)
    task = replace(task, learner=learner, lone=lambda targets: {}, refuse=lambda dataset, seen: None)
    name = Path(request.data).stem if isinstance(request.data, str | Path) else "texts"
    named = _of_names(task, words, classes, name)
    test = read_test()
    return named if test is None else _with_test(named, test, classes)


def _asked_for(request: Request) -> tuple[str, ...]:
    classes = request.classes or ()
    if len(classes) < 2:
        named = "no class is named" if not classes else "only one class is named"
        raise UserError(named, where=_WHERE, fix='name two at least: --classes "refund,card lost"')
    if request.labels is not None or request.unlabelled is not None:
        other = "labels" if request.labels is not None else "--unlabelled"
        fix = f"leave one of the two out: with --classes all of the data are without labels, and {other} is of no use"
        raise UserError(f"{other} beside --classes", where=_WHERE, fix=fix)
    _refuse_what_needs_labels(request)
    if request.final:
        fix = "label some, then --final: names alone are nothing to learn again from"
        raise UserError("there are no labels to learn from", where="--final", fix=fix)
    if request.method not in ("auto", "probe"):
        raise UserError("there are no labels to train on", where="--how", fix="--how probe, or leave it out")
    return classes


def _refuse_what_needs_labels(request: Request) -> None:
    """Raises UserError for options by which something is chosen on labelled examples."""
    if request.metric != "auto":
        raise UserError("there are no labels to choose by", where="--metric", fix="leave it out")
    if request.decision is not None:
        raise UserError("there are no labels to find it by", where=request.decision.option, fix="leave it out")


def _of_names(task: Task, words: ClassWords, classes: Sequence[str], name: str) -> Dataset:
    targets = [classes[number] for number in words.classes.tolist()]
    where = [f"the name of {target!r}" for target in targets]
    modality = next(each for each in task.modalities.values() if each.reads_names)
    return Dataset(task, modality, name, inputs=list(words.texts), targets=targets, where=where)


def _with_test(named: Dataset, test: Examples, classes: Sequence[str]) -> Dataset:
    """Names as the training part, and labelled examples as the test part; those of other classes are left out."""
    if named.task.modalities.get(test.kind) is not named.modality:
        raise DataError(f"these are {test.kind}s, and names tell texts apart", where=test.name, fix="give texts")
    targets, notes = named.task.parse(test)
    known = np.array([target in classes or named.task.complaint(target) is not None for target in targets], bool)
    if not any(target in classes for target in targets):
        extra = sorted({str(target) for target in targets if target is not None})
        raise DataError(f"none of its classes ({some_of(extra)}) is asked for", where=test.name, fix="see --classes")
    other = tuple(
        Finding("unknown-class", test.where[row], f"class {targets[row]!r} is not asked for", rejected=True)
        for row in np.flatnonzero(~known).tolist()
    )
    rows = np.flatnonzero(known)
    kept = test.take(rows)
    return replace(
        named,
        inputs=[*named.inputs, *kept.inputs],
        targets=[*named.targets, *(targets[row] for row in rows.tolist())],
        where=[*named.where, *kept.where],
        parts=["train"] * len(named) + ["test"] * len(kept),
        columns=test.columns,
        findings=(*test.findings, *other),
        notes=(*test.notes, *notes),
        cautions=test.cautions,
    )
