"""Strangers are told from what was learned; what is near is hard, and nobody says that it is not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.metrics import roc_auc_score

from headstart.confidence.measure import spread
from headstart.evaluate.out_of_scope import (
    MAHALANOBIS,
    NEAREST,
    NEAREST_AND_UNSURE,
    Known,
    auroc,
    chosen,
    fit_gaussian,
    from_nearest,
    normalised,
)


def blobs(rng: np.random.Generator, centres: np.ndarray, n: int, noise: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    y = np.repeat(np.arange(len(centres)), n)
    return normalised(centres[y] + noise * rng.normal(size=(len(y), centres.shape[1]))), y


def test_the_nearest_example_is_found_and_never_one_of_the_same_group():
    rng = np.random.default_rng(0)
    x = normalised(rng.normal(size=(3000, 8)))
    y = np.zeros(3000, dtype=np.int32)
    assert from_nearest(Known(x, y), x[:5]).max() < 1e-3
    apart = from_nearest(Known(x, y, np.arange(3000)), x, np.arange(3000))
    cosine = x @ x.T
    np.fill_diagonal(cosine, -1)
    assert apart == pytest.approx(1 - cosine.max(axis=1), abs=1e-5)
    twins = np.arange(3000) // 2  # the one before, or after, is the same photo
    assert (from_nearest(Known(x, y, twins), x, twins) >= apart - 1e-6).all()


@pytest.mark.parametrize(("n", "d"), [(30, 200), (500, 20)], ids=["wide", "tall"])
def test_mahalanobis_distance_is_that_of_the_shrunk_covariance(n, d):
    rng = np.random.default_rng(1)
    x, y = blobs(rng, rng.normal(size=(3, d)), n // 3)
    means = np.stack([x[y == c].mean(axis=0) for c in range(3)])
    covariance, _ = ledoit_wolf(x - means[y], assume_centered=True)
    asked = normalised(rng.normal(size=(7, d)))
    apart = asked[:, None] - means
    wanted = np.einsum("ncd,de,nce->nc", apart, np.linalg.inv(covariance), apart).min(axis=1)
    assert fit_gaussian(x, y).distances(asked) == pytest.approx(wanted, rel=2e-3)


def test_auroc_is_the_usual_one_with_equal_scores_too():
    rng = np.random.default_rng(2)
    inside, outside = rng.integers(0, 9, 300), rng.integers(2, 12, 200)
    wanted = roc_auc_score(np.repeat([0, 1], [300, 200]), np.concatenate([inside, outside]))
    assert auroc(inside, outside) == pytest.approx(wanted)


def test_classes_left_out_say_how_well_near_ones_are_told():
    rng = np.random.default_rng(3)
    far, _ = blobs(rng, rng.normal(size=(8, 30)), 20)
    near, y = blobs(rng, 0.05 * rng.normal(size=(8, 30)) + rng.normal(size=30), 20)
    groups = np.arange(len(y))
    told = [chosen(x, y, groups)[1] for x in (far, near)]
    assert told[0] > 0.99 > 0.9 > told[1] > 0.4
    assert chosen(far[y == 0], y[y == 0], groups[y == 0]) == (NEAREST, None)  # one class: none can be left out


def test_the_way_that_tells_them_best_is_taken():
    rng = np.random.default_rng(4)
    x, y = blobs(rng, rng.normal(size=(20, 16)), 20, noise=1.5)
    groups, known = np.arange(len(y)), []

    def knows(learn: np.ndarray, asked: np.ndarray) -> np.ndarray:
        known.append(1)
        return 1.0 - np.isin(y[asked], y[learn])  # as it would be were it never unsure but of strangers

    assert chosen(x, y, groups, ask=knows)[0] == NEAREST_AND_UNSURE
    assert known
    assert chosen(x, y, groups, ask=lambda learn, asked: rng.random(len(asked)))[0] in (NEAREST, MAHALANOBIS)
    assert chosen(x, y, groups, ask=knows) == chosen(x, y, groups, ask=knows)


def test_the_reference_has_all_of_small_classes_and_as_many_as_fit_of_large_ones():
    y = np.repeat([0, 1, 2], [5, 50, 500])
    counts = np.bincount(y[spread(y, 65)])
    assert counts.tolist() == [5, 30, 30]
    assert spread(y, 1000).tolist() == list(range(555))
    assert (np.diff(spread(y, 65)) > 0).all()
