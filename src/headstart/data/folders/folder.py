"""Class folders, with or without train, val and test above them; images, or .txt files."""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.backbone import Kind
from headstart.data.columns.find import refuse_unused
from headstart.data.files.accents import composed, two_spellings
from headstart.data.files.endings import is_photo, is_text
from headstart.data.files.named_files import read_texts
from headstart.data.files.part_names import OFFICIAL, parts_among
from headstart.data.files.text_file import read_head
from headstart.data.files.walk import Walk
from headstart.data.folders.layout import INNER, ONE_A_CLASS, OUTER, Layout, class_folders, layout_of, listing
from headstart.errors import DataError, some_of
from headstart.values import Columns, Examples, Finding

_HEAD, _JUDGED = 4096, 20  # bytes of a file, and files, by which those without an ending are judged
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f]|\ufffd{4}")  # what every photo has in its first bytes
_ALIKE = {"image": ("photos", is_photo), "text": ("texts", is_text)}


@dataclass(frozen=True)
class _File:
    """One file, and what the folders that it is in say of it."""

    path: str
    label: str
    part: str | None


@dataclass(frozen=True)
class _Class:
    """A class folder with every file in it."""

    path: str
    name: str
    part: str | None
    files: list[str]


def read_folder(folder: Path, inside: str, *, choice: str | None = None, encoding: str | None = None) -> Examples:
    """Every file inside a class folder is an example, whatever its name: the check says which cannot be read.

    Args:
        inside: the folder that is left once what wraps it is looked through.
        choice: which folders are the classes, "outer" or "inner", where both could be.

    Raises:
        DataError: no class folders, no files in them, or the folder may not be read; or the same folders are in each
            of the classes, and nobody says which are the classes.
    """
    walk = Walk(folder)
    layout = layout_of(walk, inside, choice)
    classes, more = _classes(walk, layout)
    more += _within_others(walk, classes, choice)
    _refuse_wrapped(walk, classes, layout, choice)
    found, levels = _labelled(classes, choice, where=str(folder))
    if not found:
        loose = listing(walk, inside)[1]
        images = sum(map(is_photo, loose))
        what = f"{images} images, but no class folders" if images else "no class folders with files in them"
        raise DataError(what, where=str(folder), fix=ONE_A_CLASS)
    found.sort(key=lambda file: file.path.replace(os.sep, "/"))
    found, findings = _each_once(walk, found)
    ending = _ending_of_texts(found)
    if ending is None and _without_endings_texts(found, encoding):
        ending = ""
    kind: Kind = "image" if ending is None else "text"
    said = _beside(walk, [inside, *layout.roots], kind)
    inputs = [file.path for file in found]
    if ending is not None:
        found, others = _texts_among(walk, found, ending)
        found, inputs, unreadable, text_notes = _read_texts(walk, found, encoding)
        findings, said = (
            [*findings, *others, *unreadable],
            (f"each {f'{ending} file' if ending else 'file without an ending'} is one text", *said, *text_notes),
        )
    else:
        refuse_unused(Columns(encoding=encoding), "photos", "encoding")
    return Examples(
        kind=kind,
        name=folder.resolve().name,
        inputs=inputs,
        targets=[file.label for file in found],
        where=[walk.relative(file.path) for file in found],
        parts=[str(file.part) for file in found] if any(file.part for file in found) else None,
        from_files=ending is not None,
        findings=tuple(findings),
        notes=(*layout.notes, *more, *levels, *_not_followed(walk), *said),
    )


def files_in(folder: Path) -> list[Path]:
    """Every visible file below a folder, sorted; and what cannot be gone through there, which opening it says.

    Raises:
        DataError: too many, too deep, or the folder may not be read.
    """
    walk = Walk(folder)
    listing(walk, walk.top)
    return sorted(map(Path, [*walk.files(walk.top), *walk.not_followed]))


