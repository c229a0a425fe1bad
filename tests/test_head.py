"""The head against scikit-learn, and what the split promises."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from headstart.adapt.basis import fit_basis
from headstart.adapt.solver import solve_path
from headstart.data import folds


def test_objective_matches_scikit_learn():
    x, y = load_digits(return_X_y=True)
    x = x.astype(np.float32)
    made = fit_basis(x)
    z = made.transform(x)
    penalties = [1e-1, 1e-2, 1e-3]
    everything = np.ones((1, len(y)), np.float32)
    path = solve_path(z, y, example_weights=everything, basis=made, n_classes=10, penalties=penalties)
    for solution in path:
        theirs = LogisticRegression(C=1 / (solution.penalty * len(y)), tol=1e-8, max_iter=5000).fit(
            z[:, :-1].astype(float), y
        )
        p = theirs.predict_proba(z[:, :-1])
        best = -np.log(p[np.arange(len(y)), y]).mean() + 0.5 * solution.penalty * (theirs.coef_**2).sum()
        assert abs(solution.objective[0] - best) / best < 1e-4


def test_folds_at_once_equal_folds_one_by_one_and_fold_in_is_exact():
    x, y = load_digits(return_X_y=True)
    x = x[:600].astype(np.float32)
    y = y[:600]
    made = fit_basis(x)
    z = made.transform(x)
    held = np.stack([np.arange(600) % 3 != k for k in range(3)]).astype(np.float32)
    options = {"basis": made, "n_classes": 10, "penalties": [0.01], "tolerance": 1e-7}
    together = next(solve_path(z, y, example_weights=held, **options))
    for k in range(3):
        alone = next(solve_path(z, y, example_weights=held[k : k + 1], **options))
        assert abs(alone.objective[0] - together.objective[k]) / alone.objective[0] < 1e-4
    weight, bias = made.fold_in(together.at[0])
    np.testing.assert_allclose(x @ weight.T + bias, z @ together.at[0].T, atol=1e-3)


def test_more_features_than_examples():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 200)).astype(np.float32)
    y = rng.integers(0, 3, 30)
    made = fit_basis(x)
    assert made.rotation.shape[1] <= 30
    z = made.transform(x)
    np.testing.assert_allclose(
        z[:, :-1] @ z[:, :-1].T, ((x - x.mean(0)) / x.std(0)) @ ((x - x.mean(0)) / x.std(0)).T, rtol=1e-3, atol=0.1
    )
    solution = next(
        solve_path(z, y, example_weights=np.ones((1, 30), np.float32), basis=made, n_classes=3, penalties=[0.01])
    )
    assert ((z @ solution.at[0].T).argmax(1) == y).all()


@settings(max_examples=50, deadline=None)
@given(
    labels=st.lists(st.integers(0, 3), min_size=10, max_size=60),
    group_of=st.lists(st.integers(0, 20), min_size=60, max_size=60),
    seed=st.integers(0, 1000),
)
def test_folds_keep_groups_together_and_do_not_depend_on_order(labels, group_of, seed):
    y, groups = np.array(labels), np.array(group_of[: len(labels)])
    digests = np.random.default_rng(0).integers(0, 256, (len(y), 32), dtype=np.uint8)
    fold = folds(y, groups, digests, k=5, seed=seed)
    for number in set(groups.tolist()):
        assert len(set(fold[groups == number].tolist())) == 1
    turned = np.arange(len(y))[::-1]
    np.testing.assert_array_equal(folds(y[turned], groups[turned], digests[turned], k=5, seed=seed), fold[turned])
