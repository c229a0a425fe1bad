"""The lesson of question answering: a model that finds answers already, or a new head that has to be trained."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

import numpy as np

from headstart import __version__
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.lesson import FORM, Adapted, Training
from headstart.adapt.plan import Plan
from headstart.answering.answerer import Answerer
from headstart.answering.examples import as_asked, longest_answer
from headstart.answering.settings import Settings, settings_from
from headstart.backbone import Backbone, Features
from headstart.data.split import folds
from headstart.errors import UserError
from headstart.inputs.windows import targets
from headstart.pretrained.heads import own_head
from headstart.session import Session
from headstart.values import Dataset, Finding, Method, Passages, Split

MOST_READ = 2000  # windows that are read only for the settings
_FEWEST = 200  # questions from which a model that finds answers already is trained unasked
_MOST_SETTING = 500  # questions that the settings of a model as it is are fitted on


@dataclass(frozen=True)
class AnsweringLesson:
    """The training questions that are learned from, numbered anew."""

    dataset: Dataset
    rows: np.ndarray  # (n,) of the whole dataset
    tested: Passages  # which are only counted
    backbone: Backbone
    method: Method
    seed: int
    session: Session
    findings: tuple[Finding, ...]  # questions of which the model reads only a part
    notes: tuple[str, ...]
    strict: bool = False  # refuse questions that cannot be learned from, rather than leave them out
    # What training finds out on its way: rows that cannot be learned from; windows that there is time to read for the
    # settings, at most.
    left_out: dict[int, Finding] = field(default_factory=dict)
    most_read: list[int] = field(default_factory=lambda: [MOST_READ])

    @property
    def passages(self) -> Passages:
        """The questions with their texts."""
        return self.dataset.passages

    @property
    def new(self) -> bool:
        """Whether its head has yet to be trained."""
        return own_head(self.backbone.config).new

    @property
    def insist(self) -> bool:
        """Whether it is trained whatever comes of it."""
        return self.new or self.method != "auto"

    def declined(self) -> str | None:
        """As `Lesson.declined`."""
        if self.method == "probe":
            return "asked for"
        n = len(self.dataset)
        if not self.new and self.method == "auto" and n < _FEWEST:
            return f"{n} training questions: too few to prove that training is better ({_FEWEST})"
        return None

    @property
    def few(self) -> bool:
        """As `Lesson.few`: answers have no classes."""
        return False

    def from_few(self) -> Adapted:
        """As `Lesson.from_few`; there is no such way."""
        raise ValueError("answers have no classes")

    def key(self) -> str:
        """As `Lesson.key`."""
        passages, budget = self.passages, self.session.budget.seconds
        asked = [FORM, "spans", self.backbone.function, asdict(self.backbone.texts), self.method, budget, self.seed]
        told = [*asked, __version__, version("torch"), passages.questions, passages.context.tolist()]
        seen = hashlib.sha256(repr([*told, self.dataset.targets]).encode("utf-8", "surrogatepass"))
        for text in (*passages.contexts, *passages.documents):  # folds go by document
            seen.update(text.encode("utf-8", "surrogatepass"))
        return seen.hexdigest()[:24]

    def training(self, checkpoint: Checkpoint) -> Training:
        """As `Lesson.training`."""
        from headstart.answering.training import answering_training  # loads torch

        return answering_training(self, checkpoint)

    def without_training(self, why: str) -> Adapted:
        """The model as it is; when it says that there is no answer, and how sure it is, fits the user's questions.

        Raises:
            UserError: a new head, or one that was to be trained in any case.
        """
        if self.new and self.method == "probe":
            raise UserError(
                f"{self.backbone.name} has no head that finds answers, so it must be trained",
                where="--how probe",
                fix="--how tune, or a model that was trained on SQuAD",
            )
        if self.insist and self.method != "probe":
            raise UserError(why, where=self.dataset.name)
        settings = self._settings_as_it_is
        return self._adapted(self.backbone, settings, "probe", why, self.rows, self.findings, self.notes)

    def with_training(self, backbone: Backbone, head: Settings, tuned: object, method: Method, note: str) -> Adapted:
        """The trained model, without the questions that could not be learned from."""
        proved = tuned.verdict.tuned_is_better  # type: ignore[attr-defined]
        better = "" if proved else "though it is not proved that it is better: "
        rows, notes = self.rows, self.notes
        if self.left_out:
            rows = np.delete(rows, list(self.left_out))
            n = len(self.left_out)
            notes = (*notes, f"{_not_learned(n)}: no window of the model holds the answer")
        findings = (*self.findings, *self.left_out.values())
        why = f"trained, {better}{self._said(tuned)}"
        return self._adapted(backbone, head, method, why, rows, findings, notes)

    def learning_curve(self, head: Settings) -> None:
        """As `Lesson.learning_curve`: with fewer labels, it would have to be trained again."""

    def kept(self, tuned: object, note: str) -> str:
        """As `Lesson.kept`."""
        v = tuned.verdict  # type: ignore[attr-defined]
        if v.tuned_accuracy <= v.untuned_accuracy:
            return f"training was no better: {self._said(tuned)}"
        return f"kept as it came, for on so few that can be chance: {self._said(tuned)}; more questions would tell"

    def folds(self, k: int) -> np.ndarray:
        """(n,) fold of each question, 0 to k - 1, by document; by text, or by question, where there are too few."""
        dataset = self.dataset
        for groups in (dataset.checked_groups, self.passages.context):
            if len(np.unique(groups)) >= k:
                return folds(dataset.strata, groups, dataset.checked_digests, k=k, seed=self.seed)
        return folds(dataset.strata, np.arange(len(dataset)), dataset.checked_digests, k=k, seed=self.seed)

    @property
    def _settings_as_it_is(self) -> Settings:
        answerer, dataset = Answerer(self.backbone), self.dataset
        rows = np.random.default_rng(self.seed).permutation(len(dataset))[:_MOST_SETTING]
        windows = as_asked(dataset, rows, answerer.slicer, most=self.most_read[0], seed=self.seed)
        answerer.settings = Settings(longest=longest_answer(targets(windows, dataset.targets)))
        found = answerer.read(windows, self.passages.contexts)
        return settings_from(found, self.passages.contexts, dataset.targets, answerer.settings)

    def _said(self, tuned: object) -> str:
        v = tuned.verdict  # type: ignore[attr-defined]
        said = f"on {v.n} windows of held-out training questions {v.tuned_accuracy:.3f} of the spans are exactly right"
        return said if self.new else f"{said}, {v.untuned_accuracy:.3f} before"

    def _adapted(
        self,
        backbone: Backbone,
        head: Settings,
        method: Method,
        why: str,
        rows: np.ndarray,
        findings: tuple[Finding, ...],
        notes: tuple[str, ...],
    ) -> Adapted:
        return Adapted(
            backbone=backbone,
            head=head,
            method=method,
            why=why,
            features=None,
            rows=rows,
            findings=findings,
            notes=notes,
        )


def answering_lesson(
    dataset: Dataset, parts: Split, plan: Plan, features: Features, session: Session, *, seed: int
) -> AnsweringLesson:
    """The training questions whose answers are where the data say; a guessed place teaches the wrong one."""
    rows, notes = _sure(dataset, plan.train)
    if own_head(plan.backbone.config).new:
        trained = "--model deepset/minilm-uncased-squad2, or a folder with such a model, begins with one that does"
        session.progress.note(
            f"{plan.backbone.name} has never answered questions, and learns it from nothing: {trained}"
        )
    return AnsweringLesson(
        dataset=dataset.take(rows),
        rows=rows,
        tested=dataset.passages.take(parts.test),
        backbone=plan.backbone,
        method=plan.method,
        seed=seed,
        session=session,
        findings=tuple(Answerer(plan.backbone).too_long(dataset)),
        notes=notes,
    )


def _sure(dataset: Dataset, train: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    if dataset.guessed is None or not dataset.guessed[train].any():
        return train, ()
    sure = train[~dataset.guessed[train]]
    if not len(sure):
        return train, (
            "each training answer is in its text more than once: the first place is learned, right or wrong",
        )
    left = len(train) - len(sure)
    where = "the answer is in the text more than once (a column answer_start says which is meant)"
    return sure, (f"{_not_learned(left)}: {where}",)


def _not_learned(n: int) -> str:
    """How many training questions are left out of what is learned from, in words."""
    return f"{n:,} training question{' is' if n == 1 else 's are'} not learned from"
