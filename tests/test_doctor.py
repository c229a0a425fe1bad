"""The data doctor: what is planted is found, what is clean is left alone, and new data are written beside the old."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import headstart as hs
from browser import browser, page_of, refuse_bad_looks
from headstart.errors import DataError, OutputError, UserError
from headstart.evaluate.neighbours import nearest_others
from headstart.evaluate.suspects import suspicious_classes, suspicious_labels, suspicious_numbers
from layouts import photo, sentences, written
from topics import TOPICS


def kinds(checked) -> set[str]:
    return {finding.kind for finding in checked.findings}


# -- doubtful labels, on arrays


def clouds(n: int, classes: int, *, apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Examples around a middle a class: logits of who knows these, classes, features."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    middles = rng.normal(size=(classes, 16))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    features = apart * middles[y] + rng.normal(size=(n, 16))
    return (apart * features @ middles.T).astype(np.float32), y, features.astype(np.float32)


def test_flipped_labels_come_first_and_are_counted():
    outputs, y, features = clouds(1000, 5, apart=5)
    flipped = np.random.default_rng(1).choice(len(y), 50, replace=False)
    labels = y.copy()
    labels[flipped] = (y[flipped] + 1 + np.arange(50) % 4) % 5
    found, _ = suspicious_classes(outputs, labels, nearest_others(features, 10))
    assert np.isin(found.rows[:50], flipped).mean() > 0.9
    assert (found.instead[:40] == y[found.rows[:40]]).mean() > 0.9
    assert 35 <= found.wrong.sum() <= 60
    assert np.isin(found.rows[found.wrong], flipped).mean() > 0.9
    assert (np.diff(found.scores) <= 0).all()


def test_of_clean_labels_none_has_to_be_wrong():
    outputs, y, features = clouds(1000, 5, apart=3)
    found, _ = suspicious_classes(outputs, y, nearest_others(features, 10))
    assert not found.wrong.any()
    assert len(found.rows) < 0.05 * len(y)


def test_the_order_of_examples_does_not_matter():
    outputs, y, features = clouds(300, 3, apart=2)
    order = np.random.default_rng(0).permutation(len(y))
    one, _ = suspicious_classes(outputs, y, nearest_others(features, 10))
    other, _ = suspicious_classes(outputs[order], y[order], nearest_others(features[order], 10))
    assert order[other.rows].tolist() == one.rows.tolist()


def test_a_label_that_is_missing_and_a_number_that_is_far_off():
    outputs = np.full((100, 3), -4.0)
    outputs[:, 0] = 4.0
    labels = np.zeros((100, 3))
    labels[:, 0] = 1
    outputs[7, 2] = 9.0  # all but sure of a label that it has not
    found = suspicious_labels(outputs, labels)
    assert (found.rows.tolist(), found.instead.tolist()) == ([7], [2])
    y = np.random.default_rng(0).normal(size=200)
    given = y + 0.1 * np.random.default_rng(1).normal(size=200)
    given[9] += 30
    assert suspicious_numbers(y, given).rows.tolist() == [9]


def test_the_nearest_of_many_are_found_among_some_of_them(monkeypatch):
    features = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
    z = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = z @ z.T
    np.fill_diagonal(cosines, -2)
    assert (nearest_others(features, 3).rows == np.argsort(-cosines, axis=1)[:, :3]).all()
    monkeypatch.setattr("headstart.evaluate.neighbours._MOST_BYTES", 50 * 4 * 8)
    few = nearest_others(features, 3)
    assert len(np.unique(few.rows)) <= 50
    assert (few.rows != np.arange(400)[:, None]).all()


# -- planted in real files


@pytest.fixture(scope="module")
def topics(tmp_path_factory) -> tuple[Path, list[int]]:
    """A table of 150 texts of three topics, with eight labels flipped; and which."""
    rng, rows = random.Random(0), []
    for number in range(150):
        label = list(TOPICS)[number % 3]
        rows.append([f"{rng.choice(TOPICS[label])} and {rng.choice(TOPICS[label])}, note {number}", label])
    flipped = list(range(5, 150, 19))
    for row in flipped:
        rows[row][1] = list(TOPICS)[(row + 1) % 3]
    path = tmp_path_factory.mktemp("topics") / "topics.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["text", "label"], *rows])
    return path, flipped


@pytest.fixture(scope="module")
def examined(topics) -> tuple[Any, list[int]]:
    checked = hs.check(topics[0])
    _ = checked.examined
    return checked, topics[1]


def test_flipped_labels_of_a_table_are_first_in_json(examined):
    checked, flipped = examined
    told = checked.to_json()
    doubtful = [finding for finding in told["findings"] if finding["kind"] == "doubtful-label"]
    assert {finding["where"] for finding in doubtful[: len(flipped)]} == {f"row {row + 1}" for row in flipped}
    assert [f["looks_like"] for f in doubtful[:8]] == [
        list(TOPICS)[(int(f["where"][4:]) - 1) % 3] for f in doubtful[:8]
    ]
    assert [f["score"] for f in doubtful] == sorted((f["score"] for f in doubtful), reverse=True)
    assert told["doubtful"]["wrong"] == sum(f["probably_wrong"] for f in doubtful) >= 6
    assert told["model"] == "all-MiniLM-L6-v2"
    assert {each["name"]: each["count"] for each in told["classes"]} == checked.counts
    assert all(each["example"].startswith("row ") for each in told["classes"])
    assert "more probably wrong than right" in repr(checked)


def test_relabelled_data_can_be_learned_from(examined, tmp_path):
    checked, flipped = examined
    said = checked.save(tmp_path / "out", apply="relabel")
    assert "relabelled" in said
    old, new = checked.source.read_text().splitlines(), (tmp_path / "out" / "data.csv").read_text().splitlines()
    changed = [row for row, (one, other) in enumerate(zip(old, new, strict=True)) if one != other]
    assert len(changed) >= 6
    assert {row - 1 for row in changed} <= set(flipped)
    model = hs.fit(tmp_path / "out" / "data.csv", model="all-MiniLM-L6-v2", how="probe", out=tmp_path / "model")
    assert model.scores.accuracy > 0.9
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Doubtful labels" in page
    assert "note 5" in page
    with pytest.raises(OutputError, match="already there"):
        checked.save(tmp_path / "out")


def test_a_fit_lists_doubtful_labels_of_its_training_part(topics, tmp_path):
    model = hs.fit(topics[0], model="all-MiniLM-L6-v2", how="probe", out=tmp_path / "model")
    found = [finding for finding in model.record.findings if finding.kind == "doubtful-label"]
    flipped = {f"topics.csv row {row + 1}" for row in topics[1]}
    assert len({finding.where for finding in found[:8]} & flipped) >= 5
    assert all(finding.looks_like for finding in found)


def test_without_a_model_it_says_what_is_not_looked_for(topics, command):
    code, out, err = command("check", topics[0], "--no-model", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["model"] is None
    assert not [finding for finding in told["findings"] if finding["kind"] in ("doubtful-label", "outlier")]
    assert any("doubtful labels, outliers and confused classes are not looked for" in note for note in told["notes"])
    with pytest.raises(UserError, match="nonexist"):
        hs.check(topics[0], model="nonexist")


def test_photos_that_are_odd_and_a_camera_that_tells_the_class(photos):
    slope = np.add.outer(np.arange(300), np.arange(300))[..., None].repeat(3, axis=2)
    Image.fromarray((slope // 30).astype(np.uint8)).save(photos / "global" / "dark.png")
    Image.fromarray((255 - slope // 30).astype(np.uint8)).save(photos / "global" / "bright.png")
    Image.fromarray((slope[:60] % 256).astype(np.uint8)).save(photos / "nominal" / "wide.jpg")
    Image.new("RGB", (300, 300), (90, 120, 90)).save(photos / "nominal" / "flat.png")
    exif = Image.Exif()
    exif[0x10F], exif[0x110] = "Canon", "Canon EOS 5D"
    for path in sorted((photos / "global").glob("*.jpg")):
        with Image.open(path) as image:
            image.save(path, exif=exif, quality=90)
    checked = hs.check(photos, model=None)
    found = {(finding.kind, Path(finding.where).name) for finding in checked.findings}
    assert {
        ("too-dark", "dark.png"),
        ("too-bright", "bright.png"),
        ("odd-shape", "wide.jpg"),
        ("flat", "flat.png"),
    } <= found
    (camera,) = (one for one in checked.to_json()["shortcuts"] if one["kind"] == "camera")
    assert camera["accuracy"] > 0.9
    assert camera["majority"] < 0.6
    assert camera["interval"][0] > camera["majority"]
    assert "'Canon EOS 5D'" in camera["reason"]
    assert camera["example"].startswith("global/")


def test_clean_photos_have_nothing_odd(textile, tmp_path):
    """Of one kind, in two folders that mean nothing."""
    for number, path in enumerate(sorted((textile / "nominal").glob("*.jpg"))[:40]):
        folder = tmp_path / "clean" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    checked = hs.check(tmp_path / "clean", model=None)
    assert checked.shortcuts == ()
    assert not kinds(checked) - {"near-duplicate", "duplicate"}


def test_a_text_in_another_script_or_language_and_one_of_signs(tmp_path):
    rows = [
        f"the {about} was not what it is said to be for you, {n},{about}"
        for n in range(30)
        for about in ("card", "rate")
    ]
    rows += [
        "Ich habe meine Karte nicht bekommen und wie ist das zu lösen,card",
        "Где моя карта и почему её нет,card",
        "!!! ???,rate",
    ]
    checked = hs.check(
        written(tmp_path / "t.csv", "text,label", *(f'"{r.rsplit(",", 1)[0]}",{r.rsplit(",", 1)[1]}' for r in rows)),
        model=None,
    )
    found = {finding.kind: finding.where for finding in checked.findings if finding.kind.startswith("odd-")}
    assert found == {"odd-language": "t.csv row 61", "odd-script": "t.csv row 62", "odd-length": "t.csv row 63"}


@pytest.mark.check
def test_the_page_can_be_read_by_everybody(examined, photos, tmp_path):
    examined[0].save(tmp_path / "texts")
    Image.new("RGB", (300, 300), (90, 120, 90)).save(photos / "nominal" / "flat.png")
    hs.check(photos, model=None).save(tmp_path / "looks")
    with browser() as opened:
        for name in ("texts", "looks"):
            refuse_bad_looks(opened, tmp_path / name / "report.html")
        with page_of(opened, tmp_path / "looks" / "report.html") as page:
            page.click("button.opens:has-text('nominal')")
            assert page.locator("dialog figure").count() == 1


# -- new data


def actions(folder: Path, asked: dict[str, tuple[str, str]]) -> Path:
    """A findings.csv with actions: of each example, what and as which class."""
    path = folder / "actions.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["example", "looks_like", "action"])
        writer.writerows([example, label, action] for example, (action, label) in asked.items())
    return path


def classes_of(data: Path) -> dict[str, int]:
    return hs.check(data, model=None).counts


def test_class_folders_become_folders_of_links(photos, tmp_path):
    (photos / "nominal" / "clash.jpg").write_bytes(
        (photos / "nominal" / sorted(os.listdir(photos / "nominal"))[0]).read_bytes()
    )
    names = sorted(os.listdir(photos / "global"))
    assert names[0] in os.listdir(photos / "nominal")
    before = sorted(path.read_bytes() for path in photos.rglob("*.jpg"))
    asked = actions(tmp_path, {f"global/{names[0]}": ("relabel", "nominal"), f"global/{names[2]}": ("drop", "")})
    said = hs.check(photos, model=None).save(tmp_path / "out", apply=asked)
    assert "1 dropped, 1 relabelled" in said
    data = tmp_path / "out" / "data"
    assert sorted(path.read_bytes() for path in photos.rglob("*.jpg")) == before
    assert (data / "nominal" / f"{Path(names[0]).stem}-2.jpg").read_bytes() == (
        photos / "global" / names[0]
    ).read_bytes()
    assert not (data / "global" / names[2]).exists()
    assert classes_of(data) == {"nominal": 22, "global": 18}


def test_official_parts_stay(tmp_path):
    for part, n in (("train", 8), ("test", 4)):
        for name in ("a", "b"):
            for number in range(n):
                photo(tmp_path / "d" / part / name / f"{number}.png")
    asked = actions(tmp_path, {"train/a/0.png": ("relabel", "b"), "test/b/1.png": ("drop", "")})
    hs.check(tmp_path / "d", model=None).save(tmp_path / "out", apply=asked)
    found = hs.check(tmp_path / "out" / "data", model=None)
    assert (len(found.parts.train), len(found.parts.test)) == (16, 7)
    assert found.counts == {"b": 12, "a": 11}


def test_folders_of_text_files(tmp_path):
    for name in ("good", "bad"):
        for number, text in enumerate(sentences(name)):
            written(tmp_path / "d" / name / f"{number}.txt", text)
    asked = actions(tmp_path, {"good/0.txt": ("relabel", "bad")})
    hs.check(tmp_path / "d", model=None).save(tmp_path / "out", apply=asked)
    assert classes_of(tmp_path / "out" / "data") == {"bad": 7, "good": 5}


@pytest.mark.parametrize(
    ("delimiter", "ending", "encoding"),
    [(",", "csv", "utf-8-sig"), ("\t", "tsv", "utf-8"), (";", "csv", "latin-1"), (",", "csv", "utf-16")],
)
def test_a_table_is_written_as_the_old_one(delimiter, ending, encoding, tmp_path):
    rows = [
        [f"café {text}", label, '=1+1, "x"' if ending == "csv" else "x"]
        for label in ("good", "bad")
        for text in sentences(label, 8)
    ]
    path = tmp_path / f"old.{ending}"
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\r\n").writerows([["text", "label", "more"], *rows])
    asked = actions(tmp_path, {"row 3": ("drop", ""), "row 10": ("relabel", "good")})
    columns = hs.Columns(text="text", label="label", encoding="latin-1" if encoding == "latin-1" else None)
    hs.check(path, columns=columns, model=None).save(tmp_path / "out", apply=asked)
    expected = [list(row) for row in rows]
    expected[9][1] = "good"
    with (tmp_path / "out" / f"data.{ending}").open(newline="", encoding=encoding) as file:
        assert list(csv.reader(file, delimiter=delimiter))[1:] == expected[:2] + expected[3:]
    old, new = path.read_bytes(), (tmp_path / "out" / f"data.{ending}").read_bytes()
    assert new[:3] == old[:3]
    assert new.endswith(old[-20:])
    again = hs.check(tmp_path / "out" / f"data.{ending}", columns=columns, model=None)
    assert again.counts == {"good": 8, "bad": 7}


def test_quoted_lines_and_blank_rows_are_left_as_they_are(tmp_path):
    lines = [
        "text,label",
        '"first\nline, of two",a',
        "",
        "second text,b",
        '"third ""text""",a',
        "fourth text,b",
        "fifth text,a",
        "sixth text,b",
    ]
    path = written(tmp_path / "old.csv", *lines)
    hs.check(path, model=None).save(
        tmp_path / "out", apply=actions(tmp_path, {"row 2": ("drop", ""), "row 5": ("relabel", "b")})
    )
    expected = [*lines[:3], *lines[4:6], "fifth text,b", lines[7]]
    assert (tmp_path / "out" / "data.csv").read_text() == "".join(f"{line}\n" for line in expected)


