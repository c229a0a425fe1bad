"""The contract of a task: all that headstart has to know of what a target is, as one frozen object of functions.

Rooms are handed a task and ask it; none of them asks which one it is. The tasks themselves are in `headstart.tasks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from headstart.backbone import Backbone, Features
from headstart.errors import UserError
from headstart.values import Caution, Dataset, Decision, Doubts, Examples, Finding, Interval

if TYPE_CHECKING:
    import numpy as np

    from headstart.evaluate.exhibits import Exhibit
    from headstart.inputs.modality import Modality
    from headstart.report.document import Section

Advance = Callable[[int], None]  # told how many more examples are done
# (value, its name) -> the value; raises ValueError where a stranger wrote something else there
Check = Callable[[Any, str], Any]
Costs = Callable[[Any, Any, Any], Any]  # outputs, y and weights (or None) of examples -> (n,) float64, lower is better
Head = Any  # what a task puts on a backbone: a linear head, or settings of a head that is part of the model


@dataclass(frozen=True)
class Space:
    """What targets are measured in."""

    names: tuple[str, ...] = ()  # of classes or labels, sorted; empty: answers, numbers


@dataclass(frozen=True)
class Form:
    """Data that say by their form that they are for a task, and how they are read."""

    claims: Callable[..., bool]  # (data, columns): whether they are of this form
    read: Callable[..., Examples]  # (data, columns=), which say the encoding and the delimiter of a file
    no_columns: str  # what is wrong with naming columns, which this form has its own of
    instead: str  # and what to do


@dataclass(frozen=True)
class Metric:
    """A figure of how good a model is, on examples that it did not see."""

    key: str  # in JSON: "ece"
    title: str  # "Calibration error"
    meaning: str  # half a sentence
    compute: Callable[[Any], float]  # from what the task's scorer makes of outputs and targets
    interval: Callable[[Any], Interval] | None = None  # 95 %
    unit: Literal["share", "nats", "target"] = "share"
    better: Literal["higher", "lower"] = "higher"
    # What a fit goes by that chooses by this metric: of outputs at their best temperature, and targets as the task
    # encodes them. The (weighted) mean is the metric, or what it lacks of 1 where higher is better. None: nothing is
    # chosen by it.
    costs: Costs | None = None
    # The same as a head decides, where its outputs do not say it all: (head, outputs, y). None: they do.
    decided_costs: Callable[[Head, Any, Any], Any] | None = None

    @property
    def in_words(self) -> str:
        """The title within a sentence: "macro F1"."""
        return self.title[:1].lower() + self.title[1:] if self.title[1:2].islower() else self.title

    def figure(self, cost: float) -> float:
        """The metric, from the mean of its costs."""
        return 1 - cost if self.better == "higher" else cost

    def costs_of(self, head: Head, outputs: Any, y: Any) -> Any:
        """(n,) costs of examples as this head decides about them: the metric is made of their mean.

        Raises:
            TypeError: the metric is no mean of costs.
        """
        if self.decided_costs is not None:
            return self.decided_costs(head, outputs, y)
        if self.costs is None:
            raise TypeError(f"{self.key} is no mean of costs")
        return self.costs(outputs, y, None)


@dataclass(frozen=True, repr=False)
class Scores:
    """How good a model was on examples that it did not see. A metric is an attribute by its key, too.

    Figures are rounded, so that memory, page and JSON say the same.
    """

    n: int
    values: Mapping[str, float]  # by the keys of the task's metrics, the headline first
    intervals: Mapping[str, Interval]  # 95 %, of those that have one
    details: Mapping[str, Any] = field(default_factory=dict)  # the task's own tables, as JSON has them
    mistakes: tuple[Mapping[str, Any], ...] = ()  # the most confident ones, as JSON has them
    # the most important first; for the page that is written with them, and not saved
    exhibits: tuple[Exhibit, ...] = field(default=(), compare=False)

    @staticmethod
    def measured(
        predicted: Any,
        metrics: Sequence[Metric],
        *,
        n: int,
        details: Mapping[str, Any],
        mistakes: Sequence[Mapping[str, Any]] = (),
        exhibits: Sequence[Exhibit] = (),
    ) -> Scores:
        """Each metric of what a scorer made of outputs and targets."""
        return Scores(
            n=n,
            values={metric.key: metric.compute(predicted) for metric in metrics},
            intervals={metric.key: metric.interval(predicted) for metric in metrics if metric.interval},
            details=details,
            mistakes=tuple(mistakes),
            exhibits=tuple(exhibits),
        )

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", {key: rounded(value) for key, value in self.values.items()})
        ends = {key: Interval(rounded(i.low), rounded(i.high)) for key, i in self.intervals.items()}
        object.__setattr__(self, "intervals", ends)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            if name in self.values:
                return self.values[name]
            if name.removesuffix("_interval") in self.intervals:
                return self.intervals[name.removesuffix("_interval")]
            if name in self.details:
                return self.details[name]
        raise AttributeError(f"no metric {name!r}; there are {', '.join(self.__dict__.get('values', ()))}")

    def __repr__(self) -> str:
        """The metrics, and on how many examples."""
        return f"Scores(n={self.n}, {', '.join(f'{key}={value:.4g}' for key, value in self.values.items())})"

    def to_json(self) -> dict[str, Any]:
        """Plain values. Mistakes are left out: they are beside the summary."""
        ends = {f"{key}_interval": [_plain(i.low), _plain(i.high)] for key, i in self.intervals.items()}
        return {**{k: _plain(v) for k, v in self.values.items()}, **ends, "n_test": self.n, **self.details}


NOT_MEASURED = Scores(n=0, values={}, intervals={}, details={})  # there was nothing to measure on


def rounded(value: float) -> float:
    """To six digits after the point, or six that count where the unit is small."""
    value = float(value)
    return round(value, 6) if abs(value) >= 0.1 or value != value else float(f"{value:.6g}")


def _plain(value: float) -> float | None:
    """None for what is no number, for which JSON has no word."""
    return value if value - value == 0 else None


@dataclass(frozen=True, eq=False)
class Direction:
    """What of an answer is explained: a score that is linear in the features, so that its gradient is known."""

    name: str | None  # the class or label; None: the number
    weight: np.ndarray  # (width,) float32 of the features in the score


class Predictor(Protocol):
    """A backbone with its head, ready to be asked."""

    def outputs(
        self,
        dataset: Dataset,
        rows: np.ndarray,
        *,
        known: Features | None = None,
        keep: bool = True,
        advance: Advance,
    ) -> Any:
        """What the model makes of these rows of checked examples, before anything is decided.

        Args:
            known: features that may hold some of these rows already.
            keep: whether what is computed of a few is looked for in the store, and kept there.
        """
        ...


@dataclass(frozen=True)
class Sureness:
    """How sure one prediction is; None: that was not asked for, or is not known."""

    unsure: bool | None = None
    set: tuple[Any, ...] | None = None  # names of classes, the likeliest first; or the ends of an interval
    coverage: float | None = None  # that was asked of it
    out_of_scope: bool | None = None
    scope_score: float | None = None  # the larger, the stranger


@dataclass(frozen=True)
class Rule:
    """How outputs are judged, as `predict` was asked, and what its user should know before."""

    judge: Callable[[Any, np.ndarray], list[Sureness]]  # (outputs, sha256 of each input, (n, 32) uint8)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """What is kept of each example: its type and range, which a folder from a stranger is checked by."""

    dtype: str  # as safetensors names it
    most: Callable[[Any], float] = lambda head: math.inf  # of a head
    least: float = 0
    always: bool = True  # False: there are fits without it


@dataclass(frozen=True, kw_only=True)
class Certainty:
    """How a task says how sure it is, from training examples that were held out."""

    one_class: bool = False  # whether each example is of one class, so that classes can be left out on purpose
    columns: Mapping[str, Column] = field(default_factory=dict)  # what is kept of each example
    # (head, outputs, y, digests, groups, weights) of examples that were held out -> these columns
    held: Callable[..., Mapping[str, np.ndarray]] | None = None
    summary: Callable[..., dict[str, Any]] = lambda head, held, outputs: {}  # what JSON says of them
    rule: Callable[..., Rule] | None = None  # (head, held, wanted); raises UserError where that cannot be promised
    # why it has no meaning here, and what to do instead, by option: "abstain", "coverage", "per-class"
    without: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Learner:
    """How a task is learned."""

    load: Callable[..., Backbone]  # (name, kind=, progress=): opens a pre-trained model that it can be learned on
    encodes: bool  # whether a frozen backbone's features are enough to learn from
    family: Any  # of linear heads, see `adapt.family`; None: the head is part of the model
    judge: Callable[..., Any] | None  # ranks frozen features; None: models cannot be ranked without training
    judge_constant: Callable[[Dataset], Any] | None  # how one answer to all would do, in the same measure
    lesson: Callable[..., Any]  # a training part as it is learned, see `adapt.lesson`
    from_names: Callable[..., Any] | None = None  # the lesson of classes without labels; None: there is none
    loss: tuple[str, ...] = ("log_loss",)  # what is chosen by unasked, as a metric; further ones come to the same
    # (dataset, what was adapted): with the threshold that the user asked for; None: the task has no use for one
    decided: Callable[[Dataset, Any], Any] | None = None


def _all_known(dataset: Dataset, classes: Sequence[str]) -> tuple[np.ndarray, list[Finding]]:
    import numpy as np

    return np.arange(len(dataset)), []


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """How predictions are judged."""

    metrics: tuple[Metric, ...]  # the first is the headline
    details: Check  # what of a saved summary is `Scores.details`
    mistake: Check  # one of `Scores.mistakes`, as it was saved
    reference: Callable[[Sequence[Any]], Mapping[str, Any]]  # what the baseline has to know of the training targets
    score: Callable[..., Scores]  # (head, outputs, dataset, rows, reference): by the metrics of the dataset's task
    # (dataset, classes): rows that the model can be scored on
    known: Callable[..., tuple[np.ndarray, list[Finding]]] = _all_known
    # where the scores say that the model is of little use: worse than one answer to all, a class never found
    cautions: Callable[[Scores], Sequence[Caution]] = lambda scores: ()
    headlines: int = 1  # metrics that the page begins with
    # (predictor, dataset): inputs of which the model takes only a part
    remarks: Callable[..., list[Finding]] = lambda predictor, dataset: []
    # (dataset, rows, (n, c) outputs of models that had not learned from these rows, what finds the nearest of each):
    # the targets that look wrong; None: they are not looked for
    suspects: Callable[..., Doubts] | None = None


@dataclass(frozen=True, kw_only=True)
class Words:
    """How a task is told: in JSON, in the terminal, on the page and in the model card."""

    predictions: Callable[..., list[Any]]  # (head, outputs, names, errors, top)
    row: Callable[[Any], dict[str, Any]]  # a prediction as JSON
    line: Callable[[dict[str, Any]], str]  # the same for people
    # (a prediction, its Sureness) -> the prediction, which says how sure it is
    assured: Callable[[Any, Sureness], Any] = lambda prediction, sureness: prediction
    facts: Callable[..., dict[str, Any]]  # (head, dataset, rows learned from): what JSON says of them
    facts_saved: Check  # what of a saved summary are these facts
    fitted: Callable[[dict[str, Any], Sequence[Metric]], str]  # what `fit` prints of its JSON
    scored: Callable[[dict[str, Any], Sequence[Metric]], str]  # what `evaluate` prints of its
    sections: Callable[..., Iterator[Section]]  # (record, gallery of examples): of the page
    # (record, gallery): what to do next, in HTML
    advice: Callable[..., Iterable[str]] = lambda record, gallery: ()
    target: Callable[[Any], str] = str  # one in words
    asking: str = "predict {} ..."  # the command that asks the model, with its folder
    how_made: Callable[..., Sequence[tuple[str, str]]] = lambda record: ()  # more facts of the page
    card: Callable[..., str]  # (record, backbone, head, folder)
    named: str = "classes"  # what has the names that a target may have
    before: str = "Probe (frozen layers)"  # what fine-tuning is compared with
    right: str  # the share that fine-tuning counts
    loss: str = "log loss"  # what fine-tuning lowers


@dataclass(frozen=True)
class Keeper:
    """How a task's model is saved, and opened again."""

    claims: Callable[[Mapping[str, Any]], bool]  # whether a headstart.json that names no task is of such a model
    checked: Callable[..., dict[str, Any]]  # (what headstart.json says, folder): field by field
    write: Callable[..., dict[str, Any]]  # (backbone, head, folder): what headstart.json says of the head
    opened: Callable[..., Head]  # (folder, what was checked, backbone, modality)
    as_it_is: Callable[[str], tuple[Backbone, Head]]  # a pre-trained model of this name that nobody has adapted
    same: Callable[[Head, Head], bool]  # whether an opened head is the one that was written
    equal: Callable[[Any, Any], bool]  # whether two models gave the same outputs
    split_columns: Callable[..., tuple[Sequence[str], Sequence[Any]]]  # (dataset, part of each row): of split.csv


