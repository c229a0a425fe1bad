"""The lesson of every task with a linear head: the probe on frozen features, then fine-tuning that starts there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headstart.adapt import near_duplicates
from headstart.adapt.again import out_of_fold
from headstart.adapt.basis import Basis
from headstart.adapt.beside import Begun, Pool, begin, counts, encoded_beside, encoded_pool, examples_a_second
from headstart.adapt.checkpoint import Checkpoint, key_of
from headstart.adapt.lesson import FORM, Adapted, HeldOutputs, Training
from headstart.adapt.more_labels import Exam, learning_curve, parts_of
from headstart.adapt.plan import Plan
from headstart.adapt.policy import FEW, TUNING
from headstart.adapt.why import Compared
from headstart.backbone import Backbone, Features, Head
from headstart.clock import Budget, as_budget
from headstart.encode.encode import encode_rows, of_rows
from headstart.evaluate.learning_curve import LearningCurve
from headstart.evaluate.paired_test import FEWEST
from headstart.pretrained.source import SOURCES
from headstart.session import Session
from headstart.values import Caution, Dataset, Finding, Method, Split

if TYPE_CHECKING:
    from headstart.adapt.fine_tune import Tuned

_LEAST_FOR_PROBE = 60.0  # seconds, whatever the budget: a probe is made in any case
_BATCH = 32  # examples of a step
_SLOWER = 3  # times as long a label takes in a learning curve as in the search, where more of them share a pass


@dataclass(frozen=True)
class LinearLesson:
    """The training rows with their probe, those first that were encoded: of texts there may be more."""

    dataset: Dataset  # the rows that may be learned from, numbered anew
    rows: np.ndarray  # (n,) of the whole dataset
    features: Features  # of the first of them
    basis: Basis
    head: Head  # the probe
    outputs: np.ndarray  # (m, c) of the first of them, each by a probe that left its fold out
    judged: np.ndarray  # (m,) which of the first these are: of very many not all
    plan: Plan
    seed: int
    session: Session
    reserve: float  # seconds that encoding the test part with a tuned model will take
    look_alikes: tuple[Finding, ...]  # test examples that show the same as a training one
    whole: Dataset
    test: np.ndarray  # rows of the whole
    known: Features  # of all rows that were encoded
    cut: tuple[Caution, ...]  # that the probe was cut short
    begun: Begun  # with what the probe learned from as well
    pool: Pool
    out_of_fold: bool  # whether the score is, which that of a trained model could only be by training for each fold

    @property
    def encoded(self) -> int:
        """How many rows have features."""
        return len(self.features.matrix)

    def declined(self) -> str | None:
        """As `Lesson.declined`."""
        method, n = self.plan.method, self.encoded
        if method == "probe":
            return "asked for"
        if method != "auto":
            return None
        if self.out_of_fold:
            return "too few could be held out to test a tuned model on: --how tune makes one all the same"
        if self.plan.backbone.frozen_only:
            return f"{SOURCES[self.plan.backbone.source].called} can be used frozen only: the probe is kept"
        if n < FEWEST:
            return f"{n} training examples: too few to prove that tuning is better ({FEWEST})"
        if n < min(FEW.told, FEW.labels * len(self.dataset.classes)) and not self.few:
            return f"{n} training examples: too few to tell whether tuning is better; --how tune tunes all the same"
        return self._too_late() if self.session.budget.left <= 0 else None

    @property
    def few(self) -> bool:
        """As `Lesson.few`: of texts of one class each that are read whole, without a pool, which would have to be
        encoded anew in each run."""
        backbone, modality = self.plan.backbone, self.dataset.modality
        apart = modality.reads_names and self.dataset.task.certainty.one_class and not len(self.begun.beside.pool)
        in_one = "windows" not in backbone.config
        return self.plan.method == "auto" and apart and in_one and self.encoded < FEW.labels * len(self.dataset.classes)

    def from_few(self) -> Adapted:
        """As `Lesson.from_few`."""
        from headstart.adapt.few_labels import few_labels  # loads torch

        return few_labels(self)

    def _too_late(self) -> str:
        """That no time is left, and what would do, as far as encoding says: a step is worth three passes."""
        budget, each = self.session.budget, self.reserve / max(1, len(self.test))
        training = 3 * each * TUNING.shortest_run * _BATCH
        needed = budget.seconds - budget.left + self.reserve + 2 * training + 30
        return f"no time was left to tune: --budget {as_budget(needed)} would do"

    def key(self) -> str:
        """As `Lesson.key`."""
        budget = self.session.budget.seconds
        asked = [FORM, self.head.classes, self.features.key, self.plan.method, budget, self.seed]
        asked += [] if self.dataset.task.metric is None else [self.dataset.task.metric]
        asked += [] if self.dataset.weights is None else [self.dataset.weights.tobytes()]
        groups = self.dataset.clusters
        asked += [] if groups is None else [groups.tobytes()]
        beside = self.begun.beside  # which the head that training starts from has learned from too
        asked += [beside.words.texts, beside.words.classes.tobytes()] if len(beside.words) else []
        asked += [hashlib.sha256(beside.pool.tobytes()).hexdigest()] if len(beside.pool) else []
        return key_of(self.dataset.checked_digests, self.dataset.y, asked)

    def training(self, checkpoint: Checkpoint) -> Training:
        """As `Lesson.training`."""
        from headstart.adapt.linear_training import linear_training  # loads torch

        return linear_training(self, checkpoint)

    def without_training(self, why: str) -> Adapted:
        """The probe."""
        adapted = self._adapted(self.plan.backbone, self.head, "probe", why, self.known, held_out=self.encoded)
        adapted = replace(adapted, calibration=adapted.probed)
        if not self.out_of_fold:
            return adapted
        room = Budget(max(_LEAST_FOR_PROBE, self.session.budget.left), self.session.now)
        outputs = out_of_fold(
            self.dataset,
            self.features,
            basis=self.basis,
            head=self.head,
            beside=self.begun.beside,
            seed=self.seed,
            cooling=self.begun.cooling,
            within=room,
        )
        return replace(adapted, held_out=outputs)

    def with_training(self, backbone: Backbone, head: Head, tuned: Tuned, method: Method, note: str) -> Adapted:
        """The tuned model; it may have learned from rows that were not encoded."""
        why = _noted(self._compared(tuned).taken(), note)
        asked = self.test if len(self.test) else self.rows[:1]  # where nothing is tested, one says what they are called
        with self.session.step("encode tuned", len(asked)) as advance:
            features = encode_rows(self.whole, asked, backbone, advance=advance)
        head = replace(head, features_key=features.key)
        n, beyond = tuned.verdict.n, len(self.dataset) > self.encoded
        judged = HeldOutputs(self.rows[tuned.rows], (tuned.kept / tuned.temperature).astype(np.float32))
        adapted = self._adapted(backbone, head, method, why, features, held_out=n, beyond=beyond)
        return replace(adapted, calibration=judged)

    def kept(self, tuned: Tuned, note: str) -> str:
        """As `Lesson.kept`."""
        return _noted(self._compared(tuned).kept(), note)

    def _compared(self, tuned: Tuned) -> Compared:
        return Compared(tuned.verdict, self.dataset.task, weighted=self.dataset.weights is not None)

    def learning_curve(self, head: Head) -> LearningCurve | None:
        """As `Lesson.learning_curve`. It is a small part of the work of the probe's search, whatever the machine."""
        budget, family, n = self.session.budget, self.dataset.task.learner.family, self.encoded
        folds = max(1, family.how_many_folds(n, len(self.head.classes)) - 1)
        searched = n * len(self.head.cross_validation) * folds
        labels = sum(size for size, _ in parts_of(self.dataset, n))
        foreseen = _SLOWER * self.session.seconds["adapt"] * labels / max(1, searched)
        if self.out_of_fold or not len(self.test) or foreseen > budget.left / 2:
            return None
        return learning_curve(
            self.dataset,
            self.features,
            basis=self.basis,
            head=self.head,
            beside=self.begun.beside,
            exam=Exam(self.whole, self.test, self.known),
            within=budget,
        )

    def _adapted(
        self,
        backbone: Backbone,
        head: Head,
        method: Method,
        why: str,
        features: Features,
        *,
        held_out: int,
        beyond: bool = False,
    ) -> Adapted:
        rows = np.union1d(self.plan.train, self.test)
        taken = self.whole.modality.remarks(self.whole, rows, backbone)
        return Adapted(
            backbone=backbone,
            head=head,
            method=method,
            why=why,
            features=features,
            probed=HeldOutputs(self.rows[self.judged], self.outputs),
            basis=self.basis,
            rows=np.sort(self.rows if beyond else self.rows[: self.encoded]),
            findings=(*self.look_alikes, *self.pool.findings, *taken.findings),
            unlabelled=counts(self.whole, self.pool, used=self.begun.used, helped=self.begun.helped),
            notes=(
                *self.plan.notes,
                *self._alike(),
                *self._sampled(beyond),
                *self.pool.notes,
                *self.begun.notes,
                *taken.notes,
                *self.dataset.task.learner.family.remarks(held_out),
            ),
            cautions=(*self.cut, *taken.cautions),
            beside=self.begun.beside,
        )

    def _alike(self) -> tuple[str, ...]:
        n, noun = len(self.look_alikes), self.dataset.modality.noun
        note = (
            f"{n} of {len(self.test)} test {noun}s may be a crop, edit or neighbouring frame of a training {noun}: "
            "where they are, and do not only look like one, the score is too good; the findings list them as look-alike"
        )
        return (note,) if n else ()

    def _sampled(self, beyond: bool) -> tuple[str, ...]:
        """A note, where not all training examples are encoded."""
        if self.encoded == len(self.rows):
            return ()
        how, then = ("encoded", "; tuning chose from all of them") if beyond else ("used", "")
        why = "each class by its share: encoding all would have taken too much of the budget"
        return (f"{self.encoded} of {len(self.rows)} training examples are {how}, {why}{then}",)


