"""Layouts of folders of photos: read right and said, or refused with what would decide."""

from __future__ import annotations

import unicodedata
from collections import Counter

import pytest

import headstart as hs
from headstart.errors import DataError
from headstart.values import Columns
from layouts import photo, photos, written


def told(found) -> str:
    return "\n".join(found.notes)


def parts(found) -> dict[str, int]:
    return dict(Counter(found.dataset.parts or ()))


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("training_set", "test_set"),
        ("training_set/training_set", "test_set/test_set"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train_images", "test_images"),
        ("TrainImages", "TestImages"),
        ("train2017", "val2017"),
        ("Training Set", "Validation Set"),
        ("asl_alphabet_train", "asl_alphabet_test"),
        ("flowers/data/train", "flowers/data/valid"),
    ],
)
def test_names_of_parts_in_their_usual_forms(train, test, tmp_path):
    photos(tmp_path, f"{train}/cat", f"{train}/dog", f"{test}/cat", f"{test}/dog")
    found = hs.check(tmp_path)
    assert (found.counts, found.parts.official) == ({"cat": 12, "dog": 12}, True)
    assert len(found.parts.test) == 12
    assert ("taken as the" in told(found)) == (train not in ("flowers/data/train",))


def test_a_training_part_alone_holds_out_its_own_test(tmp_path):
    photos(tmp_path, "train/cat", "train/dog")
    found = hs.check(tmp_path)
    assert (found.counts, found.parts.official, len(found.parts.test)) == ({"cat": 6, "dog": 6}, False, 2)
    assert "the test is held out of it" in told(found)


@pytest.mark.parametrize("test", ["test", "test1", "test/test", "test/unknown", "seg_pred/seg_pred"])
def test_an_unlabelled_test_is_left_out_and_said(test, tmp_path):
    photos(tmp_path, "train/cat", "train/dog", test)
    found = hs.check(tmp_path)
    assert (found.counts, len(found.dataset)) == ({"cat": 6, "dog": 6}, 12)
    assert f"{test.split('/')[0]} (6 files)" in told(found)


@pytest.mark.parametrize("test", ["test", "test1", "val"])
def test_parts_without_class_folders_are_refused(test, tmp_path):
    for number in range(4):
        for name in (f"train/cat.{number}.png", f"train/dog.{number}.png", f"{test}/{number}.png"):
            photo(tmp_path / name)
    with pytest.raises(DataError, match=r"no class folders in them\n.*files are called cat, dog.*metadata\.csv"):
        hs.check(tmp_path)


def test_a_part_beside_what_may_be_classes_is_refused_with_both_commands(tmp_path):
    photos(tmp_path, "train/steam", "train/electric", "bus")
    with pytest.raises(
        DataError, match=r"beside it are bus\n.*\"inner\".*from train alone.*\"outer\".*train as a class"
    ):
        hs.check(tmp_path)
    assert hs.check(tmp_path, columns=Columns(class_folders="inner")).counts == {"electric": 6, "steam": 6}
    outer = hs.check(tmp_path, columns=Columns(class_folders="outer"))
    assert outer.counts == {"train": 12, "bus": 6}
    assert "train taken as a class" in told(outer)


def test_several_flat_parts_beside_other_folders_are_refused(tmp_path):
    photos(tmp_path, "train", "test", "cat", "dog")
    with pytest.raises(DataError, match=r"test, train are named like parts.*cat, dog are beside"):
        hs.check(tmp_path)


@pytest.mark.parametrize(("name", "others"), [("train", ("bus", "car")), ("Train", ("bus",)), ("valid", ("invalid",))])
def test_a_class_whose_name_is_a_word_of_its_own_is_said(name, others, tmp_path):
    photos(tmp_path, name, *others)
    found = hs.check(tmp_path)
    assert found.counts == dict.fromkeys((name, *others), 6)
    assert f"{name} taken as a class, though parts are called so" in told(found)


