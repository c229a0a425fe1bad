"""Data sets of texts as their authors ship them: each is read by one command, or refused with the one that does."""

from __future__ import annotations

from collections import Counter

import pytest

import headstart as hs
from headstart.errors import DataError
from layouts import photos, sentences, written


def told(found) -> str:
    return "\n".join(found.notes)


def parts(found) -> dict[str, int]:
    return dict(Counter(found.dataset.parts or ()))


def test_imdb(tmp_path):
    """aclImdb: train/pos, train/neg, train/unsup, test/pos, test/neg, and files of features beside them."""
    for folder in ("train/pos", "train/neg", "train/unsup", "test/pos", "test/neg"):
        for number, sentence in enumerate(sentences(folder)):
            written(tmp_path / "aclImdb" / folder / f"{number}_7.txt", sentence)
    for name in ("README", "imdb.vocab", "imdbEr.txt", "train/labeledBow.feat", "train/urls_pos.txt"):
        written(tmp_path / "aclImdb" / name, "9 0:9 1:1")
    for given in (tmp_path, tmp_path / "aclImdb"):
        found = hs.check(given)
        assert (found.counts, parts(found)) == ({"neg": 12, "pos": 12}, {"train": 12, "test": 12})
        assert "unsup (6 files)" in told(found)


def test_ag_news(tmp_path):
    """train.csv and test.csv without a header: class, title, description; classes.txt has the names."""
    written(tmp_path / "classes.txt", "World", "Sports", "Business", "Sci/Tech")
    written(tmp_path / "readme.txt", "AG's News Topic Classification Dataset")
    for part, n in (("train", 24), ("test", 8)):
        rows = [f'"{k % 4 + 1}","Title of {part} {k}","{sentence}"' for k, sentence in enumerate(sentences(part, n))]
        written(tmp_path / f"{part}.csv", *rows)
    found = hs.check(tmp_path)
    assert found.counts == {"Business": 8, "Sci/Tech": 8, "Sports": 8, "World": 8}
    assert parts(found) == {"train": 24, "test": 8}
    assert found.dataset.inputs[0].startswith("Title of train 0\nthis is sentence")
    assert "name is in classes.txt; columns 2, 3 joined" in told(found)
    written(tmp_path / "classes.txt", "World", "Sports", "Business")
    with pytest.raises(DataError, match=r"train\.csv row 4: class '4', and classes\.txt has 3 names"):
        hs.check(tmp_path)


@pytest.mark.parametrize(
    ("one", "other", "classes"),
    [
        ("rt-polaritydata/rt-polarity.pos", "rt-polaritydata/rt-polarity.neg", ("neg", "pos")),
        ("plot.tok.gt9.5000", "quote.tok.gt9.5000", ("plot", "quote")),
        ("custrev.pos", "custrev.neg", ("neg", "pos")),
        ("pos.txt", "neg.txt", ("neg", "pos")),
        ("sports.txt", "politics.txt", ("politics", "sports")),
    ],
)
def test_a_file_a_class(one, other, classes, tmp_path):
    """Of movie reviews, Subj, customer reviews, MPQA, and what people make by hand."""
    for name in (one, other):
        written(tmp_path / "set" / name, *sentences(f"{name} and Amélie", 8), encoding="latin-1")
    written(
        tmp_path / "set" / one.rsplit("/", 1)[0] / "README.txt" if "/" in one else tmp_path / "set" / "README.txt", "v1"
    )
    found = hs.check(tmp_path / "set")
    assert found.counts == dict.fromkeys(classes, 8)
    assert "each file taken as a class, and each line in it as a text" in told(found)
    assert "Amélie" in found.dataset.inputs[0]


@pytest.mark.parametrize(
    ("taken", "others"),
    [
        (("mail.txt", "news.txt"), ("notes.txt",)),
        (("mail.txt", "news.txt"), ("offers.text", "spam.md")),
        (("a.pos", "a.neg"), ("b.pos",)),
        (("plot.tok.gt9.5000", "quote.tok.gt9.5000"), ("facts.txt",)),
        (("train_text.txt", "train_labels.txt"), ("extra.txt", "unlabelled.csv")),
    ],
)
def test_files_that_are_none_of_the_classes_are_said(taken, others, tmp_path):
    for name in (*taken, *others):
        written(tmp_path / name, *sentences(name, 8))
    if "train_labels.txt" in taken:
        written(tmp_path / "train_labels.txt", *("odd", "even") * 4)
    found = hs.check(tmp_path)
    assert len(found.counts) == 2
    assert f": {', '.join(others)}" in next(note for note in found.notes if note.startswith("not read"))


