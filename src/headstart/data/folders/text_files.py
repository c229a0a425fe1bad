"""Files of which each line is one text: a file a class, or texts in one file and their labels in another."""

from __future__ import annotations

import os
import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from headstart.data.files.part_names import OFFICIAL, part_named, parts_among
from headstart.data.files.text_file import read_lines
from headstart.data.files.walk import Walk
from headstart.data.folders.layout import holds_tables, listing
from headstart.data.tables.delimited import label_colon_text
from headstart.data.tables.line_forms import line_form
from headstart.data.tables.parts import join
from headstart.data.tables.table import table_errors
from headstart.errors import DataError, some_of
from headstart.inputs.paths import is_file
from headstart.values import Examples

_CLASS_ENDINGS = frozenset((".pos", ".neg", ".neu", ".positive", ".negative", ".neutral", ".obj", ".subj"))
_PARALLEL = re.compile(r"(?:(\w+?)[_.-])?(texts?|sentences|labels?)(?:[_.-](\w+))?\.txt", re.IGNORECASE)
_NAMES = ("mapping.txt", "label_mapping.txt", "labels_mapping.txt")  # of the numbers in files of labels
_NO_DATA = re.compile(r"(?:.*readme.*|licen[cs]e|vocab|classes|changelog|requirements|notes?|mapping)", re.IGNORECASE)
_MOST_CLASSES = 100
_LINES = 100  # by which a file is judged
_WORDS = 3  # of a text, on average
_SEPARATORS = ",;\t|"


def read_text_files(folder: Path, encoding: str | None) -> Examples | None:
    """Files of texts in one folder, of which each is a class, or of texts and of labels; None: there are none.

    Args:
        encoding: that the user named; None: found.

    Raises:
        DataError: there are several such data sets, or as many texts as labels are not there.
    """
    folders, names = listing(walk := Walk(folder), walk.top)
    names = [name for name in names if is_file(folder / name)]
    parallel = _parallel(folder, names, encoding)
    if parallel is not None:
        return parallel
    in_parts = {} if folders else _classes_in_parts(folder, names, encoding)
    if in_parts:
        whole = join([(part, _by_class(folder, files, encoding)) for part, files in in_parts.items()])
        taken = {name for files in in_parts.values() for name in files.values()}
        return _with_others(whole, [name for name in names if name not in taken], "they are no class of a part")
    groups = _groups(folder, names, encoding, alone=not folders)
    if len(groups) > 1:
        firsts = " or ".join(shlex.quote(str(folder / next(iter(group.values())))) for group in groups)
        what = f"{len(groups)} data sets of one file a class: {'; '.join(some_of(list(g.values())) for g in groups)}"
        raise DataError(what, where=str(folder), fix=f"name one file of one, and the others are found: {firsts}")
    if not groups or folders:
        return None
    others = [name for name in names if name not in groups[0].values()]
    return _with_others(_by_class(folder, groups[0], encoding), others, "they are none of these classes")


def _with_others(found: Examples, names: Sequence[str], why: str) -> Examples:
    """With a note on files beside those that were read, of which nobody may know that they are no data."""
    note = f"not read, since {why}: {some_of(sorted(names))}"
    return replace(found, notes=(*found.notes, note)) if names else found


def read_siblings(file: Path, encoding: str | None) -> Examples | None:
    """The data set of one file a class that this file is a class of, as its ending says: rt-polarity.pos; else None."""
    if file.suffix.lower() not in _CLASS_ENDINGS and not file.suffix[1:].isdigit():
        return None
    tail = file.name.partition(".")[2]
    start, end = ("", f".{tail}") if file.suffix[1:].isdigit() else (f"{file.stem}.", "")
    there = [name for name in os.listdir(file.parent) if name.startswith(start) and name.endswith(end)]
    groups = _groups(file.parent, [name for name in there if is_file(file.parent / name)], encoding)
    return next((_by_class(file.parent, group, encoding) for group in groups if file.name in group.values()), None)


