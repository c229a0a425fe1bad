"""Which examples are kept on one side of a split, besides those that are nearly the same."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from headstart.data.alike.equal import equal_pairs, group, groups_of_each, in_order
from headstart.data.alike.excerpts import excerpts
from headstart.data.alike.found import Remark, beside
from headstart.data.files.accents import composed
from headstart.errors import some_of
from headstart.inputs.text import normalised_hash
from headstart.storage.columns import Coded, in_blocks, mapped
from headstart.values import Dataset, Finding

_LARGEST_SHARE = 0.1  # of the pairs that may be one group: a fifth has to be taken out for the test
_NUMBER = re.compile(r"0*(\d+)(?:\.0*)?")
_TEXTS_OF_A_CLASS = 3  # at least, that are no piece of one another


def spelled_once(names: Sequence[str | None]) -> tuple[Sequence[str | None], tuple[str, ...]]:
    """Names of groups of which each is written in one way, the first, and a note on those that were in several.

    P4 and p4, 7 and 07 and 7.00, with a space or an invisible character behind them: were they two, one patient would
    be on both sides of a split; two that become one cost little.
    """
    first: dict[str, str] = {}
    once = mapped(names, lambda name: name if name is None else first.setdefault(plain_name(name), name))
    written = names.present if isinstance(names, Coded) else names
    others = sorted({name for name in written if name and name.strip() and name != first[plain_name(name)]})
    shown = [(first[plain_name(name)], name) for name in others]
    same = [composed(one) == composed(other) for one, other in shown]  # on the screen: as it is written, then
    ways = [f"{a!a} and {b!a}" if alike else f"{a!r} and {b!r}" for (a, b), alike in zip(shown, same, strict=True)]
    return once, (f"groups that are written in several ways are one each: {some_of(ways)}",) if ways else ()


def plain_name(name: str) -> str:
    """What it is apart from case, spaces, invisible characters and the form of a number."""
    seen = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) not in ("Cf", "Cc"))
    plain = " ".join(seen.casefold().split())
    number = _NUMBER.fullmatch(plain)
    return number[1] if number else plain


def as_they_are(dataset: Dataset, twins: np.ndarray) -> tuple[np.ndarray, Sequence[Finding]]:
    """Nothing but what is nearly the same."""
    return twins, ()


def by_document(dataset: Dataset, twins: np.ndarray) -> tuple[np.ndarray, Sequence[Finding]]:
    """Questions about one document, or about texts that are nearly the same."""
    passages = dataset.passages
    texts = [normalised_hash(text) for text in passages.contexts]
    names = [hashlib.blake2b(d.encode("utf-8", "surrogatepass"), digest_size=16).digest() for d in passages.documents]
    pairs = [equal_pairs(np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16)) for keys in (texts, names)]
    return group(len(texts), np.concatenate(pairs))[passages.context], ()


def by_shared_text(dataset: Dataset, twins: np.ndarray) -> tuple[np.ndarray, Sequence[Finding]]:
    """Pairs that have a text in common, else those with one first text, or one second; whichever does not put most of
    the data into one group.

    What was learned of a sentence beside one other is half known beside another. What is shared all the same is counted
    once the data are split, from `texts_of_pairs`.
    """
    n, texts = len(twins), texts_of_pairs(dataset)
    same = np.column_stack([np.arange(n), twins])
    one_side = sorted(((0,), (1,)), key=lambda sides: len(np.unique(texts[:, sides])))  # the one that recurs first
    for sides in ((0, 1), *one_side):
        joined = group(n, np.concatenate([same, *(_joined(texts[:, side]) for side in sides)]))
        if not n or np.bincount(joined).max() <= max(_LARGEST_SHARE * n, 2):
            return joined, ()
    return twins, ()


def texts_of_pairs(dataset: Dataset) -> np.ndarray:
    """(n, 2) int64 of checked pairs of texts: equal numbers are texts that are the same but for case, spaces and
    punctuation, as their sketches say.

    Raises:
        ValueError: nobody has checked the data.
    """
    if dataset.sketches is None:
        raise ValueError("this step needs a checked dataset: call check first")
    each = dataset.sketches.reshape(2 * len(dataset), -1 if len(dataset) else 1)  # a row a text: first, second, first
    order, new = in_order(each)
    numbers = np.empty(len(each), dtype=np.int64)
    numbers[order] = np.cumsum(new) - 1
    return numbers.reshape(-1, 2)


def _joined(numbers: np.ndarray) -> np.ndarray:
    """(n, 2) each row, and the first that has its number."""
    _, first, of = np.unique(numbers, return_index=True, return_inverse=True)
    return np.column_stack([first[of], np.arange(len(numbers))])


def with_excerpts(dataset: Dataset, twins: np.ndarray) -> tuple[np.ndarray, Sequence[Finding]]:
    """The groups with texts that are cut from others in them, but for those of a class that is of too few texts then
    (sentences of one document, say): both sides of a split have to be made of something."""
    y, cut = dataset.strata, excerpts(dataset.inputs, twins)
    y = y - y.min(initial=0)  # what has no target is -1, a class like any other here
    same = np.column_stack([np.arange(len(y)), twins])
    before, after = (groups_of_each(y, groups) for groups in (twins, group(len(y), np.concatenate([same, cut]))))
    apart = (after < np.minimum(before, _TEXTS_OF_A_CLASS))[y[cut[:, 0]]]
    on_one_side, targets = not dataset.in_parts, dataset.targets

    def remark(row: int, alone: int) -> Remark:
        why = f"class {targets[row]!r} is of too few texts to keep both" if alone else "kept"
        return "excerpt", "a piece of ", f"; {why} on one side of the split" if on_one_side else ""

    remarks = Coded.of(map(remark, in_blocks(cut[:, 0]), in_blocks(apart)))
    found = beside(dataset.where, cut[:, 0], cut[:, 1], remarks)
    return group(len(y), np.concatenate([same, cut[~apart]])), found
