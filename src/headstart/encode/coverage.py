"""How much of the texts a model reads: what it cuts off, and what its tokenizer has no tokens for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from headstart.backbone import Backbone, TextPreparation
from headstart.encode.long_texts import MOST_WINDOWS
from headstart.errors import somebody_elses
from headstart.inputs.modality import Remarks
from headstart.inputs.text import whole_characters
from headstart.inputs.tokens import OPEN, counting
from headstart.storage.files import parse_json
from headstart.values import Caution, Dataset, Finding

_LOOKED_AT = 4000  # texts, spread over the data, at most: what is said are shares
_TOGETHER = 2**21  # characters that are tokenised at a time
_MOST = 10**6  # characters of a text that are counted
_WORTH_KNOWING = 0.05  # of the texts
_MOSTLY = 0.5  # of a text's tokens


@dataclass(frozen=True)
class Coverage:
    """What was found in some rows of a dataset."""

    rows: np.ndarray  # (n,) that were looked at
    tokens: np.ndarray  # (n,) of each text, special ones included; of two texts, those of the longer one
    unknown: np.ndarray  # (n,) share of its tokens that stand for characters that the tokenizer does not know


def coverage(inputs: Sequence[Any], rows: np.ndarray, backbone: Backbone) -> Coverage:
    """Of these inputs, texts or pairs of texts, or of 4,000 spread over them."""
    if len(rows) > _LOOKED_AT:
        rows = rows[np.linspace(0, len(rows) - 1, _LOOKED_AT).astype(np.int64)]
    given = [inputs[row] for row in rows.tolist()]
    if backbone.config.get("pair") or not any(isinstance(each, tuple | list) for each in given):
        return Coverage(rows, *_measured(given, backbone.texts))
    sides = [_measured([each[side] for each in given], backbone.texts) for side in (0, 1)]
    return Coverage(rows, *(np.maximum(one, other) for one, other in zip(*sides, strict=True)))


def remarks(dataset: Dataset, rows: np.ndarray, backbone: Backbone) -> Remarks:
    """What the user should know of these rows of a dataset, as `Modality.remarks`."""
    if not len(rows):
        return Remarks()
    found = coverage(dataset.inputs, rows, backbone)
    unknown = found.rows[found.unknown >= _MOSTLY].tolist()
    reason = "most of it is in characters that the model does not know"
    findings = tuple(Finding("unknown-characters", dataset.where[row], reason) for row in unknown)
    notes, cautions = _cut(dataset.modality.noun, found, backbone)
    if len(unknown) >= _WORTH_KNOWING * len(found.rows):
        are = _are(len(unknown), len(found.rows), dataset.modality.noun)
        text = f"{are} mostly in characters that the model does not know, and all alike to it: choose another --model"
        cautions = (*cautions, Caution("unknown-characters", text))
    return Remarks(findings, notes, cautions)


def _cut(noun: str, found: Coverage, backbone: Backbone) -> tuple[tuple[str, ...], tuple[Caution, ...]]:
    """That texts are longer than the model reads; a note of a few, a caution of more."""
    preparation = backbone.texts
    most = preparation.max_length * (MOST_WINDOWS if backbone.config.get("windows") else 1)
    cut = found.tokens > most
    if not cut.any():
        return (), ()
    lost, further = max(0.01, 1 - cut.sum() * most / found.tokens[cut].sum()), "another --model may read further"
    if preparation.max_length < backbone.most_tokens:
        further = f"a fit with --max-length {backbone.most_tokens} reads further"
    are = _are(int(cut.sum()), len(cut), noun)
    text = f"{are} longer than the {most:,} tokens that the model reads, and {lost:.0%} of that is cut off; {further}"
    return ((), (Caution("cut-texts", text),)) if worth_knowing(cut) else ((text,), ())


def _are(n: int, of: int, noun: str) -> str:
    looked_at = " looked at" if of == _LOOKED_AT else ""
    return f"{n:,} of {of:,} {noun}{'' if of == 1 else 's'}{looked_at} {'is' if n == 1 else 'are'}"


def worth_knowing(some: np.ndarray) -> bool:
    """(n,) bool: whether these are so many of the texts that a score depends on them."""
    return bool(some.mean() >= _WORTH_KNOWING)


def _of(n: int, noun: str, everything: int = 0) -> str:
    looked = f"the {n:,} {noun}s that were looked at" if max(n, everything) > n or n == _LOOKED_AT else f"{n:,} {noun}s"
    return looked if n != 1 else f"1 {noun}"


def _measured(texts: Sequence[Any], preparation: TextPreparation) -> tuple[np.ndarray, np.ndarray]:
    """(n,) tokens of each text, and (n,) which share of them is unknown."""
    lengths, unknown = np.zeros(len(texts), np.int64), np.zeros(len(texts))
    tokenizer, nobody = counting(preparation), _unknown_token(preparation.tokenizer)
    for some in _together(texts):
        with somebody_elses("tokenizers"):
            made = tokenizer.encode_batch_fast([_bounded(texts[i], preparation.prefix) for i in some])
        for i, encoding in zip(some, made, strict=True):
            ids, special = np.array(encoding.ids), np.array(encoding.special_tokens_mask, dtype=bool)
            lengths[i] = len(ids)
            is_unknown = ids == nobody
            unknown[i] = is_unknown.sum() / max(1, (is_unknown | ~special).sum())
    return lengths, unknown


def _bounded(text: Any, prefix: str) -> Any:
    if isinstance(text, tuple | list):
        return tuple(prefix + whole_characters(str(part)[:_MOST]) for part in text)
    return prefix + whole_characters(str(text)[:_MOST])


def _together(texts: Sequence[Any]) -> list[list[int]]:
    """Their numbers in order, so many characters at a time."""
    sizes = np.cumsum([min(_MOST, sum(map(len, t)) if isinstance(t, tuple | list) else len(str(t))) for t in texts])
    return [part.tolist() for part in np.split(np.arange(len(texts)), np.flatnonzero(np.diff(sizes // _TOGETHER)) + 1)]


@lru_cache(maxsize=OPEN)
def _unknown_token(tokenizer: str) -> int:
    """The number of the token that stands for what a tokenizer does not know; -1: it knows every byte."""
    told = parse_json(tokenizer)["model"]
    if isinstance(told.get("unk_id"), int):
        return int(told["unk_id"])
    vocabulary = told.get("vocab")
    found = vocabulary.get(told.get("unk_token")) if isinstance(vocabulary, dict) else None
    return -1 if found is None else int(found)
