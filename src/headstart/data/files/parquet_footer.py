"""What a Parquet file says of its parts and their pages, read before pyarrow is let loose on it.

pyarrow's own view of a part ends the process where the part is damaged, and so does writing a damaged footer anew.
Footer and page headers are structs in Thrift's compact form: github.com/apache/parquet-format, and thrift's
doc/specs/thrift-compact-protocol.md. What pyarrow could understand in another way than this is refused: a field that
comes twice, a number that is larger than its kind, and a list of other entries than Parquet has there, since Thrift
reads those that it knows without a look at their kind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

_MOST = 2**28  # bytes of a footer
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12
_BITS = {_I16: 16, _I32: 32, _I64: 64}  # of whole numbers
_FIXED = {_TRUE: 0, _FALSE: 0, _BYTE: 1, 7: 8, 13: 16}  # bytes of a field: a double is the 7, a UUID the 13
_STRINGS = (6, 7)  # BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY
_DELTA_BYTE_ARRAY = 7
_DICTIONARY, _DATA = 2, {0: 5, 3: 8}  # types of pages; of those with values, the field that says how many
_ENCODING = {0: 2, 3: 4}  # and the field within that one
_Lists = Mapping[
    int, tuple[int, Any]
]  # field -> the kind of its entries, and what lists are in these; structs likewise
_ABOUT: _Lists = {  # of a column in a group of rows
    **{number: (_STRUCT, {}) for number in (8, 13)},
    **{2: (_I32, {}), 3: (_BINARY, {}), 16: (_STRUCT, {2: (_I64, {}), 3: (_I64, {})}), 17: (_STRUCT, {2: (_I32, {})})},
}
_COLUMN: _Lists = {3: (_STRUCT, _ABOUT), 8: (_STRUCT, {2: (_STRUCT, {1: (_BINARY, {})})})}
_FOOTER: _Lists = {
    **{number: (_STRUCT, {}) for number in (2, 5, 7)},
    4: (_STRUCT, {1: (_STRUCT, _COLUMN), 4: (_STRUCT, {})}),
}
_ANY: tuple[int, _Lists] = (0, {})
_HEADS = (2**8, 2**16, 2**24)  # bytes in which the header of a page is looked for; pyarrow's own most


@dataclass(frozen=True)
class Part:
    """A column in one group of rows."""

    rows: int
    values: int  # more than rows, where a row has lists
    texts: bool
    start: int  # of its first page in the file
    column: int = 0  # which of the leaves of the schema
    size: int = 0  # bytes when unpacked, as the footer says, which binds nobody


def parts(file: BinaryIO, rows: int) -> Iterator[Part]:
    """Each column of each group of rows, where these are so many together.

    Raises:
        ValueError: not what a Parquet file ends with, or not as many rows.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 8))
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or length > min(size - 8, _MOST):
        raise ValueError("not the end of a Parquet file")
    file.seek(size - 8 - length)
    told, _ = _struct(file.read(length), 0, _FOOTER)
    groups = _found(told, 4, list)
    if sum(_count(group, 3) for group in groups) != rows:
        raise ValueError("its groups of rows have not as many as the whole")
    for group in groups:
        for number, column in enumerate(_found(group, 1, list)):
            about = _found(column, 3, dict)
            first, dictionary = _count(about, 9), about.get(11) or 0
            yield Part(
                rows=_count(group, 3),
                values=_count(about, 5),
                texts=_count(about, 1) in _STRINGS,
                start=dictionary if 0 < dictionary < first else first,
                column=number,
                size=max(0, about.get(6) or 0),
            )


def largest_value(file: BinaryIO, part: Part) -> float:
    """Bytes of a value, as its pages let the larger ones be: a page's own on average, all that it may repeat.

    What the footer says of a part's bytes binds nobody, and an average over all its pages hides the few large ones.

    Raises:
        ValueError: pages that are none, or fewer values in them than the footer says.
    """
    at, seen, most = part.start, 0, 0.0
    while seen < part.values:
        header, size = _header(file, at)
        kind, unpacked = _count(header, 1), _count(header, 2)
        if kind == _DICTIONARY:  # anywhere, and each text in it may be repeated at no cost
            most = max(most, unpacked)
        elif kind in _DATA:
            told = _found(header, _DATA[kind], dict)
            values = _count(told, 1)
            repeats = _count(told, _ENCODING[kind]) == _DELTA_BYTE_ARRAY  # a text may begin as the one before
            most = max(most, unpacked if repeats else unpacked / max(1, values))
            seen += values
        at += size + _count(header, 3)
    return most


