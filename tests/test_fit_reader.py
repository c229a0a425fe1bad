"""Questions of the user's own: a reader is trained, judged on other documents, saved, opened elsewhere, and resumed."""

from __future__ import annotations

import csv
import json
import random
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

import headstart as hs
from fits import cache_with_the_plan_of, finished, fitting, killed
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.fine_tune import finetune
from headstart.adapt.search import Choices
from headstart.adapt.trainable_parts import TextParts
from headstart.adapt.trial import Runs, StopSignal
from headstart.answering.objective import Reading, as_asked, as_texts, examples, text_ends
from headstart.errors import DataError, ModelError, UserError
from headstart.inputs.windows import Slicer, cut
from headstart.pretrained.load import load_reader as load_backbone
from headstart.pretrained.training import open_for_training
from headstart.progress import Silent
from headstart.values import Questions
from reading import read_questions
from small_models import (
    FILLING,
    QUESTION,
    YEARS,
    model_that_finds_years,
    small_image_model,
    small_reading_model,
    text_with_a_year,
)
from test_answer import headless, reference_answer
from test_lora import low_rank_only

WORDS = [*FILLING, *YEARS, "when", "it", "?", "."]


def squad(*, documents: int, each: int, without: bool = False, seed: int = 0) -> dict:
    """In the form of SQuAD: texts of random words with a year in each, and the question when something was built."""
    rng, articles = random.Random(seed), []
    for document in range(documents):
        paragraphs = []
        for number in range(each):
            text, answers = text_with_a_year(rng, rng.randint(8, 40), year=not (without and number % 3 == 0))
            asked = {"id": f"{document}-{number}", "question": QUESTION}
            asked["answers"] = [{"text": words, "answer_start": start} for words, start in answers]
            if without:
                asked["is_impossible"] = not answers
            paragraphs.append({"context": text, "qas": [asked]})
        articles.append({"title": f"document {document}", "paragraphs": paragraphs})
    return {"version": "v2.0" if without else "1.1", "data": articles}


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> Path:
    """A small BERT without a head, whose states tell years from other words."""
    from transformers import AutoModel

    folder = tmp_path_factory.mktemp("encoder") / "small-bert"
    folder.mkdir()
    model_that_finds_years(folder)
    AutoModel.from_pretrained(folder).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def fitted(tmp_path_factory, encoder):
    """Through the command line: the folder, what was printed, the data."""
    home = tmp_path_factory.mktemp("fitted")
    data = home / "towers.json"
    data.write_text(json.dumps(squad(documents=24, each=9, without=True)))
    return home / "out", finished(learning(data, encoder, home / "out")), data


def learning(data: Path, model: Path, out: Path) -> subprocess.Popen:
    return fitting(data, model, out, "--budget", "10m", how="auto", seconds_lost=15)


def test_a_reader_learns_from_questions(fitted, command):
    out, told, _ = fitted
    assert (told["task"], told["how"], told["n_train"] + told["n_test"]) == ("question-answering", "tune", 216)
    assert told["exact_match"] > 0.9
    assert told["baseline"]["f1"] < 0.5 < told["f1"]
    assert told["f1_interval"][0] <= told["f1"] <= told["f1_interval"][1]
    assert told["answerable"]["exact_match"] > 0.9
    assert told["unanswerable"]["exact_match"] > 0.9
    assert told["tuning"]["verdict"]["tuned_is_better"]
    for name in ("report.html", "README.md", "metrics.json", "rejected.csv", "tokenizer_config.json"):
        assert (out / name).stat().st_size > 0
    code, said, err = command("answer", out, QUESTION, "--context", "-", "--json", stdin="the king 1923 by a river")
    assert code == 0, err
    (best, *_) = json.loads(said)["answers"]
    assert (best["answer"], best["start"]) == ("1923", 9)
    code, said, err = command("answer", out, QUESTION, "--context", "-", stdin="the king built a bridge by a river")
    assert (code, "no answer" in said) == (0, True), err


