"""Which pre-trained model, how to adapt it, and how many of the examples there is time for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import get_args

import numpy as np

from headstart.adapt.lora import require_peft
from headstart.adapt.plan import Plan
from headstart.backbone import Backbone, Precision
from headstart.choose.candidates import Load, at_hand, named, refused
from headstart.choose.long_texts import choose_reading
from headstart.choose.policy import CHOOSING
from headstart.choose.rank import Candidate, rank_models
from headstart.choose.ranking import Ranking, as_json
from headstart.choose.subset import choose_subset
from headstart.data.sampling import drawn, sample
from headstart.encode.elsewhere import encoded_here
from headstart.encode.int8 import EXAMPLES, calibrated
from headstart.encode.precision import in_precision
from headstart.encode.store import store_folder
from headstart.encode.works import model_in
from headstart.errors import ModelError, UserError, some_of
from headstart.inputs.modality import Modality
from headstart.pretrained.licences import ALLOWED
from headstart.pretrained.source import SOURCES
from headstart.session import Session
from headstart.values import Dataset, Method, Request

_FEWEST_TOKENS = 8  # of a text, special ones included
_METHODS: tuple[Method, ...] = get_args(Method)


@encoded_here()  # speed is measured
def choose(dataset: Dataset, train: np.ndarray, request: Request, session: Session) -> Plan:
    """Choose from what the training part says.

    Args:
        train: (n,) rows of the training part; nothing else of the data is looked at.

    Raises:
        UserError: a method that needs something that is not installed.
        ModelError: the model cannot be used, or none of those at hand; or it cannot be trained, and has to be.
    """
    method, learner = method_of(request.method), dataset.task.learner
    name, why, ranking = choose_model(dataset, train, request, session)
    backbone = open_model(dataset, name, request, session)
    if request.precision == "int8":
        backbone = calibrated(backbone, dataset.take(drawn(dataset, train)[:EXAMPLES]))
    _refuse_untrainable(backbone, method)
    reading = choose_reading(dataset, train, backbone, method=method, session=session)
    backbone = reading.backbone
    subset = choose_subset(dataset, train, backbone, method=method, seed=request.seed, session=session)
    ranked, told = 0, None
    if ranking is not None:
        told = as_json(ranking)
        ranked = ranking.n - next(row.cached for row in ranking.rows if row.model == name)
    return Plan(
        backbone,
        method,
        why,
        subset.train,
        encodes=learner.encodes,
        ranking=told,
        cached=ranked + reading.encoded + subset.timed,
        notes=reading.notes,
        checkpoint=subset.checkpoint,
    )


def open_model(dataset: Dataset, name: str, request: Request, session: Session) -> Backbone:
    """The model of this name as a fit takes it: its precision, and how much of a text it reads.

    Raises:
        ModelError: it cannot be used. UserError: not in this way.
    """
    backbone = _opening(dataset, request.precision, session)(name)
    if request.max_length is None:
        return backbone
    return _reading(backbone, request.max_length, windows=not dataset.task.learner.encodes)


def model_without_a_look(dataset: Dataset, request: Request) -> tuple[str, str] | None:
    """The model that a fit takes, and why, where it need not look at examples for that; None: it ranks several."""
    modality, licence = dataset.modality, licences_of(request.licence)
    if request.model != "auto":
        return request.model, "asked for"
    if (known := model_in(store_folder(), dataset)) is not None:
        return known, "its features are in the store"
    if dataset.task.learner.judge is None:
        return modality.default_model, f"the starter for {modality.kind}s"
    candidates = _candidates(modality, _opening(dataset, request.precision), licence)
    if len(candidates) > 1:
        return None
    name = candidates[0].name if candidates else modality.default_model  # loading it says what to install
    only = "the only free model" if refused(modality, licence) else "the only model"
    return name, f"{only} for {modality.kind}s at hand"


def choose_model(
    dataset: Dataset, train: np.ndarray, request: Request, session: Session
) -> tuple[str, str, Ranking | None]:
    """The model that was asked for; or, for "auto", the one of those at hand that suits a sample best. And why."""
    known = model_without_a_look(dataset, request)
    if known is not None:
        return *known, None
    modality, licence = dataset.modality, licences_of(request.licence)
    candidates, some = _candidates(modality, _opening(dataset, request.precision), licence), sample(dataset, train)
    with session.progress.step("choose", len(candidates) * len(some)) as advance:
        within = session.budget.share(CHOOSING)
        ranking = rank_models(some, candidates, budget=within, race=True, advance=advance)
    ranking = replace(ranking, untried=(*ranking.untried, *refused(modality, licence)))
    return ranking.choice, _why(ranking), ranking


def _opening(dataset: Dataset, precision: Precision = "auto", session: Session | None = None) -> Load:
    """Opens models for this task whose features are made in this precision; a session shows what is fetched."""
    shown = None if session is None else session.download
    load = partial(dataset.task.learner.load, kind=dataset.modality.kind, progress=shown)
    return lambda name: in_precision(load(name), precision)


def _candidates(modality: Modality, load: Load, licence: str) -> list[Candidate]:
    """Raises ModelError where all that is at hand is refused for its licence."""
    found = at_hand(modality, load, licence)
    if not found and (others := refused(modality, licence)):
        names = some_of([one.model for one in others])
        what = f"the models for {modality.kind}s at hand are not free to choose by their licences: {names}"
        raise ModelError(what, where="--licence", fix="--licence any takes them, headstart models NAME says what holds")
    return found


def licences_of(name: str) -> str:
    """Raises UserError for licences that there are not."""
    if name not in ALLOWED:
        raise UserError(f"unknown licences {name!r}", where="--licence", fix=f"one of: {', '.join(ALLOWED)}")
    return name


def rank_sample(some: Dataset, models: Sequence[str] | None, session: Session, *, licence: str = "free") -> Ranking:
    """Rank models on a sample of the training part.

    Args:
        models: catalog names, hub names or folders; None: those of the catalog that are at hand.
        licence: of these, "free": none that is non-commercial or gated; "any".

    Raises:
        UserError: the task has no features that models could be ranked by.
        ModelError: a model cannot be used, or there is none.
    """
    modality, learner, licence = some.modality, some.task.learner, licences_of(licence)
    if learner.judge is None:
        raise UserError(
            f"models are not ranked for {some.title}: they have to be trained to be judged",
            where="--task",
            fix="name one to fit: --model NAME",
        )
    if models is None:
        candidates = _candidates(modality, _opening(some), licence)
    else:
        candidates = named(models, _opening(some, session=session))
    if not candidates:
        raise ModelError(f"no model for {modality.kind}s to rank", where="--models", fix="headstart models lists them")
    with session.progress.step("rank", len(candidates) * len(some)) as advance:
        ranking = rank_models(some, candidates, budget=session.budget, advance=advance)
    left = refused(modality, licence) if models is None else ()
    return replace(ranking, untried=(*ranking.untried, *left))


def method_of(name: str) -> Method:
    """Raises UserError for a method that does not exist, or needs something that is not installed."""
    method = next((method for method in _METHODS if method == name), None)
    if method is None:
        raise UserError(f"unknown way {name!r}", where="--how", fix=f"one of: {', '.join(_METHODS)}")
    if method == "lora":
        require_peft()
    return method


def _reading(backbone: Backbone, tokens: int, *, windows: bool) -> Backbone:
    """The backbone, reading so many tokens of a text; raises UserError where it cannot."""
    where = "--max-length"
    try:
        preparation = backbone.texts
    except TypeError as error:
        raise UserError(str(error), where=where, fix="leave it out") from None
    if windows:
        raise UserError("texts of any length are read here, in windows", where=where, fix="leave it out")
    if not _FEWEST_TOKENS <= tokens <= backbone.most_tokens:
        what = f"{backbone.name} reads {_FEWEST_TOKENS} to {backbone.most_tokens:,} tokens of a text, not {tokens:,}"
        raise UserError(what, where=where, fix=f"--max-length {backbone.most_tokens}, or another --model")
    return replace(backbone, preparation=replace(preparation, max_length=tokens))


def _refuse_untrainable(backbone: Backbone, method: Method) -> None:
    """So that nobody waits for features first: weights of a graph (ONNX), or of a table, are not changed here."""
    if backbone.frozen_only and method not in ("auto", "probe"):
        raise ModelError(
            f"{SOURCES[backbone.source].called} can be used frozen only",
            where=backbone.name,
            fix="--how probe, or name the model that it was made from",
        )


def _why(ranking: Ranking) -> str:
    best, tried = ranking.rows[0].model, len(ranking.rows)
    if tried == 1:
        return "the only model that there was time for"
    if ranking.choice == best:
        return f"the best of {tried} models on a sample of the training part"
    return f"as good as {best}, the best of {tried} models on a sample of the training part, and cheaper"
