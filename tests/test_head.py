"""The head against scikit-learn, and what the split promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from headstart.adapt.basis import fit_basis
from headstart.adapt.probe import probe, refit
from headstart.adapt.sigmoid import probe as probe_labels
from headstart.adapt.solver import solve_path
from headstart.backbone import Features
from headstart.data.split import folds
from headstart.evaluate.metrics import softmax
from headstart.storage import matrix
from headstart.storage.matrix import Rows, take


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
    x[:, 7] = 3.0  # a constant column
    y = rng.integers(0, 3, 30)
    made = fit_basis(x)
    assert made.rotation.shape[1] <= 30
    z = made.transform(x)
    half = (x - x.mean(0)) / np.sqrt(np.where(x.std(0) > 0, x.std(0), 1))
    half /= np.sqrt((half[:, half.std(0) > 0] ** 2).mean())
    wrong = z[:, :-1] @ z[:, :-1].T - half @ half.T
    assert np.linalg.norm(wrong) < 0.03 * np.linalg.norm(half @ half.T)  # all but 1 % of the variance is there
    everything = np.ones((1, 30), np.float32)
    solution = next(solve_path(z, y, example_weights=everything, basis=made, n_classes=3, penalties=[0.01]))
    assert ((z @ solution.at[0].T).argmax(1) == y).all()


def test_features_on_disk_give_the_same_head(own_cache, monkeypatch):
    x, y = load_digits(return_X_y=True)
    features = Features(x.astype(np.float32), "digits", 0)
    fold = np.arange(len(y)) % 5
    names = tuple(str(i) for i in range(10))
    basis = fit_basis(features.matrix)
    in_memory = probe(features, y, basis=basis, names=names, fold=fold).head
    on_disk = Rows(*features.matrix.shape)
    on_disk[:] = features.matrix
    monkeypatch.setattr(matrix, "MOST_IN_MEMORY", 0)
    basis = fit_basis(on_disk)
    on_disk_too = replace(features, matrix=on_disk)
    from_disk = probe(on_disk_too, y, basis=basis, names=names, fold=fold).head
    ours, theirs = softmax(from_disk.logits(on_disk)), softmax(in_memory.logits(features.matrix))
    np.testing.assert_allclose(ours, theirs, atol=0.005)
    assert from_disk.penalty == in_memory.penalty
    part = take(on_disk, np.arange(3, 1000, 7))
    np.testing.assert_array_equal(part[2:5], features.matrix[[17, 24, 31]])
    assert list(own_cache.iterdir()) == []  # the files have no name


@pytest.mark.parametrize("rows", [[0, 1, 2], [97, 98, 99], [2, 3, 60, 61], []], ids=str)
def test_rows_on_disk_are_taken_also_where_a_block_has_none_of_them(rows, own_cache, monkeypatch):
    """As in a large table whose official test part stands at its end."""
    monkeypatch.setattr(matrix, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr(matrix, "_BLOCK", 10 * 4 * 3)  # ten rows of three columns
    values = np.arange(300, dtype=np.float32).reshape(100, 3)
    on_disk = Rows(100, 3)
    on_disk[:] = values
    part = take(on_disk, np.array(rows, dtype=np.int64))
    np.testing.assert_array_equal(part[:], values[rows] if rows else np.empty((0, 3)))


@settings(max_examples=50)
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


def test_a_head_made_again_from_the_same_rows_is_the_same():
    """Its penalty, temperature and class weights are taken over, the weights found anew."""
    rng, y = np.random.default_rng(0), np.repeat([0, 1, 2], [600, 60, 300])
    x = (rng.normal(size=(960, 8)) + 1.2 * np.eye(8)[y]).astype(np.float32)
    features, basis = Features(x, "key", 0), fit_basis(x)
    classes = ("common", "rare", "other")
    head = probe(features, y, basis=basis, names=classes, fold=np.arange(len(y)) % 5).head
    assert head.class_weights
    again = refit(features, y, basis=basis, like=head)
    assert (again.penalty, again.temperature, again.class_weights) == (
        head.penalty,
        head.temperature,
        head.class_weights,
    )
    np.testing.assert_allclose(softmax(again.logits(x)), softmax(head.logits(x)), atol=2e-3)
    less = refit(replace(features, matrix=x[::2]), y[::2], basis=basis, like=head)
    assert np.abs(less.weight - head.weight).max() > 1e-4


def noisy(n: int = 2100, width: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """Features that say next to nothing: (n, width), and which of two it is."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, width)).astype(np.float32)
    return x, (x[:, 0] + rng.normal(size=n) * 8 > 0).astype(np.int64)


@pytest.mark.parametrize("labels", [False, True])
def test_penalties_that_many_examples_hardly_ever_need_are_found_where_they_do(labels):
    x, y = noisy()
    find, wanted = (probe_labels, np.stack([y, 1 - y], axis=1).astype(np.float32)) if labels else (probe, y)
    head = find(Features(x, "k", 0), wanted, basis=fit_basis(x), names=("a", "b"), fold=np.arange(len(y)) % 5).head
    tried = [row["penalty"] for row in head.cross_validation]
    assert head.penalty > (1.0 if labels else 0.03)
    assert tried == sorted(tried, reverse=True)
    assert head.penalty == min(head.cross_validation, key=lambda row: row["log_loss"])["penalty"]