def test_no_document_is_on_both_sides(fitted):
    out, told, _ = fitted
    with (out / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    parts = {row["document"]: set() for row in rows}
    for row in rows:
        parts[row["document"]].add(row["part"])
    assert all(len(part) == 1 for part in parts.values())
    assert sum(row["part"] == "test" for row in rows) == told["n_test"]
    assert told["documents"] + told["documents_train"] == 24


def test_the_folder_scores_as_the_fit_did(fitted, tmp_path, command):
    out, told, data = fitted
    with (out / "split.csv").open(newline="") as file:
        tested = {row["id"] for row in csv.DictReader(file) if row["part"] == "test"}
    content = json.loads(data.read_text())
    for article in content["data"]:
        article["paragraphs"] = [p for p in article["paragraphs"] if p["qas"][0]["id"] in tested]
    content["data"] = [article for article in content["data"] if article["paragraphs"]]
    (tmp_path / "test.json").write_text(json.dumps(content))
    code, said, err = command("evaluate", out, "test.json", "--json")
    assert code == 0, err
    again = json.loads(said)
    for figure in ("exact_match", "f1", "n_test", "errors"):
        assert again[figure] == told[figure]


def test_transformers_opens_the_folder_and_gives_the_same_answers(fitted):
    from tokenizers import Tokenizer
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    out, _, _ = fitted
    model = AutoModelForQuestionAnswering.from_pretrained(out).eval()
    assert AutoTokenizer.from_pretrained(out)(QUESTION)["input_ids"]
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    reader, rng = hs.load(out), random.Random(1)
    texts = [text_with_a_year(rng, rng.randint(3, 60))[0] for _ in range(200)]
    ours = [reader.answer(QUESTION, text)[0].text for text in texts]
    same = [mine == reference_answer(model, tokenizer, QUESTION, text) for mine, text in zip(ours, texts, strict=True)]
    assert np.mean(same) >= 0.995


@pytest.mark.parametrize("model_type", ["bert", "roberta", "distilbert", "modernbert"])
def test_what_is_learned_is_where_the_answer_begins_and_ends(model_type, tmp_path, own_cache):
    """The loss against one computed from transformers' own logits and the tokenizer's own places."""
    from tokenizers import Tokenizer

    (tmp_path / "model").mkdir()
    model = small_reading_model(model_type, tmp_path / "model", words=WORDS)
    tokenizer = Tokenizer.from_file(str(tmp_path / "model" / "tokenizer.json"))
    (tmp_path / "data.json").write_text(json.dumps(squad(documents=4, each=6, without=True)))
    questions, backbone = read_questions(tmp_path / "data.json"), load_backbone(str(tmp_path / "model"))
    slicer = Slicer(backbone.preparation)
    pairs = np.column_stack([np.arange(len(questions)), questions.context])
    windows, wanted = examples(cut(questions.questions, questions.contexts, pairs, slicer), questions.answers, seed=0)
    assert len(windows) == len(questions)
    task = Reading(None, text_ends(windows), wanted, new=False)
    feed = as_texts(windows, slicer)
    rows = np.arange(len(windows))
    module = backbone.module()
    for which, inputs in feed.parts(rows, epoch=0):
        with torch.inference_mode():
            found = task.loss(rows, "cpu")(module(*inputs), torch.from_numpy(which), 0.0)
        for loss, row in zip(found.tolist(), which.tolist(), strict=True):
            window = windows[row]
            text, given = questions.contexts[window.text], questions.answers[window.row]
            encoding = tokenizer.encode(QUESTION, text)
            takes = {"input_ids": encoding.ids, "attention_mask": encoding.attention_mask}
            if getattr(model.config, "type_vocab_size", 0) > 1:
                takes["token_type_ids"] = encoding.type_ids
            with torch.inference_mode():
                out = model(**{name: torch.tensor([ids]) for name, ids in takes.items()})
            begin = encoding.char_to_token(given[0][1], 1) if given else 0
            end = encoding.char_to_token(given[0][1] + len(given[0][0]) - 1, 1) if given else 0
            inside = torch.tensor([i == 0 or part == 1 for i, part in enumerate(encoding.sequence_ids)])
            expected = sum(
                -logits[0].masked_fill(~inside, -torch.inf).log_softmax(0)[place]
                for logits, place in ((out.start_logits, begin), (out.end_logits, end))
            )
            assert loss == pytest.approx(float(expected), abs=1e-3)


def test_each_of_several_answers_counts_as_much_as_it_was_given(encoder):
    """The loss of a question that two people answered one way and one another is the mean of the three."""
    text = "it was built in 1954 or so"
    wide, short = ("in 1954 or so", 13), ("1954", 16)
    slicer = Slicer(load_backbone(str(encoder), new_head=True).preparation)

    def loss(*answers: tuple[str, int]) -> float:
        windows, wanted = examples(cut([QUESTION], [text], np.array([(0, 0)]), slicer), [answers], seed=0)
        task = Reading(None, text_ends(windows), wanted, new=True)
        tokens = slicer.length(windows[0])
        scores = torch.arange(2.0 * tokens).reshape(1, tokens, 2).sin()
        return float(task.loss(np.arange(1), "cpu")(scores, torch.arange(1), 0.0))

    assert loss(wide) != pytest.approx(loss(short), abs=0.1)
    assert loss(short, wide, short) == pytest.approx((2 * loss(short) + loss(wide)) / 3, abs=1e-5)


def test_a_long_text_is_learned_from_where_the_answer_is_and_in_a_few_other_places(encoder):
    rng = random.Random(0)
    text, answers = text_with_a_year(rng, 20_000)
    slicer = Slicer(load_backbone(str(encoder), new_head=True).preparation)
    every = list(cut([QUESTION], [text], np.array([(0, 0)]), slicer))
    windows, wanted = examples(every, [answers], seed=0)
    assert len(every) > 70
    assert 1 <= (wanted[:, 0, 0] > 0).sum() <= 2  # windows overlap
    assert (wanted[:, 0, 0] == 0).sum() == 4
    again, _ = examples(every, [answers], seed=0)
    assert [w.first for w in windows] == [w.first for w in again]


def test_the_search_leaves_a_rate_that_teaches_nothing(encoder, tmp_path):
    """One recipe for BERT-tiny, at 0.00002, loses 17 F1 to another on SQuAD. From there the walk finds its way."""
    data = tmp_path / "towers.json"
    data.write_text(json.dumps(squad(documents=12, each=8)))
    questions, backbone = read_questions(data), load_backbone(str(encoder), new_head=True)
    slicer = Slicer(backbone.preparation)
    pairs = np.column_stack([np.arange(len(questions)), questions.context])
    windows, wanted = examples(cut(questions.questions, questions.contexts, pairs, slicer), questions.answers, seed=0)
    bodies = TextParts(open_for_training(backbone), as_texts(windows, slicer))
    runs = Runs(Reading(bodies, text_ends(windows), wanted, new=True), Checkpoint(tmp_path), StopSignal(left=lambda: 600.0))
    folds, low = np.arange(len(windows)) % 4, 2e-5
    tuned = finetune(runs, Choices([bodies.depths - 1], low), folds=folds, insist=False)
    first = tuned.trials[0]
    assert (first.recipe.rate, first.recipe.steps) == (low, tuned.recipe.steps)
    assert first.accuracy < 0.2
    assert tuned.recipe.rate > 50 * low
    assert tuned.verdict.tuned_accuracy > 0.9


def test_killed_and_run_again_ends_in_the_same_bytes(encoder, tmp_path, own_cache, monkeypatch):
    data = tmp_path / "towers.json"
    data.write_text(json.dumps(squad(documents=8, each=8)))
    killed(learning(data, encoder, tmp_path / "killed"), own_cache, "trial-*.weights.safetensors")
    assert not (tmp_path / "killed").exists()
    another_cache = cache_with_the_plan_of(own_cache, tmp_path / "another_cache")
    again = finished(learning(data, encoder, tmp_path / "killed"))
    assert not list(own_cache.glob("runs/*"))
    assert not list(own_cache.glob("tuned/*"))
    monkeypatch.setenv("HEADSTART_CACHE", another_cache)
    calm = finished(learning(data, encoder, tmp_path / "calm"))
    assert again["tuning"] == calm["tuning"]
    name = "model.safetensors"
    assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()


def test_what_was_done_before_is_for_the_same_documents_only(encoder, tmp_path, own_cache):
    """Folds go by document, so with other titles a run that was killed must begin anew."""

    class Killed(Exception):
        pass

    class UntilTraining(Silent):
        def tell(self, text: str) -> None:
            if " loss " in text:
                raise Killed

    for titles, checkpoints in (("document", 1), ("document", 1), ("part", 2)):
        content = squad(documents=8, each=4)
        for number, article in enumerate(content["data"]):
            article["title"] = f"{titles} {number // 2}"
        (tmp_path / "data.json").write_text(json.dumps(content))
        with pytest.raises(Killed):
            hs.fit(
                tmp_path / "data.json", model=str(encoder), budget="5m", out=tmp_path / "out", progress=UntilTraining()
            )
        assert len(list(own_cache.glob("runs/*"))) == checkpoints


@pytest.mark.parametrize("how", ["auto", "probe"])
def test_a_model_that_finds_answers_already_is_not_replaced_by_a_worse_one(years, tmp_path, how):
    (tmp_path / "data.json").write_text(json.dumps(squad(documents=8, each=8, without=True)))
    reader = hs.fit(tmp_path / "data.json", model=str(years), how=how, out=tmp_path / "out")
    assert reader.summary["how"] == "probe"
    assert reader.summary["exact_match"] == 1.0
    before, after = load_file(years / "model.safetensors"), load_file(tmp_path / "out" / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert hs.load(tmp_path / "out").answer(QUESTION, "a bridge 1931 of the king")[0].text == "1931"


def table(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    """A file of (part, context, answer), each a document of its own."""
    with (folder / "data.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["split", "context", "question", "answer"])
        writer.writerows([part, text, QUESTION, answer] for part, text, answer in rows)
    return folder / "data.csv"


def test_the_threshold_is_fitted_on_questions_from_all_over_the_file(years, tmp_path):
    """More questions than are read for it, those without an answer last."""
    rows = [("train", f"the tower {number} 1931", "1931") for number in range(600)]
    rows += [("train", f"old tower {number}", "") for number in range(60)]
    data = table(tmp_path, [*rows, ("test", "a bridge 1940", "1940"), ("test", "bridge", "")])
    reader = hs.fit(data, model=str(years), how="probe", out=tmp_path / "out")
    assert reader.summary["threshold"] is not None
    assert reader.summary["exact_match"] == 1.0


@pytest.mark.parametrize("without", [0, 3])
def test_why_no_answer_is_never_given_is_true(without, years, tmp_path):
    """Where there is a year in texts without an answer, this model cannot tell that it is not asked for."""
    rows = [("train", f"the tower {number} 1931", "1931") for number in range(30)]
    rows += [("train", f"the tower {number} 1932", "") for number in range(without)]
    data = table(tmp_path, [*rows, ("test", "a bridge 1940", "1940")])
    reader = hs.fit(data, model=str(years), how="probe", out=tmp_path / "out")
    assert reader.summary["threshold"] is None
    for page in ("README.md", "report.html"):
        assert ("every training question has an answer" in (tmp_path / "out" / page).read_text()) == (not without)


def of_short_windows(encoder: Path, folder: Path, *, tokens: int) -> Path:
    """The same encoder with fewer positions."""
    shutil.copytree(encoder, folder)
    tensors, name = load_file(encoder / "model.safetensors"), "embeddings.position_embeddings.weight"
    save_file(
        {**tensors, name: tensors[name][:tokens].clone()}, folder / "model.safetensors", metadata={"format": "pt"}
    )
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": tokens}))
    return folder


def test_settings_are_for_texts_that_are_read_whole(encoder, tmp_path):
    """Not only in the few windows that are learned from: the more is read, the likelier something looks like an
    answer."""
    rng = random.Random(0)
    texts = [text_with_a_year(rng, 80) for _ in range(20)]
    rows = [("test" if i >= 16 else "train", text, year) for i, (text, ((year, _),)) in enumerate(texts)]
    model = of_short_windows(encoder, tmp_path / "short", tokens=24)
    reader = hs.fit(table(tmp_path, rows), model=str(model), budget="90s", out=tmp_path / "out")
    each = len(list(cut([QUESTION], [texts[0][0]], np.array([(0, 0)]), reader.slicer)))
    fitted_on = reader.summary["tuning"]["settings_from"]
    assert each > 6
    assert fitted_on["windows"] == each * fitted_on["questions"] > 0


def test_a_text_is_read_in_part_where_all_of_it_is_too_much(encoder):
    """For the settings: texts whole as long as they fit, and else what holds the answers and some of the rest."""
    rng = random.Random(0)
    rows = [text_with_a_year(rng, 2000, year=bool(number % 2)) for number in range(8)]
    questions = replace(
        read_questions(pd.DataFrame({"context": [text for text, _ in rows], "question": QUESTION, "answer": ""})),
        answers=[answers for _, answers in rows],
    )
    slicer = Slicer(load_backbone(str(encoder), new_head=True).preparation)
    every = list(cut(questions.questions, questions.contexts, questions.pairs, slicer))
    each = len(every) // 8

    def asked(most: int, known: set[tuple[int, int]] = frozenset()) -> list[tuple[int, int]]:
        found = as_asked(questions, np.arange(8), slicer, most=most, seed=0, known=known)
        return [(window.row, window.first) for window in found]

    assert set(asked(10_000)) == {(window.row, window.first) for window in every}
    part = asked(24)
    assert len(part) == len(set(part)) <= 24 + 8  # a window more where two hold the answer
    assert Counter(row for row, _ in part).keys() == set(range(8))
    holding = [
        (w.row, w.first) for w in every if questions.answers[w.row] and w.target(*place(questions, w.row))[0] > 0
    ]
    assert len(holding) >= 4
    assert set(holding) <= set(part)
    assert asked(24) == part
    known = {(window.row, window.first) for window in every if window.row < 6}
    assert set(asked(2 * each, known)) == set(asked(10_000))


def place(questions: Questions, row: int) -> tuple[int, int]:
    ((text, start),) = questions.answers[row]
    return start, start + len(text)


def long_answers(*lengths: int) -> list[tuple[str, str, str]]:
    """Rows for `table`: texts of 60 words, each with a year from which the answer goes on for so many words in all."""
    rng, rows = random.Random(0), []
    for number, length in enumerate(lengths):
        words = text_with_a_year(rng, 60, year=False)[0].split()
        words[10], words[10 + length : 10 + length] = rng.choice(YEARS), [str(number)]
        rows.append(("test" if number % 4 == 3 else "train", " ".join(words), " ".join(words[10 : 10 + length])))
    return rows


def test_how_long_answers_are_is_learned_and_too_long_ones_are_left_out(encoder, tmp_path):
    """Of windows of 40 tokens 32 are the text's."""
    data = table(tmp_path, long_answers(*[20] * 17, 36, 18, 20))
    model = of_short_windows(encoder, tmp_path / "short", tokens=40)
    told = hs.fit(data, model=str(model), budget="60s", out=tmp_path / "out").summary
    assert (told["longest"], told["n_train"], told["n_test"]) == (20, 14, 5)
    (finding,) = [finding for finding in told["findings"] if finding["kind"] == "long-answer"]
    assert finding["where"].endswith("row 18")
    assert "its answer has 36 tokens" in finding["reason"]
    assert any("1 training questions are not learned from: no window" in note for note in told["notes"])
    assert hs.load(tmp_path / "out").settings.longest == 20
    card = (tmp_path / "out" / "README.md").read_text()
    assert "max_answer_len=20" in card
    assert "tril(20 - 1)" in card
    assert "20 tokens" in card


def test_what_no_window_holds_is_nothing_to_learn_from(encoder, tmp_path):
    model = of_short_windows(encoder, tmp_path / "short", tokens=40)
    with pytest.raises(UserError, match="no answer lies within a window"):
        hs.fit(table(tmp_path, long_answers(*[36] * 8)), model=str(model), out=tmp_path / "out")


def test_a_model_as_it_is_learns_how_long_answers_are(years, tmp_path):
    reader = hs.fit(
        table(tmp_path, long_answers(*[30] * 8)), model=str(years), how="probe", out=tmp_path / "out"
    )
    assert reader.settings.longest == 30


def test_it_is_said_where_every_place_is_a_guess(years, tmp_path):
    rows = [("test" if i > 5 else "train", f"the tower {i} was built 1931 or 1931", "1931") for i in range(8)]
    told = hs.fit(table(tmp_path, rows), model=str(years), how="probe", out=tmp_path / "out").summary
    assert told["n_train"] == 6
    assert any("each training answer is in its text more than once" in note for note in told["notes"])


def test_adapters_are_merged(tmp_path):
    """Into the matrices of the layers that were trained, under their own names; all other weights have their bytes."""
    (tmp_path / "encoder").mkdir()
    small_reading_model("bert", tmp_path / "encoder", words=WORDS)
    headless(tmp_path / "encoder")
    (tmp_path / "data.json").write_text(json.dumps(squad(documents=8, each=8)))
    reader = hs.fit(
        tmp_path / "data.json", model=str(tmp_path / "encoder"), how="lora", budget="5m", out=tmp_path / "out"
    )
    assert reader.summary["how"] == "lora"
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("encoder", "out"))
    assert after.keys() - before.keys() == {"qa_outputs.weight", "qa_outputs.bias"}
    depth = reader.summary["tuning"]["recipe"]["depth"]
    low_rank_only(before, after, tuple(f".layer.{number}." for number in range(3 - depth, 3)))


def test_a_table_with_test_questions_of_its_own(encoder, tmp_path):
    rng = random.Random(0)
    for name, rows in (("train", 60), ("test", 12)):
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["context", "question", "answer"])
            for number in range(rows):
                text, ((year, _),) = text_with_a_year(rng, 12)
                writer.writerow([f"{text} {year}" if number == 0 else text, QUESTION, year])
    reader = hs.fit(
        tmp_path / "train.csv", model=str(encoder), test=tmp_path / "test.csv", budget="5m", out=tmp_path / "out"
    )
    told = reader.summary
    assert (told["n_train"], told["n_test"], told["split"]) == (59, 12, "official")
    assert any("1 training questions are not learned from" in note for note in told["notes"])
    assert told["threshold"] is None
    assert {f["kind"] for f in told["findings"]} == {"unsure-offset"}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"documents": 1}, DataError, "all questions are about one document"),
        ({"how": "probe"}, UserError, "no head that finds answers"),
        ({"budget": "0.5s"}, UserError, "no time to tune within 0 s"),
        ({"model": "images"}, ModelError, "does not read texts"),
        ({"how": "best"}, UserError, "unknown way 'best'"),
    ],
)
def test_what_cannot_be_done_is_said(change, error, words, encoder, tmp_path):
    documents = change.pop("documents", 4)
    if change.get("model"):
        small_image_model("resnet18", tmp_path / "images")
        change["model"] = str(tmp_path / "images")
    (tmp_path / "data.json").write_text(json.dumps(squad(documents=documents, each=6)))
    with pytest.raises(error, match=words):
        hs.fit(tmp_path / "data.json", **{"model": str(encoder), "out": tmp_path / "out", **change})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("title", "answerable"), [("one", "1954"), ("two", "\u200b")])
