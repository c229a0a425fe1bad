"""What a head start is worth: the same data learned in several ways, from more and more labels."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import headstart as hs
from fits import finished, killed, started
from headstart.comparison import run
from headstart.comparison.comparison import Row
from headstart.comparison.equivalent import BELOW, equivalent, reached
from headstart.comparison.levelling import Levelling
from headstart.comparison.policy import COMPARING
from headstart.comparison.subsets import orders, points
from headstart.comparison.words import sentence
from headstart.comparison.write import write
from headstart.pipeline import prepare
from headstart.session import open_session
from headstart.values import Request
from own_clock import Looks
from small_models import small_image_model, small_text_model
from test_every_task import LABELLED

N_TEST = 400
SMALL = replace(
    COMPARING,
    shares=(0.1, 0.5, 1.0),
    fewest_steps=20,
    warm_up=5,
    round_steps=4,
    by_heart=0.5,
    held_out=5,
    writing=(0.01, 0.0),
    shortest=0.01,
)


def compared(data, labels=None, *, model, columns=None, out=None, seconds=20, policy=SMALL):
    """As `hs.compare` with one seed: by fewer points, training that ends sooner, and a clock of its own."""
    request = Request(data, labels, columns=columns, model=str(model), method="tune", out=out, allow_rejected=True)
    with open_session(request, seconds=seconds, now=Looks()) as session:
        dataset, parts = prepare(request, session)
        return write(run.compare(dataset, parts, request, session, seeds=1, policy=policy), session.place)


@pytest.fixture
def pieces(textile):
    """So many pieces of textile photos a class, 48 pixels a side, with their classes."""

    def of(n):
        names = ("global", "nominal")
        photos = [(photo, name) for name in names for photo in sorted((textile / name).glob("*.jpg"))[:n]]
        cut = [np.asarray(Image.open(photo).convert("RGB").resize((96, 96)))[:48, :48] for photo, _ in photos]
        return cut, [name for _, name in photos]

    return of


def model(way, n, error, *, seed=0, level=True):
    """A row with this share of errors."""
    rng = np.random.default_rng([n, len(way), seed])
    costs = np.argsort(rng.permutation(N_TEST)) < round(error * N_TEST)
    return Row(way, n, seed, 1 - error, 1.0, tuple(costs.astype(float).tolist()), 10.0, 0.1, level, None)


def curve(way, errors, **more):
    return [model(way, n, error, **more) for n, error in errors.items()]


SCRATCH = {10: 0.8, 20: 0.7, 40: 0.6, 80: 0.5, 160: 0.4}


def test_labels_are_worth_what_the_curve_says():
    """The pre-trained model has 0.5 of errors with ten labels, and the other one with eighty."""
    found, note = equivalent(curve("probe", {10: 0.5, 20: 0.3}), curve("scratch", SCRATCH))
    assert note.startswith("one seed of the model from scratch levelled off with 10, 20, 40, 80, 160 labels: the inter")
    assert found.to_json() == {
        "probe_labels": 10,
        "scratch_labels": 80,
        "low": found.to_json()["low"],
        "high": found.to_json()["high"],
        "extrapolated": False,
        "times": 8.0,
    }
    assert 40 < found.low < 80 < found.high < 160


def test_of_the_points_within_reach_the_last_is_taken():
    found, _ = equivalent(curve("probe", {5: 0.65, 10: 0.55, 20: 0.45, 40: 0.2}), curve("scratch", SCRATCH))
    assert found.probe_labels == 20
    assert found.scratch_labels == pytest.approx(80 * 2**0.5)


def test_beyond_what_was_measured_is_said_to_be():
    falling = {n: n**-0.5 for n in (4, 16, 64)}
    found, _ = equivalent(curve("probe", {4: 1 / 16}), curve("scratch", falling))
    assert found.extrapolated
    assert found.scratch_labels == pytest.approx(256, rel=0.1)
    assert found.times == pytest.approx(64, rel=0.1)


@pytest.mark.parametrize(
    ("probe", "scratch", "why"),
    [
        ({10: 0.5}, [], "no run did"),
        ({10: 0.5}, curve("scratch", SCRATCH, level=False), "none of 5 points did"),
        ({10: 0.5}, curve("scratch", {80: 0.5}), "1 of 1 points did"),
        ({10: 0.9, 160: 0.45}, curve("scratch", SCRATCH), "nowhere better"),
        ({10: 0.0}, curve("scratch", SCRATCH), "levelled off with 10, 20, 40, 80, 160 labels"),
        ({10: 0.5}, curve("scratch", dict.fromkeys(SCRATCH, 0.8)), "not even 100 times"),
        (
            {5: 0.49, 10: 0.48, 24: 0.47, 48: 0.46},
            curve("scratch", {48: 0.2, 480: 0.05}),
            "already better with the few",
        ),
        ({5: 0.5, 10: 0.45}, curve("scratch", {240: 0.3, 480: 0.25}), "levelled off (240), so how few would do is not"),
        ({48: 0.46, 96: 0.4}, curve("scratch", {48: 0.2, 480: 0.05}), "nowhere better"),
    ],
)
def test_nothing_is_said_where_nothing_is_known(probe, scratch, why):
    found, said = equivalent(curve("probe", probe), scratch)
    assert found is None
    assert why in said


def test_what_was_passed_at_the_first_point_is_no_candidate():
    """From scratch the first five labels of the pre-trained model are worth less than 240, nobody knows how few."""
    found, _ = equivalent(curve("probe", {5: 0.5, 10: 0.28}), curve("scratch", {240: 0.3, 480: 0.25}))
    assert found.probe_labels == 10
    assert 240 < found.scratch_labels < 480


def test_the_first_point_is_known_where_it_is_just_as_good():
    found, _ = equivalent(
        [replace(model("scratch", 80, 0.5), way="probe", labels=10)], curve("scratch", {80: 0.5, 160: 0.4})
    )
    assert (found.scratch_labels, found.low) == (80, 80)


def test_with_further_seeds_the_interval_holds_the_chance_of_training():
    """Without it, the interval rests on the test examples alone, and a note says so for each point with one seed."""
    probe = curve("probe", {10: 0.5})
    steady = [*curve("scratch", SCRATCH), *curve("scratch", SCRATCH, seed=1)]
    varying = [*curve("scratch", {n: e - 0.08 for n, e in SCRATCH.items()}), *curve("scratch", SCRATCH, seed=1)]
    (narrow, note), (wide, _) = (equivalent(probe, rows) for rows in (steady, varying))
    assert note == ""
    assert wide.high / wide.low > 1.2 * narrow.high / narrow.low
    _, note = equivalent(probe, steady[:-1])
    assert note.startswith("one seed of the model from scratch levelled off with 160 labels: ")


def test_an_interval_that_reaches_below_the_first_point_is_open():
    """As good with 84 labels, and in many draws already with the 80 that it was trained with at least."""
    found, _ = equivalent(curve("probe", {10: 0.495}), curve("scratch", {80: 0.5, 160: 0.4}))
    assert 80 < found.scratch_labels < 90 < found.high
    assert found.low is None
    assert found.to_json()["low"] is None


def test_a_point_that_came_out_worse_is_drawn_as_it_is_estimated():
    """Ten labels with 0.6 of errors and twenty with 0.66 are one point of 0.63, in the estimate and in each draw."""
    found, _ = equivalent(curve("probe", {10: 0.6, 20: 0.66}), curve("scratch", SCRATCH))
    assert found.probe_labels == 20
    assert found.scratch_labels == pytest.approx(20 * 2**0.7)
    assert (found.low * found.high) ** 0.5 == pytest.approx(found.scratch_labels, rel=0.1)


def measured(way, labels, figure, **more):
    return {"way": way, "labels": labels, "mae": figure, "accuracy": figure, "seconds": 1.0, **more}


@pytest.mark.parametrize(
    ("metric", "better", "rows", "said"),
    [
        (
            "accuracy",
            "higher",
            [("probe", 5, 0.5), ("probe", 10, 0.7), ("tf-idf", 80, 0.6), ("scratch", 40, 0.9), ("scratch", 80, 0.65)],
            "with 10 labels the pre-trained bert is as good (accuracy 0.700) as the best that was made without it, "
            "from scratch with 80 labels (0.650, which the budget cut short while it was still learning)",
        ),
        (
            "mae",
            "lower",
            [("probe", 5, 0.5), ("probe", 10, 0.3), ("tf-idf", 80, 0.4), ("scratch", 80, 0.6)],
            "with 10 labels the pre-trained bert is as good (mae 0.300) as the best that was made without it, "
            "words with 80 labels (0.400)",
        ),
        (
            "accuracy",
            "higher",
            [("probe", 80, 0.7), ("tf-idf", 80, 0.6)],
            "accuracy: frozen 0.700 with 80 labels, words",
        ),
        ("accuracy", "higher", [], "there was no time for any model"),
    ],
)
def test_without_a_number_of_labels_the_sentence_says_how_far_a_few_go(metric, better, rows, said):
    ways = {"probe": "frozen", "scratch": "from scratch", "tf-idf": "words"}
    rows = [measured(*row, **({"levelled_off": False} if row[0] == "scratch" else {})) for row in rows]
    result = {"equivalent_labels": None, "model": "bert", "n_classes": 2, "ways": ways, "rows": rows}
    assert sentence(result | {"metric": metric, "better": better}).startswith(said)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (40, 160, "40 to 160)"),
        (None, 60, "fewer than 20 to 60)"),
        (30, None, "30 to no end to be seen; its end is ext"),
    ],
)
def test_the_sentence_has_the_interval_with_its_open_ends(low, high, said):
    rows = [measured("scratch", n, 0.5, levelled_off=n > 10) for n in (10, 20, 160)]
    worth = {"probe_labels": 10, "scratch_labels": 80, "times": 8.0, "low": low, "high": high, "extrapolated": False}
    result = {"equivalent_labels": worth, "model": "bert", "n_classes": 2, "rows": rows}
    assert "with 5 labels a class (10 in all) the pre-trained bert is where training from scratch" in sentence(result)
    assert f"needs 80: 8.0 times the labels (95 % interval {said}" in sentence(result)


def test_an_open_interval_has_no_end():
    """With so few test examples a draw now and then has no error of the pre-trained model."""
    few = [replace(row, costs=row.costs[:60]) for row in curve("scratch", SCRATCH)]
    found, _ = equivalent([replace(model("probe", 10, 0.0), costs=(1.0,) + (0.0,) * 59)], few)
    assert found is None or found.to_json()["high"] is None


@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6), st.floats(0.001, 1.0), st.floats(0.001, 1.0))
def test_a_lower_cost_needs_no_fewer_labels(costs, one, other):
    costs = np.minimum.accumulate(costs).tolist()
    sizes = [10 * 2**i for i in range(len(costs))]
    low, high = sorted([one, other])
    fewer, more = reached(sizes, costs, high), reached(sizes, costs, low)
    assert more >= fewer
    assert fewer >= sizes[0] or (fewer == BELOW and costs[0] < high)


def followed(losses, *, n=320):
    """The steps after which a loss of that shape is said to have levelled off; None: it is not."""
    run = Levelling(n, 32, constant=1.0)
    for done, loss in enumerate(losses, start=1):
        run.add(loss)
        if run.levelled:
            return done
    return None


def test_a_loss_that_no_longer_falls_has_levelled_off():
    steps = np.arange(4000)
    assert followed(0.3 + 0.7 * np.exp(-steps / 100)) < 1500
    assert followed(np.exp(-steps / 100)) < 500  # nothing is left to be learned
    assert followed(1 - steps / 4200) is None  # it falls and falls
    assert followed(np.full(4000, 1.0)) is None  # it has not begun to
    assert followed(np.full(30, 0.01)) is None  # too early to say


@given(n=st.integers(2, 500), steps=st.integers(1, 300))
def test_the_rate_rises_stays_and_falls_to_nothing(n, steps):
    run = Levelling(n, 32, constant=1.0)
    before = [run.rate(done) for done in range(steps)]
    end = run.fall(steps)
    after = [run.rate(done) for done in range(steps, end)]
    assert before == sorted(before)
    assert after == sorted(after, reverse=True) or steps < COMPARING.warm_up
    assert all(0 < rate <= 1 for rate in [*before, *after])
    assert run.rate(end) == 0


def test_points_are_nested_and_have_each_class(questions):
    texts, labels = zip(*questions, strict=True)
    checked = hs.check(list(texts), list(labels))
    by_seed = orders(checked.dataset, checked.parts.train, range(3))
    kept, left_out = points(checked.dataset, by_seed, COMPARING)
    assert left_out == [1, 2]
    assert kept[-1] == len(checked.parts.train)
    for order in by_seed.values():
        assert sorted(order) == checked.parts.train.tolist()
        for n in kept:
            counts = checked.dataset.counts(order[:n])
            assert counts.min() > 0
            assert counts.max() - counts.min() <= 2
    assert not np.array_equal(by_seed[0], by_seed[1])


@pytest.fixture
def task(request, pieces, tmp_path):
    """What `hs.fit` and `compared` are given for a task."""
    if request.param == "photos":
        photos, labels = pieces(12)
        small_image_model("test_efficientnet", tmp_path / "tiny")
        return (photos, labels), {"model": tmp_path / "tiny"}
    case = next(case for case in LABELLED if case.name == request.param)
    small_text_model("bert", tmp_path / "tiny")
    return (case.write(tmp_path, without_target=4),), {"model": tmp_path / "tiny", "columns": case.columns}


@pytest.mark.parametrize(
    ("task", "metric"),
    [("photos", "accuracy"), ("multilabel", "macro_f1"), ("regression", "mae"), ("pair", "accuracy")],
    indirect=["task"],
)
def test_every_task_is_compared(task, metric, tmp_path):
    """The figure is what a fit says, and the mean of the costs that the interval is drawn from."""
    data, options = task
    found = compared(*data, **options, policy=replace(SMALL, shares=(0.5, 1.0)), seconds=8, out=tmp_path / "out")
    fitted = hs.fit(*data, **options, how="probe", out=tmp_path / "fitted")
    assert (found.metric.key, len(found.labels)) == (metric, 2)
    assert {row.way for row in found.rows} > {"probe", "scratch"}
    (whole,) = found.of("probe", found.labels[-1])
    assert whole.figure == pytest.approx(fitted.scores.values[metric], abs=1e-5)
    for row in found.rows:
        assert row.figure == pytest.approx(found.metric.figure(float(np.mean(row.costs))), abs=1e-5)
        assert len(row.costs) == found.n_test == fitted.scores.n
    assert {metric, "epochs"} <= set(found.to_json()["rows"][-1])
    assert metric.replace("_", " ") in repr(found)
    assert found.n_rejected == fitted.summary["n_rejected"] == (0 if found.title.startswith("image") else 1)
    for text in (repr(found), (tmp_path / "out" / "report.html").read_text()):
        assert ("left out" in text and "1 x missing-label" in text) == bool(found.n_rejected)
    assert [finding["kind"] for finding in found.to_json()["findings"] if finding["rejected"]] == (
        ["missing-label"] * found.n_rejected
    )


@pytest.mark.check
@pytest.mark.parametrize(("task", "held_out"), [("multilabel", True), ("pair", False)], indirect=["task"])
def test_thresholds_are_found_on_examples_that_are_held_out(task, held_out):
    """From scratch, where the metric goes by any; else nothing is taken from what is learned."""
    data, options = task
    policies = (replace(SMALL, shares=(1.0,), held_out=few) for few in (5, 1000))
    found = [compared(*data, **options, policy=policy, seconds=8) for policy in policies]
    (one,), (other,) = (each.of("scratch", each.labels[0]) for each in found)
    assert (one.costs != other.costs) == held_out


def test_photos_are_compared(pieces, tmp_path):
    """A pre-trained model of random weights: what is made, written and made once is looked at, not who wins."""
    photos, labels = pieces(12)
    small_image_model("test_efficientnet", tmp_path / "tiny")
    options = {"model": tmp_path / "tiny"}
    found = compared(photos, labels, out=tmp_path / "out", **options)
    told = found.to_json()
    assert json.loads((tmp_path / "out" / "comparison.json").read_text()) == told
    assert (told["n_rejected"], told["findings"]) == (0, [])
    made = {(row["way"], row["labels"]) for row in told["rows"]}
    all_labels = {way: sorted(n for other, n in made if other == way) for way in told["ways"]}
    assert all_labels["probe"] == all_labels["colour-histogram"] == all_labels["scratch"] == [2, 10, 20]
    for row in told["rows"]:
        assert 0 <= row["accuracy"] <= 1
        assert row["seconds"] > 0
        assert row["per_class"] == row["labels"] / 2
        assert row.get("levelled_off", True) in (True, None)
    assert {row["labels"] for row in told["rows"] if row["way"] == "scratch" and row["epochs"] > 5} == {2, 10, 20}
    for name in ("labels", "seconds"):
        assert ElementTree.parse(tmp_path / "out" / f"{name}.svg").getroot().tag.endswith("svg")
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert picture.width == 800
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<svg") == 2
    assert "same network from scratch" in page
    with pytest.raises(hs.UserError, match="already there"):
        compared(photos, labels, out=tmp_path / "out", **options)
    again = compared(photos, labels, **options)
    assert again.to_json()["rows"] == told["rows"]  # nothing is made twice
    assert again.seconds["compare"] < found.seconds["compare"] / 10
    assert again.folder is None
    assert "same network from scratch" in repr(again)


@pytest.mark.check
def test_the_pre_trained_model_is_tuned_too(pieces, tmp_path):
    photos, labels = pieces(20)
    small_image_model("test_efficientnet", tmp_path / "tiny")
    found = compared(photos, labels, model=tmp_path / "tiny")
    (row,) = found.of("tuned", 32)
    assert row.epochs > 1
    assert row.seconds > found.of("probe", 32)[0].seconds
    assert [way.partition(",")[0] for way in found.ways.values()][:2] == ["pre-trained", "pre-trained"]


@pytest.mark.check
def test_a_killed_comparison_goes_on(few_texts, tmp_path, own_cache):
    """Texts, from the command line: the second start makes only what the first had not made."""
    table, bert = few_texts
    asked = ["compare", table, "--model", bert, "--seeds", 1, "--budget", "10m", "--json"]
    killed(started(*asked, "--out", tmp_path / "first", halts="wrote scratch-*", folder=tmp_path))
    assert not (tmp_path / "first").exists()
    written = sorted(path.name for path in own_cache.glob("runs/*/scratch-*.json"))
    assert len(written) == 1
    told = finished(started(*asked, "--out", tmp_path / "out", folder=tmp_path))
    n = int(re.search(r"scratch-(\d+)-", written[0])[1])
    kept = json.loads(next(own_cache.glob(f"runs/*/{written[0]}")).read_text())
    (row,) = [row for row in told["rows"] if (row["way"], row["labels"]) == ("scratch", n)]
    assert row["seconds"] == round(kept["seconds"], 3)
    assert {row["way"] for row in told["rows"]} == {"probe", "tf-idf", "scratch"}
    assert {row["labels"] for row in told["rows"]} == {4, 9, 18}
    assert all(row["levelled_off"] for row in told["rows"] if row["way"] == "scratch")
    assert (tmp_path / "out" / "report.html").exists()


def test_questions_are_not_compared():
    rows = {"question": ["Where?", "When?"], "context": ["In Rome.", "In May."], "answer": ["Rome", "May"]}
    with pytest.raises(hs.UserError, match="is not compared"):
        hs.compare(pd.DataFrame(rows), test=0.5)
