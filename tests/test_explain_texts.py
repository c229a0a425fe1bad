"""Why a model answers as it does, of texts, pairs and questions: words with their places, which add up to the score."""

from __future__ import annotations

import json
import os
import pty
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import headstart as hs
from headstart.encode.long_texts import in_windows
from headstart.encode.pairs import compare
from headstart.errors import UserError
from headstart.explain import terminal
from headstart.explain.texts import TextExplainer, _compared
from headstart.explain.words import words_of
from headstart.pretrained.load import load
from headstart.task import Direction
from small_models import small_reading_model, small_text_model

TEXT = "Where is my new card? I lost my card."


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "bert"
    small_text_model("bert", folder)
    return folder


@pytest.mark.parametrize(
    ("text", "tokens", "words"),
    [
        ("I lost it.", ["I", "lost", "it", "."], ["I", "lost", "it", "."]),
        ("unbelievable!", ["un", "believ", "able", "!"], ["unbelievable", "!"]),
        ("don't l’eau", ["don", "'", "t", "l", "’", "eau"], ["don't", "l’eau"]),
        ("'tis the dogs'", ["'", "tis", "the", "dogs", "'"], ["'", "tis", "the", "dogs", "'"]),
        ("我要退款", ["我", "要", "退款"], ["我", "要", "退款"]),
        ("naïve café", ["na", "ïve", " café"], ["naïve", "café"]),
        ("a-b", ["a", "-", "b"], ["a", "-", "b"]),
    ],
)
def test_words_as_people_see_them(text, tokens, words):
    spans, at = [], 0
    for token in tokens:
        at = text.index(token, at)
        spans.append((at, at + len(token)))
        at += len(token)
    found = words_of(text, spans, np.ones(len(spans)))
    assert [word.text for word in found] == words
    assert sum(word.weight for word in found) == len(tokens)


@given(st.text(min_size=1, max_size=40), st.lists(st.integers(1, 5), max_size=40))
def test_words_stand_where_they_say_and_keep_all_weight(text, lengths):
    spans, at = [], 0
    for length in lengths:
        if at < len(text):
            spans.append((at, min(at + length, len(text))))
            at += length
    weights = np.arange(1.0, len(spans) + 1)
    found = words_of(text, spans, weights)
    assert all(text[word.start : word.end] == word.text and not word.text[0].isspace() for word in found)
    assert [word.start for word in found] == sorted({word.start for word in found})
    read = [w for (start, stop), w in zip(spans, weights, strict=True) if text[start:stop].strip()]
    assert sum(word.weight for word in found) == pytest.approx(sum(read))


def test_the_words_add_up_to_the_score(bert):
    """What they add is the difference to a text of nothing, by the model's own outputs."""
    model = hs.load(bert)
    found = model.explain([TEXT])
    assert found.target == model.predict([TEXT])[0].label
    assert [word.text for word in found.words] == [
        "Where",
        "is",
        "my",
        "new",
        "card",
        "?",
        "I",
        "lost",
        "my",
        "card",
        ".",
    ]
    assert found.map is None
    module, tokenizer = model.explainer._attributor.module, model.explainer._tokenizer
    ids = torch.tensor([tokenizer.encode(TEXT).ids])
    nothing = ids.clone()
    nothing[:, 1:-1] = tokenizer.token_to_id("[MASK]")
    with torch.no_grad():
        logits, without = (module(some, torch.ones_like(some))[0].numpy() for some in (ids, nothing))
    direction = model.task.direction(model.head, logits, found.prediction, None)
    assert sum(word.weight for word in found.words) == pytest.approx((logits - without) @ direction.weight, rel=0.06)
    told = json.loads(json.dumps(found.to_json()))["words"][4]
    assert (told["text"], told["start"], told["end"]) == ("card", 16, 20)
    assert found._repr_html_().count("<span") == 11


def test_what_is_not_read_is_said(bert):
    """The model reads 64 tokens: 62 words."""
    long = " ".join(["card"] * 50 + ["rate"] * 50)
    found = hs.load(bert).explain([long])
    assert len(found.words) == 62
    assert found.notes[-1].startswith(f"the model reads {62 * 5 - 1} of the text's {len(long)} characters")
    backbone = in_windows(load(str(bert), kind="text"))
    dataset = hs.load(bert)._checked([long])
    weight = np.random.default_rng(0).normal(size=backbone.width).astype(np.float32)
    whole = TextExplainer(backbone).explain(dataset, None, Direction("a class", weight))
    assert len(whole.words) == 100
    assert whole.notes == ()


