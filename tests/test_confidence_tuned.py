"""How sure a tuned model says that it is: nothing is claimed that was measured on what it was tuned on."""

from __future__ import annotations

import random

import pytest

import headstart as hs
from own_clock import by_looks
from small_models import small_text_model


def mails(n: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts in words that the small model knows, two of them from those of their class."""
    rng, words = random.Random(seed), {"card": ("card", "lost"), "rate": ("rate", "new"), "pin": ("pin", "it")}
    labels = [rng.choice(list(words)) for _ in range(n)]
    others = ("where", "is", "my", "the", "a", "of", "i")
    return [" ".join([*rng.choices(others, k=5), *rng.choices(words[label], k=2)]) for label in labels], labels


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A small model whose backbone was tuned, with a test part of forty; and its folder."""
    folder = tmp_path_factory.mktemp("tuned")
    small_text_model("bert", folder / "bert")
    with by_looks(2.0**-4):
        return hs.fit(
            *mails(120), model=str(folder / "bert"), how="tune", budget="40s", test=1 / 3, out=folder / "topics"
        )


def test_a_tuned_model_calls_one_in_twenty_a_stranger_and_claims_nothing_of_near_classes(tuned):
    """What it was tuned on lies together, class by class: beside that all new texts would be far away, and classes that
    it was tuned on would be told too well."""
    scope = tuned.summary["confidence"]["out_of_scope"]
    assert (scope["method"], scope["near_auroc"]) == ("nearest", None)
    assert scope["of"] == tuned.summary["n_train"]
    found = tuned.predict(mails(200, seed=9)[0])
    assert sum(p.out_of_scope for p in found) <= 30  # a threshold from forty is no surer: 10 are called so on average
    said = "was not measured: the model was tuned on all classes"
    assert said in tuned.task.words.fitted(tuned.summary, tuned.task.scorer.metrics)
    for page in ("report.html", "README.md"):
        assert said in (tuned.folder / page).read_text()
    opened = hs.load(tuned.folder)
    assert opened.record.confidence["out_of_scope"] == scope
    assert opened.predict(mails(9, seed=8)[0]) == tuned.predict(mails(9, seed=8)[0])


def test_what_a_tuned_model_promises_is_said_to_be_from_examples_that_chose_it(tuned, capsys):
    tuned.predict("where is my card", coverage=0.9)
    assert "also chose how it was tuned" in capsys.readouterr().err
    tuned.predict("where is my card")
    assert "chose" not in capsys.readouterr().err


def test_of_a_tuned_model_that_hardly_anything_tests_nobody_says_what_a_stranger_is(few_texts, tmp_path):
    table, small = few_texts
    with by_looks(2.0**-4):
        made = hs.fit(table, model=str(small), how="tune", budget="40s", test=0.25, out=tmp_path / "few")
    model = hs.load(made.folder)
    assert model.summary["how"] == "tune"
    assert model.confidence == made.confidence
    assert model.summary["confidence"]["out_of_scope"] is None
    assert {p.out_of_scope for p in model.predict(["where is my card", "###"])} == {None}
    assert model.explain("a bowl of soup").neighbours  # what it learned from is there all the same
