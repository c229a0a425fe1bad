"""The ways of learning that are compared, a row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from headstart.clock import Budget
from headstart.comparison.classical import CLASSICAL, Classical
from headstart.comparison.contest import Contest, Outcome
from headstart.comparison.equivalent import PROBE, SCRATCH
from headstart.comparison.scratch import FromScratch
from headstart.comparison.tuned import tuned
from headstart.encode.encode import of_rows
from headstart.evaluate.paired_test import FEWEST

TUNED = "tuned"


@dataclass(frozen=True)
class Way:
    """A way of learning from labelled examples."""

    key: str
    title: str
    run: Callable[[np.ndarray, int, Budget], Outcome | None]  # (rows, seed, the time it has)
    trains: bool = False  # whether it takes as long as it is given, and another seed makes another model of all labels
    fewest: int = 1  # labels that it can begin with


def ways_of(contest: Contest, scratch: FromScratch) -> tuple[Way, ...]:
    """The ways that there are for these examples and this model, the pre-trained ones first."""
    before = CLASSICAL[contest.backbone.kind]
    solved = (
        Way(PROBE, "pre-trained, frozen", partial(_probe, contest)),
        Way(before.key, before.title, Classical(contest, before.features(contest))),
    )
    if contest.backbone.frozen_only:
        return solved
    return (
        solved[0],
        Way(TUNED, "pre-trained, tuned", partial(tuned, contest), trains=True, fewest=FEWEST),
        Way(SCRATCH, "same network from scratch", scratch, trains=True),
        solved[1],
    )


def _probe(contest: Contest, rows: np.ndarray, seed: int, within: Budget) -> Outcome:
    """The linear head that `fit --how probe` makes."""
    head = contest.probe(rows, seed)
    seconds = within.now() - within.begun + contest.per_example * len(rows)
    return Outcome(head, head.logits(of_rows(contest.features, contest.test).matrix), seconds)
