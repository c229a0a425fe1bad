"""Fine-tuning as `fit --how tune` does it, on some of the labels; the tuned model is asked as it is, and not kept."""

from __future__ import annotations

import numpy as np

from headstart.adapt.checkpoint import open_checkpoint
from headstart.adapt.loop import outputs_of
from headstart.adapt.plan import Plan
from headstart.adapt.train import tuned_in_time
from headstart.backbone import Features
from headstart.clock import Budget
from headstart.comparison.contest import Contest, Outcome
from headstart.comparison.feeds import FED
from headstart.encode.encode import of_rows
from headstart.encode.engines import device
from headstart.progress import Silent
from headstart.session import Session
from headstart.values import Split


class _Within(Silent):
    """A fit within a comparison: its steps are no steps of that, and what it says is."""

    def __init__(self, contest: Contest) -> None:
        self._contest = contest

    def tell(self, text: str) -> None:
        self._contest.tell(text)

    @property
    def stopped(self) -> bool:
        return self._contest.stopped()


def tuned(contest: Contest, rows: np.ndarray, seed: int, within: Budget) -> Outcome | None:
    """Tune the pre-trained model on these rows, from their probe on.

    Returns:
        None where there was no time to train.
    """
    dataset, session = contest.dataset, Session(within, _Within(contest))
    parts = Split(rows, contest.test, official=True)
    plan = Plan(contest.backbone, "tune", "compared", rows)
    known = of_rows(contest.features, np.union1d(rows, contest.test))
    known = Features(known.matrix, known.key, len(known.matrix), known.rows)
    lesson = dataset.task.learner.lesson(dataset, parts, plan, known, session, seed=seed)
    checkpoint = open_checkpoint(lesson.key())
    training = lesson.training(checkpoint)
    trained, cut = tuned_in_time(training, checkpoint, session)
    if cut and not contest.stopped():  # who stops training with Ctrl-C wants no more of all this
        checkpoint.release()
        raise KeyboardInterrupt
    checkpoint.remove()
    if isinstance(trained, str):
        return None
    head, module = training.finish(trained)
    seconds = within.now() - within.begun + contest.per_example * len(rows)
    feed = FED[contest.backbone.kind].plain(dataset, contest.test, training.backbone)
    recipe = trained.recipe
    return Outcome(
        head=head,
        outputs=head.logits(outputs_of(module, feed, device=device())),
        seconds=seconds,
        epochs=recipe.steps * recipe.batch / len(rows),
    )
