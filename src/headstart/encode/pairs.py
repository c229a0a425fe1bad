"""Features of the rows of a dataset: of inputs one by one, or of pairs of texts and how they differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from headstart.backbone import Backbone, Features, Matrix
from headstart.encode.encode import encode
from headstart.encode.long_texts import encode_long
from headstart.progress import told_of
from headstart.storage.columns import taken
from headstart.storage.matrix import room_for
from headstart.values import Dataset

PARTS = 4  # of a pair's features, each as wide as a text's
_BLOCK = 4096  # rows


def encode_inputs(
    dataset: Dataset,
    rows: np.ndarray,
    backbone: Backbone,
    *,
    by: Callable[..., Features] = encode,
    advance: Callable[[int], None] = lambda _: None,
) -> Features:
    """Features of each input; of long texts by windows, where the backbone reads them so. by: `encode`, or its like."""
    if backbone.config.get("windows"):
        return encode_long(dataset, rows, backbone, by=by, advance=advance)
    everything = len(rows) == len(dataset)
    inputs = dataset.inputs if everything else taken(dataset.inputs, rows)
    return replace(by(inputs, dataset.checked_digests[rows], backbone, advance=advance), rows=rows)


def encode_pairs(
    dataset: Dataset,
    rows: np.ndarray,
    backbone: Backbone,
    *,
    by: Callable[..., Features] = encode,
    advance: Callable[[int], None] = lambda _: None,
) -> Features:
    """Features of pairs of texts: |u - v|, u * v and, at a quarter, u and v themselves; each text is encoded once.

    The comparison says how far the texts are apart; u and v, in which order they stand, without which a premise could
    not be told from its hypothesis. At their full size they cost two points where examples are few, at a quarter next
    to nothing (docs/log/2026-11-tasks.md). A backbone that was tuned on pairs reads both as one sequence instead.

    Source: Conneau et al., Supervised Learning of Universal Sentence Representations, EMNLP 2017, section 3.1 (how two
    texts are compared); Reimers and Gurevych, Sentence-BERT, EMNLP 2019.
    """
    if backbone.config.get("pair"):
        return encode_inputs(dataset, rows, backbone, by=by, advance=advance)
    pairs = [dataset.inputs[row] for row in rows.tolist()]
    place: dict[str, int] = {}
    which = np.array([[place.setdefault(str(text), len(place)) for text in pair] for pair in pairs])
    digests = b"".join(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in place)
    told = told_of(len(rows), of=len(place), advance=advance)
    each = by(list(place), np.frombuffer(digests, np.uint8).reshape(-1, 32), backbone, advance=told)
    known = round(len(rows) * each.cached / max(1, len(place)))
    return Features(_compared(each.matrix, which), each.key, known, rows)


def _compared(matrix: Matrix, which: np.ndarray) -> Matrix:
    """(n, 4 d) float32, from the features of all texts and (n, 2) which of them each pair is of."""
    everything, d = matrix[:], matrix.shape[1]
    out = room_for(len(which), PARTS * d)
    for start in range(0, len(which), _BLOCK):
        here = slice(start, min(start + _BLOCK, len(which)))
        u, v = everything[which[here, 0]], everything[which[here, 1]]
        out[here] = compare(u, v)
    return out


def compare(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Features of pairs of texts, from those of the one and of the other. The model card has this very code."""
    return np.concatenate([u / 4, v / 4, np.abs(u - v), u * v], axis=1)
