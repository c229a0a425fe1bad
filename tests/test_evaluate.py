"""evaluate: numbers as scikit-learn has them, intervals as the textbooks, and a page that no class name can break."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from headstart.backbone import Head
from headstart.errors import DataError, ModelError
from headstart.evaluate import metrics
from headstart.evaluate.calibration import temperature
from headstart.evaluate.classification import evaluate
from headstart.evaluate.intervals import wilson
from headstart.pretrained.load import load
from headstart.record import Record
from headstart.report.card_classification import classification_card
from headstart.report.page import report
from headstart.task import Scores
from headstart.tasks.classification import CLASSIFICATION
from headstart.values import Caution, Finding
from pages import EVIL, Page


@st.composite
def problems(draw):
    """(logits, y) of any shape that can come up."""
    n, k = draw(st.integers(1, 40)), draw(st.integers(2, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = rng.normal(size=(n, k)).astype(np.float32) * draw(st.sampled_from([0.1, 1.0, 8.0, 200.0]))
    return logits, rng.integers(0, draw(st.integers(1, k)), size=n)


def example(k: int, n: int = 600, seed: int = 0, names: list[str] | None = None) -> Scores:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)) * 1.5 + 3.5 * np.eye(k)[y]
    classes = names or [f"class {i:02d}" for i in range(k)]
    where = [f"photos/{classes[i]}/{j:05d}.jpg" for j, i in enumerate(y)]
    return evaluate(logits, y, classes=classes, majority_class=classes[0], where=where)


def recorded(scores: Scores, **changes) -> Record:
    facts = {
        "classes": scores.confusion["classes"],
        "penalty": 0.1,
        "temperature": 1.2,
        "class_weights": {"roses": 1.5},
        "cross_validation": [{"penalty": 0.1, "log_loss": 0.3, "accuracy": 0.9}],
    }
    told = {
        "task": CLASSIFICATION,
        "title": "image-classification",
        "data": "flowers",
        "date": "2026-01-01",
        "model": "efficientnet_lite0",
        "method": "probe",
        "why": "asked for",
        "why_method": "asked for",
        "n_train": 2400,
        "n_rejected": 1,
        "official": False,
        "scores": scores,
        "facts": facts | changes.pop("facts", {}),
        "notes": ("no official split",),
        "findings": (
            Finding("unreadable", "a/b.jpg", "truncated", True),
            Finding("duplicate", "a/c.jpg", "as a/d.jpg"),
        ),
        "versions": {"headstart": "0"},
        "cached": 0.5,
        "seconds": {"encode": 9.25, "total": 16.0},
    }
    return Record(**(told | changes))


def carded(scores: Scores, *, licence: str, folder: str, **changes) -> str:
    names = tuple(scores.confusion["classes"])
    head = Head(names, np.zeros((len(names), 1)), np.zeros(len(names)), "", 0.1, 1.2, class_weights={"roses": 1.5})
    backbone = replace(load("efficientnet_lite0", kind="image"), licence=licence)
    return classification_card(recorded(scores, **changes), backbone, head, folder)


@given(problems())
def test_a_record_comes_back_from_its_json(problem):
    """What is saved says all again: figures to six digits, the tables and the mistakes."""
    logits, y = problem
    names = [f"c{i}" for i in range(logits.shape[1])]
    record = recorded(evaluate(logits, y, classes=names, majority_class="c0"))
    told, beside = json.loads(json.dumps([record.to_json(), record.beside()]))
    back = Record.from_json(CLASSIFICATION, told, beside)
    assert back.to_json() == told
    assert json.loads(json.dumps(back.beside())) == beside
    assert report(back) == report(record)


@given(problems())
def test_metrics_agree_with_sklearn(problem):
    logits, y = problem
    p = metrics.softmax(logits)
    k, predicted = p.shape[1], p.argmax(axis=1)
    labels = np.arange(k)
    assert metrics.accuracy(y, predicted) == pytest.approx(sk.accuracy_score(y, predicted))
    assert (metrics.confusion(y, predicted, k) == sk.confusion_matrix(y, predicted, labels=labels)).all()
    expected = sk.precision_recall_fscore_support(y, predicted, labels=labels, zero_division=0)
    for ours, theirs in zip(metrics.per_class(y, predicted, k), expected, strict=True):
        assert ours == pytest.approx(theirs)
    f1 = sk.f1_score(y, predicted, average="macro", zero_division=0)
    assert metrics.macro_f1(y, predicted, k) == pytest.approx(f1)
    assert metrics.log_loss(y, p) == pytest.approx(sk.log_loss(y, p, labels=labels), abs=1e-12)


@given(problems(), st.integers(1, 20))
def test_calibration_error_is_that_of_the_paper(problem, bins):
    p, y = metrics.softmax(problem[0]), problem[1]
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    expected = 0.0
    for b in range(bins):
        inside = np.ceil(confidence * bins) - 1 == b
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert metrics.expected_calibration_error(y, p, bins) == pytest.approx(expected, abs=1e-12)


def test_calibration_error_by_hand():
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.0, 1.0]])
    y = np.array([0, 1, 1, 1])
    # bins: two at 0.9 (half right), one at 0.6 (right), one at 1.0 (right)
    assert metrics.expected_calibration_error(y, p) == pytest.approx((2 * 0.4 + 0.4 + 0.0) / 4)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 1 - 0.1170, 1.0),  # 1 - z^2 / (n + z^2)
    ],
)
def test_wilson(successes, n, low, high):
    found = wilson(successes, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_wilson_edges():
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    assert wilson(50, 100, 0.99).low < wilson(50, 100, 0.9).low
    with pytest.raises(ValueError, match="successes"):
        wilson(3, 2)


@pytest.mark.parametrize("true", [0.3, 1.0, 4.0])
def test_temperature_is_recovered(true):
    rng = np.random.default_rng(3)
    z = rng.normal(size=(20000, 5)) * 2
    y = (z + rng.gumbel(size=z.shape)).argmax(axis=1)  # Gumbel-max draws from softmax(z)
    assert temperature(z * true, y) == pytest.approx(true, rel=0.05)


@settings(max_examples=60)
@given(problems())
def test_temperature_is_the_best(problem):
    logits, y = problem
    found = temperature(logits, y)
    assert 0.05 <= found <= 20

    unknown = 1 / (len(y) + 1)  # share of the one example of any class
    wanted = (1 - unknown) * np.eye(logits.shape[1])[y] + unknown / logits.shape[1]

    def loss(t):
        z = logits.astype(np.float64) / t
        z = z - z.max(axis=1, keepdims=True)
        return float((np.log(np.exp(z).sum(axis=1)) - (wanted * z).sum(axis=1)).mean())

    assert loss(found) <= min(loss(t) for t in np.geomspace(0.05, 20, 101)) + 1e-9


@pytest.mark.parametrize("n", [10, 40, 1000])
def test_examples_that_are_all_right_do_not_make_answers_certain(n):
    """With one more whose class nobody knows, the true class has half of that one's share less than all."""
    y = np.arange(n) % 2
    z = np.eye(2)[y] * 3.0
    sure = 1 / (1 + np.exp(-3.0 / temperature(z, y)))
    assert sure == pytest.approx(1 - 0.5 / (n + 1), abs=1e-5)