@pytest.mark.parametrize("name", ["test", "test/cats", "val", "valid", "seg_test"])
def test_a_part_beside_classes_is_no_class_without_a_word(name, tmp_path):
    photos(tmp_path, "cats", "dogs", name)
    part = name.split("/")[0]
    apart = "ELSEWHERE/test" if "/" in name else "leave it out"
    with pytest.raises(
        DataError, match=rf"{part} is called like a part, and cats, dogs.*\n.*\"outer\".* or move it.*{apart}"
    ):
        hs.check(tmp_path)
    found = hs.check(tmp_path, columns=Columns(class_folders="outer"))
    assert found.counts == {"cats": 6, "dogs": 6, part: 6}
    (tmp_path / part).rename(tmp_path.parent / f"{tmp_path.name}-{part}")
    assert hs.check(tmp_path).counts == {"cats": 6, "dogs": 6}


@pytest.mark.parametrize("wrapper", ["flowers", "a/b", "a/b/c"])
def test_a_folder_that_holds_all_the_rest_is_looked_through(wrapper, tmp_path):
    photos(tmp_path, f"{wrapper}/roses", f"{wrapper}/tulips")
    written(tmp_path / "LICENSE.txt", "free")
    found = hs.check(tmp_path)
    assert found.counts == {"roses": 6, "tulips": 6}
    assert f"looked through: {wrapper}" in told(found)
    assert found.dataset.name == tmp_path.name


def test_what_is_no_class_is_said(tmp_path):
    """An empty class folder, a model that was saved among the data, and links in a circle."""
    photos(tmp_path, "cat", "dog")
    (tmp_path / "bird").mkdir()
    written(tmp_path / "pets.headstart" / "headstart.json", "{}")
    (tmp_path / "dog" / "round").symlink_to("..")
    found = hs.check(tmp_path)
    assert found.counts == {"cat": 6, "dog": 6}
    for said in (
        "without a file, so no such class is learned from them: bird",
        "saved models: pets.headstart",
        "round",
    ):
        assert said in told(found)


@pytest.mark.parametrize("above", ["", "train/"])
def test_the_same_folders_under_each_class_are_refused_with_both_commands(above, tmp_path):
    photos(tmp_path, *(f"{above}{name}/{angle}" for name in ("kite", "owl", "rook") for angle in ("front", "side")))
    with pytest.raises(DataError, match=r"front, side; either.*\n.*\"outer\".* takes kite, owl, rook.*\"inner\""):
        hs.check(tmp_path)
    found = hs.check(tmp_path, columns=Columns(class_folders="outer"))
    assert found.counts == {"kite": 12, "owl": 12, "rook": 12}
    assert hs.check(tmp_path, columns=Columns(class_folders="inner")).counts == {"front": 18, "side": 18}


def test_parts_in_each_class_are_refused_and_then_kept(tmp_path):
    photos(tmp_path, *(f"{name}/{part}" for name in ("kite", "owl") for part in ("train", "test")))
    with pytest.raises(DataError, match="with those in them as the parts"):
        hs.check(tmp_path)
    found = hs.check(tmp_path, columns=Columns(class_folders="outer"))
    assert (found.counts, parts(found)) == ({"kite": 12, "owl": 12}, {"train": 12, "test": 12})


def test_the_command_line_has_the_option(command, tmp_path):
    photos(tmp_path / "birds", "kite/front", "kite/side", "owl/front", "owl/side")
    code, _, err = command("check", "birds")
    assert (code, "--class-folders outer takes kite, owl" in err) == (2, True)
    code, out, _ = command("check", "birds", "--class-folders", "outer")
    assert (code, "2 classes: kite 12, owl 12" in out) == (0, True)


def test_other_folders_in_a_class_are_no_classes(tmp_path):
    photos(tmp_path, "kite/images", "owl/images", "rook/2023", "rook/2024")
    assert hs.check(tmp_path).counts == {"rook": 12, "kite": 6, "owl": 6}


def test_accents_as_a_mac_writes_them(tmp_path):
    for part, form in (("train", "NFC"), ("test", "NFD")):
        photos(tmp_path, *(f"{part}/{unicodedata.normalize(form, name)}" for name in ("café", "thé")))
    found = hs.check(tmp_path)
    assert found.counts == {"café": 12, "thé": 12}
    assert "two spellings of one name" in told(found)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("where", ["top", "parts"])
