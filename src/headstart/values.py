"""The nouns: plain frozen values that travel from one step of `fit` to the next.

Nothing here imports anything of ours, so that every room may import it; numpy comes with the first array, so that the
list of models does not wait for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

Kind = Literal["image", "text"]
Way = Literal["auto", "probe", "tune", "full", "lora"]
CropMode = Literal["center", "squash", "border"]
_ROWS = 4096  # of a matrix that are in memory at a time


class Matrix(Protocol):
    """(n, d) float32, gone through by slices of rows: an array, or rows on disk."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> np.ndarray: ...

    def __setitem__(self, rows: slice, values: np.ndarray, /) -> None: ...


@dataclass(frozen=True)
class Finding:
    """Something the user should know about one example (or about the data as a whole)."""

    kind: str  # "unreadable", "blank-text", "duplicate", "near-duplicate", "conflicting-labels", "leak", ...
    where: str  # file path, or "table.csv row 12" (1-based, the header not counted)
    reason: str
    rejected: bool = False  # True: the example was left out and is listed in rejected.csv


@dataclass(frozen=True)
class Dataset:
    """Labelled examples as columns. Row i of every column is about the same example."""

    kind: Kind
    name: str  # what the user would call it: "flowers"
    inputs: Sequence[Any]  # image: a path (str), a PIL image or an (h, w[, c]) uint8 array; text: a str
    labels: Sequence[str | None]  # class names; None where the user gave none
    where: Sequence[str]  # how to point the user at the example
    parts: Sequence[str] | None = None  # official part of each row: "train", "val" or "test"; None: no official split
    groups: np.ndarray | None = None  # (n,) int64; equal numbers: kept on one side of a split; set by check
    digests: np.ndarray | None = None  # (n, 32) uint8; sha256 of the example's own bytes; set by check
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()  # what was assumed while reading: "no header: columns taken as label, text"

    def __len__(self) -> int:
        return len(self.inputs)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names, sorted by name."""
        return tuple(sorted({label for label in self.labels if label is not None}))

    @cached_property
    def y(self) -> np.ndarray:
        """(n,) int64 index of each label in `classes`; -1 where there is none."""
        import numpy as np

        index = {name: i for i, name in enumerate(self.classes)}
        return np.array([-1 if label is None else index[label] for label in self.labels], dtype=np.int64)

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

    def take(self, rows: np.ndarray) -> Dataset:
        """The examples in these rows; findings and notes stay with the whole."""
        which = rows.tolist()
        return replace(
            self,
            inputs=[self.inputs[row] for row in which],
            labels=[self.labels[row] for row in which],
            where=[self.where[row] for row in which],
            parts=None if self.parts is None else [self.parts[row] for row in which],
            groups=None if self.groups is None else self.groups[rows],
            digests=None if self.digests is None else self.digests[rows],
            findings=(),
            notes=(),
        )

    @property
    def rejected(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.rejected)


@dataclass(frozen=True)
class Questions:
    """Questions about texts, as columns. Row i of every column is about the same question, but for the texts' own."""

    name: str
    ids: Sequence[str]
    questions: Sequence[str]
    context: np.ndarray  # (n,) int64, which of `contexts` each question is about
    contexts: Sequence[str]  # each text once
    documents: Sequence[str]  # of each context: the title that it stands under, or the context itself
    answers: Sequence[tuple[tuple[str, int], ...]]  # (text, first character of it in the context); (): it has none
    unsure: np.ndarray  # (n,) bool: the answer's text stands there more than once, and the data do not say where
    where: Sequence[str]  # how to point the user at the question
    parts: Sequence[str] | None = None  # official part of each row: "train", "val" or "test"
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def pairs(self) -> np.ndarray:
        """(n, 2) int64, each question with the context that it is about: what a model is asked."""
        import numpy as np

        return np.column_stack([np.arange(len(self)), self.context])

    def take(self, rows: np.ndarray) -> Questions:
        """The questions in these rows; the contexts, findings and notes stay with the whole."""
        which = rows.tolist()
        return replace(
            self,
            ids=[self.ids[row] for row in which],
            questions=[self.questions[row] for row in which],
            context=self.context[rows],
            answers=[self.answers[row] for row in which],
            unsure=self.unsure[rows],
            where=[self.where[row] for row in which],
            parts=None if self.parts is None else [self.parts[row] for row in which],
            findings=(),
            notes=(),
        )

    @property
    def rejected(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.rejected)


