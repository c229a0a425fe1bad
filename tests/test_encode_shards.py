"""Features by any number of processes that share a folder: the bytes of one process, whatever is killed or twice."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

import headstart as hs
from headstart.cluster import encode as cluster_encode
from headstart.encode.kinds import KINDS
from headstart.encode.work import Work
from small_models import small_image_model, small_text_model
from test_store_shards import content, flip

N = 22  # of different content


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> tuple[Path, Path]:
    """Two classes of tiny photos, two of them with the same bytes and one that is none; and a small model."""
    home = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(N):
        folder = home / "photos" / ("dark" if number % 2 else "light")
        folder.mkdir(parents=True, exist_ok=True)
        level = 60 if number % 2 else 190
        pixels = np.clip(rng.normal(level, 40, (40, 48, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    light = home / "photos" / "light"
    (light / "98.png").write_bytes((light / "02.png").read_bytes())
    (light / "99.png").write_bytes(b"no photo")
    small_image_model("vit_tiny_patch16_224", home / "model")
    time.sleep(2.1)  # what was changed a moment ago is not known by its times
    return home / "photos", home / "model"


@pytest.fixture
def small_chunks(monkeypatch):
    for kind in KINDS:
        monkeypatch.setitem(KINDS, kind, replace(KINDS[kind], chunk=4))


def encoded(data: Path, model: Path, store: Path, shards: list[str], keep: str | None = None) -> dict[str, bytes]:
    for number, shard in enumerate(shards):
        hs.encode_shard(data, store=store, shard=shard, model=model, keep=None if number else keep)
    hs.merge_shards(store)
    return content(store)


@pytest.mark.parametrize("keep", ["float16", "int8"])
def test_shards_in_any_order_are_one_process_byte_for_byte(keep, pictures, tmp_path, small_chunks):
    """What the first one keeps them in holds for the others, which do not say it."""
    whole = encoded(*pictures, tmp_path / "whole", ["1/1"], keep)
    assert encoded(*pictures, tmp_path / "three", ["3/3", "1/3", "2/3", "1/3"], keep) == whole
    assert encoded(*pictures, tmp_path / "many", [f"{i}/10" for i in range(10, 0, -1)], keep) == whole
    assert not [name for name in whole if name.endswith((".rows", ".tmp")) or ".of-" in name]


def test_shards_of_texts_too(tmp_path, small_chunks):
    small_text_model("bert", tmp_path / "bert")
    rng = random.Random(0)
    rows = [" ".join(rng.choices(["where", "card", "pin", "rate", "lost"], k=rng.randint(1, 30))) for _ in range(30)]
    table = tmp_path / "texts.csv"
    table.write_text("text,label\n" + "".join(f"{text},{'ab'[i % 2]}\n" for i, text in enumerate(rows)))
    whole = encoded(table, tmp_path / "bert", tmp_path / "whole", ["1/1"])
    assert encoded(table, tmp_path / "bert", tmp_path / "shards", ["2/3", "3/3", "1/3"]) == whole
    fitted = hs.fit(table, store=tmp_path / "shards", how="probe", out=tmp_path / "out")
    assert (fitted.summary["cached"], Path(fitted.summary["model"]).name) == (1.0, "bert")


def test_what_is_missing_is_said_and_not_gathered(pictures, tmp_path, small_chunks):
    store, said = tmp_path / "store", []
    hs.encode_shard(pictures[0], store=store, shard="2/5", model=pictures[1])
    with pytest.raises(hs.UserError, match=r"shards 1, 3, 4, 5 of 5 are missing"):
        hs.merge_shards(store)
    for shard in ("1/5", "5/5", "4/5"):
        hs.encode_shard(pictures[0], store=store, shard=shard, model=pictures[1])
    with pytest.raises(hs.UserError, match=r"photos, .*model: shard 3 of 5 is missing"):
        hs.merge_shards(store)
    assert not list(store.rglob("shards-*"))
    out = tmp_path / "out"
    fitted = hs.fit(pictures[0], store=store, how="probe", out=out, progress=lambda update: said.append(update.text))
    assert [text for text in said if "shard 3 of 5 is missing" in text]
    assert 0.5 < fitted.summary["cached"] < 1.0
    hs.encode_shard(pictures[0], store=store, shard="3/5", model=pictures[1])
    tables = hs.merge_shards(store).tables
    assert N in [table["rows"] for table in tables if table["about"].startswith(pictures[1].name)]


def test_what_was_computed_is_not_computed_again(pictures, tmp_path, small_chunks):
    """A part that a kill prevented, or that is damaged, is made again, and only that one; after a merge nothing is."""
    data, model, store = *pictures, tmp_path / "store"
    assert hs.encode_shard(data, store=store, shard="1/2", model=model).computed == 3
    assert hs.encode_shard(data, store=store, model=model).computed == 3
    folder = next(path.parent for path in store.rglob("about.json") if "model" in path.read_text())
    parts = sorted(folder.glob("*.rows"))
    before = content(folder)
    parts[1].unlink()
    flip(parts[4], -1)
    assert hs.encode_shard(data, store=store, model=model).computed == 2
    assert content(folder) == before
    hs.merge_shards(store)
    after = content(store)
    assert hs.encode_shard(data, store=store, shard="7/9", model=model).computed == 0
    hs.merge_shards(store)
    assert content(store) == after


def test_a_store_in_int8_takes_half_says_what_it_costs_and_is_fitted_from(pictures, tmp_path, small_chunks):
    data, model = pictures
    encoded(data, model, tmp_path / "half", ["1/1"])
    store, told = tmp_path / "store", []
    assert hs.encode_shard(data, store=store, shard="1/2", model=model, keep="int8").kept == "int8"
    with pytest.raises(hs.UserError, match=r"kept in int8 there, not in float16\n.*another store"):
        hs.encode_shard(data, store=store, shard="2/2", model=model, keep="float16")
    with pytest.raises(hs.UserError, match=r"kept in float16 there, not in int8"):
        hs.encode_shard(data, store=tmp_path / "half", model=model, keep="int8")
    with pytest.raises(hs.UserError, match=r"not kept in 'int4'\none of: float16, int8"):
        hs.encode_shard(data, store=tmp_path / "none", model=model, keep="int4")
    options = {"store": store, "how": "probe", "model": model}
    fitted = hs.fit(data, out=tmp_path / "some", progress=lambda update: told.append(update.text), **options)
    assert any("in int8, whose cost headstart encode --merge measures" in text for text in told)
    assert 0.2 < fitted.summary["cached"] < 1  # the other half is computed, and kept as the store has it
    hs.encode_shard(data, store=store, shard="2/2", model=model)
    (table,) = (one for one in hs.merge_shards(store).tables if "loss" in one)
    assert (table["rows"], table["kept"]) == (N, "int8")
    rows = {name: [np.load(path) for path in (tmp_path / name).rglob("0*.npy")] for name in ("half", "store")}
    half, low = (
        next(r for r in found if len(r) == N and r.dtype != np.uint8) for found in (rows["half"], rows["store"])
    )
    assert (half.dtype, low.dtype, low.shape[1]) == (np.float16, np.int8, half.shape[1] + 12)
    exact = half.astype(np.float64)
    step, middle, _ = np.ascontiguousarray(low[:, -12:]).view("<f4").astype(np.float64).T[:, :, None]
    seen = low[:, :-12] * step + middle
    assert table["loss"] == pytest.approx(np.sqrt(np.square(seen - exact).sum() / np.square(exact).sum()), rel=0.02)
    fitted = hs.fit(data, out=tmp_path / "out", **options)
    assert (fitted.summary["cached"], fitted.summary["kept"]) == (1.0, "int8")
    assert any(f"in int8, which costs {table['loss']:.1%} of them" in note for note in fitted.summary["notes"])
    opened = hs.load(tmp_path / "out")
    assert opened.summary["kept"] == "int8"
    assert "as kept in int8" in (tmp_path / "out" / "README.md").read_text()
    answers = opened.predict([str(path) for path in sorted(data.rglob("0*.png"))])
    assert len(answers) == 10


SHARD = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
import headstart as hs
from headstart.encode.kinds import KINDS
from headstart.encode.work import Work

KINDS["image"] = replace(KINDS["image"], chunk=4)
left = int(sys.argv[4])

def killed(event, arguments):
    global left
    if event == "os.rename" and str(arguments[1]).startswith(sys.argv[3]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(killed)
hs.encode_shard(sys.argv[1], store=sys.argv[3], model=sys.argv[2])
"""