def _by_class(folder: Path, files: dict[str, str], encoding: str | None) -> Examples:
    """Each line of each file is a text of the class that the file's name says."""
    texts: list[str] = []
    labels: list[str] = []
    where: list[str] = []
    notes = [f"each file taken as a class, and each line in it as a text: {some_of(list(files.values()))}"]
    for label, name in sorted(files.items()):
        lines, said = _lines(folder / name, encoding)
        texts += lines
        labels += [label] * len(lines)
        where += [f"{name} row {number}" for number in range(1, len(lines) + 1)]
        notes += said
    return Examples("text", folder.resolve().name, texts, labels, where, notes=tuple(notes))


def _groups(folder: Path, names: Sequence[str], encoding: str | None, *, alone: bool = True) -> list[dict[str, str]]:
    """Data sets of one file a class: the file of each class.

    Args:
        alone: whether no folders are beside these files, in which the data may be.
    """
    by_stem: dict[str, dict[str, str]] = defaultdict(dict)  # rt-polarity.pos, rt-polarity.neg
    by_tail: dict[str, dict[str, str]] = defaultdict(dict)  # plot.tok.gt9.5000, quote.tok.gt9.5000
    for name in sorted(names):
        stem, ending = os.path.splitext(name)
        if ending.lower() in _CLASS_ENDINGS:
            by_stem[stem][ending[1:].lower()] = name
        elif "." in stem and ending[1:].isdigit():
            head, _, tail = name.partition(".")
            by_tail[tail][head] = name
    found = [group for group in (*by_stem.values(), *by_tail.values()) if len(group) > 1]
    plain = [name for name in sorted(names) if name.lower().endswith(".txt") and not _NO_DATA.fullmatch(name[:-4])]
    texts = {name[:-4]: name for name in plain}
    apart = 2 <= len(texts) <= _MOST_CLASSES and not parts_among(list(texts)) and not holds_tables(names)
    others = {os.path.splitext(name)[0] for name in names if name not in plain}
    if not found and apart and _are_texts(folder, plain, encoding, sure=alone and all(map(_NO_DATA.fullmatch, others))):
        return [texts]
    return [group for group in found if _are_texts(folder, group.values(), encoding, sure=alone)]


def _classes_in_parts(folder: Path, names: Sequence[str], encoding: str | None) -> dict[str, dict[str, str]]:
    """One file a class and a part, as its name says: train_pos.txt, train_neg.txt, test_pos.txt, test_neg.txt.

    Returns:
        The file of each class in each part, in the order of parts; empty: the files are not so.
    """
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name in sorted(names):
        words = re.split(r"[_.-]", name[:-4]) if name.lower().endswith(".txt") else []
        parts = [part for word in words if (part := part_named(word)) is not None]
        label = "_".join(word for word in words if part_named(word) is None)
        if len(parts) == 1 and label:
            found[parts[0]][label] = name
    learned = set(found.get("train", ()))
    files = [name for each in found.values() for name in each.values()]
    alike = len(found) > 1 and all(set(each) <= learned for each in found.values())
    if len(learned) < 2 or not alike or not _are_texts(folder, files, encoding, sure=False):
        return {}
    return {part: found[part] for part in OFFICIAL if part in found}


def _are_texts(folder: Path, names: Iterable[str], encoding: str | None, *, sure: bool) -> bool:
    """Whether each of these files is one of texts.

    Args:
        sure: nothing else is there that could be the data, so that a file that cannot be read is an error.
    """
    try:
        return all(_holds_plain_texts(folder / name, encoding) for name in names)
    except DataError:
        if sure:
            raise
        return False


def _holds_plain_texts(path: Path, encoding: str | None) -> bool:
    """Whether the lines of a file are texts, and neither columns nor labels with texts."""
    with table_errors(path):
        lines, _ = read_lines(path, encoding, most=_LINES)
    full = [line.strip() for line in lines if line.strip()]
    columns = any(len(counts := {line.count(mark) for line in full}) == 1 and counts != {0} for mark in _SEPARATORS)
    words = sum(len(line.split()) for line in full)
    labelled = line_form(full, path) is not None or label_colon_text(full)
    return len(full) > 1 and words >= _WORDS * len(full) and not columns and not labelled and "\0" not in "".join(full)


