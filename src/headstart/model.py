"""A fitted model, whatever its task: predict, score, evaluate, save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.artifact import Fitted, Opened, open_model, save, saved_page, settle
from headstart.backbone import Backbone, Features
from headstart.confidence.confidence import Confidence, rule_of, wanted_of, with_scope
from headstart.data.arguments import inputs_of
from headstart.data.check import check
from headstart.data.learned import learned_by, without_unused
from headstart.data.read import refuse_odd
from headstart.encode.encode import FEW, encode_rows
from headstart.errors import DataError, UserError
from headstart.evaluation import Evaluation, evaluated
from headstart.inputs.modality import Modality
from headstart.pretrained.rebuild import from_where_kept, where_kept
from headstart.progress import Advance, Follower, Progress, Silent, as_progress, note
from headstart.record import Record
from headstart.report.examples import gallery_of
from headstart.report.in_short import in_short
from headstart.report.page import report
from headstart.report.worth import too_high
from headstart.storage.files import parse_json
from headstart.storage.place import Place, reserve_place
from headstart.storage.places import as_json, as_utf8, cannot_write
from headstart.task import NOT_MEASURED, Head, Predictor, Scores, Sureness, Task
from headstart.tasks.table import task_named
from headstart.values import Columns, Dataset, Split

if TYPE_CHECKING:
    from headstart.explain.explanation import Explanation
    from headstart.export.export import Exported


@dataclass(frozen=True, repr=False)
class Model:
    """A backbone with a head for the user's task.

    Example:
        >>> hs.load("questions.headstart")
        text classification: all-MiniLM-L6-v2, 4 classes: card arrival, card lost, change pin, exchange rate
        accuracy ... on 48 test examples; saved in questions.headstart
    """

    task: Task
    modality: Modality  # what it takes
    backbone: Backbone
    head: Head
    record: Record | None = None  # how it was made; None: it is as it came
    folder: Path | None = None  # where it was saved
    confidence: Confidence | None = None  # how sure it can say that it is; None: nobody fitted it, or that was before
    _about: Mapping[str, Any] = field(default_factory=dict)  # of a model as it came, for its summary
    _made_of: Fitted | None = field(default=None, compare=False)  # until it is saved

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of classes or labels; empty for tasks without."""
        return () if self.task.probabilities is None else tuple(self.head.classes)

    @property
    def scores(self) -> Scores | None:
        """On the test part; None: it is as it came."""
        return None if self.record is None else self.record.scores

    @property
    def columns(self) -> Columns | None:
        """Of the table that it was fitted on; taken for others, too, where they have all of them."""
        return None if self.record is None else self.record.columns

    @property
    def learned_from_files(self) -> bool:
        """Whether it was fitted on text files of one text each: another one is such a text, too."""
        return self.record is not None and self.record.from_files

    @property
    def summary(self) -> dict[str, Any]:
        """What `fit --json` prints."""
        return dict(self._about) if self.record is None else self.record.to_json()

    @cached_property
    def predictor(self) -> Predictor:
        """Opened once, and kept."""
        return self.task.predictor(self.backbone, self.head)

    @cached_property
    def explainer(self) -> Any:
        """What is asked why it answers as it does. Opened once, and kept. Raises UserError where Captum is missing."""
        if self.modality.explainer is None:
            raise UserError(f"{self.modality.noun}s are not explained", fix="model.predict(inputs)")
        return self.modality.explainer(self.backbone)

    def with_record(self, record: Record) -> Model:
        """The same model, with how it was made."""
        return replace(self, record=record)

    def fitted(
        self, record: Record, dataset: Dataset, parts: Split, known: Features | None, confidence: Confidence
    ) -> Model:
        """The same model, with how it was made, of what, and how sure it is."""
        made_of = Fitted(without_unused(dataset, record.unlabelled), parts, known)
        return replace(self, record=record, confidence=confidence, _made_of=made_of)

    def __repr__(self) -> str:
        """What it is, and how good."""
        kind = f"{self.modality.name} {self.task.name}: {self.backbone.name}"
        doubted = self.record is not None and too_high([caution.kind for caution in self.record.cautions])
        return in_short(kind, self.classes, self.task.words.named, self.scores, self.folder, too_high=doubted)

    def __getstate__(self) -> dict[str, Any]:
        """Pickles hold the head, and where the weights lie and their hash; not the weights."""
        record = self.record
        return {
            "task": self.task.name,
            "modality": self.modality.name,
            **where_kept(self.backbone),
            "head": self.head,
            "record": None if record is None else parse_json(as_json([record.to_json(), record.beside()])),
            "folder": self.folder,
            "about": dict(self._about),
            "confidence": self.confidence,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Raises ModelError where the weights are gone, or others are in their place."""
        task = task_named(state["task"])
        record = None if state["record"] is None else Record.from_json(task, *state["record"])
        made = {"backbone": from_where_kept(state), "head": state["head"], "record": record, "_made_of": None}
        said = {"task": task, "modality": task.modalities[state["modality"]], "folder": state["folder"]}
        self.__dict__.update(made | said | {"_about": state["about"], "confidence": state.get("confidence")})

    def predict(
        self,
        inputs: Any,
        *,
        top: int = 5,
        columns: Columns | None = None,
        abstain: float | str | None = None,
        coverage: float | str | None = None,
        per_class: bool = False,
    ) -> list[Any]:
        """A prediction for each input, in the order given; one that cannot be used has an `error`.

        Args:
            inputs: one input, or several in a list, an array, a column or a generator: image files or folders, PIL
                images, uint8 arrays; texts; pairs of texts, or of a question and a text. Or a table of them: a
                DataFrame, an Arrow table, a `datasets.Dataset`, the `Path` of a file; its columns are those of the fit.
            top: how many classes each prediction lists.
            columns: of a table, and how it is written; those that are not named are the fit's.
            abstain: an accuracy: where what is answered would not reach it, a prediction is `unsure`.
            coverage: a share of the inputs: so many have their class in `set`; of numbers, within the interval.
            per_class: whether sets reach it in every class by itself.

        Raises:
            DataError: the inputs are none, or in no order; a text that is the name of a file; or the table has no
                column of them.
            UserError: no shares; what the task has no meaning for; or nothing held out promises such an accuracy.

        Sources: Sadinle et al., Least Ambiguous Set-Valued Classifiers with Bounded Error Levels, JASA 2019, and
        Angelopoulos et al., Uncertainty Sets for Image Classifiers using Conformal Prediction, ICLR 2021 (sets).

        Example:
            >>> model = hs.load("questions.headstart")
            >>> first, second = model.predict(["Where is my new card?", "Tell me a joke."], abstain=0.8)
            >>> first.label, first.unsure, second.out_of_scope
            ('card arrival', False, True)
        """
        certainty, words = self.task.certainty, self.task.words
        wanted = wanted_of(abstain, coverage, per_class, certainty)
        method = None if self.record is None else self.record.method
        rule = rule_of(self.confidence, wanted, self.head, certainty, method=method)
        for said in rule.notes:
            note(said)
        items, names = self._given(inputs, columns)
        usable, errors = self._usable(items)
        features, outputs = self._outputs(usable)
        sure = iter(self._in_scope(rule.judge(outputs, usable.checked_digests), features, outputs))
        predictions = words.predictions(self.head, outputs, names, errors, top)
        return [p if i in errors else words.assured(p, next(sure)) for i, p in enumerate(predictions)]

    def predict_proba(self, inputs: Any, *, columns: Columns | None = None) -> np.ndarray:
        """(n, n_classes) probabilities, columns in the order of `classes`, of inputs as `predict` takes them.

        Raises:
            DataError: an input that cannot be read.
            UserError: a task without classes.

        Example:
            >>> hs.load("questions.headstart").predict_proba(["Where is my new card?"]).shape
            (1, 4)
        """
        if self.task.probabilities is None:
            raise UserError(f"{self.task.name} gives no probabilities of classes", fix="model.predict(inputs)")
        usable, errors = self._usable(self._given(inputs, columns)[0])
        if errors:
            first = min(errors)
            raise DataError(errors[first], where=f"input {first + 1}")
        return self.task.probabilities(self._outputs(usable)[1])

    def answer(self, question: str, context: str | Sequence[str], *, top: int = 1) -> list[Any]:
        """The best answers to a question from a text of any length, or several; best first, no two overlap.

        Where no answer is the best one, it comes first: an Answer without text.

        Raises:
            DataError: the question or every text is empty, or the question is too long.
            UserError: a model of another task.

        Example:
            >>> model = hs.load("deepset/minilm-uncased-squad2")
            >>> model.answer("When was it built?", "The tower was built in 1931 by the king.")[0].text
            '1931'
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
        if not len(rows):
            return NOT_MEASURED
        outputs = self.predictor.outputs(dataset, rows, known=known, advance=advance)
        return self.task.scorer.score(self.head, outputs, dataset, rows, reference)

    def save(self, folder: str | Path, *, force: bool = False) -> Model:
        """Save a model that was fitted in memory, as `fit(out=folder)` would have; gives the model with its folder.

        Args:
            force: replace a folder that headstart saved before.

        Raises:
            UserError: it was saved already, or nobody has fitted it.
            OutputError: something is there that may not be replaced, or nothing can be written there.

        Example:
            >>> texts = [f"Day {day} had much {word}" for day in range(10) for word in ("sun", "snow")]
            >>> model = hs.fit(texts, ["warm", "cold"] * 10, model="all-MiniLM-L6-v2", how="probe")
            >>> model.save("days.headstart").folder.name
            'days.headstart'
        """
        if self._made_of is None or self.record is None:
            fix = f"copy {self.folder}" if self.folder else "fit it first"
            raise UserError("only a model that was fitted in memory, and not saved, can be saved", fix=fix)
        with reserve_place(Path(folder), force=force) as place:
            return self if place is None else self.saved(place, out=str(folder))

    def report(self, path: str | Path) -> None:
        """Write the page about how it was made and how good it is; without examples where its folder's is gone.

        Raises:
            UserError: nobody has fitted it. OutputError: no space, no permission.

        Example:
            >>> hs.load("questions.headstart").report("questions.html")
        """
        if self.record is None:
            raise UserError("there is no record of how it was made", fix="fit it, or open a folder that fit saved")
        made = self._made_of
        gallery = None if made is None else gallery_of(self.record, made.dataset, made.parts.test)
        page = saved_page(self.folder) or as_utf8(report(self.record, gallery))
        try:
            Path(path).write_bytes(page)
        except OSError as error:
            raise cannot_write(Path(path), error) from error

    def saved(self, place: Place, *, out: str | None = None) -> Model:
        """The model in a place that is kept for it, of what it was made; tuned weights are not kept elsewhere any more.

        Args:
            out: how the user wrote the folder, where the record does not say.
        """
        made, record = self._made_of, self.record
        if made is None or record is None:
            raise ValueError("a model is saved with what it was made of")
        record = record if out is None else replace(record, out=out)
        opened = Opened(self.task, self.modality, self.backbone, self.head, record, confidence=self.confidence)
        save(opened, place, dataset=made.dataset, parts=made.parts, known=made.known)
        backbone = settle(self.backbone, place.folder) if record.method != "probe" else self.backbone
        return replace(self, backbone=backbone, record=record, folder=place.folder, _made_of=None)

    def evaluate(
        self,
        data: Any,
        labels: Any = None,
        groups: Any = None,
        *,
        columns: Columns | None = None,
        progress: Progress | Follower | None = None,
    ) -> Evaluation:
        """Score on other data with targets; classes are matched by name. Of data with official parts, on the test part.

        Args:
            data, labels, groups: as for `fit`.
            columns: of a table; those that are not named are the fit's where the table has them, else found by name
                and content.
            progress: told what goes on, as for `fit`.

        Raises:
            DataError: the data cannot be read or are not what the model takes, or nothing in them is known to it.

        Example:
            >>> found = hs.load("questions.headstart").evaluate("questions.csv")
            >>> found.scores.n
            240
            >>> [caution.kind for caution in found.cautions]  # it was fitted on most of these
            ['trained-on']
        """
        progress = as_progress(progress) or Silent()
        learned = learned_by(self._made_of, self.folder)
        return evaluated(self, data, labels, groups, columns=columns, learned=learned, progress=progress)

    def export(
        self,
        folder: str | Path,
        *,
        format: str = "openvino",
        quantize: str | None = None,
        data: Any = None,
        columns: Columns | None = None,
        inputs: Any = None,
        most_lost: float = 0.005,
    ) -> Exported:
        """Write the model in a format that runs without headstart, once its outputs there were compared with these.

        Args:
            folder: not there yet. format: of `headstart.export.table`. quantize: "int8", or None.
            data, columns: as for `evaluate`, to calibrate, measure and compare on; None: what it was fitted on.
            inputs: to compare on, as for `predict`. most_lost: of the first metric, that int8 may lose.

        Raises:
            UserError: it cannot be exported so. DataError: no input can be used. OutputError: the outputs differ.

        Example:
            >>> made = hs.load("questions.headstart").export("questions-openvino")
            >>> made.proof.same_top1 == made.proof.n, made.proof.largest_difference < 0.001
            (True, True)
        """
        from headstart.export.export import Wanted, export
        from headstart.export.table import format_named

        asked = Wanted(format_named(format), quantize, most_lost, data, columns)
        given = None if inputs is None else self._checked(self._given(inputs)[0])
        return export(self, Path(folder), asked, given=given, made_of=self._made_of)

    def explain(
        self, input: Any, target: str | None = None, *, top: int = 5, columns: Columns | None = None
    ) -> Explanation:
        """Why it answers as it does: what in one input speaks for a class, and the training examples that are like it.

        Args:
            input, columns: as for `predict`. target: the class or label; None: the one that is given, of several the
                first. top: how many classes the prediction lists, and how many training examples.

        Raises:
            DataError: it is none or several, or cannot be read.
            UserError: there is no such class; or Captum is missing, which explains words.

        Sources: Selvaraju et al., Grad-CAM, ICCV 2017 (photos); Sundararajan et al., Axiomatic Attribution for Deep
        Networks, ICML 2017 (words: integrated gradients).

        Example:
            >>> found = hs.load("questions.headstart").explain("What is the exchange rate?")
            >>> max(found.words, key=lambda word: word.weight).text
            'rate'
        """
        from headstart.explain.explain import explained, refuse_several  # loads torch

        items, names = self._given(input, columns)
        usable, errors = self._usable(items, ready=False)
        refuse_several(names, errors)
        features, outputs = self._outputs(usable)
        (prediction,) = self.task.words.predictions(self.head, outputs, names, errors, top)
        (sure,) = self._in_scope([Sureness()], features, outputs)
        prediction, made = self.task.words.assured(prediction, sure), self._made_of
        return explained(
            self, usable, features, outputs, prediction, target=target, made=made, check=self._checked, top=top
        )

    def _in_scope(self, found: Sequence[Sureness], features: Features | None, outputs: Any) -> list[Sureness]:
        """With whether each input is like what was learned from."""
        probabilities = None if self.task.probabilities is None else self.task.probabilities(outputs)
        return with_scope(found, self.confidence, features, probabilities)

    def _given(self, inputs: Any, columns: Columns | None = None) -> tuple[Sequence[Any], list[str]]:
        """The inputs one by one, of a table its rows, and their names."""
        refuse_odd(columns)
        columns = replace(columns or Columns(), known=self.columns)
        asked = inputs_of(inputs, self.modality, columns, in_files=self.learned_from_files)
        for said in asked.notes:
            note(said)
        return self.modality.given(asked.inputs)

    def _checked(self, items: Sequence[Any]) -> Dataset:
        """Inputs without targets that can be used; what is in their `where` is the place of each among the items."""
        n = len(items)
        everything = Dataset(self.task, self.modality, "inputs", items, [None] * n, [str(i) for i in range(n)])
        return check(everything, purpose="predict")

    def _usable(self, items: Sequence[Any], *, ready: bool = True) -> tuple[Dataset, dict[int, str]]:
        """The inputs that can be used, few of them as the backbone takes them; and why each other one cannot."""
        usable = self._checked(self.modality.ready(items, self.backbone) if ready and len(items) <= FEW else items)
        return usable, {int(f.where): f.reason for f in usable.findings if f.rejected}

    def _outputs(self, usable: Dataset) -> tuple[Features | None, Any]:
        """Features of the inputs, where the model has any of its backbone, and what it makes of them."""
        rows = np.arange(len(usable))
        self.modality.remarks(usable, rows, self.backbone).tell(note)
        features = None
        if self.task.learner.encodes and len(rows):
            features = encode_rows(usable, rows, self.backbone, keep=False)
        return features, self.predictor.outputs(usable, rows, known=features, keep=False, advance=lambda _: None)


def load(model: str | Path, *, task: str | None = None) -> Model:
    """Open a saved model, or a pre-trained one as it is: with the classes that it was trained on, or as it answers
    questions.

    The weights are hashed and compared with what was saved; nothing in a folder is executed.

    Args:
        model: a folder that `fit` saved; or what `fit` takes as its model: a catalog or hub name, a folder, a file.
        task: by its name, where the model has to be for that.

    Raises:
        ModelError: not there, changed since it was saved, for another task, or a pre-trained model without a head.

    Example:
        >>> model = hs.load("questions.headstart")
        >>> model.classes
        ('card arrival', 'card lost', 'change pin', 'exchange rate')
    """
    opened = open_model(model, task=task)
    parts = (opened.task, opened.modality, opened.backbone, opened.head)
    return Model(*parts, opened.record, opened.folder, opened.confidence, opened.about)