def test_processes_that_run_at_once_or_are_killed_end_in_the_same_bytes(pictures, tmp_path, small_chunks):
    """Two of them are killed on the way; two others compute all of it at the same time."""
    whole, store = encoded(*pictures, tmp_path / "whole", ["1/1"]), tmp_path / "store"
    command = [sys.executable, "-c", SHARD, *map(str, pictures), str(store)]
    for kills, code in (
        (("3", "8"), -9),
        (("0", "0"), 0),
    ):  # together, the first would find nothing left on a busy machine
        runs = [subprocess.Popen([*command, kill], stderr=subprocess.PIPE) for kill in kills]
        said = [run.communicate()[1] for run in runs]
        assert [run.returncode for run in runs] == [code, code], said
    hs.merge_shards(store)
    left = {name: there for name, there in content(store).items() if not name.endswith(".tmp")}
    assert left == whole


def test_a_merge_that_is_killed_between_two_tables_loses_no_part(pictures, tmp_path, small_chunks, monkeypatch):
    """What was begun meanwhile by others keeps its parts, too."""
    whole, store = encoded(*pictures, tmp_path / "whole", ["1/1"]), tmp_path / "store"
    hs.encode_shard(pictures[0], store=store, model=pictures[1])
    gather = cluster_encode.Table.gather

    def killed(self, **options):
        gather(self, **options)
        raise KeyboardInterrupt

    other = tmp_path / "other"
    shutil.copytree(pictures[0] / "dark", other / "dark")
    shutil.copytree(pictures[0] / "light", other / "light")
    (other / "dark" / "01.png").unlink()
    monkeypatch.setattr(cluster_encode.Table, "gather", killed)
    with pytest.raises(KeyboardInterrupt):
        hs.merge_shards(store)
    monkeypatch.setattr(cluster_encode.Table, "gather", gather)
    assert hs.encode_shard(pictures[0], store=store, model=pictures[1]).computed == 0
    hs.merge_shards(store)
    assert content(store) == whole
    begun = hs.encode_shard(other, store=store, shard="1/2", model=pictures[1])
    with pytest.raises(hs.UserError, match="shard 2 of 2 is missing"):
        hs.merge_shards(store)
    assert begun.computed > 0
    assert hs.encode_shard(other, store=store, shard="1/2", model=pictures[1]).computed == 0


