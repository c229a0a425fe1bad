"""Confidence as a fit measures it, on examples that the model had not learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from headstart.adapt import near_duplicates
from headstart.adapt.basis import Basis, fit_basis
from headstart.adapt.lesson import Adapted, HeldOutputs
from headstart.backbone import Features
from headstart.confidence.confidence import Confidence, Reference
from headstart.encode.encode import encode_rows, of_rows
from headstart.evaluate.conformal import promised, rank_of
from headstart.evaluate.out_of_scope import (
    KEPT,
    NEAREST,
    WAYS,
    Known,
    Scope,
    Unsure,
    chosen,
    normalised,
    scaled,
)
from headstart.session import Session
from headstart.storage.matrix import take
from headstart.values import Dataset

MOST_HELD = 100_000  # held-out examples that are kept
MOST_ROWS, MOST_BYTES = 4096, 16 * 2**20  # of the reference, in half precision
_ASKED = 2048  # examples that its threshold is taken from, at most, besides those of a frozen reference itself
_FEWEST_TUNED = 256  # that are encoded with a tuned model, whatever the time
_TIME = 0.5  # of what is left, to encode them in
_TRIED, _TRIED_CLASSES = 1000, 64  # examples, and classes, that ways of telling strangers are compared on
_MANY = 10  # classes from which how sure the answer is tells something of strangers


def measure(dataset: Dataset, adapted: Adapted, session: Session) -> Confidence:
    """What the model will say of how sure it is, in a step of its own."""
    with session.step("confidence", shown=False):
        found = _of_held(dataset, adapted)
        if not dataset.task.learner.encodes or not len(adapted.rows):
            return found
        frozen = adapted.method == "probe"
        some = _frozen(dataset, adapted) if frozen else _tuned(dataset, adapted, session)
        scope = _scope(some, found, adapted)
        reference = Reference(some.x[some.mine].astype(np.float16), some.rows[some.mine], some.y[some.mine])
        found = replace(found, scope=scope, reference=reference)
        if scope is None:
            return found
        result = {
            "method": scope.method,
            "threshold": round(scope.threshold, 6),
            "kept": KEPT,
            "near_auroc": None if scope.near_auroc is None else round(scope.near_auroc, 6),
            "reference": len(some.mine),
            "of": len(adapted.rows),
        }
        if some.tuned and dataset.task.certainty.one_class:
            result["unmeasured"] = "the model was tuned on all classes"
        return replace(found, summary={**found.summary, "out_of_scope": result})


def _of_held(dataset: Dataset, adapted: Adapted) -> Confidence:
    """What held-out examples say of how sure answers are, without anything of strangers."""
    certainty, held = dataset.task.certainty, adapted.calibration
    if certainty.held is None or held is None or not len(held.rows):
        return Confidence(summary={"held_out": 0, "out_of_scope": None})
    if len(held.rows) > MOST_HELD:
        some = np.linspace(0, len(held.rows) - 1, MOST_HELD).astype(np.int64)
        held = HeldOutputs(held.rows[some], held.outputs[some])
    rows, groups = held.rows, None if dataset.clusters is None else dataset.clusters[held.rows]
    weights = dataset.weights_of(rows)
    kept = certainty.held(adapted.head, held.outputs, dataset.y[rows], dataset.checked_digests[rows], groups, weights)
    result = {"held_out": len(rows), **certainty.summary(adapted.head, kept, held.outputs), "out_of_scope": None}
    return Confidence(kept, summary=result)


@dataclass(frozen=True)
class _Some:
    """Examples with their features: of some that were learned from, the reference; and others to hold beside it."""

    dataset: Dataset
    rows: np.ndarray  # (n,) of the dataset, ascending
    features: Features  # of these
    y: np.ndarray  # (n,) int32 strata: classes, where there are any
    mine: np.ndarray  # (m,) which of them are the reference
    asked: np.ndarray  # (k,) which of them the threshold is taken from
    tuned: bool  # whether the features were made by learning from the reference, and from all its classes
    basis: Basis | None = None  # of such features; None: it is not known yet

    @cached_property
    def x(self) -> np.ndarray:
        """(n, d) of length 1."""
        return normalised(self.features.matrix[:])

    @cached_property
    def groups(self) -> np.ndarray:
        """(n,) as when folds are made: what shows the same is no neighbour that says anything."""
        groups = self.dataset.checked_groups[self.rows]
        if not self.dataset.modality.look_alikes:
            return groups
        basis = self.basis or fit_basis(take(self.features.matrix, spread(self.y, _TRIED)))
        return near_duplicates.join(near_duplicates.directions(basis, self.features.matrix), self.y, groups, at_least=2)


def _frozen(dataset: Dataset, adapted: Adapted) -> _Some:
    """Some thousand of what was learned from: those of the reference, class by class, and others. The features know
    nothing of any, so all of them say what new ones will be like."""
    known = _features(adapted)
    rows = adapted.rows if known.rows is None else np.intersect1d(adapted.rows, known.rows)
    mine = spread(dataset.strata[rows], _room(known))
    both = np.union1d(mine, _drawn(np.setdiff1d(np.arange(len(rows)), mine)))
    rows, everything = rows[both], np.arange(len(both))
    y = dataset.strata[rows].astype(np.int32)
    reference, basis = np.searchsorted(both, mine), adapted.basis
    return _Some(dataset, rows, of_rows(known, rows), y, reference, everything, tuned=False, basis=basis)


def _tuned(dataset: Dataset, adapted: Adapted, session: Session) -> _Some:
    """Of a tuned backbone, which has drawn what it was tuned on together and apart by class: that is the reference, and
    new ones are like the test part, of which the inputs are looked at and no label. Of the training part no example may
    be left that it was not tuned on: where examples are few, a last run learns from all of them."""
    known = _features(adapted)
    reference = adapted.rows[spread(dataset.strata[adapted.rows], min(_room(known), _in_time(known, session)))]
    others = _drawn(np.setdiff1d(adapted.rows if known.rows is None else known.rows, adapted.rows))
    rows = np.union1d(reference, others)
    with session.step("encode tuned", len(rows)) as advance:
        features = encode_rows(dataset, rows, adapted.backbone, advance=advance)
    mine, asked = np.searchsorted(rows, reference), np.searchsorted(rows, others)
    return _Some(dataset, rows, features, dataset.strata[rows].astype(np.int32), mine, asked, tuned=True)


def _features(adapted: Adapted) -> Features:
    if adapted.features is None:
        raise TypeError("what is encoded has features")
    return adapted.features


def _room(known: Features) -> int:
    """How many examples a reference has at most."""
    return min(MOST_ROWS, MOST_BYTES // (2 * known.matrix.shape[1]))


def _drawn(places: np.ndarray) -> np.ndarray:
    """Some thousand of them, ascending."""
    return np.sort(np.random.default_rng(0).permutation(places)[:_ASKED])


def _in_time(tested: Features, session: Session) -> int:
    """How many examples may be encoded with a tuned model, by what the test part took."""
    each = session.seconds.get("encode tuned", 0.0) / max(1, len(tested.matrix))
    return min(MOST_ROWS, max(_FEWEST_TUNED, int(_TIME * max(0.0, session.budget.left) / max(each, 1e-6))))


def spread(y: np.ndarray, most: int) -> np.ndarray:
    """Places, ascending, of at most so many examples: all of the small classes, as many as there is room for of the
    others."""
    if len(y) <= most:
        return np.arange(len(y))
    drawn = np.random.default_rng(0).permutation(len(y))
    _, of = np.unique(y[drawn], return_inverse=True)
    order = np.argsort(of, kind="stable")
    counts = np.bincount(of)
    place = np.empty(len(y), dtype=np.int64)  # which of its class each one is
    place[order] = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(drawn[np.argsort(place, kind="stable")[:most]])


def _unsure(rows: np.ndarray, found: Confidence, adapted: Adapted) -> np.ndarray | None:
    """(n,) 1 - the probability of the answer to each of these rows while it was held out; None: not known of all."""
    held, confidence = adapted.calibration, found.held.get("confidence")
    if held is None or confidence is None or len(held.rows) != len(confidence):
        return None
    order = np.argsort(held.rows)
    at = np.minimum(np.searchsorted(held.rows, rows, sorter=order), len(order) - 1)
    return 1 - confidence[order[at]] if np.array_equal(held.rows[order[at]], rows) else None


def _head_of(some: _Some, adapted: Adapted) -> Unsure | None:
    """How unsure a head is that learns some of `_tried` rows; None: with so few classes that tells nothing."""
    task, tried = some.dataset.task, _tried(some.y)
    of_probabilities, classes = task.probabilities, np.unique(some.y[tried])
    if not task.certainty.one_class or of_probabilities is None or len(classes) < _MANY:
        return None
    names = [adapted.head.classes[c] for c in classes]
    features = take(some.features.matrix, tried)
    basis, like = fit_basis(features), replace(adapted.head, classes=tuple(names))
    _, y = np.unique(some.y[tried], return_inverse=True)

    def ask(learn: np.ndarray, asked: np.ndarray) -> np.ndarray:
        part = Features(take(features, learn), "", 0)
        head = task.learner.family.refit(part, y[learn], basis=basis, like=like)
        return np.asarray(1 - of_probabilities(head.logits(take(features, asked))).max(axis=1))

    return ask


def _tried(y: np.ndarray) -> np.ndarray:
    """Places of the examples that ways of telling strangers are compared on."""
    classes = np.unique(y)
    some = np.random.default_rng(0).permutation(classes)[:_TRIED_CLASSES]
    there = np.flatnonzero(np.isin(y, some))
    return there[spread(y[there], _TRIED)]


def _scope(some: _Some, found: Confidence, adapted: Adapted) -> Scope | None:
    """How strangers are told, and from which score on: nineteen of twenty examples of the kind that was learned from
    are below it. None where so few of a tuned model's say no such thing."""
    method, near, unsure, asked = NEAREST, None, None, some.asked
    if some.tuned:
        if promised(len(asked), level=KEPT) < KEPT:
            return None
    elif some.dataset.task.certainty.one_class:
        unsure, tried = _unsure(some.rows, found, adapted), _tried(some.y)
        ask = None if unsure is None else _head_of(some, adapted)
        method, near = chosen(some.x[tried], some.y[tried], some.groups[tried], ask=ask)
    known = Known(some.x[some.mine], some.y[some.mine], some.groups[some.mine])
    distance = WAYS[method].held_out(known, some.x[asked], some.groups[asked])
    scope = scaled(method, distance, unsure)
    return replace(scope, threshold=_bound(scope.scores(distance, unsure)), near_auroc=near)


def _bound(scores: np.ndarray) -> float:
    """The score that so many of new examples of the same kind are not above."""
    return float(np.sort(scores)[rank_of(len(scores), KEPT) - 1])
