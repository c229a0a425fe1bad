"""The nouns: plain frozen values that travel from one step of `fit` to the next; `backbone` has those of a model.

Nothing here imports anything of ours, so that every room may import it; numpy comes with the first array, so that the
list of models does not wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

    from headstart.backbone import Precision
    from headstart.data.labels.class_names import ClassWords
    from headstart.inputs.modality import Modality
    from headstart.task import Space, Task

Method = Literal["auto", "probe", "tune", "full", "lora"]


@dataclass(frozen=True)
class Finding:
    """Something the user should know about one example (or about the data as a whole)."""

    kind: str  # "unreadable", "blank-text", "duplicate", "near-duplicate", "conflicting-labels", "leak", ...
    where: str  # file path, or "table.csv row 12" (1-based, the header not counted)
    reason: str
    rejected: bool = False  # True: the example was left out and is listed in rejected.csv
    score: float | None = None  # how odd, from 0 to 1, of kinds that are ranked
    looks_like: str | None = None  # the class that a doubtful label should perhaps be
    probably_wrong: bool | None = (
        None  # whether a doubtful label is more probably wrong than right, where that is known
    )
    other: str | None = field(default=None, compare=False)  # where the example is that this one repeats; not in JSON

    def to_json(self) -> dict[str, Any]:
        """As `findings` of any command; ranked kinds have a score, doubtful labels two fields more."""
        more = {"score": self.score, "looks_like": self.looks_like, "probably_wrong": self.probably_wrong}
        told = {"kind": self.kind, "where": self.where, "reason": self.reason, "rejected": self.rejected}
        return told | {key: value for key, value in more.items() if value is not None}


@dataclass(frozen=True)
class Doubts:
    """Targets that look wrong, the most doubtful first, as findings of the kind "doubtful-label"."""

    findings: tuple[Finding, ...] = ()
    looked: bool = True  # whether any were looked for

    @property
    def wrong(self) -> int | None:
        """How many of them are more probably wrong than right; None: nobody knows."""
        return probably_wrong([finding.probably_wrong for finding in self.findings])


def probably_wrong(known: Sequence[bool | None]) -> int | None:
    """How many of some doubtful labels are more probably wrong than right; None: nobody knows."""
    return None if None in known else sum(map(bool, known))


@dataclass(frozen=True)
class Caution:
    """Something by which a score or a model is worth less than it looks; JSON has them as `warnings`."""

    kind: str  # "leak", "never-found", "cut-texts", ...
    text: str  # a sentence, with what to do; column and file names as the user wrote them


@dataclass(frozen=True)
class Decision:
    """From which probability on the class that is looked for is answered, of two: one of the first two is None."""

    threshold: float | None = None
    recall: float | None = None  # the threshold is chosen for so much of it, on training examples that were held out
    positive: str | None = None  # the class that is looked for; None: the rarer one

    @property
    def option(self) -> str:
        """The option that was typed."""
        return "--threshold" if self.threshold is not None else "--recall"


@dataclass(frozen=True)
class Wanted:
    """How sure predictions have to be, as `predict` was asked."""

    accuracy: float | None = None  # of what is answered: where it would not be reached, one is unsure
    coverage: float | None = None  # of sets: the share of inputs whose truth is among what is said
    per_class: bool = False  # whether sets reach it in every class by itself


@dataclass(frozen=True)
class Request:
    """What the user asked for, as typed: one field an option of `fit`, checked where it is used."""

    data: Any
    labels: Any = None  # one an example, where `data` are inputs
    groups: Any = None  # the same: what examples that belong together have in common
    task: str = "auto"
    kind: str | None = None  # the name of a modality: "image", "text" or "pair", where it cannot be seen
    columns: Columns | None = None
    model: str = "auto"
    licence: str = "free"  # of models that may be chosen unasked: "free", or "any"
    precision: Precision = "auto"  # that features are made in
    method: str = "auto"
    metric: str = "auto"  # the key of what is chosen by
    decision: Decision | None = None  # None: the likeliest class is answered
    test: float | str | Path | None = 0.2  # a share, or a path with the test examples; None: nothing is tested
    seed: int = 0
    out: Path | None = None
    force: bool = False
    final: bool = False  # whether it learns from the test part too, once that was scored
    max_length: int | None = None  # tokens of a text that the model reads; None: as it came
    allow_rejected: bool = False  # whether more examples may be left out than are used
    names: Any = None  # what classes are called: None: by their names; "none"; or a mapping, or a file, of other words
    unlabelled: Any = None  # examples without labels: a folder, a table, inputs; None: there are none
    feedback: Any = None  # corrected examples, as data are; None: there are none
    classes: tuple[str, ...] | None = None  # of data that are all without labels; None: they have some

    @property
    def share(self) -> float | None:
        """The share of the data that is kept for the test, where they have no parts of their own; None: nothing is."""
        return 0.2 if isinstance(self.test, str | Path) else self.test

    @property
    def scored_by_folds(self) -> bool:
        """Whether the score may be out-of-fold: else that would take as many trainings, or test feedback."""
        return self.method in ("auto", "probe") and self.feedback is None

    @property
    def pool(self) -> Any:
        """The examples without labels; None: there are none."""
        return self.unlabelled if self.classes is None else self.data


_OF_FILES = ("known", "encoding", "delimiter")  # fields that name no column: another file has others


@dataclass(frozen=True)
class Columns:
    """The columns of a table that the user named; None: found by name and content.

    Example:
        >>> named = hs.Columns(text="text", label="label")
        >>> hs.check("questions.csv", model=None, columns=named).counts["exchange rate"]
        60
    """

    text: str | Sequence[str] | None = None  # several: joined into one text, in this order
    text2: str | None = None  # the second text of a pair
    image: str | None = None
    label: str | None = None
    labels: Sequence[str] | None = None  # columns of 0 and 1, one a label
    separator: str | None = None  # between the labels of an example
    encoding: str | None = None  # of the table's text, or of text files; None: found
    delimiter: str | None = None  # between the cells of a CSV; None: found
    image_root: str | None = None  # the folder that the photos of a table lie in, where its own is not it
    class_folders: str | None = None  # of a folder: "outer" or "inner", where either could be the classes
    group: str | None = None  # what rows share that belong together: a patient, a product, an author
    known: Columns | None = None  # of another table, taken where none are named and the table has all of them

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of texts that were named."""
        named = self.text or ()
        return (named,) if isinstance(named, str) else tuple(named)

    @property
    def named(self) -> dict[str, Any]:
        return {k: v for k, v in (vars(self) | {"text": self.texts}).items() if v and k not in _OF_FILES}


