"""A head for numbers: ridge regression and its metrics against scikit-learn and scipy, and what intervals hold."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn import metrics as theirs
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from headstart.adapt.basis import fit_basis
from headstart.adapt.ridge import PENALTIES, Search, probe, refit, search
from headstart.backbone import Features, Head
from headstart.errors import DataError, ModelError
from headstart.evaluate.bootstrap import draws, numbered
from headstart.evaluate.conformal import coverage, half_width
from headstart.evaluate.regression import evaluate
from headstart.storage import matrix
from headstart.storage.matrix import Rows
from headstart.task import Scores, rounded


def diabetes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patients, how far their illness has gone a year later, and folds."""
    x, y = load_diabetes(return_X_y=True)
    return x.astype(np.float32), y, np.arange(len(y)) % 5


def wide() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """More features than examples."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 300)).astype(np.float32)
    return x, x[:, :5].sum(axis=1) + rng.normal(size=60), np.arange(60) % 4


def fitted(x: np.ndarray | Rows, y: np.ndarray, fold: np.ndarray, basis=None) -> tuple[Head, Search]:
    """The head, and the search for its penalty with what was held out."""
    basis = basis or fit_basis(x)
    head = probe(Features(x, "", 0), y, basis=basis, names=(), fold=fold).head
    return head, search(basis.transform(x), y, fold=fold)


def predict(head: Head, x: np.ndarray) -> np.ndarray:
    return head.logits(x)[:, 0].astype(np.float64)


def score(p: np.ndarray, y: np.ndarray, *, mean: float = 0.0, **options) -> Scores:
    return evaluate(p, y, mean=mean, width=1.0, **options)


@pytest.mark.parametrize("data", [diabetes, wide])
def test_it_is_scikit_learns_ridge_fold_by_fold(data):
    x, y, fold = data()
    basis = fit_basis(x)
    z = basis.transform(x)[:, :-1].astype(np.float64)
    (head, found), scale = fitted(x, y, fold, basis), y.std()
    held = {}
    for penalty in PENALTIES:
        held[penalty] = np.empty(len(y))
        for k in np.unique(fold):
            part = fold != k
            one = Ridge(alpha=penalty * part.sum()).fit(z[part], y[part])
            held[penalty][~part] = one.predict(z[~part])
    rows = {row["penalty"]: row for row in head.cross_validation}
    errors = {p: np.mean((held[p] - y) ** 2) for p in PENALTIES}
    for penalty in PENALTIES:
        assert rows[penalty]["rmse"] == pytest.approx(np.sqrt(errors[penalty]), abs=1e-5 * scale)
        assert rows[penalty]["r2"] == pytest.approx(1 - errors[penalty] / scale**2, abs=1e-5)
    assert head.penalty == found.penalty == min(errors, key=errors.get)
    np.testing.assert_allclose(found.predicted, held[head.penalty], rtol=0, atol=1e-6 * scale)
    whole = Ridge(alpha=head.penalty * len(y)).fit(z, y)
    np.testing.assert_allclose(predict(head, x), whole.predict(z), rtol=0, atol=1e-4 * scale)
    assert head.width == half_width(found.predicted - y)
    again = refit(Features(x, "", 0), y, basis=basis, like=head)
    np.testing.assert_allclose(again.weight, head.weight, rtol=1e-4, atol=1e-6 * scale)
    assert (again.penalty, again.width) == (head.penalty, head.width)


def test_order_and_disk_make_no_difference(own_cache, monkeypatch):
    x, y, fold = diabetes()
    basis, turned = fit_basis(x), np.random.default_rng(1).permutation(len(y))
    head, held = fitted(x, y, fold, basis)
    other, others_held = fitted(x[turned], y[turned], fold[turned], basis)
    np.testing.assert_allclose(others_held.predicted, held.predicted[turned], rtol=1e-6)
    on_disk = Rows(*x.shape)
    on_disk[:] = x
    monkeypatch.setattr(matrix, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr(matrix, "_BLOCK", 4 * 10 * 50)  # fifty rows
    from_disk, disks_held = fitted(on_disk, y, fold, basis)
    for found in (other, from_disk):
        assert found.penalty == head.penalty
        np.testing.assert_allclose(found.weight, head.weight, rtol=1e-4)
    np.testing.assert_allclose(disks_held.predicted, held.predicted, rtol=1e-6)


def test_units_of_the_target_are_kept():
    x, y, fold = diabetes()
    basis = fit_basis(x)
    _, found = fitted(x, y, fold, basis)
    head, moved = fitted(x, 1e6 + 1000 * y, fold, basis)
    assert moved.penalty == found.penalty
    np.testing.assert_allclose(moved.predicted, 1e6 + 1000 * found.predicted, rtol=1e-9)
    assert (head.mean, head.deviation) == pytest.approx((1e6 + 1000 * y.mean(), 1000 * y.std()))


def test_held_out_predictions_know_nothing_of_their_own_fold():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 80)).astype(np.float32), rng.normal(size=100)
    head, found = fitted(x, y, np.arange(100) % 5)
    assert theirs.r2_score(y, found.predicted) < 0.1
    assert head.penalty > 1


@pytest.mark.filterwarnings("error")
def test_constant_targets_constant_features_and_two_examples():
    x, y, fold = diabetes()
    basis = fit_basis(x)
    constant, found = fitted(x, np.full(len(y), 0.3), fold, basis)
    np.testing.assert_array_equal(found.predicted, 0.3)
    np.testing.assert_array_equal(constant.logits(x), np.float32(0.3))
    assert "r2" not in constant.cross_validation[0]
    smallest = float(np.finfo(np.float32).eps)  # an interval of nothing would be certainty
    assert (constant.penalty, constant.width, constant.deviation) == (max(PENALTIES), smallest, 1)
    same = np.ones_like(x)
    nothing, _ = fitted(same, y, fold)
    np.testing.assert_allclose(predict(nothing, same), y.mean(), rtol=1e-6)
    _, two = fitted(x[:2], y[:2], np.arange(2))
    np.testing.assert_allclose(two.predicted, y[1::-1])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fold": np.zeros(442)}, "two folds"),
        ({"y": np.zeros(3)}, "fit together"),
        ({"y": np.full(442, np.nan)}, "finite"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, says):
    x, y, fold = diabetes()
    given = {"y": y, "fold": fold, **change}
    with pytest.raises(ValueError, match=says):
        fitted(x, given["y"], given["fold"])


# --- metrics

numbers = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6, width=32))  # whose squares are no zeros
pairs = st.integers(1, 40).flatmap(
    lambda n: st.tuples(arrays(np.float64, n, elements=numbers), arrays(np.float64, n, elements=numbers))
)


@settings(max_examples=150, deadline=None)
@given(pairs)
def test_figures_are_defined_or_nan_and_in_their_ranges(pair):
    p, y = pair
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score(p, y, mean=1.0, times=20)
    assert found.mae == pytest.approx(theirs.mean_absolute_error(y, p), rel=1e-5)
    assert found.rmse == pytest.approx(theirs.root_mean_squared_error(y, p), rel=1e-5)
    assert 0 <= found.mae <= found.rmse * (1 + 1e-12)
    assert found.baseline["rmse"] == pytest.approx(
        theirs.root_mean_squared_error(y, np.ones(len(y))), rel=1e-5, abs=1e-6
    )
    assert found.baseline["mae"] == pytest.approx(theirs.mean_absolute_error(y, np.ones(len(y))), rel=1e-5, abs=1e-6)
    assert found.coverage == pytest.approx(np.mean(np.abs(p - y) <= 1), rel=1e-5)
    assert np.isnan(found.r2) or found.r2 <= 1
    for correlation in (found.pearson, found.spearman):
        assert np.isnan(correlation) or -1 <= correlation <= 1
    if len(set(y)) == 1:
        assert np.isnan([found.r2, found.pearson, found.spearman]).all()
    elif len(set(p)) > 1:
        assert found.spearman == pytest.approx(stats.spearmanr(p, y)[0], abs=1e-6)
    for interval in found.intervals.values():
        assert np.isnan(interval.low) or interval.low <= interval.high
    assert found.mae_interval.known == (len(y) >= 10)


def test_draws_of_equal_targets_have_no_variance_whatever_rounding_makes_of_them():
    rng = np.random.default_rng(0)
    for _ in range(20):
        y = np.full(12, rng.random())
        y[0] += 0.1  # a third of the draws are without it
        found = score(y + 0.1 * rng.random(12), y, times=300)
        assert found.r2_interval.low > -1e6
    assert np.isnan(score(np.arange(7.0), np.full(7, 0.1)).r2)


@pytest.mark.parametrize("n", [2, 3, 9])
def test_few_examples_have_no_interval_rather_than_one_of_no_width(n):
    """Of two examples a correlation is 1 or -1 in each draw, whatever the model; copies are no more examples."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=n)
    found = score(y + rng.normal(size=n), y, times=50)
    copied = score(np.repeat(y, 9), np.repeat(y, 9), groups=np.repeat(np.arange(n), 9), times=50)
    for scores in (found, copied):
        assert not any(scores.intervals[key].known for key in ("mae", "rmse", "r2", "pearson", "spearman"))
        assert scores.coverage_interval.known
        assert scores.to_json()["pearson_interval"] == [None, None]