def test_one_question_is_not_enough_to_train_on(title, answerable, encoder, tmp_path):
    """Neither one in windows of a long text, nor one beside another whose answer the model has no token for."""
    long, _ = text_with_a_year(random.Random(0), 900, year=False)
    rows = [("train", "one", f"{long} 1931", "1931"), ("test", "test", "a tower 1960", "1960")]
    if title == "two":
        rows.append(("train", title, f"a house {answerable} was built", answerable))
    with (tmp_path / "data.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["split", "title", "context", "question", "answer"])
        writer.writerows([part, title, text, QUESTION, answer] for part, title, text, answer in rows)
    with pytest.raises(UserError, match=r"one question to learn from[\s\S]*another is needed") as error:
        hs.fit(tmp_path / "data.csv", model=str(encoder), out=tmp_path / "out")
    assert str(error.value).count("\n") <= 1


def test_a_saved_reader_that_was_changed_is_refused(fitted, tmp_path):
    out, _, _ = fitted
    shutil.copytree(out, tmp_path / "copy")
    weights = bytearray((tmp_path / "copy" / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "copy" / "model.safetensors").write_bytes(weights)
    with pytest.raises(ModelError, match="not those that were saved"):
        hs.load(tmp_path / "copy")


def test_a_saved_reader_is_a_model_for_the_next_fit(fitted, tmp_path, questions):
    out, _, _ = fitted
    (tmp_path / "more.json").write_text(json.dumps(squad(documents=4, each=6, without=True, seed=9)))
    reader = hs.fit(tmp_path / "more.json", model=str(out), out=tmp_path / "second")
    assert reader.summary["why_how"].endswith("too few to prove that training is better (200)")
    texts, labels = zip(*questions, strict=True)
    model = hs.fit(texts, labels, model=str(out), how="probe")
    assert set(model.classes) == set(labels)


def test_the_fit_of_classes_says_where_questions_go(tmp_path):
    (tmp_path / "data.json").write_text(json.dumps(squad(documents=2, each=2)))
    with pytest.raises(DataError, match=r"these are questions about texts[\s\S]*fit_reader"):
        hs.fit(tmp_path / "data.json", out=tmp_path / "out")
