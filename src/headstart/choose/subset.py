"""How many examples to learn from, where the budget is too short to encode all of them and train as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.adapt.checkpoint import Checkpoint, key_of, open_checkpoint
from headstart.backbone import Backbone
from headstart.choose.policy import ALONE, FEWEST, FEWEST_OF_A_CLASS, NEARLY_ALL, TIMED
from headstart.choose.rate import Rate
from headstart.clock import Budget
from headstart.data.sampling import drawn
from headstart.encode.elsewhere import machines
from headstart.encode.encode import encode_rows, unknown
from headstart.session import Session
from headstart.values import Dataset, Method


@dataclass(frozen=True)
class Subset:
    """Rows of the training part that there is time for."""

    train: np.ndarray  # (n,) int64, ascending
    checkpoint: Checkpoint | None = None  # where that is written down, until the model is saved; None: all of them
    timed: int = 0  # how many this fit encoded to see how fast that is


def choose_subset(
    dataset: Dataset, train: np.ndarray, backbone: Backbone, *, method: Method, seed: int, session: Session
) -> Subset:
    """The training examples that there is time to encode in a share of the budget, but 10,000 in any case, and 200 a
    class; all of them for a probe, and where nothing has to be encoded.

    Some are encoded here, to see how long that takes; what the store knows takes no time. The same command goes by the
    same number after a kill.

    Args:
        dataset: checked. train: rows of its training part.
        seed: of the fit; which examples are taken does not depend on it.
    """
    fewest = max(FEWEST, FEWEST_OF_A_CLASS * len(dataset.classes))
    if method == "probe" or not dataset.task.learner.encodes or len(train) <= fewest:
        return Subset(train)
    order, budget = drawn(dataset, train), session.budget
    encoding = budget.share(ALONE if backbone.frozen_only else dataset.modality.encoding_share)

    timed = 0  # also where the number was decided before: then this fit times nothing

    def decide() -> int:
        nonlocal timed
        room, timed = _room(dataset, order, backbone, encoding, session)
        count = max(fewest, room)
        return count if count < NEARLY_ALL * len(order) else len(order)

    asked = ["amount", backbone.function, backbone.preparation, method, budget.seconds, seed]
    asked += [] if backbone.precision == "auto" else [backbone.precision]
    checkpoint = open_checkpoint(key_of(dataset.checked_digests[train], dataset.y[train], asked))
    try:
        count = checkpoint.decide_once("examples", decide)
        return Subset(np.sort(order[:count]), checkpoint, timed)
    finally:
        checkpoint.release()  # the number stays; an equal fit from now on may as well go by it


def _room(
    dataset: Dataset, order: np.ndarray, backbone: Backbone, encoding: Budget, session: Session
) -> tuple[int, int]:
    """How many of the rows in `order`, from the first on, can be encoded in that time beside those that are tested,
    which all others are; and how many were encoded to know that."""
    digests = dataset.checked_digests
    tested = np.setdiff1d(np.arange(len(dataset)), order)
    new = np.cumsum(unknown(digests[order], backbone))
    if new[-1] <= TIMED:
        return len(order), 0
    timed = order[: int(np.searchsorted(new, TIMED)) + 1]
    with session.progress.step("time", len(timed)) as advance:
        rate = Rate(len(timed), None, advance, session.now)
        encode_rows(dataset, np.sort(timed), backbone, advance=rate)
    here = rate.per_second() or 0.0
    room = TIMED + machines() * here * encoding.left - unknown(digests[tested], backbone).sum()
    return int(np.searchsorted(new, room, side="right")), TIMED