def test_temperature_edges():
    z, y = np.random.default_rng(0).normal(size=(50, 3)), np.zeros(50, dtype=np.int64)
    w = np.repeat([1.0, 0.0], 25)
    assert temperature(z, y, w) == pytest.approx(temperature(z[:25], y[:25]))
    assert temperature(np.zeros((4, 3)), np.zeros(4, dtype=np.int64)) == 1.0
    many = np.tile(np.eye(3) * 5, (10_000, 1))
    assert temperature(many, np.tile(np.arange(3), 10_000)) < 0.5  # always right, and often: surer
    assert temperature(np.eye(3) * 5, np.array([1, 2, 0])) == 20.0  # always wrong: as unsure as allowed
    with pytest.raises(ValueError, match="at least one"):
        temperature(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))


def test_order_of_rows_and_classes_does_not_matter():
    rng = np.random.default_rng(1)
    names, y = [f"c{i}" for i in range(6)], rng.integers(0, 6, 200)
    logits, where = rng.normal(size=(200, 6)) + np.eye(6)[y], [f"row {i}" for i in range(200)]
    first = evaluate(logits, y, classes=names, majority_class="c2", where=where)
    rows, columns = rng.permutation(200), rng.permutation(6)
    place = np.argsort(columns)
    second = evaluate(
        logits[rows][:, columns],
        place[y[rows]],
        classes=[names[c] for c in columns],
        majority_class="c2",
        where=[where[r] for r in rows],
    )
    a, b = first.to_json(), second.to_json()
    for key in ("accuracy", "accuracy_interval", "macro_f1", "log_loss", "ece", "majority_accuracy", "n_test"):
        assert a[key] == pytest.approx(b[key], abs=1e-6), key
    assert {c["name"]: c for c in a["per_class"]} == {c["name"]: c for c in b["per_class"]}
    assert (np.array(first.confusion["rows"])[columns][:, columns] == second.confusion["rows"]).all()
    assert [(m["where"], m["true"], m["predicted"]) for m in first.mistakes] == [
        (m["where"], m["true"], m["predicted"]) for m in second.mistakes
    ]
    sure = [m["probability"] for m in first.mistakes]
    assert sure == sorted(sure, reverse=True)


