"""Texts, pairs and questions looked at one by one: can they be used, and what of them tells which are the same."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from headstart.data.alike.found import Complaint, left_out
from headstart.data.alike.known import KnownImages
from headstart.data.labels.values import absent, shown
from headstart.errors import DataError
from headstart.inputs.modality import Inspected
from headstart.inputs.text import normalised_hash
from headstart.storage.columns import Coded, in_blocks
from headstart.values import Dataset

_HASH = 16  # bytes of a text's hash


def _inspected(
    dataset: Dataset,
    rows: np.ndarray,
    *,
    complaint: Callable[[Any], Complaint | None],
    content: Callable[[Any], str],
    hashed: Callable[[Any], bytes],
    known: KnownImages,
    workers: int,
    advance: Callable[[int], None],
) -> Inspected:
    """The rows that can be used, with the digest of each one's content and its hash; findings on the others."""
    wrong, usable = dict[Complaint, int](), np.zeros(len(rows), dtype=bool)
    whose, digests, hashes = array("i"), bytearray(), bytearray()
    for place, row in enumerate(in_blocks(rows)):
        value = dataset.inputs[row]
        said = complaint(value)
        if said is not None:
            whose.append(wrong.setdefault(said, len(wrong)))
            continue
        usable[place] = True
        digests += hashlib.sha256(content(value).encode("utf-8", "surrogatepass")).digest()
        hashes += hashed(value)
    advance(len(dataset))
    keep, width = rows[usable], len(hashes) // max(1, len(digests) // 32) or _HASH
    return Inspected(
        keep,
        np.frombuffer(digests, np.uint8).reshape(-1, 32),
        np.frombuffer(hashes, np.uint8).reshape(-1, width),
        left_out(dataset.where, rows[~usable], Coded(np.frombuffer(whose, np.int32), tuple(wrong))),
    )


def _no_text(value: Any, *, blank: str = "no text") -> tuple[str, str] | None:
    """Why a value cannot be learned from as a text: kind and reason; None: it can."""
    if isinstance(value, str) and value.strip():
        return None
    if isinstance(value, DataError):  # why it could not be read
        return "unreadable", value.what
    if isinstance(value, str) or absent(value):
        return "blank-text", blank
    return "no-text", f"{shown(value)} is no text ({type(value).__name__})"


def _no_pair(value: Any) -> tuple[str, str] | None:
    """As `_no_text`, of what should be two texts."""
    if absent(value):
        return "blank-text", "no pair of texts"
    if isinstance(value, DataError):  # why it could not be read
        return "unreadable", value.what
    if not isinstance(value, tuple | list) or len(value) != 2:
        return "no-pair", f"{shown(value)} is no pair of texts ({type(value).__name__})"
    complaints = (_no_text(text, blank="a text of the pair is blank") for text in value)
    return next(filter(None, complaints), None)


def _hashes_of_both(pair: Any) -> bytes:
    return normalised_hash(pair[0]) + normalised_hash(pair[1])


def _text_and_question(pair: Any) -> str:
    return f"{pair[1]}\0{pair[0]}"


# Blank texts and what is none are left out; those that differ only in case, spacing, punctuation have one hash.
inspect_texts = partial(_inspected, complaint=_no_text, content=str, hashed=normalised_hash)
# Pairs of which a text is blank or none, too, and what is no pair; the order of the two counts.
inspect_pairs = partial(_inspected, complaint=_no_pair, content="\0".join, hashed=_hashes_of_both)
# Nothing: rows without a question or a text were left out when they were read.
inspect_passages = partial(
    _inspected,
    complaint=lambda _: None,
    content=_text_and_question,
    hashed=lambda pair: normalised_hash(_text_and_question(pair)),
)
