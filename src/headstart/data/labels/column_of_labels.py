"""What a column of labels looks like: numbers, several labels in a cell, and what stands between these."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from headstart.data.labels.targets import (
    BRACKETED,
    is_list,
    list_in,
    number_of,
    only_one,
    says_none,
    split_at,
    text_of,
    writes_list,
)
from headstart.data.labels.values import Cell, as_text, shown
from headstart.data.labels.written_numbers import CODE, counted, like_number

SEPARATORS = ("|", ";", ",")
_OTHERS = ("/", "\n", "\t", "#", "&", "+")  # that are used too, and stand within names as well
_DIGITS_ONLY = re.compile(r"[\d\s/&+#-]+")  # dates and fractions
_MANY_DIGITS = 1e16
_FEWEST_WHOLE = 10  # different whole numbers that are numbers and no classes


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

    So it is where somebody says that there are several labels, in however few rows; else they may be classes of two
    words.
    """
    texts = _texts(cells)
    return next((separator for separator in SEPARATORS if _separates(separator, texts, said=True)), None)


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
            several = {text for text in having if len(split_at(text, separator)) > 1}
            return separator, next(row for row, cell in enumerate(cells) if text_of(cell) in several)
    return None


def made_of_others(cells: Sequence[Cell]) -> tuple[str, int, int] | None:
    """What stands between labels in texts all of whose parts are labels by themselves: it, the first such row, how many
    rows; None: there is no such text."""
    texts = _texts(cells)
    for separator in SEPARATORS:
        having = {text: split_at(text, separator) for text in texts if separator in text}
        made = {text for text, parts in having.items() if len(parts) > 1 and all(part in texts for part in parts)}
        if made:
            first = next(row for row, cell in enumerate(cells) if text_of(cell) in made)
            return separator, first, sum(texts[text] for text in made)
    return None


def separator_seen(cells: Sequence[Cell], separator: str) -> str:
    """What speaks for a separator, for a note. Of texts that write a list down, such as [], it says nothing."""
    split = [split_at(text, separator) for cell in cells if (text := text_of(cell)) and list_in(text) is None]
    several, different = sum(len(pieces) > 1 for pieces in split), {piece for pieces in split for piece in pieces}
    return f"{several} of {len(split)} labels have {separator!r} between {len(different)} different ones"


def looks_like_label_sets(cells: Sequence[Cell]) -> str:
    """Words for a note where most that are not missing are lists of labels, as text too; "" where they are not.

    Label Studio writes {"choices": ["a", "b"]} into a CSV where somebody chose several, and the name alone for one.
    """
    present = [cell for cell in cells if cell is not None and cell != ""]
    lists = [cell for cell in present if isinstance(cell, tuple) or is_list(cell)]
    if len(lists) * 2 <= len(present) and not any(map(_of_choices, lists)):
        return ""
    example = max(lists[:100], key=lambda cell: len(cell) if isinstance(cell, tuple) else str(cell).count(","))
    return f"{len(lists)} of {len(present)} labels are lists, such as {shown(example)}"


def of_one_label(cell: Cell) -> bool:
    """Whether it is a list of one label or none, as text too."""
    if isinstance(cell, tuple):
        return len(cell) < 2
    return isinstance(cell, str) and (says_none(cell) or (writes_list(cell) and only_one(cell.strip()) is not None))


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
        number = number_of(cell)
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


def almost_numbers(cells: Sequence[Cell]) -> int | None:
    """The first row that is no number in a column that would be numbers to predict without it and its like.

    None where one in ten or more are none.
    """
    none = [row for row, cell in enumerate(cells) if cell not in (None, "", ()) and number_of(cell) is None]
    if not none or 10 * len(none) >= len(cells):
        return None
    others = set(none)
    return none[0] if looks_like_numbers([c for row, c in enumerate(cells) if row not in others]) else None


def _brief(number: float) -> str:
    """As it is written, but for one of more digits than anyone counts."""
    return f"{number:g}" if abs(number) >= _MANY_DIGITS else str(as_text(number))


def _of_choices(cell: Cell) -> bool:
    return isinstance(cell, str) and cell.lstrip().startswith("{") and '"choices"' in cell


def _texts(cells: Sequence[Cell]) -> Counter[str]:
    """How often each text occurs that writes no list down."""
    return Counter({text: n for text, n in counted(cells, text_of).items() if not BRACKETED.fullmatch(text)})


def _like_tags(texts: Counter[str]) -> bool:
    """Whether there are more texts than words in them: names have words of their own."""
    if not any(" " in text for text in texts):
        return False
    return len({frozenset(text.split()) for text in texts}) > len({word for text in texts for word in text.split()})


def _separates(separator: str, texts: Counter[str], *, in_places: bool = False, said: bool = False) -> bool:
    """What `separator_of` says of one; `in_places`: each value may have its place. said: that there are several."""
    having = [text for text in texts if separator in text]
    if not having or (separator == "," and all(map(like_number, having))):
        return False
    wholes: Counter[tuple[str, ...]] = Counter()
    for text, times in texts.items():
        wholes[split_at(text, separator)] += times
    company = Counter(piece for pieces in wholes for piece in pieces)
    if not said and sum(times for pieces, times in wholes.items() if len(pieces) > 1) * 10 < wholes.total():
        return False
    recurring = sum(n for pieces, n in wholes.items() if pieces and all(company[piece] > 1 for piece in pieces))
    places = defaultdict(set)
    for pieces in wholes:
        for place, piece in enumerate(pieces):
            places[piece].add(place)
    return recurring * 2 > wholes.total() and (in_places or said or any(len(found) > 1 for found in places.values()))
