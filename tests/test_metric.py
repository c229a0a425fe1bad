"""What is chosen by can be another metric: another penalty, other class weights, another verdict, and that is said."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.metrics import average_precision_score, f1_score

import headstart as hs
from fits import finished, fitting, killed
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.fine_tune import Tuned, finetune
from headstart.adapt.search import Choices, other_views
from headstart.adapt.trial import Runs, StopSignal
from headstart.choose.ranking import as_json
from headstart.evaluate.criterion import Criterion
from headstart.evaluate.paired_test import HeldOut, judged, verdict
from headstart.evaluate.pseudo_values import class_f1_values, macro_f1_values, micro_f1_values, precision_values
from headstart.report.page import report
from headstart.task import Metric
from headstart.tasks import table
from headstart.tasks.classification import CLASSIFICATION
from headstart.tasks.multilabel import MULTILABEL
from test_fit_questions import squad
from test_tune import word_order
from topics import TOPICS, mixed, numbers
from toy_task import Clock, Toy

MINI = {"model": "all-MiniLM-L6-v2", "how": "probe", "names": "none"}  # labels alone


def notes(seed: int, n: int = 120) -> tuple[list[str], list[str]]:
    """Of three topics one is common; a quarter of the labels says nothing."""
    rng, texts, labels = random.Random(seed), [], []
    for number in range(n):
        topic = rng.choices(list(TOPICS), [8, 2, 1])[0]
        texts.append(f"Note {number}: {rng.choice(TOPICS[topic])}.")
        labels.append(topic if rng.random() > 0.25 else rng.choice(list(TOPICS)))
    return texts, labels


def prices(n: int = 120) -> tuple[list[str], list[float]]:
    """One in ten is far off, which squares see and absolute errors hardly do."""
    rng, rows = random.Random(0), numbers(n)
    return [text for text, _ in rows], [value + (rng.random() < 0.1) * 40 for _, value in rows]


def labelled() -> tuple[list[str], list[list[str]]]:
    """One label in five says nothing."""
    rng, rows = random.Random(0), mixed(100)
    sets = [[name for name in TOPICS if (name in names) != (rng.random() < 0.2)] for _, names in rows]
    return [text for text, _ in rows], sets


def lowest(summary, figure="cost") -> float:
    """The penalty of the lowest figure, of equal ones the first, which is the strongest."""
    return min(summary["cross_validation"], key=lambda row: row[figure])["penalty"]


@pytest.mark.parametrize(
    ("data", "metric", "default"),
    [(lambda: notes(0), "macro_f1", "log_loss"), (prices, "mae", "rmse"), (labelled, "map", "log_loss")],
    ids=["classes", "numbers", "labels"],
)
def test_the_penalty_is_that_of_the_best_metric(data, metric, default):
    texts, targets = data()
    by_loss, by_metric = (hs.fit(texts, targets, metric=name, **MINI).summary for name in (default, metric))
    assert "metric" not in by_loss
    assert by_metric["metric"] == metric
    assert by_loss["penalty"] == lowest(by_loss, default)
    assert by_metric["penalty"] == lowest(by_metric)
    if metric != "map":
        assert by_metric["penalty"] != by_loss["penalty"]
    tried = [row["penalty"] for row in by_metric["cross_validation"]]
    assert tried[: len(by_loss["cross_validation"])] == [row["penalty"] for row in by_loss["cross_validation"]]
    assert tried[-1] <= 0.0001  # to the end, whatever rises on the way


def test_equal_penalties_give_the_strongest():
    """Where several make no mistake, say."""
    rows = mixed()
    model = hs.fit([text for text, _ in rows], [names for _, names in rows], metric="exact_match", **MINI)
    perfect = [row["penalty"] for row in model.summary["cross_validation"] if row["cost"] == 0]
    assert len(perfect) > 1
    assert model.summary["penalty"] == max(perfect)


def test_class_weights_are_taken_where_the_metric_is_better_with_them():
    texts, labels = notes(2)
    by_recall, by_accuracy = (hs.fit(texts, labels, metric=name, **MINI).summary for name in ("auto", "accuracy"))
    assert by_recall["penalty"] == by_accuracy["penalty"]
    assert by_recall["class_weights"]
    assert not by_accuracy["class_weights"]


def test_the_loss_by_its_name_is_the_default():
    texts, labels = notes(0, 60)
    plain, named = (hs.fit(texts, labels, **asked, **MINI) for asked in ({}, {"metric": "log_loss"}))
    timed = {"seconds": 0, "cached": 0}
    assert plain.summary | timed == named.summary | timed
    for array in ("weight", "bias"):
        assert getattr(plain.head, array).tobytes() == getattr(named.head, array).tobytes()


def test_page_card_terminal_and_folder_say_it(command, tmp_path):
    texts, labels = notes(0, 60)
    data = tmp_path / "notes.csv"
    data.write_text("text,label\n" + "".join(f"{a},{b}\n" for a, b in zip(texts, labels, strict=True)))
    arguments = ("--model", MINI["model"], "--how", "probe", "--metric", "macro_f1", "--out", "saved")
    code, out, err = command("fit", data, *arguments)
    assert code == 0, err
    assert "chosen by  macro F1" in out
    opened = hs.load(tmp_path / "saved")
    assert opened.record.metric == opened.summary["metric"] == "macro_f1"
    assert json.loads((tmp_path / "saved/metrics.json").read_text())["metric"] == "macro_f1"
    for page in ((tmp_path / "saved/report.html").read_text(), report(opened.record)):
        assert "<dt>Chosen by</dt><dd>Macro F1</dd>" in page
    assert "were chosen by macro F1" in (tmp_path / "saved/README.md").read_text()


@pytest.mark.parametrize("metric", ["ece", "f1"])
def test_what_nothing_can_be_chosen_by_is_refused(command, tmp_path, metric):
    """With the names of those that there are, before a model is opened."""
    (tmp_path / "notes.csv").write_text("text,label\na b,x\nc d,y\n")
    for name in ("fit", "rank"):
        option = "--model" if name == "fit" else "--models"
        code, out, err = command(name, tmp_path / "notes.csv", "--metric", metric, option, "there/is/none")
        assert (code, out) == (2, "")
        assert ("unknown metric 'f1'" if metric == "f1" else "nothing can be chosen by ece") in err
        assert "of classification, one of: log_loss, accuracy, balanced_accuracy, macro_f1" in err


def test_answers_are_chosen_by_their_loss(tmp_path, years):
    data = tmp_path / "questions.json"
    data.write_text(json.dumps(squad(documents=12, each=3, without=True)))
    with pytest.raises(hs.UserError, match="nothing can be chosen by f1\nof answering, one of: log_loss"):
        hs.fit(data, model=str(years), how="probe", metric="f1")


def test_an_estimator_chooses_by_it_too():
    texts, labels = notes(0)
    by_f1 = clone(hs.HeadstartClassifier(MINI["model"], metric="macro_f1")).fit(texts, labels)
    by_loss = hs.HeadstartClassifier(MINI["model"]).fit(texts, labels)
    assert by_f1.head_.penalty == min(by_f1.head_.cross_validation, key=lambda row: row["cost"])["penalty"]
    assert "cost" not in by_loss.head_.cross_validation[0]
    checked = hs.HeadstartClassifier(MINI["model"], metric="macro_f1").fit(texts, labels, np.arange(len(texts)) % 3 + 1)
    assert checked.head_.penalty == min(checked.head_.cross_validation, key=lambda row: row["cost"])["penalty"]
    assert checked.head_.cross_validation != by_f1.head_.cross_validation
    with pytest.raises(hs.UserError, match="metric: unknown metric 'mse'\nof regression, one of: rmse, r2, mae"):
        hs.HeadstartRegressor(MINI["model"], metric="mse").fit(texts, list(range(len(texts))))


def test_models_are_ranked_by_it(few_texts, command):
    data, model = few_texts
    code, out, err = command("rank", data, "--models", f"{MINI['model']},{model}", "--metric", "macro_f1")
    assert code == 0, err
    assert "macro f1" in out.splitlines()[0]
    assert "log loss" not in out
    ranking = hs.rank(data, models=[MINI["model"], str(model)], metric="macro_f1", budget="10m")
    told = as_json(ranking)
    figures = [row["macro_f1"] for row in told["rows"]]
    assert told["metric"] == "macro_f1"
    assert figures == sorted(figures, reverse=True)
    assert len(set(figures)) == 2
    for row in told["rows"]:
        assert row["behind"] == pytest.approx(figures[0] - row["macro_f1"], abs=2e-6)


def test_a_metric_from_outside_is_chosen_by(monkeypatch):
    """One that is in no file of the package, with the costs that its row names."""

    def squares(logits, y, weights):
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        return ((p / p.sum(axis=1, keepdims=True) - np.eye(p.shape[1])[y]) ** 2).sum(axis=1)

    brier = Metric(
        "brier", "Brier score", "0 is ideal", lambda p: float(squares(p.logits, p.y, None).mean()), better="lower"
    )
    mine = replace(
        CLASSIFICATION,
        scorer=replace(CLASSIFICATION.scorer, metrics=(*CLASSIFICATION.scorer.metrics, replace(brier, costs=squares))),
    )
    monkeypatch.setattr(table, "TASKS", (*table.TASKS[:-1], mine))
    model = hs.fit(*notes(0, 60), metric="brier", **MINI)
    assert model.summary["metric"] == "brier"
    assert model.summary["penalty"] == lowest(model.summary)
    monkeypatch.undo()
    page = report(replace(model.record, task=CLASSIFICATION))  # of a fit by a metric that is there no more
    assert "Cost" in page
    assert "Brier" not in page


# Pseudo-values


def by_weight(score, weights: np.ndarray) -> np.ndarray:
    """(n,) pseudo-values of a score of example weights, by trying: the sum of the weights times the change where one
    example weighs more."""
    step, whole, total = 1e-5, score(weights), weights.sum()
    each = [(score(weights + step * row) - score(weights - step * row)) / (2 * step) for row in np.eye(len(weights))]
    return whole + total * np.array(each)


def weighting(rng, n: int) -> list[np.ndarray | None]:
    return [None, rng.integers(1, 5, n) / 2]


@st.composite
def label_sets(draw):
    """True labels and scores, some of them equal; a label may be missing."""
    n, c = draw(st.integers(4, 14)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    there = rng.random((n, c)) < rng.random(c)
    return there, np.round(there + rng.normal(0, 1, (n, c)), draw(st.integers(0, 2)))


@settings(max_examples=40)
@given(st.integers(3, 20), st.integers(2, 5), st.integers(0, 10_000))
def test_pseudo_values_of_f1_are_its_change_by_weight(n, c, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, c, n)
    given_ = np.where(rng.random(n) < 0.6, y, rng.integers(0, c, n))

    def f1(weights):
        return f1_score(y, given_, average="macro", sample_weight=weights)

    for weights in weighting(rng, n):
        found, each = class_f1_values(y, given_, c, weights), np.ones(n) if weights is None else weights
        assert np.average(found, weights=each) == pytest.approx(f1(each))
        np.testing.assert_allclose(found, by_weight(f1, each), atol=1e-5)


@settings(max_examples=25)
@given(label_sets())
def test_pseudo_values_of_label_sets_are_their_change_by_weight(problem):
    there, scores = problem
    n, given_ = len(there), problem[1] > 0.5
    seen, any_there = (there | given_).any(axis=0), there.any(axis=0)
    if not seen.any() or not any_there.any():
        return

    def f1(average):
        return lambda w: f1_score(there[:, seen], given_[:, seen], average=average, sample_weight=w, zero_division=0)

    def precision(weights):
        columns = np.flatnonzero(any_there)
        return np.mean([average_precision_score(there[:, c], scores[:, c], sample_weight=weights) for c in columns])

    several = seen.sum() > 1
    for weights in weighting(np.random.default_rng(n), n):
        each = np.ones(n) if weights is None else weights
        pairs = [(macro_f1_values(there, given_, weights), f1("macro" if several else "binary"))]
        pairs.append((micro_f1_values(there, given_, weights), f1("micro" if several else "binary")))
        pairs.append((precision_values(there, scores, weights), precision))
        for found, score in pairs:
            assert np.average(found, weights=each) == pytest.approx(score(each))
            np.testing.assert_allclose(found, by_weight(score, each), atol=1e-4)


def test_pseudo_values_are_nearly_those_of_leaving_one_out():
    """Tukey's own, where each class has many examples; and so is the standard error."""
    rng, n = np.random.default_rng(0), 400
    y = rng.integers(0, 3, n)
    given_ = np.where(rng.random(n) < 0.7, y, rng.integers(0, 3, n))
    whole, rest = f1_score(y, given_, average="macro"), [np.delete(np.arange(n), i) for i in range(n)]
    left_out = np.array([n * whole - (n - 1) * f1_score(y[some], given_[some], average="macro") for some in rest])
    found = class_f1_values(y, given_, 3)
    np.testing.assert_allclose(found, left_out, atol=0.03)
    assert found.std() == pytest.approx(left_out.std(), rel=0.02)


