"""A saved summary that was edited: `hs.load` names the field, or the page is written all the same."""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import headstart as hs
from hostile import MISSING, changed, put
from small_models import WORDS

STRANGE = [MISSING, None, True, -1, 1e300, "x", [], [[1]], {}, {"a": 1}]
RUN = {
    "depth": 2,
    "rate": 1e-4,
    "steps": 30,
    "batch": 32,
    "bf16": False,
    "smoothing": 0.1,
    "mixup": 0.2,
    "varied": True,
}
TUNING = {
    "verdict": {
        **{"n": 60, "untuned_log_loss": 0.4, "tuned_log_loss": 0.3, "untuned_accuracy": 0.8, "tuned_accuracy": 0.9},
        **{"gain_errors": 2.5, "right_errors": 1.5, "noise": 1.64, "tuned_is_better": True},
        **{"untuned_cost": 0.3, "tuned_cost": 0.2, "cost_errors": 1.9},
    },
    "trials": [{**RUN, "log_loss": 0.3, "accuracy": 0.9, "cost": 0.2}],
    "recipe": RUN,
    "share": 0.5,
    "averaged_runs": 1,
}
ROW = {"model": "one", "log_loss": 0.3, "accuracy": 0.9, "logme": 1.0, "neighbours": 0.8, "separation": None}
RANKING = {
    "rows": [{**ROW, "macro_f1": 0.9, "accuracy_interval": [0.8, 1.0], "tied": True}],
    **{"choice": "one", "untried": [{"model": "other", "why": "no time"}], "warnings": ["few examples"], "n": 60},
    **{"classes": 2, "measure": "Accuracy", "loss": "log loss", "metric": "macro_f1", "seconds": 1.0},
}


@pytest.fixture(scope="module")
def folders(made, tmp_path_factory) -> dict[str, Path]:
    """A saved model of each task, by name."""
    out, rng = tmp_path_factory.mktemp("summaries"), random.Random(1)
    texts = [" ".join(rng.choices(WORDS, k=6)) for _ in range(30)]
    about = {"model": str(made.folder / "bert"), "how": "probe"}
    hs.fit(texts, [[["one"], ["one", "two"], []][i % 3] for i in range(30)], out=out / "labels", **about)
    hs.fit(texts, [i / 7 for i in range(30)], out=out / "numbers", task="regression", **about)
    return {
        "image": made.folder / "image",
        "labels": out / "labels",
        "numbers": out / "numbers",
        "reader": made.folder / "reader",
    }