@dataclass(frozen=True)
class Split:
    """Row numbers of the training and the test part."""

    train: np.ndarray  # (n_train,) int64, ascending
    test: np.ndarray  # (n_test,) int64, ascending
    official: bool  # True: the parts the user gave; False: made here
    findings: tuple[Finding, ...] = ()  # leaks in a given split
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImagePreparation:
    """How the backbone wants its images; taken from its own configuration."""

    size: tuple[int, int]  # (height, width) in pixels
    crop: float  # share of each side that is kept when the centre is cut
    interpolation: str  # "bilinear", "bicubic", "lanczos" or "nearest"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    # What comes before the cut, in timm's words. "center": the shorter side is resized; "squash": both sides, whatever
    # that does to the shape; "border": the longer side, with a border of the mean colour along the other.
    crop_mode: CropMode = field(default="center", repr=False)  # repr is in keys: encode.features_key adds it


@dataclass(frozen=True)
class TextPreparation:
    """How the backbone wants its texts; `tokenizer` is the text of a tokenizer.json."""

    tokenizer: str = field(repr=False)
    max_length: int  # tokens, special ones included
    pad_id: int
    inputs: tuple[str, ...]  # names of the forward's arguments, in order: input_ids, attention_mask, ...
    most_padding: int | None = None  # tokens of padding that a text may have behind it in a batch; None: any number


@dataclass(frozen=True)
class Backbone:
    """A pre-trained model without its head: a pure function from a prepared example to `width` numbers."""

    name: str
    source: str  # which room of `pretrained` made it: "timm", "transformers", "onnx"
    architecture: str  # the source's own name of the architecture
    kind: Kind
    width: int
    preparation: ImagePreparation | TextPreparation
    weights_hash: str  # sha256 over names, shapes, types and bytes of the tensors, the head left out
    weights: Path  # safetensors file with the tensors under the source's own names, no head; or an ONNX file
    config: dict[str, Any]  # what the source needs to build the module again
    licence: str
    module: Callable[[], nn.Module] = field(repr=False, compare=False)  # builds it, in eval mode; loads torch

    @cached_property
    def function(self) -> str:
        """sha256 of all that changes its features: equal for two descriptions of one model, whatever they call it."""
        preparation = asdict(self.preparation)
        if isinstance(self.preparation, TextPreparation):
            preparation["tokenizer"] = _sha256(self.preparation.tokenizer)
        told = [self.source, self.architecture, self.kind, self.width, self.weights_hash]
        return _sha256(json.dumps([*told, preparation, _computing(self.config)], sort_keys=True))

    @property
    def frozen_only(self) -> bool:
        """Whether it is a graph, whose weights cannot be trained."""
        return self.source == "onnx"


# What a backbone's configuration holds that its features do not depend on, or only through the preparation, the hash of
# the weights or the width, which are beside it: names, and what is written into a saved folder for other libraries.
_ONLY_SAID = {
    *("classifier", "pretrained_cfg", "tokenizer", "sidecar", "features"),
    *("_name_or_path", "transformers_version", "id2label", "label2id", "problem_type"),
}


def _computing(config: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in config.items() if name not in _ONLY_SAID}
    return {name: _computing(value) if name == "transformers" else value for name, value in kept.items()}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Trainable:
    """A backbone's module, opened to be trained further."""

    module: nn.Module  # as Backbone.module builds it, in eval mode
    groups: tuple[tuple[str, ...], ...]  # names of its parameters, from the input up: stem, stages; embeddings, layers
    head: tuple[str, ...] = ()  # names of the parameters of a head that is part of the module: a reader's


