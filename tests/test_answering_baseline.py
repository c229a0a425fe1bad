"""What a model that answers questions has to beat: the sentence most like the question."""

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

import numpy as np
import pyarrow as pa
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from headstart.answering.baseline import by_sentence
from headstart.answering.metrics import score
from headstart.answering.sentences import sentences
from headstart.values import Dataset
from reading import read_questions
from test_answering_page import ASKED, questions


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
    """Eight times as many take about eight times as long; where every mark is tried from every other, sixty times."""

    def least(count: int) -> float:
        """Seconds of this thread, at best: so the machine's speed, and what else it does, cancel out."""
        took = []
        for _ in range(5):
            began = time.thread_time()
            assert sum(1 for _ in sentences(piece * count)) <= 1
            took.append(time.thread_time() - began)
        return min(took)

    assert least(40_000) < 25 * max(least(5_000), 1e-5)
