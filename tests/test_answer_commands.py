"""Ask a model by command: what is printed, as JSON and for people, and what is said of what cannot work."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys

import pytest

from small_hub import SmallHub
from small_models import QUESTION, small_text_model
from test_answer import questions_file


def test_evaluate_by_command_on_a_model_that_never_says_nothing(years, tmp_path, command):
    folder = tmp_path / "saved"
    shutil.copytree(years, folder)
    (folder / "headstart.json").write_text(json.dumps({"reader": {"threshold": None, "temperature": 2.0}}))
    data = questions_file(tmp_path)
    code, out, err = command("evaluate", folder, data, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["answerable"] == {"n": 39, "exact_match": 1.0, "f1": 1.0}
    assert told["unanswerable"]["n"] == 20
    assert told["unanswerable"]["exact_match"] < 0.2  # but for an answer "a" or "the", which SQuAD reads as none
    assert set(told["errors"]) == {"answered without one"}
    assert told["exact_match"] == pytest.approx(1 - told["errors"]["answered without one"] / 59, abs=1e-6)
    assert told["mistakes"][0]["true"] == ""
    assert (told["n_rejected"], told["findings"][0]["kind"]) == (1, "answer-outside")
    low, high = told["exact_match_interval"]
    assert low < told["exact_match"] < high
    code, out, err = command("evaluate", folder, data)
    assert code == 0, err
    for words in ("exact match  0.6", "30 documents", "with answer  39: exact match 1.000", "1 questions"):
        assert words in out


def test_predict_by_command(years, command):
    code, out, err = command("predict", years, QUESTION, "the tower was built in 1954", "--json")
    assert code == 0, err
    (row,) = json.loads(out)["predictions"]
    assert (row["input"], row["answer"], row["start"], row["end"]) == (QUESTION, "1954", 23, 27)
    code, out, err = command("predict", years, QUESTION, "the tower was built in 1954")
    assert (code, out) == (0, f"{QUESTION}: 1954 1.00\n"), err


def test_answer_by_command(years, tmp_path, command):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfthe old city\r\nA house was built in 1954. the river is old.\r\n")
    (tmp_path / "b.txt").write_text("the bridge came from north")
    code, out, err = command("answer", years, QUESTION, "--context", "b.txt", "a.txt", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert set(told) == {"model", "question", "answers"}
    (best,) = told["answers"]
    text = (tmp_path / "a.txt").read_bytes().decode("utf-8-sig")
    assert (best["answer"], best["context"]) == ("1954", "a.txt")
    assert text[best["start"] : best["end"]] == "1954"
    assert best["sentence"][best["offset"] :].startswith("1954")
    assert 0.5 < best["confidence"] <= 1
    code, out, err = command("answer", years, QUESTION, "--context", "a.txt")
    assert code == 0, err
    assert "1954  1.00" in out
    assert "[[1954]]" in out
    assert f"characters {best['start']}-{best['end']}" in out
    code, out, err = command("answer", years, QUESTION, "--context", "-", stdin="the river is old")
    assert (code, out.split("  ")[0]) == (0, "no answer"), err


def test_on_a_terminal_the_answer_is_bold(years, tmp_path):
    (tmp_path / "text.txt").write_text("the tower was built in 1954 \x1b[31mby a king")
    ours, theirs = pty.openpty()
    arguments = [sys.executable, "-m", "headstart", "answer", years, QUESTION, "--context", tmp_path / "text.txt"]
    subprocess.run(list(map(str, arguments)), stdout=theirs, stderr=subprocess.DEVNULL, check=True)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    os.close(theirs)
    assert "\x1b[1m1954\x1b[0m" in shown
    assert "\x1b[31m" not in shown  # what a text says is not obeyed by the terminal


def test_a_model_of_the_hub_as_it_is(years, tmp_path, command):
    (tmp_path / "text.txt").write_text("the tower was built in 1954")
    with SmallHub({"org/reader": years}) as hub:
        env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": ""}
        code, out, err = command("answer", "org/reader", QUESTION, "--context", "text.txt", "--json", **env)
        assert code == 0, err
        assert json.loads(out)["answers"][0]["answer"] == "1954"
        code, out, err = command("predict", "org/reader", "some text", **env)
        assert (code, "headstart answer MODEL QUESTION" in err) == (2, True)


def test_commands_that_cannot_work(years, tmp_path, command):
    small_text_model("bert", tmp_path / "classifier")
    shutil.copytree(years, tmp_path / "mute")
    (tmp_path / "mute" / "tokenizer.json").unlink()
    shutil.copytree(years, tmp_path / "edited")
    (tmp_path / "edited" / "headstart.json").write_text('{"reader": {"heat": 2}}')
    shutil.copytree(years, tmp_path / "sure")
    (tmp_path / "sure" / "headstart.json").write_text('{"reader": {"temperature": 2}}')
    (tmp_path / "text.txt").write_text("the tower was built in 1954")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "binary.txt").write_bytes(b"PK\0\0")
    (tmp_path / "table.csv").write_text("text,label\nfine,good\n")
    here = ("--context", "text.txt")
    for arguments, words in (
        (("answer", years, QUESTION), ["no text to look in", "--context"]),
        (("answer", years, QUESTION, "--context", "missing.txt"), ["No such file", "missing.txt"]),
        (("answer", years, QUESTION, "--context", "binary.txt"), ["not a text file", "binary.txt"]),
        (("answer", years, QUESTION, "--context", "empty.txt"), ["empty context"]),
        (("answer", years, " ", *here), ["empty question"]),
        (("answer", "classifier", QUESTION, *here), ["does not find answers", "ForQuestionAnswering"]),
        (("answer", "efficientnet_lite0", QUESTION, *here), ["does not find answers"]),
        (("answer", "mute", QUESTION, *here), ["no tokenizer.json", "mute"]),
        (("answer", "edited", QUESTION, *here), ["damaged", "headstart.json"]),
        (("answer", "nowhere/", QUESTION, *here), ["no such file or folder"]),
        (("predict", "sure", "some text"), ["'some text' is no question with a text", "finds answers in texts"]),
        (("predict", years, "some text"), ["finds answers in texts", "headstart answer MODEL QUESTION"]),
        (("evaluate", years, "table.csv"), ["no column 'context'"]),
    ):
        code, out, err = command(*arguments)
        assert (code, out) == (2, ""), (arguments, err)
        error = err[err.index("error: ") :].strip()
        assert error.count("\n") <= 1, err
        for word in words:
            assert word in error, (arguments, err)