def test_mistakes_are_capped_and_json_is_plain():
    scores = evaluate(
        np.tile([5.0, 0.0], (300, 1)), np.ones(300, dtype=np.int64), classes=["a", "b"], majority_class="b"
    )
    assert len(scores.mistakes) == 200
    assert json.loads(json.dumps(scores.to_json(), allow_nan=False)) == scores.to_json()
    assert scores.to_json()["confusion"] == {"classes": ["a", "b"], "rows": [[0, 0], [300, 0]]}
    assert scores.to_json()["majority_accuracy"] == 1.0


def test_what_cannot_be_scored_is_said():
    with pytest.raises(DataError, match="no test examples"):
        evaluate(np.zeros((0, 2)), np.zeros(0, dtype=np.int64), classes=["a", "b"], majority_class="a")
    with pytest.raises(DataError, match=r"x\.jpg: 1 of 2"):
        evaluate(np.zeros((2, 2)), np.array([0, -1]), classes="ab", majority_class="a", where=["w.jpg", "x.jpg"])
    with pytest.raises(ModelError, match="not a number"):
        evaluate(np.array([[0.0, np.nan]]), np.array([0]), classes="ab", majority_class="a")


@pytest.mark.parametrize("k", [2, 5, 25, 26, 77])
def test_report_is_well_formed(k):
    text = report(recorded(example(k)))
    page = Page(text)
    assert page.open == []
    assert page.links == []  # nothing is fetched
    assert "http://" not in text
    assert "https://" not in text
    assert ('class="matrix"' in text) == (k <= 25)


def test_report_escapes_everything():
    scores = example(3, names=[EVIL, '"quoted" & <b>', "lone \udcff surrogate"])
    evil = Finding(EVIL, EVIL, EVIL)
    made = recorded(
        scores, data=EVIL, model=EVIL, method=EVIL, date=EVIL, notes=(EVIL,), findings=(evil,), seconds={EVIL: 1.0},
        facts={"class_weights": {EVIL: 1.0}, "cross_validation": [{EVIL: 1.0}]},
    )  # fmt: skip
    text = report(made)
    page = Page(text)
    text.encode("utf-8")
    assert page.open == []
    assert page.tags.count("script") == 1  # the page's own
    assert "b" not in page.tags
    assert EVIL not in text


