"""What a saved model is asked by command, and how a service asks it: files, folders, tables with a file of answers."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart as hs
from topics import same_or_not

CARD, RATE = "Where is my card, please?", "Which exchange rate, today?"
FOUR = [CARD, RATE, "My card has not arrived yet", "How do you set the rate"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    from conftest import QUESTIONS

    folder = tmp_path_factory.mktemp("asking")
    rows = [(s.strip(), label) for label, t in QUESTIONS.items() for s in t.replace("?", ".").split(".") if s.strip()]
    hs.fit(*zip(*rows, strict=True), how="probe", out=folder / "model")
    return folder / "model"


@pytest.fixture(scope="module")
def model(saved):
    return hs.load(saved)


@pytest.fixture(scope="module")
def of_photos(tmp_path_factory, textile):
    some = [(photo, name) for name in ("global", "nominal") for photo in sorted((textile / name).glob("*.jpg"))[:8]]
    return hs.fit(*zip(*some, strict=True), model="efficientnet_lite0", how="probe"), [str(photo) for photo, _ in some]


def written(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text())))


def test_a_file_is_one_text_or_a_text_a_line_and_that_is_said(saved, command, tmp_path):
    (tmp_path / "review.txt").write_text(f"{CARD}\n{RATE}\n")
    code, out, err = command("predict", saved, "review.txt")
    assert (code, len(out.splitlines())) == (0, 2), err
    assert "--as file takes the file as one text" in err
    code, out, err = command("predict", saved, "review.txt", "--as", "file")
    assert (code, len(out.splitlines())) == (0, 1), err
    assert out.startswith("review.txt: ")
    code, out, err = command("predict", saved, "-", "--as", "file", stdin=f"{CARD}\n{RATE}\n")
    assert (code, len(out.splitlines())) == (0, 1), err
    code, out, err = command("predict", saved, "review.txt", "--as", "text")
    assert out.startswith("review.txt: ")
    assert err == ""


def test_rows_of_a_file_without_an_ending_are_asked_about(saved, command, tmp_path):
    (tmp_path / "Collection").write_text("".join(f"card\t{text}\n" for text in FOUR))
    code, out, err = command("predict", saved, "Collection", "--json")
    assert [row["input"] for row in json.loads(out)["predictions"]] == FOUR, err
    assert "Collection: its rows are taken" in err
    assert "--as text the name itself" in err
    (tmp_path / "Letter").write_text("Dear all,\nthe card is lost.\n")
    (tmp_path / "Numbers").write_bytes(b"\x7fELF\0\0\1")
    for name in ("Letter", "Numbers"):
        code, out, err = command("predict", saved, name)
        assert (code, out, f"predict MODEL {name} --as text" in err) == (2, "", True)


def test_one_that_learned_from_files_takes_files_and_folders_of_them_as_texts(
    model, command, tmp_path, monkeypatch, capsys
):
    for name, text in (("card", CARD), ("rate", RATE)):
        (tmp_path / "train" / name).mkdir(parents=True)
        for number in range(6):
            (tmp_path / "train" / name / f"{number}.txt").write_text(f"{text}\n{number} more\n")
    learned = hs.fit(tmp_path / "train", how="probe", out=tmp_path / "model")
    (tmp_path / "new.txt").write_text(f"{CARD}\nNothing else.\n")
    assert len(learned.predict(tmp_path / "new.txt")) == 1
    assert "--as lines takes each line" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert [p.input for p in hs.load(tmp_path / "model").predict(Path("train"))][:2] == [
        "train/card/0.txt",
        "train/card/1.txt",
    ]
    code, out, err = command("predict", "model", "train")
    assert (code, len(out.splitlines())) == (0, 12), err
    assert len(model.predict(tmp_path / "new.txt")) == 2


def test_a_folder_is_walked_and_what_cannot_be_read_has_an_error_and_no_label(saved, command, tmp_path):
    deep = tmp_path / "mail" / "deep"
    deep.mkdir(parents=True)
    (tmp_path / "mail" / "a.txt").write_text(CARD)
    (tmp_path / "mail" / "b.txt").write_bytes(b"\x7fELF\0\0\1")
    (tmp_path / "mail" / "c.csv").write_text("text\ncard\n")
    (deep / "d.txt").write_text(RATE)
    code, out, err = command("predict", saved, "mail/", "--out", "new.csv")
    assert code == 2, err
    rows = written(tmp_path / "new.csv")
    assert [row["input"] for row in rows] == ["mail/a.txt", "mail/b.txt", "mail/c.csv", "mail/deep/d.txt"]
    assert [row["predicted_label"] for row in rows] == ["card", "", "", "exchange"]
    assert [bool(row["error"]) for row in rows] == [False, True, True, False]
    assert "4 rows, 2 of them with an error" in out


@pytest.mark.parametrize("line", ["{} {}", "__label__{} {}", "LOC{}:city {}", "({} (2 {}))"])
def test_labels_before_texts_are_no_part_of_them(line, model, tmp_path, capsys):
    (tmp_path / "a.txt").write_text("".join(f"{line.format(n % 2, text)}\n" for n, text in enumerate(FOUR)))
    assert [p.input for p in model.predict(tmp_path / "a.txt")] == FOUR
    assert "a.txt: the labels are left aside; --as lines takes each line whole" in capsys.readouterr().err


def test_lines_with_labels_are_taken_whole_where_that_is_said(saved, command, tmp_path):
    whole = "".join(f"{n % 2} {text}\n" for n, text in enumerate(FOUR))
    (tmp_path / "a.txt").write_text(whole)
    code, out, err = command("predict", saved, "a.txt", "--as", "lines", "--json")
    assert [row["input"] for row in json.loads(out)["predictions"]] == whole.splitlines(), err
    code, out, err = command("predict", saved, "-", stdin=whole)
    assert (code, out, "--as lines" in err) == (2, "", True)
    (tmp_path / "b.txt").write_text("".join(f"{n};{text}\n" for n, text in enumerate(FOUR)))
    code, out, err = command("predict", saved, "b.txt", "--delimiter", ";", "--json")
    assert [row["input"] for row in json.loads(out)["predictions"]] == FOUR, err


@pytest.mark.parametrize(
    "more",
    [
        {"label": [[0, 4, "PRODUCT"]]},
        {"label": "card", "answer": "reject", "_task_hash": 7},
        {"data": {"text": CARD}, "annotations": [{"result": [{"type": "labels", "value": {"labels": ["PER"]}}]}]},
    ],
)
def test_what_was_labelled_in_another_way_has_its_text(more, saved, command, tmp_path):
    rows = (
        [{"text": CARD, **more}, {"text": RATE}]
        if "data" not in more
        else [more, {"data": {"text": RATE}, "annotations": []}]
    )
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, _, err = command("predict", saved, "new.jsonl", "--out", "new.csv")
    assert code == 0, err
    assert [row["predicted_label"] for row in written(tmp_path / "new.csv")] == ["card", "exchange"]


def test_files_are_asked_about_in_the_words_that_a_fit_of_them_learns(model, tmp_path, capsys):
    """The encoding is told by all files together: one of few words alone would be read as another."""
    texts = ["да 0a ok", "нет, 1a", "где моя карта", "какой сегодня курс", "карта ещё не пришла", "yes, please"]
    for number, text in enumerate(texts):
        (tmp_path / "data" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "ab"[number % 2] / f"{number}.txt").write_text(text, encoding="cp1251")
    learned = hs.check(tmp_path / "data").dataset
    assert sorted(learned.inputs) == sorted(texts)
    wanted = [p.probability for p in model.predict(list(learned.inputs))]
    capsys.readouterr()
    for asked in (tmp_path / "data", sorted((tmp_path / "data").rglob("*.txt"))):
        assert [p.probability for p in model.predict(asked)] == wanted
        assert capsys.readouterr().err.count("5 files are not UTF-8 and were read as cp1251") == 1
    (tmp_path / "data" / "a" / "0.txt").write_bytes(b"\x8d\x81 \x98\x90")
    answers = model.predict(tmp_path / "data")
    assert [bool(p.error) for p in answers] == [True] * 5 + [False]
    assert all("its encoding cannot be told" in p.error for p in answers[:5])


def test_a_table_is_predicted_row_by_row_and_nothing_is_dropped(saved, command, tmp_path):
    table = tmp_path / "new.csv"
    table.write_text(f'id,said,label\n1,"{CARD}",a\n2,too,many,cells\n3,,c\n4,"{RATE}",d\n')
    code, _, err = command("predict", saved, "new.csv", "--text", "said", "--out", "out.csv")
    assert code == 2, err
    rows = written(tmp_path / "out.csv")
    assert [(row["id"], row["label"], row["predicted_label"]) for row in rows] == [
        *(("1", "a", "card"), ("2", "many,cells", ""), ("3", "c", ""), ("4", "d", "exchange"))
    ]
    assert [row["error"] for row in rows] == ["", "4 fields where the table has 3", "no text", ""]
    before = (tmp_path / "out.csv").read_bytes()
    code, _, err = command("predict", saved, "new.csv", "--text", "said", "--out", "out.csv")
    assert (code, "--force" in err) == (2, True)
    assert (tmp_path / "out.csv").read_bytes() == before
    for name in ("new.csv", "out.xlsx", "nowhere/out.csv"):
        assert command("predict", saved, "new.csv", "--text", "said", "--out", name, "--force")[0] == 2
    assert table.read_text().startswith("id,said,label\n1,")
    for name in ("split.csv", "rejected.csv", "Split.CSV"):  # by which evaluate knows what it learned from
        code, _, err = command("predict", saved, CARD, "--out", saved / name, "--force")
        assert (code, "a file of the model that is saved there" in err) == (2, True)
    code, _, err = command("predict", saved, CARD, "--text", "said")
    assert (code, "--text: it is about a table, and no input is one" in err) == (2, True)
    code, _, err = command("predict", saved, CARD, "--image-root", ".")
    assert (code, "--image-root: it is about a table" in err) == (2, True)
    code, _, err = command("predict", saved, "-", "--text", "said", stdin=table.read_text())
    assert (code, "begins like a table" in err) == (2, True)


def test_answers_to_answers_have_columns_of_their_own(saved, command, tmp_path):
    (tmp_path / "0.csv").write_text(f'text\n"{CARD}"\n"{RATE}"\n')
    for number in range(3):
        code, _, err = command("predict", saved, f"{number}.csv", "--text", "text", "--out", f"{number + 1}.csv")
        assert code == 0, err
    header, row, _ = csv.reader(io.StringIO((tmp_path / "3.csv").read_text()))
    assert len({*header}) == len(header) == len(row) == 16
    assert [name for name in header if "label" in name] == [
        "predicted_label",
        *(f"predicted_label.{n}" for n in (2, 3)),
    ]


def test_damaged_lines_of_json_stay_in_the_file_of_answers(saved, command, tmp_path):
    lines = [json.dumps({"text": CARD, "id": 1}), '{"text": "cut', json.dumps({"text": RATE, "id": 3})]
    (tmp_path / "new.jsonl").write_text("\n".join(lines))
    code, _, err = command("predict", saved, "new.jsonl", "--out", "new.csv")
    assert code == 2, err
    rows = written(tmp_path / "new.csv")
    assert [(row["text"], row["id"]) for row in rows] == [(CARD, "1"), ('{"text": "cut', ""), (RATE, "3")]


@pytest.mark.parametrize("within", ["\u2028", "\x85", "\v", "\f", "\x1c", "a long text " * 100_000])
def test_a_table_is_known_whatever_stands_in_its_texts(within, model, tmp_path):
    """Of these characters none ends a line; and a megabyte of the file is looked at, which may end within a row."""
    texts = [CARD, f"{RATE}{within}", *FOUR]
    (tmp_path / "new.txt").write_text("text\tlabel\n" + "".join(f"{text}\tcard\n" for text in texts))
    assert [p.label for p in model.predict(tmp_path / "new.txt")][::5] == ["card", "exchange"]
    assert len(model.predict(tmp_path / "new.txt")) == 6


def test_a_table_of_questions_has_columns_of_its_own(years, command, tmp_path):
    (tmp_path / "q.csv").write_text("question,context\nWhen was it built?,the tower was built in 1954\n")
    code, _, err = command("predict", years, "q.csv", "--text", "question")
    assert (code, "--text: not for questions: 'question'" in err) == (2, True)
    code, _, err = command("predict", years, "q.csv", "--out", "a.csv")
    assert code == 0, err
    assert written(tmp_path / "a.csv")[0]["input"] == "When was it built?"


def test_a_long_path_is_whole_where_a_program_reads_it(saved, command, tmp_path):
    folder = tmp_path / ("a" * 50) / ("b" * 50)
    folder.mkdir(parents=True)
    (folder / "c.txt").write_text(CARD)
    assert command("predict", saved, f"{'a' * 50}/")[1].startswith(f"{'a' * 50}/{'b' * 50}/c.txt: ")


def test_pictures_in_any_form(of_photos):
    model, photos = of_photos
    torch = pytest.importorskip("torch")
    pixels = np.asarray(Image.open(photos[0]).convert("RGB"))
    tensor = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    content = Path(photos[0]).read_bytes()
    plain = model.predict_proba(pixels)
    for given in (tensor, torch.stack([tensor]), [tensor], np.stack([pixels]), (p for p in [pixels])):
        assert np.array_equal(model.predict_proba(given), plain), type(given)
    for given in (content, [content], [{"bytes": content, "path": None}], [{"bytes": None, "path": photos[0]}]):
        assert np.array_equal(model.predict_proba(given), model.predict_proba(photos[0]))
    good, *bad = model.predict(
        [photos[0], b"no picture", "http://somewhere/rose.jpg", "gone.jpg", tensor.float(), {1: 2}]
    )
    assert good.label
    assert all(other.error and not other.label for other in bad)
    assert len(bad) == 5


@pytest.mark.parametrize(("name", "ending"), [("said", ".txt"), ("sound", ".wav"), ("paper", ".pdf")])
def test_a_column_of_files_is_read_or_refused_never_learned_from(name, ending, tmp_path):
    for number in range(12):
        (tmp_path / f"{number}{ending}").write_text(f"{CARD if number % 2 else RATE} {number}")
    rows = "".join(f"{number}{ending},{('rate', 'card')[number % 2]}\n" for number in range(12))
    (tmp_path / "files.csv").write_text(f"{name},label\n{rows}")
    if ending != ".txt":
        with pytest.raises(hs.UserError, match=rf"holds names of \{ending} files"):
            hs.check(tmp_path / "files.csv")
        return
    (tmp_path / "3.txt").unlink()
    checked = hs.check(tmp_path / "files.csv")
    assert CARD in checked.dataset.inputs[1]
    assert [finding.where for finding in checked.dataset.rejected] == ["files.csv row 4"]
    assert "no such file" in checked.dataset.rejected[0].reason
    for number in range(12):
        (tmp_path / f"{number}.txt").unlink(missing_ok=True)
    with pytest.raises(hs.UserError, match="none of the files is there"):
        hs.check(tmp_path / "files.csv")


def test_addresses_and_names_of_sites_are_texts(tmp_path):
    rows = "".join(f"www.example{n}.com,{('shop', 'news')[n % 2]}\n" for n in range(12))
    (tmp_path / "sites.csv").write_text(f"site,label\n{rows}")
    assert hs.check(tmp_path / "sites.csv").dataset.inputs[0] == "www.example0.com"


def test_single_inputs_leave_nothing_and_get_what_they_get_together(model, of_photos):
    images, photos = of_photos
    pairs = hs.fit(*zip(*[((a, b), label) for a, b, label in same_or_not(24)], strict=True), how="probe")
    some = [("grilled fish", "a drum solo"), ("a marathon", "chess")]
    for asked, inputs in ((model, [CARD, RATE * 9]), (images, photos[:3]), (pairs, some)):
        asked.predict(inputs[0])
        before = kept()
        alone = np.concatenate([asked.predict_proba([each]) for each in inputs])
        assert kept() == before
        assert np.abs(alone - asked.predict_proba(inputs)).max() < 5e-3


def kept() -> set[str]:
    return {os.path.join(at, name) for at, _, names in os.walk(os.environ["HEADSTART_CACHE"]) for name in names}


def test_many_get_what_few_get(model, monkeypatch):
    texts = [f"{CARD} {number}" for number in range(70)]  # through the store
    assert np.abs(model.predict_proba(texts)[:8] - model.predict_proba(texts[:8])).max() < 5e-3


IN_THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
import headstart as hs
model = hs.load(sys.argv[1])
texts = [f"Where is card {i}?" for i in range(24)]
with ThreadPoolExecutor(4) as pool:
    found = [each[0] for each in pool.map(model.predict, texts)]
assert [each.input for each in found] == texts
print({each.label for each in found})
"""


def test_a_service_may_ask_from_several_threads(saved):
    done = subprocess.run([sys.executable, "-c", IN_THREADS, saved], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "{'card'}\n"), done.stderr