def test_costs_are_what_the_metric_lacks():
    """Also where nothing is to be found and nothing is given, and where all is."""
    logits = np.array([[4.0, -4, -4], [-4, 4, -4], [-4, -4, -4], [4, 4, -4]])
    y = (logits > 0).astype(np.float32)
    for metric in MULTILABEL.scorer.metrics:
        np.testing.assert_allclose(metric.costs(logits, y, None), 0, atol=1e-12)
        assert metric.costs(-logits, y, None).mean() > 0.1
        assert np.isfinite(metric.costs(logits, np.zeros_like(y), None)).all()


# The verdict, and fine-tuning


def sides(changed_to_right: int, changed_to_wrong: int, n: int = 60) -> list[HeldOut]:
    """Before and after, where so many answers changed; the log loss is the same."""
    before, after = np.zeros(n), np.zeros(n)
    before[:changed_to_right] = 1
    after[changed_to_right : changed_to_right + changed_to_wrong] = 1
    return [HeldOut(np.ones(n), wrong == 0, other=wrong) for wrong in (before, after)]


@pytest.mark.parametrize(
    ("changes", "better"), [((0, 0), False), ((4, 0), False), ((5, 0), True), ((7, 2), False), ((9, 2), True)]
)
def test_few_changes_prove_nothing(changes, better):
    """As McNemar's exact test says at one in twenty: 4 to 0 is chance in one case of sixteen, 5 to 0 in one of 32."""
    found = verdict(*sides(*changes))
    assert found.tuned_is_better == better
    assert (found.untuned_cost, found.tuned_cost) == pytest.approx([side / 60 for side in changes])


