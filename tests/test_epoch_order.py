"""In which order training has its examples: as any, but where a photo comes with its whole group of a Parquet file."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headstart.adapt.batches import Pixels
from headstart.adapt.epoch_order import Blocks, blocks_of, epoch_order
from headstart.adapt.loop import Recipe, Tuning
from headstart.adapt.ranks import Ranks
from headstart.backbone import ImagePreparation
from headstart.data.files import parquet_photos
from headstart.inputs.augment import Views
from reading import read
from tars import CLASSES, files_in, hub, hub_table, shards

PHOTOS, GROUP = 1200, 100
FILLED = 185_000  # bytes of a photo: so many of them are more than a window holds


@pytest.fixture(scope="session")
def large(textile, tmp_path_factory) -> Path:
    """A Parquet file whose photos are more together than what is kept unpacked; each is another, filled up."""
    path = tmp_path_factory.mktemp("large") / "photos.parquet"
    files = [file for name in CLASSES for file in sorted((textile / name).glob("*.jpg"))[: PHOTOS // len(CLASSES) // 2]]
    cells = [
        {"bytes": file.read_bytes().ljust(FILLED - again, b"\0"), "path": None} for again in (0, 1) for file in files
    ]
    labels = [CLASSES.index(file.parent.name) for file in files] * 2
    mixed = np.random.default_rng(0).permutation(len(cells)).tolist()
    table = hub_table(files[:1])
    whole = {"image": [cells[row] for row in mixed], "label": [labels[row] for row in mixed]}
    table = type(table).from_pydict(whole, schema=table.schema)
    pq.write_table(table, path, row_group_size=GROUP, compression="zstd", use_dictionary=False)
    return path


@pytest.fixture
def unpacked(monkeypatch) -> list[int]:
    """The groups that pyarrow unpacks, one after the other."""
    groups: list[int] = []
    plain = pq.ParquetFile.iter_batches

    def counting(file, *given, **options):
        groups.extend(options.get("row_groups") or ())  # which the table's other columns are read without
        return plain(file, *given, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counting)
    return groups


def fed(inputs) -> Pixels:
    """As training is fed; the digests are of no use here."""
    preparation = ImagePreparation((32, 32), 1.0, "bicubic", (0.5,) * 3, (0.5,) * 3)
    return Pixels(inputs, np.zeros((len(inputs), 32), np.uint8), preparation, Views(1))


def test_an_epoch_unpacks_each_group_about_once(large, unpacked):
    feed = fed(read(large).inputs)
    assert len(feed) == PHOTOS
    orders = []
    for epoch in range(2):
        before = len(unpacked)
        batches = feed.batches(32, epoch=epoch, seed=3)
        for row in np.concatenate(batches).tolist():
            feed.inputs[row].read()
        assert len(unpacked) - before <= PHOTOS // GROUP + 2
        assert np.mean([len(np.unique(batch // GROUP)) for batch in batches]) > 4  # and yet a batch is of many groups
        orders.append(np.concatenate(batches))
        assert sorted(orders[-1].tolist()) == list(range(PHOTOS))
        again = fed(read(large).inputs).batches(32, epoch=epoch, seed=3)  # as a process has it that goes on
        assert np.array_equal(np.concatenate(again), orders[-1])
    assert (orders[0] != orders[1]).mean() > 0.9


def test_processes_that_share_an_epoch_out_unpack_few_groups_each():
    """Of sixty groups, for each of which there is a twentieth of the room."""
    of = np.repeat(np.arange(60), 60)
    order = epoch_order(len(of), Blocks(of, np.full(60, 0.05)), seed=0, epoch=0)
    batches = [order[at : at + 64] for at in range(0, len(order), 64)]
    unpacked = 0
    for rank in range(4):
        kept: list[int] = []
        for batch in batches:
            for group in of[Ranks(rank, 4).own(batch, of)].tolist():
                unpacked += group not in kept
                kept = [*(other for other in kept if other != group), group][-20:]
    assert unpacked < 2 * 60  # not four times, as where each has some of all


def test_training_on_some_of_the_photos_is_as_local(large, unpacked):
    some = np.arange(0, PHOTOS, 3)
    feed = fed(read(large).inputs).take(some)
    for row in np.concatenate(feed.batches(16, epoch=0, seed=0)).tolist():
        feed.inputs[row].read()
    assert len(unpacked) <= PHOTOS // GROUP + 2


def test_what_is_read_by_itself_or_kept_as_a_whole_is_shuffled_as_a_whole(photos, tmp_path):
    there = files_in(photos)
    in_a_tar = shards(tmp_path / "wds", there, "a-0.tar")
    for one in (photos, in_a_tar, hub(tmp_path / "hub", there, "a-00000-of-00001.parquet")):
        feed = fed(read(one).inputs)
        for epoch in range(2):
            order = np.concatenate(feed.batches(16, epoch=epoch, seed=5))
            assert np.array_equal(order, np.random.default_rng([5, epoch]).permutation(len(there)))


@given(
    st.lists(st.floats(0.001, 0.4), min_size=1, max_size=20),
    st.lists(st.integers(0, 19), min_size=1, max_size=60),
    st.integers(0, 99),
)
def test_every_example_once_and_no_group_in_more_than_one_window(shares, of, epoch):
    blocks = Blocks(np.array(of, dtype=np.int32) % len(shares), np.array(shares))
    order = epoch_order(len(of), blocks, seed=0, epoch=epoch)
    assert sorted(order.tolist()) == list(range(len(of)))
    seen = blocks.of[order]
    spans = {block: (np.flatnonzero(seen == block)[[0, -1]] + (0, 1)).tolist() for block in np.unique(seen).tolist()}
    for first, last in spans.values():  # what is kept at the same time has room together, with a group to spare
        together = sum(shares[other] for other, (a, b) in spans.items() if first <= a < last)
        assert together <= 0.75 + 2 * max(shares) + 1e-9


def test_photos_in_files_among_photos_in_groups(large, photos):
    inputs = [*list(read(large).inputs), *files_in(photos)]
    blocks = blocks_of(inputs)
    order = epoch_order(len(inputs), blocks, seed=0, epoch=0)
    assert sorted(order.tolist()) == list(range(len(inputs)))
    assert blocks.shares[blocks.of[PHOTOS:]].tolist() == [0.0] * (len(inputs) - PHOTOS)
    assert len(set(blocks.of[PHOTOS:].tolist())) == len(inputs) - PHOTOS


@pytest.mark.skipif(sys.platform != "linux", reason="open files are looked at")
def test_groups_on_disk_are_no_more_than_have_room(photos, tmp_path, monkeypatch):
    """Each is a file without a name."""
    monkeypatch.setattr(parquet_photos, "_A_GROUP", 2**16)
    monkeypatch.setattr(parquet_photos, "_WRITTEN", 2**18)
    there = files_in(photos)
    hub(tmp_path / "hub", there, "a-00000-of-00001.parquet", group=4)
    found = read(tmp_path / "hub").inputs
    before = nameless()
    for row in range(len(found)):
        assert found[row].read() == there[row].read_bytes()
    assert 0 < nameless() - before <= 2**18 // sum(file.stat().st_size for file in there[:4]) + 1
    assert found[0].read() == there[0].read_bytes()  # unpacked once more


def nameless() -> int:
    """How many open files have no name any more."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").endswith("(deleted)")
        except OSError:  # the one that lists them
            continue
    return found


