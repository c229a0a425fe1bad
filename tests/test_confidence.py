"""How sure a model is: measured by a fit, kept in its folder, and said by predict in Python, JSON, lines and tables."""

from __future__ import annotations

import csv
import json
import pickle
import random
import shutil

import numpy as np
import pytest

import headstart as hs
from headstart.adapt.ridge import calibrated
from headstart.backbone import Head
from headstart.confidence import kept
from headstart.confidence.confidence import Confidence
from headstart.errors import ModelError, UserError
from headstart.pretrained.weights import RawTensor, raw_tensors, tensors_hash, write_tensors
from headstart.tasks.regression import REGRESSION
from headstart.values import Wanted
from topics import MINI, TOPICS, mixed, numbers

STRANGE = ["SELECT id FROM users WHERE id = 7;", "E = mc^2 + 3x - 12", "kernel panic: not syncing, tainted 5.10"]


def notes(n: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts about one topic each, some of them hard: they name a second one."""
    rng, texts, labels = random.Random(seed), [], []
    for number in range(n):
        first, second = rng.sample(list(TOPICS), 2)
        also = f" and {rng.choice(TOPICS[second])}" if rng.random() < 0.3 else ""
        texts.append(f"Note {number}: {rng.choice(TOPICS[first])}{also}")
        labels.append(first)
    return texts, labels


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model that was just fitted, and its folder."""
    out = tmp_path_factory.mktemp("sure") / "topics"
    return hs.fit(*notes(240), out=out, **MINI)


def test_a_fit_says_how_sure_it_is(saved):
    told = saved.summary["confidence"]
    assert told["held_out"] == saved.summary["n_train"]
    assert list(told["answered"]) == ["0.9", "0.95", "0.99"]
    assert 1 <= told["set_size"] < 3
    scope = told["out_of_scope"]
    assert scope["method"] in ("nearest", "mahalanobis")
    assert scope["reference"] == scope["of"] == told["held_out"]
    assert 0.4 < scope["near_auroc"] <= 1
    printed = saved.task.words.fitted(saved.summary, saved.task.scorer.metrics)
    assert "strangers  are told by" in printed
    assert hs.load(saved.folder).record.confidence == told


def test_strangers_are_told_and_what_is_alike_is_not(saved):
    found = saved.predict([*STRANGE, *notes(40, seed=9)[0]])
    assert all(p.out_of_scope for p in found[:3])
    assert sum(p.out_of_scope for p in found[3:]) <= 10
    assert min(p.scope_score for p in found[:3]) > saved.confidence.scope.threshold
    assert {p.unsure for p in found} == {None} == {p.set for p in found}
    known = saved.predict(notes(240)[0][0])[0]
    assert not known.out_of_scope


def test_a_folder_and_a_pickle_say_the_same(saved):
    asked = [*STRANGE, *notes(20, seed=9)[0]]
    wanted = {"abstain": 0.8, "coverage": 0.9, "per_class": True}
    said = saved.predict(asked, **wanted)
    opened = hs.load(saved.folder)
    assert opened.confidence == saved.confidence
    assert opened.predict(asked, **wanted) == said
    assert pickle.loads(pickle.dumps(opened)).predict(asked, **wanted) == said
    turned = opened.predict(asked[::-1], **wanted)[::-1]
    assert [p.set for p in turned] == [p.set for p in said]  # one input has one set, wherever it stands


def test_unsure_where_it_would_be_wrong_too_often(saved, capsys):
    texts, labels = notes(300, seed=5)
    found = saved.predict(texts, abstain=0.85)
    assert "for an accuracy of 0.85 it is unsure below a probability of" in capsys.readouterr().err
    answered = [p.label == label for p, label in zip(found, labels, strict=True) if not p.unsure]
    assert 0 < len(answered) <= 300
    assert np.mean(answered) > 0.8
    assert all(p.label for p in found)  # what it would have said is still there


def test_sets_hold_the_class_as_often_as_asked(saved):
    texts, labels = notes(300, seed=6)
    for per_class in (False, True):
        found = saved.predict(texts, coverage=0.9, per_class=per_class)
        hits = [label in p.set for p, label in zip(found, labels, strict=True)]
        assert 0.84 < np.mean(hits) < 0.97
    assert all(p.set[0] == p.top[0][0] for p in found if p.label in p.set)


@pytest.mark.parametrize("value", [0, 1, 1.5, -0.2, float("nan"), "abc", True])
@pytest.mark.parametrize("option", ["abstain", "coverage"])
def test_no_shares_are_refused(saved, option, value):
    with pytest.raises(UserError, match="no share between 0 and 1"):
        saved.predict("a bowl of soup", **{option: value})


def test_what_cannot_be_promised_is_refused_with_what_can(saved):
    with pytest.raises(UserError, match=r"with \d+ held-out examples 0\.\d+ can be promised"):
        saved.predict("a bowl of soup", abstain=0.999)
    with pytest.raises(UserError, match="none is asked for"):
        saved.predict("a bowl of soup", per_class=True)


@pytest.mark.parametrize("per_class", [False, True])
def test_a_coverage_that_too_few_examples_promise_is_refused(saved, per_class):
    with pytest.raises(UserError, match=r"held-out examples.* can promise 0\.9\d*, and 0\.999 was asked for"):
        saved.predict("a bowl of soup", coverage=0.999, per_class=per_class)


def test_the_command_says_it_in_lines_json_and_a_table(saved, command, tmp_path):
    asked = ["a bowl of soup", STRANGE[0], ""]
    code, out, err = command("predict", saved.folder, *asked, "--abstain", "0.85", "--coverage", "0.9", "--json")
    assert code == 2, err  # one is blank
    assert "held-out training examples were answered" in err
    told = json.loads(out)
    soup, strange, blank = told["predictions"]
    assert soup["set"][0] == "food"
    assert soup["unsure"] is False is soup["out_of_scope"]
    assert strange["out_of_scope"] is True
    assert strange["scope_score"] > told["scope_threshold"]
    assert set(blank) == {"input", "error"}
    code, out, err = command("predict", saved.folder, *asked[:2])
    assert "not like anything it learned from: " in out.splitlines()[1]
    assert "one of" not in out
    code, out, err = command("predict", saved.folder, *asked[:2], "--coverage", "0.9", "--out", tmp_path / "p.csv")
    rows = list(csv.DictReader((tmp_path / "p.csv").open()))
    assert [row["predicted_out_of_scope"] for row in rows] == ["False", "True"]
    assert rows[0]["predicted_set"].split("|")[0] == "food"
    assert "predicted_unsure" not in rows[0]  # nobody asked
    code, out, err = command("predict", saved.folder, "a bowl of soup", "--abstain", "abc")
    assert (code, err.splitlines()[0]) == (2, "error: --abstain: 'abc' is no share between 0 and 1")


def test_numbers_have_intervals_as_wide_as_asked(capsys):
    texts, values = zip(*numbers(160), strict=True)
    model = hs.fit(list(texts), list(values), **MINI)
    asked, true = zip(*numbers(200, seed=4), strict=True)
    widths = []
    for coverage in (0.5, 0.9):
        found = model.predict(list(asked), coverage=coverage)
        inside = [p.set[0] <= value <= p.set[1] for p, value in zip(found, true, strict=True)]
        assert abs(np.mean(inside) - coverage) < 0.12
        assert found[0].set == found[0].interval
        assert found[0].coverage == coverage
        widths.append(found[0].set[1] - found[0].set[0])
    assert widths[0] < widths[1]
    assert "50 % interval" in model.task.words.line(model.task.words.row(model.predict(asked[0], coverage=0.5)[0]))
    assert model.predict(STRANGE[0])[0].out_of_scope
    with pytest.raises(UserError, match="a number is not right or wrong"):
        model.predict(asked[0], abstain=0.9)


def test_weights_count_in_the_interval_of_any_coverage(tmp_path):
    """So the interval of nine in ten is the one that is given unasked; a folder without weights opens, too."""
    rng, digests = np.random.default_rng(0), np.zeros((200, 32), dtype=np.uint8)
    weights = np.where(np.arange(200) % 4 == 0, 8.0, 0.25)
    y = rng.normal(size=200)
    outputs = (y + rng.normal(size=200) * np.where(weights > 1, 0.1, 3.0)).astype(np.float32)[:, None]
    head = Head(("value",), np.ones((1, 4), np.float32), np.zeros(1, np.float32), "", penalty=1.0, temperature=1.0)
    head = calibrated(head, outputs, y, weights)
    for number, of in enumerate((weights, None)):
        held = REGRESSION.certainty.held(head, outputs, y, digests, None, of)
        folder = tmp_path / str(number)
        folder.mkdir()
        opened = kept.opened(folder, kept.write(Confidence(held), folder), REGRESSION.certainty, head, {})
        assert opened == Confidence(held)
        low, high = REGRESSION.certainty.rule(head, opened.held, Wanted(coverage=0.9)).judge(outputs, digests)[0].set
        assert (high - low == pytest.approx(2 * head.width, rel=1e-4)) == (of is not None)


def test_labels_and_answers_have_no_sets_and_say_what_there_is(years):
    texts, labels = zip(*mixed(80), strict=True)
    model = hs.fit(list(texts), list(labels), **MINI)
    known, strange = model.predict([texts[0], STRANGE[2]])
    assert (known.out_of_scope, strange.out_of_scope) == (False, True)
    assert model.summary["confidence"]["out_of_scope"]["near_auroc"] is None
    with pytest.raises(UserError, match="any number of labels"):
        model.predict(texts[0], coverage=0.9)
    with pytest.raises(UserError, match="a piece of a text"):
        hs.load(years).predict([("when was it built?", "it was built in 1931")], abstain=0.9)


def without_confidence(folder, tmp_path):
    """The same folder as an earlier headstart saved it."""
    old = shutil.copytree(folder, tmp_path / "old")
    (old / "reference.safetensors").unlink()
    told = json.loads((old / "headstart.json").read_text())
    del told["confidence"], told["summary"]["confidence"]
    (old / "headstart.json").write_text(json.dumps(told))
    return old


def test_a_folder_from_before_opens_and_says_that_a_new_fit_gives_it(saved, tmp_path):
    model = hs.load(without_confidence(saved.folder, tmp_path))
    found = model.predict("a bowl of soup")[0]
    assert found.label == "food"
    assert found.out_of_scope is None
    with pytest.raises(UserError, match="saved before headstart kept them"):
        model.predict("a bowl of soup", abstain=0.9)


def changed(folder, tmp_path, tensors, **scope):
    """A copy of a folder with other arrays, whose hash is right."""
    other = shutil.copytree(folder, tmp_path / "other")
    write_tensors(other / "reference.safetensors", tensors)
    told = json.loads((other / "headstart.json").read_text())
    told["confidence"]["hash"] = tensors_hash(tensors)
    told["confidence"]["scope"] |= scope
    (other / "headstart.json").write_text(json.dumps(told))
    return other


HOSTILE = {
    "nan": lambda t: (
        t | {"held.score": RawTensor("F32", t["held.score"].shape, b"\0\0\xc0\x7f" * t["held.score"].shape[0])}
    ),
    "cut": lambda t: t | {"held.class": RawTensor("I32", [1], b"\0\0\0\0")},
    "class": lambda t: (
        t | {"held.class": RawTensor("I32", t["held.class"].shape, b"\x09\0\0\0" * t["held.class"].shape[0])}
    ),
    "width": lambda t: t | {"features": RawTensor("F16", [len(t["features"].data) // 2, 1], t["features"].data)},
    "type": lambda t: t | {"rows": RawTensor("I32", [t["rows"].shape[0] * 2], t["rows"].data)},
    "negative": lambda t: t | {"rows": RawTensor("I64", t["rows"].shape, b"\xff" * len(t["rows"].data))},
    "length": lambda t: (
        t | {"features": RawTensor("F16", t["features"].shape, b"\0\x40" * (len(t["features"].data) // 2))}
    ),
    "missing": lambda t: {name: tensor for name, tensor in t.items() if name != "held.chance"},
}


def test_a_folder_without_them_is_not_whole(saved, tmp_path):
    other = shutil.copytree(saved.folder, tmp_path / "other")
    (other / "reference.safetensors").unlink()
    with pytest.raises(ModelError, match=r"reference\.safetensors: it is missing\nsave or copy the whole folder again"):
        hs.load(other)


@pytest.mark.parametrize("change", HOSTILE)
def test_a_strangers_arrays_are_checked(saved, tmp_path, change):
    tensors = HOSTILE[change](raw_tensors(saved.folder / "reference.safetensors"))
    with pytest.raises(ModelError, match="damaged"):
        hs.load(changed(saved.folder, tmp_path, tensors))


def test_what_was_changed_is_noticed(saved, tmp_path):
    tensors = raw_tensors(saved.folder / "reference.safetensors")
    assert hs.load(changed(saved.folder, tmp_path, tensors)).confidence == saved.confidence
    write_tensors(tmp_path / "other" / "reference.safetensors", dict(list(tensors.items())[:-1]))
    with pytest.raises(ModelError, match="not what was saved"):
        hs.load(tmp_path / "other")
    shutil.rmtree(tmp_path / "other")
    with pytest.raises(ModelError, match="deviation"):
        hs.load(changed(saved.folder, tmp_path, tensors, deviation=[0.0, 1.0]))
    (tmp_path / "other" / "reference.safetensors").unlink()
    with pytest.raises(ModelError):
        hs.load(tmp_path / "other")
