"""Examples in official parts: told by a column, or read from a source each, and joined."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.files.part_names import PART_NAMES, names_part, part_named
from headstart.errors import DataError, some_of
from headstart.storage.columns import Coded
from headstart.storage.joined import joined, mapped_lazily, repeated
from headstart.values import Columns, Examples, Finding, Passages


def in_parts(whole: Examples, named: Sequence[str | None]) -> Examples:
    """With the official parts, where a column names them: most of what it holds are names of one.

    A row of another part, or of none, is left out: taken as training, it might teach what it was to test.

    Args:
        named: what the column holds, row by row; empty: there is none.
    """
    parts: Any = mapped_lazily(named, lambda name: part_named(name) if name else None)
    given = [name for name in named if name]
    if not any(parts) or 2 * sum(map(names_part, given)) <= len(given):
        others = ", ".join(map(repr, sorted(set(given))[:3]))
        note = f"not taken for parts, since few are train, val or test: {others}"
        return replace(whole, notes=(*whole.notes, note)) if others else whole
    known = f"known: {', '.join(PART_NAMES)}"
    unknown: list[Finding] = [
        Finding("unknown-part", where, f"part {name!r}, {known}" if name else f"no part; {known}", rejected=True)
        for where, name, part in zip(whole.where, named, parts, strict=True)
        if part is None
    ]
    if unknown:
        rows = np.array([row for row, part in enumerate(parts) if part is not None])
        findings = (*whole.findings, *unknown)
        whole = replace(whole.take(rows), findings=findings, notes=whole.notes, cautions=whole.cautions)
        parts = parts.take(rows) if isinstance(parts, Coded) else [part for part in parts if part is not None]
    return replace(whole, parts=parts)


def read_parts(
    named: Sequence[tuple[str, Any]],
    columns: Columns | None,
    read_one: Callable[[Any, Columns | None], Examples],
    *,
    header: Callable[[Any, Columns | None], Collection[str]],
    leave_out: bool = False,
) -> Examples:
    """The official parts of one whole, of which those after the first have its columns.

    Args:
        named: the part that each source is, and the source; the training part first.
        columns: that the user names.
        header: the names of a source's columns; none: it is no table.
        leave_out: whether a table without the labels of the first one is left out, and that noted.

    Raises:
        DataError: as `read_one`; or a table has the inputs of the first one, but not its labels.
    """
    (part, first), *others = named
    read = [(part, first, read_one(first, columns))]
    taken = read[0][2].columns or Columns()
    inputs, targets = _names(taken)
    notes: list[str] = []
    alike = replace(columns or Columns(), known=taken)
    for part, one in others:
        there = header(one, alike) if inputs else ()
        lacking = [name for name in targets if name not in there]
        if there and lacking and not set(inputs) - set(there):
            what, name = f"no column {some_of(lacking)}, as the training part has", getattr(one, "name", str(one))
            if not leave_out:
                raise DataError(what, where=name, fix="add it, or leave this part out: a fifth is then held out")
            notes.append(f"{name}: not read, since it has {what}")
            continue
        asked = alike if there else columns
        if there and asked and not lacking and not asked.labels:
            asked = replace(asked, label=taken.label, labels=taken.labels)
        found = read_one(one, asked)
        if there and _names(found.columns) != (inputs, targets):
            mine = some_of([name for some in _names(found.columns) for name in some])
            notes.append(f"{found.name}: read by columns of its own ({mine}), since it lacks some of the training part")
        read.append((part, one, found))
    whole = join([(part, found) for (part, _, _), found in zip(read, _told_apart(read), strict=True)])
    return replace(whole, notes=(*whole.notes, *notes)) if notes else whole


def _names(columns: Columns | None) -> tuple[list[str], list[str]]:
    """The columns of inputs, and those of targets."""
    if columns is None:
        return [], []
    inputs = [*columns.texts, columns.text2, columns.image]
    return [name for name in inputs if name], [name for name in (columns.label, *(columns.labels or ())) if name]


def _told_apart(read: Sequence[tuple[str, Any, Examples]]) -> list[Examples]:
    """Parts whose places say the folder, too, where an example of each is called the same."""
    found = [examples for _, _, examples in read]
    paths = [Path(source) for _, source, _ in read if isinstance(source, str | Path)]
    places = [{*some.where, *(finding.where for finding in some.findings)} for some in found]
    if len(paths) < len(read) or len(set().union(*places)) == sum(map(len, places)):
        return found
    folders = [(path if path.is_dir() else path.parent).resolve().parts for path in paths]
    for deep in range(1, max(map(len, folders))):
        said = ["/".join(folder[-deep:]) for folder in folders]
        if len(set(zip(said, [path.name for path in paths], strict=True))) == len(paths):
            return [placed(some, f"{folder}/") for some, folder in zip(found, said, strict=True)]
    return found  # one file, twice


def placed(examples: Examples, before: str) -> Examples:
    """Examples whose places say more: what comes before them."""
    findings = tuple(replace(finding, where=before + finding.where) for finding in examples.findings)
    return replace(examples, where=mapped_lazily(examples.where, before.__add__), findings=findings)


def join(named: Sequence[tuple[str, Examples]]) -> Examples:
    """Examples as the official parts of one whole; several may be of the same part.

    The columns are those of the training part; an example of a part that says nothing of groups has none.

    Raises:
        DataError: one part holds images, another texts; or one has a column of labels, another one a label.
    """
    parts = [part for _, part in named]
    kinds = {part.kind for part in parts}
    if len(kinds) > 1:
        raise DataError("one part holds images, another texts", where="data")
    if len({bool(part.columns and part.columns.labels) for part in parts}) > 1:
        what = "one part has a column of labels, another a column for each label"
        raise DataError(what, where="data", fix="name the columns with --label or --labels")
    first = next((part for name, part in named if name == "train"), parts[0])
    inputs = [part.inputs for part in parts]
    passages = [column for column in inputs if isinstance(column, Passages)]
    grouped = any(part.named_groups is not None for part in parts)
    groups: list[Sequence[str | None]] = [part.named_groups or [None] * len(part) for part in parts]
    guessed = [part.guessed for part in parts if part.guessed is not None]
    return Examples(
        kind=kinds.pop(),
        name=parts[0].name,
        inputs=Passages.joined(passages) if passages else joined(inputs),
        targets=joined([part.targets for part in parts]),
        where=joined([part.where for part in parts]),
        parts=repeated([(name, len(part)) for name, part in named]),
        separator=first.separator,
        columns=first.columns,
        from_files=first.from_files,
        guessed=np.concatenate(guessed) if guessed else None,
        named_groups=joined(groups) if grouped else None,
        findings=tuple(chain.from_iterable(part.findings for part in parts)),
        notes=tuple(dict.fromkeys(chain.from_iterable(part.notes for part in parts))),
        cautions=tuple(dict.fromkeys(chain.from_iterable(part.cautions for part in parts))),
    )