def test_training_on_parquet_that_goes_on_ends_in_the_same_bytes(large):
    """From the state that a killed run has left, in the middle of an epoch, into the next one."""
    found = read(large)
    digests = b"".join(hashlib.sha256(photo.read()).digest() for photo in found.inputs)
    feed = replace(fed(found.inputs), digests=np.frombuffer(digests, np.uint8).reshape(-1, 32))
    y = torch.tensor([CLASSES.index(target) for target in found.targets])

    def begun() -> Tuning:
        torch.manual_seed(0)
        below, head = torch.nn.Conv2d(3, 8, 5, stride=4), torch.nn.Linear(8, len(CLASSES))
        pooled = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
        groups = [list(below.parameters()), list(head.parameters())]
        loss = lambda outputs, rows, _: torch.nn.functional.cross_entropy(outputs, y[rows], reduction="none")  # noqa: E731
        network = torch.nn.Sequential(below, pooled, head)
        return Tuning(network, groups, feed, loss, Recipe(depth=2, rate=1e-2, steps=7, batch=256))

    calm = begun()
    left = [{k: v.clone() for k, v in calm.state().items()} for step in calm if step.number == 3]  # as one is written
    again = begun()
    again.restore(left[0])
    assert [step.number for step in again] == [4, 5, 6, 7]  # an epoch has five
    states = calm.state(), again.state()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["0.weight"], left[0]["0.weight"])
