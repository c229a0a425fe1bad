"""The order in which an epoch has its examples: a function of the seed and the epoch's number, and of where they lie.

A photo of a Parquet file comes with its whole group of rows, so photos in any order would have a group unpacked for
each. There the groups are shuffled, and then the photos within a window of as many groups as are kept unpacked: each is
unpacked about once an epoch. A window holds 192 MB of photos, so a thousand or more of them (6 GB where they are above
187 kB, for then they are kept on disk), of groups that are others in each epoch. What fits into one window, and what
is read by itself (a file, a member of a tar), is shuffled as a whole.

Sources: Xu et al., Stochastic Gradient Descent without Full Data Shuffle (CorgiPile), VLDB 2022, where a window of a
fiftieth of the data learns as a full shuffle does; shards and a buffer are shuffled so by WebDataset, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.inputs.packed import block_of
from headstart.storage.columns import Coded

_WINDOW = 0.75  # of the room for blocks that are kept; the rest is for the next window's first ones


@dataclass(frozen=True)
class Blocks:
    """What examples lie in, and are unpacked with."""

    of: np.ndarray  # (n,) int32, which block each is in
    shares: np.ndarray  # (blocks,) of the room for blocks that are kept, that each takes


def blocks_of(inputs: Iterable[Any]) -> Blocks | None:
    """The blocks of these inputs; None: they are as quickly read in any order."""
    found = Coded.of(map(block_of, inputs))
    blocks = [block for block in found.values if block is not None]
    if sum(block.share for block in blocks) <= _WINDOW:
        return None
    code = np.cumsum([block is not None for block in found.values], dtype=np.int32) - 1
    of = code[found.codes]
    if None in found.values:  # each a block by itself, which takes nothing
        alone = found.codes == found.values.index(None)
        of[alone] = len(blocks) + np.arange(alone.sum(), dtype=np.int32)
    return Blocks(of, np.array([block.share for block in blocks] + [0.0] * (int(of.max()) + 1 - len(blocks))))


def epoch_order(n: int, blocks: Blocks | None, *, seed: int, epoch: int) -> np.ndarray:
    """(n,) int64: the numbers of all examples, as the epoch has them one after the other."""
    rng = np.random.default_rng([seed, epoch])
    shuffled = rng.permutation(n)
    if blocks is None:
        return shuffled
    order = rng.permutation(len(blocks.shares))
    middle = np.cumsum(blocks.shares[order]) - blocks.shares[order] / 2
    windows = math.ceil(blocks.shares.sum() / _WINDOW)
    window = np.empty(len(order), dtype=np.int64)
    window[order] = middle * windows / blocks.shares.sum()
    return shuffled[np.argsort(window[blocks.of[shuffled]], kind="stable")]
