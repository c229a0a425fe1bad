"""Any number of labels an example: the head and its metrics against scikit-learn, and what thresholds keep."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as theirs
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from headstart.adapt.basis import fit_basis
from headstart.adapt.sigmoid import probe, refit, search
from headstart.adapt.solver import solve_path
from headstart.backbone import Features, Head
from headstart.errors import DataError, ModelError
from headstart.evaluate.bootstrap import draws, numbered
from headstart.evaluate.calibration import sigmoid_temperature
from headstart.evaluate.multilabel import average_precision, evaluate, label_losses, macro_f1, micro_f1, sigmoid
from headstart.evaluate.thresholds import best_thresholds
from headstart.storage import matrix
from headstart.storage.matrix import Rows
from headstart.task import Scores


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Pictures of digits, and what is true of each: even, five or more, a loop, zero."""
    x, digit = load_digits(return_X_y=True)
    y = np.stack([digit % 2 == 0, digit >= 5, np.isin(digit, [0, 6, 8, 9]), digit == 0], axis=1)
    return x.astype(np.float32), y.astype(np.float32)


def log_odds(p: np.ndarray) -> np.ndarray:
    p = np.asarray(p, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.clip(np.log(p) - np.log1p(-p), -60, 60)


def fitted(x: np.ndarray | Rows, y: np.ndarray, fold: np.ndarray, basis=None) -> Head:
    names = tuple("abcdefgh"[: y.shape[1]]) if y.shape[1] <= 8 else tuple(map(str, range(y.shape[1])))
    return probe(Features(x, "", 0), y, basis=basis or fit_basis(x), names=names, fold=fold).head


def held_out(x: np.ndarray | Rows, y: np.ndarray, fold: np.ndarray, basis=None) -> np.ndarray:
    """Each example's logits from heads that left its fold out, at the best penalty and temperature."""
    basis = basis or fit_basis(x)
    return search(basis.transform(x), y, basis=basis, fold=fold)[0].logits


def score(p: np.ndarray, y: np.ndarray, *, cut: float = 0.5, **options) -> Scores:
    """Of probabilities, with one threshold for all labels."""
    names = tuple("abcdefgh"[: y.shape[1]]) if y.shape[1] <= 8 else tuple(map(str, range(y.shape[1])))
    return evaluate(log_odds(p), y, names=names, thresholds=np.full(y.shape[1], cut), **options)


def noisy(n: int, *, seed: int = 0, rates: tuple[float, ...] = (0.3, 0.1, 0.02)) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities of labels of these rates, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    p = np.stack([rng.beta(4 * rate, 4 * (1 - rate), n) for rate in rates], axis=1)
    return p, (rng.random(p.shape) < p).astype(np.float32)


# --- the head


def test_each_label_is_scikit_learns_logistic_regression():
    x, y = digits()
    basis = fit_basis(x)
    z = basis.transform(x)
    path = solve_path(
        z,
        y,
        example_weights=np.ones((1, len(y)), np.float32),
        basis=basis,
        n_classes=4,
        penalties=[1e-1, 1e-2],
        tolerance=1e-7,
    )
    for solution in path:
        best = 0.0
        for label in range(4):
            one = LogisticRegression(C=1 / (solution.penalty * len(y)), tol=1e-8, max_iter=5000)
            one.fit(z[:, :-1].astype(float), y[:, label])
            p = one.predict_proba(z[:, :-1])[:, 1]
            best += theirs.log_loss(y[:, label], p) + 0.5 * solution.penalty * (one.coef_**2).sum()
            np.testing.assert_allclose(sigmoid(z @ solution.at[0, label]), p, atol=2e-3)
        assert abs(solution.objective[0] - best) / best < 1e-4


def test_the_probe_is_that_at_its_penalty_with_the_temperature_folded_in():
    x, y = digits()
    x, y = x[:100], y[:100]
    basis = fit_basis(x)
    head = fitted(x, y, np.arange(100) % 5, basis)
    assert abs(head.temperature - 1) > 0.05
    z = basis.transform(x)[:, :-1].astype(np.float64)
    for label in range(4):
        one = LogisticRegression(C=1 / (head.penalty * 100), tol=1e-8, max_iter=5000).fit(z, y[:, label])
        theirs_folded = sigmoid(one.decision_function(z) / head.temperature)
        np.testing.assert_allclose(sigmoid(x @ head.weight.T + head.bias)[:, label], theirs_folded, atol=3e-3)
    assert sigmoid_temperature(held_out(x, y, np.arange(100) % 5, basis), y) == pytest.approx(1, abs=1e-3)


def test_folds_at_once_equal_folds_one_by_one():
    x, y = digits()
    x, y = x[:600], y[:600]
    basis = fit_basis(x)
    z = basis.transform(x)
    held = np.stack([np.arange(600) % 3 != k for k in range(3)]).astype(np.float32)
    options = {"basis": basis, "n_classes": 4, "penalties": [0.01], "tolerance": 1e-7}
    together = next(solve_path(z, y, example_weights=held, **options))
    for k in range(3):
        alone = next(solve_path(z, y, example_weights=held[k : k + 1], **options))
        assert abs(alone.objective[0] - together.objective[k]) / alone.objective[0] < 1e-4


def test_labels_that_all_have_or_none_keep_a_finite_bias_and_leave_the_others_alone():
    x, y = digits()
    fold, n = np.arange(len(y)) % 5, len(y)
    padded = np.column_stack([np.zeros(n), y, np.ones(n)]).astype(np.float32)
    basis = fit_basis(x)
    plain = fitted(x, y, fold, basis)
    head = fitted(x, padded, fold, basis)
    assert np.isfinite(head.weight).all()
    assert not head.weight[[0, -1]].any()
    p = sigmoid(x @ head.weight.T + head.bias)
    assert p[0, 0] == pytest.approx(0.5 / n, rel=0.5)
    assert 1 - p[0, -1] == pytest.approx(0.5 / n, rel=0.5)
    assert head.penalty == plain.penalty
    np.testing.assert_allclose(p[:, 1:-1], sigmoid(x @ plain.weight.T + plain.bias), atol=0.02)


def test_a_label_that_only_one_fold_has_is_predicted_there_as_rare():
    x, y = digits()
    fold = np.arange(len(y)) % 5
    y[:, 3] = 0
    y[np.flatnonzero(fold == 2)[:6], 3] = 1
    head, logits = fitted(x, y, fold), held_out(x, y, fold)
    assert np.isfinite(logits).all()
    assert (sigmoid(logits[fold == 2, 3]) < 0.01).all()  # of heads that never saw one
    assert head.cross_validation[0]["log_loss"] < 0.7


def test_one_label_and_two_folds_are_enough_and_one_fold_is_not():
    x, y = digits()
    basis = fit_basis(x[:40])
    head, logits = (make(x[:40], y[:40, :1], np.arange(40) % 2, basis) for make in (fitted, held_out))
    assert (head.weight.shape, head.bias.shape, logits.shape) == ((1, 64), (1,), (40, 1))
    with pytest.raises(ValueError, match="two folds"):
        fitted(x[:40], y[:40], np.zeros(40), basis)
    with pytest.raises(ValueError, match="fit together"):
        held_out(x[:40], y[:40, 0], np.arange(40) % 2, basis)


def test_held_out_logits_know_nothing_of_their_own_fold():
    """Labels that chance made are told on the examples that were learned from, and not on the others."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 100)).astype(np.float32), (rng.random((300, 8)) < 0.3).astype(np.float32)
    basis, fold = fit_basis(x), np.arange(300) % 5
    head, logits = fitted(x, y, fold, basis), held_out(x, y, fold, basis)
    assert average_precision(y, x @ head.weight.T + head.bias).mean() > 0.6
    assert average_precision(y, logits).mean() < 0.4
    row = next(row for row in head.cross_validation if row["penalty"] == head.penalty)
    assert row["log_loss"] == min(row["log_loss"] for row in head.cross_validation)
    assert row["log_loss"] == pytest.approx(label_losses(logits, y).mean(), abs=1e-5)
    assert row["macro_f1"] == pytest.approx(macro_f1(y, sigmoid(logits) >= 0.5), abs=1e-6)


def test_the_order_of_the_rows_does_not_matter():
    x, y = digits()
    fold, turned = np.arange(len(y)) % 5, np.random.default_rng(1).permutation(len(y))
    basis = fit_basis(x)
    head, logits = fitted(x, y, fold, basis), held_out(x, y, fold, basis)
    other, others_logits = (make(x[turned], y[turned], fold[turned], basis) for make in (fitted, held_out))
    assert head.penalty == other.penalty
    ours, others = (sigmoid(x @ h.weight.T + h.bias) for h in (head, other))
    np.testing.assert_allclose(ours, others, atol=2e-3)
    np.testing.assert_allclose(sigmoid(logits[turned]), sigmoid(others_logits), atol=2e-2)


def test_features_on_disk_give_the_same_head(own_cache, monkeypatch):
    x, y = digits()
    fold, basis = np.arange(len(y)) % 5, fit_basis(x)
    in_memory, logits = fitted(x, y, fold, basis), held_out(x, y, fold, basis)
    on_disk = Rows(*x.shape)
    on_disk[:] = x
    monkeypatch.setattr(matrix, "MOST_IN_MEMORY", 0)
    from_disk, others_logits = (make(on_disk, y, fold, basis) for make in (fitted, held_out))
    assert from_disk.penalty == in_memory.penalty
    ours, others = (sigmoid(x @ h.weight.T + h.bias) for h in (from_disk, in_memory))
    np.testing.assert_allclose(ours, others, atol=2e-3)
    np.testing.assert_allclose(sigmoid(others_logits), sigmoid(logits), atol=2e-2)


def test_temperature_is_the_best_and_stays_moderate_where_all_is_told_apart():
    p, y = noisy(3000)
    logits = np.log(p / (1 - p)).clip(-12, 12)
    for stretched in (0.4, 1.0, 2.5):
        t = sigmoid_temperature(logits * stretched, y)
        assert t == pytest.approx(stretched, rel=0.1)
        losses = [label_losses(logits * stretched / (t * f), y).mean() for f in (0.97, 1, 1.03)]
        assert losses[1] == min(losses)
    apart = np.array([[4.0], [-4.0]] * 5)
    assert 0.5 < sigmoid_temperature(apart, apart > 0) < 2
    assert sigmoid_temperature(np.zeros((4, 2)), np.eye(4, 2)) == 1
    with pytest.raises(ValueError, match="at least one"):
        sigmoid_temperature(np.empty((0, 2)), np.empty((0, 2)))


def test_a_head_made_again_from_the_same_rows_is_the_same():
    x, y = digits()
    basis = fit_basis(x)
    head = fitted(x, y, np.arange(len(y)) % 5, basis)
    again = refit(Features(x, "", 0), y, basis=basis, like=head)
    assert (again.penalty, again.temperature, again.thresholds) == (head.penalty, head.temperature, head.thresholds)
    np.testing.assert_allclose(sigmoid(again.logits(x)), sigmoid(head.logits(x)), atol=2e-3)


# --- metrics

shapes = st.tuples(st.integers(1, 30), st.integers(1, 5))
tables = shapes.flatmap(
    lambda shape: st.tuples(
        arrays(np.float32, shape, elements=st.sampled_from([0.0, 1.0])),
        arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])),  # with ties
    )
)


@settings(max_examples=100, deadline=None)
@given(tables)
def test_figures_are_scikit_learns_and_in_their_ranges(table):
    y, p = table
    c = y.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score(p, y, times=20)
    predicted = p >= 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        precision, recall, f1, count = theirs.precision_recall_fscore_support(y, predicted, zero_division=0)
        ap = np.array([theirs.average_precision_score(y[:, i], p[:, i]) for i in range(c)])
    told = found.per_label
    has, occurs = y.any(axis=0), y.any(axis=0) | predicted.any(axis=0)
    if c > 1:
        for ours, other in zip(("precision", "recall", "f1", "count"), (precision, recall, f1, count), strict=True):
            np.testing.assert_allclose([label[ours] for label in told], other, atol=1e-6)
        np.testing.assert_allclose(found.macro_f1, f1[occurs].mean() if occurs.any() else np.nan, rtol=1e-5)
    np.testing.assert_allclose(average_precision(y, p), np.where(has, ap, np.nan), rtol=1e-12)
    assert [label["average_precision"] is not None for label in told] == has.tolist()
    np.testing.assert_allclose(found.map, ap[has].mean() if has.any() else np.nan, rtol=1e-5)
    assert found.exact_match == pytest.approx((y == predicted).all(axis=1).mean(), rel=1e-5)
    if occurs.any():
        assert found.micro_f1 == pytest.approx(theirs.f1_score(y.ravel(), predicted.ravel(), zero_division=0), rel=1e-5)
    for name in ("micro_f1", "macro_f1", "map", "exact_match"):
        interval = getattr(found, f"{name}_interval")
        assert np.isnan(interval.low) or 0 <= interval.low <= interval.high <= 1


def test_log_loss_is_scikit_learns_and_has_no_bound():
    p, y = noisy(500)
    theirs_own = [theirs.log_loss(y[:, i], p[:, i]) for i in range(3)]
    np.testing.assert_allclose(label_losses(log_odds(p), y).mean(axis=0), theirs_own, rtol=1e-9)
    assert score(1 - y, y, times=5).micro_f1 == 0
    logits = np.array([[200.0, -200.0]])
    np.testing.assert_allclose(label_losses(logits, np.array([[0, 0]])), [[200, 0]], atol=1e-80)


def test_intervals_are_percentiles_of_figures_of_draws_centred_on_the_figure():
    """What is computed from counts is what scikit-learn says of examples that are there more than once."""
    p, y = noisy(60)
    groups = np.arange(60) // 2
    p = p.round(1)
    cut = 0.35
    found = score(p, y, cut=cut, groups=groups, seed=3, times=40)
    slow = []
    for weights in draws(numbered(groups, 60), seed=3, times=40):
        for row in weights:
            assert row[::2].tolist() == row[1::2].tolist()  # a group is drawn as a whole
            t, q = np.repeat(y, row.astype(int), axis=0), np.repeat(p, row.astype(int), axis=0)
            has = t.any(axis=0)
            ap = [theirs.average_precision_score(t[:, i], q[:, i]) for i in np.flatnonzero(has)]
            slow.append((micro_f1(t, q >= cut), macro_f1(t, q >= cut), np.mean(ap)))
    for key, values in zip(("micro_f1", "macro_f1", "map"), np.transpose(slow), strict=True):
        interval, expected = found.intervals[key], np.quantile(values, [0.025, 0.975]) - np.mean(values)
        np.testing.assert_allclose([interval.low, interval.high], expected + found.values[key], rtol=1e-5)


@pytest.mark.parametrize("skill", [0.0, 2.5])
def test_intervals_hold_what_other_test_parts_give_where_labels_are_rare(skill):
    """Each of 200 labels has one example of 30, on average: in a draw it has none, or the same one twice."""
    rng, parts, labels = np.random.default_rng(0), 30, 200

    def part(times):
        y = rng.random((30, labels)) < 0.03
        z = skill * y + rng.normal(size=y.shape)
        return score(1 / (1 + np.exp(2 - z)), y.astype(np.float32), times=times)

    for key in ("map", "macro_f1"):
        found = [part(100) for _ in range(parts)]
        expected = np.mean([scores.values[key] for scores in found])
        assert all(scores.intervals[key].low <= scores.values[key] <= scores.intervals[key].high for scores in found)
        held = [scores.intervals[key].low <= expected <= scores.intervals[key].high for scores in found]
        assert np.mean(held) >= 0.7  # of map, percentiles of draws held 0 and 30 %


def test_figures_of_few_examples_have_no_interval():
    p, y = noisy(9)
    assert not score(p, y).map_interval.known
    assert score(p, y).exact_match_interval.known


def test_copies_of_an_example_make_an_interval_narrower_only_if_nobody_says_so():
    p, y = noisy(100)
    copies = np.repeat(np.arange(100), 9)

    def width(scores):
        return scores.micro_f1_interval.high - scores.micro_f1_interval.low

    once = width(score(p, y))
    told = width(score(p[copies], y[copies], groups=copies))
    untold = width(score(p[copies], y[copies]))
    assert told == pytest.approx(once, rel=0.15)
    assert untold < 0.5 * once


def test_the_exact_set_of_examples_that_are_right_together_is_less_certain():
    """Ten patients of twenty examples each: as much as ten tell, in every figure; of one patient nothing is known."""
    rng = np.random.default_rng(0)
    y, right = rng.integers(0, 2, (200, 3)), np.repeat(rng.random(10) < 0.6, 20)
    p = np.where(right[:, None], y, 1 - y) * 0.8 + 0.1
    alone, grouped, one = (score(p, y, groups=g) for g in (None, np.arange(200) // 20, np.zeros(200, int)))
    widths = [found.exact_match_interval.high - found.exact_match_interval.low for found in (alone, grouped, one)]
    assert widths[1] > 2.5 * widths[0]
    assert widths[2] > 0.9
    assert not one.intervals["macro_f1"].known


def test_all_right_is_not_certain():
    y = np.eye(6, 3, dtype=np.float32)
    found = score(y, y)
    assert found.micro_f1 == found.macro_f1 == found.map == found.exact_match == 1
    for interval in (found.micro_f1_interval, found.map_interval, found.exact_match_interval):
        assert interval.low == pytest.approx(0.6097, abs=1e-4)  # Wilson's, six of six
        assert interval.high == 1


def test_nothing_there_and_nothing_given_is_no_figure_and_the_baselines_are_zero():
    found = score(np.zeros((4, 2)), np.zeros((4, 2)), times=5)
    assert np.isnan([found.micro_f1, found.macro_f1, found.map, found.macro_f1_interval.low]).all()
    assert found.exact_match == 1
    assert found.baseline == {"labels": [], "micro_f1": 0.0, "macro_f1": 0.0}
    assert found.to_json()["macro_f1"] is None


@pytest.mark.parametrize(
    ("logits", "y", "error"),
    [
        (np.zeros((2, 3)), np.zeros((2, 2)), ValueError),
        (np.empty((0, 3)), np.empty((0, 3)), DataError),
        (np.full((2, 3), np.nan), np.zeros((2, 3)), ModelError),
        (np.zeros((2, 3)), np.full((2, 3), 2), ValueError),
        (np.zeros((2, 2)), np.zeros((2, 2)), ValueError),
    ],
)
def test_what_cannot_be_scored_is_refused(logits, y, error):
    with pytest.raises(error, match=r"fit together|no test examples|not a number|neither"):
        evaluate(logits, y, names="abc", thresholds=np.full(3, 0.5))


# --- thresholds


def best_f1(y: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """The highest F1 of one label at any threshold, and the threshold."""
    order = np.argsort(-p)
    f1 = 2 * np.cumsum(y[order]) / (np.arange(1, len(p) + 1) + y.sum())
    return float(f1.max()), float(p[order][f1.argmax()])


def test_thresholds_are_as_good_as_any_where_examples_are_many():
    p, y = noisy(4000)
    found = best_thresholds(p, y)
    for label in range(3):
        best, _ = best_f1(y[:, label], p[:, label])
        assert best - 0.02 < theirs.f1_score(y[:, label], p[:, label] >= found[label]) <= best


def test_thresholds_serve_new_examples_better_than_one_half_or_each_label_on_its_own():
    """Where labels are rare: of 150 examples some have three."""
    rates, ours, halves, own = (0.3, 0.1, 0.05, 0.04, 0.03, 0.02, 0.02, 0.02), [], [], []
    new_p, new_y = noisy(5000, seed=99, rates=rates)
    for seed in range(20):
        p, y = noisy(150, seed=seed, rates=rates)
        best = [best_f1(y[:, label], p[:, label])[1] for label in range(len(rates))]
        ours.append(macro_f1(new_y, new_p >= best_thresholds(p, y)))
        own.append(macro_f1(new_y, new_p >= np.array(best)))
        halves.append(macro_f1(new_y, new_p >= 0.5))
    assert np.mean(ours) > np.mean(halves) + 0.05
    assert np.mean(ours) > np.mean(own) + 0.025


def test_equal_probabilities_are_on_one_side():
    """Although the positives among the first alone would look better."""
    p, there = np.repeat([0.3, 0.25, 0.01], [100, 100, 300]), np.zeros(500)
    there[:30] = there[100:129] = 1
    assert 0.01 < best_thresholds(p[:, None], there[:, None])[0] <= 0.25


def test_a_label_without_examples_gets_what_is_best_for_all_in_one_pot():
    p, y = noisy(2000, rates=(0.1, 0.2, 0.1))
    y[:, 2] = 0
    common = best_thresholds(p, y)[2]
    best = max(micro_f1(y, p >= cut) for cut in np.linspace(0.01, 0.99, 99))
    assert micro_f1(y, p >= common) > best - 0.002
    assert common < 0.45


@settings(max_examples=100, deadline=None)
@given(tables, st.integers(0, 100))
def test_every_label_can_be_predicted_and_the_order_does_not_matter(table, seed):
    y, p = table
    found = best_thresholds(p, y)
    assert ((found >= 0) & (found <= 1)).all()
    there = y.any(axis=0)
    assert (p >= found).any(axis=0)[there].all()
    turned = np.random.default_rng(seed).permutation(len(y))
    np.testing.assert_array_equal(best_thresholds(p[turned], y[turned]), found)
    if there.any() and not there.all():
        assert len(set(found[~there])) == 1  # the common one


def test_without_any_label_the_threshold_is_one_half_and_wrong_shapes_are_refused():
    np.testing.assert_array_equal(best_thresholds(np.full((5, 2), 0.1), np.zeros((5, 2))), [0.5, 0.5])
    none = np.zeros((0, 2))
    for p, y in ((np.zeros((5, 2)), np.zeros((5, 3))), (none, none), (np.eye(2) * 2, np.eye(2))):
        with pytest.raises(ValueError, match=r"fit together|between"):
            best_thresholds(p, y)
