"""How many examples to learn from, where the budget is too short to encode all of them and train as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.adapt.checkpoint import Journal, key_of, open_journal
from headstart.choose.rate import Watch
from headstart.clock import Budget
from headstart.data.split import drawn
from headstart.encode.encode import encode, unknown
from headstart.progress import Progress
from headstart.values import Backbone, Dataset, Kind, Split, Way

# Of the budget, for encoding. Texts need not be encoded to be tuned on: what takes longer costs training more than it
# gives the probe. Of images, then about twice as many are encoded as there is time to train on.
SHARES: dict[Kind, float] = {"image": 0.25, "text": 0.1}
_ALONE = 0.75  # of a model that cannot be trained: nothing else takes long
_FEWEST, _FEWEST_OF_A_CLASS = 10_000, 200  # examples that a probe wants: more make it hardly better (docs/tuning.md)
_TIMED = 2048  # examples whose encoding says how fast it is
_NEARLY_ALL = 0.9  # of them: no use in leaving out the rest


@dataclass(frozen=True)
class Amount:
    """Rows of the training part that there is time for."""

    train: np.ndarray  # (n,) int64, ascending
    journal: Journal | None = None  # where that is written down, until the model is saved; None: it is all of them
    timed: int = 0  # how many this fit encoded to see how fast that is


def affordable(
    dataset: Dataset,
    split: Split,
    backbone: Backbone,
    *,
    how: Way,
    budget: Budget,
    seed: int,
    progress: Progress,
) -> Amount:
    """The training examples that there is time to encode in a share of the budget, but 10,000 in any case, and 200 a
    class; all of them for a probe.

    Some are encoded here, to see how long that takes; what the store knows takes no time. The same command goes by the
    same number after a kill.

    Args:
        dataset: checked.
        budget: of the whole fit.
        seed: of the fit; which examples are taken does not depend on it.
    """
    fewest = max(_FEWEST, _FEWEST_OF_A_CLASS * len(dataset.classes))
    if how == "probe" or len(split.train) <= fewest:
        return Amount(split.train)
    order = drawn(dataset, split.train)
    encoding = budget.share(_ALONE if backbone.frozen_only else SHARES[dataset.kind])

    timed = 0  # also where the number was decided before: then this fit times nothing

    def decide() -> int:
        nonlocal timed
        room, timed = _room(dataset, order, split.test, backbone, encoding, progress)
        count = max(fewest, room)
        return count if count < _NEARLY_ALL * len(order) else len(order)

    asked = ["amount", backbone.function, backbone.preparation, how, budget.seconds, seed]
    journal = open_journal(key_of(dataset.checked_digests[split.train], dataset.y[split.train], asked))
    try:
        count = journal.once("examples", decide)
        return Amount(np.sort(order[:count]), journal, timed)
    finally:
        journal.release()  # the number stays; an equal fit from now on may as well go by it


def _room(
    dataset: Dataset, order: np.ndarray, tested: np.ndarray, backbone: Backbone, encoding: Budget, progress: Progress
) -> tuple[int, int]:
    """How many of the rows in `order`, from the first on, can be encoded in that time beside those that are tested; and
    how many were encoded to know that."""
    digests = dataset.checked_digests
    new = np.cumsum(unknown(digests[order], backbone))
    if new[-1] <= _TIMED:
        return len(order), 0
    timed = order[: int(np.searchsorted(new, _TIMED)) + 1]
    with progress.step("time", len(timed)) as advance:
        watch = Watch(len(timed), None, advance)
        encode([dataset.inputs[row] for row in timed.tolist()], digests[timed], backbone, advance=watch)
    room = _TIMED + (watch.per_second() or 0.0) * encoding.left - unknown(digests[tested], backbone).sum()
    return int(np.searchsorted(new, room, side="right")), _TIMED
