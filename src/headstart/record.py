"""Every fact of a fit, once and typed. What is printed, saved, shown and tracked are views of it; it loads back."""

from __future__ import annotations

import datetime
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

from headstart import __version__
from headstart.adapt.lesson import Adapted
from headstart.adapt.plan import Plan
from headstart.backbone import Features
from headstart.choose.ranking import ranking_as_json
from headstart.confidence.confidence import Confidence
from headstart.data.listed import listed
from headstart.encode.precision import precision_of
from headstart.encode.works import kept_notes
from headstart.evaluate.learning_curve import LearningCurve
from headstart.evaluate.out_of_scope import WAYS
from headstart.pretrained.catalog import licence_of
from headstart.pretrained.licences import CLASSES
from headstart.pretrained.schema import (
    COUNT,
    NAME,
    Wrong,
    by_field,
    either,
    entire,
    figure,
    flag,
    listing,
    mapping,
    maybe,
    number,
    one_of,
    real,
)
from headstart.pretrained.schema import record as fields
from headstart.session import Session
from headstart.task import NOT_MEASURED, Metric, Scores, Task
from headstart.values import Caution, Columns, Dataset, Finding, Interval, Request, Split

_SEVERAL = listing(NAME, most=100_000)
_ENDS = listing(figure, least=2, most=2)
_FINDING = fields(
    {"kind": NAME, "where": NAME, "reason": NAME, "rejected": flag},
    {"score": number(), "looks_like": NAME, "probably_wrong": flag},
)
_RUN = {**dict.fromkeys(("depth", "steps"), COUNT), "rate": number()}
_TRIAL = fields(
    {**_RUN, "log_loss": figure, "accuracy": figure},
    {"varied": flag, **dict.fromkeys(("mixup", "smoothing"), number()), "cost": figure},
)
_COMPARED = {
    "n": COUNT,
    "noise": real,
    **dict.fromkeys(("untuned_accuracy", "tuned_accuracy", "untuned_log_loss", "tuned_log_loss"), real),
    **dict.fromkeys(("gain_errors", "right_errors"), real),
}
_BY_COST = dict.fromkeys(("untuned_cost", "tuned_cost", "cost_errors"), real)
_TUNING = fields(
    {
        "verdict": by_field("cost_errors", fields({**_COMPARED, **_BY_COST}), fields(_COMPARED)),
        "trials": listing(_TRIAL, most=100_000),
        "recipe": fields({**_RUN, "batch": COUNT}),
        "share": number(),
        "averaged_runs": COUNT,
    }
)
_CURVE = fields(
    {"metric": NAME, "points": listing(mapping(number(), most=10), least=2, most=20)}
    | {"gain": number(), "noise": number(low=0)}
)


def _learning(value: Any, name: str) -> LearningCurve:
    """A learning curve, whose points have their values under the metric's key."""
    values = _CURVE(value, name)
    point = fields({**dict.fromkeys((values["metric"], "low", "high"), number()), "labels": COUNT, "draws": COUNT})
    listing(point, most=20)(values["points"], f"{name}.points")
    return LearningCurve.from_json(values)


def _answered(value: Any, name: str) -> dict[str, Any]:
    """Shares that are answered, by the accuracy that is asked for, of which JSON makes a text."""
    values: dict[str, Any] = mapping(maybe(number(0, 1)), most=100)(value, name)
    odd = next((asked for asked in values if not _ACCURACY.fullmatch(asked)), None)
    if odd is not None:
        raise Wrong(f"{name} has {odd!r}, which is no accuracy")
    return values