@pytest.mark.parametrize(
    "change",
    [{"rows": "x"}, {"rows": 10**12}, {"rows": -5}, {"chunk": 0}, {"chunk": -1}, {"key": None}, {"width": 0}],
)
def test_a_note_that_is_damaged_is_nobodys(change, pictures, tmp_path, small_chunks):
    store = tmp_path / "store"
    hs.encode_shard(pictures[0], store=store, model=pictures[1])
    (note,) = (store / "works").glob("*.json")
    note.write_text(json.dumps(json.loads(note.read_text()) | change))
    with pytest.raises(hs.UserError, match="of which no note says to what they belong"):
        hs.merge_shards(store)
    assert hs.encode_shard(pictures[0], store=store, model=pictures[1]).computed == 0
    assert [table["rows"] for table in hs.merge_shards(store).tables] == [N + 1, N, N]


@pytest.mark.parametrize("width", [1281, 0, -1, 10**14, 1e400])
def test_a_table_of_another_width_is_said(width, pictures, tmp_path, small_chunks):
    store = tmp_path / "store"
    hs.encode_shard(pictures[0], store=store, model=pictures[1])
    (about,) = [path for path in (store / "features").glob("*/about.json") if "model" in path.read_text()]
    about.write_text(json.dumps(json.loads(about.read_text()) | {"width": width}))
    with pytest.raises(hs.UserError, match="what the table is about is damaged"):
        hs.merge_shards(store)


def test_data_that_changed_between_shards_do_not_stand_in_the_way(pictures, tmp_path, small_chunks):
    """What was begun of their earlier state can never be done."""
    data, store = tmp_path / "photos", tmp_path / "store"
    shutil.copytree(pictures[0], data)
    hs.encode_shard(data, store=store, shard="1/2", model=pictures[1])
    shutil.copy(data / "dark" / "01.png", data / "dark" / "97.png")
    hs.encode_shard(data, store=store, shard="1/2", model=pictures[1])
    with pytest.raises(hs.UserError, match="is missing"):
        hs.merge_shards(store)
    hs.encode_shard(data, store=store, shard="2/2", model=pictures[1])
    hs.merge_shards(store)
    assert hs.encode_shard(data, store=store, model=pictures[1]).computed == 0


@pytest.mark.parametrize("shard", ["1/99999999999", "1/" + "9" * 5000])
def test_more_shards_than_anybody_has_are_none(shard, pictures, tmp_path):
    with pytest.raises(hs.UserError, match="no shard"):
        hs.encode_shard(pictures[0], store=tmp_path / "store", shard=shard, model=pictures[1])


READS = """
import json, sys
import headstart as hs

opened, before = [], []

def progress(update):
    if update.step not in ("read", "check") and not before:
        before.append(sorted({name[-6:] for name in opened}))

sys.addaudithook(lambda event, a: opened.append(str(a[0])) if event == "open" and str(a[0]).endswith(".png") else None)
fitted = hs.fit(sys.argv[1], store=sys.argv[2], how="probe", out=sys.argv[3], progress=progress)
print(json.dumps({"opened": before[0], "cached": fitted.summary["cached"]}))
"""


