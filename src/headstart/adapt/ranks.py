"""Processes that do each step of training together: every batch is shared out, and gradients are summed.

All of them have the same run in the same state, and end each step with the same weights.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from torch.nn.parallel import DistributedDataParallel

# Statistics of batch norms stay as they are, so there is nothing to broadcast. What no feature comes through, like a
# pooler, has no gradient on any of them.
PARALLEL: dict[str, Any] = {"broadcast_buffers": False, "find_unused_parameters": True}

_MIXED = 4  # examples of a share at least, where they are mixed: of two, every other permutation mixes none


@dataclass(frozen=True)
class Ranks:
    """The place of one process among them."""

    rank: int = 0
    world: int = 1
    device: str = "cpu"
    network: DistributedDataParallel | None = None  # what is trained, with gradients that are the mean over the ranks

    def own(self, batch: np.ndarray, blocks: np.ndarray | None = None) -> np.ndarray:
        """The share of this process in a batch; where there are fewer examples than processes, one that others have,
        so that nobody is waited for in vain.

        Args:
            blocks: in which block each example of the feed lies (`epoch_order.Blocks`): shares are then of few blocks,
                the same ones from batch to batch, so that few processes unpack each. None: all are read by themselves,
                and of a batch that is sorted by length everybody has long and short ones.
        """
        if blocks is None:
            mine = batch[self.rank :: self.world]
        else:
            mine = np.array_split(batch[np.argsort(blocks[batch], kind="stable")], self.world)[self.rank]
        return mine if len(mine) else batch[:1]

    def weight(self, count: int) -> float:
        """Of the losses of that share, for a mean of gradients that is the sum over a batch of so many."""
        return float(self.world) if self.rank < count else 0.0

    def summing(self, *, last: bool) -> AbstractContextManager[None]:
        """While a part of a batch is gone through: gradients are exchanged with the last one."""
        return nullcontext() if last or self.network is None else self.network.no_sync()

    def mean(self, value: float) -> float:
        """Over the processes."""
        if self.world == 1:
            return value
        held = torch.tensor(value, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(held)
        return float(held) / self.world

    def broadcast(self, number: int) -> int:
        """The number that the first of them has, to all."""
        if self.world == 1:
            return number
        held = torch.tensor(number, device=self.device)
        torch.distributed.broadcast(held, src=0)
        return int(held)


ALONE = Ranks()


def most_ranks(batch: int, *, mixed: bool) -> int:
    """How many processes a batch of so many examples can be shared out to.

    Args:
        mixed: whether examples are mixed with others of their share (mixup), so that it has to have some.
    """
    return max(1, batch // _MIXED) if mixed else batch