_ACCURACY = re.compile(r"0\.\d{1,9}", re.ASCII)
_SCOPE = {
    **dict.fromkeys(("threshold", "kept"), number()),
    **dict.fromkeys(("reference", "of"), COUNT),
    "method": one_of(*WAYS),
    "near_auroc": maybe(number(0, 1)),
}
_CONFIDENCE = fields(
    {"held_out": COUNT, "out_of_scope": maybe(fields(_SCOPE, {"unmeasured": NAME}))},
    {"answered": _answered, "set_size": number(low=0)},
)
_SUMMARY = fields(  # what tasks of all kinds say
    {
        **dict.fromkeys(("task", "model", "how", "why", "why_how", "split"), NAME),
        **dict.fromkeys(("n_train", "n_rejected"), COUNT),
        "n_test": COUNT,
        "tuning": maybe(entire(_TUNING)),
        "findings": listing(_FINDING, most=100_000_000),
        "notes": _SEVERAL,
        "versions": mapping(NAME, most=1000),
        "seconds": mapping(number(low=0), most=1000),
        "out": maybe(NAME),
    },
    {
        "ranking": maybe(entire(ranking_as_json)),
        "confidence": _CONFIDENCE,
        "unlabelled": maybe(fields({**dict.fromkeys(("n", "used", "left_out"), COUNT), "helped": maybe(flag)})),
        "cached": figure,
        "metric": maybe(NAME),
        **dict.fromkeys(("final", "names_used"), flag),
        "learning_curve": maybe(_learning),
        "warnings": listing(fields({"kind": NAME, "text": NAME}), most=100_000),
        "licence": fields({"class": one_of(*CLASSES), "text": NAME}),
        "precision": one_of("float32", "bfloat16", "int8"),
        "kept": one_of("int8"),
    },
)
_COLUMNS = fields(
    {},
    {
        **dict.fromkeys(("text2", "image", "label", "separator", "group"), NAME),
        **dict.fromkeys(("text", "labels"), either(_SEVERAL, NAME)),
    },
)
_MEASURED = ("torch", "timm", "transformers", "openvino", "numpy")


