"""Sets of classes hold the true one as often as was asked, in simulated draws and as another library makes them."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.evaluate.intervals import wilson
from headstart.evaluate.prediction_sets import MANY, bar, bars, chances, nonconformity, sets

LEVEL = 0.9


def drawn(rng: np.random.Generator, n: int, n_classes: int, *, digits: int) -> tuple[np.ndarray, ...]:
    """Probabilities that are true, with many equal ones; the true classes; and a number drawn for each."""
    p = np.round(rng.dirichlet(np.full(n_classes, 8 / n_classes), n), digits) + 1e-9
    p /= p.sum(axis=1, keepdims=True)
    y = np.minimum((p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1), n_classes - 1)
    return p, y, rng.random(n).astype(np.float32)


@pytest.mark.parametrize("n", [9, 100])
@pytest.mark.parametrize("n_classes", [3, MANY + 10], ids=["LAC", "RAPS"])
def test_as_many_true_classes_as_asked_are_in_their_sets(n, n_classes):
    """Over a thousand draws, each with one new example: neither fewer nor, for all the equal scores, more."""
    rng, hits, times = np.random.default_rng(n), 0, 1000
    for _ in range(times):
        p, y, chance = drawn(rng, n + 1, n_classes, digits=1)
        scored = nonconformity(p, chance)[np.arange(n + 1), y]
        limit = bar(scored[:n], chance[:n], LEVEL)
        hits += (scored[n], chance[n]) <= (limit.score, limit.chance)
    held = wilson(hits, times, level=0.999)
    promised = np.ceil((n + 1) * LEVEL) / (n + 1)
    assert held.low <= promised <= held.high


def test_sets_are_what_the_bar_lets_in_and_never_empty():
    rng = np.random.default_rng(0)
    p, y, chance = drawn(rng, 2000, 10, digits=3)
    limit = bar(nonconformity(p, chance)[np.arange(2000), y], chance, 0.5)
    inside = sets(p, chance, [limit])
    assert inside.any(axis=1).all()
    empty = ~((nonconformity(p, chance) <= limit.score).any(axis=1))
    assert empty.any()
    assert (inside[empty].sum(axis=1) == 1).all()
    assert inside[empty, p[empty].argmax(axis=1)].all()
    assert inside[np.arange(2000), y].mean() >= 0.5


def test_each_class_has_its_share_where_that_is_asked():
    rng = np.random.default_rng(1)
    p, y, chance = drawn(rng, 6000, 4, digits=3)
    p[:, 0] = 0.7 * p[:, 0]  # a class whose probabilities are too low: taken together, it would be the one left out
    p /= p.sum(axis=1, keepdims=True)
    half = slice(None, 3000)
    scored = nonconformity(p, chance)[np.arange(6000), y]
    together = sets(p[3000:], chance[3000:], [bar(scored[half], chance[half], LEVEL)])
    limits, own = bars(scored[half], chance[half], y[half], n_classes=4, level=LEVEL)
    apart = sets(p[3000:], chance[3000:], limits)
    hits = [some[np.arange(3000), y[3000:]] for some in (together, apart)]
    assert own.all()
    assert hits[0][y[3000:] == 0].mean() < 0.88
    for c in range(4):
        mine = y[3000:] == c
        found = wilson(int(hits[1][mine].sum()), int(mine.sum()), level=0.999)
        assert found.low <= LEVEL <= found.high


def test_classes_with_few_held_out_examples_have_one_bar_together():
    rng = np.random.default_rng(2)
    p, y, chance = drawn(rng, 300, 20, digits=3)
    scored = nonconformity(p, chance)[np.arange(300), y]
    limits, own = bars(scored, chance, y, n_classes=20, level=LEVEL)
    few = np.flatnonzero(~own)
    assert len(few) > 0
    assert (np.bincount(y, minlength=20)[few] < 20).all()
    assert len({(limits[c].score, limits[c].chance) for c in few}) == 1


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_the_bar_is_that_of_another_library(level):
    """MAPIE's split conformal classifier on the same scores, no two of which are equal."""
    from mapie.classification import SplitConformalClassifier

    class Known:
        """A classifier whose probabilities are its inputs."""

        classes_ = np.arange(5)

        def fit(self, X, y):
            return self

        def predict(self, X):
            return X.argmax(axis=1)

        def predict_proba(self, X):
            return X

        def __sklearn_is_fitted__(self):
            return True

    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.full(5, 0.5), 400)
    y = np.array([rng.choice(5, p=row) for row in p])
    theirs = SplitConformalClassifier(Known(), confidence_level=level, prefit=True, conformity_score="lac")
    theirs.conformalize(p, y)
    asked = rng.dirichlet(np.full(5, 0.5), 50)
    limit = bar(1 - p[np.arange(400), y], np.zeros(400), level)  # in double precision, as theirs are
    _, inside = theirs.predict_set(asked)
    assert (inside[..., 0] == (1 - asked <= limit.score)).all()
    assert limit.score == pytest.approx(float(theirs._mapie_classifier.quantiles_[0]), abs=1e-12)


def test_one_input_has_one_number_and_inputs_have_all_of_them():
    digests = np.random.default_rng(4).integers(0, 256, (4000, 32), dtype=np.uint8)
    found = chances(digests)
    assert (found == chances(digests)).all()
    assert 0 <= found.min() < 0.01 < 0.99 < found.max() < 1
    assert abs(np.histogram(found, 10, (0, 1))[0] - 400).max() < 100