def test_tables_of_parts_and_one_without_names(tmp_path):
    for part, n in (("train", 8), ("test", 4)):
        written(tmp_path / "d" / f"{part}.tsv", *(f"{text}\t{label}" for label in "ab" for text in sentences(label, n)))
    asked = actions(tmp_path, {"train.tsv row 2": ("drop", ""), "test.tsv row 8": ("relabel", "a")})
    hs.check(tmp_path / "d", model=None).save(tmp_path / "out", apply=asked)
    found = hs.check(tmp_path / "out" / "data", model=None)
    assert (len(found.parts.train), len(found.parts.test)) == (15, 8)
    assert found.dataset.targets.count("a") == 12


def test_photos_of_a_table_come_along(tmp_path):
    rows = []
    for number in range(12):
        photo(tmp_path / "d" / "img" / f"{number}.png")
        rows.append(f"img/{number}.png,{'ab'[number % 2]}")
    written(tmp_path / "d" / "labels.csv", "file,label", *rows)
    for data in (tmp_path / "d", tmp_path / "d" / "labels.csv"):
        out = tmp_path / f"out-{data.name}"
        hs.check(data, model=None).save(
            out, apply=actions(tmp_path, {"row 1": ("drop", ""), "row 2": ("relabel", "a")})
        )
        assert classes_of(out / "data") == {"a": 6, "b": 5}
        assert not (out / "data" / "img" / "0.png").exists()