def _classes(walk: Walk, layout: Layout) -> tuple[list[_Class], list[str]]:
    """The classes of each part with their files, and notes on what is none, or has none."""
    classes: list[_Class] = []
    notes: list[str] = []
    for root, part in layout.roots.items():
        inner, said = class_folders(walk, root)
        paths = [os.path.join(root, name) for name in inner]
        classes += [_Class(path, name, part, walk.files(path)) for path, name in zip(paths, inner, strict=True)]
        notes += said
    empty = [walk.relative(each.path) for each in classes if not each.files and each.path not in walk.not_followed]
    if empty and len(empty) < len(classes):
        notes.append(f"class folders without a file, so no such class is learned from them: {some_of(empty)}")
    return [each for each in classes if each.files], [*notes, *two_spellings(each.name for each in classes)]


def _labelled(classes: list[_Class], choice: str | None, *, where: str) -> tuple[list[_File], list[str]]:
    """Files with their classes: the outer folders, or those in them, where the user says so.

    Raises:
        DataError: the same folders are in each, and the user says nothing.
    """
    levels = [_folders_in(each) for each in classes]
    often = set.intersection(*levels) if levels else set()
    parts = parts_among(sorted(set.union(*levels))) if levels and all(levels) else {}
    official = set(parts.values())
    in_each = len(official) > 1 and official <= set(OFFICIAL) and all(level <= set(parts) for level in levels)
    names = {composed(each.name) for each in classes}
    if len(names) < 2 or not (len(often) > 1 or in_each) or (choice == INNER and not all(levels)):
        return [_File(file, composed(each.name), each.part) for each in classes for file in each.files], []
    inner, outer = some_of(sorted(set.union(*levels))), some_of(sorted(names))
    if choice is None:
        what = f"the same folders are in each of {outer}: {inner}; either may be the classes"
        taken = "with those in them as the parts" if in_each else "as the classes"
        fix = f"--class-folders outer takes {outer} {taken}, --class-folders inner takes {inner} of all of them"
        if len(names) == 2 and not in_each:
            learned, tested = sorted(classes, key=lambda each: -len(each.files))[:2]
            fix += f"; if one is the test: headstart fit {shlex.quote(learned.path)} --test {shlex.quote(tested.path)}"
        raise DataError(what, where=where, fix=fix)
    found = []
    for each in classes:
        for file in each.files:
            within = _below(each, file)
            label = each.name if choice == OUTER else within
            found.append(_File(file, composed(label), parts[within] if in_each and choice == OUTER else each.part))
    return found, [f"the folders in each of {outer} are the parts: {inner}"] if in_each and choice == OUTER else []


def _within_others(walk: Walk, classes: list[_Class], choice: str | None) -> list[str]:
    """Notes on class folders in which a folder is called like another class.

    Raises:
        DataError: one holds nothing but these, as where all was unpacked into itself, and the user does not say that
            it is a class.
    """
    names, notes = {each.name for each in classes}, []
    for each in classes:
        beneath = {_below(each, file) for file in each.files}
        others = sorted(beneath & (names - {each.name}))
        if not others:
            continue
        what = f"{walk.relative(each.path)} holds folders called like the classes beside it: {some_of(others)}"
        if beneath <= names and len(others) > 1 and choice is None:
            itself = shlex.quote(each.path)
            fix = f"move a copy away; headstart fit {itself} learns from it alone, --class-folders outer takes all"
            raise DataError(what, where=str(walk.top), fix=f"{fix} as classes")
        notes.append(f"{what}; what is in them is learned as {each.name}")
    return notes


def _refuse_wrapped(walk: Walk, classes: list[_Class], layout: Layout, choice: str | None) -> None:
    """Raises DataError where the one class folder has folders in it, which may be the classes: labelled/cat/1.jpg."""
    inner = sorted(_folders_in(classes[0])) if len(classes) == 1 and choice is None else []
    if len(inner) > 1:
        only = classes[0].path
        beside = f"; {'; '.join(layout.notes)}" if layout.notes else ""
        what = f"one class folder, {walk.relative(only)}, and in it are folders: {some_of(inner)}{beside}"
        fix = f"headstart fit {shlex.quote(only)} takes those in it as the classes"
        raise DataError(what, where=str(walk.top), fix=fix)


