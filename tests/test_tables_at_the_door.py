"""Tables as people have them: the encoding, the delimiter, the label's column, and the forms that other tools write."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import headstart as hs
from headstart.errors import DataError
from headstart.inputs.encodings import encoding_among, wide_encoding
from reading import read as as_classes

RUSSIAN = [("где моя карта", "card"), ("какой сегодня курс", "rate"), ("карта ещё не пришла", "card")] * 4
POLISH = [("Gdzie jest moja karta? Jeszcze nie przyszła", "card"), ("Jaki jest dziś kurs", "rate")] * 4
FRENCH = [
    ("Où est ma carte ? Elle n'est pas arrivée", "card"),
    ("Quel est le taux d'aujourd'hui, à Orléans ?", "rate"),
] * 4
CHINESE = [("我的卡在哪里", "card"), ("今天汇率多少", "rate"), ("卡还没有到", "card"), ("欧元汇率好吗", "rate")] * 3
JAPANESE = [("カードはどこですか", "card"), ("今日の為替レートはいくらですか", "rate")] * 4
KOREAN = [("내 카드는 어디에 있나요", "card"), ("오늘 환율은 얼마인가요", "rate")] * 4


@pytest.fixture
def rows(questions):
    return [(text, label) for text, label in questions if label != "pin"]


def write(path, rows, header=("text", "label"), encoding="utf-8", delimiter=","):
    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return path


def read(data, **columns):
    return as_classes(data, columns=hs.Columns(**columns) if columns else None)


def checked(data):
    return hs.check(data).dataset


@pytest.mark.parametrize(
    ("encoding", "rows"),
    [
        ("cp1251", RUSSIAN),
        ("koi8_r", RUSSIAN),
        ("cp1250", POLISH),
        ("cp1252", FRENCH),
        ("gbk", CHINESE),
        ("shift_jis", JAPANESE),
        ("euc_jp", JAPANESE),
        ("euc_kr", KOREAN),
        ("utf-16", RUSSIAN),
        ("utf-16-le", FRENCH),
        ("utf-16-be", CHINESE),
        ("utf-32", RUSSIAN),
    ],
)
def test_texts_are_the_same_in_any_encoding_and_that_is_said(encoding, rows, tmp_path):
    found = read(write(tmp_path / "t.csv", rows, encoding=encoding))
    assert list(found.inputs) == [text for text, _ in rows]
    assert any("read as" in note and "--encoding" in note for note in found.notes)


def test_what_may_be_two_encodings_is_refused_and_the_option_reads_it(tmp_path, command):
    rows = [("Kartım nerede? Henüz gelmedi", "card"), ("Bugün döviz kuru nedir, şimdi", "rate")] * 4
    path = write(tmp_path / "t.csv", rows, encoding="cp1254")
    code, _, err = command("check", path)
    assert code == 2
    assert "--encoding cp1252 or --encoding cp1254" in err
    assert list(read(path, encoding="cp1254").inputs) == [text for text, _ in rows]
    with pytest.raises(DataError, match="not utf-8"):
        read(path, encoding="utf-8")
    with pytest.raises(DataError, match="unknown encoding 'klingon'"):
        read(path, encoding="klingon")


def test_damage_in_utf_8_is_no_other_encoding(tmp_path):
    path = write(tmp_path / "t.csv", RUSSIAN)
    path.write_bytes(path.read_bytes() + b"\xd0,card\n")
    with pytest.raises(DataError, match="UTF-8 but for damaged bytes"):
        read(path)


@settings(max_examples=60)
@given(st.text(st.characters(codec="cp1251"), max_size=200), st.sampled_from(["cp1251", "cp1252", "gb18030", "utf-8"]))
def test_an_encoding_that_is_told_decodes(text, encoding):
    content = text.encode(encoding, "replace")
    wide_encoding(content)
    try:
        found = encoding_among(content, where="t.csv")
    except DataError:
        return
    content.decode(found)


@pytest.mark.parametrize("at", [(3, 9), (3,), (0, 15)])
def test_a_quotation_mark_without_its_partner_swallows_no_rows(at, tmp_path, rows):
    path = tmp_path / "t.csv"
    mark = {number: '"' for number in at}
    lines = [f"{label},{mark.get(i, '')}{text}\n" for i, (text, label) in enumerate(rows)]
    path.write_text("label,text\n" + "".join(lines))
    found = read(path)
    assert len(found) == len(rows)
    assert any("quotation marks are read as they stand" in note for note in found.notes)


def test_one_that_closes_at_the_end_of_another_line_swallows_none_either(tmp_path, rows):
    path = tmp_path / "t.csv"
    marked = {3: '"{}', 9: '{}"'}
    path.write_text("label,text\n" + "".join(f"{n},{marked.get(i, '{}').format(t)}\n" for i, (t, n) in enumerate(rows)))
    assert len(read(path)) == len(rows)


def test_beside_marks_that_hold_cells_together_it_is_refused_with_its_line(tmp_path, rows):
    path = tmp_path / "t.csv"
    lines = [f'{label},"{text}, please"\n' if i != 4 else f'{label},"{text}\n' for i, (text, label) in enumerate(rows)]
    path.write_text("label,text\n" + "".join(lines))
    with pytest.raises(DataError, match=r"line 6: a quotation mark without its partner takes in the lines up to 7"):
        read(path)


def test_texts_of_several_lines_are_one_cell(tmp_path, rows):
    long = [(f"{text}\nDear all, thanks\nnext line, and more", label) for text, label in rows]
    found = read(write(tmp_path / "t.csv", long))
    assert list(found.inputs) == [text for text, _ in long]
    assert not any("quotation" in note for note in found.notes)


@pytest.mark.parametrize("delimiter", [";", "|", "\t"])
@pytest.mark.parametrize("head", ["", "sep={}\n"])
def test_delimiters_and_excels_first_line(delimiter, head, tmp_path, rows):
    path = tmp_path / "t.csv"
    write(path, rows, delimiter=delimiter)
    path.write_text(head.format(delimiter) + path.read_text())
    assert list(read(path).inputs) == [text for text, _ in rows]


def test_the_delimiter_that_is_named_and_a_table_that_is_packed(tmp_path, rows):
    path = write(tmp_path / "t.csv", rows, delimiter=":")
    assert len(read(path, delimiter=":")) == len(rows)
    with pytest.raises(DataError, match="is no delimiter"):
        read(path, delimiter="ab")
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(read(packed, delimiter=":").inputs) == [text for text, _ in rows]
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        read(packed, delimiter=":")


def test_the_label_is_the_column_whose_name_ends_so(tmp_path, rows):
    table = [(i, label, i / 40, ("Delta", "United")[i // 8], text) for i, (text, label) in enumerate(rows)]
    path = write(
        tmp_path / "t.csv", table, ("tweet_id", "airline_sentiment", "sentiment_confidence", "airline", "text")
    )
    found = read(path)
    assert found.classes == ("card", "exchange")
    assert any(
        "'airline_sentiment' taken as the label; --label COLUMN takes another: airline" in n for n in found.notes
    )


def test_of_several_columns_that_may_be_the_label_none_is_taken(tmp_path, rows):
    table = [(i, label, ("Delta", "United")[i // 8], text) for i, (text, label) in enumerate(rows)]
    path = write(tmp_path / "t.csv", table, ("id", "mood", "airline", "text"))
    with pytest.raises(
        DataError, match=r"several columns may be the label(.|\n)*label=\"mood\".* or .*label=\"airline\""
    ):
        read(path)
    assert read(path, label="mood").classes == ("card", "exchange")


@pytest.mark.parametrize("other", ["annotator", "user_id", "created_at", "ProductId"])
def test_a_column_about_the_rows_is_never_the_label(other, tmp_path, rows):
    table = [(i % 2 + 1, label, text) for i, (text, label) in enumerate(rows)]
    found = read(write(tmp_path / "t.csv", table, (other, "mood", "text")))
    assert found.classes == ("card", "exchange")


@pytest.mark.parametrize("orient", ["columns", "index", "records", "split", "table", "values", "lines", "list", "data"])
@pytest.mark.parametrize("indent", [None, 2])
def test_what_pandas_writes_as_json_is_read_in_each_of_its_forms(orient, indent, tmp_path, rows):
    frame, path = pd.DataFrame(rows, columns=["text", "label"]), tmp_path / "t.json"
    if orient == "lines":
        frame.to_json(path, orient="records", lines=True)
    elif orient in ("list", "data"):
        held = frame.to_dict("list") if orient == "list" else {"version": 1, "data": frame.to_dict("records")}
        path.write_text(json.dumps(held, indent=indent))
    else:
        frame.to_json(path, orient=orient, indent=indent)
    found = read(path, **({"text": ["1"], "label": "2"} if orient == "values" else {}))
    assert sorted(found.inputs) == sorted(frame["text"])
    assert found.classes == ("card", "exchange")


def test_an_object_without_rows_is_refused_with_what_to_write(tmp_path):
    (tmp_path / "t.json").write_text('{\n "name": "x"\n}')
    with pytest.raises(DataError, match=r"holds no rows(.|\n)*orient='records'"):
        read(tmp_path / "t.json")


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_label_studio_in_both_forms_of_json(tmp_path, rows):
    def task(i, text, label):
        result = [{"type": "choices", "from_name": "sentiment", "value": {"choices": [label]}}]
        return {"id": i, "data": {"text": text}, "annotations": [{"result": result, "completed_by": i % 2}]}

    (tmp_path / "full.json").write_text(json.dumps([task(i, *row) for i, row in enumerate(rows)]))
    short = [{"id": i, "text": t, "sentiment": n, "annotator": i % 2 + 1} for i, (t, n) in enumerate(rows)]
    (tmp_path / "min.json").write_text(json.dumps(short))
    for name in ("full.json", "min.json"):
        found = read(tmp_path / name)
        assert found.classes == ("card", "exchange")
        assert list(found.inputs) == [text for text, _ in rows]


def test_what_was_rejected_in_prodigy_is_not_true(tmp_path, rows):
    answers = ["accept"] * 12 + ["reject"] * 2 + ["ignore"] * 2
    told = [{"text": t, "label": n, "answer": a, "_task_hash": 1} for (t, n), a in zip(rows, answers, strict=True)]
    found = read(lines(tmp_path / "t.jsonl", told))
    assert len(found) == 12
    assert sum(finding.kind == "not-labelled" for finding in found.rejected) == 4
    chosen = [{"text": t, "accept": [n], "answer": "accept", "_task_hash": 1} for t, n in rows]
    assert read(lines(tmp_path / "c.jsonl", chosen)).classes == ("card", "exchange")


@pytest.mark.parametrize(
    "row",
    [
        {"text": "Ann is here", "label": [[0, 3, "PER"]]},
        {"text": "Ann is here", "entities": [{"start_offset": 0, "end_offset": 3, "label": "PER"}]},
        {
            "text": "Ann is here",
            "spans": [{"start": 0, "end": 3, "label": "PER"}],
            "answer": "accept",
            "_input_hash": 1,
        },
        {"data": {"text": "Ann"}, "annotations": [{"result": [{"type": "labels", "value": {"labels": ["PER"]}}]}]},
    ],
)
def test_labels_of_spans_are_refused_in_words(row, tmp_path):
    with pytest.raises(DataError, match="row 1: labels of spans"):
        read(lines(tmp_path / "t.jsonl", [row] * 10))


def test_lists_of_one_label_are_classes_and_empty_ones_are_for_the_user_to_say(tmp_path, rows, command):
    ones = [{"text": text, "label": [label]} for text, label in rows]
    assert checked(lines(tmp_path / "ones.jsonl", ones)).title == "text-classification"
    some = lines(tmp_path / "some.jsonl", [*ones[:12], *({**row, "label": []} for row in ones[12:])])
    code, _, err = command("check", some)
    assert code == 2
    assert "--task classification" in err
    assert "--task multilabel" in err
    assert len(hs.check(some, task="classification").dataset) == 12
    assert len(hs.check(some, task="multilabel").dataset) == 16


def pictures(n=12):
    noise = np.random.default_rng(0)
    return [Image.fromarray(noise.integers(0, 255, (32, 32, 3), dtype=np.uint8)) for _ in range(n)]


def packed(image):
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize(
    "cell",
    [
        lambda image: {"bytes": packed(image), "path": "a.png"},
        packed,
        lambda image: image,
        np.asarray,
    ],
)
def test_pictures_in_the_cells_of_a_frame(cell):
    frame = pd.DataFrame({"picture": [cell(image) for image in pictures()], "label": ["a", "b"] * 6})
    found = checked(frame)
    assert found.title == "image-classification"
    assert len(found) == 12


def test_pictures_in_a_parquet_file_are_known_by_their_bytes(tmp_path):
    cells = [{"bytes": packed(image), "path": None} for image in pictures()]
    cells[3] = {"bytes": b"no image", "path": None}
    pd.DataFrame({"image": cells, "label": ["a", "b"] * 6}).to_parquet(tmp_path / "t.parquet")
    found = checked(tmp_path / "t.parquet")
    assert len(found) == 11
    assert [finding.where for finding in found.rejected] == ["t.parquet row 4"]


def test_a_table_of_text_files_is_one_of_their_texts(tmp_path, rows):
    for i, (text, _) in enumerate(rows):
        (tmp_path / f"{i}.txt").write_text(text)
    path = write(tmp_path / "t.csv", [(f"{i}.txt", label) for i, (_, label) in enumerate(rows)], ("filename", "label"))
    found = read(path)
    assert list(found.inputs) == [text for text, _ in rows]
    assert any("names (0.txt) is one text" in note for note in found.notes)
    (tmp_path / "4.txt").unlink()
    (rejected,) = checked(path).rejected
    assert rejected.where == "t.csv row 5"
    assert "no such file" in rejected.reason
    assert "4.txt" in rejected.reason


@pytest.mark.parametrize("ending", ["wav", "mp4", "pdf"])
def test_names_of_other_files_are_no_texts(ending, tmp_path):
    path = write(tmp_path / "t.csv", [(f"clips/{i}.{ending}", "ab"[i % 2]) for i in range(20)], ("path", "label"))
    with pytest.raises(DataError, match=rf"names of \.{ending} files"):
        read(path)


def test_whole_numbers_that_pandas_wrote_as_floats_are_the_same_classes(tmp_path, rows):
    train = write(tmp_path / "train.csv", [(text, int(label == "card")) for text, label in rows])
    test = tmp_path / "test.csv"
    other = [(f"And another thing {i}: {text[::-1]}", float(label == "card")) for i, (text, label) in enumerate(rows)]
    pd.DataFrame([*other, ("no label here", None)], columns=["text", "label"]).to_csv(test, index=False)
    assert ",1.0" in test.read_text()
    assert hs.check(train, test=test).dataset.classes == ("0", "1")


def test_a_workbook_needs_an_extra_that_is_named(tmp_path, rows, monkeypatch):
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(DataError, match=r"pip install 'headstart\[excel\]'"):
        read(tmp_path / "t.xlsx")


def test_a_workbook_is_read_as_its_rows(tmp_path, rows):
    """Of the first sheet that has any; numbers are what they were in cells, of which each is a float."""
    frame = pd.DataFrame(rows, columns=["text", "label"])
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        pd.DataFrame(["made in spring"]).to_excel(book, sheet_name="cover", index=False, header=False)
        frame.assign(label=frame["label"].rank(method="dense").astype(int)).to_excel(
            book, sheet_name="all", index=False
        )
        frame.to_excel(book, sheet_name="old", index=False)
    found = checked(tmp_path / "t.xlsx")
    assert list(found.inputs) == [text for text, _ in rows]
    assert found.classes == tuple(str(n + 1) for n in range(frame["label"].nunique()))
    assert any("sheet 'all' is read, and not: old" in note for note in found.notes)
    (tmp_path / "t.xls").write_bytes(b"no workbook")
    with pytest.raises(DataError, match=r"t\.xls: cannot be read"):
        read(tmp_path / "t.xls")


def test_a_folder_of_texts_is_in_one_encoding(tmp_path):
    for number, (text, label) in enumerate(RUSSIAN):
        (tmp_path / "notes" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "notes" / label / f"{number:02}.txt").write_text(text, encoding="cp1251")
    found = read(tmp_path / "notes")
    assert sorted(found.inputs) == sorted(text for text, _ in RUSSIAN)
    assert any("12 files are not UTF-8 and were read as cp1251; --encoding NAME" in note for note in found.notes)


def test_questions_are_read_with_the_same_options(tmp_path):
    asked = [(f"When was tower {i} built?", f"Tower {i}: été {1900 + i}.", str(1900 + i)) for i in range(12)]
    header = ("question", "context", "answer")
    path = write(tmp_path / "q.csv", asked, header, encoding="cp1252", delimiter="^")
    found = hs.check(path, task="answering", columns=hs.Columns(encoding="cp1252", delimiter="^")).dataset
    assert len(found) == 12
    assert found.passages.contexts[0] == asked[0][1]


MAC = [("Où est ma carte ? Elle n’est pas arrivée à Orléans", "card"), ("Quel est le taux à Besançon ?", "rate")] * 6


def in_mac_roman(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="mac_roman")


def squad_in_mac_roman(folder):
    places = ("la Loire", "un pont", "ses élèves", "trois musées", "vingt églises", "une île")
    of = [{"text": "Orléans’", "answer_start": 0}]
    articles = [
        {
            "title": place,
            "paragraphs": [{"context": f"Orléans’ {place}", "qas": [{"id": place, "question": "Où ?", "answers": of}]}],
        }
        for place in places
    ]
    in_mac_roman(folder / "squad.json", json.dumps({"data": articles}, ensure_ascii=False))
    return folder / "squad.json"


def tables_in_mac_roman(folder):
    for part in ("train", "test"):
        rows = [f"{text.replace('?', '').replace(',', '')} {part} {n};{label}" for n, (text, label) in enumerate(MAC)]
        in_mac_roman(folder / f"{part}.csv", "text;label", *rows)
    return folder


def metadata_in_mac_roman(folder):
    rows = [f"{n}.jpg;{'été' if n % 2 else 'hiver'}" for n in range(10)]
    in_mac_roman(folder / "metadata.csv", "file_name;label", *rows)
    for n in range(10):
        Image.fromarray(np.random.default_rng(n).integers(0, 255, (32, 32, 3), np.uint8)).save(folder / f"{n}.jpg")
    return folder


def files_of_a_class_in_mac_roman(folder):
    for label in ("card", "rate"):
        in_mac_roman(folder / f"{label}.txt", *(f"{text} {n}" for n, (text, of) in enumerate(MAC) if of == label))
    return folder


def one_of_its_siblings_in_mac_roman(folder):
    for label in ("pos", "neg"):
        in_mac_roman(folder / f"rt.{label}", *(f"{text} {label} {n}" for n, (text, _) in enumerate(MAC)))
    return folder / "rt.pos"


def texts_and_labels_in_mac_roman(folder):
    in_mac_roman(folder / "train_text.txt", *(f"{text} {n}" for n, (text, _) in enumerate(MAC)))
    in_mac_roman(folder / "train_labels.txt", *(label for _, label in MAC))
    return folder


def ag_news_in_mac_roman(folder):
    in_mac_roman(folder / "classes.txt", "Économie", "Sport")
    for part in ("train", "test"):
        rows = [f'"{1 + (label == "rate")}","{text} {part}","{n}"' for n, (text, label) in enumerate(MAC)]
        in_mac_roman(folder / f"{part}.csv", *rows)
    return folder


def a_table_in_mac_roman(folder):
    in_mac_roman(folder / "t.csv", "text,label", *(f'"{text} {n}",{label}' for n, (text, label) in enumerate(MAC)))
    return folder / "t.csv"


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (a_table_in_mac_roman, ()),
        (tables_in_mac_roman, ("--delimiter", ";")),
        (metadata_in_mac_roman, ("--delimiter", ";")),
        (files_of_a_class_in_mac_roman, ()),
        (one_of_its_siblings_in_mac_roman, ()),
        (texts_and_labels_in_mac_roman, ()),
        (ag_news_in_mac_roman, ()),
        (squad_in_mac_roman, ()),
    ],
)
def test_the_encoding_that_is_named_is_taken_wherever_text_is_read(make, options, tmp_path, command):
    (tmp_path / "data").mkdir()
    given, delimiter = make(tmp_path / "data"), ";" if options else None
    with pytest.raises(DataError, match="its encoding cannot be told"):
        hs.check(given, columns=hs.Columns(delimiter=delimiter))
    found = hs.check(given, columns=hs.Columns(encoding="mac_roman", delimiter=delimiter))
    assert any(word in str(vars(found.dataset)) for word in ("Orléans", "été"))
    code, out, err = command("check", given, "--encoding", "mac_roman", *options, "--json")
    assert code == 0, err
    assert json.loads(out)["n"] == len(found.dataset)
