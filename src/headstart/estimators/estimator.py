"""The scikit-learn face of headstart: what its estimators over images, texts or pairs of texts have in common."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from headstart.adapt.adapt import adapt
from headstart.adapt.lesson import Adapted
from headstart.adapt.plan import Plan
from headstart.backbone import Backbone, Head
from headstart.choose.choose import method_of
from headstart.clock import Budget, seconds_of
from headstart.data.check import check
from headstart.data.read import as_dataset
from headstart.data.tables.frame import read_pairs
from headstart.data.tables.in_order import in_order
from headstart.encode.encode import encode_rows
from headstart.errors import DataError, ModelError
from headstart.pretrained.rebuild import from_where_kept, where_kept
from headstart.session import Session
from headstart.task import Task
from headstart.tasks.classification import CLASSIFICATION
from headstart.values import Dataset, Split

_LARGEST, _SMALLEST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)  # heads are learned in float32


class Estimator(BaseEstimator):  # type: ignore[misc]
    """What all of them have in common: which model, how long, and that inputs are no table of numbers."""

    def __init__(
        self,
        model: str = "auto",
        *,
        how: str = "probe",
        metric: str = "auto",
        budget: float | str | None = None,
        kind: str | None = None,
        seed: int = 0,
    ) -> None:
        self.model = model
        self.how = how
        self.metric = metric
        self.budget = budget
        self.kind = kind
        self.seed = seed

    def _learn(self, dataset: Dataset, task: Task) -> Adapted:
        """All rows are learned from; nothing is saved."""
        session, method = Session(Budget(seconds_of(self.budget))), method_of(self.how)
        dataset = replace(dataset, task=task.choosing_by(self.metric))
        name = dataset.modality.default_model if self.model == "auto" else self.model
        backbone = task.learner.load(name, kind=dataset.modality.kind)
        rows = np.arange(len(dataset))
        with session.step("encode"):
            features = encode_rows(dataset, rows, backbone)
        parts = Split(rows, rows[:0], official=False)
        adapted = adapt(dataset, parts, Plan(backbone, method, "asked for", rows), features, session, seed=self.seed)
        if adapted.checkpoint is not None:
            adapted.checkpoint.remove()
        self.how_, self.why_, self.kind_ = adapted.method, adapted.why, dataset.modality.name
        return adapted

    def _examples(
        self, X: Any, y: Any, task: Task, weights: np.ndarray | None = None, *, fitted: str | None = None
    ) -> Dataset:
        """Checked examples, but for those of weight 0; raises DataError for a row that cannot be used: none is left
        out. Raises ValueError where there is none."""
        examples = read_pairs(inputs_of(X, self), y, self.kind or fitted)
        if weights is not None:
            examples, weights = examples.take(np.flatnonzero(weights)), weights[weights > 0]
            weights = None if (weights == 1).all() else weights
        dataset = replace(as_dataset(examples, task), weights=weights)
        dataset = check(dataset, purpose="predict" if y is None else "evaluate")
        for finding in dataset.rejected:
            raise DataError(finding.reason, where=finding.where, fix="leave it out, or repair it")
        return dataset

    def _outputs(self, X: Any, task: Task) -> np.ndarray:
        check_is_fitted(self)
        dataset = self._examples(X, None, task, fitted=getattr(self, "kind_", None))
        predictor = task.predictor(self.backbone_, self.head_)
        outputs: np.ndarray = predictor.outputs(dataset, np.arange(len(dataset)), advance=lambda _: None)
        return outputs

    def _keep(self, adapted: Adapted) -> None:
        self.backbone_: Backbone = adapted.backbone
        self.head_: Head = adapted.head

    def __getstate__(self) -> dict[str, Any]:
        """Pickles hold the head, and where the weights lie and their hash, not the weights."""
        state = dict(super().__getstate__())
        backbone = state.pop("backbone_", None)
        return state if backbone is None else {**state, "kept_": where_kept(backbone)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Raises ModelError where the weights are gone, or others are in their place."""
        kept = state.get("kept_")
        super().__setstate__({name: value for name, value in state.items() if name != "kept_"})
        if kept is not None:
            self.backbone_ = self._again(kept)

    def _again(self, kept: dict[str, Any]) -> Backbone:
        """The backbone of a pickle: by its name, where it is as it came, else where its weights were kept."""
        if getattr(self, "how_", "") != "probe":
            return from_where_kept(kept)
        backbone = CLASSIFICATION.learner.load(kept["backbone"]["name"], kind=kept["backbone"]["kind"])
        if backbone.weights_hash != kept["backbone"]["weights_hash"]:
            raise ModelError(f"{backbone.name} has other weights than when this was fitted", where="pickle")
        return backbone

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags


def weights_of(sample_weight: Any, n: int) -> np.ndarray | None:
    """(n,) float64: how many examples each one counts for; None: one.

    A weight of 2 is the row twice. Where all weights together are less than what they are worth (those that sum to 1,
    say), they are no counts but shares, and are made as many: Kish, Survey Sampling, 1965.

    Raises:
        ValueError: these are no weights of n examples.
    """
    if sample_weight is None:
        return None
    try:
        weights = np.array(sample_weight, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("sample_weight must be numbers, one an input") from None
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has the shape {weights.shape}; {n} inputs need ({n},)")
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        row, value = int(wrong[0]), weights[wrong[0]]
        raise ValueError(f"sample_weight of row {row + 1} is {value}; weights are finite and not negative")
    if not weights.any():
        raise ValueError("all of sample_weight is zero: nothing is left to learn from")
    least, most = float(weights[weights > 0].min()), float(weights.max())
    if most > _LARGEST / n or least < _SMALLEST * float(weights.sum()):
        what = f"sample_weight goes from {least:g} to {most:g}, which float32 cannot hold"
        raise ValueError(f"{what}: make the largest ones smaller, and the smallest 0")
    shares = weights / weights.max()
    worth = float(shares.sum()) ** 2 / float(shares @ shares)
    return weights if weights.sum() >= worth else shares * (worth / float(shares.sum()))


def inputs_of(X: Any, estimator: BaseEstimator) -> list[Any]:
    """The inputs in any container that has an order.

    Raises:
        DataError: X is none. ValueError: it is empty.
    """
    inputs = in_order(X, where="X")
    refuse_none(inputs, estimator)
    return inputs


def refuse_none(inputs: Sized, estimator: BaseEstimator) -> None:
    """Raises ValueError, as scikit-learn's estimators do, where there is no input."""
    if not len(inputs):
        name = type(estimator).__name__
        raise ValueError(f"Found array with 0 sample(s) while a minimum of 1 is required by {name}.")
