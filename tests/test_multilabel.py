"""Several labels an example: read as they are written, learned, and given where they reach their thresholds."""

from __future__ import annotations

import csv
import json
import pickle
import re

import numpy as np
import pytest

import headstart as hs
from headstart.errors import UserError
from topics import MINI, PROBE, TOPICS, mixed


@pytest.fixture(scope="module")
def labelled():
    """A model with labels, fitted in memory."""
    rows = mixed()
    return hs.fit([text for text, _ in rows], [names for _, names in rows], **MINI)


def written(path, rows, form):
    """A table of texts and labels, in one of the forms that such tables have."""
    if form == "lists":
        path = path.with_suffix(".jsonl")
        path.write_text("".join(json.dumps({"text": t, "labels": names}) + "\n" for t, names in rows))
        return path
    path = path.with_suffix(".csv")
    with path.open("w", newline="") as file:
        write = csv.writer(file).writerow
        if form == "separated":
            write(("text", "label"))
            for text, names in rows:
                write((text, "|".join(names) or "none"))
        else:
            write(("text", *TOPICS))
            for text, names in rows:
                write((text, *(int(name in names) for name in TOPICS)))
    return path


@pytest.mark.parametrize("form", ["lists", "separated", "columns"])
def test_labels_are_found_in_each_form_and_said(tmp_path, form):
    dataset = hs.check(written(tmp_path / "notes", mixed(), form)).dataset
    assert dataset.task.name == "multilabel"
    assert set(TOPICS) <= set(dataset.classes)
    assert (form == "lists") != any("task classification" in note or "0 and 1" in note for note in dataset.notes)
    assert [set(labels) & set(TOPICS) for labels in dataset.targets] == [set(names) for _, names in mixed()]


def test_a_model_gives_the_labels_above_their_thresholds(labelled, tmp_path):
    model = labelled
    assert model.classes == ("food", "music", "sport")
    assert {"micro_f1", "macro_f1", "map", "exact_match"} <= set(model.summary)
    assert model.scores.macro_f1 > 0.6 > model.scores.details["baseline"]["macro_f1"]
    (both,) = model.predict(["Tonight: a violin concert and then an apple pie."])
    assert {name for name, _ in both.labels} == {"food", "music"}
    saved = model.save(tmp_path / "saved")
    opened = hs.load(tmp_path / "saved")
    assert opened.predict(["a drum solo"])[0].labels == saved.predict(["a drum solo"])[0].labels
    scores = opened.evaluate([text for text, _ in mixed(40, 5)], [names for _, names in mixed(40, 5)]).scores
    assert scores.macro_f1 > 0.6
    _refused_without_its_thresholds(tmp_path / "saved")


def _refused_without_its_thresholds(saved):
    file = saved / "headstart.json"
    told = json.loads(file.read_text())
    for change, says in ({"thresholds": [0.5]}, "1 thresholds for 3 labels"), ({}, "head.thresholds is missing"):
        head = {key: value for key, value in told["head"].items() if key != "thresholds"} | change
        file.write_text(json.dumps(told | {"head": head}))
        with pytest.raises(UserError, match=says):
            hs.load(saved)


def test_a_model_in_memory_says_what_it_is_and_pickles(labelled, tmp_path):
    model = labelled
    first, second = repr(model).splitlines()
    assert first == "text multilabel: all-MiniLM-L6-v2, 3 labels: food, music, sport"
    assert second.startswith(("macro f1 0.", "macro f1 1."))
    assert "not saved" in second
    again = pickle.loads(pickle.dumps(model))
    assert again.predict(["a drum solo"]) == model.predict(["a drum solo"])
    assert again.summary == model.summary
    with pytest.raises(UserError, match="force=True"):
        model.save(tmp_path)


def test_labels_through_the_command_line(tmp_path, command):
    data, out = written(tmp_path / "notes", mixed(), "separated"), tmp_path / "out"
    code, printed, err = command("fit", data, *PROBE, "--out", out)
    assert code == 0, err
    assert "--task classification takes each cell as one class" in " ".join(err.split())
    assert printed.startswith("all-MiniLM-L6-v2 (probe)")
    assert "commonest labels" in printed
    code, printed, err = command("predict", out, "a drum solo", "--json")
    (row,) = json.loads(printed)["predictions"]
    assert [label["label"] for label in row["labels"]] == ["music"]
    code, printed, err = command("evaluate", out, data)
    assert code == 0, err
    figures = {line[:24].strip(): line[24:].split()[0] for line in printed.splitlines()}
    assert float(figures["Macro F1"]) > 0.7
    assert re.search(r"^commonest labels +micro F1 0\.\d+, macro F1 0\.\d+  \(.*\)$", printed, re.MULTILINE)


def test_a_list_is_no_label_of_the_note_about_a_separator(tmp_path):
    """Neither is an empty cell; [] says that there is none."""
    data = tmp_path / "notes.csv"
    cells = ["food|music", "music|food", "food", "[]", "", "music"]
    data.write_text("text,label\n" + "".join(f"a note of number {i},{cell}\n" for i, cell in enumerate(cells * 5)))
    checked = hs.check(data)
    assert any("10 of 20 labels have '|' between 2 different ones" in note for note in checked.notes)
    assert checked.counts == {"food": 15, "music": 15}
    assert len(checked.dataset) == 25
    assert "2 labels: food 15, music 15" in repr(checked)


def test_lists_of_names_are_labels_for_the_estimator_too():
    rows = mixed()
    texts, labels = [text for text, _ in rows], [names for _, names in rows]
    named = hs.HeadstartClassifier().fit(texts, labels)
    indicators = np.array([[name in names for name in sorted(TOPICS)] for names in labels])
    numbered = hs.HeadstartClassifier().fit(texts, indicators)
    assert named.classes_.tolist() == sorted(TOPICS)
    np.testing.assert_array_equal(named.predict(texts), numbered.predict(texts))
    for wrong in ([None, *labels[1:]], [float("nan"), *labels[1:]]):
        with pytest.raises(UserError, match=r"y, row 1: no label"):
            hs.HeadstartClassifier().fit(texts, wrong)