def _header(file: BinaryIO, at: int) -> tuple[dict[int, Any], int]:
    """The header of a page, and its bytes."""
    for most in _HEADS:
        file.seek(at)
        content = file.read(most)
        try:
            return _struct(content, 0, {})
        except (IndexError, ValueError):
            if len(content) < most or most == _HEADS[-1]:
                raise ValueError(f"no page at byte {at:,}") from None
    raise AssertionError("the last is returned or raised")


def _found(struct: dict[int, Any], number: int, kind: type) -> Any:
    found = struct.get(number)
    if not isinstance(found, kind):
        raise ValueError(f"field {number} is not there, or of another kind")
    return found


def _count(struct: dict[int, Any], number: int) -> int:
    found: int = _found(struct, number, int)
    if found < 0:
        raise ValueError(f"field {number} is {found}")
    return found


def _length(content: bytes, at: int, bits: int = 31) -> tuple[int, int]:
    """A number without a sign; Thrift would cut what is larger off, and go on."""
    found = content[at]
    if found < 128:  # as most are
        return found, at + 1
    found = shift = 0
    while True:
        byte = content[at]
        at += 1
        found |= (byte & 127) << shift
        if found >> bits or shift > 63:
            raise ValueError("a number that is too large")
        if byte < 128:
            return found, at
        shift += 7


def _value(content: bytes, at: int, kind: int, lists: tuple[int, _Lists] = _ANY) -> tuple[Any, int]:
    """A value of Thrift's kind and where the next one starts; structs by the numbers of their fields."""
    if kind == _STRUCT:
        return _struct(content, at, lists[1])
    found = None
    if kind == _BINARY:
        length, at = _length(content, at)
        at += length
    elif kind in _BITS:
        number, at = _length(content, at, _BITS[kind])
        found = (number >> 1) ^ -(number & 1)
    elif kind in (_LIST, _SET):
        return _list(content, at, lists)
    elif kind in _FIXED:
        at += _FIXED[kind]
    elif kind == _MAP:
        at = _behind_map(content, at)
    else:
        raise ValueError(f"no kind of value: {kind}")
    if at > len(content):
        raise ValueError("cut off")
    return found, at


def _struct(content: bytes, at: int, lists: _Lists) -> tuple[dict[int, Any], int]:
    found: dict[int, Any] = {}
    number = 0
    while head := content[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _value(content, at, _I16)
        if number in found or number >= 2**15:
            raise ValueError(f"field {number} is there twice")
        kind, byte = head & 15, content[at]
        if kind in _BITS and byte < 128:  # as most fields are
            found[number], at = (byte >> 1) ^ -(byte & 1), at + 1
        else:
            found[number], at = _value(content, at, kind, lists.get(number, _ANY))
    return found, at + 1


def _list(content: bytes, at: int, lists: tuple[int, _Lists]) -> tuple[list[Any], int]:
    head = content[at]
    count, at = (head >> 4, at + 1) if head >> 4 < 15 else _length(content, at + 1)
    if count > len(content):
        raise ValueError("cut off")
    found, kind = [], _within(head & 15)
    if count and lists[0] not in (0, kind):
        raise ValueError(f"a list of entries of kind {kind}")
    for _ in range(count):
        value, at = _value(content, at, kind, lists)
        found.append(value)
    return found, at


def _behind_map(content: bytes, at: int) -> int:
    count, at = _length(content, at)
    if count > len(content):
        raise ValueError("cut off")
    if count:
        kinds, at = content[at], at + 1
        for _ in range(count):
            _, at = _value(content, at, _within(kinds >> 4))
            _, at = _value(content, at, _within(kinds & 15))
    return at


def _within(kind: int) -> int:
    """The kind of a value in a list or a map: there a boolean is a byte, and of a field it is the kind itself."""
    return _BYTE if kind in (_TRUE, _FALSE) else kind
