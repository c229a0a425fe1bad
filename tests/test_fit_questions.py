"""Questions of the user's own: a model is trained, judged on other documents, saved, opened elsewhere, and resumed."""

from __future__ import annotations

import csv
import gzip
import json
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import headstart as hs
from fits import finished, fitting, killed
from headstart.errors import DataError, ModelError, UserError
from headstart.progress import Silent
from own_clock import by_looks
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


def small_encoder(folder: Path) -> Path:
    """A small BERT without a head, whose states tell years from other words."""
    from transformers import AutoModel

    folder.mkdir()
    model_that_finds_years(folder)
    AutoModel.from_pretrained(folder).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> Path:
    return small_encoder(tmp_path_factory.mktemp("encoder") / "small-bert")


@pytest.fixture(scope="session")
def fitted(tmp_path_factory, encoder):
    """Through the command line: the folder, what was printed, the data."""
    home = tmp_path_factory.mktemp("fitted")
    data = home / "towers.json"
    data.write_text(json.dumps(squad(documents=24, each=9, without=True)))
    return home / "out", finished(learning(data, encoder, home / "out")), data


def learning(data: Path, model: Path, out: Path, **halts: str) -> subprocess.Popen:
    return fitting(data, model, out, "--budget", "10m", how="auto", seconds_lost=15, **halts)


def test_questions_are_learned_from(fitted, command):
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
    opened, rng = hs.load(out), random.Random(1)
    texts = [text_with_a_year(rng, rng.randint(3, 60))[0] for _ in range(200)]
    ours = [opened.answer(QUESTION, text)[0].text for text in texts]
    same = [mine == reference_answer(model, tokenizer, QUESTION, text) for mine, text in zip(ours, texts, strict=True)]
    assert np.mean(same) >= 0.995


@pytest.mark.check
def test_killed_and_run_again_ends_in_the_same_bytes(encoder, tmp_path, own_cache, monkeypatch):
    data = tmp_path / "towers.json"
    data.write_text(json.dumps(squad(documents=8, each=8)))
    killed(learning(data, encoder, tmp_path / "killed", halts="wrote trial-*.weights.safetensors"))
    assert not (tmp_path / "killed").exists()
    again = finished(learning(data, encoder, tmp_path / "killed"))
    assert not list(own_cache.glob("runs/*"))
    assert not list(own_cache.glob("tuned/*"))
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "another_cache"))
    calm = finished(learning(data, encoder, tmp_path / "calm"))
    assert again["tuning"] == calm["tuning"]
    name = "model.safetensors"
    assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()


@by_looks()
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
@by_looks()
def test_a_model_that_finds_answers_already_is_not_replaced_by_a_worse_one(years, tmp_path, how):
    (tmp_path / "data.json").write_text(json.dumps(squad(documents=8, each=8, without=True)))
    learned = hs.fit(tmp_path / "data.json", model=str(years), how=how, out=tmp_path / "out")
    assert learned.summary["how"] == "probe"
    assert learned.summary["exact_match"] == 1.0
    before, after = load_file(years / "model.safetensors"), load_file(tmp_path / "out" / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert hs.load(tmp_path / "out").answer(QUESTION, "a bridge 1931 of the king")[0].text == "1931"


@by_looks()
def test_adapters_are_merged(tmp_path):
    """Into the matrices of the layers that were trained, under their own names; all other weights have their bytes."""
    (tmp_path / "encoder").mkdir()
    small_reading_model("bert", tmp_path / "encoder", words=WORDS)
    headless(tmp_path / "encoder")
    (tmp_path / "data.json").write_text(json.dumps(squad(documents=8, each=8)))
    learned = hs.fit(
        tmp_path / "data.json", model=str(tmp_path / "encoder"), how="lora", budget="5m", out=tmp_path / "out"
    )
    assert learned.summary["how"] == "lora"
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("encoder", "out"))
    assert after.keys() - before.keys() == {"qa_outputs.weight", "qa_outputs.bias"}
    depth = learned.summary["tuning"]["recipe"]["depth"]
    low_rank_only(before, after, tuple(f".layer.{number}." for number in range(3 - depth, 3)))


@by_looks()
def test_a_table_with_test_questions_of_its_own(encoder, tmp_path):
    rng = random.Random(0)
    for name, rows in (("train", 60), ("test", 12)):
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["context", "question", "answer"])
            for number in range(rows):
                text, ((year, _),) = text_with_a_year(rng, 12)
                writer.writerow([f"{text} {year}" if number == 0 else text, QUESTION, year])
    learned = hs.fit(
        tmp_path / "train.csv", model=str(encoder), test=tmp_path / "test.csv", budget="5m", out=tmp_path / "out"
    )
    told = learned.summary
    assert (told["n_train"], told["n_test"], told["split"]) == (59, 12, "official")
    assert any("1 training question is not learned from" in note for note in told["notes"])
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
@by_looks(1)
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


def test_a_saved_model_that_was_changed_is_refused(fitted, tmp_path):
    out, _, _ = fitted
    shutil.copytree(out, tmp_path / "copy")
    weights = bytearray((tmp_path / "copy" / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "copy" / "model.safetensors").write_bytes(weights)
    with pytest.raises(ModelError, match="not those that were saved"):
        hs.load(tmp_path / "copy")


@by_looks()
def test_a_saved_model_is_one_for_the_next_fit(fitted, tmp_path, questions):
    out, _, _ = fitted
    (tmp_path / "more.json").write_text(json.dumps(squad(documents=4, each=6, without=True, seed=9)))
    learned = hs.fit(tmp_path / "more.json", model=str(out), out=tmp_path / "second")
    assert learned.summary["why_how"].endswith("too few to prove that training is better (200)")
    texts, labels = zip(*questions, strict=True)
    model = hs.fit(texts, labels, model=str(out), how="probe")
    assert set(model.classes) == set(labels)


@pytest.mark.parametrize("asked", [{"task": "classification"}, {"kind": "text"}])
@pytest.mark.parametrize("name", ["data.json", "data.json.gz", "articles.jsonl", "articles.parquet"])
def test_who_wants_classes_of_questions_is_told_what_they_are(name, asked, tmp_path):
    told = squad(documents=2, each=2)
    if name.endswith("parquet"):
        pd.DataFrame(told["data"]).to_parquet(tmp_path / name)
    else:
        lines = "\n".join(map(json.dumps, told["data"])) if name.endswith("jsonl") else json.dumps(told)
        (tmp_path / name).write_bytes(gzip.compress(lines.encode()) if name.endswith(".gz") else lines.encode())
    with pytest.raises(DataError, match=r"questions about texts[\s\S]*answering"):
        hs.check(tmp_path / name, **asked)


def test_questions_in_a_packed_file_are_questions(tmp_path):
    (tmp_path / "data.json.gz").write_bytes(gzip.compress(json.dumps(squad(documents=4, each=4)).encode()))
    dataset = hs.check(tmp_path / "data.json.gz").dataset
    assert (dataset.task.name, dataset.name) == ("answering", "data")
