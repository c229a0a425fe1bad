"""A table too large for the budget: how many of its examples a fit learns from, and that it says so."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import headstart as hs
from headstart.backbone import Features
from headstart.choose.subset import choose_subset
from headstart.clock import Budget
from headstart.data.check import check
from headstart.data.sampling import drawn
from headstart.data.split import split
from headstart.pretrained.load import load
from headstart.session import Session
from headstart.tasks.modalities import TEXT
from own_clock import TICK, Looks, by_looks
from reading import read

ROWS, FEWEST = 12_000, 10_000
NO_TIME = 1e-9  # seconds


@pytest.fixture
def many(few_texts, tmp_path):
    """12,000 different texts of three intents and 24 to test on; a small random BERT."""
    few, model = few_texts
    _, *rows = few.read_text().splitlines()
    table = tmp_path / "many.csv"
    train = [f'"{number} {row[1:]},train' for number, row in zip(range(ROWS), rows * (ROWS // len(rows)), strict=True)]
    table.write_text("\n".join(["text,label,split", *train, *(f"{row},test" for row in rows)]) + "\n")
    return table, model


@pytest.fixture
def asked(many):
    """What `choose_subset` is asked, and the backbone: nothing was encoded by it yet."""
    table, model = many
    dataset = check(read(table))
    return dataset, split(dataset), load(str(model), kind="text")


def amount(asked, *, budget=NO_TIME, how="tune"):
    dataset, parts, backbone = asked
    session = Session(Budget(budget, Looks()))
    return choose_subset(dataset, parts.train, backbone, method=how, seed=0, session=session)


@pytest.mark.check
def test_a_short_budget_takes_a_sample_and_says_so(many, tmp_path, own_cache, command):
    table, model = many
    code, out, err = command("fit", table, "--model", model, "--budget", f"{NO_TIME}s", "--out", "small", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["n_train"], told["n_test"], told["n_rejected"]) == (FEWEST, 24, 0)
    assert told["cached"] == 0
    (note,) = (note for note in told["notes"] if "training examples are used" in note)
    assert note.startswith(f"{FEWEST} of {ROWS} training examples")
    assert f"note: {note}" in " ".join(err.split())
    assert "10000 of 12000 training examples" in (tmp_path / "small" / "report.html").read_text()
    with (tmp_path / "small" / "split.csv").open(newline="") as file:
        assert Counter(row["part"] for row in csv.DictReader(file)) == {
            "train": FEWEST,
            "test": 24,
            "unused": ROWS - FEWEST,
        }


def test_with_time_enough_or_for_a_probe_it_is_all_of_them(asked, own_cache):
    assert len(amount(asked, budget=3600).train) == ROWS
    assert len(amount(asked, how="probe").train) == ROWS


@pytest.mark.check
@by_looks(32 * TICK)
def test_texts_that_were_not_encoded_are_learned_from_too(many, tmp_path, own_cache, monkeypatch):
    monkeypatch.setitem(vars(TEXT), "encoding_share", 0.0)
    table, model = many
    fitted = hs.fit(table, model=str(model), how="tune", budget="30s", out=tmp_path / "tuned")
    assert (fitted.summary["how"], fitted.summary["n_train"]) == ("tune", ROWS)
    assert fitted.summary["tuning"]["verdict"]["n"] == FEWEST / 10
    (note,) = (note for note in fitted.summary["notes"] if "training examples are" in note)
    assert note.startswith(f"{FEWEST} of {ROWS} training examples are encoded")
    assert note.endswith("tuning chose from all of them")
    with (tmp_path / "tuned" / "split.csv").open(newline="") as file:
        assert Counter(row["part"] for row in csv.DictReader(file)) == {"train": ROWS, "test": 24}


def test_duplicates_of_what_is_held_out_are_not_learned_from(asked):
    from headstart.adapt.auxiliary import NOTHING
    from headstart.adapt.beside import Begun, Pool
    from headstart.adapt.linear_lesson import LinearLesson
    from headstart.adapt.linear_training import _apart

    dataset, _, _ = asked
    groups = np.arange(len(dataset))
    groups[100:110] = groups[:10]
    features, grouped = Features(np.zeros((100, 3)), "", 0), replace(dataset, groups=groups)
    rows = np.arange(len(dataset))
    part = LinearLesson(
        *(grouped, rows, features, None, None, None, None, None, 0, None, 0.0, (), grouped, rows[:0], features),
        cut=(),
        out_of_fold=False,
        begun=Begun(None, None, NOTHING),
        pool=Pool(NOTHING.pool),
    )
    folds = np.arange(100) % 4
    known, all_folds = _apart(part, folds)
    held_out = known.dataset.checked_groups[all_folds == 0]
    assert len(held_out) == 25
    assert len(known.dataset) == len(all_folds) == len(dataset) - 3  # of rows 0, 4 and 8
    assert not set(held_out) & set(known.dataset.checked_groups[all_folds != 0])


def test_after_a_kill_it_is_the_same_number(asked, own_cache):
    """Although by then the store knows some of them, so that there would be time for more."""
    first = amount(asked)
    assert len(first.train) == FEWEST
    again = amount(asked)
    assert np.array_equal(first.train, again.train)
    assert (first.timed, again.timed) == (2048, 0)  # the second knew them when it began
    again.checkpoint.remove()
    assert not list(own_cache.glob("runs/*"))


def test_what_is_known_takes_no_time(asked, own_cache):
    from headstart.encode.encode import encode

    dataset, _, backbone = asked
    encode(dataset.inputs, dataset.digests, backbone)
    assert len(amount(asked).train) == ROWS


def test_every_beginning_is_a_sample():
    """Each class by its share, five of each before any other, whatever the order of the rows."""
    names = ["common"] * 3000 + ["seldom"] * 1000 + ["rare"] * 7
    dataset = check(read(([f"{name} {number}" for number, name in enumerate(names)], names)))
    order = drawn(dataset, np.arange(len(dataset)))
    assert sorted(order) == list(range(len(dataset)))
    labels = np.array(dataset.targets)
    assert sorted(labels[order[:15]]) == ["common"] * 5 + ["rare"] * 5 + ["seldom"] * 5
    for count in (400, 2000):
        shares = [(labels[order[:count]] == name).mean() for name in ("common", "seldom")]
        assert shares == pytest.approx([0.75, 0.25], abs=0.02)
    shuffled = dataset.take(np.random.default_rng(0).permutation(len(dataset)))
    found = drawn(shuffled, np.arange(len(dataset)))
    assert {shuffled.inputs[row] for row in found[:400]} == {dataset.inputs[row] for row in order[:400]}


def test_a_sample_of_many_pairs_is_of_pairs(many, tmp_path, own_cache):
    table, model = many
    rows = [(row[:10], row, label, part) for row, label, part in csv.reader(table.open())]
    pairs = tmp_path / "pairs.csv"
    with pairs.open("w", newline="") as file:
        csv.writer(file).writerows([("sentence1", "sentence2", "label", "split"), *rows[1:]])
    dataset = check(read(pairs))
    assert dataset.modality.name == "pair"
    parts, backbone = split(dataset), load(str(model), kind="text")
    chosen = amount((dataset, parts, backbone))
    assert len(chosen.train) == FEWEST
    assert chosen.timed
