"""What a comparison found: a row for each model that was made, and how many labels training from scratch would need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headstart.task import Metric, rounded
from headstart.values import Caution, Finding


@dataclass(frozen=True)
class Row:
    """A model that was made in one way from so many labels, and how it did on the test part."""

    way: str  # the key of a `Way`
    labels: int
    seed: int
    figure: float  # the metric of the comparison
    seconds: float  # from labelled examples to the model
    costs: tuple[float, ...]  # of each test example, see `Metric.costs`
    epochs: float | None = None  # that it was trained for; None: it is solved, not trained
    loss: float | None = None  # of the training examples, in the last epoch at the full rate
    levelled_off: bool | None = None  # whether that loss had ceased to fall; None: nobody followed it
    allowed: float | None = None  # seconds that it had; None: it takes no more for having more

    @property
    def whole(self) -> bool:
        """Whether more time would not have made another model of it."""
        return self.allowed is None or bool(self.levelled_off)


@dataclass(frozen=True)
class Equivalent:
    """How many labels a model trained from scratch needs to be as good as the pre-trained one with few."""

    probe_labels: int
    scratch_labels: float
    low: float | None  # of the 95 % interval, by bootstrap; None: fewer than any of them was trained with
    high: float | None  # None: no number of labels would do in one of forty draws
    extrapolated: bool  # whether that is more than any of them was trained with

    @property
    def times(self) -> float:
        """How many times as many labels that is."""
        return self.scratch_labels / self.probe_labels

    def to_json(self) -> dict[str, Any]:
        """Plain values; labels are whole numbers."""
        return {
            "probe_labels": self.probe_labels,
            "scratch_labels": round(self.scratch_labels),
            "low": None if self.low is None else round(self.low),
            "high": None if self.high is None else round(self.high),
            "extrapolated": self.extrapolated,
            "times": rounded(self.times),
        }


@dataclass(frozen=True, repr=False)
class Comparison:
    """One data set, learned in several ways from more and more labels. Printed, it is a table."""

    data: str
    title: str  # the task as users call it: "image-classification"
    model: str
    metric: Metric
    n_classes: int  # 0: the task has none
    n_test: int
    ways: Mapping[str, str]  # key and title, in the order in which they are shown
    rows: tuple[Row, ...]
    equivalent: Equivalent | None
    budget: float  # seconds
    seconds: Mapping[str, float]  # by step, and the total
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    cautions: tuple[Caution, ...] = ()
    folder: str | None = None

    def __repr__(self) -> str:
        from headstart.comparison.words import as_text

        return as_text(self.to_json())

    @property
    def labels(self) -> tuple[int, ...]:
        """How many labels models were made from, each number once."""
        return tuple(sorted({row.labels for row in self.rows}))

    @property
    def n_rejected(self) -> int:
        """How many examples were left out; the findings say why."""
        return sum(finding.rejected for finding in self.findings)

    def of(self, way: str, labels: int) -> tuple[Row, ...]:
        """The models of a way from so many labels, one a seed."""
        return tuple(row for row in self.rows if (row.way, row.labels) == (way, labels))

    def to_json(self) -> dict[str, Any]:
        """What `compare --json` prints. The figure of a row is under the key of the metric."""
        return {
            "data": self.data,
            "task": self.title,
            "model": self.model,
            "metric": self.metric.key,
            "better": self.metric.better,
            "unit": self.metric.unit,
            "n_classes": self.n_classes,
            "n_test": self.n_test,
            "n_rejected": self.n_rejected,
            "budget": self.budget,
            "ways": dict(self.ways),
            "rows": [self._row(row) for row in self.rows],
            "equivalent_labels": None if self.equivalent is None else self.equivalent.to_json(),
            "seconds": dict(self.seconds),
            "findings": [finding.to_json() for finding in self.findings],
            "notes": list(self.notes),
            "warnings": [{"kind": caution.kind, "text": caution.text} for caution in self.cautions],
            "out": self.folder,
        }

    def _row(self, row: Row) -> dict[str, Any]:
        result = {
            "labels": row.labels,
            "per_class": round(row.labels / self.n_classes, 2) if self.n_classes else None,
            "way": row.way,
            "seed": row.seed,
            self.metric.key: rounded(row.figure),
            "seconds": round(row.seconds, 3),
        }
        if row.epochs is None:
            return result
        loss = None if row.loss is None else rounded(row.loss)
        return {**result, "epochs": round(row.epochs, 1), "loss": loss, "levelled_off": row.levelled_off}
