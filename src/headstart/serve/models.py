"""The models that are served, by name: opened, made ready, and opened again when their folder has changed."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headstart.encode.engines import keep_ready
from headstart.errors import ModelError, UserError, some_of
from headstart.model import Model, load
from headstart.pretrained.description import FILE
from headstart.report.rows import prediction_rows
from headstart.serve.refused import RefusedError

_ENDING = ".headstart"
_ENGINES = 2  # of a model: explanations run in float32, whatever it answers in
_log = logging.getLogger("headstart.serve")

Identity = tuple[int, ...]  # of a file: another one has another


@dataclass(frozen=True, eq=False)
class Served:
    """A model under its name."""

    name: str
    model: Model
    source: str  # as the user named it
    identity: Identity | None  # of its folder's description when it was opened; None: it lies in no folder
    keys: frozenset[str] = frozenset()  # of its predictions in JSON; none before it is ready

    @property
    def title(self) -> str:
        """The task as users call it: "image-classification"."""
        return self.model.task.titles[self.model.modality.name]

    @property
    def answers(self) -> bool:
        """Whether it finds answers in texts."""
        return hasattr(self.model.predictor, "answer")

    @property
    def ready(self) -> bool:
        """Whether its engine is open."""
        return bool(self.keys)

    def made_ready(self) -> Served:
        """The same, with its engine open: it answered made-up inputs, so that the first request waits for nothing."""
        words = self.model.task.words
        rows = prediction_rows(words, self.model.predict(self.model.modality.made_up(), top=1))
        return replace(self, keys=frozenset(rows[0]))

    def about(self, *, feedback: bool) -> dict[str, Any]:
        """What /v1/models says of it."""
        model = self.model
        return {
            "name": self.name,
            "task": self.title,
            "modality": model.modality.name,
            "classes": list(model.classes),
            "backbone": model.backbone.name,
            "licence": model.backbone.licence or None,
            "score": _headline(model),
            "can": {
                "explain": model.modality.explainer is not None and _explains(model),
                "answer": self.answers,
                **{option: _is_sure(model, option) for option in ("abstain", "coverage")},
                "feedback": feedback,
            },
        }


def _explains(model: Model) -> bool:
    """Whether what it takes to explain is installed: of words that is Captum."""
    return not model.modality.in_tables or importlib.util.find_spec("captum") is not None


def _is_sure(model: Model, option: str) -> bool:
    """Whether `predict` takes the option: the task has a meaning for it, and the model keeps held-out examples."""
    certainty, held = model.task.certainty, model.confidence is not None and bool(model.confidence.held)
    return held and certainty.rule is not None and option not in certainty.without


def _headline(model: Model) -> dict[str, Any] | None:
    """The first figure of its score; None: nobody has measured it."""
    scores, metric = model.scores, model.task.scorer.metrics[0]
    if scores is None or metric.key not in scores.values:
        return None
    ends = scores.intervals.get(metric.key)
    interval = None if ends is None else [ends.low, ends.high]
    return {"key": metric.key, "title": metric.title, "value": scores.values[metric.key], "interval": interval}


class Shelf:
    """All models that are served. One of a changed folder takes the place of the one before in one step."""

    def __init__(self, sources: Sequence[str]) -> None:
        """Raises UserError where two have one name, and ModelError where one cannot be opened."""
        named: dict[str, str] = {}
        for model in sources:
            name = name_of(model)
            if name in named:
                what = f"two models are called {name}: {named[name]} and {model}"
                raise UserError(what, where="MODEL", fix="rename a folder: its name is the model's in the API")
            named[name] = model
        keep_ready(_ENGINES * (len(named) + 1))  # of one more while a changed folder is made ready
        self._served = {name: _opened(name, model) for name, model in named.items()}
        self._refused: dict[str, Identity | None] = {}  # by name: a changed folder that could not be used

    def __iter__(self) -> Iterator[Served]:
        return iter(list(self._served.values()))

    def named(self, name: str | None) -> Served:
        """The model of a name; None: the first. Raises RefusedError where there is none."""
        if name is None:
            return next(iter(self._served.values()))
        if name not in self._served:
            fix = f"one of: {some_of(list(self._served))}"
            raise RefusedError(404, f"no model is called {name!r}", where="model", fix=fix)
        return self._served[name]

    def put(self, served: Served) -> None:
        """Serve this one under its name from now on."""
        self._served[served.name] = served

    @property
    def ready(self) -> bool:
        """Whether all engines are open."""
        return all(served.ready for served in self)

    def changed(self) -> list[Served]:
        """Those whose folder holds another model by now, but for what was tried already."""
        there = [(served, identity_of(served.source)) for served in self if served.identity is not None]
        return [
            served
            for served, now in there
            if now not in (None, served.identity) and self._refused.get(served.name) != now
        ]

    def look_after(self) -> None:
        """Serve what is in changed folders."""
        for served in self.changed():
            self.renew(served)

    def renew(self, served: Served) -> None:
        """Open the model that is in the folder now, beside the one that is served, and put it in its place when it is
        ready. One that cannot be used is left aside, which is said once."""
        now = identity_of(served.source)
        try:
            new = _opened(served.name, served.source)
            if new.title != served.title:
                raise ModelError(f"a model for {new.title}, where one for {served.title} was", where=served.source)
            self.put(new.made_ready())
        except Exception as error:  # of whatever kind: what is served goes on
            self._refused[served.name] = now
            _log.warning("%s: the changed folder is left aside: %s", served.name, " ".join(str(error).split()))
        else:
            _log.info("%s: the changed folder is served", served.name)


def name_of(source: str) -> str:
    """What a model is called in the API: its folder's name, or the last part of a catalog name."""
    name = Path(os.path.abspath(source)).name if Path(source).exists() else source.rsplit("/", 1)[-1]
    return name.removesuffix(_ENDING) or name


def identity_of(source: str) -> Identity | None:
    """Of the description in a folder, which may be a link that leads elsewhere by now; None: there is none, for example
    of a name of the catalog, or while the folder is replaced."""
    try:
        status = os.stat(Path(source) / FILE)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _opened(name: str, source: str) -> Served:
    before = identity_of(source)  # of a folder that is replaced meanwhile, the older one: it is opened again
    return Served(name, load(source), source, before)