@pytest.mark.parametrize("called", ["{part}_{label}.txt", "{label}_{part}.txt", "{label}-{part}.txt"])
def test_a_file_a_class_and_a_part(called, tmp_path):
    for part, n in (("train", 8), ("test", 4)):
        for label in ("pos", "neg"):
            written(tmp_path / called.format(part=part, label=label), *sentences(f"{part} {label}", n))
    written(tmp_path / "readme.txt", "what this is")
    found = hs.check(tmp_path)
    assert found.counts == {"neg": 12, "pos": 12}
    assert parts(found) == {"train": 16, "test": 8}
    assert "each file taken as a class" in told(found)
    (tmp_path / called.format(part="test", label="pos")).unlink()
    assert "untested" in [caution.kind for caution in hs.check(tmp_path).cautions]


@pytest.mark.parametrize(
    ("texts", "labels", "part"),
    [("reviews.txt", "labels.txt", "train"), ("train.txt", "train.label", "train"), ("a.txt", "a.labels", "train")],
)
def test_labels_beside_texts_of_any_name(texts, labels, part, tmp_path):
    written(tmp_path / texts, *sentences("films", 12))
    written(tmp_path / labels, *("odd", "even") * 6)
    written(tmp_path / "README.txt", "how these were made")
    found = hs.check(tmp_path)
    assert found.counts == {"even": 6, "odd": 6}
    assert f"labels of {texts} read from {labels}" in told(found)


def test_files_without_an_ending_are_texts_where_they_hold_texts(tmp_path):
    """20 Newsgroups as it is shipped: a number a file. Photos without an ending are photos, as before."""
    for part, n in (("train", 8), ("test", 4)):
        for group in ("sci.med", "rec.autos"):
            for number, sentence in enumerate(sentences(f"{part} {group}", n)):
                written(tmp_path / "news" / f"20news-bydate-{part}" / group / f"{number}", "From: Amélie", sentence)
    found = hs.check(tmp_path / "news")
    assert found.dataset.modality.name == "text"
    assert found.counts == {"rec.autos": 12, "sci.med": 12}
    assert parts(found) == {"train": 16, "test": 8}
    assert "each file without an ending is one text" in told(found)
    photos(tmp_path / "photos", "cat", "dog", n=8)
    for photo in list((tmp_path / "photos").rglob("*.png")):
        photo.rename(photo.with_suffix(""))
    assert hs.check(tmp_path / "photos").dataset.modality.name == "image"


def test_of_several_tables_the_one_with_labels_is_named(tmp_path):
    """Kaggle's reviews: a table of each part, of which one has labels."""
    marked = [f'{k}\t{k % 2}\t"{sentence}"' for k, sentence in enumerate(sentences("films", 12))]
    written(tmp_path / "labeledTrainData.tsv", "id\tsentiment\treview", *marked)
    for name in ("testData.tsv", "unlabeledTrainData.tsv"):
        rows = [f'{k}\t"{sentence}"' for k, sentence in enumerate(sentences("films", 12))]
        written(tmp_path / name, "id\treview", *rows)
    with pytest.raises(DataError, match=r"fit \S*/labeledTrainData\.tsv learns from it alone"):
        hs.check(tmp_path)


def test_several_data_sets_of_a_file_a_class(tmp_path):
    for name in ("custrev.pos", "custrev.neg", "mpqa.pos", "mpqa.neg"):
        written(tmp_path / name, *sentences(name, 8))
    with pytest.raises(DataError, match=r"2 data sets .*\n.*name one file.*custrev\.neg or .*mpqa\.neg"):
        hs.check(tmp_path)
    found = hs.check(tmp_path / "mpqa.neg")
    assert (found.counts, len(found.dataset)) == ({"neg": 8, "pos": 8}, 16)


