"""From a cell that holds a label to what a task learns, or a refusal in words; and what a column of them looks like."""

from __future__ import annotations

import ast
import io
import json
import math
import re
import tokenize
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from headstart.data.files.accents import composed
from headstart.data.labels.cells import is_one_hot, label_cells
from headstart.data.labels.indicators import indicator_columns
from headstart.data.labels.values import Cell, Scalar, as_text, cell_of, shown
from headstart.data.labels.written_numbers import CODE, PLAIN, counted, like_number
from headstart.errors import DataError

__all__ = [
    "Cell",
    "almost_numbers",
    "as_class",
    "as_labels",
    "as_number",
    "as_text",
    "indicator_columns",
    "is_one_hot",
    "label_cells",
    "looks_like_label_sets",
    "looks_like_numbers",
    "of_one_label",
    "other_separator",
    "says_none",
    "separator_in_places",
    "separator_of",
    "separator_seen",
]

SEPARATORS = ("|", ";", ",")
_OTHERS = ("/", "\n", "\t", "#", "&", "+")  # that are used too, and stand within names as well
_MOST_WRITTEN = 10_000  # characters of a list as Python writes it
_BRACKETED = re.compile(r"\[.*\]|\(.*\)|\{.*\}|set\(\)", re.DOTALL)
_SIDE_BY_SIDE = re.compile(r"['\"]\s+['\"]")  # as numpy writes texts
_NONE = re.compile(r"\[\s*\]|\(\s*\)|\{\s*\}|set\(\)")  # an empty list, written down
_DIGITS_ONLY = re.compile(r"[\d\s/&+#-]+")  # dates and fractions
_REMEMBERED = 1 << 14  # labels
_MANY_DIGITS = 1e16
_FEWEST_WHOLE = 10  # different whole numbers that are numbers and no classes


def as_class(cell: Cell, *, where: str = "label") -> str | None:
    """The one class of an example, without space around it: 1 and 1.0 are "1", true is "true", blank or [] is missing.

    A text that writes down a list of one label, such as "['spam']", is that label.

    Raises:
        DataError: several labels.
    """
    if not isinstance(cell, tuple):
        text = _stripped(cell)
        return text if text is None or text[-1] not in "])}" else _only_one(text) or text
    classes = _classes(cell)
    if len(classes) > 1:
        fix = "one label an example; or learn several with --task multilabel"
        raise DataError(f"{len(classes)} labels: {shown(list(classes))}", where=where, fix=fix)
    return classes[0] if classes else None


def as_labels(cell: Cell, *, separator: str | None = None, where: str = "label") -> tuple[str, ...] | None:
    """The labels of an example, each once, in their order; (): it is said to have none; None: nothing is said.

    A text may be a list as JSON, Python or numpy write it, which a separator does not split. A blank text is missing,
    and so is a list of nothing but blank texts and nulls.

    Raises:
        DataError: a text that starts out as a list and cannot be read as one.
    """
    if cell is None or isinstance(cell, tuple):
        return None if cell is None else _labels(cell)
    text = _stripped(cell)
    if text is None or not isinstance(cell, str):
        return (() if says_none(cell) else None) if text is None else (text,)
    written = _written(text)
    if written is not None:
        members = cell_of(written, where=where)
        return None if members is None else _labels(members if isinstance(members, tuple) else (text,))
    if _meant_as_list(text):
        raise DataError(f"{shown(text)} is no list that can be read", where=where, fix='write it as ["one", "other"]')
    return _labels(tuple(text.split(separator))) if separator else (text,)


def as_number(cell: Cell, *, where: str = "label") -> float | None:
    """The number that an example has; a blank text is missing.

    Raises:
        DataError: no number, or an infinite one, or one whose comma may mean this or that.
    """
    if isinstance(cell, tuple):
        if len(cell) > 1:
            raise DataError(f"{len(cell)} values: {shown(list(cell))}", where=where, fix="one number an example")
        cell = cell[0] if cell else None
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    number = _number(cell)
    if number is not None:
        return number
    what = str(as_text(cell)) if isinstance(cell, bool) else shown(cell)
    if isinstance(cell, str) and "," in cell and _number(cell.replace(",", "")) is not None:
        fix = "write 1234.5: a point before the fraction, and nothing between thousands"
        raise DataError(f"{what} has a comma", where=where, fix=fix)
    if isinstance(cell, bool):
        raise DataError(f"{what} is no number", where=where, fix="give numbers, or learn true and false as classes")
    fix = "write the number alone, such as 3.5, and leave the cell empty where there is none"
    raise DataError(f"{what} is no {'finite ' if not isinstance(cell, str) else ''}number", where=where, fix=fix)


def separator_of(cells: Sequence[Cell]) -> str | None:
    """Which of "|", ";" and "," stands between labels in texts; None where none does.

    It does where a tenth of the rows or more have several values, most rows hold nothing but values that other texts
    hold too, in other company, and one of the values is not in the same place in all texts. Sentences have commas
    between what does not recur; "New York, USA" recurs as a whole only, as its city does nowhere else; in "red, large"
    and "blue, small", or in paths of a taxonomy, each value has its place; 3,5 and 1,234 are numbers.
    """
    texts = _texts(cells)
    return next((separator for separator in SEPARATORS if _separates(separator, texts)), None)


