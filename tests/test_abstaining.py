"""Where a model says that it is unsure, what it answers is as right as was asked, on examples that nobody has seen."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.evaluate.abstain import SURE, most_accurate, promised_part
from headstart.evaluate.intervals import wilson


def drawn(rng: np.random.Generator, n: int, *, digits: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and whether answers are right: the surer the oftener."""
    confidence = rng.beta(4, 1, n)
    right = rng.random(n) < 0.5 + 0.5 * confidence**2
    return (confidence if digits is None else confidence.round(digits)), right


@pytest.mark.parametrize("digits", [None, 1], ids=["", "equal confidences"])
@pytest.mark.parametrize("accuracy", [0.8, 0.9])
def test_the_asked_accuracy_is_reached_in_nine_of_ten_further_batches(accuracy, digits):
    """A batch has noise of its own; the promise is about what somebody measures on one."""
    rng, broken, times, shares = np.random.default_rng(0), 0, 150, []
    for _ in range(times):
        confidence, right = drawn(rng, 1250, digits=digits)
        part = promised_part(confidence[:1000], right[:1000], accuracy)
        if part is None:  # which keeps no promise and breaks none
            continue
        shares.append(part.share)
        said = confidence[1000:] >= part.threshold
        broken += bool(said.any()) and right[1000:][said].mean() < accuracy
    assert len(shares) > 0.8 * times  # most draws promise something
    assert wilson(broken, len(shares)).low <= 1 - SURE
    assert np.mean(shares) > 0.2  # and not by answering nearly nothing


def test_what_is_answered_is_what_the_threshold_says():
    confidence, right = drawn(np.random.default_rng(1), 1000, digits=2)
    part = promised_part(confidence, right, 0.9)
    said = confidence >= part.threshold
    assert part.share == said.mean()
    assert part.accuracy == right[said].mean() >= 0.9
    order = np.random.default_rng(2).permutation(1000)
    assert promised_part(confidence[order], right[order], 0.9) == part


def test_more_accurate_answers_are_fewer():
    confidence, right = drawn(np.random.default_rng(3), 5000)
    shares = [promised_part(confidence, right, accuracy).share for accuracy in (0.8, 0.9, 0.95)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]


def test_what_nothing_promises_is_not_promised():
    confidence, right = drawn(np.random.default_rng(4), 200)
    assert promised_part(confidence, right, 0.999) is None
    most = most_accurate(confidence, right)
    assert 0.7 < most < 0.999
    assert promised_part(confidence, right, most) is not None
    assert most_accurate(confidence, np.zeros(200, dtype=bool)) is None
    assert promised_part(np.ones(20), np.ones(20, dtype=bool), 0.95) is None  # twenty right answers say no such thing


def test_examples_of_one_group_promise_less_than_as_many_by_themselves():
    rng = np.random.default_rng(5)
    confidence, right = drawn(rng, 60)
    confidence, right, groups = (np.repeat(some, 20) for some in (confidence, right, np.arange(60)))
    alone, together = (most_accurate(confidence, right, groups=some) for some in (None, groups))
    assert together < alone


def test_wrong_arguments_are_refused():
    for confidence, right, accuracy in (([], [], 0.9), ([0.5], [True], 1.0), ([0.5], [True, False], 0.9)):
        with pytest.raises(ValueError, match="need examples"):
            promised_part(np.array(confidence), np.array(right), accuracy)
