"""A frozen backbone over many examples, once: what the store knows is not computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headstart.backbone import Backbone, Features
from headstart.encode.elsewhere import encoded_elsewhere, runner
from headstart.encode.engines import images_a_batch, open_engine, run_ready
from headstart.encode.forms import form_in
from headstart.encode.kinds import KINDS, Batch, Batching, Prepared, images_by
from headstart.encode.machine import FEW
from headstart.encode.precision import choose_precision, known_precision
from headstart.encode.store import Table, as_kept, store_folder, table
from headstart.errors import ModelError, OutputError
from headstart.inputs.augment import Views, pixels_of
from headstart.storage.matrix import take
from headstart.values import Dataset

_FLUSH = 2048  # examples between two writes to the store: what a kill may cost
_SAMPLE = 32  # examples that precision is measured on
_FLUSH_BYTES = 256 * 2**20  # of float32 rows, at most, before they are written
_TRIES = 2  # to have all rows in the store: another process may empty the cache


def encode(
    inputs: Sequence[Any],
    digests: np.ndarray,
    backbone: Backbone,
    *,
    workers: int = 2,
    advance: Callable[[int], None] = lambda _: None,
) -> Features:
    """Features of each input, from the store where they are known there.

    Args:
        inputs: image paths, PIL images or uint8 arrays; or texts.
        digests: (n, 32) uint8, sha256 of each input's own bytes.
        backbone: the frozen model.
        workers: decoding threads; they run beside the forward pass.
        advance: told how many more examples are done, known ones included.

    Returns:
        (n, width) float32 features. A second call with the same content computes nothing.
    """
    batching = batching_of(inputs, digests, backbone, workers=workers)
    precision = known_precision(backbone) or choose_precision(backbone, _sample(len(inputs), batching))
    key, in_int8 = features_key(backbone, precision), form_in(store_folder()) == "int8"
    everything = _Asked(digests, backbone, key, precision, batching, inputs=inputs, in_int8=in_int8)
    store, cached = _known(everything, advance)
    try:
        matrix = store.matrix(store.find(digests))
    except OSError:  # somebody emptied the cache just now
        store, _ = _known(everything, _nobody)
        matrix = store.matrix(store.find(digests))
    return Features(matrix, everything.key, cached)


def encode_few(
    inputs: Sequence[Any],
    digests: np.ndarray,
    backbone: Backbone,
    *,
    workers: int = 2,
    advance: Callable[[int], None] = lambda _: None,
) -> Features:
    """As `encode`, of inputs that a service is asked about one after the other: the store is not read, nor written.

    The numbers are those that it would give back.
    """
    batches = list(KINDS[backbone.kind].batching(inputs, digests, backbone, 1, workers)(np.arange(len(inputs))))
    precision = known_precision(backbone) or choose_precision(backbone, batches)
    features = np.empty((len(inputs), backbone.width), dtype=np.float32)
    for which, computed in run_ready(backbone, precision, batches):
        features[which] = finite(computed, backbone).reshape(len(which), -1)
    advance(len(inputs))
    return Features(as_kept(features), features_key(backbone, precision), 0)


def encode_afresh(dataset: Dataset, backbone: Backbone) -> np.ndarray:
    """(n, width) features of a few checked inputs, in float32 whatever the processor does faster, and not kept.

    Another implementation is compared with these.
    """
    rows = np.arange(len(dataset))
    return np.asarray(dataset.modality.encode(dataset, rows, backbone, by=_afresh).matrix[:])


def _afresh(
    inputs: Sequence[Any], digests: np.ndarray, backbone: Backbone, *, advance: Callable[[int], None]
) -> Features:
    features = np.empty((len(inputs), backbone.width), dtype=np.float32)
    for which, computed in open_engine(backbone, "f32")(batching_of(inputs, digests, backbone)(np.arange(len(inputs)))):
        features[which] = computed.reshape(len(which), -1)
    return Features(features, features_key(backbone, "f32"), 0)


def encode_rows(
    dataset: Dataset,
    rows: np.ndarray,
    backbone: Backbone,
    *,
    keep: bool = True,
    advance: Callable[[int], None] = lambda _: None,
) -> Features:
    """Features of these rows of a checked dataset, which know their rows.

    Args:
        rows: (n,) ascending; none: nothing is opened.
        keep: whether a few are looked for in the store, and kept there; many always are.
    """
    if not len(rows):
        return Features(np.empty((0, backbone.width), np.float32), "", 0, rows)
    by = encode if keep or len(rows) > FEW else encode_few
    return dataset.modality.encode(dataset, rows, backbone, by=by, advance=advance)


def of_rows(features: Features, rows: np.ndarray) -> Features:
    """The features of some of the rows that they are of."""
    places = rows if features.rows is None else np.searchsorted(features.rows, rows)
    return replace(features, matrix=take(features.matrix, places), rows=rows)


def encode_views(
    inputs: Sequence[Any],
    digests: np.ndarray,
    trunk: Backbone,
    *,
    views: Views,
    precision: str | None = None,
    half: bool = True,
    workers: int = 2,
    advance: Callable[[int], None] = lambda _: None,
) -> Activations:
    """What a frozen trunk makes of several views of each image, kept in the store in half precision.

    Args:
        inputs: as for `encode`, images only; digests: (n, 32) uint8.
        trunk: the part of a backbone below what is trained, as a backbone of its own.
        views: how many of each image, and how they differ.
        precision: "f32" or "bf16"; None: as `encode` would choose.
        half: keep them in half the bytes; else as they were computed.
        advance: told how many more views are done, known ones included. What was done stays known if it raises.
    """
    n = len(inputs)
    precision = precision or known_precision(trunk)
    if precision is None:
        precision = choose_precision(trunk, _sample(n, batching_of(inputs, digests, trunk, workers=workers)))
    key = f"{features_key(trunk, precision)} views 2{'' if half else ' in float32'}"
    dtype = None if half else np.float32
    everything = views.digests(digests)
    batching = images_by(_viewed(inputs, digests, trunk, views), size=images_a_batch(trunk), workers=workers)
    store, _ = _known(_Asked(everything, trunk, key, precision, batching, dtype), advance)
    return Activations(store, store.find(everything).reshape(views.count, n).T)


def other_views(dataset: Dataset, rows: np.ndarray, backbone: Backbone, count: int) -> np.ndarray:
    """(n, count, width) float32 features of random crops of each of these photos, in other light, not mirrored."""
    inputs, digests = [dataset.inputs[row] for row in rows.tolist()], dataset.checked_digests[rows]
    made = encode_views(inputs, digests, backbone, views=Views(count + 1), half=False)
    everything = np.arange(len(rows))
    each = [made.rows(everything, np.full(len(rows), number)) for number in range(1, count + 1)]
    return np.stack(each, axis=1).astype(np.float32)


@dataclass(frozen=True)
class Activations:
    """Rows of a table, on disk: a trunk's output for each view of each example."""

    store: Table
    handles: np.ndarray  # (n, views) int64

    def rows(self, rows: np.ndarray, views: np.ndarray) -> np.ndarray:
        """(b,) example numbers and (b,) view numbers -> (b, width) as stored."""
        return self.store.rows(self.handles[rows, views])

    def __reduce__(self) -> tuple[Any, ...]:
        """Handles are of one process: another one finds the rows by their keys."""
        return _found_again, (self.store, self.store.keys(self.handles.ravel()), self.handles.shape)


