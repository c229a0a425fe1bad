"""Columns that nobody named, whose cells are no texts though they are written as such: pictures, numbers, ids."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import islice

from headstart.data.columns.names import ABOUT, words_of
from headstart.data.files.endings import TEXTS as TEXT_FILES
from headstart.data.files.named_files import file_names
from headstart.errors import DataError

_TELL = 50  # values that tell what pictures are written as
_MOST_SHOWN = 30  # characters of a cell
_SAVED = "save the pictures as files and name these in the column, or keep their bytes in a Parquet file"
_CALLED_PICTURES = re.compile(r"(?:.*[\W_])?(?:image|img|photo|picture|pixel)s?(?:[\W_](?:data|bytes|values))?")
_WRITTEN = (  # and what they are
    (
        re.compile(r"(?:\{\s*['\"]bytes['\"]\s*:\s*)?b['\"](?:\\x89PNG|\\xff\\xd8|GIF8|RIFF|BM|II\*|MM)"),
        "bytes of pictures",
    ),
    (re.compile(r"<PIL\.|\{\s*['\"](?:bytes|path)['\"]\s*:"), "pictures as Python prints them"),
    (
        re.compile(r"data:image/|(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR|SUkqA|TU0AK)[A-Za-z0-9+/=\s]{40}"),
        "pictures in base64",
    ),
)
_NUMBERS = re.compile(r"[\[(][\s\[(]*[-\d][\d\s.,\[\]()eE+-]*")
_HEXADECIMAL = re.compile(r"(?=.*\d)[0-9a-fA-F]{8}[0-9a-fA-F-]*")
_DIGITS = re.compile(r"\d+")
_ADDRESS = re.compile(r"[^\W\d_]\.[^\W\d_]|@|//")  # of a site, a person: what is in it may say what it is
_FEW_FORMS = 0.5  # of different names, at most, once the digits in them are left aside


def refuse_written_pictures(columns: Mapping[str, Sequence[str | None]], where: str) -> None:
    """Raises DataError where the cells of a column are what became of pictures as they were written into a table."""
    for name, values in columns.items():
        some = _some(values)
        for form, held in _WRITTEN:
            if some and 2 * sum(form.match(value) is not None for value in some) > len(some):
                what = f"column {name!r} holds {held} ({_shown(some[0])}), which are not read"
                raise DataError(what, where=where, fix=f"{_SAVED}; --text COLUMN takes another column as the text")


def refuse_no_texts(name: str, values: Sequence[str | None], where: str) -> None:
    """Raises DataError where nothing but its length makes a column the text, and its cells are no texts."""
    some = _some(values)
    anyway = f"--text {shlex.quote(name)} takes it as the text all the same"
    if some and 2 * sum(_NUMBERS.fullmatch(value[:200]) is not None for value in some) > len(some):
        what = f"column {name!r} holds lists of numbers ({_shown(some[0])}), and a text or a picture is wanted"
        raise DataError(what, where=where, fix=f"of pixels: {_SAVED}; {anyway}")
    if _CALLED_PICTURES.fullmatch(name.strip().lower()):
        what = f"column {name!r} is called as pictures are, and holds neither these nor names of files"
        what += f" ({_shown(some[0])})" if some else ""
        fix = f"--image {shlex.quote(name)} --image-root FOLDER says where the photos lie; {anyway}"
        raise DataError(what, where=where, fix=fix)
    if _are_ids(values) or _are_about(name, values):
        what = f"no column of texts: {name!r} holds ids or names of what is elsewhere ({_shown(some[0])})"
        fix = f"{anyway}; --image {shlex.quote(name)} --image-root FOLDER where it names photos"
        raise DataError(what, where=where, fix=fix)


def _are_ids(values: Sequence[str | None]) -> bool:
    """Whether all are single words that differ in their digits: v_12_c01, IMG_0001, hashes."""
    present = [value.strip() for value in values if value and value.strip()]
    different = set(present)
    if len(different) < 2 or any(len(value.split()) > 1 for value in different):
        return False
    if file_names(present) in TEXT_FILES or not all(map(_DIGITS.search, different)):
        return False
    if all(_ADDRESS.search(value) for value in different):
        return False
    forms = {_DIGITS.sub("0", value) for value in different}
    return len(forms) <= _FEW_FORMS * len(different) or all(map(_HEXADECIMAL.fullmatch, different))


def _are_about(name: str, values: Sequence[str | None]) -> bool:
    """Whether a column that is called like something about the examples holds single words that recur: authors."""
    present = [value.strip() for value in values if value and value.strip()]
    single = bool(present) and all(len(value.split()) == 1 for value in present)
    return single and 2 * len(set(present)) <= len(present) and bool(ABOUT.intersection(words_of(name)))


def _some(values: Sequence[str | None]) -> list[str]:
    return list(islice((value.strip() for value in values if value and value.strip()), _TELL))


def _shown(value: str) -> str:
    return f"{value[:_MOST_SHOWN]}..." if len(value) > _MOST_SHOWN else value