def _noted(why: str, note: str) -> str:
    """With how it was trained, where that is worth a word."""
    return f"{why}; {note}" if note else why


def linear_lesson(
    dataset: Dataset, parts: Split, plan: Plan, features: Features, session: Session, *, seed: int
) -> LinearLesson:
    """Fit the probe, in a step of its own.

    Args:
        features: of the rows in `plan.train`, and of the test part.
    """
    with session.step("encode", shown=False):
        beside = encoded_beside(dataset, plan.train, plan.backbone, views=not parts.out_of_fold)
    pool = encoded_pool(dataset, parts, plan.backbone, features, session)
    with session.step("adapt") as advance:
        train = of_rows(features, plan.train)
        room = Budget(max(_LEAST_FOR_PROBE, session.budget.left), session.now)

        def tried(count: int) -> None:
            advance(count)
            done.append(count)
            session.progress.tell(f"{len(done)} penalties tried")

        done: list[int] = []
        beside = replace(beside, pool=pool.features)
        begun = begin(dataset, plan.train, train, beside=beside, seed=seed, within=room, advance=tried)
        alike = _look_alikes(dataset, parts, plan.train, features, begun.basis)
    cut = (_cut(session.budget, len(done)),) if room.left <= 0 else ()
    rest = np.setdiff1d(parts.train, plan.train) if dataset.modality.trains_beyond else plan.train[:0]
    rows = np.concatenate([plan.train, rest])
    return LinearLesson(
        dataset=dataset.take(rows),
        rows=np.concatenate([plan.train, np.setdiff1d(parts.train, plan.train)]),
        features=train,
        basis=begun.basis,
        head=begun.probed.head,
        outputs=begun.probed.outputs,
        judged=begun.probed.rows,
        plan=plan,
        seed=seed,
        session=session,
        reserve=_seconds_to_test(dataset, parts, features, session),
        look_alikes=alike,
        whole=dataset,
        test=parts.test,
        known=features,
        out_of_fold=parts.out_of_fold,
        cut=cut,
        begun=begun,
        pool=pool,
    )


