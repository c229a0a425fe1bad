"""The search for a penalty that heads with an iterative solver share: each is judged by the folds it left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

import numpy as np

from headstart.adapt.basis import Basis, Unwritten
from headstart.adapt.policy import MANY
from headstart.adapt.solver import Solution, solve_path
from headstart.backbone import Head, Matrix
from headstart.clock import UNLIMITED, Budget
from headstart.storage.matrix import blocks, take

_MANY = 2000  # examples from which the strongest penalties hardly ever win, and are tried only where it looks so
_CLEAR_RISE = 1.01  # held-out log loss over the best so far that ends the search at once
_SEARCH_TOLERANCE = 1e-2  # enough to rank penalties: held-out log loss within 0.1 % of the optimum's
_SEARCH_TOLERANCE_OF_MANY = 1e-3  # of what is left to gain, not of the progress of five passes
_TOLERANCE = 2e-6  # of the head itself: probabilities within 0.001 of the optimum, whatever the processor
IN_ALL = -1  # the fold of rows that every head learns from, and none is judged by: names of classes, guessed labels


def unjudged(fold: np.ndarray) -> np.ndarray:
    """The folds of rows that are left out with these, and judged by none: crops of an example. Its own inverse."""
    return -fold - 2


class Tried(Protocol):
    """One penalty, measured on each example by the fold that did not see it."""

    @property
    def solution(self) -> Solution: ...

    @property
    def log_loss(self) -> float: ...

    @property
    def cost(self) -> float:
        """What is chosen by."""
        ...

    def row(self) -> dict[str, float]:
        """As `Head.cross_validation` has it."""
        ...


T = TypeVar("T", bound=Tried)
Attempt = Callable[[Sequence[float], Solution | None], Iterator[T]]  # penalties, and where to start -> one by one


def best_penalty(
    attempt: Attempt[T], *, penalties: Sequence[float], strongest_for_many: float, n: int, to_the_end: bool
) -> tuple[T, list[dict[str, float]]]:
    """The best penalty, and a row a penalty that was tried, strong to weak: on until the held-out log loss has clearly
    risen, or risen twice. Where the strongest that many examples begin with is the best, stronger ones are tried too.

    Args:
        penalties: strong to weak. n: examples.
        to_the_end: whether all of them are tried, for costs that may rise by chance and fall again.
    """
    strongest = penalties[0] if n < _MANY else strongest_for_many
    trials = attempt([p for p in penalties if p <= strongest], None)
    best = last = next(trials)
    rows, rises = [best.row()], 0
    for trial in trials:
        rows.append(trial.row())
        rises = rises + 1 if trial.log_loss > last.log_loss else 0
        if not to_the_end and (trial.log_loss > _CLEAR_RISE * best.log_loss or rises == 2):
            break
        best, last = min(best, trial, key=lambda t: t.cost), trial
    stronger = [p for p in reversed(penalties) if p > strongest]
    if best.solution.penalty == strongest and stronger:
        for trial in attempt(stronger, best.solution):
            rows.insert(0, trial.row())
            if trial.cost <= best.cost:
                best = trial
            elif not to_the_end:
                break
    return best, rows


def held_out_path(
    x: Matrix,
    y: np.ndarray,
    fold: np.ndarray,
    *,
    basis: Basis,
    n_outputs: int,
    weights: np.ndarray,
    penalties: Sequence[float],
    start: Solution | None,
    within: Budget = UNLIMITED,
) -> Iterator[tuple[Solution, np.ndarray]]:
    """Penalty after penalty: the folds' solutions, and (m, c) logits of each example from the one that left it out.

    Args:
        x, y: as for `solve_path`. fold: (n,), of m examples from 0 up; of others `IN_ALL`, or `unjudged`.
        weights: (n,) how much each example counts.
        within: after which no further penalty is tried.
    """
    numbers, left_out = np.unique(fold[fold >= 0]), np.maximum(fold, unjudged(fold))
    judged = np.flatnonzero(fold >= 0)
    asked, number = _rows_of(x, judged), np.searchsorted(numbers, fold[judged])
    for solution in solve_path(
        x,
        y,
        example_weights=np.stack([left_out != k for k in numbers]).astype(np.float32) * weights,
        basis=basis,
        n_classes=n_outputs,
        penalties=penalties,
        tolerance=_SEARCH_TOLERANCE_OF_MANY if len(x) > MANY.rows else _SEARCH_TOLERANCE,
        start=start,
        within=within,
    ):
        yield solution, _held_out_logits(asked, number, solution)
        if within.left <= 0:
            return


def solved(
    x: Matrix,
    y: np.ndarray,
    *,
    basis: Basis,
    n_outputs: int,
    weights: np.ndarray,
    penalty: float,
    start: Solution | None = None,
    within: Budget = UNLIMITED,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (c, d) and biases (c,) on raw features, float64, from all examples, to the end."""
    path = solve_path(
        x,
        y,
        example_weights=weights[None],
        basis=basis,
        n_classes=n_outputs,
        penalties=[penalty],
        tolerance=_TOLERANCE,
        start=start,
        within=within,
    )
    return basis.fold_in(next(path).at[0])


