"""Steps whose gradient is taken at the worst point near by: as a plain loop does them, and what they lead to."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from headstart.adapt.tune import Recipe, Tuning, rates, schedule
from toy_task import Toy

N, BATCH = 192, 32


def tuned(toy: Toy, recipe: Recipe) -> Tuning:
    """A run of the toy task from its start, not begun."""
    body = toy.at(1)
    network, head = toy.network(body, toy.start(np.arange(N)))
    loss = lambda logits, rows, _: cross_entropy(logits, torch.from_numpy(toy.y)[rows], reduction="none")  # noqa: E731
    return Tuning(network, [*body.groups, head], body.plain.take(np.arange(N)), loss, recipe)


def loss_of(network, toy: Toy, rows) -> torch.Tensor:
    return cross_entropy(network(torch.from_numpy(toy.x[rows])), torch.from_numpy(toy.y[rows]))


def worst_near(network, toy: Toy, rows, away: float):
    """The same network with its weights so far uphill."""
    parameters = list(network.parameters())
    gradient = torch.autograd.grad(loss_of(network, toy, rows), parameters)
    norm = torch.cat([part.flatten() for part in gradient]).norm()
    for parameter, part in zip(parameters, gradient, strict=True):
        parameter.data += away * part / norm
    return network


def copied(network):
    """As it is now, in a network of its own."""
    other = torch.nn.Sequential(torch.nn.Linear(40, 64), torch.nn.Tanh(), torch.nn.Linear(64, 2))
    for mine, theirs in zip(other.parameters(), network.parameters(), strict=True):
        mine.data.copy_(theirs.data)
    return other


def test_it_equals_a_plain_loop():
    """Which way is up is told by every fourth example of a batch; 40 steps."""
    toy, recipe = Toy(N), Recipe(depth=1, rate=1e-2, steps=40, batch=BATCH, sharpness=0.3)
    tuning = tuned(toy, recipe)
    plain = copied(tuning.network)
    body, head = list(plain[0].parameters()), list(plain[2].parameters())
    optimizer = torch.optim.AdamW(rates([body, head], recipe.rate))
    for step in tuning:
        done = step.number - 1
        rows = tuning.feed.batches(BATCH, epoch=done // (N // BATCH), seed=0)[done % (N // BATCH)]
        at = worst_near(copied(plain), toy, rows[::4], recipe.sharpness)
        gradient = torch.autograd.grad(loss_of(at, toy, rows), list(at.parameters()))
        for parameter, part in zip(plain.parameters(), gradient, strict=True):
            parameter.grad = part
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = group["highest"] * schedule(done, recipe.steps)
        optimizer.step()
        for mine, theirs in zip(plain.parameters(), tuning.network.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


def test_it_learns_less_by_heart():
    """300 steps over 192 examples, a sixth of whose classes are chance: the others do better."""
    toy, rest = Toy(2000), np.arange(N, 2000)
    lost = []
    for sharpness in (0.0, 1.0):
        tuning = tuned(toy, Recipe(depth=1, rate=1e-2, steps=300, batch=BATCH, sharpness=sharpness))
        list(tuning)
        lost.append(float(loss_of(tuning.network, toy, rest).detach()))
    assert lost[1] < 0.8 * lost[0]