@dataclass(frozen=True, kw_only=True, repr=False)
class Task:
    """What a target is, and everything that follows from that."""

    name: str
    modalities: Mapping[str, Modality]  # what its inputs may be, by name
    titles: Mapping[str, str]  # by modality, what users call it there: {"image": "image-classification"}
    form: Form | None = None  # None: targets are the cells of a column
    separates: bool = False  # whether a cell may hold several labels, with a separator between them
    fits: Callable[
        [Examples], bool
    ]  # whether cells look like targets of this task; raises DataError where they may be of two
    # where they do not, and a later task takes them: what its user should know
    doubts: Callable[[Examples], tuple[str, ...]] = lambda examples: ()
    parse: Callable[[Examples], tuple[Sequence[Any], tuple[str, ...]]]  # cells to targets, and notes on assumptions
    complaint: Callable[[Any], tuple[str, str] | None]  # why a target cannot be learned from: kind and reason
    # rows whose target is of no use beside the others
    lone: Callable[[Sequence[Any]], dict[int, tuple[str, str]]] = lambda targets: {}
    refuse: Callable[[Dataset, str], None]  # raises DataError where the targets as a whole cannot be learned from
    # whether two targets of one example contradict each other
    conflict: Callable[[Any, Any], bool] = lambda mine, other: bool(mine != other)
    space: Callable[[Sequence[Any]], Space] = lambda targets: Space()
    encode: Callable[[Sequence[Any], Space], np.ndarray]
    strata: Callable[[np.ndarray], np.ndarray]  # of encoded targets: (n,) int64, what parts have in equal shares
    # official parts that cannot be learned from and tested on: raises DataError
    refuse_parts: Callable[[Dataset, np.ndarray, np.ndarray], None] = lambda dataset, train, test: None
    unsplit: tuple[str, str] = (  # where no part can be made: what is wrong, and what to do
        "all examples are (nearly) the same, so nothing can be tested",
        "add examples that differ",
    )
    learner: Learner
    scorer: Scorer
    words: Words
    keeper: Keeper
    predictor: Callable[[Backbone, Head], Predictor]
    # (head, outputs of one example, its prediction, the class that is asked for or None): what of it is explained, and
    # raises UserError where there is no such class; None: the head is within the model, which is asked itself
    direction: Callable[[Head, np.ndarray, Any, str | None], Direction] | None = None
    probabilities: Callable[[Any], np.ndarray] | None = None  # of outputs, (n, n_classes); None: there are no classes
    certainty: Certainty = field(default_factory=Certainty)
    chosen_by: Metric | None = None  # what the user wants a fit to choose by; None: the learner's loss
    decision: Decision | None = None  # which threshold the user wants; None: none

    def __repr__(self) -> str:
        """Its name, and what its fits choose by where that was asked for."""
        return f"Task({self.name!r})" if self.metric is None else f"Task({self.name!r}, metric={self.metric!r})"

    @property
    def metric(self) -> str | None:
        """The key of what a fit chooses by; None: the learner's loss."""
        return None if self.chosen_by is None else self.chosen_by.key

    @property
    def costs(self) -> Costs | None:
        """What a fit chooses by; None: the learner's loss."""
        return None if self.chosen_by is None else self.chosen_by.costs

    def choosing_by(self, name: str) -> Task:
        """The same task, whose fits choose by the metric of this name; "auto": by the learner's loss.

        Raises:
            UserError: there is no such metric, or nothing can be chosen by it.
        """
        if name in ("auto", *self.learner.loss):
            return replace(self, chosen_by=None)
        metrics = {metric.key: metric for metric in self.scorer.metrics}
        names = [key for key, metric in metrics.items() if metric.costs is not None and key not in self.learner.loss]
        if name in names:
            return replace(self, chosen_by=metrics[name])
        what = f"nothing can be chosen by {name}" if name in metrics else f"unknown metric {name!r}"
        fix = f"of {self.name}, one of: {', '.join([*self.learner.loss, *names])}"
        raise UserError(what, where="--metric", fix=fix)

    def deciding(self, decision: Decision | None) -> Task:
        """The same task, whose fits answer one of two classes from a threshold on; None: as it is.

        Raises:
            UserError: a threshold means nothing here.
        """
        if decision is not None and self.learner.decided is None:
            what = f"it tells two classes apart, and the task is {self.name}"
            raise UserError(what, where=decision.option, fix="leave it out")
        return replace(self, decision=decision)
