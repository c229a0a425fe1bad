"""Texts longer than a model reads, and texts that it cannot read: how many and how much is said, and what is better."""

from __future__ import annotations

import csv
import json
import random
import re

import numpy as np
import pytest

import headstart as hs
from headstart.errors import UserError
from own_clock import by_looks
from topics import MINI, PROBE, TOPICS

WORDS = ("river", "bank", "tree", "house", "walk", "light", "stone", "north", "paper", "glass", "cloud", "street")
LABELS = ("food", "music")
READS = 24  # tokens, so that texts need not be long to be too long


def documents(n: int, *, words: int = 60, at_the_end: bool = True, seed: int = 0) -> list[tuple[str, str]]:
    """Texts of words that say nothing, and one sentence that says what they are about."""
    rng, made = random.Random(seed), []
    for number in range(n):
        label = LABELS[number % 2]
        filler, told = " ".join(rng.choice(WORDS) for _ in range(words)), TOPICS[label][number // 2 % 6]
        parts = (filler, told) if at_the_end else (told, filler)
        made.append((" ".join(parts), label))
    return made


def table(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


@pytest.fixture(scope="module")
def at_the_end(tmp_path_factory):
    """A model of documents that say at their end what they are about; every third one is short."""
    folder = tmp_path_factory.mktemp("long")
    rows = [row if i % 3 else (row[0][-30:], row[1]) for i, row in enumerate(documents(120))]
    data = table(folder / "documents.csv", rows)
    return hs.fit(data, out=folder / "model", max_length=READS, **MINI), rows


def test_an_answer_at_the_end_of_long_texts_is_found(at_the_end, tmp_path):
    model, _ = at_the_end
    assert model.scores.accuracy > 0.9
    (note,) = (note for note in model.summary["notes"] if "windows" in note)
    assert "held-out training examples accuracy" in note
    assert not [caution for caution in model.record.cautions if caution.kind == "cut-texts"]  # all of it is read
    opened = hs.load(model.folder)
    assert opened.backbone.texts.max_length == READS
    others = documents(40, seed=1)
    assert opened.evaluate([text for text, _ in others], [label for _, label in others]).scores.accuracy > 0.9
    texts = [text for text, _ in others]
    together, alone = opened.predict_proba(texts), np.concatenate([opened.predict_proba([text]) for text in texts[:4]])
    assert np.allclose(together[:4], alone, atol=1e-3)


@pytest.mark.parametrize("task", ["regression", "multilabel"])
def test_numbers_and_several_labels_of_long_texts(task):
    texts, labels = zip(*documents(120), strict=True)
    targets = {
        "regression": [label_number + number / 1000 for number, label_number in enumerate(map(len, labels))],
        "multilabel": [[label, "all"] if i % 3 else [label] for i, label in enumerate(labels)],
    }[task]
    model = hs.fit(list(texts), targets, max_length=READS, task=task, **MINI)
    assert model.backbone.config["windows"] == "mean"
    assert any("are read in windows" in note for note in model.record.notes)


def test_the_card_of_a_model_that_reads_windows_says_the_same(at_the_end, capsys, monkeypatch):
    model, rows = at_the_end
    monkeypatch.chdir(model.folder.parent)
    code = (model.folder / "README.md").read_text().split("```python")[-1].split("```")[0]
    for text, _ in rows[:3]:  # a short one among them
        exec(code.replace('"a text"', repr(text)), {})
        label, probability = capsys.readouterr().out.split()
        (said,) = model.predict([text])
        assert (label, round(float(probability), 2)) == (said.label, round(said.probability, 2))


@pytest.mark.parametrize(
    "format", ["openvino", *(pytest.param(name, marks=pytest.mark.check) for name in ("onnx", "torch", "transformers"))]
)
def test_what_reads_windows_is_exported_with_them(at_the_end, tmp_path, format):
    model, rows = at_the_end
    exported = model.export(tmp_path / "exported", format=format, inputs=[text for text, _ in rows[:12]])
    assert json.loads((tmp_path / "exported" / "model.json").read_text())["texts"]["windows"] == 16
    assert exported.proof.same_top1 == exported.proof.n


def test_short_texts_have_the_features_that_they_always_had(at_the_end):
    from headstart.data.check import check
    from headstart.encode.long_texts import cut_off
    from headstart.tasks.modalities import TEXT
    from headstart.tasks.table import task_named
    from headstart.values import Dataset

    model, rows = at_the_end
    texts = [text for text, _ in rows[:6]]
    dataset = check(
        Dataset(task_named("classification"), TEXT, "x", texts, [None] * 6, list("abcdef")), purpose="predict"
    )
    windowed, plain = (
        TEXT.encode(dataset, np.arange(6), backbone).matrix[:] for backbone in (model.backbone, cut_off(model.backbone))
    )
    same = [bool((a == b).all()) for a, b in zip(windowed, plain, strict=True)]
    assert same == [True, False, False, True, False, False]


def test_texts_that_begin_with_what_counts_are_read_as_before_and_what_is_cut_is_said(tmp_path, command):
    data = table(tmp_path / "documents.csv", documents(120, at_the_end=False))
    code, printed, err = command("fit", data, "--max-length", READS, "--json", *PROBE, "--out", tmp_path / "model")
    assert code == 0, err
    told = json.loads(printed)
    assert re.search("windows of long texts are not (clearly )?better", " ".join(told["notes"]))
    (caution,) = (each["text"] for each in told["warnings"] if each["kind"] == "cut-texts")
    assert "120 of 120 texts are longer than the 24 tokens" in caution
    assert "--max-length 512" in caution
    lost = int(caution.split("%")[0].rsplit(" ", 1)[1])
    assert 50 < lost < 80
    assert f"warning: {caution}" in err
    code, printed, err = command("evaluate", tmp_path / "model", data, "--json")
    assert "cut-texts" in [each["kind"] for each in json.loads(printed)["warnings"]]
    code, _, err = command("predict", tmp_path / "model", documents(1)[0][0])
    assert code == 0
    assert "1 of 1 text is longer than the 24 tokens" in err


def test_one_long_text_among_many_is_a_note():
    rows = [*documents(59, words=3), ("word " * 50, "food")]
    texts, labels = zip(*rows, strict=True)
    model = hs.fit(list(texts), list(labels), max_length=READS, **MINI)
    assert any("1 of 60 texts" in note for note in model.summary["notes"])
    assert "cut-texts" not in [caution.kind for caution in model.record.cautions]


def test_windows_are_left_where_there_is_no_time_for_them(tmp_path):
    texts, labels = zip(*documents(120, seed=7), strict=True)
    with by_looks(tick=0.5):
        model = hs.fit(list(texts), list(labels), max_length=READS, budget=8, **MINI)
    assert "windows" not in model.backbone.config
    assert any("--budget" in note and "windows" in note for note in model.summary["notes"])


def test_training_starts_from_the_beginning_of_texts_and_has_to_beat_the_windows():
    texts, labels = zip(*documents(60), strict=True)
    with by_looks():
        model = hs.fit(list(texts), list(labels), max_length=READS, model=MINI["model"], budget=2)
    assert model.scores.accuracy > 0.9
    assert model.record.method in ("probe", "tune")
    assert ("windows" in model.backbone.config) == (model.record.method == "probe")


@pytest.mark.parametrize("length", [2, 513])
def test_a_length_that_the_model_has_no_positions_for_is_refused(length):
    texts, labels = zip(*documents(40), strict=True)
    with pytest.raises(UserError, match=r"reads 8 to 512 tokens of a text") as error:
        hs.fit(list(texts), list(labels), max_length=length, **MINI)
    assert "max_length 512" in str(error.value)


def test_photos_and_questions_have_no_length(photos, years, tmp_path, command):
    code, _, err = command("fit", photos, "--max-length", 100, "--model", "efficientnet_lite0", *PROBE[2:])
    assert code == 2
    assert "does not read texts" in err
    row = {"question": "When was it built?", "answer": "1954"}
    rows = [{**row, "context": f"tower {i} of {TOPICS['food'][i % 6]} was built in 1954"} for i in range(20)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, _, err = command("fit", tmp_path / "rows.jsonl", "--max-length", 100, "--model", years)
    assert code == 2
    assert "in windows" in err


STRANGE = ["ሰላም ዓለም", "እንዴት ነህ", "መልካም ቀን", "ቡና እፈልጋለሁ"]


def test_texts_in_characters_that_the_model_does_not_know_are_said(tmp_path, command):
    rows = documents(60, words=3) + [
        (f"{STRANGE[i % 4]} {STRANGE[i // 4 % 4]} {'ን' * (i + 1)}", "food") for i in range(12)
    ]
    data = table(tmp_path / "rows.csv", rows)
    code, printed, err = command("fit", data, "--json", *PROBE, "--out", tmp_path / "model")
    assert code == 0, err
    told = json.loads(printed)
    (caution,) = (each["text"] for each in told["warnings"] if each["kind"] == "unknown-characters")
    assert "12 of 72 texts" in caution
    assert "another --model" in caution
    found = [each["where"] for each in told["findings"] if each["kind"] == "unknown-characters"]
    assert sorted(found) == sorted(f"rows.csv row {n}" for n in range(61, 73))
    code, _, err = command("predict", tmp_path / "model", STRANGE[0])
    assert code == 0
    assert "characters that the model does not know" in err
    code, _, err = command("predict", tmp_path / "model", "a bowl of soup 🍲, naïve café")
    assert "does not know" not in err


def test_odd_characters_go_through_every_command(tmp_path, command):
    """Half a character, NUL, what a terminal would obey: read, and never written to a terminal as they are."""
    rows = [{"text": said, "label": label} for said, label in documents(40, words=2)]
    for n, odd in enumerate(("half an emoji \ud83d", "a\0b", "\x1b[31mred\x1b[0m", "\u202eevil", "\ufeffmark")):
        rows[n]["text"] += odd
        for row in rows[n * 8 : n * 8 + 8]:
            row["label"] = odd
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    model, obeyed = tmp_path / "model", set("\0\x1b\u202e")
    for arguments in (
        ("fit", tmp_path / "rows.jsonl", *PROBE, "--out", model),
        ("evaluate", model, tmp_path / "rows.jsonl"),
        ("predict", model, "\x1b[31mred\x1b[0m"),
    ):
        code, out, err = command(*arguments)
        assert code == 0, err
        assert set(out + err) & obeyed == set()
    texts = [row["text"] for row in rows]
    assert not any(said.error for said in hs.load(model).predict(texts))