def places(told: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each value of JSON stands; of a list, in the first entry only."""
    if len(place) > 1:
        yield place
    for key in told if isinstance(told, dict) else range(min(1, len(told))) if isinstance(told, list) else ():
        yield from places(told[key], (*place, key))


def edited(told: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    *parents, last = place
    entry = told = copy.deepcopy(told)
    for key in parents:
        entry = entry[key]
    if value is MISSING:
        del entry[last]
    else:
        entry[last] = value
    return told


def tuned(told: dict[str, Any]) -> dict[str, Any]:
    """What headstart.json would say of a model that was chosen from several, by a metric, and tuned."""
    summary = told["summary"]
    rows = [{**row, "cost": 0.2} for row in summary["cross_validation"]]
    more = {"tuning": TUNING, "ranking": RANKING, "metric": "macro_f1", "cross_validation": rows}
    return {**told, "summary": {**summary, **more}}


def many_classes(told: dict[str, Any]) -> dict[str, Any]:
    """Of more classes than a matrix of confusions shows."""
    names = [f"class {i}" for i in range(30)]
    rows = [{"name": name, "precision": 0.5, "recall": 0.5, "f1": 0.5, "count": i % 3} for i, name in enumerate(names)]
    confusion = {"classes": names, "cells": [[0, 1, 2], [1, 1, 1]]}
    return {**told, "summary": {**told["summary"], "per_class": rows, "confusion": confusion}}


CASES = {"tuned": ("image", tuned), "many": ("image", many_classes)}
CASES |= {kind: (kind, dict) for kind in ("labels", "numbers", "reader")}


@pytest.mark.parametrize("case", CASES)
def test_any_field_of_a_summary_is_named_or_the_page_is_written(case, folders, tmp_path):
    kind, made_of = CASES[case]
    folder = changed(folders[kind], tmp_path / "model", headstart=made_of)
    base, page, refused, written = json.loads((folder / "headstart.json").read_text()), tmp_path / "page.html", [], 0
    (folder / "report.html").unlink()  # or it would be copied, and not made of the summary
    hs.load(folder).report(page)
    said = {name: base[name] for name in ("summary", "record")}
    for place in places(said):
        for value in STRANGE:
            (folder / "headstart.json").write_text(json.dumps({**base, **edited(said, place, value)}))
            try:
                model = hs.load(folder)
            except hs.UserError as error:
                refused.append(str(error))
                continue
            page.unlink()
            model.report(page)
            assert page.stat().st_size > 5000, (place, value)
            written += 1
    assert all("damaged: " in error and error.count("\n") == 1 for error in refused)
    assert len(refused) > 300
    assert written > 50


CHANGED = [
    *(("numbers", "width", 1e-9), ("numbers", "mean", 7.5)),
    *(("labels", "thresholds", [0.0, 0.0]), ("image", "temperature", 9)),
]


@pytest.mark.parametrize(("kind", "field", "value"), CHANGED)
def test_a_setting_of_the_head_is_not_changed_unnoticed(kind, field, value, folders, tmp_path):
    with pytest.raises(hs.UserError, match="the head is not the one that was saved"):
        hs.load(changed(folders[kind], tmp_path / "model", headstart=lambda told: put(told, f"head.{field}", value)))


def test_a_width_of_nothing_is_refused(folders, tmp_path):
    with pytest.raises(hs.UserError, match=r"head\.width is 0, not a finite number above 0"):
        hs.load(changed(folders["numbers"], tmp_path / "model", headstart=lambda told: put(told, "head.width", 0)))


@pytest.mark.parametrize("kind", ["numbers", "labels", "image"])
def test_a_folder_whose_hash_is_of_the_weights_alone_still_opens(kind, folders, tmp_path):
    """As they were saved before the hash was over the settings, too."""
    model = hs.load(folders[kind])
    weights = model.head.weight.astype("<f4").tobytes() + model.head.bias.astype("<f4").tobytes()
    before = hashlib.sha256(weights).hexdigest()
    again = hs.load(changed(folders[kind], tmp_path / "model", headstart=lambda told: put(told, "head.hash", before)))
    assert again.head.width == model.head.width


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("per_class", 0, "f1"), None, "f1 is null, not a number"),
        (("tuning",), {"a": 1}, "summary.tuning.verdict is missing"),
        (("ranking",), {"a": 1}, "summary.ranking.rows is missing"),
        (("confusion", "rows"), [], "summary.confusion.rows has 0 entries, not 2"),
        (("confusion", "rows", 0), [1], r"summary.confusion.rows\[0\] has 1 entries, not 2"),
        (("accuracy_interval",), MISSING, "summary.accuracy_interval is missing"),
    ],
)
def test_the_field_is_named(place, value, said, folders, tmp_path):
    change = lambda told: edited(told, ("summary", *place), value)  # noqa: E731
    with pytest.raises(hs.UserError, match=said):
        hs.load(changed(folders["image"], tmp_path / "model", headstart=change))


def test_what_a_fit_prints_of_questions_is_whole_where_it_is_no_terminal(folders):
    model = hs.load(folders["reader"])
    summary = {**model.summary, "why_how": "trained, " + "and so on, " * 20}
    made, why, *_ = model.task.words.fitted(summary, ()).splitlines()
    assert made.endswith("to test on")
    assert why.rstrip().endswith("and so on,")
