"""Photos and texts in tars, in Parquet files of many parts, in what `datasets` saves and streams: as in folders."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest
from PIL import Image

import headstart as hs
from headstart.errors import DataError
from headstart.inputs.packed import PackedPhoto
from tars import CLASSES, files_in, hub, hub_table, samples, shards, tar

TWENTY = {"global": 20, "nominal": 20}


def digests(found, rows) -> set[bytes]:
    return {found.dataset.digests[row].tobytes() for row in rows}


def same_split(one, other) -> bool:
    return digests(one, one.parts.test) == digests(other, other.parts.test)


@pytest.fixture
def forms(photos, tmp_path):
    """The same photos in every form."""
    there = files_in(photos)
    shards(tmp_path / "wds", there, "train-000.tar", "train-001.tar", "train-002.tar")
    hub(tmp_path / "hub" / "data", there, "train-00000-of-00002.parquet", "train-00001-of-00002.parquet")
    (tmp_path / "hub" / "README.md").write_text("# photos\n")
    pa.feather.write_feather(hub_table(there), tmp_path / "packed.feather")  # compressed
    pa.feather.write_feather(hub_table(there), tmp_path / "plain.feather", compression="uncompressed")
    named = ((f"top/{photo.parent.name}/{photo.name}", photo.read_bytes()) for photo in there)
    tar(tmp_path / "folders.tar", named)
    return [
        tmp_path / "wds",
        str(tmp_path / "wds" / "train-{000..002}.tar"),
        str(tmp_path / "wds" / "train-*.tar"),
        tmp_path / "hub",
        str(tmp_path / "hub" / "data" / "train-*.parquet"),
        tmp_path / "packed.feather",
        tmp_path / "plain.feather",
        tmp_path / "folders.tar",
    ]


def test_every_form_gives_the_examples_and_the_split_of_the_folder(photos, forms):
    folder = hs.check(photos)
    for data in forms:
        found = hs.check(data)
        assert found.counts == TWENTY, data
        assert same_split(found, folder), data
        assert found.dataset.digests.shape == folder.dataset.digests.shape
        assert all(isinstance(photo, PackedPhoto) for photo in found.dataset.inputs), data


def test_features_and_score_are_those_of_the_folder(photos, forms, tmp_path):
    asked = {"how": "probe", "model": "efficientnet_lite0"}
    folder = hs.fit(photos, out=tmp_path / "of_a_folder", **asked)
    for data in (forms[0], forms[3]):
        model = hs.fit(data, out=tmp_path / "of_shards", force=True, **asked)
        assert model.scores.accuracy == folder.scores.accuracy
        assert model.record.cached == 1  # features of the very same bytes
    there = files_in(photos)[::9]
    tar(tmp_path / "asked.tar", samples(there))
    asked_of_tar = model.predict(tmp_path / "asked.tar")
    of_files = model.predict([str(photo) for photo in there])
    assert [p.input for p in asked_of_tar] == [f"asked.tar {p.parent.name}-{p.stem}.jpg" for p in there]
    assert [p.probability for p in asked_of_tar] == [p.probability for p in of_files]
    assert model.evaluate(tmp_path / "folders.tar").scores.accuracy == model.evaluate(photos).scores.accuracy


def test_commands_take_tars(photos, tmp_path, command):
    shards(tmp_path / "wds", files_in(photos), "train-0.tar", "test-0.tar")
    code, out, err = command("check", tmp_path / "wds", "--json", "--no-model")
    assert code == 0, err
    assert json.loads(out)["n_test"] == 20
    saved = tmp_path / "train.headstart"
    pattern = tmp_path / "wds" / "train-{0..0}.tar"
    code, _, err = command("fit", pattern, "--how", "probe", "--model", "efficientnet_lite0", "--out", saved)
    assert code == 0, err
    code, out, err = command("predict", saved, tmp_path / "wds" / "test-0.tar", "--out", tmp_path / "said.csv")
    assert code == 0, err
    with (tmp_path / "said.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    assert rows[0]["input"].startswith("test-0.tar global-")
    code, out, err = command("evaluate", saved, tmp_path / "wds" / "test-0.tar", "--json")
    assert (code, json.loads(out)["n_rejected"]) == (0, 0), err


@pytest.mark.parametrize(
    "layout", ["train-000.tar test-000.tar", "train/0.tar test/0.tar", "a-train-1.tar a-val-1.tar"]
)
def test_parts_are_told_by_names(layout, photos, tmp_path):
    found = hs.check(shards(tmp_path / "wds", files_in(photos), *layout.split()))
    assert found.parts.official
    assert (len(found.parts.train), len(found.parts.test)) == (20, 20)
    assert set(found.dataset.where) == {*found.dataset.where}
    assert len({*found.dataset.where}) == 40


def test_parts_and_classes_are_told_by_folders_in_a_tar(photos, tmp_path):
    there = files_in(photos)
    named = [(f"set/{('train', 'test')[n % 2]}/{p.parent.name}/{p.name}", p.read_bytes()) for n, p in enumerate(there)]
    found = hs.check(tar(tmp_path / "set.tar", named))
    assert (found.counts, len(found.parts.test), found.parts.official) == (TWENTY, 20, True)


def test_files_of_a_sample_need_not_lie_side_by_side(photos, tmp_path):
    members = list(samples(files_in(photos)))
    found = hs.check(tar(tmp_path / "apart.tar", [*members[::2], *members[1::2]]))
    assert found.counts == {"0": 20, "1": 20}


def test_labels_in_json_and_txt_are_taken_where_they_are_named(photos, tmp_path):
    def members():
        for number, photo in enumerate(files_in(photos)):
            yield f"{number:04}.jpg", photo.read_bytes()
            yield f"{number:04}.json", json.dumps({"kind": photo.parent.name, "width": 3}).encode()
            yield f"{number:04}.txt", f"photo {number} is of {photo.parent.name} cloth".encode()

    path = tar(tmp_path / "told.tar", members())
    assert hs.check(path, columns=hs.Columns(label="kind")).counts == TWENTY
    found = hs.check(path, columns=hs.Columns(text="txt", label="kind"))
    assert found.dataset.inputs[0] == "photo 0 is of global cloth"


def test_texts_in_tars(questions, tmp_path):
    members = []
    for number, (text, label) in enumerate(questions):
        members += [(f"{number}.txt", text.encode()), (f"{number}.cls", label.encode())]
    found = hs.check(tar(tmp_path / "texts.tar", members))
    assert list(found.dataset.inputs) == [text for text, _ in questions]
    assert list(found.dataset.where)[3] == "texts.tar 3"
    told = [
        (f"{n}.json", json.dumps({"text": text, "label": label}).encode()) for n, (text, label) in enumerate(questions)
    ]
    again = hs.check(tar(tmp_path / "json.tar", told))
    assert again.counts == found.counts
    assert same_split(again, found)


def test_two_photos_of_a_sample_are_for_the_user_to_choose(photos, tmp_path):
    members = []
    for number, photo in enumerate(files_in(photos)):
        mask = photo.with_suffix(".png")
        Image.new("L", (16, 16), number).save(mask)
        members += [(f"{number}.jpg", photo.read_bytes()), (f"{number}.seg.png", mask.read_bytes())]
        members += [(f"{number}.cls", b"01"[number % 2 : number % 2 + 1])]
    path = tar(tmp_path / "two.tar", members)
    with pytest.raises(DataError, match=r"several photos: jpg, seg\.png\n.*image=\"jpg\".* or .*image=\"seg\.png\""):
        hs.check(path)
    assert str(hs.check(path, columns=hs.Columns(image="jpg")).dataset.inputs[0]) == "two.tar 0.jpg"


def test_photos_of_any_ending_are_one_column(photos, tmp_path):
    members = []
    for number, photo in enumerate(files_in(photos)):
        other = photo.with_suffix(".webp")
        Image.open(photo).save(other)
        taken = (photo, other)[number % 2]
        members += [(f"{number}{taken.suffix}", taken.read_bytes()), (f"{number}.cls", photo.parent.name.encode())]
    assert hs.check(tar(tmp_path / "mixed.tar", members)).counts == TWENTY


def test_names_with_dots_in_class_folders_are_photos_of_their_own(photos, tmp_path):
    named = [(f"{p.parent.name}/{p.parent.name}.{n}.jpg", p.read_bytes()) for n, p in enumerate(files_in(photos))]
    assert hs.check(tar(tmp_path / "dots.tar", named)).counts == TWENTY


def test_a_class_without_a_name_is_refused(photos, tmp_path):
    folder = shards(tmp_path / "wds", files_in(photos), "0.tar")
    (folder / "classes.txt").write_text("global\n")
    with pytest.raises(DataError, match=r"class 1, and classes\.txt has 1 names, for 0 to 0"):
        hs.check(folder)


@pytest.mark.parametrize(
    ("names", "label", "said"),
    [
        ("global\n\nnominal\n", "1", r"class 1, and line 2 of classes\.txt is empty"),
        ("global\nnominal\n", "9" * 5000, r"class 9{20}, and classes\.txt has 2 names"),
    ],
)
def test_a_number_without_a_name_says_where(names, label, said, photos, tmp_path):
    folder = tmp_path / "wds"
    folder.mkdir()
    members = [(f"{n}.{end}", content) for n, photo in enumerate(files_in(photos)[:4])
               for end, content in (("jpg", photo.read_bytes()), ("cls", (label if n else "0").encode()))]  # fmt: skip
    tar(folder / "train.tar", members)
    (folder / "classes.txt").write_text(names)
    with pytest.raises(DataError, match=said):
        hs.check(folder)


def test_names_of_classes_in_the_tar(photos, tmp_path):
    members = [*samples(files_in(photos)), ("classnames.txt", b"global\nnominal\n")]
    assert hs.check(tar(tmp_path / "named.tar", members)).counts == TWENTY


def test_samples_without_a_photo_or_a_label_are_left_out_and_said(photos, tmp_path):
    members = dict(samples(files_in(photos)))
    names = list(members)
    del members[names[0]], members[names[3]]
    found = hs.check(tar(tmp_path / "some.tar", members.items()))
    assert {(f.kind, f.reason) for f in found.findings if f.rejected} == {
        ("unreadable", "no photo among the files of this sample"),
        ("missing-label", "no label"),
    }
    assert len(found.dataset) == 38


def test_a_pattern_that_names_files_that_are_not_there_is_refused(photos, tmp_path):
    shards(tmp_path, files_in(photos), "train-0.tar", "train-1.tar")
    with pytest.raises(DataError, match=r"1 of the files that it names are not there: .*train-2\.tar"):
        hs.check(str(tmp_path / "train-{0..2}.tar"))
    with pytest.raises(DataError, match="no file is called so"):
        hs.check(str(tmp_path / "test-*.tar"))


def test_tars_beside_class_folders_are_left_alone(photos, tmp_path):
    tar(photos / "download.tar", samples(files_in(photos)))
    assert not any(isinstance(photo, PackedPhoto) for photo in hs.check(photos).dataset.inputs)


def test_tables_of_another_form_are_not_one_with_the_rest(photos, tmp_path):
    folder = hub(tmp_path / "hub", files_in(photos), "t-00000-of-00002.parquet", "t-00001-of-00002.parquet")
    pa.parquet.write_table(pa.table({"image": [b""], "kind": ["x"]}), folder / "t-00001-of-00002.parquet")
    with pytest.raises(DataError, match=r"no column label, as t-00000-of-00002\.parquet has"):
        hs.check(folder)


def test_what_save_to_disk_wrote_is_read(photos, tmp_path):
    datasets = pytest.importorskip("datasets")
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))})
    rows = [{"image": {"bytes": p.read_bytes(), "path": None}, "label": p.parent.name} for p in files_in(photos)]
    data = datasets.Dataset.from_list(rows, features=kinds)
    data.save_to_disk(tmp_path / "one")
    folder, saved = hs.check(photos), hs.check(tmp_path / "one")
    assert saved.counts == TWENTY
    assert same_split(saved, folder)
    parts = datasets.DatasetDict({"train": data.select(range(0, 40, 2)), "test": data.select(range(1, 40, 2))})
    parts.save_to_disk(tmp_path / "parts")
    assert len(hs.check(tmp_path / "parts").parts.test) == 20
    state = json.loads((tmp_path / "one" / "state.json").read_text())
    state["_data_files"] = [{"filename": "../parts/train/data-00000-of-00001.arrow"}]
    (tmp_path / "one" / "state.json").write_text(json.dumps(state))
    with pytest.raises(DataError, match="its files are not named there"):
        hs.check(tmp_path / "one")


def test_streamed_data_are_as_those_in_memory(photos, tmp_path):
    datasets = pytest.importorskip("datasets")
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))})
    rows = [{"image": {"bytes": p.read_bytes(), "path": None}, "label": p.parent.name} for p in files_in(photos)]
    data = datasets.Dataset.from_list(rows, features=kinds)
    folder, streamed = hs.check(photos), hs.check(data.to_iterable_dataset(num_shards=4))
    assert streamed.counts == TWENTY
    assert same_split(streamed, folder)
    assert any("streamed once" in note for note in streamed.notes)
    parts = datasets.IterableDatasetDict({"train": data.to_iterable_dataset(), "test": data.to_iterable_dataset()})
    assert set(hs.check(parts.map(lambda row: row)["train"]).counts.values()) == {20}  # its features are not known

    def broken():
        yield {"image": {"bytes": b"", "path": None}, "label": "a"}
        raise RuntimeError("the line is dead")

    with pytest.raises(DataError, match="cannot be read on: the line is dead"):
        hs.check(datasets.IterableDataset.from_generator(broken))


def test_large_groups_of_rows_are_written_down_once(photos, tmp_path, monkeypatch):
    from headstart.data.files import parquet_photos

    monkeypatch.setattr(parquet_photos, "_A_GROUP", 2**16)
    monkeypatch.setattr(parquet_photos, "_BATCH", 2**16)
    pa.parquet.write_table(hub_table(files_in(photos)), tmp_path / "all.parquet")
    found = hs.check(tmp_path / "all.parquet")
    contents = [photo.read() for photo in found.dataset.inputs]
    assert contents == [photo.read_bytes() for photo in files_in(photos)]
    assert same_split(found, hs.check(photos))


def test_rows_in_any_order_are_the_photos_of_these_rows(photos, tmp_path):
    there = files_in(photos)
    hub(tmp_path / "hub", there, "a-00000-of-00002.parquet", "a-00001-of-00002.parquet", group=3)
    found = hs.check(tmp_path / "hub").dataset
    order = np.random.default_rng(0).permutation(len(found))
    by_digest = {found.digests[row].tobytes(): row for row in range(len(found))}
    part = found.take(order)
    for row in range(len(part)):
        content = part.inputs[row].read()
        assert by_digest[part.digests[row].tobytes()] == order[row]
        assert content in {photo.read_bytes() for photo in there}
