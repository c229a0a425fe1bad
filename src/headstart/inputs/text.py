"""Texts for a comparison that ignores case, spacing and punctuation, and in batches of similar length."""

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
from headstart.storage.files import read_file

MOST_BYTES = 40_000_000  # of a text that is one example
MOST_CONTEXT = 256 * 2**20  # bytes of a text that an answer is looked for in: two hundred of the longest novels

_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_WORDS = re.compile(r"[\W_]+")


def read_text(path: Path, *, most: int = MOST_CONTEXT) -> str:
    """A text file as it stands: places in it stay what they are, line ends too. A byte order mark is no character.

    Raises:
        DataError: not there, no regular file, too large, not readable, no text, or not UTF-8.
    """
    try:
        content = read_file(path, most=most)
    except OSError as error:
        fix = "name a text file, or - for what comes through a pipe"
        raise DataError(error.strerror or str(error), where=str(path), fix=fix) from None
    return decoded(content, where=str(path))


def read_stream(stream: TextIO | None) -> str:
    """Standard input as `read_text` reads a file.

    Raises:
        DataError: closed, unreadable, too large, no text, or not UTF-8.
    """
    where = "standard input"
    try:
        content = b"" if stream is None else stream.buffer.read(MOST_CONTEXT + 1)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {error}", where=where, fix="name a file instead") from None
    if len(content) > MOST_CONTEXT:
        raise DataError(f"more than {MOST_CONTEXT:,} bytes", where=where, fix="give a part of it")
    return decoded(content, where=where)


def not_a_text(content: bytes) -> str:
    """Why the bytes of a file are none that a text has; empty: they are."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16; save it as UTF-8"
    return "not a text file" if b"\0" in content[:4096] else ""


def decoded(content: bytes, *, where: str) -> str:
    """The text in a file's bytes, as `read_text`. Another encoding is not guessed: a wrong guess looks like a text.

    Raises:
        DataError: no text, or not UTF-8.
    """
    if b"\0" in content[:4096]:
        raise DataError("not a text file", where=where, fix="save it as plain text (UTF-8)")
    text = content.removeprefix(codecs.BOM_UTF8)
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        place = f"byte 0x{text[error.start]:02x} at {len(content) - len(text) + error.start}"
        line = text.count(b"\n", 0, error.start) + 1
        raise DataError(f"not UTF-8: {place}, line {line}", where=where, fix="save it as UTF-8") from None


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
