"""Questions of which none, or hardly any, has an answer: a model that never answers would be right about them."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import headstart as hs
from headstart.errors import DataError

N = 12


def table(answered, **more):
    texts = [f"The ship of captain number {n} is called Aurora {n}, and sails on day {n}." for n in range(N)]
    asked = [f"What is the ship of captain number {n} called?" for n in range(N)]
    answers = [f"Aurora {n}" if n in answered else "" for n in range(N)]
    return pd.DataFrame({"context": texts, "question": asked, "answer": answers, **more})


def test_questions_without_any_answer_are_refused(tmp_path):
    table(()).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="none of the 12 questions has an answer, so there is nothing to learn"):
        hs.check(tmp_path / "t.csv")


def test_so_are_those_that_are_left_when_the_answered_ones_contradict_themselves(tmp_path):
    rows = json.loads(table(range(6)).assign(is_impossible=True).to_json(orient="records"))
    (tmp_path / "t.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match=r"none of the 6 questions has an answer.*said to be impossible"):
        hs.check(tmp_path / "t.json")


def test_so_is_a_training_part_without_any(tmp_path):
    table(range(8, N), split=["train"] * 8 + ["test"] * 4).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="no question of the training part has an answer"):
        hs.check(tmp_path / "t.csv")


@pytest.mark.parametrize(("answered", "warned"), [(range(1), True), (range(6), False), (range(N), False)])
def test_hardly_any_answers_are_warned_of(answered, warned):
    found = hs.check(table(answered))
    assert warned == any("11 of 12 questions have no answer" in caution.text for caution in found.cautions)
