"""The outcome of a comparison of pre-trained models, and the same as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from headstart.pretrained.schema import COUNT, NAME, figure, listing, record
from headstart.values import Interval


@dataclass(frozen=True)
class Ranked:
    """How well one pre-trained model suits a sample of the training part, each example judged unseen."""

    model: str  # as `fit --model` takes it
    log_loss: float  # nats, of a probe in cross-validation: what the order is by, unless the user says otherwise
    behind: float  # log loss above the best model's; or what else the order is by
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
    figure: float | None = None  # by the metric that the user chooses by; None: the order is by the log loss

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
    named: str  # what these are called: "classes", "labels"
    measure: str  # what `accuracy` is the share of, for people: "Accuracy", "Labels right"
    loss: str  # what `log_loss` is, for people
    majority_accuracy: float  # of always giving the sample's best constant answer, its most common class, say
    seconds: float
    metric: str | None = None  # the key of what the user wants the order to be by; None: the log loss


def as_json(ranking: Ranking) -> dict[str, Any]:
    """Plain Python values, figures rounded to 6 digits, nan as None."""
    rows = []
    for row in ranking.rows:
        interval = row.accuracy_interval
        plain = {name: _plain(value) for name, value in asdict(row).items() if name != "figure"}
        plain |= {} if ranking.metric is None else {ranking.metric: _plain(row.figure)}
        rows.append({**plain, "accuracy_interval": [_plain(interval.low), _plain(interval.high)], "tied": row.tied})
    told = {name: _plain(value) for name, value in asdict(ranking).items()}
    if ranking.metric is None:
        del told["metric"]
    return {**told, "rows": rows, "untried": [asdict(u) for u in ranking.untried], "warnings": list(ranking.warnings)}


_ROW = {"model": NAME, **dict.fromkeys(("accuracy", "log_loss", "logme", "neighbours"), figure)}
_TOLD = record(
    {
        "rows": listing(record(_ROW), most=100_000),
        "choice": NAME,
        "n": COUNT,
        "untried": listing(record({"model": NAME, "why": NAME}), most=100_000),
        "warnings": listing(NAME, most=100_000),
    },
    dict.fromkeys(("loss", "measure", "metric"), NAME),
)


def ranking_as_json(value: Any, name: str) -> dict[str, Any]:
    """A check of what `as_json` made and people may have changed.

    Raises:
        Wrong: a field is missing, or of another type.
    """
    told: dict[str, Any] = _TOLD(value, name)
    listing(record({ordered_by(told): figure}), most=100_000)(value["rows"], f"{name}.rows")
    return told


def ordered_by(told: Mapping[str, Any]) -> str:
    """The key of what the rows of a ranking's JSON are ordered by."""
    return str(told.get("metric", "log_loss"))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
