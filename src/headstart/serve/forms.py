"""A form with files (multipart/form-data), read as it comes: from memory whole, or piece by piece to where files go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from headstart.serve.refused import RefusedError

_MOST_FIELDS = 32  # besides files
_MOST_IN_A_FIELD = 64 * 2**10  # bytes
_MOST_IN_HEADERS = 8 * 2**10  # bytes of one part
FILES = "files"


@dataclass(frozen=True)
class File:
    """A file of a form."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Form:
    """What a form holds: fields by name, and the files in those that are called files."""

    fields: dict[str, str]
    files: list[File]


class Taker(Protocol):
    """Takes the bytes of one file of a form."""

    def write(self, data: bytes, /) -> object: ...


T = TypeVar("T", bound=Taker)


@dataclass
class _InMemory:
    name: str
    content: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes) -> None:
        self.content += data


def form_in(content: bytes, content_type: str, *, most_files: int) -> Form:
    """What is in a form that is there in whole.

    Raises:
        RefusedError: it is damaged, or holds more than a form of ours does.
    """
    reader = FormReader(content_type, most_files=most_files, opened=_InMemory)
    reader.write(content)
    reader.finish()
    return Form(reader.fields, [File(file.name, bytes(file.content)) for file in reader.files])


class FormReader(Generic[T]):
    """Takes a form in pieces, and gives each file's bytes on as they come.

    Its methods raise RefusedError where the form is damaged, or holds more than a form of ours does.
    """

    def __init__(self, content_type: str, *, most_files: int, opened: Callable[[str], T]) -> None:
        """opened: what takes the bytes of a file with this name."""
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise _damaged("it names no boundary")
        self._parts = _Parts(most_files, opened)
        try:
            self._parser = MultipartParser(boundary, self._parts.callbacks)
        except FormParserError:
            raise _damaged("it cannot be read") from None

    @property
    def fields(self) -> dict[str, str]:
        """Those that are there by now."""
        return self._parts.fields

    @property
    def files(self) -> list[T]:
        """Those that have begun by now."""
        return self._parts.files

    def write(self, content: bytes) -> None:
        """Take the next piece."""
        try:
            self._parser.write(content)
        except FormParserError:
            raise _damaged("it cannot be read") from None

    def finish(self) -> None:
        """Once all of it was written."""
        try:
            self._parser.finalize()
        except FormParserError:
            raise _damaged("it cannot be read") from None
        if not self._parts.ended:
            raise _damaged("it is cut off")


@dataclass
class _Parts(Generic[T]):
    """Takes the parts of a form one after the other."""

    most_files: int
    opened: Callable[[str], T]
    fields: dict[str, str] = field(default_factory=dict)
    files: list[T] = field(default_factory=list)
    ended: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _disposition: bytes = b""
    _headers: int = 0
    _data: bytearray = field(default_factory=bytearray)
    _name: str = ""
    _file: T | None = None

    @property
    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._heard(self._header, data[start:end]),
            "on_header_value": lambda data, start, end: self._heard(self._value, data[start:end]),
            "on_header_end": self._header_done,
            "on_headers_finished": self._named,
            "on_part_data": self._more,
            "on_part_end": self._end,
            "on_end": self._all,
        }

    def _begin(self) -> None:
        self._disposition, self._headers, self._data, self._name, self._file = b"", 0, bytearray(), "", None

    def _heard(self, into: bytearray, data: bytes) -> None:
        self._headers += len(data)
        if self._headers > _MOST_IN_HEADERS:
            raise _damaged("the headers of a part are too long")
        into += data

    def _header_done(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _named(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        named = options.get(b"filename")
        if named is None:
            return
        if self._name != FILES:
            raise RefusedError(400, f"a file in the field {self._name[:40]!r}", where="form", fix=f"call it {FILES}")
        if len(self.files) == self.most_files:
            fix = f"send at most {self.most_files:,} at a time"
            raise RefusedError(413, f"more than {self.most_files:,} files", where=FILES, fix=fix)
        self._file = self.opened(named.decode("utf-8", "replace"))
        self.files.append(self._file)

    def _more(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
            return
        if len(self._data) + end - start > _MOST_IN_A_FIELD:
            what = f"the field {self._name[:40]!r} has more than {_MOST_IN_A_FIELD:,} bytes"
            raise RefusedError(413, what, where="form", fix="send long texts as JSON, or as files")
        self._data += data[start:end]

    def _end(self) -> None:
        if self._file is not None:
            return
        if len(self.fields) == _MOST_FIELDS:
            raise RefusedError(413, f"more than {_MOST_FIELDS} fields", where="form", fix="see /docs")
        self.fields[self._name] = self._data.decode("utf-8", "replace")

    def _all(self) -> None:
        self.ended = True


def _damaged(how: str) -> RefusedError:
    return RefusedError(400, f"the form is damaged: {how}", where="body", fix="send multipart/form-data")