def test_files_beside_the_data_that_cannot_be_read_are_no_matter(tmp_path):
    """Neither beside a file of another kind, nor beside another data set of files."""
    for name in ("one.txt", "two.txt", "other.pos", "other.neg"):
        (tmp_path / name).write_bytes("où est la carte à Orléans\n".encode("mac_roman") * 3)
    written(tmp_path / "book.pdf", "%PDF")
    with pytest.raises(DataError, match=r"book\.pdf: not a kind of file"):
        hs.check(tmp_path / "book.pdf")
    for label in ("pos", "neg"):
        written(tmp_path / f"custrev.{label}", *sentences(label, 8))
    assert hs.check(tmp_path / "custrev.pos").counts == {"neg": 8, "pos": 8}


def test_two_texts_beside_a_table_are_no_classes(tmp_path):
    rows = [f"{text},{'odd' if number % 2 else 'even'}" for number, text in enumerate(sentences("x", 12))]
    written(tmp_path / "notes.csv", "text,label", *rows)
    for name in ("one.txt", "two.txt"):
        written(tmp_path / name, *sentences(name))
    with pytest.raises(DataError, match=r"3 tables: notes\.csv, one\.txt, two\.txt"):
        hs.check(tmp_path)


def test_texts_and_labels_in_files_of_their_own(tmp_path):
    """TweetEval: train_text.txt, train_labels.txt, of val and test too, and mapping.txt."""
    written(tmp_path / "mapping.txt", "0\tnegative", "1\tneutral", "2\tpositive")
    for part, n in (("train", 12), ("val", 6), ("test", 6)):
        written(tmp_path / f"{part}_text.txt", *sentences(part, n))
        written(tmp_path / f"{part}_labels.txt", *(str(k % 3) for k in range(n)))
    found = hs.check(tmp_path)
    assert found.counts == {"negative": 8, "neutral": 8, "positive": 8}
    assert parts(found) == {"train": 12, "val": 6, "test": 6}
    assert "labels of train_text.txt read from train_labels.txt" in told(found)
    written(tmp_path / "train_labels.txt", "0", "1")
    with pytest.raises(DataError, match=r"12 lines in train_text\.txt, and 2 in train_labels\.txt"):
        hs.check(tmp_path)


@pytest.mark.parametrize("half", ["test_text.txt", "test_labels.txt"])
def test_one_half_without_the_other_is_said(half, tmp_path):
    for part in ("train", "val"):
        written(tmp_path / f"{part}_text.txt", *sentences(part, 12))
        written(tmp_path / f"{part}_labels.txt", *(str(k % 3) for k in range(12)))
    written(tmp_path / half, *sentences("test", 12))
    found = hs.check(tmp_path)
    assert parts(found) == {"train": 12, "val": 12}
    assert f"not read, since no file of labels, or of texts, goes with it: {half}" in told(found)
    written(tmp_path / "train_label.txt", *(str(k % 2) for k in range(12)))
    with pytest.raises(DataError, match=r"may both be the labels of the train part\nmove one"):
        hs.check(tmp_path)


def test_a_sign_and_a_text_a_line(tmp_path):
    lines = [f"{'+-'[k % 2]}1 {sentence}" for k, sentence in enumerate(sentences("films", 20))]
    assert hs.check(written(tmp_path / "polarity.txt", *lines)).counts == {"+1": 10, "-1": 10}


@pytest.mark.parametrize("name", ["stsa.fine.train", "sst5.txt"])
def test_a_number_and_a_text_a_line(name, tmp_path):
    lines = [f"{k % 5} {sentence}, as they say" for k, sentence in enumerate(sentences("films", 20))]
    found = hs.check(written(tmp_path / name, *lines))
    assert found.counts == dict.fromkeys("01234", 4)
    assert found.dataset.inputs[0].startswith("this is sentence")
    assert "each line taken as LABEL text" in told(found)


def test_a_folder_of_such_files(tmp_path):
    for part, n in (("train", 20), ("test", 10)):
        lines = [f"{k % 5} {sentence}" for k, sentence in enumerate(sentences(part, n))]
        written(tmp_path / f"stsa.fine.{part}", *lines)
    assert parts(hs.check(tmp_path)) == {"train": 20, "test": 10}


