"""One text's content: from the bytes of a file or a stream, what of it is compared, and batches of similar length."""

from __future__ import annotations

import codecs
import hashlib
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from headstart.errors import DataError
from headstart.inputs.encodings import encoding_among, known_encoding, refuse_escaped, wide_encoding
from headstart.progress import note
from headstart.storage.files import read_file

MOST_BYTES = 40_000_000  # of a text that is one example
MOST_CONTEXT = 256 * 2**20  # bytes of a text that an answer is looked for in: two hundred of the longest novels

_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_WORDS = re.compile(r"[\W_]+")
_NO_SPACES = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)  # fmt: skip - Thai to Lao, Burmese, Khmer, kana, ideographs


def read_text(path: Path, encoding: str | None = None, *, most: int = MOST_CONTEXT) -> str:
    """A text file as it stands: places in it stay what they are, line ends too. A byte order mark is no character.

    Args:
        encoding: as the user named it; None: found, and said where it is not UTF-8.

    Raises:
        DataError: not there, no regular file, too large, not readable, no text, or its encoding cannot be told.
    """
    try:
        content = read_file(path, most=most)
    except OSError as error:
        fix = "name a text file, or - for what comes through a pipe"
        raise DataError(error.strerror or str(error), where=str(path), fix=fix) from None
    return _said(content, str(path), encoding)


def read_stream(stream: TextIO | None, encoding: str | None = None) -> str:
    """Standard input as `read_text` reads a file.

    Raises:
        DataError: closed, unreadable, too large, no text, or its encoding cannot be told.
    """
    where = "standard input"
    try:
        content = b"" if stream is None else stream.buffer.read(MOST_CONTEXT + 1)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {error}", where=where, fix="name a file instead") from None
    if len(content) > MOST_CONTEXT:
        raise DataError(f"more than {MOST_CONTEXT:,} bytes", where=where, fix="give a part of it")
    return _said(content, where, encoding)


def not_a_text(content: bytes) -> str:
    """Why the bytes of a file are none that a text has; empty: they are."""
    return "not a text file" if b"\0" in content[:4096] and wide_encoding(content) is None else ""


def decoded(
    content: bytes, *, where: str, encoding: str | None = None, other: str | None = None
) -> tuple[str, str | None]:
    """The text in a file's bytes, and its encoding where that is neither UTF-8 nor the one that was named.

    Args:
        other: the encoding where it is not UTF-8, as other files told it; None: found.

    Raises:
        DataError: no text, or not of the encoding that was named, or of one that cannot be told.
    """
    named = known_encoding(encoding) if encoding else None
    if named is None and not_a_text(content):
        raise DataError("not a text file", where=where, fix="save it as plain text (UTF-8)")
    found = named or wide_encoding(content) or "utf-8-sig"
    if found == "utf-8-sig" and not named:
        refuse_escaped(content, where=where)
    try:
        return content.decode(found), None if named or found == "utf-8-sig" else found
    except UnicodeDecodeError as error:
        marked = content.startswith(codecs.BOM_UTF8)
        place = _place(content, error.start + (len(codecs.BOM_UTF8) if marked else 0))
        if marked:
            raise DataError(f"not UTF-8: {place}", where=where, fix="save it as UTF-8") from None
        if named or found != "utf-8-sig":
            raise DataError(
                f"not {encoding or found}: {place}",
                where=where,
                fix="--encoding NAME takes another, or save it as UTF-8",
            ) from None
    found = other or encoding_among(lines_not_ascii(content), where=where, place=place)
    try:
        return content.decode(found), found
    except UnicodeDecodeError:
        fix = "--encoding NAME says what it is, or save it as UTF-8"
        raise DataError(f"neither UTF-8 nor {found} throughout", where=where, fix=fix) from None


def not_utf8(content: bytes) -> str:
    """Where a text is not UTF-8, in words; empty: it is, or proves to be UTF-16."""
    if content.isascii() or wide_encoding(content) is not None:
        return ""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return _place(content, error.start)
    return ""


def _place(content: bytes, at: int) -> str:
    return f"byte 0x{content[at]:02x} at {at}, line {content[:at].count(10) + 1}"


def lines_not_ascii(content: bytes) -> bytes:
    """The lines that tell an encoding."""
    return b"".join(line for line in content.splitlines(keepends=True) if not line.isascii())


def _said(content: bytes, where: str, encoding: str | None) -> str:
    text, found = decoded(content, where=where, encoding=encoding)
    if found is not None:
        note(f"{where}: not UTF-8, read as {found}; --encoding NAME takes another")
    return text


def whole_characters(text: str) -> str:
    """The text, where half a character (a lone surrogate, which no tokenizer takes) is one that stands for any."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def normalised_hash(text: str) -> bytes:
    """16 bytes; equal for texts that differ only in case, spacing, punctuation or Unicode compatibility form.

    A text without a single letter or digit (":-)", an emoji) is compared as it stands.
    """
    return hashlib.blake2b((plain_words(text) or text).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def plain_words(text: str) -> str:
    """Its letters and digits without regard to case and Unicode compatibility form, a space between words."""
    return _NOT_WORDS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def length_buckets(
    lengths: np.ndarray, *, tokens: int, most: int = 256, most_padding: int | None = None
) -> Iterator[np.ndarray]:
    """Row numbers in batches of similar length, long ones first (so that memory peaks at the start, not the end).

    Args:
        lengths: (n,) tokens of each text.
        tokens: padded tokens of a batch, at most (one text of any length is always let through).
        most: texts in a batch, at most.
        most_padding: tokens between the longest and the shortest text of a batch, at most; None: any number.
    """
    order = np.argsort(-lengths, kind="stable")
    falling = -lengths[order]
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        stop = start + max(1, min(most, tokens // longest))
        if most_padding is not None:
            stop = min(stop, int(np.searchsorted(falling, most_padding - longest, side="right")))
        yield order[start:stop]
        start = stop


def glued(character: str) -> bool:
    """Whether a character belongs to the word beside it."""
    if character.isascii():
        return character.isalnum()
    if character.isspace() or unicodedata.category(character).startswith("P"):
        return False
    return not any(low <= ord(character) <= high for low, high in _NO_SPACES)