@dataclass(frozen=True)
class Classifier:
    """The linear layer that weights came with: what the model answered before anybody adapted it."""

    classes: tuple[str, ...]
    weight: np.ndarray  # (n_classes, width) float32
    bias: np.ndarray  # (n_classes,) float32


@dataclass(frozen=True)
class Features:
    """Encoded examples. `key` names the function that made them, so that a head can refuse others."""

    matrix: Matrix  # (n, width) float32
    key: str
    cached: int  # how many rows the store already knew


@dataclass(frozen=True)
class Head:
    """A linear classifier on raw features: features @ weight.T + bias. Scaling and temperature are folded in."""

    classes: tuple[str, ...]
    weight: np.ndarray  # (n_classes, width) float32
    bias: np.ndarray  # (n_classes,) float32
    features_key: str
    penalty: float
    temperature: float
    cross_validation: tuple[dict[str, float], ...] = ()  # a row a penalty: penalty, log_loss, accuracy
    class_weights: dict[str, float] | None = None  # None: all classes counted alike

    def logits(self, features: Matrix) -> np.ndarray:
        """(n, width) -> (n, n_classes) float32."""
        import numpy as np

        out = np.empty((len(features), len(self.classes)), dtype=np.float32)
        for start in range(0, len(features), _ROWS):
            out[start : start + _ROWS] = features[start : start + _ROWS] @ self.weight.T + self.bias
        return out


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True)
class ClassScore:
    name: str
    precision: float
    recall: float
    f1: float
    count: int  # test examples of this class


@dataclass(frozen=True)
class Scores:
    """How good a model was on examples it did not see."""

    classes: tuple[str, ...]
    n: int
    accuracy: float
    accuracy_interval: Interval  # 95 %
    macro_f1: float
    log_loss: float  # nats
    ece: float  # expected calibration error, 15 equal-width bins
    majority_class: str
    majority_accuracy: float  # of always answering the most common training class
    per_class: tuple[ClassScore, ...]
    confusion: np.ndarray  # (n_classes, n_classes) int64, rows: true class, columns: predicted
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True)
class Mistake:
    where: str
    true: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class Ranked:
    """How well one pre-trained model suits a sample of the training part, each example judged unseen."""

    model: str  # as `fit --model` takes it
    log_loss: float  # nats, of a probe in cross-validation: what the order is by
    behind: float  # log loss above the best model's
    behind_error: float  # standard error of that, over the examples
    accuracy: float  # of the same probe
    accuracy_interval: Interval  # 95 %
    logme: float  # evidence of a linear model, nats an example and class; higher is better
    neighbours: float  # accuracy of the five nearest other examples
    separation: float  # of the class means, where 1 is the most that shuffled labels gave; nan: too few examples
    per_second: float | None  # examples encoded; None: too few were new to tell
    cached: int  # examples of the sample that the store already knew
    parameters: int | None
    width: int

    @property
    def tied(self) -> bool:
        """As good as the best, as far as this sample can tell."""
        return self.behind <= self.behind_error


@dataclass(frozen=True)
class Untried:
    """A model that was not ranked."""

    model: str
    why: str


@dataclass(frozen=True)
class Ranking:
    """Pre-trained models at the user's own data, best first."""

    rows: tuple[Ranked, ...]
    choice: str  # the cheapest of those that are as good as the best
    untried: tuple[Untried, ...]
    warnings: tuple[str, ...]
    n: int  # training examples in the sample
    classes: int
    majority_accuracy: float  # of always answering the sample's most common class
    seconds: float


@dataclass(frozen=True)
class Plan:
    """Which pre-trained model, and how to adapt it."""

    model: str
    how: Way
    why: str
    ranking: Ranking | None = None  # None: there was nothing to choose from
