"""Quotation marks of tables, between tabs above all: they hold cells together, or are part of the texts."""

from __future__ import annotations

import csv
import io
from pathlib import PurePath

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headstart as hs
from reading import read

TEXTS = [f"what {word} is it {number}" for number in range(30) for word in ("card", "rate")]
LABELS = ["card", "rate"] * 30


def table(path, texts, how=csv.QUOTE_MINIMAL, **options):
    """As pandas writes it."""
    frame = pd.DataFrame({"text": texts, "label": (LABELS * 10)[: len(texts)]})
    frame.to_csv(path, sep="\t", index=False, quoting=how, **options)
    return path


def plain(path, texts, labels=LABELS):
    path.write_text("".join(f"{a}\t{b}\n" for a, b in [("text", "label"), *zip(texts, labels, strict=False)]))
    return path


@pytest.mark.parametrize("name", ["t.tsv", "t.csv", "t.txt", "t.tsv.gz"])
@pytest.mark.parametrize("how", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_cells_of_several_lines(name, how, tmp_path):
    texts = [text.replace(" ", "\n", 1) if number % 10 == 9 else text for number, text in enumerate(TEXTS)]
    found = read(table(tmp_path / name, texts, how))
    assert (list(found.inputs), list(found.targets)) == (texts, LABELS)
    assert found.findings == ()
    assert f"{name}: quotation marks hold cells together" in found.notes


def test_a_mark_that_comes_late_is_read_as_an_early_one(tmp_path):
    for at in (0, 250):
        texts = [*TEXTS, *TEXTS, *TEXTS, *TEXTS, *TEXTS]
        texts[at] = 'He said "hi" to me'
        assert list(read(table(tmp_path / "t.tsv", texts)).inputs) == texts


def test_a_table_with_a_row_that_is_too_long_has_whole_cells_too(tmp_path):
    path = table(tmp_path / "t.tsv", ["two\nlines", *TEXTS])
    path.write_text(path.read_text() + "a\tb\tc\n")
    found = read(path)
    assert (found.inputs[0], len(found), len(found.findings)) == ("two\nlines", 61, 1)


@pytest.mark.parametrize(
    "odd",
    {
        "one that does not end its cell": ['" It is good , " he said', "yes"],
        "one without a partner": ['"why', "yes"],
        "around a sentence": ['"Why not?"', "yes, why"],
        "partners in two rows": ['"It is good', 'he said"'],
        "partners in rows far away": ['"It is good', *TEXTS, 'he said"'],
        "doubled": ['""Why"" he said', "yes"],
        "a row too long": ['" It is good , " he said', "yes\tno"],
    }.values(),
    ids=str,
)
@pytest.mark.parametrize("before", [0, 59])
def test_marks_that_are_part_of_texts_stay(odd, before, tmp_path):
    texts = [*TEXTS[:before], *odd, *TEXTS[before:]]
    labels = [("card", "rate")[number % 2] for number in range(len(texts))]
    found = read(plain(tmp_path / "t.tsv", texts, labels))
    whole = [text for text in texts if "\t" not in text]
    assert list(found.inputs) == whole
    assert any("quotation marks are read as they stand" in note for note in found.notes)


def test_nothing_is_said_of_marks_within_cells(tmp_path):
    texts = ['12" and 13"', *TEXTS]
    found = read(plain(tmp_path / "t.tsv", texts, ["rate", *LABELS]))
    assert list(found.inputs) == texts
    assert not any("quotation" in note for note in found.notes)


def test_a_mark_without_its_partner_among_cells_of_several_lines_is_said(tmp_path):
    several = table(tmp_path / "t.tsv", [text.replace(" ", "\n", 2) for text in TEXTS])
    several.write_text(several.read_text().replace('it 3"', "it 3", 1))
    said = hs.check(several).dataset.notes
    assert any("quotation marks hold cells together, though one in line 23 or before" in note for note in said)


# A lone "0.TXT" among blank cells is the name of a file: that such a table is refused is another test's.
A_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\t"), max_size=12).filter(
    lambda text: PurePath(text.strip()).suffix == ""
)


@settings(max_examples=60, deadline=None)
@given(st.lists(A_TEXT, min_size=4, max_size=8), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_a_program_has_written_between_tabs_is_read_as_it_was(tmp_path_factory, texts, how):
    file = io.StringIO(newline="")
    rows = [("text", "label"), *zip(texts, LABELS, strict=False)]
    csv.writer(file, delimiter="\t", quoting=how, lineterminator="\r\n").writerows(rows)
    path = tmp_path_factory.mktemp("t") / "t.tsv"
    path.write_text(file.getvalue(), encoding="utf-8", newline="")
    assert list(read(path).inputs) == texts


@pytest.mark.parametrize("name", ["t.csv", "t.txt", "t.tsv"])
@pytest.mark.parametrize("within", ["\u2028", "\u2029", "\x85", "\v", "\f", "\x1c"])
def test_characters_that_end_no_line(name, within, tmp_path):
    texts = [f"{text}, and{within}more" if number == 5 else text for number, text in enumerate(TEXTS)]
    found = read(plain(tmp_path / name, texts))
    assert (list(found.inputs), list(found.targets)) == (texts, LABELS)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_megabyte_that_ends_within_a_row(end, tmp_path):
    texts = [f"{number} " + "what card, or rate " * 2200 for number in range(40)]
    path = tmp_path / "t.csv"
    path.write_bytes(end.join(["text\tlabel", *(f"{a}\t{b}" for a, b in zip(texts, LABELS, strict=False))]).encode())
    assert list(read(path).inputs) == texts