def separator_in_places(cells: Sequence[Cell]) -> str | None:
    """The same where each value may have its place: "card; urgent", "parcel; urgent" beside "card" and "parcel".

    So it is where somebody says that there are several labels; else they may be classes of two words.
    """
    texts = _texts(cells)
    return next((separator for separator in SEPARATORS if _separates(separator, texts, in_places=True)), None)


def other_separator(cells: Sequence[Cell]) -> tuple[str, int] | None:
    """What else seems to stand between labels, and the first row with several; None: nothing does.

    It is another sign than `SEPARATORS`, or one of these where each value has its place. Names have spaces: one does
    only where an empty list is among the cells, or words are put together in more ways than there are words.
    """
    if separator_of(cells) is not None:
        return None
    texts = _texts(cells)
    spaces = any(map(says_none, cells)) or _like_tags(texts)
    for separator in (*SEPARATORS, *_OTHERS, *(" " if spaces else "")):
        having = {text for text in texts if separator in text}
        in_places = separator in SEPARATORS
        if not all(map(_DIGITS_ONLY.fullmatch, having)) and _separates(separator, texts, in_places=in_places):
            several = {text for text in having if len(_pieces(text, separator)) > 1}
            return separator, next(row for row, cell in enumerate(cells) if _text(cell) in several)
    return None


def says_none(cell: Cell) -> bool:
    """Whether it is an empty list, as text too: the example has no label, which is said."""
    return cell == () or (isinstance(cell, str) and _class_in(cell) is None and not cell.isspace() and cell != "")


def separator_seen(cells: Sequence[Cell], separator: str) -> str:
    """What speaks for a separator, for a note. Of texts that write a list down, such as [], it says nothing."""
    split = [_pieces(text, separator) for cell in cells if (text := _text(cell)) and _written(text) is None]
    several, different = sum(len(pieces) > 1 for pieces in split), {piece for pieces in split for piece in pieces}
    return f"{several} of {len(split)} labels have {separator!r} between {len(different)} different ones"


def looks_like_numbers(cells: Sequence[Cell]) -> str:
    """Words for a note where a column is numbers to predict; "" where it is not.

    All that are not missing are numbers, as text too, and one has a fraction, or ten or more differ and most occur
    once. Stars, 0 and 1 and years recur, so they are classes; 007 is a code.
    """
    present = [cell[0] if isinstance(cell, tuple) and len(cell) == 1 else cell for cell in cells]
    count: Counter[float] = Counter()
    for cell in present:
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            continue
        number = _number(cell)
        if number is None or (isinstance(cell, str) and CODE.fullmatch(cell.strip())):
            return ""
        count[number] += 1
    once = sum(times == 1 for times in count.values())
    if any(not number.is_integer() for number in count):
        how = "with fractions"
    elif len(count) >= _FEWEST_WHOLE and once * 2 > count.total():
        how = "of which most occur once"
    else:
        return ""
    return f"{count.total()} numbers from {_brief(min(count))} to {_brief(max(count))}, {how}"


def _brief(number: float) -> str:
    """As it is written, but for one of more digits than anyone counts."""
    return f"{number:g}" if abs(number) >= _MANY_DIGITS else str(as_text(number))


def almost_numbers(cells: Sequence[Cell]) -> int | None:
    """The first row that is no number in a column that would be numbers to predict without it and its like.

    None where one in ten or more are none.
    """
    none = [row for row, cell in enumerate(cells) if cell not in (None, "", ()) and _number(cell) is None]
    if not none or 10 * len(none) >= len(cells):
        return None
    others = set(none)
    return none[0] if looks_like_numbers([c for row, c in enumerate(cells) if row not in others]) else None


def looks_like_label_sets(cells: Sequence[Cell]) -> str:
    """Words for a note where most that are not missing are lists of labels, as text too; "" where they are not.

    Label Studio writes {"choices": ["a", "b"]} into a CSV where somebody chose several, and the name alone for one.
    """
    present = [cell for cell in cells if cell is not None and cell != ""]
    lists = [cell for cell in present if isinstance(cell, tuple) or _is_list(cell)]
    if len(lists) * 2 <= len(present) and not any(map(_of_choices, lists)):
        return ""
    example = max(lists[:100], key=lambda cell: len(cell) if isinstance(cell, tuple) else str(cell).count(","))
    return f"{len(lists)} of {len(present)} labels are lists, such as {shown(example)}"


def of_one_label(cell: Cell) -> bool:
    """Whether it is a list of one label or none, as text too."""
    if isinstance(cell, tuple):
        return len(cell) < 2
    return isinstance(cell, str) and (says_none(cell) or (_writes_list(cell) and _only_one(cell.strip()) is not None))


