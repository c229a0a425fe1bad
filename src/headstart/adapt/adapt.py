"""From features to a fitted model: what can be had without training, then fine-tuning, kept where it is better."""

from __future__ import annotations

from dataclasses import replace

from headstart.adapt.lesson import Adapted, Lesson
from headstart.adapt.plan import Plan
from headstart.backbone import Features
from headstart.session import Session
from headstart.values import Dataset, Split


def adapt(dataset: Dataset, parts: Split, plan: Plan, features: Features, session: Session, *, seed: int) -> Adapted:
    """Learn the task from the training part.

    Args:
        features: of the rows in `plan.train`, and of the test part.

    Raises:
        UserError: the data cannot be learned from with this model by this method.
    """
    learner = dataset.task.learner
    lesson = learner.lesson(dataset, parts, plan, features, session, seed=seed)
    adapted = _adapted(lesson, plan, session)
    adapted = adapted if learner.decided is None else learner.decided(dataset, adapted)
    with session.step("learning curve", shown=False):
        return replace(adapted, learning_curve=lesson.learning_curve(adapted.head))


def _adapted(lesson: Lesson, plan: Plan, session: Session) -> Adapted:
    why = lesson.declined()
    if why is not None:
        return lesson.without_training(why)
    if lesson.few:
        with session.step("tune"):
            return lesson.from_few()
    with session.step("tune"):
        from headstart.adapt.train import train  # loads torch, which a probe on known features does without

        return train(lesson, plan.method, session)
