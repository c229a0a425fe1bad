"""Which column of a table holds the labels, by the last word of its name, then by its values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from headstart.data.columns.names import ABOUT, LABEL_WORDS, words_of
from headstart.data.files.part_names import names_part
from headstart.data.labels.written_numbers import like_number

_DATE = re.compile(r"\d{4}[-/]\d\d[-/]\d\d|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}|\d\d:\d\d")
_LONGEST_DATE = 40  # characters, with the time and its zone
_REPEATED = 0.5  # different values of a column of classes, at most, for each row
_NUMBERS = 0.9  # share of its values, from which a column is one of numbers, if perhaps a dirty one
_CLASSES = 1000  # at most, where nothing but the values says that they are classes

Sample = Mapping[str, Sequence[str | None]]


def called_labels(sample: Sample, taken: set[str | None]) -> list[str]:
    """The columns whose names end with a word for labels, and whose values may be some."""
    return [
        name
        for name, values in sample.items()
        if name not in taken and words_of(name)[-1:] and words_of(name)[-1] in LABEL_WORDS and _may_be_labels(values)
    ]


def like_classes(sample: Sample, taken: set[str | None]) -> list[str]:
    """The columns whose values recur as those of classes do, those first that have fewest.

    Columns that are called like something about the examples (an id, a date, an annotator) are none, but in a table
    that has nothing else beside its inputs.
    """
    found = {}
    free = [name for name, column in sample.items() if name not in taken and not numbers_rows(column)]
    for name in free:
        present = [value for value in sample[name] if value and value.strip()]
        different = len(set(present))
        if not 2 <= different <= min(_CLASSES, _REPEATED * len(present)) or any(map(_DATE.match, present[:5])):
            continue
        if len(free) == 1 or not ABOUT.intersection(words_of(name)):
            found[name] = different / len(present)
    return sorted(found, key=lambda name: found[name])


def other_column(sample: Sample, values: tuple[str, ...], *, guessed_text: bool) -> str | None:
    """Of two columns beside an index the one that is not the text, if their place alone tells, or it holds numbers."""
    two = len(sample) == 2
    others = [
        name
        for name, column in sample.items()
        if name not in values and not (numbers_rows(column) and (not two or ABOUT.intersection(words_of(name))))
    ]
    if len(values) != 1 or len(others) != 1:
        return None
    present = [value for value in sample[others[0]] if value]
    numbers = sum(is_number(value) or like_number(value) for value in present)
    return others[0] if guessed_text or (present and numbers >= _NUMBERS * len(present)) else None


def numbers_rows(values: Sequence[str | None]) -> bool:
    """Whether it is the index of a table, which pandas and R write first: the numbers of its rows, from 0 or 1."""
    return len(values) > 1 and any(
        all(value == str(n) for n, value in enumerate(values, start=first)) for first in (0, 1)
    )


def are_dates(values: Sequence[str]) -> bool:
    """Whether each begins like a date or a time, and is not much more."""
    return all(len(value) <= _LONGEST_DATE and _DATE.match(value) for value in values)


def _may_be_labels(values: Sequence[str | None]) -> bool:
    """Whether it is no constant, no name each for itself, and no part: numbers may be all different."""
    present = [value for value in values if value and value.strip()]
    different = set(present)
    numbers = sum(map(is_number, present)) >= _NUMBERS * len(present)
    ids = len(different) == len(present) and (not numbers or all(map(str.isdigit, present)))
    return len(different) > 1 and not ids and not all(map(names_part, different))


def is_number(value: str) -> bool:
    """Whether a cell is one number, as Python writes it."""
    try:
        float(value)
    except ValueError:
        return False
    return True
