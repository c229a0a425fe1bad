"""Columns that hold the names of files where texts are wanted: text files are read, others are refused."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath

from headstart.data.endings import OTHERS, TEXTS
from headstart.errors import DataError
from headstart.inputs.encodings import wide_encoding
from headstart.inputs.paths import as_named, is_file
from headstart.inputs.text import MOST_BYTES, decoded, lines_not_ascii, not_a_text, read_text
from headstart.storage.files import read_file

_SAMPLE = 2000  # values that tell
_LONGEST = 1000  # characters of a path
_WORDS = 3  # of a name, at most
_MOST_TOGETHER = 2**32  # characters of all files that a table names
_TELLS = 1 << 16  # bytes of texts that tell an encoding


@dataclass(frozen=True)
class TextFile:
    """A file that holds a text, in the encoding that the user named; None: found."""

    path: Path
    encoding: str | None = None

    def __str__(self) -> str:
        return str(self.path)


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
        raise DataError(f"none of the files is there that it names: {paths[0]}", where=where, fix=fix)
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
        DataError: the encoding cannot be told, or is not the one that was named; they are too large together.
    """
    contents = [_content(path, name, encoding) for path, name in zip(paths, shown, strict=True)]
    if sum(len(content) for content in contents if isinstance(content, bytes)) > _MOST_TOGETHER:
        raise DataError(f"more than {_MOST_TOGETHER:,} bytes together", where=shown[0], fix="give a part of it")
    like = _like(content for content in contents if isinstance(content, bytes))
    texts: list[str | DataError] = []
    others: Counter[str] = Counter()
    for content, name in zip(contents, shown, strict=True):
        if isinstance(content, DataError):
            texts.append(content)
            continue
        text, other = decoded(content, where=name, encoding=encoding, like=like)
        texts.append(text)
        others.update([other] if other else [])
    said = "{:,} files are not UTF-8 and were read as {}; --encoding NAME takes another"
    return texts, [said.format(n, name) for name, n in others.items()]


def text_or_error(file: TextFile) -> str | DataError:
    """What a text file holds; or the error that says why it cannot be read."""
    try:
        return read_text(file.path, file.encoding, most=MOST_BYTES)
    except DataError as error:
        return error


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


def _like(contents: Iterable[bytes]) -> bytes:
    """The first lines of all files that are not ASCII, of those that are not UTF-8: they tell the encoding of each."""
    found = b""
    for content in _not_utf8(contents):
        if len(found) >= _TELLS:
            break
        found += lines_not_ascii(content) + b"\n"
    return found[:_TELLS]


def _not_utf8(contents: Iterable[bytes]) -> Iterator[bytes]:
    for content in contents:
        if not content.isascii() and wide_encoding(content) is None:
            try:
                content.decode("utf-8")
            except UnicodeDecodeError:
                yield content