def test_metadata_of_the_imagefolder_form(form, where, tmp_path):
    for part in ("train", "test") if where == "parts" else ("",):
        photos(tmp_path, part or ".", n=9)
        rows = [(f"{number}.png", ("cat", "dog")[number % 2]) for number in range(8)]
        if form == "csv":
            lines = ["file_name,label", *(f"{name},{label}" for name, label in rows)]
        else:
            lines = [f'{{"file_name": "{name}", "label": "{label}"}}' for name, label in rows]
        written(tmp_path / part / f"metadata.{form}", *lines)
    found = hs.check(tmp_path)
    n = 8 if where == "parts" else 4
    assert (found.counts, found.dataset.findings) == ({"cat": n, "dog": n}, ())
    assert parts(found) == ({"train": 8, "test": 8} if where == "parts" else {})
    assert "1 photos without a row" in told(found)
    if where == "parts":
        assert found.dataset.where[0] == f"train/metadata.{form} row 1"


@pytest.mark.parametrize("ending", [".png", ""])
@pytest.mark.parametrize("given", ["", "train.csv"])
def test_a_table_beside_its_photos(ending, given, tmp_path):
    photos(tmp_path, "train_images", "test_images", n=12)
    rows = [f"{number}{ending},{('healthy', 'rust')[number % 2]}" for number in range(12)]
    written(tmp_path / "train.csv", "image_id,label", *rows)
    written(tmp_path / "sample_submission.csv", "image_id,label", f"0{ending},rust")
    found = hs.check(tmp_path / given)
    assert found.counts == {"healthy": 6, "rust": 6}
    assert all("train_images" in path for path in found.dataset.inputs)


def test_photos_in_several_folders_and_in_one_that_is_named(tmp_path):
    for number in range(12):
        photo(tmp_path / "set" / f"images_{number % 2 + 1}" / f"p{number}.jpg")
        photo(tmp_path / "others" / f"p{number}.jpg")
    rows = [f"p{number},{('healthy', 'rust')[number // 6]}" for number in range(12)]
    table = written(tmp_path / "set" / "labels.csv", "id,label", *rows)
    found = hs.check(table)
    assert (found.counts, len(found.dataset)) == ({"healthy": 6, "rust": 6}, 12)
    with pytest.raises(DataError, match=r"labels\.csv takes the table, .*\"outer\".* the folders"):
        hs.check(tmp_path / "set")
    photos(tmp_path / "set", "images_3/p", n=1)
    named = hs.check(table, columns=Columns(image_root=str(tmp_path / "others")))
    assert all("others" in path for path in named.dataset.inputs)
    photo(tmp_path / "set" / "images_2" / "p0.jpg")
    with pytest.raises(DataError, match=r"p0 is in images_2 and images_1.*\n.*image_root"):
        hs.check(table)
    with pytest.raises(DataError, match="no such folder"):
        hs.check(table, columns=Columns(image_root="nowhere"))


def test_a_table_that_says_what_the_class_folders_say_is_left_aside(tmp_path):
    photos(tmp_path, "cat", "dog")
    rows = [f"{name}/{number}.png,{name}" for name in ("cat", "dog") for number in range(6)]
    written(tmp_path / "labels.csv", "path,label", *rows)
    found = hs.check(tmp_path)
    assert found.counts == {"cat": 6, "dog": 6}
    assert "not read, since there are folders: labels.csv" in told(found)


def test_photos_that_are_not_there_name_the_path_that_was_tried(tmp_path):
    photos(tmp_path, "photos", n=8)
    rows = [f"{number}.png,{('cat', 'dog')[number % 2]}" for number in range(9)]
    table = written(tmp_path / "pets.csv", "file,label", *rows)
    (missing,) = [finding for finding in hs.check(table).dataset.findings if finding.rejected]
    assert missing.where == "pets.csv row 9"


