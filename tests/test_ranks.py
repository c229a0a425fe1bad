"""Processes that share out the batches of a run come to the weights of one process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from headstart.adapt.loop import Recipe, Tuning
from headstart.adapt.ranks import PARALLEL, Ranks, most_ranks

N, WIDE = 35, 12


@dataclass(frozen=True)
class InParts:
    """Examples of which no more than four go through a network at once, as long texts do."""

    x: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: np.ndarray) -> InParts:
        return replace(self, x=self.x[rows])

    def batches(self, size: int, *, epoch: int, seed: int) -> list[np.ndarray]:
        order = np.random.default_rng([seed, epoch]).permutation(len(self))
        return [order[at : at + size] for at in range(0, len(order), size)]

    def parts(self, batch: np.ndarray, *, epoch: int) -> Iterator[tuple[np.ndarray, tuple[torch.Tensor, ...]]]:
        for at in range(0, len(batch), 4):
            yield batch[at : at + 4], (torch.from_numpy(self.x[batch[at : at + 4]]),)


class Small(nn.Module):
    """Its pooler is trained as far as anybody knows, but nothing comes through it."""

    def __init__(self) -> None:
        super().__init__()
        self.below, self.above, self.pooler = nn.Linear(WIDE, 16), nn.Linear(16, 2), nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.above(self.below(x).tanh())


def tuning() -> Tuning:
    """Of 17 examples a batch: two processes have nine and eight, in three parts and in two; and one in the last."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(N, WIDE)).astype(np.float32), torch.from_numpy(rng.integers(2, size=N))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Small()

    def loss(outputs: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs, y[rows], reduction="none")

    groups = [[*network.below.parameters(), *network.pooler.parameters()], list(network.above.parameters())]
    return Tuning(network, groups, InParts(x), loss, Recipe(depth=1, rate=1e-2, steps=20, batch=17))


def one_of(rank: int, world: int, folder: str) -> None:
    """A process that leaves what its steps said and its weights."""
    torch.distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=world)
    run = tuning()
    run.share(Ranks(rank, world, network=nn.parallel.DistributedDataParallel(run.network, **PARALLEL)))
    losses = [step.loss for step in run]
    torch.save((losses, run.network.state_dict()), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("world", [2, 3])
def test_a_run_that_is_shared_out_is_the_run_of_one(world: int, tmp_path: Path) -> None:
    torch.multiprocessing.spawn(one_of, (world, str(tmp_path)), nprocs=world)
    alone = tuning()
    losses = [step.loss for step in alone]
    told = [torch.load(tmp_path / f"{rank}.pt") for rank in range(world)]
    for theirs, weights in told:
        assert theirs == pytest.approx(losses, rel=1e-4)
        for name, tensor in alone.network.state_dict().items():
            torch.testing.assert_close(weights[name], tensor, rtol=1e-4, atol=1e-6)
            assert torch.equal(weights[name], told[0][1][name])


def test_nobody_is_without_an_example() -> None:
    batch = np.arange(3)
    ranks = [Ranks(rank, 4) for rank in range(4)]
    assert [rank.own(batch).tolist() for rank in ranks] == [[0], [1], [2], [0]]
    assert [rank.weight(3) for rank in ranks] == [4, 4, 4, 0]


@given(st.integers(1, 6), st.lists(st.integers(0, 5), min_size=1, max_size=60), st.booleans())
def test_every_example_has_one_process_and_all_have_about_as_many(world: int, of: list[int], packed: bool) -> None:
    batch = np.random.default_rng(len(of)).permutation(len(of))
    blocks = np.array(of) if packed else None
    ranks = [Ranks(rank, world) for rank in range(world)]
    shares = [rank.own(batch, blocks) for rank in ranks if rank.weight(len(batch))]
    assert sorted(np.concatenate(shares).tolist()) == list(range(len(of)))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    if packed:  # a block is shared by neighbours, of which the one ends and the other begins with it
        assert sum(len({of[row] for row in share}) for share in shares) <= len({*of}) + len(shares) - 1


def test_where_examples_are_mixed_a_share_has_others_to_mix_with() -> None:
    most = most_ranks(32, mixed=True)
    assert [len(Ranks(rank, most).own(np.arange(32))) for rank in range(most)] == [4] * 8
    assert most_ranks(32, mixed=False) == 32
    assert most_ranks(3, mixed=True) == 1
