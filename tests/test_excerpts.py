"""Texts that are cut from others: what was learned from the whole must not be asked of the piece."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import headstart as hs
from headstart.data.alike.equal import equal_pairs, group
from headstart.data.alike.excerpts import excerpts
from headstart.data.check import check
from headstart.data.split import folds, split
from headstart.inputs.text import normalised_hash, plain_words
from reading import read

FEWEST = 4  # words of an excerpt
PIECES = slice(0, 3), slice(3, None), slice(1, 7)  # of the words of a review
FIRST = ["wine", "shop", "film", "night", "train", "house", "story", "river"]


def sources(texts):
    hashes = np.frombuffer(b"".join(map(normalised_hash, texts)), np.uint8).reshape(-1, 16)
    twins = group(len(texts), equal_pairs(hashes))
    return {int(row): int(source) for row, source in excerpts(texts, twins)}


def slow(texts):
    """As `sources`, by comparing each text with each."""
    words = [plain_words(text).split() for text in texts]
    first = [row for row, mine in enumerate(words) if mine not in words[:row]]
    found = {}
    for row in first:
        mine = words[row]
        holds = [
            (len(words[other]), other)
            for other in first
            if len(words[other]) > len(mine) >= FEWEST
            and any(words[other][at : at + len(mine)] == mine for at in range(len(words[other])))
        ]
        if holds:
            found[row] = min(holds)[1]
    return found


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=10).map(" ".join), max_size=7))
def test_it_finds_what_comparing_each_with_each_finds(texts):
    assert sources(texts) == slow(texts)


def test_case_spacing_and_punctuation_make_no_difference():
    texts = ["A film, that\nloves its CHARACTERS!", "that loves  its characters", "quite another film"]
    assert sources(texts) == {1: 0}


def test_a_turn_of_phrase_joins_nothing():
    """A phrase that everybody uses is a piece of one of them, so that two that use it stay apart; or of none."""
    said = "i would recommend this to anyone"
    few = [said, f"{said} {FIRST[0]}", f"{said} {FIRST[1]} and more"]
    assert sources(few) == {0: 1}
    assert sources([said, *(f"{number} {said}" for number in range(100))]) == {}


def test_few_words_or_no_words_are_no_piece():
    assert sources(["a good film", "it is a good film indeed", "", ":-)", "..."]) == {}
    assert sources([]) == {}


@pytest.fixture
def reviews(tmp_path):
    """40 reviews of eight words, and three pieces of each, of which two are long enough to give it away."""
    lines = []
    for number in range(40):
        words = [f"{word}{number}" for word in FIRST]
        lines.append((" ".join(words), "good" if number % 2 else "bad"))
        for piece in PIECES:
            lines.append((" ".join(words[piece]), "good" if number % 3 else "bad"))
    table = tmp_path / "reviews.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *lines])
    return table


def test_pieces_stay_with_their_source(reviews):
    dataset = check(read(reviews))
    parts = split(dataset)
    number = np.array([text.split()[0].lstrip("abcdefghijklmnopqrstuvwxyz") for text in dataset.inputs], dtype=int)
    long = np.array([len(text.split()) >= FEWEST for text in dataset.inputs])
    train, test = (set(number[rows[long[rows]]].tolist()) for rows in (parts.train, parts.test))
    assert test
    assert not train & test
    fold = folds(dataset.y, dataset.checked_groups, dataset.checked_digests)
    assert all(len(set(fold[long & (number == n)].tolist())) == 1 for n in range(40))


def test_they_are_told_of_and_their_labels_are_their_own(reviews):
    found = check(read(reviews)).findings
    assert {finding.kind for finding in found} == {"excerpt"}
    assert len(found) == 80
    assert (found[0].where, found[0].rejected) == ("reviews.csv row 3", False)
    assert found[0].reason == "a piece of reviews.csv row 1; kept on one side of the split"


def test_the_sentences_of_one_document_are_told_of_and_dealt_out_all_the_same():
    sentences = [" ".join(f"{word}{number}" for word in FIRST) for number in range(20)]
    labels = ["good", "bad"] * 10
    dataset = check(read(([". ".join(sentences), *sentences], ["good", *labels])))
    assert [finding.kind for finding in dataset.findings] == ["excerpt"] * 20
    assert "is of too few texts to keep both on one side of the split" in dataset.findings[0].reason
    assert len(split(dataset).test) == 4


def test_a_piece_in_a_given_test_part_is_a_leak(reviews, tmp_path):
    with reviews.open(newline="") as file:
        head, *rows = csv.reader(file)
    for name, some in {"train": rows[0::4], "test": rows[2::4]}.items():
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([head, *some])
    dataset = check(read(tmp_path / "train.csv", test=tmp_path / "test.csv"))
    found = split(dataset).findings
    assert {finding.kind for finding in found} == {"leak"}
    assert {finding.where for finding in found} == {f"test.csv row {row}" for row in range(1, 41)}
    assert "of one text with" in found[0].reason


@pytest.mark.parametrize("words", [FIRST, FIRST[:5]])
def test_what_is_in_both_of_the_users_parts_is_not_said_to_be_kept_on_one_side(words, tmp_path):
    whole = [" ".join(f"{word}{number}" for word in FIRST) for number in range(20)]
    rows = [(text, "ab"[number % 2], "train") for number, text in enumerate(whole)]
    again = [(" ".join(f"{word}{number}" for word in words), "ab"[number % 2], "test") for number in range(6)]
    new = [(f"the {number}th of all new ones", "ab"[number % 2], "test") for number in range(20, 24)]
    with open(tmp_path / "t.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label", "split"), *rows, *again, *new])
    checked = hs.check(tmp_path / "t.csv")
    said = [finding.reason for finding in (*checked.dataset.findings, *checked.parts.findings)]
    assert len(said) == 12, "each is told of as what it is, and as a leak"
    assert not any("one side" in reason for reason in said)
