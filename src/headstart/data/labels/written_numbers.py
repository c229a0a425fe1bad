"""Numbers as people write them: with a currency, a percent sign or a unit, a comma, or something between thousands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from headstart.data.labels.values import Cell, as_text

_CODES = "USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RON|RUB|BRL|MXN|ZAR|TRY|KRW|Rs\\.?"
_CURRENCY = rf"(?:[A-Z]{{0,3}}[$€£¥₹₽₩₺₫₴₦฿₱₪]|{_CODES})"
_SPACE = "[ \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}]"
_BETWEEN = "(?:[,.'\N{RIGHT SINGLE QUOTATION MARK}]|" + _SPACE + ")"
_DIGITS = rf"[0-9]{{1,3}}(?:{_BETWEEN}[0-9]{{3}})+(?:[.,][0-9]+)?|[0-9]+(?:\.[0-9]*|,[0-9]+)?|[.,][0-9]+"
_WRITTEN = re.compile(
    rf"[+\N{{MINUS SIGN}}-]?{_SPACE}?(?:{_CURRENCY}{_SPACE}?)?[+\N{{MINUS SIGN}}-]?(?P<digits>{_DIGITS})"
    rf"(?:[eE][+-]?[0-9]+)?{_SPACE}?(?:{_CURRENCY}|(?P<unit>%|‰|°[A-Z]?|[^\W\d_]{{1,4}}[²³]?))?"
)
PLAIN = re.compile(r"[+\N{MINUS SIGN}-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
CODE = re.compile(r"[+-]?0\d+", re.ASCII)  # a postcode, or an article's number
_ENDINGS = frozenset(("s", "st", "nd", "rd", "th", "d"))  # 1990s, 1st, 2d: names
_MOSTLY = 0.8  # share of the cells that are numbers once their signs are gone
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}", re.ASCII)
_BELOW = re.compile(r"[+-]?\d{1,3}", re.ASCII)


def like_number(text: str) -> bool:
    """Whether a text is a number, perhaps with signs that belong to it: $12.99, 1,245, 22.4%, 12 EUR, 3,5."""
    match = _WRITTEN.fullmatch(text.strip())
    return match is not None and not CODE.fullmatch(text.strip()) and (match["unit"] or "").lower() not in _ENDINGS


def signs_of_numbers(cells: Sequence[Cell]) -> int | None:
    """The first row whose number has signs beside it, in a column that is mostly numbers once these are gone.

    None where no cell has them, or the units differ: 5a, 6b and 6c are names.
    """
    count = counted(cells, _text)
    like = {text for text in count if like_number(text)}
    signed = {text for text in like if not PLAIN.fullmatch(text)}
    units = {unit.lower() for text in signed if (unit := _unit(text))}
    if not signed or len(units) > 1 or sum(count[text] for text in like) < _MOSTLY * count.total():
        return None
    return next(row for row, cell in enumerate(cells) if _text(cell) in signed)


def numbers_as_classes(cells: Sequence[Cell]) -> Counter[str]:
    """How often each number occurs in a column of nothing but numbers, mostly plain or with signs; else empty."""
    count = counted(cells, _text)
    plain = all(PLAIN.fullmatch(text) and not CODE.fullmatch(text) for text in count)
    return count if plain or signs_of_numbers(cells) is not None else Counter()


def perhaps_thousands(cells: Sequence[Cell]) -> str | None:
    """A number of those whose point may stand between thousands: all have three digits after it, or no point.

    None where a fraction of another length, a leading zero or a whole number of four digits says otherwise, or no whole
    number is there: 4.474 and 18.542 alone are measurements.
    """
    found, whole = None, False
    for text in filter(None, map(_text, cells)):
        if _THOUSANDS.fullmatch(text):
            found = found or text
        elif not _BELOW.fullmatch(text):
            return None
        else:
            whole = True
    return found if whole else None


def counted(cells: Sequence[Cell], text_of: Callable[[Cell], str | None]) -> Counter[str]:
    """How often each text that is not empty occurs, in the order in which they come; of equal cells one is looked at.

    Args:
        text_of: a cell -> its text.
    """
    if set(map(type, cells)) != {str}:  # True and 1 are equal, and are other texts
        return Counter(filter(None, map(text_of, cells)))
    count: Counter[str] = Counter()
    for cell, times in Counter(cells).items():
        if text := text_of(cell):
            count[text] += times
    return count


def _text(cell: Cell) -> str | None:
    if isinstance(cell, tuple):
        cell = cell[0] if len(cell) == 1 else None
    return (cell if type(cell) is str else as_text(cell) or "").strip() or None


def _unit(text: str | None) -> str:
    match = _WRITTEN.fullmatch(text or "")
    return (match["unit"] or "") if match else ""
