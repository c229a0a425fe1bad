"""Several labels an example: read as they are written, learned, and given where they reach their thresholds."""

from __future__ import annotations

import csv
import json
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

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
        head = {key: value for key, value in told["head"].items() if key not in ("thresholds", "hash")} | change
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


def test_a_model_of_labels_by_chance_is_not_called_better_than_all_labels():
    """Thresholds that give every label to every example reach a high macro F1 where labels are frequent."""
    rng, rows = np.random.default_rng(0), mixed()
    texts = [f"{text}, {number}" for number, text in enumerate(text for _ in range(3) for text, _ in rows)]
    names = [[name for name in ("a", "b", "c", "d") if rng.random() < 0.45] for _ in texts]
    model = hs.fit(texts, names, **MINI)
    assert "not-better-than-constant" in [caution.kind for caution in model.record.cautions]
    assert "Not clearly better than always giving all labels" in model.record.cautions[0].text


@pytest.mark.parametrize("nothing", [[None], [float("nan")], [""], ["  ", None]])
def test_a_list_of_nothing_says_nothing_and_an_empty_one_that_there_is_none(nothing, tmp_path):
    texts, labels = [text for text, _ in mixed(40)], [names for _, names in mixed(40)]
    checked = hs.check(texts, [nothing, [], *labels[2:]]).dataset
    assert [(f.kind, f.where) for f in checked.rejected] == [("missing-label", "row 1")]
    assert checked.targets[0] == ()
    with pytest.raises(UserError, match=r"y, row 1: no label"):
        hs.HeadstartClassifier().fit(texts, [nothing, [], *labels[2:]])
    data = tmp_path / "notes.jsonl"
    lines = [{"text": text, "labels": names} for text, names in zip(texts, [nothing, [], *labels[2:]], strict=True)]
    data.write_text("".join(json.dumps(line) + "\n" for line in lines).replace("NaN", "null"))
    assert [f.kind for f in hs.check(data).dataset.rejected] == ["missing-label"]


def test_null_written_in_a_cell_is_a_missing_label(tmp_path):
    data = tmp_path / "notes.csv"
    cells = ["[null]", '"[""""]"', "[]", '"[""food""]"', '"[""food"", ""music""]"', '"[""music""]"']
    data.write_text("text,label\n" + "".join(f"a note of number {i},{cell}\n" for i, cell in enumerate(cells * 5)))
    checked = hs.check(data).dataset
    assert [f.kind for f in checked.rejected] == ["missing-label"] * 10
    assert checked.targets.count(()) == 5


def test_labels_without_a_test_example_are_one_note_with_short_names():
    """Also where a rarer label of the same text brings one of them into the test part."""
    texts, long = [f"a note of number {i} about things" for i in range(300)], "x" * 500
    labels = [[f"{long}{i // 2}", f"half {i // 150}"] for i in range(300)]
    labels[::2] = [["common"]] * 150
    checked = hs.check(texts, labels)
    (note,) = [note for note in checked.notes if "spared" in note]
    tested = {label for row in checked.parts.test for label in checked.dataset.targets[row]}
    missed = set(checked.dataset.classes) - tested
    assert f"of {len(missed)} of the {len(checked.dataset.classes)} labels no example could be spared" in " ".join(
        checked.notes
    )
    assert f"and {len(missed) - 5} more" in note
    assert len(note) < 600
    assert max(map(len, str(checked).splitlines())) < 1000


def test_examples_with_a_label_each_are_not_called_the_same():
    with pytest.raises(UserError, match=r"each example .* has a label of its own"):
        hs.check([f"a note of number {i}" for i in range(20)], [[f"topic {i}", "common"] for i in range(20)])


def test_columns_of_zeros_are_named_and_the_estimator_keeps_them(tmp_path):
    texts = [text for text, _ in mixed(60)]
    y = np.array([[*(name in names for name in TOPICS), 0] for _, names in mixed(60)], dtype=int)
    (note,) = [note for note in hs.check(texts, y).notes if "0 in each row" in note]
    assert note == "column '3' is 0 in each row: nothing is learned of that label"
    frame = pd.DataFrame({"text": texts} | {name: y[:, at] for at, name in enumerate(TOPICS)} | {"art": 0, "law": 0})
    frame.to_csv(tmp_path / "notes.csv", index=False)
    for data in (frame, tmp_path / "notes.csv"):
        (note,) = [note for note in hs.check(data).notes if "0 in each row" in note]
        assert "2 columns are 0 in each row: nothing is learned of the labels 'art', 'law'" in note
    sparse = csr_matrix(y)
    assert any("column '3'" in note for note in hs.check(texts, sparse).notes)
    model = hs.HeadstartClassifier().fit(texts, y)
    assert model.classes_.tolist() == [0, 1, 2, 3]
    assert not model.predict(texts)[:, 3].any()


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


def test_few_rows_with_several_labels_are_split_where_somebody_says_so():
    """One row in twenty has two: classes by themselves, several labels by the user's word."""
    labels = [["joy", "anger", "fear"][n % 3] for n in range(60)]
    labels[5], labels[25], labels[45] = "joy|anger", "fear|joy", "anger|fear"
    texts = [f"{label} number {n}" for n, label in enumerate(labels)]
    dataset = hs.check(texts, labels, task="multilabel", model=None).dataset
    assert dataset.classes == ("anger", "fear", "joy")
    assert any("'|'" in note for note in dataset.notes)