def _found_again(store: Table, keys: np.ndarray, shape: tuple[int, ...]) -> Activations:
    handles = store.find(keys).reshape(shape)
    if (handles < 0).any():
        raise OutputError("rows of the store are missing", where=str(store.folder))
    return Activations(store, handles)


@dataclass(frozen=True)
class _Asked:
    """What is to be known: a function, and what it is to be known of."""

    digests: np.ndarray
    backbone: Backbone
    key: str
    precision: str
    batching: Batching
    dtype: type[np.generic] | None = None
    inputs: Sequence[Any] | None = None  # what other processes may be given; None: it is computed here
    in_int8: bool = False  # whether it is kept in a byte a number


def _known(asked: _Asked, advance: Callable[[int], None]) -> tuple[Table, int]:
    """The table of this function with a row for each of the digests, and how many it had before.

    Raises:
        OutputError: rows that were just written are gone, twice.
    """
    backbone, digests = asked.backbone, asked.digests
    about = f"{backbone.name}, {asked.precision}"
    store = table(asked.key, width=backbone.width, about=about, dtype=asked.dtype, in_int8=asked.in_int8)
    new = first_of_each(digests, np.flatnonzero(store.find(digests) < 0))
    cached = len(digests) - len(new)
    advance(cached)
    for attempt in range(_TRIES):
        if not len(new):
            if attempt:
                store.gather_many()
            return store, cached
        _compute(asked, new, store, advance)
        advance = _nobody
        store.load()
        new = first_of_each(digests, np.flatnonzero(store.find(digests) < 0))
    if not len(new):
        store.gather_many()
        return store, cached
    raise OutputError(
        "what was just written there is gone", where=str(store.folder), fix="do not empty the cache meanwhile"
    )


