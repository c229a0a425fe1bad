"""Questions and answers inside scikit-learn's own tools."""

from __future__ import annotations

import pickle
import random
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.utils import estimator_checks

import headstart as hs
from headstart.errors import DataError, ModelError, UserError
from own_clock import by_looks
from small_models import QUESTION, text_with_a_year


def towers(n: int, *, seed: int = 0) -> tuple[list[tuple[str, str]], list[tuple[str, int] | None]]:
    """Pairs of the question and a text with a year, every fifth without; and the answers."""
    rng = random.Random(seed)
    found = [text_with_a_year(rng, rng.randint(6, 14), year=bool(number % 5)) for number in range(n)]
    return [(QUESTION, text) for text, _ in found], [answers[0] if answers else None for _, answers in found]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, years) -> hs.HeadstartQA:
    """Trained from an encoder without a head."""
    from transformers import AutoModel

    folder = tmp_path_factory.mktemp("encoder") / "small-bert"
    shutil.copytree(years, folder)
    AutoModel.from_pretrained(folder).save_pretrained(folder)
    x, y = towers(200)
    with by_looks():
        return hs.HeadstartQA(str(folder), how="tune", budget="75s").fit(x, y)


def test_it_learns_and_answers(fitted):
    x, y = towers(40, seed=1)
    assert (fitted.how_, fitted.why_[:7]) == ("tune", "trained")
    answers = fitted.predict(x)
    assert (answers.shape, answers.dtype) == ((40,), object)
    right = [said == ("" if true is None else true[0]) for said, true in zip(answers, y, strict=True)]
    assert np.mean(right) > 0.6  # a fifth has no answer, and a text ten words
    assert fitted.score(x, y) == pytest.approx(np.mean(right))  # years share no words
    assert fitted.score(x, [None] * 40) == pytest.approx(np.mean(answers == ""))
    (best,) = fitted.answerer_.answer(QUESTION, "a bridge 1931 of the king")
    assert (best.text, best.start) == ("1931", 9)


def test_a_pickle_knows_its_weights(fitted, tmp_path):
    x, _ = towers(20, seed=2)
    content = pickle.dumps(fitted)
    weights = fitted.answerer_.backbone.weights
    assert len(content) < weights.stat().st_size
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.predict(x), fitted.predict(x))
    assert again.get_params() == fitted.get_params()
    shutil.move(weights, tmp_path / "elsewhere")
    try:
        with pytest.raises(ModelError, match="the weights are gone"):
            pickle.loads(content)
        changed = bytearray((tmp_path / "elsewhere").read_bytes())
        changed[-1] ^= 1
        weights.write_bytes(changed)
        with pytest.raises(ModelError, match="not those that were saved"):
            pickle.loads(content)
    finally:
        shutil.move(tmp_path / "elsewhere", weights)


def test_it_is_an_estimator(years):
    model = hs.HeadstartQA(str(years), how="probe", seed=3)
    assert clone(model).get_params() == {"model": str(years), "how": "probe", "budget": None, "seed": 3}
    assert pickle.loads(pickle.dumps(model)).get_params() == model.get_params()
    x, y = towers(24)
    before = dict(vars(model))
    assert model.fit(x, y) is model
    assert {name: vars(model)[name] for name in before} == before
    assert pickle.loads(pickle.dumps(model)).predict(x).tolist() == model.predict(x).tolist()
    assert cross_val_score(model, x, y, cv=3).tolist() == [1.0] * 3
    with pytest.raises(NotFittedError):
        clone(model).predict(x)
    for name in (
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_valid_tag_types",
        "check_no_attributes_set_in_init",
        "check_get_params_invariance",
        "check_set_params",
        "check_parameters_default_constructible",
        "check_do_not_raise_errors_in_init_or_set_params",
    ):
        getattr(estimator_checks, name)("HeadstartQA", hs.HeadstartQA())


def test_rows_may_come_as_a_table_or_an_array(years):
    x, y = towers(12)
    table = pd.DataFrame(
        {"context": [text for _, text in x], "question": QUESTION, "title": [f"t{i}" for i in range(12)]}
    )
    texts = ["" if answer is None else answer[0] for answer in y]
    model = hs.HeadstartQA(str(years), how="probe").fit(table, pd.Series(texts))
    assert model.predict(table).tolist() == model.predict(np.array(x, dtype=object)).tolist() == texts
    assert model.score(table, pd.Series([text or None for text in texts])) == 1.0


GOOD = (QUESTION, "the tower was built 1931")


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([GOOD, (QUESTION, "  ")], ["1931", ""], "row 2: no context"),
        ([GOOD, ("", "the tower")], ["1931", ""], "row 2: no question"),
        ([GOOD, GOOD], ["1931", "1932"], "row 2: the answer '1932' is not in its context"),
        ([GOOD, (QUESTION, "1931 the 1931")], ["1931", ("1931", 4)], "row 2: .* is not at character 4"),
        ([GOOD, GOOD], ["1931", ("1931", "20")], r"row 2: \('1931', '20'\) is no answer"),
        ([GOOD, GOOD], ["1931"], "2 questions and 1 answers"),
        ([GOOD, QUESTION], ["1931", ""], "row 2: 'when was it built[?]' is no pair"),
        ([GOOD, ("when " * 600, GOOD[1])], ["1931", ""], "row 2: the question is too long"),
        ("a text", ["1931"], "X is a str"),
        (pd.DataFrame({"question": ["a"]}), ["1931"], "no column 'context'"),
        ([], [], "no usable question"),
    ],
)
def test_no_row_is_dropped(years, x, y, words):
    with pytest.raises(DataError, match=words):
        hs.HeadstartQA(str(years), how="probe").fit(x, y)


def test_an_answer_that_no_window_holds_is_refused(years):
    long = " ".join(["tower"] * 400)
    with pytest.raises(DataError, match="row 2: its answer has 400 tokens"):
        hs.HeadstartQA(str(years), how="tune").fit([GOOD, (QUESTION, f"{long} was built")], ["1931", long])


def test_what_cannot_be_done_is_said(years):
    model = hs.HeadstartQA(str(years), how="probe").fit([GOOD], ["1931"])
    with pytest.raises(DataError, match="row 1: the question is too long"):
        model.predict([("when " * 600, GOOD[1])])
    with pytest.raises(DataError, match="row 2: no context"):
        model.predict([GOOD, (QUESTION, "")])
    with pytest.raises(UserError, match="unknown way 'best'"):
        hs.HeadstartQA(str(years), how="best").fit([GOOD], ["1931"])
