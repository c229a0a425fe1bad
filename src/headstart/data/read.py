"""Look at what was given, call the source that reads it, and find the task that it is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from headstart.data.alike.grouping import spelled_once
from headstart.data.columns.find import refuse_unused
from headstart.data.columns.names import LABEL_WORDS, LABELS, words_of
from headstart.data.feedback import refuse_several, with_feedback
from headstart.data.files.accents import two_spellings
from headstart.data.files.endings import READ_AS_TABLES
from headstart.data.files.remote import fetched
from headstart.data.files.text_file import suffix_of
from headstart.data.files.walk import Walk
from headstart.data.folders.folder import read_folder
from headstart.data.folders.folder_tables import read_tables
from headstart.data.folders.layout import INNER, OUTER, unwrapped
from headstart.data.folders.photo_tables import read_metadata
from headstart.data.folders.text_files import read_siblings, read_text_files
from headstart.data.from_names import named_dataset
from headstart.data.labels.missing import without_missing_groups
from headstart.data.questions.read import read_unanswered
from headstart.data.shards.read import read_shards
from headstart.data.shards.sources import shards_at
from headstart.data.tables.frame import is_table, read_frame, read_hub, read_pairs
from headstart.data.tables.in_order import refuse_misaligned
from headstart.data.tables.parts import read_parts
from headstart.data.tables.table import header, read_table, refuse_unknown, row_numbers
from headstart.errors import DataError, UserError
from headstart.inputs.paths import existing, is_folder
from headstart.task import Form, Task
from headstart.values import Columns, Dataset, Examples, Request

_MOST_TOLD = 5  # rows that were left out


def read(request: Request, tasks: Sequence[Task]) -> Dataset:
    """Read the user's data as examples of a task: the one that was asked for, or the first whose targets they hold.

    Args:
        tasks: that come into question, in their order; the last one takes what is left.

    Raises:
        DataError: not there, not readable, of a kind that is not known, or not for the task.
        UserError: a metric that the task cannot choose by, or columns that are none.
    """
    refuse_odd(request.columns)
    request = replace(request, data=fetched(request.data), test=fetched(request.test))
    if request.classes is not None:
        if request.feedback is not None:
            what = "corrected examples have labels, and --classes is for texts of which none has one"
            raise UserError(
                what, where="--feedback", fix="fit the corrected examples, with --unlabelled for the others"
            )
        _refuse_labels(request)
        return named_dataset(request, tasks, partial(_test_alone, request))
    asked = _asked_for(request.task, tasks)
    task = asked or next((task for task in tasks if _claims(task, request)), None)
    if task is not None and task.form is not None:
        _refuse_columns(request, task.form)
        if not isinstance(request.data, str | Path):
            refuse_unused(request.columns, "data in memory", "encoding", "delimiter")
        examples = _with_test(request, task.form.read)
    else:
        examples = _with_test(request, partial(_labelled, kind=request.kind))
    if request.feedback is not None:
        examples = with_feedback(examples, _corrected(request, task, examples))
    if task is None:
        declined, task = _by_cells(examples, tasks)
        doubts = [doubt for other in declined for doubt in other.doubts(examples)]
        examples = replace(examples, notes=(*examples.notes, *doubts))
    if request.kind not in (None, examples.kind):
        what = f"these are {examples.kind}s, and {request.kind}s are wanted"
        raise DataError(what, where=examples.name, fix="name the columns of the inputs")
    if request.task not in ("auto", task.name, task.titles.get(examples.kind)):
        what = f"these are {examples.kind}s, and the task is {request.task}"
        raise DataError(what, where="--task", fix=f"--task {task.name}, or name the columns")
    return as_dataset(_with_separator(request.columns, examples, task), _as_asked(task, request))


def _corrected(request: Request, task: Task | None, examples: Examples) -> Examples:
    """The feedback, read as the data were."""
    refuse_several(request.feedback)
    if task is not None and task.form is not None:
        return task.form.read(request.feedback, columns=None)
    return _labelled(request.feedback, kind=request.kind, columns=Columns(known=examples.columns))


def _refuse_labels(request: Request) -> None:
    """Raises DataError where data that are to be learned from names have a column that is called like labels."""
    if request.labels is not None or not (is_table(request.data) or isinstance(request.data, str | Path)):
        return
    try:
        examples = _labelled(request.data, kind="text", columns=request.columns)
    except DataError:  # no such column
        return
    column = None if examples.columns is None else examples.columns.label
    called = column is not None and (words_of(column)[-1:] or [""])[0] in (*LABELS, *LABEL_WORDS)
    if called and any(cell not in (None, "") for cell in examples.targets):
        what = f"--classes is for data without labels, and there are some in column {column!r}"
        fix = "leave out --classes to learn from them and from their names; --unlabelled takes examples without one"
        raise DataError(what, where=examples.name, fix=fix)


def _as_asked(task: Task, request: Request) -> Task:
    """With what the user wants its fits to choose by, and to decide by."""
    return task.choosing_by(request.metric).deciding(request.decision)


def _with_separator(columns: Columns | None, examples: Examples, task: Task) -> Examples:
    """With a note where no label has the separator in it that the user names.

    Raises:
        DataError: the task has no use for one.
    """
    separator = columns.separator if columns else None
    if separator and not task.separates:
        fix = "leave it out; --task multilabel splits cells at it"
        raise DataError(f"of no use for {task.name}: {separator!r}", where="--separator", fix=fix)
    if not separator or any(isinstance(cell, str) and separator in cell for cell in examples.targets):
        return examples
    return replace(examples, notes=(*examples.notes, f"no label has the separator {separator!r} in it"))


def as_dataset(examples: Examples, task: Task) -> Dataset:
    """Examples that were read, with their cells as targets of a task.

    Raises:
        DataError: the task has no such inputs, or a cell is none of its targets.
    """
    if examples.kind not in task.modalities:
        raise DataError(f"{task.name} is not for {examples.kind}s", where=examples.name, fix="choose another --task")
    targets, notes = task.parse(examples)
    once, said = spelled_once(examples.named_groups or ())
    groups, unnamed = without_missing_groups(once)
    notes = (*two_spellings(examples.targets), *said, *notes, *unnamed)
    return Dataset(
        task=task,
        modality=task.modalities[examples.kind],
        name=examples.name,
        inputs=examples.inputs,
        targets=targets,
        where=examples.where,
        parts=examples.parts,
        columns=examples.columns,
        from_files=examples.from_files,
        guessed=examples.guessed,
        corrected=examples.corrected,
        named_groups=None if examples.named_groups is None else groups,
        findings=examples.findings,
        notes=(*examples.notes, *notes),
        cautions=examples.cautions,
    )


def _asked_for(name: str, tasks: Sequence[Task]) -> Task | None:
    """The task of this name, or of the name that users call it by; None for "auto"."""
    if name == "auto":
        return None
    for task in tasks:
        if name in (task.name, *task.titles.values()):
            return task
    names = ", ".join(task.name for task in reversed(tasks))
    raise DataError(f"unknown task {name!r}", where="--task", fix=f"one of: auto, {names}")


def _by_cells(examples: Examples, tasks: Sequence[Task]) -> tuple[list[Task], Task]:
    """The tasks whose targets the cells do not look like, and the first one after them."""
    declined: list[Task] = []
    for task in tasks:
        if task.form is None and task.fits(examples):
            break
        declined.append(task)
    return declined, task


def _claims(task: Task, request: Request) -> bool:
    """Whether the data say by their form that they are for this task, and the user says nothing else."""
    named = set(_named(request.columns)) - {"--group"}  # which reading says is not for it
    nothing_said = request.labels is None and request.kind is None and not named
    return task.form is not None and nothing_said and task.form.claims(request.data, request.columns)


def _named(columns: Columns | None) -> dict[str, str]:
    """The options that name columns, with what they name."""
    named = {} if columns is None else columns.named
    return {
        f"--{key.replace('_', '-')}": value if isinstance(value, str) else ", ".join(value)
        for key, value in named.items()
    }


def refuse_odd(columns: Any) -> None:
    """Raises UserError where the columns are not named as `Columns` has them."""
    if columns is None:
        return
    if not isinstance(columns, Columns):
        fix = 'for example columns=hs.Columns(text="a", label="b")'
        raise UserError(f"columns is a {type(columns).__name__}, not hs.Columns", where="columns", fix=fix)
    if columns.class_folders not in (None, OUTER, INNER):
        what = f"{columns.class_folders!r} is neither {OUTER} nor {INNER}"
        raise UserError(what, where="--class-folders", fix=f"--class-folders {OUTER} or --class-folders {INNER}")
    of_files = {name: value for name in ("encoding", "delimiter") if (value := getattr(columns, name)) is not None}
    for field, value in (columns.named | of_files).items():
        several = isinstance(value, Sequence) and not isinstance(value, str)
        wanted = (
            "a list of the columns' names"
            if field == "labels"
            else "a name"
            if field in of_files
            else "the name of one column"
        )
        if several != (field in ("text", "labels")) or not all(isinstance(name, str) for name in value):
            fix = "several columns of 0 and 1 are labels=[...]" if field == "label" else ""
            raise UserError(f"{value!r} where {wanted} belongs", where=f"Columns({field}=...)", fix=fix)


def _refuse_columns(request: Request, form: Form) -> None:
    for option, name in _named(request.columns).items():
        raise DataError(f"{form.no_columns}: {name!r}", where=option, fix=form.instead)
    for option in ("labels", "groups"):
        if getattr(request, option) is not None:
            raise DataError(form.no_columns, where=option, fix=form.instead)


def _refuse_any(columns: Columns | None, what: str) -> None:
    for option, name in _named(columns).items():
        raise DataError(f"{what} has no columns: {name!r}", where=option, fix="leave it out, or name a table's file")


def _with_test(request: Request, read_one: Callable[..., Examples]) -> Examples:
    """The data, with what is at the path of the test as the test part."""
    more = {} if request.labels is None else {"labels": request.labels}
    more |= {} if request.groups is None else {"groups": request.groups}
    read_first = partial(read_one, **more)
    if not isinstance(request.test, str | Path):
        return read_first(request.data, columns=request.columns)

    def each(source: Any, columns: Columns | None) -> Examples:
        return (read_first if source is request.data else read_one)(source, columns=columns)

    return read_parts([("train", request.data), ("test", request.test)], request.columns, each, header=_header)


def _test_alone(request: Request) -> Examples | None:
    """The labelled examples at the path of the test; None: there are none."""
    if not isinstance(request.test, str | Path):
        return None
    return _labelled(request.test, kind="text", columns=request.columns)


def _header(source: Any, columns: Columns | None) -> list[str]:
    """The names of a table's columns; of a folder, none."""
    if shards_at(source) is not None:
        return []
    path = existing(source)
    return header(path, columns) if not is_folder(path) and suffix_of(path) in READ_AS_TABLES | {""} else []


