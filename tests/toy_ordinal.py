"""A toy task from outside the package: steps of a scale, 1 to 5 stars, say. Given is the median of what is probable."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from headstart.adapt.softmax import SOFTMAX
from headstart.errors import DataError
from headstart.evaluate.metrics import softmax
from headstart.pretrained.schema import record, some_object
from headstart.report import general
from headstart.report.card import CardWords, loading, table_of_metrics
from headstart.report.card import card as made_card
from headstart.task import Scorer, Space, Task, Words
from headstart.tasks import linear
from headstart.tasks.modalities import IMAGE, TEXT
from toy_ordinal_scores import METRICS, evaluate

TITLES = {"image": "image-ordinal", "text": "text-ordinal"}
FACTS = ("classes", "penalty", "temperature", "cross_validation")  # as `linear.NAMED_FACTS` checks them


@dataclass(frozen=True)
class Step:
    step: str
    value: float  # the mean of the scale, by how probable its steps are
    input: str = ""
    error: str = ""


def step_of(cell, *, where):
    return None if cell is None else int(cell)


def refuse(dataset, seen):
    if len(dataset.classes) < 3:
        raise DataError(f"a scale has three steps or more.{seen}", where=dataset.name, fix="--task classification")


def encode(targets, space):
    index = {name: i for i, name in enumerate(space.names)}
    return np.array([index.get(str(step), -1) for step in targets], dtype=np.int64)


def median(logits):
    return (softmax(logits).cumsum(axis=1) >= 0.5).argmax(axis=1)


def reference(targets):
    counts = Counter(targets)
    return {"always": {"step": str(max(counts, key=lambda step: (counts[step], step)))}}


def score(head, logits, dataset, rows, known):
    y = encode([dataset.targets[row] for row in rows.tolist()], Space(head.classes))
    always = (known or {}).get("always", {"step": head.classes[0]})["step"]
    at = head.classes.index(always)
    return evaluate(median(logits), y, always=always, at=at, metrics=dataset.task.scorer.metrics)


def predictions(head, logits, names, errors, top):
    steps = [
        (head.classes[step], float(p @ head.more["scale"]))
        for step, p in zip(median(logits), softmax(logits), strict=True)
    ]
    made = {"one": lambda n, step: Step(*step, n), "failed": lambda n, why: Step("", np.nan, n, why)}
    return linear.predictions(steps, names, errors, **made)


def probe(*arguments, names, **more):
    """The probe of classes, which keeps what its steps are worth."""
    probed = SOFTMAX.probe(*arguments, names=names, **more)
    return replace(probed, head=replace(probed.head, more={"scale": tuple(map(float, names))}))


def facts(head, dataset, rows):
    told = (list(head.classes), head.penalty, round(head.temperature, 6), list(head.cross_validation))
    return dict(zip(FACTS, told, strict=True))


def sections(record, gallery):
    scores = record.scores
    beat = general.Baseline("always giving the commonest step", "commonest step", scores.always["exact"])
    yield general.headline(record, METRICS[0], beat)
    yield general.others(record, beside=["exact"])


def card(record, backbone, head, folder):
    about, use = f"Gives one of {len(head.classes)} steps", "Rating examples of the kind that it was trained on."
    results, code = table_of_metrics(record), loading(record, backbone, folder, None)
    return made_card(record, backbone, folder, CardWords(about=about, use=use, results=results, loading=code))


def beside(told):
    return [f"{'commonest step':18} {told['always']['exact']:.3f}  (always giving {told['always']['step']})"]


ORDINAL = Task(
    name="ordinal",
    modalities={"image": IMAGE, "text": TEXT},
    titles=TITLES,
    fits=lambda examples: False,  # it has to be asked for
    parse=linear.cells(step_of),
    complaint=lambda step: ("missing-label", "no step") if step is None else None,
    refuse=refuse,
    space=lambda targets: Space(tuple(map(str, sorted({step for step in targets if step is not None})))),
    encode=encode,
    strata=lambda y: y,
    learner=linear.learner(replace(SOFTMAX, probe=probe)),
    scorer=Scorer(
        metrics=METRICS, details=record({"always": some_object}), mistake=some_object, reference=reference, score=score
    ),
    words=Words(
        predictions=predictions,
        row=lambda p: {"input": p.input, "error": p.error} if p.error else {"input": p.input, "step": p.step},
        line=lambda row: row["step"],
        facts=facts,
        facts_saved=record(linear.NAMED_FACTS),
        fitted=general.terminal_fit(beside),
        scored=general.terminal_scores(beside),
        sections=sections,
        card=card,
        right="Steps right",
    ),
    keeper=linear.keeper(),
    predictor=linear.LinearPredictor,
    probabilities=softmax,
)
