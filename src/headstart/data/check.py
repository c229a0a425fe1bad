"""What is wrong with the examples, before anything is learned from them."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from headstart.data.duplicates import HASH_WORDS, equal_pairs, group, near_pairs, perceptual_hash
from headstart.data.excerpts import excerpts
from headstart.data.known import KnownImages
from headstart.errors import DataError
from headstart.inputs.image import open_image, read_bytes
from headstart.inputs.text import normalised_hash, whole_characters
from headstart.values import Dataset, Finding

_HASH_SIDE = 32  # pixels; enough for a 16 x 16 hash, and lets the JPEG decoder stop at 1/8
_CHUNK = 256, 128 * 2**20  # images, and bytes of theirs, in memory at a time; as many again are read meanwhile
_TASK = 256, 4 * 2**20  # that a thread reads at a time: handing over a small file takes longer than reading it
_TEXTS_OF_A_CLASS = 3  # at least, that are no piece of one another


def check(
    dataset: Dataset,
    *,
    known: KnownImages | None = None,
    purpose: Literal["fit", "evaluate", "predict"] = "fit",
    workers: int = 2,
    advance: Callable[[int], None] = lambda _: None,
) -> Dataset:
    """Leave out what cannot be used, group what is (nearly) the same, and say so example by example.

    Args:
        dataset: as it was read.
        known: perceptual hashes of images seen before, by content; read and added to.
        purpose: an example without a label is of no use to "fit" and "evaluate"; a class of one example or a single
            class are of no use to "fit".
        workers: decoding threads.
        advance: told how many more examples have been looked at.

    Returns:
        The usable examples with `digests`, `groups` and `findings` set. Nothing is dropped without a finding;
        duplicates, and texts that are cut from another, are grouped, not dropped.

    Raises:
        DataError: nothing usable is left, or fewer than two classes.
    """
    known = KnownImages() if known is None else known
    kind = dataset.kind
    rejected = list(dataset.findings)
    keep = _labelled(dataset, rejected) if purpose != "predict" else list(range(len(dataset)))
    if kind == "image":
        keep, digests, hashes = _look_at_images(dataset, keep, rejected, known, workers, advance)
    else:
        keep, digests, hashes = _look_at_texts(dataset, keep, rejected)
        advance(len(dataset))
    if purpose == "fit":
        keep, rows = _enough_of_each(dataset, keep, rejected)
        digests, hashes = digests[rows], hashes[rows]
    usable = replace(_take(dataset, keep), digests=digests)
    if purpose == "fit":
        _refuse_hopeless(usable, rejected)
    same = equal_pairs(digests)
    near = near_pairs(hashes) if kind == "image" else equal_pairs(hashes)
    twins = group(len(keep), np.concatenate([same, near]))
    groups, pieces = _with_excerpts(usable, twins) if (kind, purpose) == ("text", "fit") else (twins, [])
    conflicts = _conflicts(usable, twins) if purpose != "predict" else []
    return replace(usable, groups=groups, findings=(*rejected, *_duplicates(usable, twins, same), *pieces, *conflicts))


def _labelled(dataset: Dataset, rejected: list[Finding]) -> list[int]:
    keep = []
    for row, label in enumerate(dataset.labels):
        if label is None or not label.strip():
            rejected.append(Finding("missing-label", dataset.where[row], "no label", rejected=True))
        elif label != whole_characters(label):  # it could not be written down
            reason = f"half a character in its label {label!a}"
            rejected.append(Finding("damaged-label", dataset.where[row], reason, rejected=True))
        else:
            keep.append(row)
    return keep


def _look_at_images(
    dataset: Dataset,
    rows: list[int],
    rejected: list[Finding],
    known: KnownImages,
    workers: int,
    advance: Callable[[int], None],
) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Hash every file, decode those whose content is new from the same bytes; in chunks, so that memory stays bounded.

    The next chunk is read while this one is decoded.
    """

    def attempt(work: Callable[..., Any], row: int, *read: Any) -> Any:
        try:
            return work(dataset.inputs[row], *read)
        except DataError as error:
            reason = error.what
        except OSError as error:
            reason = error.strerror or str(error)
        except MemoryError:
            reason = "not enough memory to read it"
        return Finding("unreadable", dataset.where[row], reason, rejected=True)

    def name(part: list[int]) -> list[Any]:
        return [attempt(_named, row) for row in part]

    sizes = {row: _size(dataset.inputs[row]) for row in rows}
    look = partial(attempt, _hash)
    keep: list[int] = []
    digests = np.empty((len(rows), 32), dtype=np.uint8)
    hashes = np.empty((len(rows), HASH_WORDS), dtype=np.uint64)
    chunks = _parts(rows, sizes, *_CHUNK)
    with ThreadPoolExecutor(workers) as pool:
        ahead = pool.map(name, _parts(chunks[0], sizes, *_TASK)) if chunks else iter(())
        for number, chunk in enumerate(chunks):
            named = dict(zip(chunk, chain.from_iterable(ahead), strict=True))
            read = {row: there for row, there in named.items() if not isinstance(there, Finding)}
            found: dict[int, Any] = {**known.find({row: digest for row, (digest, _) in read.items()})}
            new = [row for row in read if row not in found]
            looked = pool.map(look, new, *zip(*(read[row] for row in new), strict=True)) if new else iter(())
            if number + 1 < len(chunks):
                ahead = pool.map(name, _parts(chunks[number + 1], sizes, *_TASK))
            found |= dict(zip(new, looked, strict=True))
            for row in chunk:
                seen = found.get(row, named[row])
                if isinstance(seen, Finding):
                    rejected.append(seen)
                    continue
                digests[len(keep)], hashes[len(keep)] = np.frombuffer(read[row][0], np.uint8), seen
                keep.append(row)
            known.put({read[row][0]: found[row] for row in new if not isinstance(found[row], Finding)})
            advance(len(chunk))
    known.keep()
    return keep, digests[: len(keep)], hashes[: len(keep)]


