"""By what a score is worth less than it looks: said in JSON, on standard error, on the page and in the card."""

from __future__ import annotations

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import headstart as hs
from headstart.errors import DataError
from topics import MINI, PROBE, TOPICS


def topics_table(path, n=60, *, first=0, labels=("food", "sport", "music")):
    """So many texts, the same for the same numbers."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("text", "label"))
        for number in range(first, first + n):
            label = labels[number % len(labels)]
            rows.writerow((f"note {number}: {TOPICS[label][number // 3 % 6]} and more of it", label))
    return path


def kinds(told):
    return [each["kind"] for each in told["warnings"]]


@pytest.fixture(scope="module")
def topics(tmp_path_factory):
    """A saved model, and the table that it was fitted on."""
    folder = tmp_path_factory.mktemp("topics")
    table = topics_table(folder / "topics.csv", 90)
    hs.fit(table, out=folder / "model", **MINI)
    return folder / "model", table


def test_a_test_part_that_is_the_training_part_is_refused(tmp_path, command):
    train = topics_table(tmp_path / "train.csv")
    shutil.copy(train, tmp_path / "test.csv")
    code, _, err = command("fit", train, "--test", tmp_path / "test.csv", *PROBE)
    assert code == 2
    assert "all 60 examples of the test part" in err
    assert "test nothing" in err


def test_a_test_part_that_leaked_is_told_everywhere(tmp_path, command):
    train, test = topics_table(tmp_path / "train.csv"), topics_table(tmp_path / "test.csv", 30, first=45)
    out = tmp_path / "model"
    code, printed, err = command("fit", train, "--test", test, *PROBE, "--out", out, "--json")
    assert code == 0, err
    told = json.loads(printed)
    assert "leak" in kinds(told)
    assert "warning: 15 of 30 test examples are (nearly) the same as some in the training part, or of one text" in err
    page, card = (out / "report.html").read_text(), (out / "README.md").read_text()
    for said in (page, card):
        assert "15 of 30 test examples" in said
        assert "of which 15 are (nearly) the same as some that it learned from" in said
        assert "did not see" not in said
    model = hs.load(out)
    assert model.record.cautions[0].kind == "leak"
    said = model.task.words.fitted(told, model.task.scorer.metrics)  # on standard output
    assert "30 to test on, 15 of them (nearly) learned from, too" in said
    assert "\ntoo high   15 of 30 test examples" in said
    assert "held out" not in said
    assert "too high: see its warnings" in repr(model)


def test_evaluating_on_what_it_learned_from_is_told(topics, tmp_path, command):
    model, table = topics
    code, printed, err = command("evaluate", model, table, "--json")
    assert code == 0, err
    assert "trained-on" in kinds(json.loads(printed))
    learned = sum(row["part"] == "train" for row in csv.DictReader((model / "split.csv").open()))
    assert f"warning: the model learned from {learned} of these 90 examples" in err
    task = hs.load(model).task
    assert f"\ntoo high   the model learned from {learned} of these 90" in task.words.scored(
        json.loads(printed), task.scorer.metrics
    )
    others = topics_table(tmp_path / "others.csv", 30, first=1000)
    code, printed, err = command("evaluate", model, others, "--json")
    assert code == 0, err
    assert "trained-on" not in kinds(json.loads(printed))
    assert "learned from" not in err


def test_evaluating_on_lightly_changed_copies_is_told(topics, tmp_path, command):
    """In capitals, say, and with other spaces: other bytes, and the same text all the same."""
    model, table = topics
    shouted = tmp_path / "shouted.csv"
    with shouted.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("text", "label"))
        rows.writerows((row["text"].upper().replace(" ", "  "), row["label"]) for row in csv.DictReader(table.open()))
    code, printed, err = command("evaluate", model, shouted, "--json")
    assert code == 0, err
    n = sum(row["part"] == "train" for row in csv.DictReader((model / "split.csv").open()))
    told = f"the model learned from {n} of these 90 examples ({n} of them nearly the same, not to the byte)"
    assert told in err
    assert "trained-on" in kinds(json.loads(printed))


def test_evaluating_on_photos_that_were_saved_again_is_told(photos, tmp_path, own_cache):
    """Smaller, in another format, or in memory; other photos of the same things are others."""
    files = sorted(photos.rglob("*.jpg"))
    learned, others = tmp_path / "learned", tmp_path / "others"
    again: dict[str, list[Image.Image]] = {}
    for number, file in enumerate(files):
        name = file.parent.name
        kept = (others if number % 2 else learned) / name / file.name
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, kept)
        if not number % 2:
            with Image.open(file) as photo:
                smaller = photo.convert("RGB").resize((photo.width * 2 // 3, photo.height * 2 // 3))
            again.setdefault(name, []).append(smaller)
            (tmp_path / "again" / name).mkdir(parents=True, exist_ok=True)
            smaller.save(tmp_path / "again" / name / f"{number}.webp", quality=75)
    model = hs.load(hs.fit(learned, out=tmp_path / "model", model="efficientnet_lite0", how="probe").folder)
    n = model.record.n_train
    (caution,) = [c for c in model.evaluate(tmp_path / "again").cautions if c.kind == "trained-on"]
    told = re.match(r"the model learned from (\d+) of these 20 examples \((\d+) of them nearly the same", caution.text)
    assert told is not None
    assert n - 1 <= int(told[1]) == int(told[2]) <= n  # small and of a fine weave, these are the hardest
    pictures = [(picture, name) for name, some in again.items() for picture in some]
    in_memory = model.evaluate([picture for picture, _ in pictures], [name for _, name in pictures])
    assert "trained-on" in [c.kind for c in in_memory.cautions]
    assert "trained-on" not in [c.kind for c in model.evaluate(others).cautions]


def test_a_model_in_memory_knows_what_it_learned_from():
    texts = [f"note {i}: {TOPICS[name][i // 3 % 6]}" for i in range(60) for name in [list(TOPICS)[i % 3]]]
    labels = [list(TOPICS)[i % 3] for i in range(60)]
    model = hs.fit(texts, labels, **MINI)
    assert [c.kind for c in model.evaluate(texts, labels).cautions] == ["trained-on"]
    assert model.evaluate([f"again {t}" for t in texts], labels).cautions == ()


@pytest.mark.parametrize("cell", ["no hex", "abc", "00", "é" * 16])
def test_a_table_of_what_it_learned_from_that_somebody_changed_is_no_table(topics, tmp_path, cell):
    model, table = topics
    shutil.copytree(model, tmp_path / "model")
    split = tmp_path / "model" / "split.csv"
    (split.parent / "manifest.json").unlink()  # which would say that it was changed
    lines = split.read_text().splitlines()
    split.write_text("\n".join([*lines[:-5], *(f"{line.rsplit(',', 2)[0]},{cell}," for line in lines[-5:])]))
    evaluation = hs.load(tmp_path / "model").evaluate(table)
    assert any("is not known" in note for note in evaluation.notes)


@pytest.mark.parametrize("kept", [1, 60])
def test_a_table_of_what_it_learned_from_that_was_cut_is_not_believed(topics, tmp_path, kept):
    model, table = topics
    shutil.copytree(model, tmp_path / "model")
    split = tmp_path / "model" / "split.csv"
    split.write_text("".join(split.read_text().splitlines(keepends=True)[:kept]))
    evaluation = hs.load(tmp_path / "model").evaluate(table)
    assert any("is not known" in note for note in evaluation.notes)
    assert "trained-on" not in [caution.kind for caution in evaluation.cautions]


def test_a_folder_that_does_not_say_what_it_learned_from_is_no_error(topics, tmp_path, command):
    model, table = topics
    old = tmp_path / "old"
    shutil.copytree(model, old)
    rows = list(csv.DictReader((old / "split.csv").open()))
    with (old / "split.csv").open("w", newline="") as file:  # as folders were before
        names = [name for name in rows[0] if name not in ("digest", "sketch", "whose")]
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    code, printed, err = command("evaluate", old, table, "--json")
    assert code == 0, err
    assert any("is not known" in note for note in json.loads(printed)["notes"])


def test_what_evaluate_leaves_out_is_told(topics, tmp_path, command):
    model, _ = topics
    table = topics_table(tmp_path / "more.csv", 20, first=500)
    with table.open("a") as file:
        file.write('"   ",food\n"a text of another kind",weather\n')
    code, printed, err = command("evaluate", model, table, "--json")
    assert code == 0, err
    assert "left-out" in kinds(json.loads(printed))
    assert "warning: 2 of 22 examples were left out" in err


def test_a_fit_that_would_leave_out_more_than_it_uses_is_refused(tmp_path, command):
    table = topics_table(tmp_path / "few.csv", 30)
    with table.open("a") as file:
        file.writelines('" ",food\n' for _ in range(31))
    code, _, err = command("fit", table, *PROBE)
    assert code == 2
    assert "31 of 61 examples are left out (31 x blank-text)" in err
    assert "--allow-rejected" in err
    with pytest.raises(DataError, match="allow_rejected=True"):
        hs.fit(table, **MINI)
    code, printed, err = command("fit", table, *PROBE, "--allow-rejected", "--json", "--out", tmp_path / "out")
    assert code == 0, err
    assert "mostly-rejected" in kinds(json.loads(printed))
    assert hs.check(table).cautions[0].kind == "mostly-rejected"  # which says it, and refuses nothing


def test_classes_with_few_examples_are_named(tmp_path):
    table = topics_table(tmp_path / "few.csv", 24, labels=("food", "sport", "sport", "sport"))
    (caution,) = hs.check(table).cautions
    assert caution.kind == "few-examples"
    assert "'food' (6)" in caution.text
    assert "sport" not in caution.text


def test_examples_with_two_labels_are_said_first_counted_and_warned_of(tmp_path, command):
    once = topics_table(tmp_path / "once.csv")
    header, *rows = once.read_text().splitlines()
    other = [f"{row.rsplit(',', 1)[0]},travel" for row in rows[:30]]
    (tmp_path / "twice.csv").write_text("\n".join([header, *rows, *rows, *other]))
    checked = hs.check(tmp_path / "twice.csv", model=None)
    assert "conflicting-labels" in kinds(checked.to_json())
    warned = next(caution.text for caution in checked.cautions if caution.kind == "conflicting-labels")
    assert warned.startswith("90 of 150 examples (60%)")
    assert "'food' and 'travel' (10)" in warned
    said = "labelled 'travel', but twice.csv row 1 is (nearly) the same and labelled 'food'"
    lines = repr(checked).splitlines()
    assert any(said in line for line in lines[:8])  # not behind the duplicates
    (more,) = (line for line in lines if "more in the findings" in line)
    assert (
        more == "110 more in the findings: 87 x duplicate, 23 x conflicting-labels (--out FOLDER writes all)"
    )  # some of each kind are shown
    few = tmp_path / "few.csv"
    few.write_text("\n".join([header, *rows, *other[:2]]))
    assert "conflicting-labels" not in kinds(hs.check(few).to_json())


def test_what_beats_nothing_and_what_is_never_found_are_told(tmp_path, command):
    rng = np.random.default_rng(0)
    with (tmp_path / "noise.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("text", "label"))
        for number in range(150):  # labels that have nothing to do with the texts
            rows.writerow((f"number {rng.integers(1 << 30)} of {number}", "rare" if number % 12 == 0 else "common"))
    code, printed, err = command("fit", tmp_path / "noise.csv", *PROBE, "--json", "--out", tmp_path / "out")
    assert code == 0, err
    told = json.loads(printed)
    assert set(kinds(told)) & {"not-better-than-constant", "worse-than-constant"}
    assert "warning: classes of which no test example was recognised: rare (0 of" in err
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Read this first" in page
    assert ("Do not use it as it is" in page) == ("worse-than-constant" in kinds(told))


def test_classes_are_said_with_their_counts_before_anything_is_learned(tmp_path, command):
    table = topics_table(tmp_path / "topics.csv", 60)
    code, _, err = command("fit", table, *PROBE, "--out", tmp_path / "out")
    assert code == 0
    said = err.index("text-classification: 48 examples to learn from, 12 to test on, 3 classes: food 20, music 20")
    assert said < err.index("encode")


def test_long_names_of_classes_break_behind_signs_on_a_narrow_page(tmp_path):
    long = "a_card_that_has_not_arrived_yet/or_is_late"
    texts, labels = zip(
        *[(f"my card {n} is late", long) for n in range(12)] + [(f"what is the rate {n}", "rate") for n in range(12)],
        strict=True,
    )
    hs.fit(list(texts), list(labels), model="all-MiniLM-L6-v2", how="probe").report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert f'<th scope="row">{long.replace("_", "_<wbr>").replace("/", "/<wbr>")}</th>' in page
    assert '<th scope="row">rate</th>' in page