@dataclass(frozen=True)
class Examples:
    """Examples as they were read, before anything is known of a task. Row i of each column is about one example."""

    kind: str  # the name of their modality: "image", "text", "passage"
    name: str  # what the user would call the data: "flowers"
    inputs: Sequence[Any]
    targets: Sequence[Any]  # cells, as `data.labels` has them: as written; None where the user gave none
    where: Sequence[str]  # how to point the user at the example
    parts: Sequence[str] | None = None  # official part of each row: "train", "val" or "test"; None: no official split
    separator: str | None = None  # between labels in a cell, as the user says
    columns: Columns | None = None  # of a table, that they were read from
    from_files: bool = False  # whether each text was a file of its own
    guessed: np.ndarray | None = None  # (n,) bool: the target was guessed while reading, so it is not learned from
    named_groups: Sequence[str | None] | None = None  # whose each example is, as the user says; None: nothing was said
    corrected: np.ndarray | None = None  # (n,) bool: is feedback, so it is learned from; None: there is none
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()  # what was assumed while reading: "no header: columns taken as label, text"
    cautions: tuple[Caution, ...] = ()

    def __len__(self) -> int:
        return len(self.where)

    def take(self, rows: np.ndarray) -> Examples:
        """The examples in these rows; findings, notes and cautions stay with the whole."""
        return replace(self, **_taken(self, rows, _OF_ROWS))


