"""What a person looks at after a fit on questions: the page, the card, the lines; and what a model has to beat."""

from __future__ import annotations

import argparse
import collections
import decimal
import difflib
import inspect
import json
import logging
import pathlib
import random
import re
import string
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from sklearn.feature_extraction.text import TfidfVectorizer

from headstart.answering.answerer import Answerer
from headstart.answering.baseline import by_sentence
from headstart.answering.metrics import Predicted, asked, score
from headstart.answering.sentences import sentences
from headstart.answering.settings import Settings
from headstart.pretrained.load import load_reader as load_backbone
from headstart.pretrained.plain_code import plain_reader_code
from headstart.record import Record
from headstart.report import terminal
from headstart.report.answering import verdict
from headstart.report.card_answering import card
from headstart.report.page import report
from headstart.task import Scores
from headstart.tasks.answering import ANSWERING
from headstart.values import Backbone, Dataset, Finding
from pages import EVIL, Page
from reading import read_questions
from small_models import FILLING, YEARS, model_that_finds_years, small_reading_model, text_with_a_year

TEXTS = {
    "Tower": "The tower was built in 1889. It stands in Paris, by the river. A painter hated it, and ate there daily.",
    "Rhine": "The Rhine rises in Switzerland. It is 1230 km long. It flows into the North Sea near Rotterdam.",
    "Bread": "Mix flour with water. The dough rests for 12 hours. Bake it in an oven that is very hot.",
}
ASKED = [  # document, question, true answer, and what a model says
    ("Tower", "When was the tower built?", "1889", "1889"),
    ("Tower", "Where does the tower stand?", "Paris", "in Paris, by"),
    ("Tower", "Who hated it?", "A painter", "there daily"),
    ("Rhine", "Where does the Rhine rise?", "Switzerland", ""),
    ("Rhine", "How long is the Rhine?", "1230 km", "North Sea"),
    ("Rhine", "Who owns the Rhine?", "", "The Rhine"),
    ("Bread", "How long does the dough rest?", "12 hours", "12 hours"),
    ("Bread", "How much salt is in it?", "", ""),
]
KINDS = {"boundary", "right sentence", "wrong sentence", "no answer given", "answered without one"}


def questions(folder: Path, rows: list[tuple[str, str, str, str]], *, title: str = "") -> Dataset:
    """Read from a file in SQuAD's form."""
    articles = [
        {
            "title": title or name,
            "paragraphs": [{"context": TEXTS[name], "qas": [{"id": q, "question": q, "answers": given(name, a)}]}],
        }
        for name, q, a, _ in rows
    ]
    path = folder / "manuals.json"
    path.write_text(json.dumps({"version": "v2.0", "data": articles}))
    return read_questions(path)


def given(name: str, answer: str) -> list[dict[str, object]]:
    return [{"text": answer, "answer_start": TEXTS[name].index(answer)}] if answer else []


def scored(data: Dataset, said: list[str]) -> Scores:
    """Of these answers, beside the most similar sentences."""
    answers = [
        replace(p, text=text, start=p.context.index(text), confidence=0.5 + i / 100)
        for i, (p, text) in enumerate(zip(asked(data.passages, data.where), said, strict=True))
    ]
    return score(answers, data.targets, baseline=by_sentence(data.passages, data.where))


@pytest.fixture
def mixed(tmp_path) -> Scores:
    return scored(questions(tmp_path, ASKED), [row[3] for row in ASKED])


@pytest.fixture
def answerable(tmp_path) -> Scores:
    """Every question has an answer, and gets it."""
    rows = [row for row in ASKED if row[2]]
    return scored(questions(tmp_path, rows), [row[2] for row in rows])


def record(scores: Scores, **changes: object) -> Record:
    """How the model came about that was scored so."""
    told = {
        "task": ANSWERING,
        "title": "question-answering",
        "data": "manuals",
        "date": "2026-01-01",
        "model": "minilm",
        "method": "tune",
        "why": "asked for",
        "why_method": "",
        "n_train": 80,
        "n_test": scores.n,
        "n_rejected": 1,
        "official": False,
        "scores": scores,
        "facts": {
            **{"documents_train": 36, "unanswerable_train": 4, "temperature": 1.2, "threshold": 0.42, "longest": 15},
        },
        "seconds": {"train": 9.25, "total": 16.0},
        "findings": (Finding("answer-outside", "manuals.json question x", "the answer 'x' is not there", True),),
    }
    return Record(**(told | changes))


