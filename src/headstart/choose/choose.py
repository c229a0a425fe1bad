"""The choice of model and way."""

from __future__ import annotations

from typing import get_args

from headstart.adapt.lora import require_peft
from headstart.choose.candidates import Load, at_hand
from headstart.choose.rank import rank_models
from headstart.clock import Budget
from headstart.errors import ModelError, UserError
from headstart.pretrained.catalog import DEFAULT
from headstart.progress import Progress, Silent
from headstart.values import Backbone, Dataset, Plan, Ranking, Way

_WAYS: tuple[Way, ...] = get_args(Way)


def plan(
    sample: Dataset,
    *,
    model: str = "auto",
    how: str = "auto",
    load: Load,
    budget: Budget,
    progress: Progress | None = None,
) -> Plan:
    """The model that was asked for; or, for "auto", the one of those at hand that suits the sample best.

    Args:
        sample: checked examples of the training part. Nothing else of the data is seen here.
        load: opens a model by name.
        budget: for ranking; where only one model is at hand, nothing is ranked.
        progress: told of a step "choose", where models are ranked.

    Raises:
        UserError: a way that does not exist, or needs something that is not installed.
        ModelError: none of the models at hand can be used.
    """
    way = way_of(how)
    if model != "auto":
        return Plan(model, way, "asked for")
    candidates = at_hand(sample.kind, load)
    if len(candidates) < 2:
        name = candidates[0].name if candidates else DEFAULT[sample.kind]  # loading it says what to install
        return Plan(name, way, f"the only model for {sample.kind}s at hand")
    with (progress or Silent()).step("choose", len(candidates) * len(sample)) as advance:
        ranking = rank_models(sample, candidates, budget=budget, advance=advance)
    return Plan(ranking.choice, way, _why(ranking), ranking)


def way_of(how: str) -> Way:
    """Raises UserError for a way that does not exist, or needs something that is not installed."""
    way = next((way for way in _WAYS if way == how), None)
    if way is None:
        raise UserError(f"unknown way {how!r}", where="--how", fix=f"one of: {', '.join(_WAYS)}")
    if way == "lora":
        require_peft()
    return way


def require_trainable(backbone: Backbone, way: Way) -> None:
    """So that nobody waits for features first.

    Raises:
        ModelError: a graph whose weights cannot be changed (ONNX) is to be tuned, whatever comes of it.
    """
    if backbone.frozen_only and way not in ("auto", "probe"):
        raise ModelError(
            "an ONNX model can be used frozen only",
            where=backbone.name,
            fix="--how probe, or name the model that it was exported from",
        )


def _why(ranking: Ranking) -> str:
    best, tried = ranking.rows[0].model, len(ranking.rows)
    if tried == 1:
        return "the only model that there was time for"
    if ranking.choice == best:
        return f"the best of {tried} models on a sample of the training part"
    return f"as good as {best}, the best of {tried} models on a sample of the training part, and cheaper"
