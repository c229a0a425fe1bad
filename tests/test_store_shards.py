"""Many small segments become shards with an index: nothing is lost, nothing is wrong, and others can read them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as pq
import pytest

from headstart.encode import forms, generations, segments
from headstart.encode.encode import encode
from headstart.encode.gather import gather
from headstart.encode.keys import Sorted, first_of_each, order_of
from headstart.encode.store import Table, as_kept, features_in, table, tables
from headstart.pretrained.load import load
from headstart.storage import shared
from headstart.storage.chosen import Chosen

WIDTH = 6


def digests(names: range | list[int]) -> np.ndarray:
    return np.stack([np.frombuffer(hashlib.sha256(b"%d" % name).digest(), np.uint8) for name in names])


def rows_of(names: range | list[int]) -> np.ndarray:
    """Rows that say whose they are; every tenth does not fit into half precision."""
    numbers = np.array(list(names), dtype=np.float32)
    rows = numbers[:, None] % 512 + np.arange(WIDTH, dtype=np.float32)
    rows[numbers % 10 == 7] += 1e5
    return rows


def filled(folder: Path, names: range, *, a_segment: int = 10, **more: object) -> Table:
    made = Table(folder, WIDTH, **more)
    for start in range(names.start, names.stop, a_segment):
        some = range(start, min(start + a_segment, names.stop))
        made.add(digests(some), rows_of(some))
    made.load()
    return made


def has(opened: Table, names: range, *, in_int8: bool = False) -> None:
    handles = opened.find(digests(names))
    assert (handles >= 0).all()
    expected = forms.opened(forms.to_int8(rows_of(names))) if in_int8 else rows_of(names)
    np.testing.assert_array_equal(opened.rows(handles), expected)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(generations, "SHARD_ROWS", 16)


@pytest.mark.parametrize(
    ("is_shared", "in_int8", "types"),
    [
        (False, False, {"float16", "float32"}),
        (True, False, {"float16", "float32"}),
        (False, True, {"int8"}),
        (True, True, {"int8"}),
    ],
)
def test_segments_become_shards_and_say_the_same(is_shared, in_int8, types, tmp_path, own_cache, small_shards):
    folder, form = tmp_path / "table", {"is_shared": is_shared, "in_int8": in_int8}
    filled(folder, range(100), **form).gather()
    assert [path.name for path in folder.glob("*") if path.suffix != ".use"] == ["shards-000001"]
    has(Table(folder, WIDTH, is_shared=is_shared), range(100), in_int8=in_int8)
    assert Table(folder, WIDTH, is_shared=is_shared).find(digests([1000])).tolist() == [-1]
    more = filled(folder, range(90, 150), **form)
    has(more, range(150), in_int8=in_int8)
    assert more.gather()
    has(more, range(150), in_int8=in_int8)
    assert not more.gather()
    assert [path.name for path in generations.generations(folder)] == ["shards-000002"]
    shards = [np.load(path, mmap_mode="r") for path in sorted((folder / "shards-000002").glob("0*.npy"))]
    assert sum(map(len, shards)) == 150
    assert {shard.dtype.name for shard in shards} == types
    assert max(map(len, shards)) == 16


def test_handles_hold_while_somebody_else_gathers(tmp_path, own_cache):
    """Files that an open table reads are removed beneath it, twice."""
    reader = filled(tmp_path / "table", range(60))
    handles = reader.find(digests(range(60)))
    view = Chosen(reader.rows, handles, WIDTH).of(np.arange(10, 60))
    for start in (60, 80):
        filled(tmp_path / "table", range(start, start + 20)).gather()
        np.testing.assert_array_equal(reader.rows(handles), rows_of(range(60)))
        np.testing.assert_array_equal(view[5:9], rows_of(range(15, 19)))
    reader.load()
    has(reader, range(100))


def test_what_is_gone_is_an_error_and_not_another_row(tmp_path, own_cache):
    reader = filled(tmp_path / "table", range(60))
    handles = reader.find(digests(range(60)))
    shutil.rmtree(tmp_path / "table")
    with pytest.raises(OSError, match="gone, or damaged"):
        reader.rows(handles)


DAMAGE = {
    "a bit of a shard": ("0*.npy", lambda path: flip(path, -1)),
    "a shard without its end": ("0*.npy", lambda path: path.write_bytes(path.read_bytes()[:-40])),
    "no shard": ("0*.npy", lambda path: path.unlink()),
    "a bit of a key": ("index.parquet", lambda path: flip(path, 60)),
    "half an index": ("index.parquet", lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])),
    "a bit of the sums": ("sums.npy", lambda path: flip(path, -1)),
    "no sums": ("sums.npy", lambda path: path.unlink()),
    "another number in the facts": ("shards.json", lambda path: replace(path, '"offset": 128', '"offset": 140')),
    "half of the facts": ("shards.json", lambda path: path.write_bytes(path.read_bytes()[:50])),
}


def flip(path: Path, at: int) -> None:
    found = bytearray(path.read_bytes())
    found[at] ^= 1
    path.write_bytes(found)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("in_int8", [False, True])
@pytest.mark.parametrize("damage", DAMAGE)
def test_no_answer_comes_from_a_damaged_file(damage, in_int8, tmp_path, own_cache, small_shards):
    """What is not whole is not known; added again it is, also once it is gathered again."""
    folder, names = tmp_path / "table", range(100)
    filled(folder, names, in_int8=in_int8).gather()
    expected = forms.opened(forms.to_int8(rows_of(names))) if in_int8 else rows_of(names)
    pattern, spoil = DAMAGE[damage]
    spoil(sorted((folder / "shards-000001").glob(pattern))[0])
    opened = Table(folder, WIDTH, in_int8=in_int8)
    handles = opened.find(digests(names))
    known = handles >= 0
    assert not known.all()
    np.testing.assert_array_equal(opened.rows(handles[known]), expected[known])
    lost = np.flatnonzero(~known)
    opened.add(digests(names)[lost], rows_of(names)[lost])
    for _ in range(2):
        has(Table(folder, WIDTH), names, in_int8=in_int8)
        opened.gather()


@pytest.mark.parametrize(
    ("told", "rows"),
    [
        ({}, {"row": -(10**9)}),
        ({}, {"row": 10**6}),
        ({}, {"shard": 7}),
        ({}, {"row": 1}),  # another key's
        ({}, {"key": b"\xff" * 32}),  # before all others
        ({"dtype": "object"}, {}),
        ({"rows": -1}, {}),
        ({"offset": -1}, {}),
        ({"count": 10**15}, {}),
    ],
)
def test_an_index_of_rows_that_are_not_there_is_damaged_whatever_its_sums_say(told, rows, tmp_path, own_cache):
    """Its sums are right: whoever wrote it could."""
    opened = filled(tmp_path / "t", range(30))
    opened.gather()
    (folder,) = generations.generations(tmp_path / "t")
    index = pq.read_table(folder / "index.parquet")
    for name, value in rows.items():
        column = pyarrow.array([value, *index[name].to_pylist()[1:]], index.schema.field(name).type)
        index = index.set_column(index.schema.get_field_index(name), name, column)
    pq.write_table(index, folder / "index.parquet", use_dictionary=False, compression="NONE")
    facts = json.loads((folder / "shards.json").read_text())
    facts["rows"] = told.pop("count", facts["rows"])
    facts["shards"][0] |= told
    facts["sha256"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("index.parquet", "sums.npy")
    }
    facts["sha256"]["shards.json"] = generations._sum(facts)
    (folder / "shards.json").write_text(json.dumps(facts))
    assert (Table(tmp_path / "t", WIDTH).find(digests(range(30))) == -1).all()


def test_a_file_that_is_damaged_while_it_is_open_is_not_believed(tmp_path, own_cache):
    folder = tmp_path / "table"
    filled(folder, range(60)).gather()
    opened = Table(folder, WIDTH)
    handles = opened.find(digests(range(60)))
    flip(sorted((folder / "shards-000001").glob("0*.npy"))[0], -1)
    with pytest.raises(OSError, match="gone, or damaged"):
        opened.rows(handles)


def test_features_of_a_damaged_shard_are_computed_again(few_texts, own_cache):
    texts = [f"where is my card {number} ?" for number in range(300)]
    keys, backbone = np.stack([np.frombuffer(hashlib.sha256(t.encode()).digest(), np.uint8) for t in texts]), None
    backbone = load(str(few_texts[1]), kind="text")
    expected = encode(texts, keys, backbone).matrix[:]
    folder = next(own_cache.glob("features/*"))
    Table(folder, backbone.width).gather()
    assert encode(texts, keys, backbone).cached == 300
    flip(sorted(folder.glob("shards-*/0*.npy"))[0], -1)
    again = encode(texts, keys, backbone)
    assert again.cached < 300
    np.testing.assert_array_equal(again.matrix, expected)
    assert [(info.about, info.rows) for info in tables() if "bert" in info.about]


WRITER = """
import sys, numpy as np
sys.path.insert(0, {tests!r})
from test_store_shards import WIDTH, digests, rows_of
from headstart.encode.store import Table
from pathlib import Path

