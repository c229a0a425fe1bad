"""Texts for a comparison that ignores case, spacing and punctuation, and in batches of similar length."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator

import numpy as np

_NOT_WORDS = re.compile(r"[\W_]+")


def normalised_hash(text: str) -> bytes:
    """16 bytes; equal for texts that differ only in case, spacing, punctuation or Unicode compatibility form.

    A text without a single letter or digit (":-)", an emoji) is compared as it stands.
    """
    plain = _NOT_WORDS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()
    return hashlib.blake2b((plain or text).encode("utf-8", "surrogatepass"), digest_size=16).digest()


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
