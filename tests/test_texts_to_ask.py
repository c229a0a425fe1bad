"""Texts that questions are asked of, and options of `fit` that questions do not have: nothing is assumed in silence."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

import headstart as hs
from headstart.errors import DataError
from headstart.inputs.text import read_text
from small_models import QUESTION, text_with_a_year


def answered(model: Path, content: bytes) -> tuple[int, str, str]:
    """Of a text on standard input, where Python takes UTF-8 strictly."""
    arguments = [sys.executable, "-m", "headstart", "answer", model, QUESTION, "--context", "-", "--json"]
    env = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(list(map(str, arguments)), input=content, capture_output=True, env=env)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
def test_a_file_that_is_not_utf_8_is_refused_with_the_place(before, tmp_path):
    (tmp_path / "manual.txt").write_bytes(before + "Tür\n".encode() + "Café".encode("latin-1"))
    with pytest.raises(DataError) as error:
        read_text(tmp_path / "manual.txt")
    for words in ("manual.txt", "not UTF-8", "byte 0xe9", f"at {8 + len(before)}", "line 2", "save it as UTF-8"):
        assert words in str(error.value)


def test_standard_input_is_read_as_files_are(years):
    code, out, err = answered(years, b"\xef\xbb\xbfthe old city\r\nthe tower was built in 1954")
    assert code == 0, err
    best = json.loads(out)["answers"][0]
    assert (best["answer"], best["start"]) == ("1954", "the old city\r\nthe tower was built in 1954".index("1954"))
    code, out, err = answered(years, b"the caf\xe9 was built in 1954")
    assert code == 0, err
    assert "standard input: not UTF-8, read as cp1252; --encoding NAME takes another" in err
    code, out, err = answered(years, b"the caf\x81 was built in 1954")
    assert (code, out) == (2, "")
    assert "standard input: not UTF-8: byte 0x81 at 7" in err
    assert "Traceback" not in err


def test_columns_of_classes_are_not_dropped_in_silence(years, tmp_path, command):
    rows = [{"context": "it was built in 1954", "question": QUESTION, "answer": "1954", "topic": "towers"}] * 4
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for option in ("--text", "--image", "--label"):
        code, out, err = command("fit", "rows.jsonl", "--task", "question-answering", option, "topic")
        assert (code, out) == (2, "")
        assert f"error: {option}: not for questions" in err


@pytest.mark.parametrize("share", [0, 1])
def test_a_whole_number_is_no_share(share, years, tmp_path, questions):
    made = [text_with_a_year(random.Random(number), 12) for number in range(8)]
    rows = [{"context": text, "question": QUESTION, "answer": answers[0][0]} for text, answers in made]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = "1 is not a share between 0 and 1" if share else "nothing is held out"
    with pytest.raises(DataError, match=said):
        hs.fit(tmp_path / "rows.jsonl", model=str(years), how="probe", test=share, out=tmp_path / "out")
    texts, labels = zip(*questions, strict=True)
    with pytest.raises(DataError, match=said):
        hs.fit(texts, labels, model="all-minilm-l6-v2", how="probe", test=share)
