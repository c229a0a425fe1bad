"""Claim: an epoch of photos in Parquet unpacks each group of rows about once, and not for every photo.

    python bench/epoch_reads.py [--photos 10000] [--group 1000] [--size 40000] [--batch 32] [--part 0.1]

Fine-tuning from the first layer on opens photos anew in each epoch, in another order. A Parquet file gives a photo only
with its whole group of rows. The photos here are made from packaged ones and filled up to so many bytes; together they
are more than what is kept unpacked. They are read in batches in the order that training has, and in one that is drawn
from all of them, as it was before: of that a part of the epoch, since it takes long. What is counted is what pyarrow
unpacks.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from common import arguments, asked, read
from made_photos import table

from headstart.adapt.epoch_order import Blocks, blocks_of, epoch_order


@dataclass
class Unpacked:
    """What pyarrow has unpacked."""

    groups: int = 0
    bytes: int = 0


@contextmanager
def counted() -> Iterator[Unpacked]:
    """Counts while the block runs."""
    unpacked, batches = Unpacked(), pq.ParquetFile.iter_batches

    def counting(file: Any, *given: Any, **options: Any) -> Iterator[Any]:
        unpacked.groups += len(options.get("row_groups") or ())
        for batch in batches(file, *given, **options):
            unpacked.bytes += batch.nbytes
            yield batch

    pq.ParquetFile.iter_batches = counting
    try:
        yield unpacked
    finally:
        pq.ParquetFile.iter_batches = batches


def epoch(inputs: Any, order: np.ndarray) -> tuple[Unpacked, float]:
    """What one epoch unpacks, and seconds."""
    begun = time.perf_counter()
    with counted() as unpacked:
        for row in order.tolist():
            inputs[row].read()
    return unpacked, time.perf_counter() - begun


def spread(order: np.ndarray, group: int, batch: int) -> float:
    """Of how many groups the photos of a batch are, in the mean."""
    return float(np.mean([len(np.unique(order[at : at + batch] // group)) for at in range(0, len(order), batch)]))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--group", type=int, default=1000)
    parser.add_argument("--size", type=int, default=40_000, help="bytes of a photo")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--part", type=float, default=0.1, help="of the epoch, in the order of before")
    small = ["--photos", 2400, "--group", 100, "--size", 180_000, "--part", 0.05]
    with asked(parser, lambda work: small) as options, tempfile.TemporaryDirectory() as folder:
        n, group = options.photos, options.group
        inputs = read(table(Path(folder) / "photos.parquet", n, group=group, size=options.size)).inputs
        blocks = blocks_of(inputs)
        print(f"{n:,} photos of {options.size:,} bytes in {-(-n // group):,} groups, {n * options.size / 1e6:,.0f} MB")

        def told(name: str, blocks: Blocks | None, part: float) -> None:
            order = epoch_order(n, blocks, seed=0, epoch=1)[: round(part * n)]
            unpacked, seconds = epoch(inputs, order)
            print(
                f"{name}: {unpacked.groups / part:,.0f} groups and {unpacked.bytes / part / 1e6:,.0f} MB unpacked an "
                f"epoch, {seconds / part:.1f} s{'' if part == 1 else f' (projected from {part:.0%} of it)'}; "
                f"a batch of {options.batch} is of {spread(order, group, options.batch):.1f} groups",
                flush=True,
            )

        told("in windows of groups", blocks, 1.0)
        told("from all photos", None, options.part)


if __name__ == "__main__":
    main()
