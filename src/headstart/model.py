"""A fitted model: predict, evaluate, load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.check import check
from headstart.data.read import read, read_inputs
from headstart.encode.encode import encode, features_key, renewed_key
from headstart.errors import DataError, ModelError
from headstart.evaluate.metrics import softmax
from headstart.evaluate.scores import evaluate
from headstart.pretrained.description import class_hash as class_hash
from headstart.pretrained.description import saved_classifier
from headstart.pretrained.load import load_classifier, saved_in
from headstart.pretrained.rebuild import head_of, reopen
from headstart.progress import Progress, Silent
from headstart.values import Backbone, Dataset, Finding, Head, Scores


@dataclass(frozen=True)
class Prediction:
    """One input's most probable class, and the next ones."""

    label: str
    probability: float
    input: str = ""
    top: tuple[tuple[str, float], ...] = ()
    error: str = ""  # why this input has no prediction; label is then ""


@dataclass(frozen=True)
class Evaluation:
    """Scores on other data, with what did not fit the model's classes."""

    scores: Scores
    missing: tuple[str, ...]  # classes of the model without an example
    extra: tuple[str, ...]  # classes of the data that the model does not know; their examples are left out
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """A backbone with a head for the user's classes."""

    backbone: Backbone
    head: Head
    scores: Scores | None = None
    summary: dict[str, Any] = field(default_factory=dict)  # what `fit --json` prints
    folder: Path | None = None  # where it was saved

    @property
    def classes(self) -> tuple[str, ...]:
        return self.head.classes

    def predict(self, inputs: Any, *, top: int = 5) -> list[Prediction]:
        """A Prediction for each input, in the order given.

        Args:
            inputs: one input or a sequence: image files or folders, PIL images, uint8 arrays; or texts.
            top: how many classes each Prediction lists.
        """
        one = isinstance(inputs, str | Path | np.ndarray) or not isinstance(inputs, Sequence)
        items, names = read_inputs([inputs] if one else inputs, kind=self.backbone.kind)
        probabilities, errors = self._probabilities(items)
        return [
            Prediction("", 0.0, name, error=errors[i]) if i in errors else self._prediction(probabilities[i], name, top)
            for i, name in enumerate(names)
        ]

    def predict_proba(self, inputs: Sequence[Any]) -> np.ndarray:
        """(n, n_classes) probabilities, columns in the order of `classes`.

        Raises:
            DataError: an input that cannot be read.
        """
        probabilities, errors = self._probabilities(list(inputs))
        if errors:
            first = min(errors)
            raise DataError(errors[first], where=f"input {first}")
        return probabilities

    def evaluate(self, data: Any, labels: Any = None, *, progress: Progress | None = None) -> Evaluation:
        """Score on labelled data; classes are matched by name."""
        progress = progress or Silent()
        with progress.step("read"):
            dataset = read(data, labels=labels, kind=self.backbone.kind)
        dataset, notes = _test_part(dataset)
        with progress.step("check", len(dataset)) as advance:
            dataset = check(dataset, purpose="evaluate", advance=advance)
        extra = tuple(sorted(set(dataset.classes) - set(self.classes)))
        missing = tuple(sorted(set(self.classes) - set(dataset.classes)))
        known = [i for i, label in enumerate(dataset.labels) if label in self.classes]
        if not known:
            raise DataError(
                f"none of its classes ({', '.join(extra[:5]) or 'none'}) is known to the model",
                where=dataset.name,
                fix=f"the model knows {', '.join(self.classes[:5])}",
            )
        left_out = [
            Finding(
                "unknown-class", dataset.where[i], f"class {dataset.labels[i]!r} is unknown to the model", rejected=True
            )
            for i in range(len(dataset))
            if dataset.labels[i] not in self.classes
        ]
        inputs = [dataset.inputs[i] for i in known]
        with progress.step("encode", len(inputs)) as advance:
            features = encode(inputs, dataset.checked_digests[known], self.backbone, advance=advance)
        self._refuse_other(features.key)
        index = {name: i for i, name in enumerate(self.classes)}
        y = np.array([index[str(dataset.labels[i])] for i in known])
        scores = evaluate(
            self.head.logits(features.matrix),
            y,
            classes=self.classes,
            majority_class=self.scores.majority_class if self.scores else self.classes[int(np.bincount(y).argmax())],
            where=[dataset.where[i] for i in known],
        )
        return Evaluation(scores, missing, extra, (*dataset.findings, *left_out), (*dataset.notes, *notes))

    def _probabilities(self, items: list[Any]) -> tuple[np.ndarray, dict[int, str]]:
        """(n, n_classes), and the reason for each row that has none."""
        n = len(items)
        everything = Dataset(self.backbone.kind, "inputs", items, [None] * n, [str(i) for i in range(n)])
        usable = check(everything, purpose="predict")
        errors = {int(f.where): f.reason for f in usable.findings if f.rejected}
        out = np.zeros((n, len(self.classes)), dtype=np.float32)
        rows = [int(where) for where in usable.where]
        if rows:
            features = encode(usable.inputs, usable.checked_digests, self.backbone)
            self._refuse_other(features.key)
            out[rows] = softmax(self.head.logits(features.matrix))
        return out, errors

    def _prediction(self, probabilities: np.ndarray, name: str, top: int) -> Prediction:
        order = np.argsort(-probabilities, kind="stable")[: max(1, top)]
        best = tuple((self.classes[i], float(probabilities[i])) for i in order)
        return Prediction(best[0][0], best[0][1], name, best)

    def _refuse_other(self, key: str) -> None:
        # Precision may differ between machines (bf16 here, float32 there): close, by measurement, so not refused.
        if key.rsplit(" ", 1)[0] != self.head.features_key.rsplit(" ", 1)[0]:
            raise ModelError("the head was fitted on features of another backbone", where=str(self.folder or ""))