@dataclass(frozen=True)
class Record:
    """How a model was made, and how good it is."""

    task: Task
    title: str  # the task as users call it: "image-classification"
    data: str  # what the user would call the data
    date: str  # in UTC, as 2026-01-31
    model: str
    method: str
    why: str  # this model
    why_method: str
    n_train: int
    n_rejected: int
    official: bool  # whether the parts are the user's
    scores: Scores
    facts: Mapping[str, Any]  # what JSON says of the head and of the training part, as the task has it
    tuning: Mapping[str, Any] | None = None  # what fine-tuning tried
    ranking: Mapping[str, Any] | None = None  # that the model was chosen from
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    cautions: tuple[Caution, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    cached: float | None = None  # share of the features that were known before; None: nothing is encoded
    seconds: Mapping[str, float] = field(default_factory=dict)  # by step, and "total"
    out: str | None = None  # the folder that it was saved to
    columns: Columns | None = None  # of the table that the examples came from
    out_of_fold: bool = False  # whether each example was tested by a head that learned without its fold
    final: bool = False  # whether it learned from the test part as well, after that was scored
    from_files: bool = False  # whether each text that it learned from was a file of its own
    learning_curve: LearningCurve | None = None  # of the probe; None: there is none
    metric: str | None = None  # the key of what the user wanted it to be chosen by; None: the task's own loss
    licence: Mapping[str, str] | None = None  # of the pre-trained weights: class and text; None: of a fit from before
    precision: str | None = None  # that its features are made in; None: it has none, or is from before
    kept: str | None = None  # in which form the store had them: "int8"; None: in half precision, or there are none
    confidence: Mapping[str, Any] | None = None  # how sure it can say that it is; None: nobody measured that
    names_used: bool = False  # whether names of classes were learned from as examples of theirs
    unlabelled: Mapping[str, int | bool | None] | None = (
        None  # how many examples without a label there were, and of what use
    )

    @property
    def chosen_by(self) -> Metric | None:
        """What it was chosen by; None: the task's own loss, or a metric that it has no more."""
        return next((metric for metric in self.task.scorer.metrics if metric.key == self.metric), None)

    @property
    def n_test(self) -> int:
        """How many examples it was tested on."""
        return self.scores.n

    @staticmethod
    def asked(request: Request, dataset: Dataset, plan: Plan, session: Session) -> dict[str, Any]:
        """What a tracker is told at the beginning."""
        asked = {"data": dataset.name, "task": dataset.title, "model": plan.backbone.name, "how_asked": plan.method}
        more = {"classes": len(dataset.classes)} if dataset.classes else {}
        asked |= {} if dataset.task.metric is None else {"metric": dataset.task.metric}
        return {**asked, "budget": session.budget.seconds, "seed": request.seed, **more, "versions": versions()}

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        parts: Split,
        plan: Plan,
        adapted: Adapted,
        features: Features,
        scores: Scores,
        confidence: Confidence,
        session: Session,
    ) -> Record:
        """All that a fit knows before it is saved."""
        new = max(0, features.cached - plan.cached)
        kept = kept_notes(features.key) if plan.encodes else []
        findings, more = listed(chain(dataset.findings, _of_pool(dataset), parts.findings, adapted.findings))
        return cls(
            task=dataset.task,
            title=dataset.title,
            data=dataset.name,
            date=datetime.datetime.now(datetime.UTC).date().isoformat(),
            model=plan.backbone.name,
            licence=licence_of(plan.backbone.name, plan.backbone.licence),
            method=adapted.method,
            why=plan.why,
            why_method=adapted.why,
            n_train=len(adapted.rows),
            n_rejected=sum(finding.rejected for finding in dataset.findings),
            official=parts.official,
            scores=scores,
            facts=dataset.task.words.facts(adapted.head, dataset, adapted.rows),
            tuning=adapted.tuning,
            ranking=plan.ranking,
            findings=findings,
            notes=(*dataset.notes, *parts.notes, *adapted.notes, *more, *kept),
            cautions=(*dataset.cautions, *parts.cautions, *adapted.cautions, *dataset.task.scorer.cautions(scores)),
            versions=versions(),
            cached=round(new / max(1, len(features.matrix)), 6) if plan.encodes else None,
            seconds=session.took(),
            out=None if session.place is None else str(session.place.asked),
            columns=dataset.columns,
            from_files=dataset.from_files,
            out_of_fold=parts.out_of_fold,
            final=adapted.final,
            learning_curve=adapted.learning_curve,
            metric=dataset.task.metric,
            precision=None if adapted.features is None else precision_of(adapted.features.key),
            kept="int8" if kept else None,
            confidence=confidence.summary,
            names_used=len(adapted.beside.words) > 0,
            unlabelled=adapted.unlabelled,
        )

    def finished(self, session: Session, folder: Path | None) -> Record:
        """With the seconds of all steps; whoever tracks the fit is told how it ended."""
        tuning = self.tuning or {}
        tracker, record = session.tracker, replace(self, seconds=session.took())
        chosen = {"how": self.method, "why": self.why, "why_how": self.why_method, "recipe": tuning.get("recipe", {})}
        with session.step("track", shown=False):
            tracker.parameters(chosen)
            counts = {"n_train": self.n_train, "n_test": self.n_test, "n_rejected": self.n_rejected}
            numbers = {name: value for name, value in self.facts.items() if isinstance(value, int | float)}
            verdict = {f"verdict.{name}": float(value) for name, value in tuning.get("verdict", {}).items()}
            seconds = {f"seconds.{step}": value for step, value in record.seconds.items()}
            shown = self.scores.to_json()
            values = {key: shown[key] for key in self.scores.values if shown[key] is not None}
            tracker.scalars({**values, **counts, **numbers, **verdict, **seconds})
            tracker.close("finished", folder)
        return record

    def to_json(self) -> dict[str, Any]:
        """What `fit --json` prints and metrics.json holds."""
        encoded = {} if self.cached is None else {"cached": self.cached, "ranking": self.ranking}
        return {
            "task": self.title,
            "model": self.model,
            **({} if self.licence is None else {"licence": dict(self.licence)}),
            **({} if self.precision is None else {"precision": self.precision}),
            **({} if self.kept is None else {"kept": self.kept}),
            "how": self.method,
            "why": self.why,
            "why_how": self.why_method,
            **({} if self.metric is None else {"metric": self.metric}),
            "tuning": self.tuning,
            "n_train": self.n_train,
            "n_rejected": self.n_rejected,
            **self.scores.to_json(),
            "split": "official" if self.official else "out-of-fold" if self.out_of_fold else self._made,
            **({"final": True} if self.final else {}),
            "names_used": self.names_used,
            "unlabelled": None if self.unlabelled is None else dict(self.unlabelled),
            **self.facts,
            "learning_curve": None if self.learning_curve is None else self.learning_curve.to_json(),
            **({} if self.confidence is None else {"confidence": dict(self.confidence)}),
            "findings": [finding.to_json() for finding in self.findings],
            "notes": list(self.notes),
            "warnings": [asdict(caution) for caution in self.cautions],
            "versions": dict(self.versions),
            **encoded,
            "seconds": dict(self.seconds),
            "out": self.out,
        }

    @property
    def _made(self) -> str:
        return "made" if self.n_test else "none"

    def beside(self) -> dict[str, Any]:
        """What `from_json` needs besides the summary."""
        columns = {} if self.columns is None else {"columns": self.columns.named}
        more = columns | ({"from_files": True} if self.from_files else {})
        return {"data": self.data, "date": self.date, "mistakes": [dict(m) for m in self.scores.mistakes], **more}

    @classmethod
    def from_json(cls, task: Task, summary: Mapping[str, Any], beside: Mapping[str, Any]) -> Record:
        """The record that `to_json` and `beside` were made of.

        Raises:
            ValueError: they were not; it names the field.
        """
        said = _SUMMARY(summary, "summary")
        known = {"data": NAME, "date": NAME, "mistakes": listing(task.scorer.mistake, most=1_000_000)}
        values = fields(known, {"columns": _COLUMNS, "from_files": flag})(beside, "record")
        return cls(
            task=task,
            title=said["task"],
            data=values["data"],
            date=values["date"],
            model=said["model"],
            method=said["how"],
            why=said["why"],
            why_method=said["why_how"],
            n_train=said["n_train"],
            n_rejected=said["n_rejected"],
            official=said["split"] == "official",
            out_of_fold=said["split"] == "out-of-fold",
            final=said.get("final", False),
            scores=_scores(task, summary, values["mistakes"]),
            facts=task.words.facts_saved(summary, "summary"),
            tuning=said["tuning"],
            ranking=said.get("ranking"),
            findings=tuple(Finding(**entry) for entry in said["findings"]),
            notes=tuple(said["notes"]),
            cautions=tuple(Caution(**entry) for entry in said.get("warnings", ())),
            versions=said["versions"],
            cached=said.get("cached"),
            from_files=values.get("from_files", False),
            seconds=said["seconds"],
            out=said["out"],
            columns=Columns(**values["columns"]) if "columns" in values else None,
            learning_curve=said.get("learning_curve"),
            metric=said.get("metric"),
            licence=said.get("licence"),
            precision=said.get("precision"),
            kept=said.get("kept"),
            confidence=said.get("confidence"),
            names_used=said.get("names_used", False),
            unlabelled=said.get("unlabelled"),
        )