def _cut(budget: Budget, tried: int) -> Caution:
    """That the time was over before the probe was made as well as it can be."""
    more = as_budget(3 * max(budget.seconds, budget.seconds - budget.left))
    what = f"the probe was cut short by the budget, after {tried} of its penalties: it may be better with more"
    return Caution("probe-cut-short", f"{what}, --budget {more} say")


def _look_alikes(
    dataset: Dataset, parts: Split, train: np.ndarray, features: Features, basis: Basis
) -> tuple[Finding, ...]:
    """Test photos that show the same as a training photo. They stay: a split must not depend on a model."""
    if parts.out_of_fold or not dataset.modality.look_alikes:
        return ()
    y, test = dataset.strata, of_rows(features, parts.test)
    z, known = (near_duplicates.directions(basis, some.matrix) for some in (test, of_rows(features, train)))
    found = near_duplicates.same_as(z, y[parts.test], known, y[train])
    said = {finding.where for finding in parts.findings}
    rows = {dataset.where[parts.test[a]]: dataset.where[train[b]] for a, b in found.items()}
    return tuple(
        Finding(
            "look-alike",
            where,
            f"in the test part, and looks like {other} in training: is it of the same?",
            other=other,
        )
        for where, other in rows.items()
        if where not in said
    )


def _seconds_to_test(dataset: Dataset, parts: Split, features: Features, session: Session) -> float:
    """What encoding the test part with a tuned model will take, from what encoding took."""
    return len(parts.test) / examples_a_second(dataset, features, session)