def test_the_work_on_a_long_text_is_bounded(tmp_path):
    """All of a text in sixteen windows has weight, for much less than sixteen times the work on one window."""
    small_reading_model("bert", tmp_path / "bert")  # which reads 512 tokens at once: 510 words
    backbone, read = in_windows(load(str(tmp_path / "bert"), kind="text")), []
    explainer = TextExplainer(backbone)
    explainer._attributor.module.register_forward_pre_hook(lambda _, given: read.append(given[0].numel()))
    weight = np.random.default_rng(0).normal(size=backbone.width).astype(np.float32)
    work = []
    for windows in (1, 16):
        read.clear()
        found = explainer._of_text("card " * 510 * windows, torch.from_numpy(weight))
        assert len(found.words) == 510 * windows
        work.append(sum(read))
    assert work[1] < 8 * work[0]


def test_pairs_say_which_text_a_word_is_of(bert):
    firsts = [f"where is my card {i}" for i in range(12)]
    pairs = [(a, "the card is new" if i % 2 else "the rate of it") for i, a in enumerate(firsts)]
    model = hs.fit(pairs, ["card" if i % 2 else "rate" for i in range(12)], model=str(bert), how="probe")
    found = model.explain(("where is my card 3", "the rate of it"))
    assert [word.of for word in found.words] == [1] * 5 + [2] * 4
    assert {(word.text, word.start) for word in found.words if word.of == 2} >= {("the", 0), ("rate", 4)}
    assert len(found.neighbours) == 5
    assert "text 2" in found_page(found)


def test_two_texts_that_are_read_as_one_sequence(bert):
    """As a model that was tuned on pairs reads them."""
    plain = load(str(bert), kind="text")
    backbone = replace(plain, config={**plain.config, "pair": "joint"})
    weight = np.random.default_rng(0).normal(size=backbone.width).astype(np.float32)
    found = TextExplainer(backbone)._of_sequence(("my new card", "the rate"), torch.from_numpy(weight))
    assert [(word.text, word.of, word.start) for word in found.words] == [
        *(("my", 1, 0), ("new", 1, 3), ("card", 1, 7)),
        *(("the", 2, 0), ("rate", 2, 4)),
    ]


def found_page(found) -> str:
    from headstart.explain.page import page

    return page(found)


def test_the_features_of_two_texts_are_compared_as_they_were_for_the_fit():
    u, v = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    np.testing.assert_array_equal(_compared(torch.from_numpy(u), torch.from_numpy(v)).numpy(), compare(u, v))


def test_numbers_and_several_labels(bert, questions):
    texts, names = [text for text, _ in questions], [name for _, name in questions]
    probe = {"model": str(bert), "how": "probe"}
    numbers = hs.fit(texts, [len(name) + row / 100 for row, name in enumerate(names)], task="regression", **probe)
    found = numbers.explain([TEXT])
    assert found.target is None
    assert len(found.words) == 11
    with pytest.raises(UserError, match="gives a number"):
        numbers.explain([TEXT], "card")
    several = hs.fit(texts, [[name, "odd"] if row % 2 else [name] for row, name in enumerate(names)], **probe)
    found = several.explain([TEXT], "pin")
    assert found.target == "pin"
    assert isinstance(found.neighbours[0].to_json()["label"], list)


def test_an_answer_comes_from_the_word_that_makes_it_one(years):
    model = hs.load(years)
    text = "the old tower of the city was built in 1931 by a king and people who came from the north"
    found = model.explain(("when was it built?", text))
    assert found.prediction.text == "1931"
    assert max(found.words, key=lambda word: word.weight).text == "1931"
    assert {word.of for word in found.words} == {1, 2}
    assert found.neighbours == ()
    with pytest.raises(UserError, match="finds no answer"):
        model.explain(("when was it built?", "the old tower of the city"))
    with pytest.raises(UserError, match="answering has no classes"):
        model.explain(("when was it built?", text), "1931")


def test_an_answer_behind_many_others_is_explained_in_its_window(years):
    words = ["the", "old", "bridge"] * 400
    words[700] = "1931"
    found = hs.load(years).explain(("when was it built?", " ".join(words)))
    best = max(found.words, key=lambda word: word.weight)
    assert (best.text, best.start) == ("1931", len(" ".join(words[:700])) + 1)
    assert "around has no weight" in found.notes[-1]


@pytest.mark.parametrize(
    ("env", "coloured"), [({}, True), ({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, False)], ids=str
)
def test_words_are_in_colour_on_a_terminal_that_has_some(env, coloured, bert, monkeypatch):
    found = hs.load(bert).explain(["card \x1b[31m red"])
    for name, value in {"TERM": "xterm", "NO_COLOR": "", **env}.items():
        monkeypatch.setenv(name, value)
    ours, its = pty.openpty()
    with os.fdopen(its, "w") as screen:
        monkeypatch.setattr(sys, "stdout", screen)
        printed = terminal.explained(found, None)
        monkeypatch.undo()
    os.close(ours)
    assert ("\x1b[30;48;5;" in printed or "\x1b[97;48;5;" in printed) == coloured
    assert "\x1b[31m" not in printed  # a text commands no terminal


def test_captum_is_an_extra(bert, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(UserError, match=r"Captum\npip install headstart\[explain\]"):
        hs.load(bert).explain([TEXT])