def tuning(**varied: object) -> dict[str, object]:
    trial = {"depth": 3, "rate": 3e-5, "steps": 50, "varied": False, "mixup": 0.0, "smoothing": 0.0} | varied
    return {
        "verdict": {
            **{"n": 40, "untuned_log_loss": 3.5, "tuned_log_loss": 1.25, "untuned_accuracy": 0.125},
            **{"tuned_accuracy": 0.625, "gain_errors": 9.0, "right_errors": 7.0, "tuned_is_better": True},
            "noise": 1.64,
        },
        "recipe": {"depth": 3, "rate": 3e-5, "steps": 400, "batch": 32},
        "share": 1.0,
        "averaged_runs": 1,
        "trials": [trial | {"log_loss": 1.5, "accuracy": 0.5}],
    }


def shown(page: str) -> str:
    """What is read: without tags, white space as one space."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL).replace("\u00a0", " ").split())


# ---- the sentence most like the question


def manuals() -> Dataset:
    """Real prose: what the standard library says of itself; each question is some words of one sentence."""
    rng, rows = random.Random(0), []
    for module in (argparse, collections, decimal, difflib, json, logging, pathlib, random, re, string, textwrap):
        told = [inspect.getdoc(value) or "" for _, value in sorted(vars(module).items()) if inspect.isclass(value)]
        text = "\n\n".join(t for t in told if t)
        places = [text[start:stop] for start, stop in sentences(text)]
        for sentence in rng.sample(places, min(20, len(places))):
            words = re.findall(r"\w+", sentence)
            question = " ".join(rng.sample(words, min(6, len(words)))) + " zyzzyva?"
            rows.append({"context": text, "question": question, "answer": sentence, "title": module.__name__})
    return read_questions(pa.Table.from_pylist(rows))


def test_the_most_similar_sentence_is_scikit_learns():
    data = manuals()
    found = by_sentence(data.passages, data.where)
    assert len(found) > 150
    texts = [[text[start:stop] for start, stop in sentences(text)] for text in data.passages.contexts]
    reference = TfidfVectorizer().fit([sentence for text in texts for sentence in text])
    same = []
    for p, question, context in zip(found, data.passages.questions, data.passages.context.tolist(), strict=True):
        cosines = (reference.transform([question]) @ reference.transform(texts[context]).T).toarray()[0]
        same.append(p.text == texts[context][int(cosines.argmax())])
        assert p.confidence == pytest.approx(cosines.max(), abs=1e-9)
        assert p.context[p.start : p.start + len(p.text)] == p.text
    assert np.mean(same) >= 0.98  # of equal cosines either may come first
    scores = score(found, data.targets)
    assert scores.f1 > 0.8
    assert scores.documents == len(set(data.passages.documents))


def test_a_question_without_a_known_word_gets_the_first_sentence(tmp_path):
    data = questions(tmp_path, ASKED[:1])
    (found,) = by_sentence(replace(data.passages, questions=["?!"]), data.where)
    assert (found.text, found.start, found.confidence) == ("The tower was built in 1889.", 0, 0.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rained. The Rhine is long.  It is cold", ["It rained.", "The Rhine is long.", "It is cold"]),
        ("Ask Dr. Smith of St. Ives. He knows.", ["Ask Dr. Smith of St. Ives.", "He knows."]),
        ("One.\n\nTwo is here\n \n\nThree.", ["One.", "Two is here", "Three."]),
        ("北海に流れる。ライン川は長い。", ["北海に流れる。", "ライン川は長い。"]),
        (" \r\n ", []),
        ("", []),
    ],
)
def test_the_sentences_of_a_text(text, expected):
    assert [text[start:stop] for start, stop in sentences(text)] == expected


@pytest.mark.parametrize("piece", [".", '"', ". ", '."', "!  ", "\n", " ", "\n\r", ". ("])
def test_a_long_text_of_marks_takes_little_time(piece):
    """Hundredths of a second; a pattern that tries every mark from every other takes 17 s for 40,000 full stops."""
    began = time.process_time()
    assert sum(1 for _ in sentences(piece * 40_000)) <= 1
    assert time.process_time() - began < 2


# ---- the page


def test_the_page_tells_the_scores_and_every_kind_of_mistake(mixed):
    assert set(scores.errors) == KINDS
    page = report(record(scores, tuning=tuning()))
    read = Page(page)
    assert (read.open, read.links) == ([], [])  # nothing is fetched
    text = shown(page)
    assert "Exact match 37.5 %" in text
    assert f"over {scores.documents} documents" in text
    assert verdict(scores) in text
    for kind, n in scores.errors.items():
        assert re.search(rf"{kind.capitalize()} [^0-9]+ {n} 12\.5 %", text), kind
    assert "With an answer 6 33.3 %" in text
    assert "Without 2 50.0 % 50.0 %" in text
    assert "Never answering 25.0 %" in text
    assert "Who owns the Rhine? Answered The Rhine True no answer in the text" in text
    assert "Where does the Rhine rise? Answered no answer True Switzerland" in text
    assert "No answer ahead by 0.42" in text
    assert "answer-outside" in text


def test_the_page_of_tuning_names_what_it_is_compared_with(mixed):
    text = shown(report(record(scores, tuning=tuning())))
    assert "Before training 12.5 % 3.500 Tuned 62.5 % 1.250" in text
    assert "“Exact match” rose by 7.0" in text
    assert "Probe" not in text
    assert "Mixup" not in text  # was tried nowhere
    text = shown(report(record(scores, tuning=tuning(mixup=0.25), untuned="Probe")))
    assert "Groups trained Learning rate Steps Mixup Log loss Exact match 3 3.0e-05 50 0.25 1.500 50.0 %" in text
    assert "400 steps of 32 examples." in text
    text = shown(report(record(scores, tuning=tuning() | {"share": 0.5})))
    assert "400 steps of 32 examples; kept are the weights 50% of the way there." in text
    text = shown(report(record(scores, tuning=tuning() | {"averaged_runs": 3})))
    assert "400 steps of 32 examples; kept are the mean weights of 3 such runs." in text


def test_the_page_of_questions_that_all_have_answers(answerable):
    assert scores.unanswerable is None
    page = report(record(scores, findings=(), n_rejected=0))
    assert Page(page).open == []
    text = shown(page)
    assert "Exact match 100.0 %" in text
    assert "Never answering" not in text
    assert "Questions with and without" not in text
    assert "Every answer matches exactly" in text
    assert "There are none on this test part" in text
    assert "Nothing to report" in text
    assert "Better than always taking the sentence most like the question" in text


def test_the_page_of_questions_that_have_none(tmp_path):
    rows = [row for row in ASKED if not row[2]]
    scores = scored(questions(tmp_path, rows), ["", ""])
    text = shown(report(record(scores)))
    assert "Never answering 100.0 %" in text
    assert "Not clearly better than always saying that there is no answer" in text


def test_a_reader_is_judged_by_the_better_of_two_ways_without_a_model(tmp_path):
    data = questions(tmp_path, [*ASKED, *(("Bread", f"Who ate it on day {i}?", "", "") for i in range(40))])
    silent = scored(data, [""] * len(data))
    assert "always saying that there is no answer" in verdict(silent)
    loud = scored(data, [text.split()[0] for text in (data.contexts[c] for c in data.context.tolist())])
    assert "do not use this model" in verdict(loud)


def test_a_page_about_one_document(tmp_path):
    scores = scored(questions(tmp_path, ASKED, title="all"), [row[3] for row in ASKED])
    text = shown(report(record(scores)))
    assert "over questions about one document" in text
    assert "about 1 document " in text


def hostile() -> tuple[SpanScores, SpanScores]:
    words = [EVIL, '"quoted" & <b>', "lone \udcff surrogate", "x" * 5000, "\u202eright to left"]
    answers = [((word[::-1], 0),) for word in words]
    predicted = [Predicted(w, 0, 0.9, w, question=w, where=w, group=i) for i, w in enumerate(words)]
    return score(predicted, answers), score(predicted, answers)


def test_nothing_that_is_asked_or_answered_breaks_the_page():
    scores, baseline = hostile()
    made = provenance(
        title=EVIL, model=EVIL, how=EVIL, date=EVIL, notes=(EVIL,), findings=(Finding(EVIL, EVIL, EVIL),),
        facts=((EVIL, EVIL),), untuned=EVIL, right=EVIL, tuning=tuning(), why_how=EVIL,
    )  # fmt: skip
    page = report(scores, made, baseline=baseline)
    page.encode("utf-8")
    read = Page(page)
    assert read.open == []
    assert "b" not in read.tags
    assert "<script" not in page
    assert "x" * 500 not in page


def test_every_kind_of_mistake_is_shown_however_sure_another_is(tmp_path):
    """60 answers that end too late, all of them surer than the one from another sentence."""
    rows = [("Tower", f"When was it built, number {i}?", "1889", "1889. It") for i in range(60)]
    data = questions(tmp_path, [*rows, ("Tower", "Who came?", "A painter", "Paris")])
    said = [row[3] for row in rows]
    answers = [
        replace(p, text=text, start=p.context.index(text), confidence=share)
        for p, text, share in zip(asked(data), [*said, "Paris"], [*np.linspace(0.6, 0.9, 60), 0.2], strict=True)
    ]
    scores = score(answers, data.answers)
    assert scores.errors == {"boundary": 60, "wrong sentence": 1}
    listed = as_json(scores)["mistakes"]
    assert [m["kind"] for m in listed] == ["boundary"] * 10 + ["wrong sentence"]
    assert [m["question"] for m in listed[:2]] == [f"When was it built, number {i}?" for i in (59, 58)]
    page = report(scores, provenance(), baseline=score(by_sentence(data), data.answers))
    assert Page(page).open == []
    text = shown(page)
    first, last = text.index("the 10 most confident of 60"), text.index("Wrong sentence the only one Who came?")
    places = [text.index(f"number {i}?") for i in range(59, 49, -1)]
    assert [first, *places, last] == sorted([first, *places, last])
    assert "number 49?" not in text
    folded = page[page.index("<details>") : page.index("</details>")]
    assert "Show 6 more" in folded
    assert ("number 56?" in folded, "number 55?" in folded) == (False, True)


# ---- the card


def test_the_card(mixed):
    text = card(
        scores, provenance(), baseline=baseline, licence="MIT", folder='my "x"', longest=15, plain_code="print(1)"
    )
    _, front, body = text.split("---\n", 2)
    head = yaml.safe_load(front)
    assert head["pipeline_tag"] == "question-answering"
    assert (head["license"], head["base_model"], head["library_name"]) == ("mit", "minilm", "headstart")
    assert head["metrics"] == ["exact_match", "f1"]
    for words in ("| model | 37.5\u00a0% (", "makes nothing up", "Where the text does not answer it says so", "0.42"):
        assert words in body
    for row in ASKED:  # the card is shared: no question, and no file name of the user's
        assert row[1] not in text
    assert "manuals.json" not in text
    blocks = [block.split("```")[0] for block in body.split("```python\n")[1:]]
    assert len(blocks) == 3
    for block in blocks:
        compile(block, "snippet", "exec")
    assert 'hs.load("my \\"x\\"")' in blocks[0]
    assert 'pipeline("question-answering", model="my \\"x\\"")' in blocks[1]
    assert {row.count("|") for row in body.splitlines() if row.startswith("|")} == {4}


def test_the_card_of_a_reader_that_always_answers(answerable):
    text = card(
        scores,
        provenance(model="./mine", title=f"a|b {EVIL}"),
        baseline=baseline,
        licence="My own",
        folder="x",
        longest=15,
    )
    assert "no answer" not in text.split("## Data")[0]
    assert "to others it may answer all the same" in text
    assert "base_model" not in text
    assert "<script" not in text
    assert r"a\|b" in text


# ---- plain code


@pytest.mark.parametrize("model_type", ["bert", "distilbert", "modernbert"])
def test_plain_code_gives_the_readers_answers(model_type, tmp_path, own_cache, capsys):
    (tmp_path / "model").mkdir()
    small_reading_model(model_type, tmp_path / "model", words=[*FILLING, *YEARS, "when", "it", "?", "."])
    rng = random.Random(0)
    texts = [text_with_a_year(rng, rng.randint(3, 40))[0] for _ in range(10)]
    assert said_by_both(tmp_path / "model", texts, threshold=None, capsys=capsys) >= 0.9  # of equally good spans either


def test_plain_code_says_when_there_is_no_answer(tmp_path, own_cache, capsys):
    (tmp_path / "model").mkdir()
    model_that_finds_years(tmp_path / "model")
    rng = random.Random(0)
    texts = [text_with_a_year(rng, 20, year=i % 2 > 0)[0] for i in range(6)]
    for threshold in (0.0, -0.5, 1000.0):
        assert said_by_both(tmp_path / "model", texts, threshold=threshold, capsys=capsys) == 1.0


def said_by_both(folder: Path, texts: list[str], *, threshold: float | None, capsys: pytest.CaptureFixture) -> float:
    """Share of the texts from which a reader and the plain code answer alike."""
    reader = Reader(load_reader(str(folder)), settings=Settings(threshold=threshold))
    settings = reader.settings
    code = plain_reader_code(reader.backbone, str(folder), longest=settings.longest, threshold=settings.threshold)
    same = []
    for text in texts:
        question = "when was it built?"
        capsys.readouterr()
        asking = code.replace('"a question", "a text that may answer it"', repr((question, text)))
        assert asking != code
        exec(compile(asking, "card", "exec"), {})
        same.append(capsys.readouterr().out.strip() == (reader.answer(question, text)[0].text or "no answer"))
    return float(np.mean(same))


# ---- the command line


def told(scores: SpanScores, baseline: SpanScores, **changes: object) -> dict[str, object]:
    figures = as_json(baseline)
    return {
        **{"task": "answer questions", "model": "minilm", "how": "tune", "why": "asked for", "tuning": tuning()},
        **{"why_how": "tuned, better: " + "on held-out questions " * 6, "n_train": 8000, "documents_train": 36},
        **{"n_rejected": 2, "threshold": 0.5, "temperature": 1.2, "notes": [], "out": "manuals.headstart"},
        **{"findings": [{"kind": "unsure-offset", "rejected": False}, {"kind": "blank-answer", "rejected": True}]},
        **{"seconds": {"total": 16.0}, "baseline": {key: figures[key] for key in ("exact_match", "f1", "f1_interval")}},
        **as_json(scores),
        **changes,
    }


def test_what_the_command_line_says_of_a_fit(mixed):
    text = terminal.fit_answering(told(scores, baseline))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "minilm (tune), 8,000 questions about 36 documents to learn from, 8 held out"
    for words in (
        "why          tuned, better: on held-out",
        "left out     2 questions; see rejected.csv",
        "found        1 x unsure-offset",
        "exact match  0.375  (95 % interval",
        f"baseline F1  {baseline.f1:.3f}  (taking the sentence most like the question)",
        "             0.250  (always saying that there is no answer)",
        "questions    8 about 3 documents",
        "with answer  6: exact match 0.333",
        "not exact    1 boundary, ",
        "took         16.0 s",
        "saved        manuals.headstart (open report.html)",
    ):
        assert words in text
    assert "blank-answer" not in text


def test_what_the_command_line_says_where_there_is_little_to_say(answerable):
    text = terminal.fit_answering(told(*answerable, n_rejected=0, findings=[], why_how="asked for", out=None))
    for word in ("why", "left out", "found", "without", "not exact", "saved", "always saying"):
        assert not any(line.strip().startswith(word) or f"({word}" in line for line in text.splitlines()), word
    assert "exact match  1.000" in text