def _labelled(
    data: Any, labels: Any = None, groups: Any = None, *, kind: str | None, columns: Columns | None
) -> Examples:
    """From a folder, a table file, a frame, a hub data set, or inputs with labels."""
    if kind not in (None, "image", "text", "pair"):
        raise DataError(f"no kind {kind!r}", where="kind", fix="image, text or pair")
    if isinstance(data, tuple) and len(data) == 2 and labels is None:
        data, labels = data
    if labels is not None:
        _refuse_any(columns, "a list of inputs with labels")
        refuse_unused(columns, "a list of inputs with labels", "encoding", "delimiter")
        refuse_misaligned(data, labels, "labels")
        refuse_misaligned(data, groups, "groups")
        return read_pairs(data, labels, kind, groups)
    if groups is not None:
        fix = "of a table, columns=Columns(group=...)"
        raise DataError("groups are for inputs with labels", where="groups", fix=fix)
    if isinstance(data, str | Path):
        return _path(data, columns)
    module = type(data).__module__.split(".")[0]
    if module in ("pandas", "pyarrow"):
        return read_frame(data, columns)
    if module == "datasets":
        return read_hub(data, columns)
    raise DataError(
        f"cannot read a {type(data).__name__}",
        where="data",
        fix="a path, a DataFrame, an Arrow table, a datasets.Dataset, or inputs with labels",
    )