def test_fasttext(tmp_path):
    lines = [f"__label__{'ab'[k % 2]} {sentence}" for k, sentence in enumerate(sentences("cooking", 12))]
    found = hs.check(written(tmp_path / "cooking.txt", *lines))
    assert (found.counts, found.dataset.task.name) == ({"a": 6, "b": 6}, "classification")
    found = hs.check(written(tmp_path / "more.txt", *(f"__label__all {line}" for line in lines)))
    assert (found.counts, found.dataset.task.name) == ({"all": 12, "a": 6, "b": 6}, "multilabel")


def test_trees(tmp_path):
    lines = [f"({k % 5} (2 {word}) ({k % 5} (3 lovely) (2 -LRB-)))" for k, word in enumerate(sentences("x", 20))]
    lines = [line.replace("this is sentence ", "film").replace(" about x", "") for line in lines]
    found = hs.check(written(tmp_path / "train.txt", *lines))
    assert found.counts == dict.fromkeys("01234", 4)
    assert found.dataset.inputs[0].endswith("lovely (")


def test_the_treebank(tmp_path):
    """In its four files it is refused with what is read; its trees, a file a part, are read."""
    for name in ("datasetSentences.txt", "datasetSplit.txt", "dictionary.txt", "sentiment_labels.txt"):
        written(tmp_path / "stanfordSentimentTreebank" / name, "1\ta film", "2\tanother film")
    with pytest.raises(DataError, match="headstart fit trees"):
        hs.check(tmp_path / "stanfordSentimentTreebank")
    for part, n in (("train", 20), ("test", 10)):
        lines = [f"({k % 5} (2 {part}{k}) ({k % 5} (3 lovely) (2 film)))" for k in range(n)]
        written(tmp_path / "trees" / f"{part}.txt", *lines)
    assert parts(hs.check(tmp_path / "trees")) == {"train": 20, "test": 10}


def test_a_test_table_without_labels_is_left_out_and_said(tmp_path):
    """As competitions have it."""
    rows = [f"{k},{sentence},{'ab'[k % 2]}" for k, sentence in enumerate(sentences("news", 12))]
    written(tmp_path / "train.csv", "id,text,target", *rows)
    written(tmp_path / "test.csv", "id,text", *(row.rsplit(",", 1)[0] for row in rows))
    written(tmp_path / "sample_submission.csv", "id,target", "0,a")
    found = hs.check(tmp_path)
    assert (found.counts, found.parts.official) == ({"a": 6, "b": 6}, False)
    assert "test.csv: not read, since it has no column target" in told(found)
    assert "the test is held out of it" in told(found)


def test_setfit(tmp_path):
    """SST-5 as SetFit/sst5 has it."""
    for part, n in (("train", 20), ("dev", 5), ("test", 10)):
        lines = [
            f'{{"text": "{sentence}", "label": {k % 5}, "label_text": "{"abcde"[k % 5]}"}}'
            for k, sentence in enumerate(sentences(part, n))
        ]
        written(tmp_path / f"{part}.jsonl", *lines)
    found = hs.check(tmp_path)
    assert (parts(found), found.counts) == ({"train": 20, "val": 5, "test": 10}, dict.fromkeys("01234", 7))


def test_in_folders_of_texts_what_is_no_text_by_its_ending_is_left_out_and_listed(tmp_path):
    for name in ("cat", "dog"):
        for number, sentence in enumerate(sentences(name, 8)):
            written(tmp_path / name / f"{number}.txt", sentence)
    written(tmp_path / "cat" / "meta.json", '{"by": "somebody"}')
    written(tmp_path / "cat" / "list.csv", "name,of")
    written(tmp_path / "dog" / "make.py", "print('dogs')")
    written(tmp_path / "about.txt", "where all of it is from")
    found = hs.check(tmp_path)
    assert found.counts == {"cat": 8, "dog": 8}
    left_out = [finding.where for finding in found.dataset.findings if finding.rejected]
    assert left_out == ["cat/list.csv", "cat/meta.json", "dog/make.py"]
    assert "not read, since they are in no class folder: 1 texts: about.txt" in told(found)
