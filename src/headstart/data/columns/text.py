"""Columns of texts: what they look like, what a cell of one says, and what a table of nothing else is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from headstart.data.columns.label import are_dates
from headstart.data.columns.names import words_of
from headstart.data.labels.values import ATOMS, as_text, plain, shown
from headstart.errors import DataError, shortened, some_of

_WORDS = 4  # of a text, on average, from which a column is one of texts
SHORT = 2  # of a title, of what may be a text as well
_DIFFERENT = 0.5  # share of its values, at least
_QUESTIONS = frozenset(("qas", "question"))  # names in SQuAD's rows within rows
_ROWS = 'write one row an example, such as {"text": "...", "label": "..."}, or columns text and label'


def holds_texts(values: Sequence[str | None], *, least: int = _WORDS) -> bool:
    """Whether a column is one of texts: several words each, at `least` so many, and mostly different; no dates."""
    present = [value for value in values if value and value.strip()]
    words = sum(len(value.split()) for value in present)
    several = bool(present) and words >= least * len(present) and len(set(present)) >= _DIFFERENT * len(present)
    return several and not are_dates(present)


def by_last_word(names: Sequence[str], wanted: tuple[str, ...]) -> str | None:
    """The only one of some names that ends so: short_description, reviewText."""
    found = [name for name in names if words_of(name)[-1:] and words_of(name)[-1] in wanted]
    return found[0] if len(found) == 1 else None


def refuse_unlabelled(
    sample: Mapping[str, Sequence[str | None]], cells: Mapping[str, Sequence[Any]], where: str
) -> None:
    """Raises DataError where all columns hold texts: no name that is typed helps."""
    texts = len(sample) > 1 and all(map(holds_texts, sample.values()))
    if texts and all(no_text(cells[name]) is None for name in sample):
        what = f"each column holds texts, and none the labels: {some_of([*map(repr, sample)])}"
        raise DataError(what, where=where, fix=f"name a label with --label COLUMN; or {_ROWS}")


def in_words(value: Any) -> str | None:
    """What a cell says: of a list of texts, as of tokens, all of them with spaces between; of UTF-8's bytes the text.

    Anything else is what `as_text` makes of it; of a cell that is no text (`no_text`) that is good to guess by alone.
    """
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    members = _members(value)
    return as_text(value) if members is None else " ".join(members)


def no_text(column: Sequence[Any]) -> int | None:
    """The place of the first cell that is no text and would be learned from as Python prints it; None: all are texts.

    It holds values of its own, an object, or a list of others than texts, or bytes that are not UTF-8.
    """
    if set(map(type, column)) <= ATOMS:
        return None
    return next((at for at, cell in enumerate(column) if type(cell) not in ATOMS and _holds_values(cell)), None)


def refuse_no_text(names: Sequence[str], cells: Mapping[str, Sequence[Any]], where: str | Callable[[int], str]) -> None:
    """Raises DataError about the first cell of columns of texts that is no text.

    Args:
        where: the table, in which only a first cell that is none speaks of the column; or the name of a row.
    """
    for name in names:
        at = no_text(cells[name])
        if at is None or (isinstance(where, str) and any(cell is not None for cell in cells[name][:at])):
            continue
        cell = cells[name][at]
        what = f"column {name!r} holds {shortened(shown(cell), 60)}: a {type(cell).__name__}, and a text is wanted"
        place = where if isinstance(where, str) else where(at)
        fix = f"{_ROWS}; --text COLUMN takes another column"
        if _are_questions(cell):
            what, fix = f"{what}: questions about texts", f"SQuAD's JSON is learned with --task answering; or {_ROWS}"
        raise DataError(what, where=place, fix=fix)


def _are_questions(cell: Any) -> bool:
    """Whether it is a paragraph of SQuAD's JSON with its questions, or a list of such."""
    rows = _listed(cell) or [cell]
    return isinstance(rows[0], Mapping) and bool(_QUESTIONS.intersection(rows[0]))


def lists_joined(names: Sequence[str], cells: Mapping[str, Sequence[Any]], where: str) -> list[str]:
    """A note on each column of texts whose cells are lists of texts."""
    lists = [n for n in names if any(type(one) not in ATOMS and len(_members(one) or ()) > 1 for one in cells[n])]
    return [f"{where}: column {name!r} holds lists, whose texts are joined with spaces into one" for name in lists]


def _holds_values(cell: Any) -> bool:
    if isinstance(cell, bytes | bytearray):
        return bytes(cell).decode("utf-8", "ignore").encode() != bytes(cell)
    return isinstance(cell, Mapping | Set) or (_listed(cell) is not None and _members(cell) is None)


def _listed(cell: Any) -> list[Any] | None:
    found = None if isinstance(cell, str | Mapping | Set) else plain(cell)
    return found if isinstance(found, list) else None


def _members(cell: Any) -> list[str] | None:
    """The texts that a list of nothing else holds."""
    found = _listed(cell)
    if found is None:
        return None
    texts = [member for member in found if member is not None]
    return texts if all(isinstance(member, str) for member in texts) else None
