"""A fitted model, whatever its task: predict, score, evaluate, save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.check import check
from headstart.data.read import read
from headstart.errors import DataError, UserError
from headstart.inputs.modality import Modality
from headstart.progress import Advance, Progress, Silent
from headstart.record import Record
from headstart.task import Head, Predictor, Scores, Task
from headstart.values import Backbone, Columns, Dataset, Features, Finding, Request


@dataclass(frozen=True)
class Evaluation:
    """Scores on other data, with what did not fit the model."""

    scores: Scores
    missing: tuple[str, ...]  # classes of the model without an example
    extra: tuple[str, ...]  # classes of the data that the model does not know; their examples are left out
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """A backbone with a head for the user's task."""

    task: Task
    backbone: Backbone
    head: Head
    record: Record | None = None  # how it was made; None: it is as it came
    folder: Path | None = None  # where it was saved
    _about: Mapping[str, Any] = field(default_factory=dict, repr=False)  # of a model as it came, for its summary

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of classes or labels; empty for tasks without."""
        return tuple(getattr(self.head, "classes", ()))

    @property
    def scores(self) -> Scores | None:
        """On the test part; None: it is as it came."""
        return None if self.record is None else self.record.scores

    @property
    def summary(self) -> dict[str, Any]:
        """What `fit --json` prints."""
        return dict(self._about) if self.record is None else self.record.to_json()

    @property
    def modality(self) -> Modality:
        """What it takes."""
        return next(m for m in self.task.modalities.values() if m.kind == self.backbone.kind)

    @cached_property
    def predictor(self) -> Predictor:
        """Opened once, and kept."""
        return self.task.predictor(self.backbone, self.head)

    def with_record(self, record: Record) -> Model:
        """The same model, with how it was made."""
        return replace(self, record=record)

    def predict(self, inputs: Any, *, top: int = 5) -> list[Any]:
        """A prediction for each input, in the order given; one that cannot be used has an `error`.

        Args:
            inputs: one input or a sequence: image files or folders, PIL images, uint8 arrays; texts; or pairs of a
                question and a text.
            top: how many classes each prediction lists.
        """
        items, names = self.modality.given(inputs)
        outputs, errors = self._outputs(items)
        return self.task.words.predictions(self.head, outputs, names, errors, top)

    def predict_proba(self, inputs: Sequence[Any]) -> np.ndarray:
        """(n, n_classes) probabilities, columns in the order of `classes`.

        Raises:
            DataError: an input that cannot be read.
            UserError: a task without classes.
        """
        if self.task.probabilities is None:
            raise UserError(f"{self.task.name} gives no probabilities of classes", fix="model.predict(inputs)")
        outputs, errors = self._outputs(list(inputs))
        if errors:
            first = min(errors)
            raise DataError(errors[first], where=f"input {first}")
        return self.task.probabilities(outputs)

    def answer(self, question: str, context: str | Sequence[str], *, top: int = 1) -> list[Any]:
        """The best answers to a question from a text of any length, or several; best first, no two overlap.

        Where no answer is the best one, it comes first: an Answer without text.

        Raises:
            DataError: the question or every text is empty, or the question is too long.
            UserError: a model of another task.
        """
        ask = getattr(self.predictor, "answer", None)
        if ask is None:
            raise UserError(f"a model for {self.task.name} answers no questions", fix="model.predict(inputs)")
        answers: list[Any] = ask(question, context, top=top)
        return answers

    def score(
        self,
        dataset: Dataset,
        rows: np.ndarray,
        *,
        reference: Mapping[str, Any] | None,
        known: Features | None = None,
        advance: Advance = lambda _: None,
    ) -> Scores:
        """How good the model is on these rows of a checked dataset.

        Args:
            reference: what the baseline has to know of the training targets; None: that is not known.
            known: features that may hold some of the rows already.
        """
        outputs = self.predictor.outputs(dataset, rows, known=known, advance=advance)
        return self.task.scorer.score(self.head, outputs, dataset, rows, reference)

    def evaluate(
        self, data: Any, labels: Any = None, *, columns: Columns | None = None, progress: Progress | None = None
    ) -> Evaluation:
        """Score on other data with targets; classes are matched by name. Of data with official parts, on the test part.

        Raises:
            DataError: the data cannot be read, or nothing in them is known to the model.
        """
        progress = progress or Silent()
        request = Request(data, labels, task=self.task.name, kind=self.modality.kind, columns=columns)
        with progress.step("read"):
            dataset, notes = _test_part(read(request, [self.task]))
        with progress.step("check", len(dataset)) as advance:
            dataset = check(dataset, purpose="evaluate", advance=advance)
        rows, unknown = self.task.scorer.known(dataset, self.classes)
        findings = (*dataset.findings, *self.task.scorer.remarks(self.predictor, dataset))
        with progress.step("evaluate", len(rows)) as advance:
            reference = None if self.scores is None else self.scores.details
            scores = self.score(dataset, rows, reference=reference, advance=advance)
        return Evaluation(
            scores,
            missing=tuple(sorted(set(self.classes) - set(dataset.classes))),
            extra=tuple(sorted(set(dataset.classes) - set(self.classes))),
            findings=(*findings, *unknown),
            notes=(*dataset.notes, *notes),
        )

    def _outputs(self, items: Sequence[Any]) -> tuple[Any, dict[int, str]]:
        """What the model makes of the inputs that can be used, in their order, and the reason for each other one."""
        n = len(items)
        everything = Dataset(self.task, self.modality, "inputs", items, [None] * n, [str(i) for i in range(n)])
        usable = check(everything, purpose="predict")
        errors = {int(f.where): f.reason for f in usable.findings if f.rejected}
        outputs = self.predictor.outputs(usable, np.arange(len(usable)), advance=lambda _: None)
        return outputs, errors


def _test_part(dataset: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    """Where the data have official parts, only the test part (or val) is scored."""
    parts = set(dataset.parts or ())
    wanted = next((part for part in ("test", "val") if part in parts), None)
    if dataset.parts is None or wanted is None:
        return dataset, ()
    rows = np.array([i for i, part in enumerate(dataset.parts) if part == wanted])
    picked = replace(dataset.take(rows), parts=None, findings=dataset.findings, notes=dataset.notes)
    return picked, (f"scored on the {wanted} part",)
