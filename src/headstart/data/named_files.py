"""Columns that hold the names of files where texts are wanted: text files are read, others are refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from headstart.errors import DataError
from headstart.inputs.paths import as_named, is_file
from headstart.inputs.text import MOST_BYTES, read_text

TEXT_FILES = frozenset((".txt", ".text", ".md"))
# What else is often named in tables. Endings that texts have, too (.com, .net), are none.
_SOUNDS = {".wav", ".mp3", ".flac", ".ogg", ".m4a", ".aac", ".wma", ".opus"}
_FILMS = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg"}
_DOCUMENTS = {".pdf", ".doc", ".docx", ".odt", ".rtf", ".ppt", ".pptx", ".html", ".htm", ".eml", ".epub"}
_DATA = {".json", ".csv", ".npy", ".npz", ".pt", ".h5", ".mat", ".pkl", ".zip"}
_PICTURES = {".heic", ".heif", ".dcm", ".nii", ".svg", ".raw", ".dng"}
_OTHERS = frozenset(_SOUNDS | _FILMS | _DOCUMENTS | _DATA | _PICTURES)
_LONGEST = 1000  # characters of a path
_MOST_TOGETHER = 2**32  # characters of all files that a table names
_SAMPLE = 2000  # rows that are looked at


def with_files_read(
    inputs: Sequence[Any], column: str, *, base: Path | None, where: str, named: bool
) -> tuple[list[Any], list[str]]:
    """The texts of a column, where it holds names of text files those of the files, with a note that says so.

    A file that cannot be read is the error that says why, in its place.

    Args:
        base: where relative paths start. named: whether the user has named the column.

    Raises:
        DataError: names of files that are not there, or that hold no texts.
    """
    endings = [_ending(text) for text in inputs[:_SAMPLE] if text]
    texts, others = (sum(ending in kinds for ending in endings) for kinds in (TEXT_FILES, _OTHERS))
    if texts + others <= len(endings) / 2 or not endings:
        return list(inputs), []
    first = next(text for text in inputs if text and _ending(text) in TEXT_FILES | _OTHERS)
    what = f"column {column!r} holds names of files ({first})"
    if texts < others:
        if named:
            return list(inputs), [f"{where}: {what}, and the names are taken as texts themselves"]
        fix = "headstart reads texts and photos: name the column that holds them, with --text COLUMN or --image COLUMN"
        raise DataError(f"{what}, no texts", where=where, fix=fix)
    paths = [_from(text, base) if text else None for text in inputs]
    if not any(path is not None and is_file(path) for path in paths):
        raise DataError(f"{what}, and none is there", where=where, fix=f"tried {_from(first, base)}; check the paths")
    return _read(paths, where), [f"{where}: {what}: each file read as a text"]


def _ending(text: Any) -> str:
    """That of a path; empty for what is none."""
    if not isinstance(text, str) or len(text) > _LONGEST or "\n" in text:
        return ""
    return PurePath(text.strip()).suffix.lower()


def _from(text: str, base: Path | None) -> Path:
    return Path(as_named((base or Path()) / text.strip()))


def _read(paths: Sequence[Path | None], where: str) -> list[Any]:
    together, texts = 0, []
    for path in paths:
        text = "" if path is None else text_or_error(path)
        together += len(text) if isinstance(text, str) else 0
        if together > _MOST_TOGETHER:
            what = f"the files that it names have more than {_MOST_TOGETHER:,} characters"
            raise DataError(what, where=where, fix="give a part of it")
        texts.append(text)
    return texts


def text_or_error(path: Path) -> str | DataError:
    """What a text file holds; or the error that says why it cannot be read."""
    try:
        return read_text(path, most=MOST_BYTES)
    except DataError as error:
        return error