def _labels(cells: Sequence[Any]) -> tuple[str, ...] | None:
    """Those that are no blank text; None where all of several are."""
    labels = _classes(cells)
    return labels if labels or not cells else None


def _classes(cells: Sequence[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for cell in cells if (text := as_class(cell)) is not None))


@lru_cache(_REMEMBERED)  # labels recur, and each is looked at in many ways
def _class_in(text: str) -> str | None:
    text = composed(text.strip())
    return None if not text or _NONE.fullmatch(text) else text


def _stripped(cell: Scalar | None) -> str | None:
    return _class_in(cell if type(cell) is str else as_text(cell) or "")


@lru_cache(_REMEMBERED)
def _only_one(text: str) -> str | None:
    """The label that a text writes down as a list of one."""
    found = _written(text)
    members = list(found) if isinstance(found, list | tuple | set) else []
    return _stripped(members[0]) if len(members) == 1 and isinstance(members[0], str) else None


def _text(cell: Cell) -> str | None:
    return None if isinstance(cell, tuple) else _stripped(cell)


def _texts(cells: Sequence[Cell]) -> Counter[str]:
    """How often each text occurs that writes no list down."""
    return Counter({text: n for text, n in counted(cells, _text).items() if not _BRACKETED.fullmatch(text)})


@lru_cache(_REMEMBERED)
def _number_in(text: str) -> float | None:
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    return float(text) if PLAIN.fullmatch(text) else None


def _number(cell: Any) -> float | None:
    """None: none, or not a finite one."""
    if isinstance(cell, str):
        cell = _number_in(cell)
    if cell is None or isinstance(cell, bool | tuple):
        return None
    try:
        number = float(cell)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _is_list(cell: Cell) -> bool:
    return isinstance(cell, str) and _writes_list(cell)


def _of_choices(cell: Cell) -> bool:
    return isinstance(cell, str) and cell.lstrip().startswith("{") and '"choices"' in cell


@lru_cache(_REMEMBERED)
def _writes_list(text: str) -> bool:
    return isinstance(_written(text.strip()), list | tuple | set)


def _written(text: str) -> Any:
    """The list, or the dict, that a text writes down, or the list in {"choices": [...]}; None where it does neither.

    In round and curly brackets are texts only: "(1, 2)" may be a range.
    """
    if not _BRACKETED.fullmatch(text):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = _literal(text)
    if isinstance(found, dict) and set(found) == {"choices"}:
        found = found["choices"]
    if isinstance(found, tuple | set) and not all(isinstance(member, str) for member in found):
        return None
    return found if isinstance(found, list | tuple | set | dict) else None


def _meant_as_list(text: str) -> bool:
    """Like [a, b], which R and YAML write, or [0 1], as numpy does; but "[spam]" is a label."""
    inside = text[1:-1]
    if not text.startswith("[") or not text.endswith("]") or "[" in inside or "]" in inside:
        return False
    parts = inside.split()
    return any(sign in inside for sign in ",'\"") or (len(parts) > 1 and all(map(PLAIN.fullmatch, parts)))


def _literal(text: str) -> Any:
    if len(text) > _MOST_WRITTEN:
        return None
    try:
        with warnings.catch_warnings():  # of escapes that Python does not know
            warnings.simplefilter("ignore")
            found = ast.literal_eval(text)
            texts = isinstance(found, list) and all(isinstance(member, str) for member in found)
            if not texts or not _SIDE_BY_SIDE.search(text):
                return found
            # ['a' 'b'] is two texts to numpy, which has no commas, and one to Python
            tokens = tokenize.generate_tokens(io.StringIO(text).readline)
            return [ast.literal_eval(token.string) for token in tokens if token.type == tokenize.STRING]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, tokenize.TokenError):
        return None


def _pieces(text: str, separator: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(piece for part in text.split(separator) if (piece := part.strip())))


def _like_tags(texts: Counter[str]) -> bool:
    """Whether there are more texts than words in them: names have words of their own."""
    if not any(" " in text for text in texts):
        return False
    return len({frozenset(text.split()) for text in texts}) > len({word for text in texts for word in text.split()})


def _separates(separator: str, texts: Counter[str], *, in_places: bool = False) -> bool:
    """What `separator_of` says of one; `in_places`: each value may have its place."""
    having = [text for text in texts if separator in text]
    if not having or (separator == "," and all(map(like_number, having))):
        return False
    wholes: Counter[tuple[str, ...]] = Counter()
    for text, times in texts.items():
        wholes[_pieces(text, separator)] += times
    company = Counter(piece for pieces in wholes for piece in pieces)
    if sum(times for pieces, times in wholes.items() if len(pieces) > 1) * 10 < wholes.total():
        return False
    recurring = sum(n for pieces, n in wholes.items() if pieces and all(company[piece] > 1 for piece in pieces))
    places = defaultdict(set)
    for pieces in wholes:
        for place, piece in enumerate(pieces):
            places[piece].add(place)
    return recurring * 2 > wholes.total() and (in_places or any(len(found) > 1 for found in places.values()))
