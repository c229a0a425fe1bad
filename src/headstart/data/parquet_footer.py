"""What a Parquet file says of its parts, read before pyarrow is let loose on it.

pyarrow's own view of a part ends the process where the part is damaged. The footer is a struct in Thrift's compact
form: github.com/apache/parquet-format, and thrift's doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

_MOST = 2**28  # bytes of a footer
_STRUCT, _LIST, _SET, _MAP, _BINARY = 12, 9, 10, 11, 8
_FIXED = {1: 0, 2: 0, 3: 1, 7: 8, 13: 16}  # bytes of a field: true, false, a byte, a double, a UUID
_STRINGS = (6, 7)  # BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY
_DELTA_BYTE_ARRAY = 7


@dataclass(frozen=True)
class Part:
    """A column in one group of rows."""

    rows: int
    values: int  # more than rows, where a row has lists
    bytes: int  # when it is unpacked
    texts: bool
    repeats: bool  # each text may begin as the one before, at no cost
    start: int  # of its first page in the file


def parts(file: BinaryIO) -> Iterator[Part]:
    """Each column of each group of rows.

    Raises:
        ValueError: not what a Parquet file ends with.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 8))
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or length > min(size - 8, _MOST):
        raise ValueError("not the end of a Parquet file")
    file.seek(size - 8 - length)
    told, _ = _value(file.read(length), 0, _STRUCT)
    for group in told.get(4, ()):
        for column in group.get(1, ()):
            if about := column.get(3):
                yield Part(
                    rows=group.get(3, 0),
                    values=about.get(5, 0),
                    bytes=about.get(6, 0),
                    texts=about.get(1) in _STRINGS,
                    repeats=_DELTA_BYTE_ARRAY in about.get(2, ()),
                    start=min((at for at in (about.get(9), about.get(11)) if at), default=0),
                )


def dictionary_bytes(file: BinaryIO, part: Part) -> int:
    """Bytes of the values that a part may repeat at no cost; 0: it has no such dictionary."""
    if not part.start:
        return 0
    file.seek(part.start)
    head = file.read(64)
    kind, at = _field(head, 0)
    size, _ = _field(head, at)
    return size if kind == 2 else 0


def _field(head: bytes, at: int) -> tuple[int, int]:
    """A struct's next field where that is a number."""
    return _number(head, at + 1) if head[at : at + 1] == b"\x15" else (0, at)


def _number(content: bytes, at: int) -> tuple[int, int]:
    found, at = _length(content, at)
    return (found >> 1) ^ -(found & 1), at


def _length(content: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = content[at]
        at += 1
        found |= (byte & 127) << shift
        if byte < 128:
            return found, at
        shift += 7
        if shift > 70:
            raise ValueError("a number without an end")


def _value(content: bytes, at: int, kind: int) -> tuple[Any, int]:
    """A value of Thrift's kind and where the next one starts; structs by the numbers of their fields."""
    if kind in (4, 5, 6):
        return _number(content, at)
    if kind in _FIXED:
        at += _FIXED[kind]
    elif kind == _BINARY:
        length, at = _length(content, at)
        at += length
    elif kind == _STRUCT:
        return _struct(content, at)
    elif kind in (_LIST, _SET):
        return _list(content, at)
    elif kind == _MAP:
        count, at = _length(content, at)
        kinds = content[at] if count else 0
        at += bool(count)
        for _ in range(count):
            _, at = _value(content, at, kinds >> 4)
            _, at = _value(content, at, kinds & 15)
    else:
        raise ValueError(f"no kind of value: {kind}")
    if at > len(content):
        raise ValueError("cut off")
    return None, at


def _struct(content: bytes, at: int) -> tuple[dict[int, Any], int]:
    found: dict[int, Any] = {}
    number = 0
    while head := content[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _number(content, at)
        found[number], at = _value(content, at, head & 15)
    return found, at + 1


def _list(content: bytes, at: int) -> tuple[list[Any], int]:
    head = content[at]
    count, at = (head >> 4, at + 1) if head >> 4 < 15 else _length(content, at + 1)
    kind = head & 15
    if count > len(content):
        raise ValueError("cut off")
    found = []
    for _ in range(count):
        value, at = _value(content, at, 3 if kind in (1, 2) else kind)
        found.append(value)
    return found, at
