"""How good answers are by SQuAD's rules, over how many documents, and how sure a model may be of them."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.answering.metrics import Predicted, best_threshold, exact_match, f1, score
from headstart.evaluate.calibration import answer_temperature
from headstart.evaluate.intervals import by_group
from test_questions import TOWER
from test_windows import most_memory

SILENT = ["the", "a", "The", "an", ".", "(", '"']  # which the rules do not compare
WORDS = [*SILENT, "Denver", "broncos", "1889", "in", "U.S.", "—", "of", "(AFC)", "Éire"]


def says_something(text: str) -> bool:
    return any(word not in SILENT for word in text.split())


def test_scores_are_torchmetrics_own_on_a_thousand_random_cases():
    """Its rules are SQuAD 1.1's. SQuAD 2.0's say what it does not: a true answer that says nothing does not count; if
    none is left, nothing is right, and only nothing is."""
    from headstart.pretrained.torchvision_operators import declare_missing

    declare_missing()
    from torchmetrics.functional.text import squad as reference

    rng, seen = random.Random(0), Counter()
    for case in range(1000):
        true = [" ".join(rng.choices(WORDS, k=rng.randint(1, 4))) for _ in range(rng.randint(0, 3))]
        said = rng.choice([*true, " ".join(rng.choices(WORDS, k=rng.randint(0, 4)))])
        counted = [text for text in true if says_something(text)]
        seen[len(counted) < len(true), bool(counted), says_something(said)] += 1
        if counted:
            given = {"answers": {"text": counted, "answer_start": [0] * len(counted)}, "id": "x"}
            scores = reference([{"prediction_text": said, "id": "x"}], [given])
            wanted = [float(scores[name]) for name in ("exact_match", "f1")]
        else:
            wanted = [0.0, 0.0] if says_something(said) else [100.0, 100.0]
        assert [100 * exact_match(said, true), 100 * f1(said, true)] == pytest.approx(wanted, abs=1e-4), (case, said)
    assert len(seen) == 8
    assert min(seen.values()) > 10


@pytest.mark.parametrize(
    ("said", "true", "right"),
    [
        ("", [], 1),
        ("the", [], 1),
        ("Paris", [], 0),
        ("", ["Paris"], 0),
        ("a.", ["Paris"], 0),
        ("", ["the"], 1),
        ("an", ["the", "."], 1),
        ("Paris", ["the"], 0),
        ("the", ["the", "Paris"], 0),
        ("", ["", "Paris"], 0),
        ("the Paris!", ["the", "Paris"], 1),
    ],
)
def test_what_is_right_where_nothing_is_said(said, true, right):
    assert (exact_match(said, true), f1(said, true)) == (right, right)


def predicted(text: str, start: int = 0, *, group: int = 0, confidence: float = 0.5) -> Predicted:
    return Predicted(text, start, confidence, TOWER, "When?", f"{text} {start}", group)


def test_scores_of_questions_with_and_without_answer():
    year, where = (("1889", 30),), (("Paris", TOWER.index("Paris")),)
    found = score(
        [
            predicted("1889", 30),
            predicted("in 1889.", 27, group=1),  # "in" is a word more: F1 2/3
            predicted("", group=1),
            predicted("", group=2),
            predicted("Eiffel", 4, group=2, confidence=0.9),
            predicted("France", TOWER.index("France"), group=3),
            predicted("Tower", 11, group=3),
        ],
        [year, year, year, (), (), where, where],
    )
    assert found.exact_match == pytest.approx(2 / 7)
    assert found.f1 == pytest.approx((2 + 2 / 3) / 7)
    assert (found.answerable["n"], found.answerable["exact_match"]) == (5, pytest.approx(1 / 5))
    assert (found.unanswerable["n"], found.unanswerable["f1"]) == (2, pytest.approx(1 / 2))
    assert found.documents == 4
    assert found.errors == {
        "boundary": 1,
        "no answer given": 1,
        "answered without one": 1,
        "right sentence": 1,
        "wrong sentence": 1,
    }
    assert found.details["mistakes"][0]["answered"] == "Eiffel"  # the most confident one
    assert found.exact_match_interval.low <= found.exact_match <= found.exact_match_interval.high


def test_an_interval_is_over_documents():
    values = np.repeat([0.0, 1.0] * 10, 50)
    alone, together = by_group(values, np.arange(1000)), by_group(values, np.repeat(np.arange(20), 50))
    assert alone.high - alone.low < 0.08
    assert together.high - together.low > 0.3
    assert by_group(values[45:55], np.zeros(10, int)) == by_group(values[45:55], np.arange(10))
    assert 0.7 < by_group(np.ones(60), np.repeat(np.arange(20), 3)).low < 0.9  # all right, but only 20 documents


def test_an_interval_over_many_documents_takes_little_memory():
    rng = np.random.default_rng(1)
    values, groups = rng.random(12_000), rng.integers(0, 6000, 12_000)
    with most_memory() as peak:
        found = by_group(values, groups)
        assert peak() < 20e6
    of = np.unique(groups, return_inverse=True)[1]
    drawn = np.random.default_rng(0).multinomial(of.max() + 1, np.full(of.max() + 1, 1 / (of.max() + 1)), size=2000)
    means = (drawn @ np.bincount(of, weights=values)) / (drawn @ np.bincount(of))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=1e-12)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_no_threshold_is_better_than_the_best(rows):
    lead = np.array([row[0] for row in rows], dtype=float)
    has, right = (np.array([row[i] for row in rows]) for i in (1, 2))
    with_answer, without = (has & right).astype(float), (~has).astype(float)

    def total(threshold: float) -> float:
        return float(np.where(lead > threshold, without, with_answer).sum())

    found = best_threshold(lead, with_answer, without)
    best = max(total(t) for t in np.arange(-4, 5, 0.5))
    assert total(np.inf if found is None else found) == best


def test_a_temperature_makes_confidence_honest():
    rng = np.random.default_rng(0)
    true = rng.normal(0, 1.5, (4000, 6))
    order = np.argsort(-true, axis=1)
    scores = np.take_along_axis(true, order, axis=1)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    right = rng.random(4000) < shares[:, 0]
    scores[:, 5] = -np.inf  # rows are filled up
    assert answer_temperature(3 * scores, right) == pytest.approx(3, rel=0.2)
    assert answer_temperature(scores / 2, right) == pytest.approx(0.5, rel=0.2)
    few = answer_temperature(scores[:6], np.ones(6, dtype=bool))  # six right ones are not yet certainty
    shares = np.exp(scores[:6] / few)
    assert 0.7 < np.mean(shares[:, 0] / shares.sum(axis=1)) < 0.95
