"""What is done with a million rows at once is what would be done with them one by one; and columns change no result."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import headstart as hs
from headstart.data.alike.duplicates import FINGERPRINT, near_pairs
from headstart.data.alike.equal import equal_pairs, group, groups_of_each, in_order
from headstart.data.alike.sketches import sketch_of_photos
from headstart.data.check import check
from headstart.data.labels.targets import as_class
from headstart.data.listed import listed
from headstart.data.split import folds, groups_by_class, split
from headstart.errors import DataError
from headstart.storage.columns import Coded, Joined, Lazy, Strings
from headstart.storage.numbers import MOST_IN_MEMORY, Numbers
from headstart.storage.rows_of_bytes import Bytes, take
from headstart.tasks.table import TASKS
from headstart.values import Dataset, Examples, Finding
from reading import read

PAIRS = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30)
ROWS = st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 6)), max_size=40)  # class and group


@given(PAIRS)
def test_rows_joined_by_chains_have_the_first_rows_number(pairs):
    of = list(range(20))
    for _ in range(20):
        for a, b in pairs:
            of[a] = of[b] = min(of[a], of[b])
    assert group(20, np.array(pairs, dtype=np.int64).reshape(-1, 2)).tolist() == of


def test_a_long_chain_in_any_order_is_one_group():
    chain = np.random.default_rng(0).permutation(5000)
    assert set(group(5000, np.column_stack([chain[:-1], chain[1:]])).tolist()) == {0}


@given(st.lists(st.binary(min_size=19, max_size=19).map(lambda key: bytes(byte % 2 for byte in key)), max_size=30))
def test_rows_are_ordered_by_all_of_their_bytes(keys):
    rows = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), 19)
    order, new = in_order(rows)
    assert order.tolist() == sorted(range(len(keys)), key=lambda row: keys[row])
    assert new.tolist() == [not at or keys[order[at]] != keys[order[at - 1]] for at in range(len(keys))]
    start = in_order(rows, width=9)[0].tolist()
    assert start == sorted(range(len(keys)), key=lambda row: keys[row][:9])
    assert [keys[a] == keys[b] for a, b in equal_pairs(rows)] == [True] * (len(keys) - len(set(keys)))


def digests_of(n: int) -> np.ndarray:
    some = b"".join(hashlib.sha256(str(row % 31).encode()).digest() for row in range(n))
    return np.frombuffer(some, np.uint8).reshape(n, 32)


@given(ROWS, st.integers(0, 3))
def test_groups_are_dealt_out_as_if_one_by_one(rows, seed):
    y, groups = np.array([c for c, _ in rows], np.int64), np.array([g for _, g in rows], np.int64)
    digests, salt = digests_of(len(rows)), seed.to_bytes(16, "little", signed=True)
    members: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(groups.tolist()):
        members[number].append(row)
    expected = defaultdict(list)
    for mine in members.values():
        votes = Counter(int(y[row]) for row in mine)
        label = min(votes, key=lambda c: (-votes[c], c))
        name = min(digests[row].tobytes() for row in mine)
        expected[label].append((hashlib.sha256(salt + name).digest(), mine))
    found = groups_by_class(y, groups, digests, seed)
    assert list(found) == sorted(expected)
    for label, dealt in found.items():
        parts = np.split(dealt.rows, np.cumsum(dealt.sizes)[:-1])
        assert [part.tolist() for part in parts] == [mine for _, mine in sorted(expected[label])]


@given(ROWS, st.booleans())
def test_each_fold_takes_the_group_that_it_lacks_most(rows, weighted):
    y, groups = np.array([c for c, _ in rows], np.int64), np.array([g for _, g in rows], np.int64)
    weights = np.linspace(0.5, 2, len(rows)) if weighted else None
    expected, sizes = np.zeros(len(rows), dtype=np.int64), np.zeros(3)
    for dealt in groups_by_class(y, groups, digests_of(len(rows)), 0).values():
        here, members = np.zeros(3), np.split(dealt.rows, np.cumsum(dealt.sizes)[:-1])
        weigh = {part.tobytes(): len(part) if weights is None else float(weights[part].sum()) for part in members}
        for part in sorted(members, key=lambda part: weigh[part.tobytes()], reverse=True):
            target = int(np.lexsort((sizes, here))[0])
            expected[part] = target
            here[target] += weigh[part.tobytes()]
            sizes[target] += weigh[part.tobytes()]
    assert folds(y, groups, digests_of(len(rows)), k=3, weights=weights).tolist() == expected.tolist()


@given(ROWS)
def test_groups_of_a_class_are_counted_once(rows):
    y, groups = np.array([c + 1 for c, _ in rows], np.int64), np.array([g - 3 for _, g in rows], np.int64)
    counts = groups_of_each(y, groups)
    assert counts.tolist() == [len({g for c, g in rows if c + 1 == k}) for k in range(len(counts))]


@pytest.fixture(scope="module")
def prints() -> np.ndarray:
    """Of forty photos, each three times, hardly changed, and once as it is; and some without any light."""
    rng = np.random.default_rng(0)
    photos = rng.integers(30, 220, (40, FINGERPRINT))
    changed = [photos + rng.integers(-1, 2, photos.shape) for _ in range(3)]
    flat = np.full((5, FINGERPRINT), 128)
    return np.concatenate([photos, *changed, photos, flat])[rng.permutation(205)].astype(np.uint8)


def test_photos_that_are_nearly_the_same_are_found_on_disk_too(prints):
    stored = Bytes(*prints.shape)
    for start in range(0, len(prints), 50):
        stored[start : start + 50] = prints[start : start + 50]
    some = np.random.default_rng(1).permutation(len(prints))[:150]
    for rows, there in ((stored, prints), (take(stored, some), prints[some])):
        assert (rows[10:90] == there[10:90]).all()
        assert near_pairs(rows).tolist() == near_pairs(there).tolist()
        assert (sketch_of_photos(rows) == sketch_of_photos(there)).all()
    found = group(len(prints), near_pairs(prints))
    assert sorted(np.unique(found, return_counts=True)[1].tolist()) == [1] * 5 + [5] * 40


def test_numbers_are_read_as_they_were_added_from_memory_and_from_disk():
    numbers, whole = Numbers(np.uint64), np.arange(3 * MOST_IN_MEMORY // 8, dtype=np.uint64) ** 2
    assert len(numbers[0:5]) == 0
    for part in np.array_split(whole, 7):
        numbers.add(part)
        assert (numbers[len(numbers) - 5 : len(numbers)] == part[-5:]).all()
    assert len(numbers) == len(whole)
    assert all((some == whole[at : at + len(some)]).all() for at, some in numbers.blocks(beyond=3))
    assert (numbers[7:100_000] == whole[7:100_000]).all()


def rows_of_all_sorts(tmp_path) -> Dataset:
    """With copies, near copies, pieces, contradictions, blanks, rows without a label, a class of one, and groups."""
    lines = ["text,label,patient"]
    for number in range(120):
        words = " ".join(f"w{number * k % 97}x{k}" for k in range(1, 9))
        lines.append(f"{words},{'abc'[number % 3]},{f'p{number % 50}' if number % 4 else ''}")
    lines += [
        lines[5],
        lines[6].upper().replace(",C,P5", ",c,p5"),
        lines[7].replace(",a,", ",b,").replace(",c,", ",b,"),
    ]
    lines += [" ".join(lines[9].split(",")[0].split()[1:7]) + ",a,", " ,a,", "a text without a label,,", "lonely,z,p1"]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    return read(tmp_path / "rows.csv", columns=hs.Columns(group="patient"))


def in_columns(dataset: Dataset) -> Dataset:
    where = list(dataset.where)
    return replace(
        dataset,
        inputs=Strings.of(dataset.inputs),
        targets=Coded.of(dataset.targets),
        where=Lazy(where.__getitem__, range(len(where))),
        named_groups=None if dataset.named_groups is None else Coded.of(dataset.named_groups),
        parts=None if dataset.parts is None else Coded.of(dataset.parts),
    )


@pytest.mark.parametrize("parts", [False, True])
def test_a_data_set_in_columns_is_checked_and_split_as_one_in_lists(tmp_path, parts):
    dataset = rows_of_all_sorts(tmp_path)
    if parts:
        dataset = replace(dataset, parts=["test" if row % 7 == 6 else "train" for row in range(len(dataset))])
    one, other = check(dataset), check(in_columns(dataset))
    assert one.findings == other.findings
    kinds = {
        "duplicate",
        "near-duplicate",
        "conflicting-labels",
        "excerpt",
        "blank-text",
        "missing-label",
        "tiny-class",
    }
    assert {finding.kind for finding in one.findings} == kinds
    assert (one.notes, one.cautions, one.classes) == (other.notes, other.cautions, other.classes)
    for name in ("y", "groups", "digests", "sketches", "alike"):
        assert (getattr(one, name) == getattr(other, name)).all()
    split_one, split_other = split(one), split(other)
    assert (split_one.test == split_other.test).all()
    assert split_one.findings == split_other.findings
    assert split_one.cautions == split_other.cautions
    assert bool(split_one.findings) == parts


def test_labels_in_columns_are_parsed_once_each_and_refused_where_they_stand():
    task = next(task for task in TASKS if task.name == "classification")
    cells = ["x ", ("y",), "x", None, ("y",), "z"]
    examples = Examples("text", "t", ["a"] * 6, Coded.of(cells), Lazy("row {}".format, range(1, 7)))
    assert list(task.parse(examples)[0]) == [as_class(cell) for cell in cells]
    with pytest.raises(DataError, match="row 3"):
        task.parse(replace(examples, targets=Coded.of(["x", "y", ("a", "b"), "x", ("c", "d"), "y"])))


def test_joined_sequences_are_one():
    parts = [(1, 2), [], Lazy(lambda number: number * 10, range(3)), (7,)]
    joined = Joined(parts)
    assert joined == [1, 2, 0, 10, 20, 7]
    assert joined != [1, 2, 0, 10, 20, 8]
    assert joined != [1, 2]
    assert [joined[at] for at in range(-6, 6)] == [1, 2, 0, 10, 20, 7] * 2
    assert joined[1:4] == (2, 0, 10)
    assert not Joined([])
    with pytest.raises(IndexError):
        joined[6]


def test_a_record_lists_the_first_of_very_many_findings_and_says_where_all_are():
    found = [Finding("duplicate", f"row {n}", "") for n in range(5)]
    found += [Finding("blank-text", f"row {n}", "", rejected=True) for n in range(4)]
    kept, notes = listed(found, most=3)
    assert [finding.where for finding in kept] == ["row 0", "row 1", "row 2"] * 2
    assert [note.split(";")[0] for note in notes] == [
        "of 5 findings of the kind 'duplicate' the first 3 are listed",
        "of 4 findings of the kind 'blank-text' the first 3 are listed",
    ]
    assert "headstart check" in notes[0]
    assert "rejected.csv" in notes[1]
    assert listed(found) == (tuple(found), ())
