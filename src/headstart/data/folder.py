"""Class folders, with or without train, val and test above them; images, or .txt files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from headstart.data.columns import SUFFIXES
from headstart.data.parts import part_named
from headstart.errors import DataError
from headstart.values import Dataset, Kind

_LAYOUT = "one folder a class: roses/1.jpg, tulips/2.jpg (or train/roses/1.jpg, test/tulips/2.jpg)"
_IGNORED = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


def read_folder(folder: Path) -> Dataset:
    """Every file inside a class folder is an example, whatever its name: the check says which cannot be read.

    Raises:
        DataError: no class folders, or no files in them.
    """
    inner = [path for path in _visible(folder) if path.is_dir()]
    parts, others = _parts(inner)
    if parts:
        found: list[tuple[Path, str, str | None]] = [
            (file, label, part) for path, part in parts.items() for file, label in _classes(path)
        ]
    else:
        found = [(file, label, None) for file, label in _classes(folder)]
    if not found:
        loose = sum(1 for path in _visible(folder) if path.suffix.lower() in SUFFIXES)
        what = f"{loose} images, but no class folders" if loose else "no class folders with files in them"
        raise DataError(what, where=str(folder), fix=_LAYOUT)
    found.sort(key=lambda row: row[0].as_posix())
    kind, notes = _kind([file for file, _, _ in found])
    inputs, text_notes = _read_texts(found) if kind == "text" else ([str(file) for file, _, _ in found], ())
    return Dataset(
        kind=kind,
        name=folder.resolve().name,
        inputs=inputs,
        labels=[label for _, label, _ in found],
        where=[str(file.relative_to(folder)) for file, _, _ in found],
        parts=[str(part) for _, _, part in found] if found[0][2] else None,
        notes=(*others, *notes, *text_notes),
    )


def files_in(folder: Path) -> list[Path]:
    """Every visible file below a folder, sorted."""
    return sorted(_files(folder))


def _parts(inner: list[Path]) -> tuple[dict[Path, str], tuple[str, ...]]:
    """Folders of official parts, with class folders in them, and a note on what is beside them; none: all are classes.

    A class may be called "train", and have folders in it: two names of parts are needed where others are there too.
    """
    named = {path: part for path in inner if (part := part_named(path.name))}
    parts = {path: part for path, part in named.items() if any(deeper.is_dir() for deeper in _visible(path))}
    if len(parts) == len(inner):
        return parts, ()
    if "train" not in parts.values() or len(named) < 2:
        return {}, ()
    others = ", ".join(f"{path.name} ({sum(1 for _ in _files(path))} files)" for path in inner if path not in parts)
    return parts, (f"not read, since it is no train, val or test with class folders in it: {others}",)


def _classes(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in _visible(folder):
        if path.is_dir():
            yield from ((file, path.name) for file in _files(path))


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        yield from (Path(root, name) for name in sorted(files) if not _hidden(name))


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not _hidden(path.name))


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in _IGNORED


def _kind(files: list[Path]) -> tuple[Kind, tuple[str, ...]]:
    texts = sum(file.suffix.lower() == ".txt" for file in files)
    return ("text", ("each .txt file is one text",)) if texts > len(files) / 2 else ("image", ())


def _read_texts(found: list[tuple[Path, str, str | None]]) -> tuple[list[str], tuple[str, ...]]:
    texts, latin = [], 0
    for file, _, _ in found:
        content = file.read_bytes()
        try:
            texts.append(content.decode("utf-8-sig"))
        except UnicodeDecodeError:
            texts.append(content.decode("latin-1"))
            latin += 1
    return texts, (f"{latin} files are not UTF-8 and were read as latin-1",) if latin else ()