@dataclass(frozen=True)
class Dataset:
    """Examples with the task that they are for, as columns. Row i of every column is about the same example."""

    task: Task
    modality: Modality
    name: str
    inputs: Sequence[Any]  # as the modality has them: paths or pictures, texts, questions with their texts
    targets: Sequence[Any]  # as the task has them: names of classes, answers; None where the user gave none
    where: Sequence[str]
    parts: Sequence[str] | None = None
    columns: Columns | None = None  # of a table, that they were read from
    from_files: bool = False  # whether each text was a file of its own
    guessed: np.ndarray | None = None  # (n,) bool; None: no target was guessed
    named_groups: Sequence[str | None] | None = None  # whose each example is, as the user says; None: nothing was said
    corrected: np.ndarray | None = None  # (n,) bool: is feedback, so it is learned from; None: there is none
    weights: np.ndarray | None = None  # (n,) float64 above 0: how many examples each one counts for; None: one
    groups: np.ndarray | None = None  # (n,) int64; equal numbers: kept on one side of a split; set by check
    alike: np.ndarray | None = None  # (n,) int64; the same without the user's groups, where there are any
    digests: np.ndarray | None = None  # (n, 32) uint8; sha256 of the example's own bytes; set by check
    sketches: np.ndarray | None = None  # (n, k) uint8; what a saved model keeps of each; set by check
    words: ClassWords | None = None  # what classes are called, where a fit learns from that; None: it does not
    pool: Dataset | None = None  # examples without labels that it learns from as well
    findings: Sequence[Finding] = ()
    notes: tuple[str, ...] = ()
    cautions: tuple[Caution, ...] = ()

    def __len__(self) -> int:
        return len(self.where)

    @cached_property
    def space(self) -> Space:
        """What the targets are measured in: the names of their classes, say."""
        return self.task.space(self.targets)

    @cached_property
    def y(self) -> np.ndarray:
        """The targets as numbers, a row an example, as the task encodes them."""
        return self.task.encode(self.targets, self.space)

    @cached_property
    def strata(self) -> np.ndarray:
        """(n,) int64: what parts, folds and samples have in equal shares."""
        return self.task.strata(self.y)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of classes or labels, sorted; empty for tasks without."""
        return self.space.names

    @cached_property
    def in_parts(self) -> bool:
        """Whether the user says what is tested on; a training part alone says it not, without a "holdout" beside it."""
        others = self.parts is not None and set(self.parts) != {"train"}
        return others or "unknown-part" in (finding.kind for finding in self.findings)

    @property
    def title(self) -> str:
        """The task as users call it: "image-classification"."""
        return self.task.titles[self.modality.name]

    @property
    def passages(self) -> Passages:
        """The inputs, where they are questions with texts; raises TypeError where they are not."""
        if not isinstance(self.inputs, Passages):
            raise TypeError(f"{self.name} holds no questions")
        return self.inputs

    @property
    def checked_digests(self) -> np.ndarray:
        """The digests; raises ValueError where nobody has checked the data."""
        if self.digests is None:
            raise ValueError("this step needs a checked dataset: call check first")
        return self.digests

    @property
    def checked_groups(self) -> np.ndarray:
        """The groups; before the check, each example is one of its own."""
        import numpy as np

        return np.arange(len(self)) if self.groups is None else self.groups

    @property
    def clusters(self) -> np.ndarray | None:
        """The groups, where the user names any: what is of one says less than as many examples by themselves."""
        return None if self.named_groups is None else self.checked_groups

    def weights_of(self, rows: np.ndarray) -> np.ndarray | None:
        """The weights of these rows; None: all count alike."""
        return None if self.weights is None else self.weights[rows]

    def take(self, rows: np.ndarray) -> Dataset:
        """The examples in these rows, measured in the space of the whole, with which findings and the like stay."""
        part = replace(self, **_taken(self, rows, (*_OF_ROWS, "weights", "groups", "alike", "digests", "sketches")))
        part.__dict__["space"] = self.space  # a part in which a class has no example
        return part

    def counts(self, rows: np.ndarray) -> np.ndarray:
        """(n_classes,) int64: how many of these examples have each class or label."""
        import numpy as np

        y = self.y[rows]
        there = y.sum(axis=0) if y.ndim == 2 else np.bincount(y, minlength=len(self.classes))
        return there.astype(np.int64)

    @property
    def rejected(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.rejected)


_OF_ROWS = ("inputs", "targets", "where", "parts", "guessed", "named_groups", "corrected")


def _taken(columns: Any, rows: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """These rows of each column, for a copy without findings, notes and cautions."""

    def some(column: Any) -> Any:
        if column is None or hasattr(column, "dtype"):
            return column if column is None else column[rows]
        return column.take(rows) if hasattr(column, "take") else [column[row] for row in rows.tolist()]

    return {name: some(getattr(columns, name)) for name in names} | {"findings": (), "notes": (), "cautions": ()}


@dataclass(frozen=True)
class Passages(Sequence[tuple[str, str]]):
    """Questions with their texts, each text once. Row i of every column but the texts' own is about one question."""

    ids: Sequence[str]
    questions: Sequence[str]
    context: np.ndarray  # (n,) int64, which of `contexts` each question is about
    contexts: Sequence[str]
    documents: Sequence[str]  # of each context: the title that it stands under, or the context itself

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: Any) -> Any:
        """A question and its text."""
        return self.questions[row], self.contexts[int(self.context[row])]

    @property
    def pairs(self) -> np.ndarray:
        """(n, 2) int64, each question with the context that it is about: what a model is asked."""
        import numpy as np

        return np.column_stack([np.arange(len(self)), self.context])

    @staticmethod
    def joined(parts: Sequence[Passages]) -> Passages:
        """All of them, one after the other."""
        import numpy as np

        before = np.cumsum([0, *(len(part.contexts) for part in parts)])
        return Passages(
            ids=[name for part in parts for name in part.ids],
            questions=[question for part in parts for question in part.questions],
            context=np.concatenate([part.context + n for part, n in zip(parts, before, strict=False)]),
            contexts=[context for part in parts for context in part.contexts],
            documents=[document for part in parts for document in part.documents],
        )

    def take(self, rows: np.ndarray) -> Passages:
        """The questions in these rows; the contexts stay."""
        which = rows.tolist()
        ids, questions = [self.ids[row] for row in which], [self.questions[row] for row in which]
        return replace(self, ids=ids, questions=questions, context=self.context[rows])


@dataclass(frozen=True)
class Split:
    """Row numbers of the training and the test part."""

    train: np.ndarray  # (n_train,) int64, ascending
    test: np.ndarray  # (n_test,) int64, ascending
    official: bool  # True: the parts the user gave; False: made here
    out_of_fold: bool = False  # all rows are in both: each is tested by a head that learned without its fold
    findings: Sequence[Finding] = ()  # leaks in a given split
    notes: tuple[str, ...] = ()
    cautions: tuple[Caution, ...] = ()


@dataclass(frozen=True)
class Interval:
    """From low to high; nan where none can be given, as of a correlation of few examples."""

    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether one can be given."""
        return self.low == self.low and self.high == self.high