def _nobody(count: int) -> None:
    """Was told of these already."""


def unknown(digests: np.ndarray, backbone: Backbone) -> np.ndarray:
    """(n,) bool: which of these (n, 32) keys `encode` would have to compute; of equal ones, the first."""
    which, precision = np.arange(len(digests)), known_precision(backbone)
    if precision is not None:  # else it has never run on this machine
        store = table(features_key(backbone, precision), width=backbone.width, about=f"{backbone.name}, {precision}")
        which = np.flatnonzero(store.find(digests) < 0)
    new = np.zeros(len(digests), dtype=bool)
    new[first_of_each(digests, which)] = True
    return new


def features_key(backbone: Backbone, precision: str) -> str:
    """Names the function from bytes to features, and the precision. Not the model's name or place."""
    return f"2 {backbone.function} {precision}"


def renewed_key(saved: str, backbone: Backbone) -> str:
    """A saved head's key, in the form of today where it is one of an older form that names these features.

    The older form left the architecture and its configuration out.
    """
    precision = saved.rsplit(" ", 1)[-1]
    return features_key(backbone, precision) if saved == _first_form(backbone, precision) else saved


def _first_form(backbone: Backbone, precision: str) -> str:
    unsaid = KINDS[backbone.kind].unsaid(backbone)
    return f"1 {backbone.preparation!r} {unsaid} {backbone.weights_hash} {precision}"


def batching_of(inputs: Sequence[Any], digests: np.ndarray, backbone: Backbone, *, workers: int = 2) -> Batching:
    """How inputs become batches, as the backbone itself wants them. Arguments as for `encode`."""
    return KINDS[backbone.kind].batching(inputs, digests, backbone, images_a_batch(backbone), workers)


def _compute(asked: _Asked, rows: np.ndarray, store: Table, advance: Callable[[int], None]) -> None:
    flush = max(1, min(_FLUSH, _FLUSH_BYTES // (4 * asked.backbone.width)))
    done: list[np.ndarray] = []
    made: list[np.ndarray] = []

    def write() -> None:
        if done and len(done) == len(made):
            store.add(asked.digests[np.concatenate(done)], np.concatenate(made), of=len(rows))
        done.clear()
        made.clear()

    try:
        for which, rows_made in _made(asked, rows):
            made.append(finite(rows_made, asked.backbone).reshape(len(which), -1))
            done.append(which)
            advance(len(which))
            if sum(map(len, done)) >= flush:
                write()
    finally:  # also on Ctrl-C: what was computed is kept
        write()


def _made(asked: _Asked, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batch by batch: here; what is more than a chunk, by whoever else computes."""
    others, size = runner(), KINDS[asked.backbone.kind].chunk
    if others is None or asked.inputs is None or len(rows) <= size:
        return open_engine(asked.backbone, asked.precision)(asked.batching(rows))
    return encoded_elsewhere(asked.inputs, asked.digests, rows, asked.backbone, asked.precision, by=others, size=size)


def finite(features: np.ndarray, backbone: Backbone) -> np.ndarray:
    """The features; raises ModelError where some are no numbers."""
    if not np.isfinite(features).all():
        fix = "its weights may be damaged: fetch or save them again"
        raise ModelError("it gives features that are not numbers", where=backbone.name, fix=fix)
    return features


def _viewed(inputs: Sequence[Any], digests: np.ndarray, trunk: Backbone, views: Views) -> Prepared:
    """All views of all images as rows: the first view of each, then the second of each, and so on."""
    preparation = trunk.images

    def pixels(row: int) -> np.ndarray:
        number, i = divmod(row, len(inputs))
        return pixels_of(inputs[i], preparation, views, digest=digests[i], number=number)

    return pixels


def _sample(n: int, batching: Batching) -> list[tuple[np.ndarray, Batch]]:
    """Batches of examples spread over the data, to measure precision on."""
    return list(batching(np.unique(np.linspace(0, n - 1, min(_SAMPLE, n)).astype(np.int64))))


def first_of_each(digests: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`rows` without those whose bytes an earlier one has."""
    if not len(rows):
        return rows
    keys = np.ascontiguousarray(digests[rows]).view(np.dtype((np.void, 32))).ravel()
    return rows[np.sort(np.unique(keys, return_index=True)[1])]