@pytest.mark.parametrize("n", [30, 300])
def test_of_models_that_are_no_more_accurate_at_most_one_in_twenty_passes(n):
    rng, passed = np.random.default_rng(0), {"accuracy": 0, "macro_f1": 0}
    criteria = {metric.key: Criterion(costs=metric.costs) for metric in CLASSIFICATION.scorer.metrics}
    for _ in range(1000):
        y = (rng.random(n) < 0.2).astype(np.int64)
        shared = rng.normal(0, 1, n) + 2 * y - 1.2
        logits = [np.stack([0 * y, shared + rng.normal(0, 0.5, n)], axis=1) for _ in range(2)]
        for key in passed:
            passed[key] += verdict(*(judged(side, y, criteria[key]) for side in logits)).tuned_is_better
    assert max(passed.values()) < 60


def tuned(home, costs, *, insist=True) -> Tuned:
    """A toy task whose runs are judged by these costs."""

    class Judged(Toy):
        def judged(self, kept, rows):
            return judged(kept, self.y[rows], Criterion(costs=costs))

    toy = Judged(400, Clock())
    runs = Runs(toy, Checkpoint(home), StopSignal(left=lambda: 1e9), clock=toy.clock)
    choices = Choices((1,), 1e-3, (other_views,), (0.5, 1.0))
    return finetune(runs, choices, folds=np.arange(400) % 4, insist=insist)