def _parts(rows: list[int], sizes: dict[int, int], most: int, most_bytes: int) -> list[list[int]]:
    """The rows in their order, at most so many and so many bytes together; a larger one alone."""
    parts: list[list[int]] = []
    filled = 0
    for row in rows:
        if not parts or len(parts[-1]) == most or filled + sizes[row] > most_bytes:
            parts.append([])
            filled = 0
        parts[-1].append(row)
        filled += sizes[row]
    return parts


def _size(source: Any) -> int:
    """Bytes of a file; 0 of what is in memory, and of what cannot be read, which is said when that is tried."""
    try:
        return os.stat(source).st_size if isinstance(source, str | Path) else 0
    except (OSError, ValueError):
        return 0


def _named(source: Any) -> tuple[bytes, bytes | None]:
    """The sha256 of an image's bytes; and these, if it is a file, to be decoded without reading it again."""
    content = read_bytes(source)
    return hashlib.sha256(content).digest(), content if isinstance(source, str | Path) else None


def _hash(source: Any, _: bytes, content: bytes | None) -> np.ndarray:
    return perceptual_hash(open_image(source, content=content, near=_HASH_SIDE))


def _look_at_texts(
    dataset: Dataset, rows: list[int], rejected: list[Finding]
) -> tuple[list[int], np.ndarray, np.ndarray]:
    keep: list[int] = []
    digests, hashes = bytearray(), bytearray()
    for row in rows:
        text: Any = dataset.inputs[row]
        if text is None or not str(text).strip():
            rejected.append(Finding("blank-text", dataset.where[row], "no text", rejected=True))
            continue
        digests += hashlib.sha256(str(text).encode("utf-8", "surrogatepass")).digest()
        hashes += normalised_hash(str(text))
        keep.append(row)
    as_rows = np.frombuffer(bytes(digests), np.uint8).reshape(-1, 32), np.frombuffer(bytes(hashes), np.uint8)
    return keep, as_rows[0], as_rows[1].reshape(-1, 16)


