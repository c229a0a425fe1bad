"""Class folders, with or without train, val and test above them; images, or .txt files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from headstart.backbone import Kind
from headstart.data.columns import SUFFIXES
from headstart.data.parts import part_named
from headstart.data.walk import Walk
from headstart.errors import DataError
from headstart.inputs.paths import as_named
from headstart.inputs.text import MOST_BYTES, not_a_text
from headstart.storage.files import read_file
from headstart.values import Examples, Finding

_LAYOUT = "one folder a class: roses/1.jpg, tulips/2.jpg (or train/roses/1.jpg, test/tulips/2.jpg)"
EACH_A_TEXT = "each .txt file is one text"


@dataclass(frozen=True)
class _File:
    """One file, and what the folders that it is in say of it."""

    path: str
    label: str
    part: str | None


def read_folder(folder: Path) -> Examples:
    """Every file inside a class folder is an example, whatever its name: the check says which cannot be read.

    Raises:
        DataError: no class folders, no files in them, or the folder may not be read.
    """
    walk = Walk(folder)
    inner, loose = _listing(walk, walk.top)
    parts, others = _parts(walk, [os.path.join(walk.top, name) for name in inner])
    if parts:
        found = [_File(file, label, part) for path, part in parts.items() for file, label in _classes(walk, path)]
    else:
        found = [_File(file, label, None) for file, label in _classes(walk, walk.top)]
    if not found:
        images = sum(1 for name in loose if os.path.splitext(name)[1].lower() in SUFFIXES)
        what = f"{images} images, but no class folders" if images else "no class folders with files in them"
        raise DataError(what, where=str(folder), fix=_LAYOUT)
    found.sort(key=lambda file: file.path.replace(os.sep, "/"))
    found, findings = _each_once(walk, found)
    kind, notes = _kind(found)
    inputs = [file.path for file in found]
    if kind == "text":
        found, inputs, unreadable, text_notes = _read_texts(walk, found)
        findings, notes = [*findings, *unreadable], (*notes, *text_notes)
    return Examples(
        kind=kind,
        name=folder.resolve().name,
        inputs=inputs,
        targets=[file.label for file in found],
        where=[walk.relative(file.path) for file in found],
        parts=[str(file.part) for file in found] if parts else None,
        findings=tuple(findings),
        notes=(*others, *_not_followed(walk), *notes),
    )


def files_in(folder: Path) -> list[Path]:
    """Every visible file below a folder, sorted; and what cannot be gone through there, which opening it says.

    Raises:
        DataError: too many, too deep, or the folder may not be read.
    """
    walk = Walk(folder)
    _listing(walk, walk.top)
    return sorted(map(Path, [*walk.files(walk.top), *walk.not_followed]))


def listing(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the visible folders and of the files right in a folder, each sorted.

    Raises:
        DataError: it may not be read.
    """
    walk = Walk(folder)
    return _listing(walk, walk.top)


def _listing(walk: Walk, folder: str) -> tuple[list[str], list[str]]:
    try:
        return walk.listing(folder)
    except OSError as error:
        raise DataError(error.strerror or str(error), where=folder or ".", fix="check who may read it") from None


def _parts(walk: Walk, inner: list[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Folders of official parts, with class folders in them, and a note on what is beside them; none: all are classes.

    A class may be called "train", and have folders in it: two names of parts are needed where others are there too.
    """
    named = {path: part for path in inner if (part := part_named(os.path.basename(path)))}
    parts = {path: part for path, part in named.items() if _listing(walk, path)[0]}
    if len(parts) == len(inner):
        return parts, ()
    if "train" not in parts.values() or len(named) < 2:
        return {}, ()
    beside = [path for path in inner if path not in parts]
    others = ", ".join(map(_with_count, beside))
    return parts, (f"not read, since it is no train, val or test with class folders in it: {others}",)


def _with_count(folder: str) -> str:
    """The name of a folder that is not read, and how many files are in it, where that can be said."""
    try:
        return f"{os.path.basename(folder)} ({len(Walk(Path(folder)).files(folder))} files)"
    except DataError:
        return os.path.basename(folder)


def _classes(walk: Walk, folder: str) -> Iterable[tuple[str, str]]:
    for name in _listing(walk, folder)[0]:
        yield from ((file, name) for file in walk.files(os.path.join(folder, name)))


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
    if not walk.not_followed:
        return ()
    names = sorted(walk.relative(path) for path in walk.not_followed)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (f"links to folders of the data, or around them, not followed: {', '.join(names[:3])}{more}",)


def _kind(files: list[_File]) -> tuple[Kind, tuple[str, ...]]:
    texts = sum(file.path.lower().endswith(".txt") for file in files)
    return ("text", (EACH_A_TEXT,)) if texts > len(files) / 2 else ("image", ())


def _read_texts(walk: Walk, found: list[_File]) -> tuple[list[_File], list[str], list[Finding], tuple[str, ...]]:
    files, texts, findings, latin = [], [], [], 0
    for file in found:
        try:
            content = read_file(as_named(file.path), most=MOST_BYTES)
            reason = not_a_text(content)
        except OSError as error:
            content, reason = b"", error.strerror or str(error)
        if reason:
            findings.append(Finding("unreadable", walk.relative(file.path), reason, rejected=True))
            continue
        files.append(file)
        try:
            texts.append(content.decode("utf-8-sig"))
        except UnicodeDecodeError:
            texts.append(content.decode("latin-1"))
            latin += 1
    return files, texts, findings, (f"{latin} files are not UTF-8 and were read as latin-1",) if latin else ()