folder, first = Path(sys.argv[1]), int(sys.argv[2])
for start in range(first, first + 200, 10):
    some = range(start, start + 10)
    opened = Table(folder, WIDTH, is_shared=True)
    opened.add(digests(some), rows_of(some))
    if start % 30 == 0:
        opened.gather()
    everything = range(first, start + 10)
    opened = Table(folder, WIDTH, is_shared=True)
    handles = opened.find(digests(everything))
    assert (handles >= 0).all(), (handles < 0).sum()
    assert np.array_equal(opened.rows(handles), rows_of(everything))
"""


def test_processes_that_add_read_and_gather_at_once_lose_nothing(tmp_path):
    """Each sees its own rows at every moment, whoever moves them; nobody locks anything."""
    script = WRITER.format(tests=str(Path(__file__).parent))
    command = [sys.executable, "-c", script, str(tmp_path / "table")]
    processes = [
        subprocess.Popen([*command, str(first)], stderr=subprocess.PIPE, text=True) for first in (0, 150, 1000)
    ]
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    opened = Table(tmp_path / "table", WIDTH, is_shared=True)
    opened.gather()
    has(opened, range(350))
    has(opened, range(1000, 1200))
    assert [path.name[:7] for path in (tmp_path / "table").iterdir()] == ["shards-"]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_who_is_overtaken_while_it_gathers_takes_nothing_from_the_others(times, tmp_path):
    """Others add rows and gather as often before its generation has a name, whose number may be free again by then."""
    folder, overtaken = tmp_path / "table", []
    filled(folder, range(30), is_shared=True).gather()
    filled(folder, range(30, 60), is_shared=True)

    def temporary(path: Path) -> Path:
        if not overtaken:
            overtaken.append(path)
            for number in range(times):
                filled(folder, range(100 * number + 100, 100 * number + 120), is_shared=True).gather()
        return shared.temporary(path)

    gather(folder, WIDTH, temporary)
    opened = Table(folder, WIDTH, is_shared=True)
    has(opened, range(60))
    for number in range(times):
        has(opened, range(100 * number + 100, 100 * number + 120))
    assert [path.name[:7] for path in folder.iterdir()] == ["shards-"]


WRITES = ("os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "shutil.rmtree")


def gather_until(folder: Path, moment: int) -> bool:
    """Gather in a fork of this process that is killed before its write of this number; whether it came to its end."""
    process = os.fork()
    if process == 0:
        left = moment

        def watch(event: str, arguments: tuple) -> None:
            nonlocal left
            opened = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wxa+")
            if (opened or event in WRITES) and str(folder) in str(arguments[0]):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            opened = Table(folder, WIDTH, is_shared=True)
            sys.addaudithook(watch)
            opened.gather()
        except BaseException:
            os._exit(1)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert ended in (0, -signal.SIGKILL)
    return ended == 0


@pytest.mark.parametrize("in_int8", [False, True])
def test_a_merge_that_is_killed_at_any_write_loses_nothing_and_ends_in_the_same_bytes(in_int8, tmp_path, small_shards):
    """At each file that it opens, links, renames or removes; afterwards all rows are there, and it can be run again."""
    start, whole = tmp_path / "start", tmp_path / "whole"
    filled(start, range(40), is_shared=True, in_int8=in_int8).gather()
    filled(start, range(30, 75), is_shared=True, in_int8=in_int8)
    shutil.copytree(start, whole)
    Table(whole, WIDTH, is_shared=True).gather()
    wanted, moments = content(whole), 0
    for moments in range(200):
        case = tmp_path / "case"
        shutil.copytree(start, case)
        ended = gather_until(case, moments)
        has(Table(case, WIDTH, is_shared=True), range(75), in_int8=in_int8)
        Table(case, WIDTH, is_shared=True).gather()
        has(Table(case, WIDTH, is_shared=True), range(75), in_int8=in_int8)
        left = {name: there for name, there in content(case).items() if ".tmp" not in name}
        assert left == wanted, moments
        shutil.rmtree(case)
        if ended:
            break
    assert 15 < moments < 199


def test_numpy_and_pyarrow_alone_read_it(tmp_path, small_shards):
    import pyarrow.parquet as pq

    filled(tmp_path / "table", range(100), is_shared=True).gather()
    folder = sorted((tmp_path / "table").glob("shards-*"))[-1]
    index = pq.read_table(folder / "index.parquet").to_pydict()
    where = {key: (shard, row) for key, shard, row in zip(index["key"], index["shard"], index["row"], strict=True)}
    assert len(where) == 100
    for name in range(100):
        shard, row = where[hashlib.sha256(b"%d" % name).digest()]
        found = np.load(folder / f"{shard:06d}.npy", mmap_mode="r")[row]
        np.testing.assert_array_equal(found, rows_of([name])[0])
    assert json.loads((folder / "shards.json").read_text())["rows"] == 100


def test_int8_is_read_by_numpy_and_pyarrow_alone_and_says_what_it_has_cost(tmp_path, small_shards):
    import pyarrow.parquet as pq

    rng, folder = np.random.default_rng(0), tmp_path / "table"
    rows = rng.normal(size=(50, WIDTH)).astype(np.float32) * np.logspace(-30, 30, 50, dtype=np.float32)[:, None]
    rows[7], rows[8], rows[9] = 0, 1e-44, 3e38
    opened = Table(folder, WIDTH, is_shared=True, in_int8=True)
    opened.add(digests(range(50)), rows)
    opened.load()
    opened.gather()
    shards = sorted(folder.glob("shards-*"))[-1]
    index = pq.read_table(shards / "index.parquet").to_pydict()
    where = {key: (shard, row) for key, shard, row in zip(index["key"], index["shard"], index["row"], strict=True)}
    total = there = 0.0
    for name in range(50):
        shard, row = where[hashlib.sha256(b"%d" % name).digest()]
        kept = np.load(shards / f"{shard:06d}.npy", mmap_mode="r")[row]
        step, middle, lost = kept[-12:].view("<f4")
        found = kept[:-12] * step + middle
        largest = np.abs(rows[name]).max().astype(np.float64)
        assert np.abs(found.astype(np.float64) - rows[name]).max() <= largest / 127 / 2 * 1.001 + 1e-43
        assert lost == pytest.approx(np.sqrt(np.mean((found.astype(np.float64) - rows[name]) ** 2)), rel=1e-3)
        np.testing.assert_array_equal(opened.rows(opened.find(digests([name])))[0], found)
        total, there = total + float(lost) ** 2, there + np.mean(np.square(found, dtype=np.float64))
    assert opened.loss() == pytest.approx(np.sqrt(total / there))
    assert filled(tmp_path / "half", range(50), is_shared=True).loss() is None


def test_segments_of_today_are_read_on(tmp_path, own_cache):
    """A segment as versions before shards wrote it: 32-bit because one of its rows needs it."""
    keys, rows = digests(range(5)), rows_of(range(3, 8))
    data = keys.tobytes() + rows.tobytes()
    header = {"rows": 5, "width": WIDTH, "dtype": "float32", "sha256": hashlib.sha256(data).hexdigest()}
    (tmp_path / "table").mkdir()
    old = tmp_path / "table" / "01700000000000000000-77.rows"
    old.write_bytes(json.dumps(header).encode().ljust(255) + b"\n" + data)
    opened = Table(tmp_path / "table", WIDTH)
    for _ in range(2):
        np.testing.assert_array_equal(opened.rows(opened.find(keys)), rows)
        opened.gather()
    assert not old.exists()


def test_many_small_segments_are_gathered_by_the_run_that_adds_to_them(few_texts, own_cache, monkeypatch):
    monkeypatch.setattr(sys.modules["headstart.encode.store"], "_MANY", 3)
    backbone = load(str(few_texts[1]), kind="text")
    for number in range(5):
        text = f"where is card {number}"
        encode([text], digests([number]), backbone)
        folder = next(own_cache.glob("features/*"))
        assert len(list(folder.glob("*.rows"))) == (number + 1 if number < 3 else number - 3)
    assert len(generations.generations(folder)) == 1


def test_a_read_only_store_answers(tmp_path, few_texts, own_cache):
    """Not even a lock is tried there: its folder is one that nobody can write to."""
    store = tmp_path / "store"
    backbone = load(str(few_texts[1]), kind="text")
    with features_in(store):
        expected = encode(["my card", "the pin"], digests(range(2)), backbone)
    for path in (store, *store.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = content(store)
    try:
        with features_in(store):
            again = encode(["my card", "the pin"], digests(range(2)), backbone)
    finally:
        for path in (store, *store.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert again.cached == 2
    np.testing.assert_array_equal(again.matrix, expected.matrix)
    assert content(store) == before


def test_rows_of_both_types_are_rounded_as_they_are_kept(own_cache):
    rows = rows_of(range(20)) + np.float32(0.123)
    made = table("both", width=WIDTH, about="both")
    made.add(digests(range(20)), rows)
    made.load()
    np.testing.assert_array_equal(made.rows(made.find(digests(range(20)))), as_kept(rows))
    assert {path.suffix for path in made.folder.glob("*.rows")} == {segments.ENDING}


def test_keys_with_eight_bytes_in_common_are_told_apart():
    """Made by hand: sums with that in common are not to be found."""
    keys = np.zeros((6, 32), np.uint8)
    keys[:, 31] = [5, 3, 9, 3, 0, 7]
    keys[4, 0] = 1
    order = order_of(keys)
    assert order.tolist() == [1, 3, 0, 5, 2, 4]
    known = Sorted.of(keys[first_of_each(keys, order)])
    assert known.find(keys).tolist() == [1, 0, 3, 0, 4, 2]
    other = np.zeros((2, 32), np.uint8)
    other[:, 31] = [4, 255]
    assert known.find(other).tolist() == [-1, -1]