def _enough_of_each(dataset: Dataset, keep: list[int], rejected: list[Finding]) -> tuple[list[int], list[int]]:
    """Drop classes with one example: it cannot be both learned from and tested on."""
    count = Counter(dataset.labels[row] for row in keep)
    enough, rows = [], []
    for position, row in enumerate(keep):
        label = dataset.labels[row]
        if count[label] < 2:
            reason = f"the only usable example of class {label!r}; a class needs at least two"
            rejected.append(Finding("tiny-class", dataset.where[row], reason, rejected=True))
        else:
            enough.append(row)
            rows.append(position)
    return enough, rows


def _refuse_hopeless(dataset: Dataset, rejected: list[Finding]) -> None:
    reasons = "; ".join(f"{f.where}: {f.reason}" for f in rejected[:3] if f.rejected)
    seen = f" Left out: {reasons}." if reasons else ""
    if len(dataset) == 0:
        raise DataError(f"no usable example.{seen}", where=dataset.name, fix="look at the files or rows named above")
    if len(dataset.classes) < 2:
        raise DataError(
            f"one class {dataset.classes[0]!r}, and a classifier needs at least two.{seen}",
            where=dataset.name,
            fix="add examples of another class (a folder or a label of its own)",
        )


def _duplicates(dataset: Dataset, twins: np.ndarray, same: np.ndarray) -> list[Finding]:
    identical = set(same[:, 1].tolist())
    found = []
    for row, first in enumerate(twins.tolist()):
        if row == first:
            continue
        kind, words = ("duplicate", "identical to") if row in identical else ("near-duplicate", "nearly the same as")
        found.append(
            Finding(kind, dataset.where[row], f"{words} {dataset.where[first]}; kept on one side of the split")
        )
    return found


def _with_excerpts(dataset: Dataset, twins: np.ndarray) -> tuple[np.ndarray, list[Finding]]:
    """The groups with texts that are cut from others in them, but for those of a class that is of too few texts then
    (sentences of one document, say): both sides of a split have to be made of something."""
    y, cut = dataset.y, excerpts([str(text) for text in dataset.inputs], twins)
    same = np.column_stack([np.arange(len(y)), twins])
    before, after = (_texts_of_each(y, groups) for groups in (twins, group(len(y), np.concatenate([same, cut]))))
    apart = (after < np.minimum(before, _TEXTS_OF_A_CLASS))[y[cut[:, 0]]]
    found = []
    for (row, source), alone in zip(cut.tolist(), apart.tolist(), strict=True):
        why = f"class {dataset.labels[row]!r} is of too few texts to keep both" if alone else "kept"
        reason = f"a piece of {dataset.where[source]}; {why} on one side of the split"
        found.append(Finding("excerpt", dataset.where[row], reason))
    return group(len(y), np.concatenate([same, cut[~apart]])), found


def _texts_of_each(y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(n_classes,) in how many groups each class is."""
    return np.bincount(np.unique(np.column_stack([y, groups]), axis=0)[:, 0])


def _conflicts(dataset: Dataset, twins: np.ndarray) -> list[Finding]:
    found = []
    for row, first in enumerate(twins.tolist()):
        mine, other = dataset.labels[row], dataset.labels[first]
        if mine != other:
            reason = f"labelled {mine!r}, but {dataset.where[first]} is (nearly) the same and labelled {other!r}"
            found.append(Finding("conflicting-labels", dataset.where[row], reason))
    return found


def _take(dataset: Dataset, rows: list[int]) -> Dataset:
    if len(rows) == len(dataset):
        return dataset
    pick = [*rows]
    parts = None if dataset.parts is None else [dataset.parts[row] for row in pick]
    return replace(
        dataset,
        inputs=[dataset.inputs[row] for row in pick],
        labels=[dataset.labels[row] for row in pick],
        where=[dataset.where[row] for row in pick],
        parts=parts,
    )
