"""What a person looks at after a fit on questions: the page, the card, the lines."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from headstart.answering.answerer import Answerer
from headstart.answering.baseline import by_sentence
from headstart.answering.metrics import Predicted, asked, score
from headstart.answering.settings import Settings
from headstart.backbone import Backbone
from headstart.pretrained.load import load_reader as load_backbone
from headstart.pretrained.plain_code import plain_reader_code
from headstart.record import Record
from headstart.report import terminal
from headstart.report.answering import verdict
from headstart.report.card_answering import answering_card
from headstart.report.page import report
from headstart.task import Scores
from headstart.tasks.answering import ANSWERING
from headstart.values import Dataset, Finding
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
            "paragraphs": [
                {
                    "context": TEXTS[name],
                    "qas": [{"id": q, "question": q, "answers": given(name, a), "is_impossible": not a}],
                }
            ],
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
    return " ".join(
        re.sub(r"<style>.*?</style>|<script>.*?</script>|<[^>]+>", " ", page, flags=re.DOTALL)
        .replace("\u00a0", " ")
        .split()
    )


# ---- the page


def test_the_page_tells_the_scores_and_every_kind_of_mistake(mixed):
    assert set(mixed.errors) == KINDS
    page = report(record(mixed, tuning=tuning()))
    read = Page(page)
    assert (read.open, read.links) == ([], [])  # nothing is fetched
    text = shown(page)
    assert "Exact match 37.5 %" in text
    assert f"over {mixed.documents} documents" in text
    assert verdict(mixed).text in text
    for kind, n in mixed.errors.items():
        assert re.search(rf"{kind.capitalize()} [^0-9]+ {n} 12\.5 %", text), kind
    assert "With an answer 6 33.3 %" in text
    assert "Without 2 50.0 % 50.0 %" in text
    assert "Never answering 25.0 %" in text
    assert "Who owns the Rhine? Answered The Rhine True no answer in the text" in text
    assert "Where does the Rhine rise? Answered no answer True Switzerland" in text
    assert "Temperature 1.200 Training documents 36 Longest answer 15 tokens" in text
    assert "No answer is given when it is ahead by 0.42 nats" in text
    assert "answer-outside" in text


def test_the_page_of_tuning_names_what_it_is_compared_with(mixed):
    text = shown(report(record(mixed, tuning=tuning())))
    assert "Before training 12.5 % 3.500 Tuned 62.5 % 1.250" in text
    assert "“Exactly right” rose by 7.0" in text
    assert "Probe" not in text
    assert "Mixup" not in text  # was tried nowhere
    probed = replace(ANSWERING, words=replace(ANSWERING.words, before="Probe"))
    text = shown(report(record(mixed, tuning=tuning(mixup=0.25), task=probed)))
    assert "Probe 12.5 % 3.500 Tuned" in text
    assert "Groups trained Learning rate Steps Mixup Log loss Exactly right 3 3.0e-05 50 0.25 1.500 50.0 %" in text
    assert "400 steps of 32 examples." in text
    text = shown(report(record(mixed, tuning=tuning() | {"share": 0.5})))
    assert "400 steps of 32 examples; kept are the weights 50% of the way there." in text
    text = shown(report(record(mixed, tuning=tuning() | {"averaged_runs": 3})))
    assert "400 steps of 32 examples; kept are the mean weights of 3 such runs." in text


def test_the_page_of_questions_that_all_have_answers(answerable):
    assert answerable.unanswerable is None
    page = report(record(answerable, findings=(), n_rejected=0))
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


def test_a_model_is_judged_by_the_better_of_two_ways_without_a_model(tmp_path):
    data = questions(tmp_path, [*ASKED, *(("Bread", f"Who ate it on day {i}?", "", "") for i in range(40))])
    silent = scored(data, [""] * len(data))
    assert "always saying that there is no answer" in verdict(silent).text
    loud = scored(data, [text.split()[0] for _, text in data.passages])
    assert "do not use this model" in verdict(loud).text


def test_a_page_about_one_document(tmp_path):
    scores = scored(questions(tmp_path, ASKED, title="all"), [row[3] for row in ASKED])
    text = shown(report(record(scores)))
    assert "over questions about one document" in text
    assert "about 1 document " in text


def hostile() -> Scores:
    words = [EVIL, '"quoted" & <b>', "lone \udcff surrogate", "x" * 5000, "\u202eright to left"]
    answers = [((word[::-1], 0),) for word in words]
    predicted = [Predicted(w, 0, 0.9, w, question=w, where=w, group=i) for i, w in enumerate(words)]
    return score(predicted, answers, baseline=predicted)


def test_nothing_that_is_asked_or_answered_breaks_the_page():
    told = replace(ANSWERING.words, before=EVIL, right=EVIL, how_made=lambda record: [(EVIL, EVIL)])
    made = record(
        hostile(), task=replace(ANSWERING, words=told), title=EVIL, data=EVIL, model=EVIL, method=EVIL, date=EVIL,
        notes=(EVIL,), findings=(Finding(EVIL, EVIL, EVIL),), tuning=tuning(), why_method=EVIL, seconds={EVIL: 1.0},
    )  # fmt: skip
    page = report(made)
    page.encode("utf-8")
    read = Page(page)
    assert read.open == []
    assert "b" not in read.tags
    assert read.tags.count("script") == 1  # the page's own
    assert EVIL not in page
    assert "x" * 500 not in page


def test_every_kind_of_mistake_is_shown_however_sure_another_is(tmp_path):
    """60 answers that end too late, all of them surer than the one from another sentence."""
    rows = [("Tower", f"When was it built, number {i}?", "1889", "1889. It") for i in range(60)]
    data = questions(tmp_path, [*rows, ("Tower", "Who came?", "A painter", "Paris")])
    said = [row[3] for row in rows]
    sure, unanswered = [*np.linspace(0.6, 0.9, 60), 0.2], asked(data.passages, data.where)
    answers = [
        replace(p, text=text, start=p.context.index(text), confidence=share)
        for p, text, share in zip(unanswered, [*said, "Paris"], sure, strict=True)
    ]
    scores = score(answers, data.targets, baseline=by_sentence(data.passages, data.where))
    assert scores.errors == {"boundary": 60, "wrong sentence": 1}
    listed = scores.to_json()["mistakes"]
    assert [m["kind"] for m in listed] == ["boundary"] * 10 + ["wrong sentence"]
    assert [m["question"] for m in listed[:2]] == [f"When was it built, number {i}?" for i in (59, 58)]
    page = report(record(scores))
    assert Page(page).open == []
    text = shown(page)
    first, last = text.index("the 10 most confident of 60"), text.index("Wrong sentence the only one Who came?")
    places = [text.index(f"number {i}?") for i in range(59, 49, -1)]
    assert [first, *places, last] == sorted([first, *places, last])
    assert "number 49?" not in text
    folded = page[page.index("<details>") :]
    folded = folded[: folded.index("</details>")]
    assert "Show 6 more" in folded
    assert ("number 56?" in folded, "number 55?" in folded) == (False, True)


# ---- the card


@pytest.fixture
def backbone(years) -> Backbone:
    return load_backbone(str(years))


def test_the_card(mixed, backbone):
    made, licensed = record(mixed, model="org/minilm"), replace(backbone, licence="MIT")
    text = answering_card(made, licensed, Settings(1.2, 0.42, 15), 'my "x"')
    _, front, body = text.split("---\n", 2)
    head = yaml.safe_load(front)
    assert head["pipeline_tag"] == "question-answering"
    assert (head["license"], head["base_model"], head["library_name"]) == ("mit", "org/minilm", "headstart")
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


def test_the_card_of_a_model_that_always_answers(answerable, backbone):
    facts = record(answerable).facts | {"threshold": None, "unanswerable_train": 0}
    made = record(answerable, model="./mine", data=f"a|b {EVIL}", facts=facts)
    text = answering_card(made, replace(backbone, licence="My own"), Settings(threshold=None), "x")
    assert "never: every training question has an answer" in text
    assert "no answer" not in text.split("## Data")[0]
    assert "to others it may answer all the same" in text
    assert "base_model" not in text
    assert "<script" not in text
    assert r"a\|b" in text


# ---- plain code


@pytest.mark.parametrize("model_type", ["bert", "distilbert", "modernbert"])
def test_plain_code_gives_the_models_answers(model_type, tmp_path, own_cache, capsys):
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
    """Share of the texts from which a model and the plain code answer alike."""
    answerer = Answerer(load_backbone(str(folder)), Settings(threshold=threshold))
    longest = answerer.settings.longest
    code = plain_reader_code(answerer.backbone, str(folder), longest=longest, threshold=threshold)
    same = []
    for text in texts:
        question = "when was it built?"
        capsys.readouterr()
        asking = code.replace('"a question", "a text that may answer it"', repr((question, text)))
        assert asking != code
        exec(compile(asking, "card", "exec"), {})
        same.append(capsys.readouterr().out.strip() == (answerer.answer(question, text)[0].text or "no answer"))
    return float(np.mean(same))


# ---- the command line


def told(scores: Scores, **changes: object) -> dict[str, object]:
    """What `fit --json` prints."""
    facts = record(scores).facts | {"threshold": 0.5}
    found = (Finding("unsure-offset", "row 1", "twice"), Finding("blank-answer", "row 2", "none", True))
    made = {"tuning": tuning(), "why_method": "tuned, better: " + "on held-out questions " * 6, "n_train": 8000}
    more = {"n_rejected": 2, "facts": facts, "out": "manuals.headstart", "findings": found, "seconds": {"total": 16.0}}
    return record(scores, **(made | more | changes)).to_json()


def test_what_the_command_line_says_of_a_fit(mixed):
    text = terminal.fit_answering(told(mixed))
    lines = text.splitlines()
    assert lines[1].count("on held-out questions") == 6  # whole, where no terminal is
    assert lines[0] == "minilm (tune), 8,000 questions about 36 documents to learn from, 8 to test on"
    for words in (
        "why          tuned, better: on held-out",
        "left out     2 questions; see rejected.csv",
        "found        1 x unsure-offset",
        "exact match  0.375  (95 % interval",
        f"baseline F1  {mixed.baseline['f1']:.3f}  (taking the sentence most like the question)",
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
    text = terminal.fit_answering(told(answerable, n_rejected=0, findings=(), why_method="asked for", out=None))
    for word in ("why", "left out", "found", "without", "not exact", "saved", "always saying"):
        assert not any(line.strip().startswith(word) or f"({word}" in line for line in text.splitlines()), word
    assert "exact match  1.000" in text
