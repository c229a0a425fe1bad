"""Which columns of a table are its labels, and what they hold: 0 and 1, yes and no, numbers of any look, sets."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import headstart as hs
from headstart.data.read import rows_in
from headstart.errors import DataError
from headstart.values import Columns
from topics import PROBE

NAMES = ("refund", "shipping", "quality")
NAMED = Columns(labels=NAMES)


def table(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *((f"note {i} of the day about it", *row) for i, row in enumerate(rows))])
    return path


def marks(yes, no, n=30):
    """Rows of three columns, in which every set of labels occurs."""
    return [[yes if number >> at & 1 else no for at in range(3)] for number in range(n)]


def said(notes, *words):
    return any(all(word in note for word in words) for note in notes)


@pytest.mark.parametrize("named", [None, NAMED], ids=["found", "named"])
@pytest.mark.parametrize("zero", ["0", "0.0"])
def test_a_cell_without_a_value_among_0_and_1_is_refused_with_its_row(tmp_path, command, named, zero):
    rows = [[first, second.replace("0", zero), third] for first, second, third in marks("1", "0")]
    rows[5] = ["1", "", "0"]
    path = table(tmp_path / "notes.csv", ("text", *NAMES), rows)
    option = () if named is None else ("--labels", ",".join(NAMES))
    code, _, err = command("fit", path, *option, *PROBE)
    assert code == 2
    assert "notes.csv row 6: no value in column 'shipping'" in err
    frame = pd.read_csv(path)
    assert frame.shipping.isna().sum() == 1
    with pytest.raises(DataError, match="table row 6: no value in column 'shipping'"):
        hs.check(frame, columns=named)
    with pytest.raises(DataError, match="row 6: no value in column '1'"):
        hs.check(list(frame.text), frame[list(NAMES)].to_numpy().tolist())


@pytest.mark.parametrize("empty", ["", "NaN", "NA"])
def test_a_row_without_any_of_the_labels_values_is_unlabelled_and_listed(tmp_path, empty):
    rows = marks("1", "0")
    rows[5] = [empty] * 3
    checked = hs.check(table(tmp_path / "notes.csv", ("text", *NAMES), rows))
    assert checked.dataset.classes == tuple(sorted(NAMES))
    assert [f.where for f in checked.dataset.findings if f.rejected] == ["notes.csv row 6"]
    assert len(checked.dataset) == 29


@pytest.mark.parametrize(
    ("yes", "no", "note"),
    [
        ("yes", "no", "'yes' taken as 1; 'no' taken as 0"),
        ("Y", "N", "'Y' taken as 1; 'N' taken as 0"),
        ("TRUE", "False", "'TRUE' taken as 1; 'False' taken as 0"),
        ("x", "", "'x' taken as 1; an empty cell taken as 0, since nothing else says no (4 rows have none"),
        ("1", "", "an empty cell taken as 0"),
        ("1", "0", None),
    ],
)
def test_named_columns_are_read_in_any_way_to_say_yes_and_that_is_said(tmp_path, yes, no, note):
    path = table(tmp_path / "notes.csv", ("text", *NAMES), marks(yes, no))
    found = hs.check(path, columns=NAMED).dataset
    assert [set(labels) for labels in found.targets[:4]] == [set(), {"refund"}, {"shipping"}, {"refund", "shipping"}]
    assert said(found.notes, note) if note else not said(found.notes, "taken as")


@pytest.mark.parametrize("odd", ["2", "maybe", "12", "0.5"])
def test_another_value_in_named_columns_is_refused_with_column_and_row(tmp_path, odd):
    rows = marks("1", "0")
    rows[7][2] = odd
    path = table(tmp_path / "notes.csv", ("text", *NAMES), rows)
    with pytest.raises(DataError, match=rf"notes.csv row 8: '{odd}' in column 'quality'\n0 or 1"):
        hs.check(path, columns=NAMED)
    found = hs.check(path).dataset  # found by what they hold, the third is none of them
    assert said(found.notes, "column 'quality' is none of them", odd)


def test_columns_of_names_give_the_names_where_these_recur(tmp_path):
    rows = [[("food", "music", "sport")[i % 3], ("", "music", "food", "sport")[i % 4]] for i in range(24)]
    columns = Columns(labels=("label1", "label2"))
    found = hs.check(table(tmp_path / "names.csv", ("text", "label1", "label2"), rows), columns=columns).dataset
    assert found.classes == ("food", "music", "sport")
    assert said(found.notes, "taken as names of labels, 3 different")
    path = table(tmp_path / "once.csv", ("text", "label1", "label2"), [[f"a{i}", f"b{i}"] for i in range(24)])
    with pytest.raises(DataError, match="row 1: 'a0' in column 'label1'"):
        hs.check(path, columns=columns)


def test_columns_of_yes_and_no_that_are_not_taken_are_named(tmp_path):
    with pytest.raises(DataError, match=r'may be the label: .*\n.*"refund"\) or .*labels=\["refund", "shipping"'):
        hs.check(table(tmp_path / "notes.csv", ("text", *NAMES), marks("yes", "no")))
    with pytest.raises(DataError, match=r'or several: Columns\(labels=\["refund", "shipping", "quality"\]\)'):
        hs.check(table(tmp_path / "crosses.csv", ("text", *NAMES), marks("x", "")))


@pytest.mark.parametrize("name", ["split", "Part", "fold", "subset", "partition", "set"])
def test_a_column_of_official_parts_is_never_the_label(tmp_path, name):
    rows = [[("Train", "train", "VALID", "test")[i % 4], ("cats", "dogs", "birds")[i % 3]] for i in range(48)]
    for header, order in (((name, "animal"), 1), (("animal", name), -1)):
        dataset = hs.check(table(tmp_path / "animals.csv", ("text", *header), [row[::order] for row in rows])).dataset
        assert dataset.classes == ("birds", "cats", "dogs")
        assert set(dataset.parts) == {"train", "val", "test"}
    with pytest.raises(DataError, match="no label column"):
        hs.check(table(tmp_path / "parts.csv", ("text", name), [row[:1] for row in rows]))


def test_a_column_of_another_name_that_holds_parts_is_no_label_either(tmp_path):
    parts, animals = ("holdout", "train", "val", "train"), ("cats", "dogs", "birds")
    rows = [[parts[i % 4], i % 5, animals[i % 3]] for i in range(48)]
    found = hs.check(table(tmp_path / "animals.csv", ("text", "split", "fold", "animal"), rows)).dataset
    assert found.classes == ("birds", "cats", "dogs")
    assert sum(f.kind == "unknown-part" for f in found.findings) == 12
    rows = [[("train", "test")[i % 4 == 3], animals[i % 3]] for i in range(48)]
    found = hs.check(table(tmp_path / "usage.csv", ("text", "Usage", "animal"), rows)).dataset
    assert found.classes == ("birds", "cats", "dogs")
    assert found.parts is None
    assert said(found.notes, "'Usage' holds names of parts", "split")
    rows = [[("holdout", "train")[i % 4 // 3], animals[i % 3]] for i in range(48)]
    with pytest.raises(DataError, match="a training part and a test"):  # nothing is learned from what is held out
        hs.check(table(tmp_path / "held.csv", ("text", "split", "animal"), rows))


@pytest.mark.parametrize(
    "write",
    [
        lambda n: f"${n}.99",
        lambda n: f"£{n}.99",
        lambda n: f"{n},5",
        lambda n: f"{n / 10:.1f}%",
        lambda n: f"{n},245",
        lambda n: f"{n} 234.50",
        lambda n: f"{n} EUR",
        lambda n: f"USD {n}",
        lambda n: f"{n} kg",
        lambda n: "$12.99",
    ],
)
def test_numbers_with_signs_are_refused_with_how_to_write_them(tmp_path, write):
    path = table(tmp_path / "prices.csv", ("text", "label"), [[write(n + n % 3)] for n in range(10, 50)])
    with pytest.raises(DataError, match=r"(?s)prices.csv row 1: .* number.*1234\.5.*classification"):
        hs.check(path)


@pytest.mark.parametrize(
    "labels", [["5a", "6b", "6c"], ["1st", "2nd"], ["1980s", "1990s"], ["v1", "v2"], ["007", "012"]]
)
def test_names_with_digits_are_classes_without_a_word(tmp_path, labels):
    rows = [[labels[n % len(labels)]] for n in range(40)]
    found = hs.check(table(tmp_path / "names.csv", ("text", "label"), rows)).dataset
    assert (found.classes, found.notes) == (tuple(sorted(labels)), ())


@pytest.mark.parametrize(
    ("numbers", "note"),
    [
        ([n % 5 for n in range(60)], "60 numbers are taken as 5 classes; --task regression"),
        (
            [n if n < 25 else 25 + n % 12 for n in range(60)],
            "60 numbers are taken as 37 classes, 25 of which occur once",
        ),
        (
            [f"{10 * (n % 4)}%" for n in range(60)],
            "classes; --task regression predicts numbers, once they are written as",
        ),
    ],
)
def test_numbers_that_are_taken_as_classes_are_said(tmp_path, numbers, note):
    path = table(tmp_path / "prices.csv", ("text", "label"), [[number] for number in numbers])
    checked = hs.check(path)
    assert checked.dataset.task.name == "classification"
    assert said(checked.notes, note)
    assert not hs.check(path, task="classification").notes


def test_numbers_that_leave_no_classes_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"9 numbers, of which 9 occur once.*\n.*regression"):
        hs.check(table(tmp_path / "few.csv", ("text", "label"), [[n] for n in range(9)]))


@pytest.mark.parametrize(
    ("numbers", "thousands"),
    [
        (["4.474", "117", "18.542", "903"], True),
        (["4.474", "117", "18.54", "903"], False),
        (["4.474", "117", "0.542", "903"], False),
        (["4.474", "1170", "18.542", "903"], False),
        (["4.474", "1.117", "18.542", "9.031"], False),
    ],
)
def test_fractions_that_may_be_thousands_are_said(tmp_path, numbers, thousands):
    path = table(tmp_path / "sales.csv", ("text", "label"), [[numbers[n % 4]] for n in range(40)])
    if thousands:
        with pytest.raises(DataError, match=r"sales.csv row 1: the label is '4.474'.*thousands\nwrite 4474"):
            hs.check(path)
    checked = hs.check(path, task="regression" if thousands else "auto")
    assert checked.dataset.task.name == "regression"
    assert said(checked.notes, "4.474 and the like may be thousands", "4474") == thousands


def test_a_number_of_300_digits_is_said_in_few():
    frame = pd.DataFrame(
        {"text": [f"note {n} of it" for n in range(40)], "label": [1e300, *(n + 0.5 for n in range(39))]}
    )
    assert said(hs.check(frame).notes, "40 numbers from 0.5 to 1e+300")


SETS = ["food{0}music", "music{0}sport", "sport{0}food", "food", "music"]


@pytest.mark.parametrize(
    ("separator", "typed"),
    [("/", '"/"'), (" / ", '"/"'), ("#", '"#"'), ("\n", r"$'\n'"), (" ", '" "')],
)
def test_labels_between_other_separators_are_seen_and_an_empty_list_is_no_class(tmp_path, separator, typed):
    cells = [*(cell.format(separator) for cell in SETS), "[]"]
    path = table(tmp_path / "sets.csv", ("text", "label"), [[cells[n % 6]] for n in range(60)])
    with pytest.raises(DataError) as error:
        hs.check(path)
    assert error.value.where == "sets.csv row 1"
    assert typed in error.value.fix
    found = hs.check(path, columns=Columns(separator=separator.strip() or separator)).dataset
    assert found.classes == ("food", "music", "sport")
    assert sum(labels == () for labels in found.targets) == 10
    assert "[]" not in hs.check(path, task="classification").dataset.classes
    assert said(hs.check(path, task="multilabel").dataset.notes, typed)


def test_without_an_empty_list_another_separator_is_a_note_and_dates_and_names_have_none(tmp_path):
    cells = [cell.format("/") for cell in SETS] + [""]
    path = table(tmp_path / "sets.csv", ("text", "label"), [[cells[n % 6]] for n in range(60)])
    assert said(hs.check(path).notes, "'food/music' are taken as one class each", '--separator "/"')
    spaced = [["lost card", "card not here", "here"], ["red cat", "red dog", "tan cat", "tan dog"], ["Ann Ray", "Ray"]]
    for names in (["1/2", "2/1", "1/3", "3/1"], *spaced, ["m/f", "f"]):
        path = table(tmp_path / "names.csv", ("text", "label"), [[names[n % len(names)]] for n in range(60)])
        assert not hs.check(path).notes


def test_tags_with_spaces_between_are_noted_with_the_option_that_splits_them(tmp_path):
    tags = ["card", "money", "card money", "money urgent", "card urgent", "urgent card money", "urgent"]
    path = table(tmp_path / "tags.csv", ("text", "tags"), [[tags[n % 7]] for n in range(70)])
    assert said(hs.check(path).notes, "'card money' are taken as one class each", '--separator " "')
    assert said(hs.check(path, task="multilabel").notes, '--separator " " splits them')
    split = hs.check(path, columns=Columns(separator=" "))
    assert split.dataset.classes == ("card", "money", "urgent")


def test_few_labels_put_together_from_others_are_noted(tmp_path):
    """Too few to be taken as several unasked; and never learned as classes of their own in silence."""
    cells = ["joy", "love", "anger"] * 30 + ["joy,love"] * 3
    path = table(tmp_path / "felt.csv", ("text", "label"), [[cell] for cell in cells])
    checked = hs.check(path)
    assert checked.dataset.task.name == "classification"
    assert said(checked.notes, "3 labels are put together from others, such as 'joy,love'", '--separator ","')
    split = hs.check(path, task="multilabel", columns=Columns(separator=","))
    assert split.dataset.classes == ("anger", "joy", "love")
    places = table(tmp_path / "places.csv", ("text", "label"), [[("York, UK", "Ann Arbor")[n % 2]] for n in range(60)])
    assert not hs.check(places).notes


@pytest.mark.parametrize("between", [";", "|", ",", " ; "])
def test_labels_that_have_their_places_are_split_where_several_are_asked_for_and_noted_elsewhere(tmp_path, between):
    cells = ["card", "parcel", f"card{between}urgent", "card", "parcel", f"parcel{between}urgent"]
    path = table(tmp_path / "tags.csv", ("text", "label"), [[cells[n % 6]] for n in range(60)])
    checked = hs.check(path)
    assert checked.dataset.task.name == "classification"
    assert said(checked.notes, "taken as one class each", f'--separator "{between.strip()}"')
    asked = hs.check(path, task="multilabel")
    assert asked.counts == {"card": 30, "parcel": 30, "urgent": 20}
    assert said(asked.notes, "20 of 60 labels have", "--task classification")


@pytest.mark.parametrize("names", [["Boston, MA", "Austin, TX"], ["toys|cars", "toys|dolls"], ["1,5", "2,5", "1,2"]])
def test_names_with_a_comma_and_paths_are_classes_without_a_word(tmp_path, names):
    path = table(tmp_path / "names.csv", ("text", "label"), [[names[n % len(names)]] for n in range(60)])
    assert not hs.check(path, task="classification").notes
    assert set(hs.check(path).counts) in ({*names}, set())  # numbers are no classes


def test_label_studios_choices_in_a_csv_are_several_labels_if_few_examples_have_them(tmp_path):
    cells = ["card", "parcel", "card", '{"choices": ["parcel", "urgent"]}', '{"choices": ["card", "urgent"]}', ""]
    path = table(tmp_path / "choices.csv", ("text", "topic"), [[cells[n % 6]] for n in range(60)])
    checked = hs.check(path)
    assert checked.counts == {"card": 30, "parcel": 20, "urgent": 20}
    assert said(checked.notes, "20 of 50 labels are lists", "--task classification")


@pytest.mark.parametrize("form", ["['{}']", '["{}"]', " ['{}'] ", '{{"choices": ["{}"]}}'])
def test_lists_of_one_as_texts_are_classes_as_those_of_json_are(tmp_path, form):
    cells = [form.format("card"), form.format("parcel"), ""]
    path = table(tmp_path / "lists.csv", ("text", "labels"), [[cells[n % 3]] for n in range(60)])
    checked = hs.check(path)
    assert checked.counts == {"card": 20, "parcel": 20}
    assert said(checked.notes, "each label is a list of one", "--task multilabel")
    assert hs.check(path, task="multilabel").counts == {"card": 20, "parcel": 20}


def test_an_empty_list_among_classes_is_left_out_and_said(tmp_path):
    cells = ["food", "music", "[]"]
    checked = hs.check(table(tmp_path / "sets.csv", ("text", "label"), [[cells[n % 3]] for n in range(60)]))
    assert checked.dataset.classes == ("food", "music")
    assert sum(f.rejected for f in checked.dataset.findings) == 20
    assert said(checked.notes, "20 labels are an empty list", "--task multilabel")


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        (["--label", "y", "--labels", "y,z"], "--label and --labels exclude each other"),
        (["--image", "a", "--text", "b"], "--image and --text exclude each other"),
        (["--labels", "y,z", "--separator", ";"], "--separator and --labels exclude each other"),
        (["--text2", "b"], "--text does not say the first"),
    ],
)
def test_options_of_which_one_would_be_left_aside_are_refused(tmp_path, command, options, refused):
    (tmp_path / "rows.csv").write_text("a,b,y,z\n" + "a good day,a bad day,1,0\na dull day,a long day,0,1\n" * 10)
    code, _, err = command("check", tmp_path / "rows.csv", *options)
    assert code == 2
    assert refused in err


def test_a_folder_of_class_folders_has_no_columns(tmp_path, command):
    for name in ("ants", "bees"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    code, _, err = command("check", tmp_path / "photos", "--text", "a")
    assert code == 2
    assert "--text" in err
    assert "no columns: 'a'" in err
    with pytest.raises(DataError, match="no columns: 'a'"):
        hs.check(["good", "bad"] * 10, labels=["p", "n"] * 10, columns=hs.Columns(text="a"))


@pytest.mark.parametrize("other", ["CARD", "Card", "lost  card", "Lost Card"])
def test_classes_that_differ_in_case_or_spaces_only_are_noted(tmp_path, other):
    cells = ["card", "lost card", other]
    path = table(tmp_path / "cards.csv", ("text", "label"), [[cells[n % 3]] for n in range(60)])
    checked = hs.check(path)
    assert len(checked.counts) == 3
    assert said(checked.notes, "differ in case or spaces only", f"'{other}'")
    cells = ["card", "lost card", "card lost"]
    path = table(tmp_path / "cards.csv", ("text", "label"), [[cells[n % 3]] for n in range(60)])
    assert not said(hs.check(path).notes, "differ in case")


HOT = np.eye(3, dtype=int)[np.arange(60) % 3]
TEXTS = [f"note {n} of the day about it" for n in range(60)]


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (pd.DataFrame(HOT, columns=NAMES).assign(text=TEXTS), NAMES),
        (pd.DataFrame(HOT == 1, columns=NAMES).assign(text=TEXTS), NAMES),
        ((TEXTS, HOT), ("0", "1", "2")),
        ((TEXTS, pd.DataFrame(HOT, columns=NAMES)), NAMES),
        ((TEXTS, sparse.csr_matrix(HOT)), ("0", "1", "2")),
    ],
    ids=["columns", "true and false", "array", "frame", "sparse"],
)
def test_one_hot_columns_are_classes_and_that_is_said(data, names):
    checked = hs.check(data)
    assert checked.dataset.task.name == "classification"
    assert checked.counts == dict.fromkeys(names, 20)
    assert said(checked.notes, "each row has exactly one label", "--task multilabel")
    assert not said(checked.notes, "--task regression")
    assert hs.check(data, task="multilabel").dataset.task.name == "multilabel"


def test_columns_of_which_a_row_has_none_are_labels():
    rows = HOT.copy()
    rows[7] = 0
    assert hs.check((TEXTS, rows)).dataset.task.name == "multilabel"


def test_predict_names_no_option_of_labels(tmp_path):
    path = table(
        tmp_path / "notes.csv", ("text", *NAMES, "useful", "seen"), [[*row, "yes", "no"] for row in HOT.tolist()]
    )
    _, notes, _ = rows_in(path, "text", Columns())
    assert not said(notes, "--label")


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        ("lost card\u200b", r"\u200b"),
        ("l\u043est card", r"\u043e"),
        ("lost\u00adcard", r"\xad"),
        ("lost c\u200dard", "200d"),
    ],
)
def test_classes_that_look_the_same_are_noted(tmp_path, other, shown):
    cells = ["lost card", "card", "lostcard", other]
    path = table(tmp_path / "cards.csv", ("text", "label"), [[cells[n % 4]] for n in range(60)])
    assert said(hs.check(path).notes, "classes that look the same, learned as different ones", shown)


def test_a_word_of_two_alphabets_is_noted_and_those_of_one_are_not(tmp_path):
    for cells, noted in ((["c\u0430rd", "code"], True), (["карта", "код", "IT-отдел", "TGFβ", "β-card"], False)):
        path = table(tmp_path / "cards.csv", ("text", "label"), [[cells[n % len(cells)]] for n in range(60)])
        assert said(hs.check(path).notes, "letters of two alphabets in one word") == noted


def test_a_title_of_a_few_words_is_joined_and_what_is_left_out_is_said():
    bodies = [f"the long story of thing number {n} and what came of it" for n in range(40)]
    frame = pd.DataFrame({"body": bodies, "label": ["a", "b"] * 20})
    short = hs.check(frame.assign(title=[f"Thing {n}" for n in range(40)]))
    assert short.dataset.inputs[3] == f"Thing 3\n{bodies[3]}"
    assert said(short.notes, "'title' and 'body' joined")
    for name, values in (("title", ["Five stars"] * 40), ("Summary", [f"Good thing {n}" for n in range(40)])):
        checked = hs.check(frame.assign(**{name: values}))
        assert checked.dataset.inputs[3] == bodies[3]
        assert said(checked.notes, f"left out, though it may be texts, too: {name}", f"--text {name}")
    for name, values in (
        ("id", [f"number {n}" for n in range(40)]),
        ("day", [f"2024-01-{n % 28 + 1:02}" for n in range(40)]),
    ):
        assert not said(hs.check(frame.assign(**{name: values})).notes, "left out")
