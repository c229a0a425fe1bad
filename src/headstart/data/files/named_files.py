"""Text files that are named in a column or given together: which names are such, and what the files hold."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath

from headstart.data.files.endings import OTHERS, TEXTS
from headstart.errors import DataError
from headstart.inputs.encodings import encoding_among
from headstart.inputs.paths import as_named, is_file
from headstart.inputs.text import MOST_BYTES, decoded, lines_not_ascii, not_a_text, not_utf8
from headstart.storage.files import read_file

_SAMPLE = 2000  # values that tell
_LONGEST = 1000  # characters of a path
_WORDS = 3  # of a name, at most
_MOST_TOGETHER = 2**32  # bytes of all files that a table names
_TELLS = 1 << 16  # bytes of texts that tell an encoding
_FILES = 64  # that they are from, about


@dataclass(frozen=True)
class TextFile:
    """A file, and the text that it holds; or the error that says why it holds none."""

    path: Path
    text: str | DataError


def file_names(values: Iterable[str | None]) -> str | None:
    """The ending that most values have, where nearly all look like names of files that are no photos; None: they do
    not."""
    some = list(islice((value.strip() for value in values if value and value.strip()), _SAMPLE))
    endings = Counter(ending for ending in map(_ending, some) if ending in TEXTS or ending in OTHERS)
    names = sum(len(value.split()) <= _WORDS for value in some)
    return endings.most_common(1)[0][0] if endings and endings.total() >= 0.9 * len(some) <= 1.8 * names else None


def read_named(
    names: Sequence[str | None], base: Path, *, where: str, encoding: str | None = None
) -> tuple[list[str | DataError], list[str]]:
    """What the text files hold that a column names, and notes; where there is none, the error that says so.

    Args:
        base: what relative names start from. where: the table. encoding: as the user named it.

    Raises:
        DataError: none of them is there, or their encoding cannot be told.
    """
    paths = [os.path.join(base, (name or "").strip().replace("\\", "/")) for name in names]
    there = [bool(name and name.strip()) and is_file(Path(path)) for name, path in zip(names, paths, strict=True)]
    if not any(there):
        fix = "--image-root FOLDER says where the files lie; --text COLUMN takes another column"
        first = next((path for path, name in zip(paths, names, strict=True) if name and name.strip()), paths[0])
        raise DataError(f"none of the files is there that it names: {first}", where=where, fix=fix)
    full = ["" if not name or not name.strip() else path for name, path in zip(names, paths, strict=True)]
    return read_texts(full, shown=paths, encoding=encoding)


def read_texts(
    paths: Sequence[str], *, shown: Sequence[str], encoding: str | None = None
) -> tuple[list[str | DataError], list[str]]:
    """What text files hold that belong together, and notes; where one cannot be read, the error that says why.

    Args:
        paths: an empty one has an empty text. shown: what to call each.
        encoding: as the user named it; None: the one that all of them have that are not UTF-8.

    Raises:
        DataError: the encoding cannot be told, or none is of the one that was named; they are too large together.
    """
    contents = _contents(paths, shown, encoding)
    texts, notes = _texts(contents, shown, encoding, None if encoding else _encoding(contents, shown))
    odd = next((text for text in texts if isinstance(text, DataError)), None)
    if encoding and odd is not None and not any(isinstance(text, str) for text in texts):
        raise odd
    return texts, notes


def text_files(paths: Sequence[Path], encoding: str | None = None) -> tuple[list[TextFile], list[str]]:
    """Files that are asked about together, read as `read_texts` reads those of a fit, and notes: where the encoding
    cannot be told, that is the error of each that is not UTF-8.

    Raises:
        DataError: they are too large together.
    """
    shown = [str(path) for path in paths]
    contents, other = _contents(shown, shown, encoding), None
    try:
        other = None if encoding else _encoding(contents, shown)
    except DataError as error:
        contents = [
            DataError(error.what, where=name, fix=error.fix)
            if isinstance(content, bytes) and not_utf8(content)
            else content
            for content, name in zip(contents, shown, strict=True)
        ]
    texts, notes = _texts(contents, shown, encoding, other)
    return [TextFile(path, text) for path, text in zip(paths, texts, strict=True)], notes


def _contents(paths: Sequence[str], shown: Sequence[str], encoding: str | None) -> list[bytes | DataError]:
    contents: list[bytes | DataError] = []
    together = 0
    for path, name in zip(paths, shown, strict=True):
        content = _content(path, name, encoding)
        together += len(content) if isinstance(content, bytes) else 0
        if together > _MOST_TOGETHER:
            raise DataError(f"more than {_MOST_TOGETHER:,} bytes together", where=shown[0], fix="give a part of it")
        contents.append(content)
    return contents


def _texts(
    contents: Sequence[bytes | DataError], shown: Sequence[str], encoding: str | None, other: str | None
) -> tuple[list[str | DataError], list[str]]:
    """What the files hold, and notes on the encoding: of those that are not UTF-8, the `other`."""
    texts: list[str | DataError] = []
    others: Counter[str] = Counter()
    for content, name in zip(contents, shown, strict=True):
        try:
            if isinstance(content, DataError):
                raise content
            text, found = decoded(content, where=name, encoding=encoding, other=other)
        except DataError as error:
            texts.append(error)
            continue
        texts.append(text)
        others.update([found] if found else [])
    said = "{:,} files are not UTF-8 and were read as {}; --encoding NAME takes another"
    return texts, [said.format(n, name) for name, n in others.items()]


def _ending(name: str) -> str:
    """That of a path; empty for what is none."""
    return "" if len(name) > _LONGEST or "\n" in name else PurePath(name.replace("\\", "/")).suffix.lower()


def _content(path: str, shown: str, encoding: str | None) -> bytes | DataError:
    try:
        content = read_file(as_named(path), most=MOST_BYTES) if path else b""
    except FileNotFoundError:
        return DataError(f"no such file: {shown}", where=shown)
    except OSError as error:
        return DataError(error.strerror or str(error), where=shown)
    reason = "" if encoding else not_a_text(content)
    return DataError(reason, where=shown) if reason else content


def _encoding(contents: Sequence[bytes | DataError], shown: Sequence[str]) -> str | None:
    """The encoding of all files that are not UTF-8, by lines of files from the first to the last; None: all are.

    Raises:
        DataError: it cannot be told.
    """
    both = zip(contents, shown, strict=True)
    others = [(c, place, name) for c, name in both if isinstance(c, bytes) and (place := not_utf8(c))]
    if not others:
        return None
    lines = b""
    for content, _, _ in others[:: max(1, len(others) // _FILES)]:
        lines += lines_not_ascii(content) + b"\n"
        if len(lines) >= _TELLS:
            break
    _, place, name = others[0]
    return encoding_among(lines, where=name, place=place)