def modest(logits, y, weights):
    """How sure it is of its answer, whatever is right: the less, the better."""
    return np.abs(logits[:, 1] - logits[:, 0])


def test_trials_how_far_and_the_verdict_go_by_it(tmp_path):
    by_loss = tuned(tmp_path / "loss", None)
    assert by_loss.verdict.tuned_is_better
    assert by_loss.verdict.tuned_cost is None
    by_accuracy = tuned(tmp_path / "accuracy", CLASSIFICATION.choosing_by("accuracy").costs)
    assert not by_accuracy.verdict.tuned_is_better  # few answers change
    assert by_accuracy.verdict.tuned_cost == pytest.approx(1 - by_accuracy.verdict.tuned_accuracy)
    by_modesty = tuned(tmp_path / "modesty", modest)
    costs = [trial.row()["cost"] for trial in by_modesty.trials]
    assert by_modesty.recipe.rate == by_modesty.trials[int(np.argmin(costs))].recipe.rate > by_loss.recipe.rate
    assert tuned(tmp_path / "unasked", modest, insist=False).network is None


def test_what_is_equally_good_stays_near_the_probe(tmp_path):
    alike = tuned(tmp_path, lambda logits, y, weights: np.ones(len(y)), insist=False)
    assert alike.network is None
    assert alike.verdict.cost_errors == 0
    assert alike.share == 0.5
    assert alike.recipe.rate == 1e-3  # where the search began


@pytest.mark.check
def test_a_tuned_model_says_it_and_takes_up_no_run_that_chose_by_another(tmp_path, own_cache):
    data, model = word_order(tmp_path)
    killed(fitting(data, model, tmp_path / "killed", how="auto", halts="wrote scheme.json"))
    (run,) = (path for path in own_cache.glob("runs/*") if path.is_dir())
    told = finished(fitting(data, model, tmp_path / "out", "--metric", "macro_f1", how="auto", seconds_lost=15))
    assert [path for path in own_cache.glob("runs/*") if path.is_dir()] == [run]  # its own is gone with success
    assert told["how"] == "tune"
    assert told["why_how"].startswith("tuned, better: on 240 held-out training examples macro F1 0.")
    found = told["tuning"]["verdict"]
    assert found["tuned_is_better"]
    assert found["cost_errors"] > found["noise"]
    assert all("cost" in trial for trial in told["tuning"]["trials"])
    assert "by macro F1 the tuned model is better by" in (tmp_path / "out/report.html").read_text()
