"""Very many classes: what is written stays small, and the probe keeps within its time."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from headstart.adapt import losses
from headstart.adapt.basis import fit_basis
from headstart.adapt.probe import probe
from headstart.backbone import Features
from headstart.clock import Budget, as_budget, seconds_of
from headstart.evaluate.classification import evaluate
from headstart.report.classification import sections
from headstart.report.page import report
from test_evaluate import example, recorded


def features(n_classes, each, width=24, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_classes), each)
    x = rng.normal(size=(n_classes, width))[y] + noise * rng.normal(size=(len(y), width))
    return Features(x.astype(np.float32), "features", 0), y


def test_the_confusions_of_many_classes_are_written_without_their_zeros():
    many = example(1000, n=3000)
    cells = many.confusion["cells"]
    assert len(json.dumps(many.to_json()["confusion"])) < 100_000
    assert sum(n for _, _, n in cells) == many.n
    assert sum(n for i, j, n in cells if i == j) == round(many.accuracy * many.n)
    assert "rows" in example(20).confusion


def test_a_page_says_the_same_of_either_form():
    few = example(60, n=900)
    rows = np.array(few.confusion["rows"])
    cells = [[int(i), int(j), int(rows[i, j])] for i, j in np.argwhere(rows > 0)]
    many = recorded(few)
    sparse = recorded(few)
    sparse.scores.details["confusion"] = {"classes": few.confusion["classes"], "cells": cells}
    assert list(sections(sparse)) == list(sections(many))
    assert report(sparse) == report(many)


def test_counts_of_classes_are_those_of_the_matrix():
    rng = np.random.default_rng(0)
    y, logits = rng.integers(0, 300, 2000), rng.normal(size=(2000, 300))
    names = [f"c{k:03d}" for k in range(300)]
    found = evaluate(logits, y, classes=names, majority_class="c000")
    matrix = confusion_matrix(y, logits.argmax(axis=1), labels=range(300))
    assert [[i, j, n] for i, j, n in found.confusion["cells"]] == [
        [i, j, int(matrix[i, j])] for i, j in np.argwhere(matrix > 0).tolist()
    ]
    assert [each["count"] for each in found.per_class] == matrix.sum(axis=1).tolist()


def test_a_probe_of_many_classes_comes_to_the_same_without_their_eigenvectors(monkeypatch):
    """Which are a way there, and for 5,000 classes a long one."""
    some, y = features(60, 4)
    made = {}
    for most in (1000, 10):
        monkeypatch.setattr(losses, "_MOST_ROTATED", most)
        basis = fit_basis(some.matrix, None)
        made[most] = probe(some, y, basis=basis, names=tuple(map(str, range(60))), fold=np.arange(len(y)) % 4).head
    one, other = ({row["penalty"]: row["log_loss"] for row in made[most].cross_validation} for most in (1000, 10))
    both = sorted(set(one) & set(other))
    assert len(both) >= 5
    assert [other[penalty] for penalty in both] == pytest.approx([one[penalty] for penalty in both], rel=0.02)
    right = [(made[most].logits(some.matrix).argmax(axis=1) == y).mean() for most in (1000, 10)]
    assert right[0] == pytest.approx(right[1], abs=0.02)


def test_a_probe_without_time_is_made_of_one_penalty():
    some, y = features(60, 4)
    tried = []
    clock = iter(range(10_000))
    over = Budget(1.0, now=lambda: float(next(clock)))  # each look at it takes a second
    basis = fit_basis(some.matrix, None)
    names = tuple(map(str, range(60)))
    head = probe(some, y, basis=basis, names=names, fold=np.arange(len(y)) % 4, within=over, advance=tried.append).head
    assert len(tried) == 1
    assert len(head.cross_validation) == 1
    assert (head.logits(some.matrix).argmax(axis=1) == y).mean() > 0.8


@pytest.mark.parametrize(
    ("seconds", "said"), [(1, "10s"), (41, "50s"), (90, "90s"), (91, "2m"), (420, "7m"), (10_801, "4h")]
)
def test_a_budget_is_said_as_it_is_typed(seconds, said):
    assert as_budget(seconds) == said
    assert seconds_of(said) >= seconds