def _parallel(folder: Path, names: Sequence[str], encoding: str | None) -> Examples | None:
    """train_text.txt with train_labels.txt, and the same of other parts; or text.txt with labels.txt.

    Raises:
        DataError: two files may be the texts, or the labels, of one part.
    """
    there: dict[str, dict[str, str]] = defaultdict(dict)
    alone: list[str] = []
    twice: list[str] = []
    for name in names:
        stem, ending = os.path.splitext(name)
        match = _PARALLEL.fullmatch(name)
        if ending.lower() in (".label", ".labels") and f"{stem}.txt" in names:  # train.txt with train.label
            there[part_named(stem) or "train"] |= {"texts": f"{stem}.txt", "labels": name}
        elif match is not None:
            part = part_named(match[1] or match[3] or "train")
            kind = "labels" if match[2].lower().startswith("label") else "texts"
            if part is None:
                alone.append(name)
            elif (other := there[part].setdefault(kind, name)) != name:
                twice.append(f"{other} and {name} may both be the {kind} of the {part} part")
    others = [name for name in names if _may_be_texts(name)]
    if set(there.get("train", ())) == {"labels"} and len(others) == 1:
        there["train"]["texts"] = others[0]  # reviews.txt with labels.txt
    pairs = [(part, there[part]) for part in OFFICIAL if len(there.get(part, ())) == 2]
    if not any(part == "train" for part, _ in pairs):
        return None
    if twice:
        raise DataError(twice[0], where=str(folder), fix="move one of them away")
    alone += [name for files in there.values() if len(files) == 1 for name in files.values()]
    mapping = next((name for name in _NAMES if name in names), None)
    classes = _mapping(folder / mapping, encoding) if mapping else {}
    read = [(part, _beside(folder, files["texts"], files["labels"], classes, encoding)) for part, files in pairs]
    taken = [name for _, files in pairs for name in files.values()]
    others = [name for name in names if name not in (*taken, *alone, mapping)]
    whole = _with_others(join(read), alone, "no file of labels, or of texts, goes with it")
    return _with_others(whole, others, "they are called neither as texts nor as labels")


def _may_be_texts(name: str) -> bool:
    return name.lower().endswith(".txt") and not _NO_DATA.fullmatch(name[:-4]) and not _PARALLEL.fullmatch(name)


def _beside(folder: Path, texts: str, labels: str, classes: dict[str, str], encoding: str | None) -> Examples:
    """The texts in the lines of one file, with the labels in the lines of another.

    Raises:
        DataError: they are not as many, or a label has no name.
    """
    lines, notes = _lines(folder / texts, encoding)
    marks = [mark.strip() for mark in _lines(folder / labels, encoding)[0]]
    if len(lines) != len(marks):
        what = f"{len(lines):,} lines in {texts}, and {len(marks):,} in {labels}"
        raise DataError(what, where=str(folder), fix="a label a line belongs to the text in the same line")
    where = [f"{texts} row {number}" for number in range(1, len(lines) + 1)]
    unknown = next((row for row, mark in enumerate(marks) if classes and mark not in classes), None)
    if unknown is not None:
        what = f"label {marks[unknown]!r} has no name in the file of names"
        raise DataError(what, where=f"{folder / labels} row {unknown + 1}", fix="add it there, or move that file away")
    targets = [classes.get(mark, mark) for mark in marks]
    said = (f"labels of {texts} read from {labels}{', and their names from a mapping' if classes else ''}", *notes)
    return Examples("text", folder.resolve().name, lines, targets, where, notes=said)


def _mapping(path: Path, encoding: str | None) -> dict[str, str]:
    """Names of labels: a number and a name a line."""
    lines, _ = _lines(path, encoding)
    rows = [line.split("\t") if "\t" in line else line.split(None, 1) for line in lines if line.strip()]
    return {row[0].strip(): row[1].strip() for row in rows if len(row) > 1}


def _lines(path: Path, encoding: str | None) -> tuple[list[str], list[str]]:
    """The lines of a file, with notes on its encoding."""
    with table_errors(path):
        return read_lines(path, encoding)