def test_correlations_and_r2_are_scipys_and_scikit_learns():
    rng = np.random.default_rng(0)
    y = rng.normal(size=500).round(1) * 10 + 1e5
    p = y + rng.normal(size=500) * 5
    found = score(p, y, times=10)
    assert found.r2 == pytest.approx(theirs.r2_score(y, p), abs=1e-6)
    assert found.pearson == pytest.approx(stats.pearsonr(p, y)[0], abs=1e-6)
    assert found.spearman == pytest.approx(stats.spearmanr(p, y)[0], abs=1e-6)


def test_intervals_are_percentiles_of_figures_of_draws():
    """What is computed from sums is what the libraries say of examples that are there more than once."""
    rng = np.random.default_rng(0)
    groups, y = np.arange(60) // 3, rng.normal(size=60).round(1)
    p = (0.7 * y + rng.normal(size=60)).round(1)
    found = score(p, y, groups=groups, times=40)
    slow = []
    for weights in draws(numbered(groups, 60), times=40):
        for row in weights.astype(int):
            t, q = np.repeat(y, row), np.repeat(p, row)
            errors = theirs.mean_absolute_error(t, q), theirs.root_mean_squared_error(t, q), theirs.r2_score(t, q)
            slow.append((*errors, stats.pearsonr(t, q)[0], stats.spearmanr(t, q)[0]))
    for key, values in zip(("mae", "rmse", "r2", "pearson", "spearman"), np.transpose(slow), strict=True):
        interval = found.intervals[key]
        np.testing.assert_allclose(
            [interval.low, interval.high], np.quantile(values, [0.025, 0.975]), rtol=1e-5, atol=1e-6
        )


