"""The first probe of a fit: with the names of classes, and then with a pool, each where it does no harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from headstart.adapt import near_duplicates
from headstart.adapt.auxiliary import NOTHING, Auxiliary, joined
from headstart.adapt.basis import Basis, fit_basis
from headstart.adapt.cross_validation import fit_probe
from headstart.adapt.family import Probed
from headstart.adapt.harm import with_pool, without_names
from headstart.adapt.policy import FEW, MANY
from headstart.adapt.self_training import SURE, misled
from headstart.backbone import Backbone, Features
from headstart.clock import Budget
from headstart.data.check import check
from headstart.data.unlabelled import MOST, in_order
from headstart.encode.encode import encode_rows, of_rows
from headstart.evaluate.paired_test import PairedTest
from headstart.session import Session
from headstart.values import Dataset, Finding, Split

_SHARE = 0.25  # of the time that is left, for encoding a pool
_ENOUGH_TO_TIME = 100  # new rows
_FEWEST = 100  # examples of a pool that are encoded in any case


@dataclass(frozen=True)
class Begun:
    """A probe, and what it learned from."""

    probed: Probed
    basis: Basis
    beside: Auxiliary
    notes: tuple[str, ...] = ()
    used: int = 0  # examples of the pool
    helped: bool = False  # whether these made it better where examples were held out
    cooling: float = 1.0  # by what its outputs were divided, since it was too sure of what it had learned from a pool


@dataclass(frozen=True)
class Pool:
    """A pool's features, and what was left out of it once they were known."""

    features: np.ndarray  # (m, d)
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def encoded_beside(dataset: Dataset, rows: np.ndarray, backbone: Backbone, *, views: bool = True) -> Auxiliary:
    """What is learned from beside these rows whose label is known: names of classes; crops of few photos.

    Args:
        views: whether there may be crops.
    """
    names = encoded_names(dataset, backbone)
    return replace(names, views=_encoded_views(dataset, rows, backbone)) if views else names


def encoded_names(dataset: Dataset, backbone: Backbone) -> Auxiliary:
    """The names of a dataset's classes, as the backbone of its examples encodes them; nothing where it has none."""
    words = dataset.words
    if words is None:
        return NOTHING
    nobody: list[str | None] = [None] * len(words)
    given = Dataset(dataset.task, dataset.modality, "names", inputs=words.texts, targets=nobody, where=words.texts)
    checked = check(given, purpose="predict")
    return Auxiliary(words, np.asarray(encode_rows(checked, np.arange(len(checked)), backbone).matrix[: len(checked)]))


def _encoded_views(dataset: Dataset, rows: np.ndarray, backbone: Backbone) -> dict[bytes, np.ndarray]:
    """Crops of photos of which there are few, in other light; nothing of other inputs, or where there are more."""
    views, few = dataset.modality.views, FEW.labels * len(dataset.classes)
    if views is None or not dataset.task.certainty.one_class or len(rows) >= min(few, FEW.most_viewed):
        return {}
    made = views(dataset, rows, backbone, FEW.views)
    keys = [digest.tobytes() for digest in dataset.checked_digests[rows]]
    return dict(zip(keys, made, strict=True))


def encoded_pool(dataset: Dataset, parts: Split, backbone: Backbone, features: Features, session: Session) -> Pool:
    """The examples without a label, as many of them as there is time for.

    Photos whose features say that they show the same as a test photo are left out.

    Args:
        features: of the test part, and of what is learned from.
    """
    pool, notes = dataset.pool, tuple[str, ...]()
    if pool is None:
        return Pool(NOTHING.pool)
    a_second = examples_a_second(dataset, features, session)
    most = min(MOST, max(_FEWEST, int(_SHARE * session.budget.left * a_second)))
    if len(pool) > most:
        notes = (f"{most:,} of the {len(pool):,} {dataset.modality.noun}s without a label are used",)
        pool = pool.take(np.sort(in_order(pool.checked_digests)[:most]))
    with session.step("encode unlabelled", len(pool)) as advance:
        made = encode_rows(pool, np.arange(len(pool)), backbone, advance=advance)
    matrix = np.asarray(made.matrix[: len(pool)])
    if not dataset.modality.look_alikes:
        return Pool(matrix, notes=notes)
    asked = features if parts.out_of_fold else of_rows(features, parts.test)
    basis = fit_basis(np.concatenate([asked.matrix[: len(asked.matrix)], matrix]))
    z, others = (near_duplicates.directions(basis, some) for some in (matrix, asked.matrix))
    alike = near_duplicates.same_as(z, np.zeros(len(z), np.int64), others, np.zeros(len(others), np.int64))
    rows = np.setdiff1d(np.arange(len(pool)), list(alike))
    reason = "it may show the same as one in the test part"
    findings = tuple(Finding("in-test", pool.where[row], reason, rejected=True) for row in alike)
    if findings:
        notes = (*notes, f"{len(findings):,} more of them look like one in the test part, and are left out")
    return Pool(matrix[rows], findings, notes)