def test_a_fit_from_a_store_computes_nothing_and_checks_only_photos_that_changed(pictures, tmp_path, small_chunks):
    """The page opens those that it shows; before that the only one that is opened is no photo, and one that changed."""
    data, model, store = tmp_path / "photos", pictures[1], tmp_path / "store"
    shutil.copytree(pictures[0], data)
    time.sleep(2.1)  # as above
    encoded(data, model, store, ["1/2", "2/2"])

    def fitted(out: str) -> dict:
        command = [sys.executable, "-c", READS, data, store, tmp_path / out]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert fitted("one") == {"opened": ["99.png"], "cached": 1.0}
    changed, other = data / "dark" / "01.png", data / "dark" / "03.png"
    times, size = changed.stat(), changed.stat().st_size
    with Image.open(other) as picture:
        picture.crop((0, 0, 30, 30)).save(changed)
    changed.write_bytes(changed.read_bytes().ljust(size, b"\0"))
    assert changed.stat().st_size == size
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))  # that it was changed the system alone knows
    again = fitted("two")
    assert again["opened"] == ["01.png", "99.png"]
    assert again["cached"] < 1.0


def test_what_cannot_be_encoded_is_said_in_a_line(pictures, tmp_path):
    data, model = pictures
    for wrong in ("0/3", "4/3", "half", "-1/3", "1/0"):
        with pytest.raises(hs.UserError, match="no shard"):
            hs.encode_shard(data, store=tmp_path / "store", shard=wrong, model=model)
    with pytest.raises(hs.UserError, match="no store"):
        hs.merge_shards(tmp_path / "nothing")
    with pytest.raises(hs.UserError, match="data in memory"):
        hs.encode_shard([1, 2], store=tmp_path / "store")
    with pytest.raises(hs.UserError, match="int8 is of one fit"):
        hs.encode_shard(data, store=tmp_path / "store", precision="int8", model=model)
    assert not (tmp_path / "store").exists()


def test_the_commands(pictures, tmp_path, command):
    data, model = pictures
    store = tmp_path / "store"
    code, out, err = command("encode", data, "--shard", "1/1", "--store", store, "--model", model)
    assert code == 0, err
    assert f"model: {model}: asked for" in err
    assert "1 chunks computed, 0 known, 1 examples cannot be used" in out
    code, out, err = command("encode", "--merge", "--store", store, "--json")
    assert code == 0, err
    assert {table["about"].partition(",")[0]: table["rows"] for table in json.loads(out)["tables"]} == {
        "contents of files": N + 1,
        "fingerprints of images": N,
        model.name: N,
    }
    code, out, err = command("fit", data, "--store", store, "--how", "probe", "--json", "--out", tmp_path / "saved")
    assert code == 0, err
    assert (json.loads(out)["cached"], json.loads(out)["model"]) == (1.0, model.name)
    assert command("encode", "--store", store)[0] == command("encode", data, "--merge", "--store", store)[0] == 2


def test_other_photos_of_the_same_names_are_encoded_too(pictures, tmp_path, small_chunks):
    """What is known is known of these photos, whatever others are called."""
    store, other = tmp_path / "store", tmp_path / "other"
    for photo in set(pictures[0].rglob("*.png")) - set(pictures[0].rglob("99.png")):
        (other / photo.parent.name).mkdir(parents=True, exist_ok=True)
        with Image.open(photo) as opened:
            ImageOps.mirror(opened).rotate(3).save(other / photo.parent.name / photo.name)
    shutil.copy(pictures[0] / "light" / "99.png", other / "light")
    first = hs.encode_shard(pictures[0], store=store, model=pictures[1])
    assert hs.encode_shard(pictures[0], store=store, model=pictures[1]).computed == 0
    assert hs.encode_shard(other, store=store, model=pictures[1]).computed == first.chunks


def test_a_fit_says_what_its_store_lacked(pictures, tmp_path, small_chunks, command):
    code, _, err = command("fit", pictures[0], "--store", tmp_path / "new", "--model", pictures[1], "--how", "probe")
    assert (code, "% of the features were not in the store, and were computed here" in err) == (0, True)
    again = ("--store", tmp_path / "new", "--model", pictures[1], "--how", "probe", "--out", tmp_path / "again")
    code, _, err = command("fit", pictures[0], *again)
    assert (code, "not in the store" in err) == (0, False)


def test_other_labels_of_the_same_texts_are_encoded_too(few_texts, tmp_path):
    """A row without a label is not encoded; it is for the column in which it has one."""
    table = tmp_path / "texts.csv"
    rows = [f"where is my card {i},{'ab'[i % 2] if i < 20 else ''},{'xy'[i % 2]}" for i in range(60)]
    table.write_text("text,one,two\n" + "\n".join(rows) + "\n")
    for label, count in (("one", 20), ("two", 60)):
        named = hs.Columns(text="text", label=label)
        hs.encode_shard(table, store=tmp_path / "store", model=str(few_texts[1]), columns=named)
        assert hs.merge_shards(tmp_path / "store").tables[0]["rows"] == count


def folder_of_features(store: Path) -> Path:
    (about,) = [path for path in (store / "features").glob("*/about.json") if "model" in path.read_text()]
    return about.parent


