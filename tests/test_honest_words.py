"""What is said of a score, as a person reads it: beside the figure, and without a contradiction."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score

from headstart.adapt.why import Compared
from headstart.evaluate import metrics
from headstart.evaluate.bootstrap import draws, numbered
from headstart.evaluate.classification import METRICS, evaluate
from headstart.evaluate.intervals import mean_of_shares
from headstart.evaluate.paired_test import NOISE, PairedTest
from headstart.evaluate.pseudo_values import balanced_costs
from headstart.report import terminal
from headstart.report.classification import cautions_of
from headstart.tasks.classification import CLASSIFICATION
from headstart.tasks.regression import REGRESSION


def told_of(y: list[int], answered: list[int], names: tuple[str, ...]) -> dict:
    """What `evaluate --json` says of these answers."""
    scores = evaluate(4 * np.eye(len(names))[answered], np.array(y), classes=names, majority_class=names[0])
    return {**scores.to_json(), "warnings": [asdict(caution) for caution in cautions_of(scores)]}


def test_a_class_that_is_never_found_and_unbalanced_ones_are_on_the_screen():
    said = terminal.scores(
        told_of([0] * 40 + [1] * 4 + [2] * 3, [0] * 40 + [0] * 4 + [2] * 3, ("a", "b", "c")), METRICS
    )
    assert "not found  classes of which no test example was recognised: b (0 of 4)" in said
    assert "Balanced accuracy 0.667  (95 % interval" in said
    assert "verdict    Not clearly better than always answering “a”: more examples would tell." in said


def test_balanced_accuracy_is_left_out_where_it_would_say_the_same():
    said = terminal.scores(told_of([0] * 20 + [1] * 20, [0] * 20 + [1] * 20, ("a", "b")), METRICS)
    assert "Balanced accuracy" not in said
    assert "verdict" not in said
    assert "too high" not in said


@given(st.integers(1, 60), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_balanced_accuracy_is_that_of_scikit_learn_and_its_costs_come_to_it(n, k, seed):
    rng = np.random.default_rng(seed)
    y, answered = rng.integers(0, k, n), rng.integers(0, k, n)
    expected = np.mean([(answered[y == c] == c).mean() for c in np.unique(y)])
    assert metrics.balanced_accuracy(y, answered, k) == pytest.approx(expected)
    if len(set(y)) > 1 and set(answered) <= set(y):  # it warns of classes that are answered only
        assert expected == pytest.approx(balanced_accuracy_score(y, answered))
    assert 1 - balanced_costs(y, answered, k).mean() == pytest.approx(expected)
    weights = rng.integers(1, 4, n)
    twice = 1 - np.average(balanced_costs(y, answered, k, weights), weights=weights)
    assert twice == pytest.approx(metrics.balanced_accuracy(np.repeat(y, weights), np.repeat(answered, weights), k))


def test_the_interval_of_balanced_accuracy_holds_it_in_nineteen_of_twenty():
    """Rare classes are all right in many test parts, of which draws would say that nothing is uncertain."""
    rng, true, counts = np.random.default_rng(0), np.array([0.95, 0.8, 0.6]), (60, 15, 4)
    of = np.repeat(np.arange(3), counts)
    held = 0
    for _ in range(400):
        ends = mean_of_shares(rng.random(len(of)) < true[of], of, 3)
        held += ends.low <= true.mean() <= ends.high
    assert held / 400 > 0.93


def test_macro_f1_of_draws_is_that_of_the_examples_drawn():
    rng = np.random.default_rng(1)
    y, answered = rng.integers(0, 4, 50), rng.integers(0, 4, 50)
    drawn = next(draws(numbered(None, 50)))[:20]
    found = metrics.macro_f1_of_draws(y, answered, drawn, 4)
    for each, times in zip(found, drawn.astype(int), strict=True):
        assert each == pytest.approx(f1_score(np.repeat(y, times), np.repeat(answered, times), average="macro"))


def compared(tuned: float, probe: float, *, n: int = 60, rise: float = 0.0, better: bool = False, **more) -> Compared:
    test = PairedTest(
        n=n,
        untuned_log_loss=0.31,
        tuned_log_loss=0.3,
        untuned_accuracy=probe,
        tuned_accuracy=tuned,
        gain_errors=2.0 if better else 0.1,
        right_errors=rise,
        noise=NOISE,
        tuned_is_better=better,
    )
    return Compared(test, **{"task": CLASSIFICATION, **more})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            compared(58 / 60, 53 / 60, rise=1.2),
            "the probe is kept: on 60 held-out training examples a difference of 5 answers can be chance: accuracy "
            "0.967 against 0.883 of the probe, log loss 0.300 against 0.310; more labels would tell",
        ),
        (
            compared(0.9, 0.9),
            "the probe is kept: tuning was no better: on 60 held-out training examples accuracy 0.900 ",
        ),
        (compared(0.96, 0.88, rise=2.0), "is more often right, but what decides is log loss 0.300 against 0.310"),
        (compared(0.9, 0.8, n=12), "too few were held out to prove that tuning is better (on 12 held-out training"),
        (compared(0.9, 0.8, weighted=True), "(weighted: as many as they are worth) such a difference can be chance: "),
        (
            compared(0.9, 0.8, task=REGRESSION),
            "within a quarter of a deviation 0.900 against 0.800 of the probe, squared",
        ),
    ],
)
def test_why_the_probe_is_kept_reads_like_no_contradiction(asked, said):
    assert said in asked.kept()
    assert "beyond noise" not in asked.kept()


def test_why_a_tuned_model_is_taken():
    assert (
        compared(0.97, 0.88, better=True)
        .taken()
        .startswith(
            "tuned, better: on 60 held-out training examples accuracy 0.970 against 0.880 of the probe, log loss 0.300"
        )
    )
    lower = compared(0.87, 0.88, better=True).taken()
    assert lower.endswith("log loss 0.300 against 0.310 of the probe; accuracy 0.870 against 0.880 can be chance")
    asked = compared(59 / 60, 58 / 60).taken()
    assert asked.startswith(
        "tuned as asked for, though on 60 held-out training examples a difference of 1 answer can be"
    )