def examples_a_second(dataset: Dataset, features: Features, session: Session) -> float:
    """How fast this model encodes here, as far as this fit has seen; else as models do.

    Args:
        features: that the step "encode" of the session made.
    """
    new = len(features.matrix) - features.cached
    return new / session.seconds["encode"] if new > _ENOUGH_TO_TIME else dataset.modality.per_second


def begin(
    dataset: Dataset,
    rows: np.ndarray,
    features: Features,
    *,
    beside: Auxiliary,
    seed: int,
    within: Budget,
    advance: Callable[[int], None],
) -> Begun:
    """The probe of some rows with what stands beside them.

    Args:
        features: (n_rows, d), of these rows. within, advance: as for `fit_probe`.
    """
    names, notes = replace(beside, pool=NOTHING.pool) if len(rows) <= MANY.rows else NOTHING, list[str]()

    def fitted() -> tuple[Basis, Probed]:
        both = joined(dataset, rows, features, names)
        basis = fit_basis(both.features.matrix, both.weights)
        return basis, fit_probe(
            dataset, rows, features, basis=basis, beside=names, seed=seed, within=within, advance=advance
        )

    basis, probed = fitted()
    if names.labelled:
        test = without_names(dataset, rows, features, basis=basis, probed=probed, seed=seed)
        if test.tuned_is_better:
            what = "the names of the classes" if len(names.words) else "other views of the photos"
            notes.append(f"{what} are left out: {_figures(test)}")
            names = NOTHING
            basis, probed = fitted()
    if names.views:
        notes.append(f"{FEW.views} other crops of each photo are learned from, as there are few")
    if not len(beside.pool):
        return Begun(probed, basis, names, tuple(notes))
    if misled(dataset, rows, probed):
        notes.append(f"what has no label is left out: of the {SURE:.0%} that the probe is surest of, most are wrong")
        return Begun(probed, basis, names, tuple(notes))
    both = replace(names, pool=beside.pool)
    pooled, used, test = with_pool(dataset, rows, features, basis=basis, probed=probed, beside=both, seed=seed)
    if not used:
        notes.append("what has no label is left out: there are too few to choose the surest from")
        return Begun(probed, basis, names, tuple(notes))
    if test.tuned_is_better:
        notes.append(f"what has no label is left out: {_figures(test)}")
        return Begun(probed, basis, names, tuple(notes))
    unproved = "" if test.untuned_log_loss < test.tuned_log_loss else "; so few labels do not show that it does harm"
    notes.append(f"what has no label is learned from: {_figures(test)}{unproved}")
    helped, cooling = test.untuned_log_loss < test.tuned_log_loss, pooled.head.temperature / probed.head.temperature
    return Begun(pooled, basis, both, tuple(notes), used, helped, cooling)


def _figures(test: PairedTest) -> str:
    """What the held-out examples say of the probe with it and without."""
    right = f"accuracy {test.untuned_accuracy:.3f} with it, {test.tuned_accuracy:.3f} without"
    return f"on held-out examples {right}, log loss {test.untuned_log_loss:.3f} and {test.tuned_log_loss:.3f}"


def counts(dataset: Dataset, pool: Pool, *, used: int, helped: bool | None) -> dict[str, int | bool | None] | None:
    """What JSON says of a pool; None: there is none."""
    if dataset.pool is None:
        return None
    before = len(dataset.pool.findings)  # that were left out when it was read
    left_out = before + len(pool.findings)
    return {"n": before + len(dataset.pool), "used": used, "helped": helped, "left_out": left_out}
