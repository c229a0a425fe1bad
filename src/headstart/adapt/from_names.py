"""The lesson of classes of which nothing is known but their names: no label is there, and nothing is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headstart.adapt.auxiliary import Auxiliary
from headstart.adapt.basis import fit_basis
from headstart.adapt.beside import Pool, counts, encoded_pool
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.lesson import Adapted, Training
from headstart.adapt.plan import Plan
from headstart.adapt.self_training import taught
from headstart.backbone import Backbone, Features, Head
from headstart.data.labels.class_names import ClassWords
from headstart.encode.encode import of_rows
from headstart.evaluate.learning_curve import LearningCurve
from headstart.session import Session
from headstart.values import Caution, Dataset, Method, Split

if TYPE_CHECKING:
    from headstart.adapt.fine_tune import Tuned

# What folds would find where there are labels. Of banking77, SST-2, TREC and 28 emotions any from 0.01 to 1 gave names
# within 0.01 of one another's accuracy, and 1 lost 77 intents once a pool was beside them
# (docs/log/2026-11-few-labels.md).
_PENALTY = 0.1
# Nobody can say how sure to be. Of those four sets 0.75 to 5 suited best; what is less sure than it could be misleads
# less than what is surer than it should be.
_TEMPERATURE = 2.0
_NO_LABELS = "no example has a label: the names of the classes are all that is known of them"
_UNMEASURED = "nothing was measured, as there are no labels: --test FILE measures it, or headstart evaluate MODEL FILE"


@dataclass(frozen=True)
class NamesLesson:
    """Names as the examples of their classes, moved to where the pool is, and what they teach of it."""

    dataset: Dataset
    plan: Plan
    known: Features  # of the names, and of the test part
    head: Head
    used: int  # examples of the pool
    pool: Pool
    names: np.ndarray  # (m, d) features of the names
    tested: bool

    def declined(self) -> str | None:
        """As `Lesson.declined`: always."""
        return _NO_LABELS

    @property
    def few(self) -> bool:
        """As `Lesson.few`: there is none."""
        return False

    def from_few(self) -> Adapted:
        """As `Lesson.from_few`; there is none."""
        raise ValueError("there are no labels")

    def key(self) -> str:
        """As `Lesson.key`; no run is ever killed, for there is none."""
        raise ValueError("nothing is trained")

    def training(self, checkpoint: Checkpoint) -> Training:
        """As `Lesson.training`; there is none."""
        raise ValueError("nothing is trained")

    def kept(self, tuned: Tuned, note: str) -> str:
        """As `Lesson.kept`; nothing is tuned."""
        raise ValueError("nothing is trained")

    def with_training(self, backbone: Backbone, head: Head, tuned: Tuned, method: Method, note: str) -> Adapted:
        """As `Lesson.with_training`; nothing is."""
        raise ValueError("nothing is trained")

    def without_training(self, why: str) -> Adapted:
        """The head that the names make."""
        words = ClassWords(
            tuple(str(self.dataset.inputs[row]) for row in self.plan.train.tolist()), self.dataset.y[self.plan.train]
        )
        return Adapted(
            backbone=self.plan.backbone,
            head=self.head,
            method="probe",
            why=why,
            features=self.known,
            rows=self.plan.train[:0],
            findings=self.pool.findings,
            notes=(*self.plan.notes, *self.pool.notes),
            cautions=() if self.tested else (Caution("not-measured", _UNMEASURED),),
            beside=Auxiliary(words, self.names),
            unlabelled=counts(self.dataset, self.pool, used=self.used, helped=None),
        )

    def learning_curve(self, head: Head) -> LearningCurve | None:
        """As `Lesson.learning_curve`; there are no labels to have fewer of."""
        return None


def names_lesson(
    dataset: Dataset, parts: Split, plan: Plan, features: Features, session: Session, *, seed: int
) -> NamesLesson:
    """Solve the head of the names, and let it learn from the pool.

    Args:
        features: of the names, which are the training part, and of the test part.
    """
    pool = encoded_pool(dataset, parts, plan.backbone, features, session)
    names = np.asarray(of_rows(features, plan.train).matrix[: len(plan.train)])
    placed = Features((names - names.mean(axis=0) + pool.features.mean(axis=0)).astype(np.float32), features.key, 0)
    with session.step("adapt"):
        family, y = dataset.task.learner.family, dataset.y[plan.train]
        basis, classes = fit_basis(np.concatenate([placed.matrix, pool.features])), dataset.classes
        nothing = np.zeros((len(classes), names.shape[1]), np.float32)
        like = Head(classes, nothing, nothing[:, 0], features.key, penalty=_PENALTY, temperature=1.0)
        head = family.refit(placed, y, basis=basis, like=like)
        head, used = taught(dataset, plan.train, placed, head=head, beside=Auxiliary(pool=pool.features))
    head = replace(head.cooled(_TEMPERATURE), features_key=features.key)
    return NamesLesson(dataset, plan, features, head, used, pool, names, tested=len(parts.test) > 0)