def test_a_text_that_says_the_same_in_other_words_is_found_across_parts(tmp_path):
    """No hash sees it: the same question in both parts, with another label."""
    for part, other in (("train", "What is the occupation of Nicholas Cage?,people"),
                        ("test", "What is Nicholas Cage's occupation?,places")):  # fmt: skip
        rows = [f"{text} {part},{name}" for name, texts in QUESTIONS.items() for text in texts[part == "test" :: 2]]
        written(tmp_path / "d" / f"{part}.csv", "text,label", *rows, other)
    (found,) = [finding for finding in hs.check(tmp_path / "d").findings if finding.kind == "look-alike"]
    assert {found.where, found.reason.split(",")[0]} == {"test.csv row 9", "says nearly the same as train.csv row 9"}
    assert found.reason.endswith(", with another label, one in the training and one in the test part")


def test_orders_are_of_the_data_that_they_were_written_for(tmp_path):
    """Row 3 of another table, or of the table that was already changed, is another example."""
    rows = [f"{text},{label}" for label in "ab" for text in sentences(label)]
    path = written(tmp_path / "t.csv", "text,label", *rows)
    found = hs.check(path, model=None)
    content = [f"x{digest[:6].tobytes().hex()}" for digest in found.dataset.checked_digests]
    orders = tmp_path / "orders.csv"
    lines = [f"row {n},drop,,{content[n - 1]}\n" for n in (3, 8)]
    orders.write_text("example,action,looks_like,content\n" + "".join(lines))
    found.save(tmp_path / "out", apply=orders)
    assert len(hs.check(tmp_path / "out" / "data.csv", model=None).dataset) == len(rows) - 2
    with pytest.raises(DataError, match="row 3 is not the example that was found"):
        hs.check(tmp_path / "out" / "data.csv", model=None).save(tmp_path / "again", apply=orders)
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("one", ["keep", "relabel"])
def test_one_example_has_one_action(one, tmp_path):
    path = written(tmp_path / "t.csv", "text,label", *(f"{t},{label}" for label in "ab" for t in sentences(label)))
    orders = written(tmp_path / "orders.csv", "example,action,looks_like", "row 1,drop,", f"row 1,{one},b")
    with pytest.raises(DataError, match=f"row 1 has two actions: drop, and {one}"):
        hs.check(path, model=None).save(tmp_path / "out", apply=orders)