def _folders_in(each: _Class) -> set[str]:
    """Names of the folders right in a class folder; none where files are right in it, too."""
    names: set[str] = set()
    for file in each.files:
        name = _below(each, file)
        if not name:
            return set()
        names.add(name)
    return names


def _below(each: _Class, file: str) -> str:
    """The folder right in the class folder that a file is in; empty: none."""
    head, between, _ = file[len(each.path) + 1 :].partition(os.sep)
    return head if between else ""


def _each_once(walk: Walk, found: list[_File]) -> tuple[list[_File], list[Finding]]:
    """Files without those that are links to another of them; findings on these, and on links that lead to folders."""
    same = walk.same([file.path for file in found])
    findings = [
        Finding("linked-folder", walk.relative(path), why, rejected=True)
        for path, why in sorted(walk.not_followed.items())
    ]
    for number, first in same.items():
        reason = f"the same file as {walk.relative(found[first].path)}, which is kept"
        findings.append(Finding("linked-file", walk.relative(found[number].path), reason, rejected=True))
    return [file for number, file in enumerate(found) if number not in same] if same else found, findings


def _not_followed(walk: Walk) -> tuple[str, ...]:
    saved = (
        [f"not read, since they are saved models: {some_of([*map(walk.relative, walk.saved)])}"] if walk.saved else []
    )
    if not walk.not_followed:
        return tuple(saved)
    names = sorted(walk.relative(path) for path in walk.not_followed)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (*saved, f"links to folders of the data, or around them, not followed: {', '.join(names[:3])}{more}")


def _ending(file: _File) -> str:
    return os.path.splitext(file.path)[1].lower()


def _ending_of_texts(files: Sequence[_File]) -> str | None:
    """The ending that most texts have, README.md among files of .txt being no example; None: most files are photos."""
    times = Counter(_ending(file) for file in files if is_text(file.path))
    return max(sorted(times), key=lambda ending: times[ending]) if times.total() > len(files) / 2 else None


def _without_endings_texts(files: Sequence[_File], encoding: str | None) -> bool:
    """Whether most files have no ending, and the first of these hold texts: mail and news are kept so."""
    plain = [file for file in files if not _ending(file)]
    if len(plain) <= len(files) / 2:
        return False
    try:
        heads = [read_head(Path(file.path), encoding, _HEAD) for file in plain[:_JUDGED]]
    except OSError:  # which opening it as a photo says
        return False
    return all(head.strip() and not _NO_TEXT.search(head) for head in heads)


def _texts_among(walk: Walk, found: list[_File], ending: str) -> tuple[list[_File], list[Finding]]:
    """The files of texts, and findings on what else is in the class folders: lists, code, photos."""
    others = [file for file in found if _ending(file) != ending]
    reason = f"not a {ending} file, as most are" if ending else "it has an ending, and most have none"
    findings = [Finding("other-file", walk.relative(file.path), reason, rejected=True) for file in others]
    return [file for file in found if _ending(file) == ending], findings


def _beside(walk: Walk, folders: Sequence[str], kind: Kind) -> tuple[str, ...]:
    """A note on files beside the class folders that would be examples in them."""
    called, alike = _ALIKE[kind]
    loose = [
        os.path.join(folder, name)
        for folder in dict.fromkeys(folders)
        for name in listing(walk, folder)[1]
        if alike(name)
    ]
    if not loose:
        return ()
    what = f"{len(loose):,} {called}"
    return (f"not read, since they are in no class folder: {what}: {some_of([*map(walk.relative, loose)], most=3)}",)


def _read_texts(
    walk: Walk, found: list[_File], encoding: str | None
) -> tuple[list[_File], list[str], list[Finding], tuple[str, ...]]:
    names = [walk.relative(file.path) for file in found]
    texts, notes = read_texts([file.path for file in found], shown=names, encoding=encoding)
    findings = [
        Finding("unreadable", error.where, error.what, rejected=True) for error in texts if isinstance(error, DataError)
    ]
    read = [(file, text) for file, text in zip(found, texts, strict=True) if isinstance(text, str)]
    return [file for file, _ in read], [text for _, text in read], findings, tuple(notes)