def _path(given: str | Path, columns: Columns | None) -> Examples:
    shards = shards_at(given)
    if shards is not None:
        return read_shards(shards, columns)
    path = existing(given)
    if is_folder(path):
        return _folder(path, columns or Columns())
    if (siblings := read_siblings(path, columns.encoding if columns else None)) is not None:
        _refuse_any(columns, "a data set of one file a class")
        refuse_unused(columns, "files whose lines are texts", "delimiter")
        return siblings
    refuse_unknown(path)
    return read_table(path, columns=columns)


def _folder(given: Path, columns: Columns) -> Examples:
    """Tables, or class folders; what wraps them is looked through."""
    walk = Walk(given)
    inside = unwrapped(walk)
    folder = Path(inside) if inside else given
    said = (f"looked through: {walk.relative(inside)}",) if inside != walk.top else ()
    aside: tuple[str, ...] = ()
    found = read_metadata(folder, columns)
    if found is None and not columns.named:
        found = read_text_files(folder, columns.encoding)
        if found is not None:
            refuse_unused(columns, "files whose lines are texts", "delimiter")
    if found is None:
        found, aside = read_tables(folder, columns)
    if found is not None:
        refuse_unused(columns, "a folder without class folders, or whose tables say the classes", "class_folders")
        return replace(found, notes=(*said, *found.notes)) if said else found
    _refuse_any(replace(columns, class_folders=None), "a folder of class folders")
    refuse_unused(columns, "class folders", "delimiter")
    found = read_folder(given, inside, choice=columns.class_folders, encoding=columns.encoding)
    return replace(found, notes=(*said, *found.notes, *aside))