@settings(max_examples=100, deadline=None)
@given(pairs)
def test_bins_hold_every_example_once_and_equal_targets_together(pair):
    p, y = pair
    bins = score(p, y, times=2).bins
    assert 1 <= len(bins) <= 10
    assert sum(b["count"] for b in bins) == len(y)
    edges = np.unique(y)
    for b, following in pairwise(bins):
        assert b["low"] <= b["high"] <= following["low"]
    at = 0
    for b in bins:  # each holds all examples of a run of targets
        inside, size = np.zeros(len(y), dtype=bool), 0
        while size < b["count"]:
            inside |= y == edges[at]
            size, at = int(inside.sum()), at + 1
        assert (b["count"], b["low"], b["high"]) == (size, rounded(y[inside].min()), rounded(y[inside].max()))
        assert b["mae"] == pytest.approx(np.abs(p - y)[inside].mean(), rel=1e-5, abs=1e-6)
        assert b["bias"] == pytest.approx((p - y)[inside].mean(), rel=1e-5, abs=1e-6)


def test_a_hundred_targets_make_ten_bins_of_ten():
    y = np.random.default_rng(0).permutation(100).astype(float)
    assert [(b["low"], b["high"], b["count"]) for b in score(y + 1, y).bins] == [
        (10 * i, 10 * i + 9, 10) for i in range(10)
    ]


@pytest.mark.parametrize(
    ("p", "y"), [([], []), ([1.0], [1.0, 2.0]), ([np.nan], [1.0]), ([1.0], [np.inf]), ([1e200], [1.0])]
)
def test_what_cannot_be_scored_is_refused(p, y):
    with pytest.raises((ValueError, DataError, ModelError), match=r"fit together|finite|no test examples|not a number"):
        score(np.array(p), np.array(y))


# --- prediction intervals


@pytest.mark.parametrize(("n", "least", "most"), [(2000, 0.88, 0.92), (50, 0.85, 0.95)])
def test_intervals_hold_ninety_per_cent_of_new_targets(n, least, most):
    rng, held = np.random.default_rng(0), []
    truth = rng.normal(size=20)
    for _ in range(10 if n > 1000 else 60):
        x = rng.normal(size=(n + 1000, 20)).astype(np.float32)
        y = x @ truth + rng.standard_t(4, size=len(x)) * 3
        head = probe(Features(x[:n], "", 0), y[:n], basis=fit_basis(x[:n]), names=(), fold=np.arange(n) % 5).head
        held.append(coverage(predict(head, x[n:]) - y[n:], head.width))
        assert n < 1000 or least <= held[-1] <= most
    assert least <= np.mean(held) <= most


def test_split_conformal_promises_at_least_its_level_and_little_more():
    """With fresh residuals the mean coverage is between the level and the level + 1 / (n + 1)."""
    rng = np.random.default_rng(0)
    for n in (9, 30, 99):
        held = [np.mean(np.abs(rng.normal(size=400)) <= half_width(rng.normal(size=n))) for _ in range(1500)]
        assert 0.9 - 0.008 <= np.mean(held) <= 0.9 + 1 / (n + 1) + 0.008


def test_few_residuals_give_the_largest_and_ranks_are_exact():
    assert half_width(np.array([-3.0, 1.0, 2.0])) == 3
    assert half_width(np.arange(1.0, 10.0)) == 9  # the ninth of nine
    assert half_width(np.arange(1.0, 70.0)) == 63  # 0.9 * 70, whatever floats make of it
    assert half_width(np.arange(1.0, 70.0), level=0.5) == 35
    for wrong in (np.array([]), np.array([np.nan])):
        with pytest.raises(ValueError, match="finite"):
            half_width(wrong)
    with pytest.raises(ValueError, match="level"):
        half_width(np.ones(5), level=1.0)
    assert coverage(np.array([1.0, -2.0, 0.5]), 1.0) == 2 / 3  # ends included