def test_a_folder_unpacked_into_itself_is_no_class_unless_the_user_says_so(tmp_path):
    names = ("cat", "dog", "eel")
    photos(tmp_path, *names, *(f"pets/{name}" for name in names))
    with pytest.raises(DataError, match="pets holds folders called like the classes beside it: cat, dog, eel") as error:
        hs.check(tmp_path)
    assert f"headstart fit {tmp_path / 'pets'} learns from it alone" in error.value.fix
    outer = hs.check(tmp_path, columns=Columns(class_folders="outer"))
    assert outer.counts == {"pets": 18, "cat": 6, "dog": 6, "eel": 6}
    assert hs.check(tmp_path / "pets").counts == {"cat": 6, "dog": 6, "eel": 6}


def test_a_folder_of_another_class_within_a_class_is_said(tmp_path):
    photos(tmp_path, "cat", "dog", "dog/cat", "dog/puppies")
    found = hs.check(tmp_path)
    assert found.counts == {"dog": 18, "cat": 6}
    assert "dog holds folders called like the classes beside it: cat; what is in them is learned as dog" in told(found)
    assert "puppies" not in told(found)


def test_photos_beside_the_class_folders_are_counted(tmp_path):
    photos(tmp_path, "cat", "dog", ".", n=6)
    written(tmp_path / "notes.txt", "of no account here")
    found = hs.check(tmp_path)
    assert len(found.dataset) == 12
    assert "not read, since they are in no class folder: 6 photos: 0.png, 1.png, 2.png and 3 more" in told(found)
    photos(tmp_path / "parted", "train/cat", "train/dog", "test/cat", "test/dog")
    photos(tmp_path / "parted", ".", "test", n=2)
    assert "4 photos: 0.png, 1.png, test/0.png and 1 more" in told(hs.check(tmp_path / "parted"))


def test_folders_beside_a_table_of_photos_that_it_says_nothing_of_are_counted(tmp_path):
    photos(tmp_path, "train", "test", "aside/more")
    written(
        tmp_path / "train.csv", "id,label", *(f"{number}.png,{'cat' if number % 2 else 'dog'}" for number in range(6))
    )
    found = hs.check(tmp_path)
    assert found.counts == {"cat": 3, "dog": 3}
    assert "not read, since no table names a photo there: aside (6 files), test (6 files)" in told(found)


def refusal(folder, **options) -> str:
    with pytest.raises(DataError) as error:
        hs.check(folder, **options)
    return f"{error.value.what}\n{error.value.fix}"


def test_two_folders_of_the_same_classes_may_be_a_training_part_and_its_test(tmp_path):
    photos(tmp_path, "Lerndaten/cat", "Lerndaten/dog")
    photos(tmp_path, "Pruefdaten/cat", "Pruefdaten/dog", n=2)
    said = refusal(tmp_path)
    assert f"if one is the test: headstart fit {tmp_path / 'Lerndaten'} --test {tmp_path / 'Pruefdaten'}" in said
    found = hs.check(tmp_path / "Lerndaten", test=tmp_path / "Pruefdaten")
    assert (found.counts, len(found.parts.test)) == ({"cat": 8, "dog": 8}, 4)


def test_one_class_folder_of_folders_beside_unlabelled_photos_is_refused_with_what_reads_it(tmp_path):
    photos(tmp_path, "labelled/cat", "labelled/dog", "unlabeled")
    said = refusal(tmp_path)
    assert "in it are folders: cat, dog" in said
    assert "unlabeled (6 files)" in said
    assert f"headstart fit {tmp_path / 'labelled'} takes those in it as the classes" in said
    assert hs.check(tmp_path / "labelled").counts == {"cat": 6, "dog": 6}


def test_parts_with_a_table_in_each_are_refused_with_what_reads_them(tmp_path):
    photos(tmp_path, "train", "valid", "test", n=6)
    rows = [f"{number}.png, {number % 2}, {1 - number % 2}" for number in range(6)]
    for part in ("train", "valid", "test"):
        written(tmp_path / part / "_classes.csv", "filename, cat, dog", *rows)
    assert f"headstart fit {tmp_path / 'train'} --test {tmp_path / 'test'}" in refusal(tmp_path)
    found = hs.check(tmp_path / "train", test=tmp_path / "test")
    assert (found.counts, len(found.parts.test)) == ({"cat": 6, "dog": 6}, 6)


