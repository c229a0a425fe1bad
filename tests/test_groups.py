"""Groups that the user names (patients, products, authors): never on two sides, and what that does to a score."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

import headstart as hs
from headstart.adapt.again import out_of_fold
from headstart.adapt.auxiliary import NOTHING
from headstart.adapt.basis import fit_basis
from headstart.adapt.cross_validation import fit_probe, probe_folds
from headstart.backbone import Features
from headstart.data.split import folds
from headstart.errors import DataError
from headstart.evaluate.intervals import share_interval, t_quantile, wilson
from headstart.evaluate.paired_test import HeldOut, verdict
from headstart.values import Columns
from test_names import points
from topics import MINI, PROBE, TOPICS

NAMES = list(TOPICS)
BY_PATIENT = Columns(group="patient")


def notes(groups, each):
    """(text, label, patient) rows; every patient has notes of every class."""
    return [
        (f"note {g}-{i}: {TOPICS[label][(g * 7 + i) % 6]} and more", label, f"P{g}")
        for g in range(groups)
        for i in range(each)
        for label in [NAMES[(g + i) % 3]]
    ]


def table(path, rows, header=("text", "label", "patient")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def patients(rows):
    return {f"P{row // 5}" for row in rows.tolist()}


@pytest.fixture(scope="module")
def by_patient(tmp_path_factory):
    """A table of 60 patients."""
    return table(tmp_path_factory.mktemp("groups") / "notes.csv", notes(60, 5))


def test_no_group_is_on_both_sides(by_patient):
    for seed in range(5):
        found = hs.check(by_patient, columns=BY_PATIENT, seed=seed)
        assert not patients(found.parts.train) & patients(found.parts.test)
        assert not found.parts.out_of_fold
    plain = hs.check(by_patient)
    assert patients(plain.parts.train) & patients(plain.parts.test)


def test_no_group_is_in_two_folds(by_patient):
    dataset = hs.check(by_patient, columns=BY_PATIENT).dataset
    fold = folds(dataset.strata, dataset.checked_groups, dataset.checked_digests)
    of = defaultdict(set)
    for name, number in zip(dataset.named_groups, fold.tolist(), strict=True):
        of[name].add(number)
    assert all(len(numbers) == 1 for numbers in of.values())
    assert len(set(fold.tolist())) == 5


def test_groups_join_what_is_nearly_the_same(tmp_path):
    rows = notes(40, 5)
    rows[7] = (rows[0][0], rows[0][1], rows[7][2])  # P1 has a text of P0
    dataset = hs.check(table(tmp_path / "t.csv", rows), columns=BY_PATIENT).dataset
    assert len({int(dataset.checked_groups[row]) for row in range(10)}) == 1


def test_groups_beside_inputs_are_the_same_as_in_a_table(by_patient):
    rows = notes(60, 5)
    texts, labels, whose = zip(*rows, strict=True)
    found = hs.check(list(texts), list(labels), groups=np.array(whose))
    assert found.parts.test.tolist() == hs.check(by_patient, columns=BY_PATIENT).parts.test.tolist()
    with pytest.raises(DataError, match="300 inputs and 2 groups"):
        hs.check(list(texts), list(labels), groups=["a", "b"])
    with pytest.raises(DataError, match="Columns\\(group"):
        hs.check(by_patient, groups=list(whose))


def test_numbers_and_gaps_are_groups_too(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(notes(40, 5), columns=["text", "label", "patient"])
    frame["patient"] = [None if i < 3 else i // 5 for i in range(200)]  # floats, by pandas' way
    found = hs.check(frame, columns=BY_PATIENT)
    assert "3 examples name no group: each is one by itself" in found.notes
    assert len(set(found.dataset.checked_groups.tolist())) == 40 + 3


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--group", "patiens"), "no column 'patiens'\ndid you mean 'patient'?"),
        (("--group", "label", "--label", "label"), "'label' is the label"),
    ],
)
def test_a_column_that_is_no_group_is_refused(by_patient, command, asked, said):
    code, _, err = command("check", by_patient, *asked)
    assert code == 2
    assert said in err


def test_a_folder_has_no_column_of_groups(photos, command):
    code, _, err = command("check", photos, "--group", "patient")
    assert code == 2
    assert "--group: a folder of class folders has no columns" in err


def test_official_parts_that_share_a_group_are_told(tmp_path):
    train, test = table(tmp_path / "train.csv", notes(38, 5)), table(tmp_path / "test.csv", notes(45, 5)[175:])
    found = hs.check(train, test=test, columns=BY_PATIENT)
    (shared,) = [c for c in found.cautions if c.kind == "shared-groups"]
    assert "15 of 50 test examples are of a group that is in the training part, too (3 groups: 'P35'" in shared.text
    assert len([f for f in found.parts.findings if f.kind == "leak"]) == 15  # the same rows, which is another thing


@pytest.mark.parametrize(
    "other", [str.lower, lambda name: f" {name}  ", lambda name: f"{name}\u200b", lambda name: f"{int(name[1:]):03d}.0"]
)
def test_a_group_that_is_written_in_two_ways_is_one(other, tmp_path):
    rows = [(text, label, other(group) if n % 2 else group) for n, (text, label, group) in enumerate(notes(30, 4))]
    if other("P7") == "007.0":
        rows = [(text, label, group.removeprefix("P")) for text, label, group in rows]
    found = hs.check(table(tmp_path / "notes.csv", rows), columns=BY_PATIENT)
    assert len(np.unique(found.dataset.checked_groups)) == 30
    assert other("P1").strip() == "P1" or any("written in several ways are one each" in said for said in found.notes)


def test_evaluating_on_groups_that_it_learned_from_is_told(by_patient, tmp_path):
    """Other notes of the same patients; of others, nothing is said."""
    model = hs.fit(by_patient, columns=BY_PATIENT, out=tmp_path / "model", **MINI)
    for again in (model, hs.load(tmp_path / "model")):
        known = table(tmp_path / "known.csv", [(f"later, {t}", y, f" {g.lower()}") for t, y, g in notes(40, 5)[:20]])
        (caution,) = [c for c in again.evaluate(known).cautions if c.kind == "shared-groups"]
        assert re.match(r"\d+ of 20 examples are of a group that the model learned from", caution.text)
        new = table(tmp_path / "new.csv", [(f"later, {t}", y, f"Q{g}") for t, y, g in notes(40, 5)[:20]])
        assert "shared-groups" not in [c.kind for c in again.evaluate(new).cautions]


def test_classes_of_one_group_each_are_refused(tmp_path):
    rows = [(f"note {n}", ["ill", "well"][n % 2], f"P{n % 2}") for n in range(40)]
    with pytest.raises(DataError, match="each class is of one group, and none can be tested on another"):
        hs.check(table(tmp_path / "two.csv", rows), columns=BY_PATIENT)
    rows[1] = (*rows[1][:2], "P3")  # now there is one that can
    found = hs.check(table(tmp_path / "three.csv", rows), columns=BY_PATIENT)
    assert found.parts.out_of_fold
    (alone,) = [caution for caution in found.cautions if caution.kind == "one-group"]
    assert "classes of one group each, so nothing could be tested on another: 'ill'" in alone.text


def test_few_groups_are_scored_fold_by_fold(tmp_path, command):
    data, out = table(tmp_path / "few.csv", notes(8, 9)), tmp_path / "model"
    code, printed, err = command("fit", data, *PROBE, "--group", "patient", "--out", out, "--json")
    assert code == 0, err
    told = json.loads(printed)
    assert (told["split"], told["n_test"], told["n_train"]) == ("out-of-fold", 72, 72)
    assert sum(each["count"] for each in told["per_class"]) == 72
    assert "2 of 8 groups could be held out, since groups are not split" in err
    assert "and, fold by fold, to test on" in err
    for file in ("report.html", "README.md"):
        assert "each by a head that was made without its fold" in (out / file).read_text()
    model = hs.load(out)
    assert model.record.out_of_fold
    assert model.columns.group == "patient"
    assert {row["part"] for row in csv.DictReader((out / "split.csv").open())} == {"both"}
    _, _, err = command("evaluate", out, data)
    assert "the model learned from 72 of these 72 examples" in err


def test_out_of_fold_is_what_a_model_of_other_patients_would_say():
    """Each patient writes in a way of his own, by which he is known: what was learned of others says nothing of him."""
    rng = np.random.default_rng(0)
    whose = np.repeat(np.arange(10), 10)
    texts = [f"{FOODS[g]} again, day {i}" for i, g in enumerate(whose.tolist())]
    labels = np.array(["ill", "well"])[rng.permutation(np.arange(10) % 2)[whose]]
    inside = hs.fit(texts, labels, **MINI)
    across = hs.fit(texts, labels, groups=whose, **MINI)
    assert inside.scores.accuracy == 1
    assert across.record.out_of_fold
    assert across.scores.accuracy < 0.8
    low, high = across.scores.accuracy_interval.low, across.scores.accuracy_interval.high
    assert high - low > 0.4  # ten patients, not a hundred


def test_where_nothing_can_be_learned_a_score_by_folds_says_so():
    """Penalty and temperature are found without what they are scored on, or labels by lot would seem to be known."""
    rng = np.random.default_rng(1)
    texts = [f"{a} and {b}, day {day}" for day, (a, b) in enumerate(rng.choice(FOODS, (60, 2)).tolist())]
    model = hs.fit(texts, rng.permutation(["ill", "well"] * 30).tolist(), groups=np.arange(60) % 6, **MINI)
    assert model.record.out_of_fold
    assert model.scores.log_loss > np.log(2)


FOODS = ("soup", "jazz", "marathon", "snow", "engines", "cats", "taxes", "surgery", "beaches", "chess")


def test_numbers_of_few_groups_are_scored_fold_by_fold(tmp_path):
    rows = [(f"{n} apples and {n} pears", float(n), f"P{n % 6}") for n in range(30)]
    data = table(tmp_path / "n.csv", rows, ("text", "amount", "patient"))
    asked = Columns(text="text", label="amount", group="patient")
    model = hs.fit(data, columns=asked, out=tmp_path / "model", **MINI)
    assert (model.record.out_of_fold, model.scores.n) == (True, 30)


def test_tuning_is_not_scored_fold_by_fold(tmp_path):
    data = table(tmp_path / "few.csv", notes(8, 9))
    model = hs.fit(data, model="all-MiniLM-L6-v2", columns=BY_PATIENT, out=tmp_path / "auto")
    assert (model.record.method, model.record.out_of_fold) == ("probe", True)
    assert "--how tune" in model.record.why_method


def test_final_learns_from_the_test_part_once_it_is_scored(by_patient, tmp_path, command):
    plain, final = tmp_path / "plain", tmp_path / "final"
    code, printed, err = command("fit", by_patient, *PROBE, "--out", plain, "--json")
    assert code == 0, err
    code, again, err = command("fit", by_patient, *PROBE, "--out", final, "--json", "--final")
    assert code == 0, err
    one, other = json.loads(printed), json.loads(again)
    assert "final" not in one
    assert other["final"] is True
    assert {k: one[k] for k in ("accuracy", "log_loss", "penalty", "n_test")} == {
        k: other[k] for k in ("accuracy", "log_loss", "penalty", "n_test")
    }
    assert (one["n_train"], other["n_train"]) == (240, 300)
    assert not np.array_equal(hs.load(plain).head.weight, hs.load(final).head.weight)
    for file in ("report.html", "README.md"):
        assert "it learned from them afterwards, with the settings found before" in (final / file).read_text()
    parts = [row["part"] for row in csv.DictReader((final / "split.csv").open())]
    assert (parts.count("train"), parts.count("both")) == (240, 60)
    assert hs.load(final).record.final


def test_a_test_of_nothing_is_refused_with_what_was_meant(by_patient, command):
    code, _, err = command("fit", by_patient, *PROBE, "--test", "0")
    assert code == 2
    assert "--final scores on examples held out, and then learns from all of them" in err
    with pytest.raises(DataError, match="final=True scores"):
        hs.check(by_patient, test=0.0)


def test_examples_of_few_groups_say_less():
    right = np.arange(200) % 5 > 0
    alone, patients = np.arange(200), np.arange(200) // 5
    assert share_interval(right) == wilson(160, 200)
    assert share_interval(right, alone) == wilson(160, 200)
    width = {name: i.high - i.low for name, i in (("one", wilson(160, 200)), ("all", share_interval(right, patients)))}
    assert width["all"] < 1.1 * width["one"]  # each patient has four of five right: nothing depends on the patient
    by_patient = np.repeat(np.arange(10) > 1, 20)
    low, high = vars(share_interval(by_patient, np.arange(200) // 20)).values()
    assert high - low > 0.45
    assert share_interval(np.ones(50, bool), np.zeros(50, int)).low < 0.1  # one patient says nothing of others


def test_intervals_over_groups_hold_what_they_promise():
    rng, held = np.random.default_rng(0), []
    for _ in range(400):
        skill = rng.beta(4, 2, 20)  # of each patient, on average 2 of 3
        whose = np.repeat(np.arange(20), rng.integers(2, 30, 20))
        found = share_interval(rng.random(len(whose)) < skill[whose], whose)
        held.append(found.low <= 2 / 3 <= found.high)
    assert 0.91 <= np.mean(held) <= 0.99


@pytest.mark.parametrize(
    ("p", "freedom", "value"),
    [(0.975, 1, 12.706), (0.975, 2, 4.303), (0.975, 3, 3.182), (0.95, 4, 2.132), (0.95, 30, 1.697)],
)
def test_students_t(p, freedom, value):
    assert t_quantile(p, freedom) == pytest.approx(value, rel=2e-3)


def test_one_patient_who_gains_proves_nothing():
    losses, right = np.ones(120), np.ones(120, bool)
    gained = losses - np.repeat([3.0, 0, 0, 0, 0, 0], 20) - 0.01 * np.random.default_rng(0).random(120)
    plain = verdict(HeldOut(losses, right), HeldOut(gained, right))
    whose = np.repeat(np.arange(6), 20)
    grouped = verdict(HeldOut(losses, right, groups=whose), HeldOut(gained, right, groups=whose))
    assert plain.tuned_is_better
    assert not grouped.tuned_is_better
    assert (grouped.groups, grouped.noise) == (6, 2.01)


def test_groups_that_near_duplicates_join_are_said(tmp_path):
    rows = [
        (f"a note of the kind that both have {n // 2}", ["ill", "well"][n // 2 % 2], f"P{n % 2}") for n in range(40)
    ]
    with pytest.raises(DataError, match="2 groups are named, and 1 are left"):
        hs.check(table(tmp_path / "two.csv", rows), columns=BY_PATIENT)


FRAME = pd.DataFrame(
    {"text": [f"the story of thing number {n}" for n in range(40)], "label": ["a", "b", "c", "d"] * 10}
)
MIXED = FRAME.sample(frac=1, random_state=3)


@pytest.mark.parametrize("groups", [None, FRAME.label])
def test_columns_whose_indexes_name_the_same_rows_in_another_order_are_refused(groups):
    with pytest.raises(DataError, match=r"same rows .* in another order\n.*\.loc\[inputs\.index\]"):
        hs.check(MIXED.text, FRAME.label if groups is None else MIXED.label, groups=groups)
    with pytest.raises(DataError, match="in another order"):
        hs.check((FRAME[["text"]], pd.get_dummies(MIXED.label)))
    with pytest.raises(DataError, match="other rows"):
        hs.check(FRAME.text.drop(3), FRAME.label.drop(7))


@pytest.mark.parametrize(
    "labels",
    [MIXED.label, MIXED.label.to_numpy(), MIXED.label.tolist(), MIXED.label.set_axis([f"r{n}" for n in range(40)])],
    ids=["the same index", "array", "list", "other index"],
)
def test_other_columns_are_paired_by_position(labels):
    assert list(hs.check(MIXED.text, labels).dataset.targets) == MIXED.label.tolist()


def test_a_part_of_a_frame_beside_labels_that_count_anew_is_paired_by_position():
    part = MIXED[:30]
    assert list(hs.check(part.text, part.label.reset_index(drop=True)).dataset.targets) == part.label.tolist()


def test_out_of_fold_outputs_are_those_of_a_probe_without_the_fold():
    """With the penalty and the temperature that it found: a score of others would not be one of such a model."""
    data, features = points(0, 40, wide=8)
    basis, rows = fit_basis(features.matrix), np.arange(len(data))
    head = fit_probe(data, rows, features, basis=basis).head
    found = out_of_fold(data, features, basis=basis, head=head, beside=NOTHING, seed=0)
    fold = probe_folds(data, rows, features, basis=basis, seed=0)
    for number in np.unique(fold):
        learn, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        some = Features(features.matrix[learn], "", 0)
        alone = fit_probe(data, learn, some, basis=basis).head
        np.testing.assert_allclose(found[held], alone.logits(features.matrix[held]), rtol=1e-4, atol=1e-4)