def of_parts(
    x: Matrix, y: np.ndarray, *, basis: Basis, like: Head, counted: np.ndarray, asked: Matrix
) -> Iterator[np.ndarray]:
    """(m, c) float32 outputs of `asked`, of a head for each row of `counted`, at the settings of `like`; all heads are
    solved at once, as closely as held-out ones.

    Args:
        x, y: as for `solve_path`. counted: (k, n) float32, how much each example counts in each part.
        asked: (m, d) raw features.
    """
    solution = next(
        solve_path(
            x,
            y,
            example_weights=counted,
            basis=basis,
            n_classes=len(like.classes),
            penalties=[like.penalty],
            tolerance=_SEARCH_TOLERANCE,
        )
    )
    others = basis.transform(asked)
    for at in solution.at:
        outputs = np.empty((len(others), len(at)), dtype=np.float32)
        for rows, block in blocks(others):
            outputs[rows] = block @ (at.T / np.float32(like.temperature))
        yield outputs


def relearned(like: Head, weight: np.ndarray, bias: np.ndarray, features_key: str) -> Head:
    """Another head's settings, its temperature among them, with weights and biases that were solved for these rows."""
    return replace(
        like,
        weight=(weight / like.temperature).astype(np.float32),
        bias=(bias / like.temperature).astype(np.float32),
        features_key=features_key,
        cross_validation=(),
    )


def by_fold(x: Matrix, fold: np.ndarray) -> tuple[Matrix, np.ndarray]:
    """The rows of each fold together, so that a problem skips the slices that it leaves out; and the order they are in.

    Rows on disk stay where they are.
    """
    if not isinstance(x, np.ndarray):
        return x, np.arange(len(fold))
    order = np.argsort(np.maximum(fold, unjudged(fold)), kind="stable")
    return x[order], order


def alike(n: int) -> np.ndarray:
    """(n,) float32 weights of examples that all count alike."""
    return np.ones(n, dtype=np.float32)


def _held_out_logits(x: Matrix, number: np.ndarray, solution: Solution) -> np.ndarray:
    """(m, c): each example's logits from the problem that left it out."""
    k, c, _ = solution.at.shape
    logits = np.empty((len(number), c), dtype=np.float32)
    for rows, block in blocks(x):
        for fold in range(k):
            mine = number[rows] == fold
            logits[rows][mine] = block[mine] @ solution.at[fold].T
    return logits


def _rows_of(x: Matrix, rows: np.ndarray) -> Matrix:
    """The given rows, ascending, of which there may be all."""
    if len(rows) == len(x):
        return x
    return x.take(rows) if isinstance(x, Unwritten) else take(x, rows)