def _of_pool(dataset: Dataset) -> Sequence[Finding]:
    return () if dataset.pool is None else dataset.pool.findings


def _scores(task: Task, summary: Mapping[str, Any], mistakes: Sequence[Any]) -> Scores:
    """The headlines have to be there, with their intervals; a metric that came later may not."""
    keys = [metric.key for metric in task.scorer.metrics]
    if not summary["n_test"]:
        return NOT_MEASURED
    first = keys[: task.scorer.headlines]
    values = fields(dict.fromkeys(first, figure), dict.fromkeys(keys[len(first) :], figure))(summary, "summary")
    for key in first:
        if f"{key}_interval" not in summary:
            raise Wrong(f"summary.{key}_interval is missing")
    ends = {key: f"{key}_interval" for key in keys if key in values and f"{key}_interval" in summary}
    checked = fields(dict.fromkeys(ends.values(), _ENDS))(summary, "summary")
    return Scores(
        n=summary["n_test"],
        values={key: _number(values[key]) for key in keys if key in values},
        intervals={key: Interval(*map(_number, checked[name])) for key, name in ends.items()},
        details=task.scorer.details(summary, "summary"),
        mistakes=tuple(mistakes),
    )


def _number(value: Any) -> float:
    """As `Scores.to_json` wrote it: null is no number."""
    return float("nan") if value is None else float(value)


def versions() -> dict[str, str]:
    """Of headstart, Python and what computes."""
    others = {name: version(name) for name in _MEASURED}
    return {"headstart": __version__, "python": platform.python_version(), **others}