@pytest.mark.parametrize("split", [False, True])
def test_what_datasets_saved_to_disk_is_read_as_what_loads_it(tmp_path, split):
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict({"text": [f"a note of day {n}" for n in range(20)], "label": ["a", "b"] * 10})
    rows = rows.train_test_split(test_size=4) if split else rows
    rows.save_to_disk(tmp_path / "saved")
    found, loaded = hs.check(tmp_path / "saved"), hs.check(datasets.load_from_disk(tmp_path / "saved"))
    assert found.counts == loaded.counts == {"a": 10, "b": 10}
    assert list(found.dataset.inputs) == list(loaded.dataset.inputs)


def test_tables_that_may_be_a_class_each_are_said_to_be(tmp_path):
    for name in ("Fake", "True"):
        written(tmp_path / f"{name}.csv", "title,text", *(f"title {n},a {name} note of day {n}" for n in range(20)))
    assert "if each is a class, put them into one table with a column label that says which: Fake, True" in refusal(
        tmp_path
    )
    written(tmp_path / "Fake.csv", "text,label", *(f"a note of day {n},{n % 2}" for n in range(20)))
    assert "if each is a class" not in refusal(tmp_path)


def test_photos_that_are_not_where_a_table_says_are_named_with_the_path_that_was_tried(tmp_path):
    table = written(tmp_path / "labels.csv", "image,label", *(f"img/{n}.jpg,{'ab'[n % 2]}" for n in range(6)))
    said = refusal(table)
    assert str(tmp_path / "img" / "0.jpg") in said
    assert "image_root" in said
    photos(tmp_path / "elsewhere", "img", n=6)
    table.write_text(table.read_text().replace(".jpg", ".png"))
    assert hs.check(table, columns=Columns(image_root=str(tmp_path / "elsewhere"))).counts == {"a": 3, "b": 3}


def test_a_model_that_was_saved_into_a_class_folder_is_no_example(tmp_path):
    for name in ("ham", "spam"):
        for number in range(8):
            written(tmp_path / name / f"{number}.txt", f"{name} of number {number}")
    for file in ("headstart.json", "config.json", "vocab.txt"):
        written(tmp_path / "ham" / "deep" / "model" / file, "{}")
    found = hs.check(tmp_path)
    assert found.counts == {"ham": 8, "spam": 8}
    assert "saved models: ham/deep/model" in told(found)


def test_a_table_that_shows_how_to_answer_is_never_the_one_to_learn_from(tmp_path):
    """CIFAR of Kaggle: the labels of both are well formed, and those of one are made up."""
    photos(tmp_path, "train", n=8)
    written(tmp_path / "trainLabels.csv", "id,label", *(f"{k},{'cat' if k % 2 else 'dog'}" for k in range(8)))
    written(tmp_path / "sampleSubmission.csv", "id,label", *(f"{k},cat" for k in range(8)))
    found = hs.check(tmp_path)
    assert found.counts == {"cat": 4, "dog": 4}
    assert any("not read: sampleSubmission.csv" in note for note in found.notes)
    (tmp_path / "trainLabels.csv").unlink()
    with pytest.raises(DataError) as refused:
        hs.check(tmp_path)
    assert "sampleSubmission" not in str(refused.value)


def test_the_command_that_is_named_keeps_the_columns_that_were(tmp_path):
    """HAM10000: photos in two folders, and a table with several columns that may be the label."""
    photos(tmp_path, "images_part_1", "images_part_2", n=6)
    for number in range(6):
        (tmp_path / "images_part_2" / f"{number}.png").rename(tmp_path / "images_part_2" / f"{6 + number}.png")
    rows = [f"{k},{'nv' if k % 2 else 'mel'},{'male' if k % 3 else 'female'}" for k in range(12)]
    written(tmp_path / "metadata_of_all.csv", "image_id,dx,sex", *rows)
    with pytest.raises(DataError, match=r"metadata_of_all\.csv --label dx takes the table"):
        hs.check(tmp_path, columns=hs.Columns(label="dx"))
    assert hs.check(tmp_path / "metadata_of_all.csv", columns=hs.Columns(label="dx")).counts == {"mel": 6, "nv": 6}