def replaced(path: Path, content: bytes) -> None:
    path.unlink()  # another file: what this process knows of the old one is none of it
    path.write_bytes(content)


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if path.suffix != ".npy" else -1] ^= 1
    replaced(path, bytes(content))


DAMAGES = {
    "a bit of the features": lambda folder: flipped(folder / "shards-000001" / "000001.npy"),
    "a shard that is cut": lambda folder: replaced(folder / "shards-000001" / "000001.npy", b"\x93NUMPY"),
    "no shard": lambda folder: (folder / "shards-000001" / "000001.npy").unlink(),
    "a pipe as a shard": lambda folder: piped(folder / "shards-000001" / "000001.npy"),
    "a bit of the index": lambda folder: flipped(folder / "shards-000001" / "index.parquet"),
    "no index": lambda folder: (folder / "shards-000001" / "index.parquet").unlink(),
    "a bit of the sums": lambda folder: flipped(folder / "shards-000001" / "sums.npy"),
    "no sums": lambda folder: (folder / "shards-000001" / "sums.npy").unlink(),
    "a bit of the facts": lambda folder: flipped(folder / "shards-000001" / "shards.json"),
    "no facts": lambda folder: (folder / "shards-000001" / "shards.json").unlink(),
    "no generation": lambda folder: shutil.rmtree(folder / "shards-000001"),
}


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("keep", ["float16", "int8"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_merged_store_that_is_damaged_is_said_and_mended_by_its_shards(
    damage, keep, pictures, tmp_path, small_chunks
):
    """In `features.md`: whatever is missing or wrong, the merge ends with an error; shards and a merge mend it."""
    store = tmp_path / "store"
    whole = encoded(*pictures, store, ["1/1"], keep)
    folder = folder_of_features(store)
    features = [np.load(folder / "shards-000001" / "000001.npy")]
    DAMAGES[damage](folder)
    with pytest.raises(hs.UserError, match=r"damaged|is missing"):
        hs.merge_shards(store)
    shards = [hs.encode_shard(pictures[0], store=store, shard=shard, model=pictures[1]) for shard in ("2/2", "1/2")]
    assert sum(shard.computed for shard in shards) > 0
    assert {table["rows"] for table in hs.merge_shards(store).tables} == {N, N + 1}
    assert hs.encode_shard(pictures[0], store=store, model=pictures[1]).computed == 0
    last = sorted(path for path in folder.glob("shards-*") if (path / "shards.json").exists())[-1]
    found = np.concatenate([np.load(path) for path in sorted(last.glob("0*.npy")) if path.is_file()])
    assert found.shape == features[0].shape
    assert {row.tobytes() for row in found} == {row.tobytes() for row in features[0]}
    assert whole.keys()


def test_an_empty_folder_of_a_later_generation_hides_nothing(pictures, tmp_path, small_chunks):
    store = tmp_path / "store"
    encoded(*pictures, store, ["1/1"])
    (folder_of_features(store) / "shards-000002").mkdir()
    assert [table["rows"] for table in hs.merge_shards(store).tables] == [N + 1, N, N]
    assert hs.encode_shard(pictures[0], store=store, model=pictures[1]).computed == 0


@pytest.mark.parametrize("table", ["fingerprints", "contents"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_known_of_photos_is_mended_too(damage, table, pictures, tmp_path, small_chunks):
    store = tmp_path / "store"
    encoded(*pictures, store, ["1/1"])
    (about,) = [path for path in (store / "features").glob("*/about.json") if table in path.read_text()]
    DAMAGES[damage](about.parent)
    with pytest.raises(hs.UserError, match=r"damaged|is missing"):
        hs.merge_shards(store)
    hs.encode_shard(pictures[0], store=store, model=pictures[1])
    assert [table["rows"] for table in hs.merge_shards(store).tables] == [N + 1, N, N]


def others_of(photos: Path, to: Path, seed: int = 1) -> Path:
    """Other photos of the same names."""
    for number, photo in enumerate(sorted(photos.rglob("*.png"))):
        (to / photo.parent.name).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(100 * seed + number).integers(0, 255, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(noise).save(to / photo.parent.name / photo.name)
    return to


def test_features_that_are_damaged_do_not_go_when_those_of_other_data_come(pictures, tmp_path, small_chunks):
    store, others = tmp_path / "store", others_of(pictures[0], tmp_path / "others")
    encoded(*pictures, store, ["1/1"])
    flipped(folder_of_features(store) / "shards-000001" / "000001.npy")
    hs.encode_shard(others, store=store, model=pictures[1])
    for _ in range(2):
        with pytest.raises(hs.UserError, match=r"damaged|is missing"):
            hs.merge_shards(store)
    hs.encode_shard(pictures[0], store=store, model=pictures[1])
    assert max(table["rows"] for table in hs.merge_shards(store).tables) >= 2 * N
    assert hs.encode_shard(pictures[0], store=store, model=pictures[1]).computed == 0


def test_damage_of_data_that_are_gone_does_not_stand_in_the_way(pictures, tmp_path, small_chunks):
    data, store = tmp_path / "photos", tmp_path / "store"
    shutil.copytree(pictures[0], data)
    encoded(data, pictures[1], store, ["1/1"])
    (data / "light" / "00.png").unlink()
    encoded(data, pictures[1], store, ["1/1"])
    (shard,) = folder_of_features(store).glob("shards-*/000001.npy")
    flipped(shard)
    with pytest.raises(hs.UserError, match="rows are damaged"):
        hs.merge_shards(store)
    hs.encode_shard(data, store=store, model=pictures[1])
    assert N - 1 in [table["rows"] for table in hs.merge_shards(store).tables]
    assert hs.encode_shard(data, store=store, model=pictures[1]).computed == 0


def test_a_merge_that_ends_before_it_gathers_leaves_nothing_for_done(pictures, tmp_path, small_chunks, monkeypatch):
    store = tmp_path / "store"
    hs.encode_shard(pictures[0], store=store, model=pictures[1])
    with monkeypatch.context() as patched:
        patched.setattr(cluster_encode, "_gathered", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            hs.merge_shards(store)
    sorted(folder_of_features(store).glob("part-*"))[2].unlink()
    with pytest.raises(hs.UserError, match="is missing"):
        hs.merge_shards(store)
    assert hs.encode_shard(pictures[0], store=store, model=pictures[1]).computed == 1
    assert [table["rows"] for table in hs.merge_shards(store).tables] == [N + 1, N, N]


def tarred(photos: Path, to: Path) -> Path:
    to.parent.mkdir()
    with tarfile.open(to, "w") as archive:
        for photo in sorted(photos.rglob("*.png")):
            archive.add(photo, f"{photo.parent.name}/{photo.name}")
    return to


def test_data_of_one_name_in_two_places_are_two(pictures, tmp_path, small_chunks):
    """What is computed of one is not computed of the other, and what is missing of one is said."""
    store = tmp_path / "store"
    one = tarred(pictures[0], tmp_path / "x" / "train.tar")
    other = tarred(others_of(pictures[0], tmp_path / "others"), tmp_path / "y" / "train.tar")
    whole = hs.encode_shard(one, store=store, model=pictures[1])
    half = hs.encode_shard(other, store=store, model=pictures[1], shard="1/2")
    assert (whole.computed, half.computed) == (whole.chunks, half.chunks)
    with pytest.raises(hs.UserError, match="shard 2 of 2 is missing"):
        hs.merge_shards(store)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("{")])
def test_the_form_of_a_store_is_known_by_what_is_in_it(spoil, pictures, tmp_path, small_chunks):
    store = tmp_path / "store"
    encoded(*pictures, store, ["1/1"], "int8")
    spoil(store / "kept.json")
    others = others_of(pictures[0], tmp_path / "others")
    assert hs.encode_shard(others, store=store, model=pictures[1]).kept == "int8"
    with pytest.raises(hs.UserError, match="features are kept in int8 there"):
        hs.encode_shard(others, store=store, model=pictures[1], keep="float16")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.ENOMEM, errno.EUCLEAN])
@pytest.mark.parametrize("for_a_moment", [False, True])
def test_photos_that_cannot_be_read_all_of_a_sudden_end_a_shard(
    number, for_a_moment, pictures, tmp_path, small_chunks, monkeypatch
):
    from headstart.encode import parts
    from headstart.storage import files

    store, opening, looking = tmp_path / "store", os.open, parts.PartWriter._looked_at
    looks: list[bool] = []
    refused = {"now": False}

    def opened(path, *more, **options):
        if refused["now"] and str(path).startswith(str(pictures[0])) and str(path).endswith("png"):
            raise OSError(number, os.strerror(number), str(path))
        return opening(path, *more, **options)

    def looked_at(self, rows, known):
        looks.append(True)
        refused["now"] = len(looks) == 4 or (len(looks) > 4 and not for_a_moment)
        seen = looking(self, rows, known)
        refused["now"] = refused["now"] and not for_a_moment
        return seen

    monkeypatch.setattr(files.os, "open", opened)
    monkeypatch.setattr(parts.PartWriter, "_looked_at", looked_at)
    with pytest.raises(hs.UserError, match=r"gone while it was encoded|a moment ago"):
        hs.encode_shard(pictures[0], store=store, model=pictures[1])
    monkeypatch.setattr(files.os, "open", opening)
    hs.encode_shard(pictures[0], store=store, model=pictures[1])
    assert [table["rows"] for table in hs.merge_shards(store).tables] == [N + 1, N, N]


STRANGE = {
    "a file in place of a generation": lambda folder: (folder / "shards-999999").write_text("mine"),
    "a name of many digits": lambda folder: (folder / f"shards-{'9' * 200}").mkdir(),
    "a dead link": lambda folder: (folder / "shards-000007").symlink_to(folder / "nowhere"),
    "a pipe as an index": lambda folder: generation_with(folder, "index.parquet"),
    "a pipe as facts": lambda folder: generation_with(folder, "shards.json"),
}


def generation_with(folder: Path, pipe: str) -> None:
    shutil.copytree(folder / "shards-000001", folder / "shards-000005")
    piped(folder / "shards-000005" / pipe)


@pytest.mark.parametrize("strange", STRANGE)
def test_what_is_no_generation_stands_in_no_ones_way(strange, pictures, tmp_path, small_chunks):
    store = tmp_path / "store"
    encoded(*pictures, store, ["1/1"])
    STRANGE[strange](folder_of_features(store))
    assert [table["rows"] for table in hs.merge_shards(store).tables] == [N + 1, N, N]
    hs.encode_shard(others_of(pictures[0], tmp_path / "others"), store=store, model=pictures[1])
    assert max(table["rows"] for table in hs.merge_shards(store).tables) >= 2 * N


def test_a_file_of_somebody_else_in_a_generation_stays(pictures, tmp_path, small_chunks):
    store = tmp_path / "store"
    encoded(*pictures, store, ["1/1"])
    mine = folder_of_features(store) / "shards-000001" / "thesis.txt"
    mine.write_text("mine")
    hs.encode_shard(others_of(pictures[0], tmp_path / "others"), store=store, model=pictures[1])
    hs.merge_shards(store)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("key", ["\ud800", "of no table"])
def test_a_note_of_a_table_that_is_not_there_stands_in_no_ones_way(key, pictures, tmp_path, small_chunks):
    store = tmp_path / "store"
    encoded(*pictures, store, ["1/1"])
    (note,) = (store / "works").glob("*.json")
    stray = replace(Work(**{name: json.loads(note.read_text())[name] for name in Work.__dataclass_fields__}), key=key)
    stray = replace(stray, rows=0)
    (store / "works" / f"{stray.name}.json").write_text(json.dumps(asdict(stray)))
    assert [table["rows"] for table in hs.merge_shards(store).tables] == [N + 1, N, N]


def test_features_that_are_known_are_not_computed_again_for_data_that_have_changed(
    pictures, tmp_path, small_chunks, monkeypatch
):
    """One photo more moves all that come after it into other chunks."""
    from headstart.encode import parts

    computed = []
    real = parts.Encoder._computed

    def counted(self, inputs, digests, rows, *more):
        computed.append(len(rows))
        return real(self, inputs, digests, rows, *more)

    monkeypatch.setattr(parts.Encoder, "_computed", counted)
    data, store = tmp_path / "photos", tmp_path / "store"
    shutil.copytree(pictures[0], data)
    encoded(data, pictures[1], store, ["1/1"])
    assert sum(computed) >= N
    computed.clear()
    (data / "dark" / "01.png").rename(data / "light" / "00a.png")
    encoded(data, pictures[1], store, ["1/2", "2/2"])
    assert computed == []
    with Image.open(data / "light" / "00.png") as opened:
        ImageOps.mirror(opened).save(data / "dark" / "00.png")
    encoded(data, pictures[1], store, ["1/1"])
    assert sum(computed) == 4  # the chunk that has it


@pytest.mark.parametrize("listed", ["folder", "table"])
def test_photos_that_go_while_a_shard_runs_end_it(listed, pictures, tmp_path, small_chunks, monkeypatch):
    """As where a mount drops: what it could not read counts as done for nobody, and a run again goes on."""
    from headstart.encode import parts

    data, store = tmp_path / "photos", tmp_path / "store"
    shutil.copytree(pictures[0], data)
    source = data
    if listed == "table":
        rows = [f"photos/{path.relative_to(data)},{path.parent.name}" for path in sorted(data.rglob("*.png"))]
        source = tmp_path / "photos.csv"
        source.write_text("\n".join(["photo,label", *rows, "photos/dark/never.png,dark"]) + "\n")
    real, chunks = parts.PartWriter._inspected, []

    def dropping(self, chunk, rows):
        chunks.append(chunk)
        if len(chunks) == 3:
            begin = self._watch.begin
            self._watch.begin = lambda rows: (begin(rows), data.rename(tmp_path / "away"))[0]
        return real(self, chunk, rows)

    monkeypatch.setattr(parts.PartWriter, "_inspected", dropping)
    with pytest.raises(hs.UserError, match="gone while it was encoded: No such file") as raised:
        hs.encode_shard(source, store=store, model=pictures[1])
    assert "run this shard again" in str(raised.value)
    if listed == "table":  # now none is there from the beginning on
        with pytest.raises(hs.UserError, match=r"none of .* photos is there|gone while"):
            hs.encode_shard(source, store=store, model=pictures[1])
    (tmp_path / "away").rename(data)
    monkeypatch.setattr(parts.PartWriter, "_inspected", real)
    hs.encode_shard(source, store=store, model=pictures[1])
    assert {table["rows"] for table in hs.merge_shards(store).tables} - {0} == {
        N
    }  # files of a moment ago are not known


def test_a_store_whose_name_is_no_utf8_is_merged_and_a_note_of_zeros_is_written_again(pictures, tmp_path, small_chunks):
    store = Path(os.fsdecode(os.fsencode(tmp_path) + b"/store-\xff"))
    hs.encode_shard(pictures[0], store=store, model=pictures[1])
    (note,) = (store / "works").glob("*.json")
    note.write_bytes(bytes(note.stat().st_size))
    assert hs.encode_shard(pictures[0], store=store, model=pictures[1]).computed == 0
    assert {table["rows"] for table in hs.merge_shards(store).tables} == {N, N + 1}
    assert not list(store.rglob("*.rows"))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda data: hs.merge_shards(1),
        lambda data: hs.merge_shards(None),
        lambda data: hs.merge_shards("a\0b"),
        lambda data: hs.encode_shard(data, store=3),
        lambda data: hs.encode_shard(data, store="s", shard=3),
        lambda data: hs.encode_shard(data, store="s", threads=10**20),
        lambda data: hs.encode_shard(data, store=data / "store"),
        lambda data: hs.encode_shard(data, store=data),
        lambda data: hs.fit(data, store=data / "light" / "store"),
        lambda data: hs.fit(data, store=7),
        lambda data: hs.plan(data, machines=4),
        lambda data: hs.plan(data, machines="1,4"),
        lambda data: hs.plan(data, machines=[None]),
        lambda data: hs.plan(data, machines=[float("nan")]),
        lambda data: hs.plan(data, machines=[1.5]),
        lambda data: hs.plan(data, machines=[True]),
        lambda data: hs.plan(data, machines=[10**30]),
        lambda data: hs.models(1),
        lambda data: hs.models([None]),
    ],
)
def test_arguments_of_other_types_are_said(wrong, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(hs.UserError) as raised:
        wrong(pictures[0])
    assert len(str(raised.value).splitlines()) <= 2
    assert not list(tmp_path.iterdir())


CRAFTED = {
    "another type": {"dtype": "float64"},
    "no type": {"dtype": "object"},
    "complex": {"dtype": "complex64"},
    "no numbers": {"value": float("nan")},
    "endless rows": {"rows": float("inf")},
    "fewer rows than none": {"rows": -1},
}


@pytest.mark.parametrize("crafted", CRAFTED)
def test_segments_that_nobody_wrote_do_no_harm(crafted, pictures, tmp_path, small_chunks):
    """What stands in the sums of such a file is right; the features that are there stay as they are."""
    store = tmp_path / "store"
    whole = encoded(*pictures, store, ["1/1"])
    folder, told = folder_of_features(store), CRAFTED[crafted]
    width = json.loads((folder / "about.json").read_text())["width"]
    rows = np.full((3, width), told.get("value", 1.0), dtype=np.dtype(told.get("dtype", "float16")).newbyteorder("="))
    keys = bytes(range(96))
    body = keys + (rows.tobytes() if rows.dtype != object else bytes(24 * width))
    header = {"rows": 3, "width": width, "dtype": rows.dtype.name, "sha256": hashlib.sha256(body).hexdigest()}
    header |= {key: value for key, value in told.items() if key == "rows"}
    (folder / "999.rows").write_bytes(json.dumps(header).encode().ljust(255) + b"\n" + body)
    os.mkfifo(folder / "pipe.rows")
    assert [table["rows"] for table in hs.merge_shards(store).tables] == [N + 1, N, N]
    (folder / "999.rows").unlink()
    (folder / "pipe.rows").unlink()
    assert content(store) == whole


def test_notes_of_strange_numbers_are_nobodys_and_take_no_time(pictures, tmp_path, small_chunks):
    store = tmp_path / "store"
    encoded(*pictures, store, ["1/1"], "int8")
    (note,) = (store / "works").glob("*.json")
    told = json.loads(note.read_text())
    for loss in ("NaN", "Infinity", "1" + "0" * 4000, '"much"'):
        note.write_text(json.dumps(told).replace(f'"loss": {told["loss"]}', f'"loss": {loss}'))
        assert hs.fit(pictures[0], store=store, model=pictures[1], how="probe", out=tmp_path / "fit", force=True)
    note.write_text(json.dumps(told | {"rows": 10**9, "chunk": 1}))
    (store / "works" / f"{note.stem}.of-0").touch()
    assert hs.merge_shards(store).tables