def test_report_without_mistakes_or_findings():
    scores = evaluate(np.eye(30) * 9, np.arange(30), classes=[f"c{i:02d}" for i in range(30)], majority_class="c00")
    none = {"cross_validation": [], "class_weights": None}
    text = report(recorded(scores, findings=(), notes=(), seconds={}, facts=none, n_rejected=0))
    assert Page(text).open == []
    assert "There are none" in text
    assert "Nothing to report" in text


LICENCES = [("Apache-2.0", "apache-2.0"), ("My own: licence", "other"), ("", "unknown")]


@pytest.mark.parametrize(("licence", "expected"), LICENCES)
def test_card(licence, expected):
    text = carded(
        example(3, names=["a|b", EVIL, "back\\slash\nline"]), licence=licence, folder='my "x"', model="org/base"
    )
    _, front, body = text.split("---\n", 2)
    head = yaml.safe_load(front)
    assert head["license"] == expected
    assert head["base_model"] == "org/base"
    assert head["library_name"] == "headstart"
    assert head["pipeline_tag"] == "image-classification"
    assert "headstart" in head["tags"]
    assert r"| a\|b |" in body
    assert "<script" not in body
    assert "a/b.jpg" not in text  # the card is shared: no file names of the user's
    compile(body.split("```python\n")[1].split("```")[0], "snippet", "exec")
    rows = [
        line.replace(r"\|", "") for line in body.splitlines() if line.startswith("|") and "test examples" not in line
    ]
    assert {row.count("|") for row in rows} == {3, 6}


@pytest.mark.parametrize(("model", "base"), [("./my model", None), ("efficientnet_lite0", None), ("bert", None)])
def test_card_of_a_model_that_is_not_on_the_hub_names_no_base(model, base):
    """A packaged model's name is no repository; that of one the catalog knows is said in full."""
    text = carded(example(2), licence="mit", folder="x", model=model)
    assert yaml.safe_load(text.split("---\n")[1]).get("base_model") == base
    known = carded(example(2), licence="mit", folder="x", model="bert-base-uncased")
    assert "/" in yaml.safe_load(known.split("---\n")[1])["base_model"]


def test_the_hubs_own_reader_finds_the_results_with_their_intervals():
    """But none that is too high, which would stand beside honest ones."""
    scores = example(3)
    data = ModelCard(carded(scores, licence="mit", folder="flowers", model="org/base")).data
    assert data.model_name == "flowers"
    assert data.eval_results
    found = {(each.task_type, each.metric_type): each for each in data.eval_results}
    accuracy = found["image-classification", "accuracy"]
    assert accuracy.metric_value == scores.accuracy
    assert accuracy.metric_name.startswith("Accuracy, 95 % interval 0.")
    assert (accuracy.dataset_name, accuracy.dataset_split) == ("flowers", "test")
    assert {each.metric_type for each in data.eval_results} == set(data.metrics)
    leaked = (Caution("leak", "15 of 30 test examples are in the training part, too"),)
    assert "model-index" not in carded(scores, licence="mit", folder="x", cautions=leaked)


def test_the_card_says_what_the_model_cannot_do():
    """What it always answers, unbalanced classes, doubtful labels, and where the time went."""
    doubtful = tuple(Finding("doubtful-label", f"{i}.jpg", "looks like b") for i in range(7))
    facts = recorded(example(3)).facts | {"train_counts": {"class 00": 200, "class 01": 20, "class 02": 9}}
    seconds = {"encode": 20, "total": 24}
    text = carded(example(3), licence="Apache-2.0", folder="x", findings=doubtful, facts=facts, seconds=seconds)
    for said in (
        "It always answers with one of the 3 classes, also for images that belong to none.",
        "The classes are unbalanced (from 9 to 200 training examples)",
        "7 training labels look doubtful",
        "3 classes, 9 to 200 training examples each",
        "made in 24.0 seconds: encode 20.0",
        "The pre-trained weights are under Apache-2.0: free;",
        "| Balanced accuracy |",
        "| class 01 | 20 |",
    ):
        assert said in text
    assert "0.jpg" not in text