def load(model: str | Path) -> Model:
    """Open a saved model, or a pre-trained one as it is, with the classes that it was trained on.

    The weights are hashed and compared with what was saved; nothing in a folder is executed.

    Args:
        model: a folder that `fit` saved; or what `fit` takes as its model: a catalog or hub name, a folder, a file.

    Raises:
        ModelError: not there, changed since it was saved, or a pre-trained model without classes.
    """
    told, folder = saved_in(model)
    if told is None or "reader" in told:  # the latter is said there
        return as_it_is(str(model))
    saved = saved_classifier(told, folder)
    backbone, own = reopen(folder, saved["backbone"]), head_of(folder, saved)
    head = saved["head"]
    opened = Model(
        backbone=backbone,
        head=Head(
            classes=own.classes,
            weight=own.weight,
            bias=own.bias,
            features_key=renewed_key(head["features_key"], backbone),
            penalty=head["penalty"],
            temperature=head["temperature"],
        ),
        summary=saved["summary"],
        folder=folder,
    )
    opened._refuse_other(features_key(backbone, "f32"))
    return opened


def as_it_is(name: str) -> Model:
    """A pre-trained model with its own classes, before anybody adapts it (ImageNet's 1000, say)."""
    backbone, own = load_classifier(name)
    head = Head(own.classes, own.weight, own.bias, features_key(backbone, "f32"), penalty=0.0, temperature=1.0)
    return Model(backbone, head, summary={"model": backbone.name, "how": "as it is", "classes": list(own.classes)})


def _test_part(dataset: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    """Where the data have official parts, only the test part (or val) is scored."""
    parts = set(dataset.parts or ())
    wanted = next((part for part in ("test", "val") if part in parts), None)
    if dataset.parts is None or wanted is None:
        return dataset, ()
    rows = [i for i, part in enumerate(dataset.parts) if part == wanted]
    picked = replace(
        dataset,
        inputs=[dataset.inputs[i] for i in rows],
        labels=[dataset.labels[i] for i in rows],
        where=[dataset.where[i] for i in rows],
        parts=None,
    )
    return picked, (f"scored on the {wanted} part",)