def test_what_was_not_looked_for_is_not_called_sound(tmp_path):
    path = written(tmp_path / "t.csv", "text,label", *(f"{t},{label}" for label in "ab" for t in sentences(label)))
    with pytest.raises(UserError, match="doubtful labels were not looked for"):
        hs.check(path, model=None).save(tmp_path / "out", apply="drop")


QUESTIONS = {
    "people": [
        "Who invented the steam engine",
        "Which king built the tower of London",
        "Who wrote the letters to a young poet",
        "Name the first woman in space",
        "Who painted the ceiling of the chapel",
        "What was the maiden name of Marie Curie",
        "Who plays the violin in that orchestra",
        "Which footballer scored most goals in 1998",
    ],
    "places": [
        "Where do penguins breed in winter",
        "Which river runs through Baghdad",
        "What is the highest volcano of Java",
        "Where can one see the northern lights",
        "Which harbour is the deepest of Europe",
        "In what desert is the oldest observatory",
        "Where was the treaty about the canal signed",
        "Which island has more sheep than inhabitants",
    ],
}


REFUSED = {
    "no action": ({"row 1": ("keep", "")}, "no row has an action"),
    "odd action": ({"row 1": ("delete", "")}, "'delete' is no action"),
    "unknown example": ({"row 99": ("drop", "")}, "'row 99' is no example"),
    "unknown class": ({"row 1": ("relabel", "../../x")}, "no class '../../x' to relabel it as"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_applied_is_refused(case, tmp_path):
    path = written(
        tmp_path / "t.csv", "text,label", *(f"{text},{label}" for label in "ab" for text in sentences(label))
    )
    asked, said = REFUSED[case]
    with pytest.raises(DataError, match=said.replace(".", r"\.")):
        hs.check(path, model=None).save(tmp_path / "out", apply=actions(tmp_path, asked))
    assert not (tmp_path / "out").exists()


def test_data_in_memory_and_other_forms_are_refused_in_a_line(tmp_path, command):
    texts, labels = [*sentences("a"), *sentences("b")], [*"aaaaaabbbbbb"]
    checked = hs.check(texts, labels, model=None)
    asked = actions(tmp_path, {checked.dataset.where[0]: ("drop", "")})
    with pytest.raises(UserError, match="a list is not written anew"):
        checked.save(tmp_path / "out", apply=asked)
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in zip(texts, labels, strict=True)))
    with pytest.raises(DataError, match="only tables of delimited rows"):
        hs.check(path, model=None).save(tmp_path / "out", apply=actions(tmp_path, {"row 1": ("drop", "")}))
    code, _, err = command("check", path, "--apply", "drop")
    assert code == 2
    assert "--out FOLDER" in err
    assert not (tmp_path / "out").exists()