def rows_in(table: Any, kind: str, columns: Columns) -> tuple[list[Any], list[str], bool]:
    """Texts, pairs of texts, paths of images, or questions with their texts, from a table without targets.

    Args:
        table: a file, or a table in memory.
        kind: the name of the modality: "image", "text", "pair" or "passage".
        columns: that the user names, and as `known` those of the table that the model was fitted on.

    Returns:
        The inputs, notes on what was assumed, and whether each row has one: a row that cannot be read is the error that
        says why. Questions without a text are left out, and noted.

    Raises:
        DataError: as `read`; or the table has no such columns.
    """
    if kind == "passage":
        for option, name in _named(columns).items():
            fix = "leave it out: context and question are found by name"
            raise DataError(f"not for questions: {name!r}", where=option, fix=fix)
        examples = read_unanswered(table, columns)
        left_out = [f"{f.where} is left out: {f.reason}" for f in examples.findings if f.rejected]
        more = [f"and {len(left_out) - _MOST_TOLD} more rows"] if len(left_out) > _MOST_TOLD else []
        return list(examples.inputs), [*examples.notes, *left_out[:_MOST_TOLD], *more], False
    examples = _without_targets(table, columns, kind)
    if examples.kind != kind:
        where = str(table) if isinstance(table, str | Path) else "table"
        raise DataError(f"no column of {kind}s", where=where, fix="name its columns as the fit's data had them")
    return _with_errors(examples), list(examples.notes), True


def _with_errors(examples: Examples) -> list[Any]:
    """The inputs of a table, each row that was left out as an error in its place."""
    if not examples.findings:
        return list(examples.inputs)
    rows: dict[int, Any] = {}
    for finding in examples.findings:
        rows |= {number: DataError(finding.reason, where=finding.where) for number in row_numbers([finding])}
    places = (number for number in count(1) if number not in rows)
    inputs = dict(zip(places, examples.inputs, strict=False)) | rows
    return [inputs[number] for number in sorted(inputs)]


def _without_targets(table: Any, columns: Columns, kind: str) -> Examples:
    if isinstance(table, str | Path):
        if (shards := shards_at(table)) is not None:
            return read_shards(shards, columns, need_label=False, kind=kind)
        return read_table(existing(table), columns=columns, need_label=False, kind=kind)
    read_one = read_hub if hasattr(table, "column_names") and hasattr(table, "features") else read_frame
    return read_one(table, columns, need_label=False)
