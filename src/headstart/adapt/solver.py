"""Logistic regression with an L2 penalty, many problems on one matrix at a time. Arrays in, weights out.

Of one class among several (multinomial), or of any number of labels (a binary regression each, sharing the penalty).

Cross-validation fits the same features again and again, with other rows left out. Here the folds are rows of one
problem: a fold is a row of example weights (0 for what is held out), the logits of all folds are one matrix product,
and the held-out logits fall out of it. The features are gone through in slices, so they may lie on disk.

The method is L-BFGS (Liu and Nocedal 1989). Its first approximation of the Hessian is one Kronecker product, the mean
covariance of the class probabilities and that of the features (as K-FAC approximates a layer: Martens and Grosse 2015),
which is cheap to invert in the eigenbasis of the two. Along the penalties, which differ by a constant factor, each
problem starts where a straight line through its last two solutions points, and it keeps what L-BFGS learned about the
Hessian: another penalty changes it by a known multiple of the identity.

The labels of one problem step together, although none depends on another: on 5,000 texts with 28 labels an L-BFGS for
each label took more passes, since a step that one label has to shorten is a pass for all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np

from headstart.adapt.basis import Basis
from headstart.adapt.losses import Live, Loss, Sigmoid, Softmax
from headstart.backbone import Matrix
from headstart.clock import UNLIMITED, Budget

_MOST_PAIRS, _FEWEST_PAIRS = 12, 5
_PAIR_CELLS = 2**26  # float32 in all pairs together: 256 MB
_LOGITS = 400_000  # computed at a time: they stay in the processor's cache
_ARMIJO = 1e-4
_LOOK_BACK = 5  # passes over which progress is judged; the gap to the optimum is about three times that progress
_TINY = 1e-30
_MOST_PASSES, _FEWEST_PASSES = 400, 6  # over x, for each penalty; and where there is no time

Pairs = list[tuple[np.ndarray, np.ndarray]]  # (step, change of gradient), oldest first


@dataclass(frozen=True)
class Solution:
    """All problems at one penalty."""

    penalty: float
    at: np.ndarray  # (k, c, r + 1) float32: weights on the transformed features, the bias last
    objective: np.ndarray  # (k,) mean weighted log loss (labels: their sum) + penalty / 2 * |weights|^2
    passes: int  # times the features were gone through
    pairs: Pairs

    def mean(self) -> Solution:
        """One problem in the middle of all: where to start when the folds become the whole."""
        first = [(step[:1], change[:1]) for step, change in self.pairs]
        return Solution(self.penalty, self.at.mean(axis=0, keepdims=True), self.objective[:1], 0, first)


def solve_path(
    x: Matrix,
    y: np.ndarray,
    *,
    example_weights: np.ndarray,
    basis: Basis,
    n_classes: int,
    penalties: Sequence[float],
    tolerance: float = 2e-5,
    within: Budget = UNLIMITED,
    start: Solution | None = None,
) -> Iterator[Solution]:
    """Minimise mean_i w_i log loss_i + penalty / 2 |W|^2 (bias free), for each row of weights, penalty by penalty.

    Args:
        x: (n, r + 1), from `basis.transform`.
        y: (n,) class indices; or (n, c) of 0 and 1: any number of labels, whose losses are added.
        example_weights: (k, n) float32; a row a problem, 0 for examples that are held out.
        basis: that x was transformed into.
        n_classes: c, how many classes or labels.
        penalties: strong to weak, so that each solution is a good start for the next.
        tolerance: stop when five passes lower every objective by less than this share of it.
        within: after which each penalty gets a few passes more, and is as good as it is then.
        start: a solution of the same or similar problems.

    Yields:
        One Solution a penalty, when it is found: the caller may stop where weaker penalties stop helping.
    """
    problem = _Problem(x, y, example_weights, basis.variance, n_classes)
    last, before = start, None
    for penalty in penalties:
        at = problem.start() if last is None else last.at
        if last is not None and before is not None:
            at = 2 * at - before.at
        pairs = [] if last is None else _for_other_penalty(last.pairs, penalty - last.penalty, problem.ridge)
        solution = _lbfgs(problem, at, pairs, penalty, tolerance, within)
        before = last if last is not start else None
        last = solution
        yield solution


class _Problem:
    """Objective and gradient of all problems in one pass over the features."""

    def __init__(self, x: Matrix, y: np.ndarray, weights: np.ndarray, variance: np.ndarray, n_classes: int) -> None:
        self.x = x
        self.w = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)  # (k, n), rows sum to 1
        self.loss: Loss = Softmax(y, self.w, n_classes) if y.ndim == 1 else Sigmoid(y, self.w)
        self.variance = np.append(variance, 1).astype(np.float32)  # of the column of ones: its mean square
        self.ridge = np.append(np.ones_like(variance), 0).astype(np.float32)  # which columns are penalised
        self.shape = (len(weights), n_classes, x.shape[1])
        self.edges = self._edges(max(256, _LOGITS // (len(weights) * n_classes)))
        self.most_pairs = int(np.clip(_PAIR_CELLS // (2 * prod(self.shape)), _FEWEST_PAIRS, _MOST_PAIRS))

    def _edges(self, longest: int) -> list[int]:
        """Where slices begin and end: at most `longest` rows, and none across a fold's end where folds lie together."""
        counted = self.w > 0
        changes = 1 + np.flatnonzero((counted[:, 1:] != counted[:, :-1]).any(axis=0))
        fixed = [0, *(changes.tolist() if len(changes) < len(self.w) + 1 else ()), self.w.shape[1]]
        return [*(b for first, last in pairwise(fixed) for b in range(first, last, longest)), self.w.shape[1]]

    def start(self) -> np.ndarray:
        """(k, c, r + 1): no weights, and the bias that is best without features."""
        at = np.zeros(self.shape, dtype=np.float32)
        at[:, :, -1] = self.loss.start()
        return at

    def value(self, at: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """(k, c, r + 1) -> objective (k,) and gradient like `at`."""
        gradient, loss = np.zeros_like(at), np.zeros(len(at))
        for x, rows, live in self._parts():
            losses, residuals = self.loss.residuals(at[live], x, rows, live)
            loss[live] += losses
            gradient[live] += (residuals.reshape(-1, len(x)) @ x).reshape(len(residuals), *at.shape[1:])
        ridge = penalty * self.ridge * at
        return loss + 0.5 * _dot(ridge, at), gradient + ridge

    def curvature(self, at: np.ndarray, penalty: float) -> _Curvature:
        """The Hessian at `at` as one Kronecker product: between outputs, and between features (diagonal here)."""
        size, rotation = self.loss.curvature(at, self._parts())
        diagonal = size[:, :, None] * self.variance + penalty * self.ridge
        return _Curvature(rotation, np.maximum(diagonal, 1e-8))

    def _parts(self) -> Iterator[tuple[np.ndarray, slice, Live]]:
        """Slices of the features, which rows they are, and the problems that any of these rows counts in."""
        for begin, end in pairwise(self.edges):
            live = np.flatnonzero(self.w[:, begin:end].any(axis=1))
            rows = slice(begin, end)
            yield self.x[rows], rows, slice(None) if len(live) == len(self.w) else live


@dataclass(frozen=True)
class _Curvature:
    """An approximate Hessian, in its eigenbasis."""

    rotation: np.ndarray | None  # (k, c, c) between outputs; None: they do not depend on each other
    diagonal: np.ndarray  # (k, c, r + 1) float32

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        """Its inverse times `gradient`, (k, c, r + 1)."""
        if self.rotation is None:
            return gradient / self.diagonal
        return self.rotation @ ((self.rotation.transpose(0, 2, 1) @ gradient) / self.diagonal)


def _lbfgs(
    problem: _Problem, at: np.ndarray, pairs: Pairs, penalty: float, tolerance: float, within: Budget
) -> Solution:
    """All problems step together; each has its own step length, and stands still once it is done."""
    value, gradient = problem.value(at, penalty)
    curvature = problem.curvature(at, penalty)
    memory = deque(pairs, maxlen=problem.most_pairs)
    values = deque([value], maxlen=_LOOK_BACK + 1)
    passes, length = 2, np.ones(len(at), dtype=np.float32)
    direction = -_two_loops(gradient, memory, curvature)
    active = np.ones(len(at), dtype=bool)
    while active.any() and passes < (_MOST_PASSES if within.left > 0 else _FEWEST_PASSES):
        trial = at + _wide(length * active) * direction
        new_value, new_gradient = problem.value(trial, penalty)
        passes += 1
        accepted = new_value <= value + _ARMIJO * length * _dot(gradient, direction) + 1e-7 * np.abs(value)
        if not accepted[active].all() and length[active & ~accepted].min(initial=1) > 1e-4:
            length = np.where(accepted, length, 0.4 * length).astype(np.float32)
            continue
        active &= accepted
        moved = active[:, None, None]
        memory.append((np.where(moved, trial - at, 0), np.where(moved, new_gradient - gradient, 0)))
        at, gradient = np.where(moved, trial, at), np.where(moved, new_gradient, gradient)
        value = np.where(active, new_value, value)
        values.append(value)
        if len(values) > _LOOK_BACK:
            active &= values[0] - value > tolerance * value
        direction, length = -_two_loops(gradient, memory, curvature), np.ones_like(length)
    return Solution(penalty, at, value, passes, list(memory))


def _two_loops(gradient: np.ndarray, pairs: deque[tuple[np.ndarray, np.ndarray]], curvature: _Curvature) -> np.ndarray:
    """The L-BFGS product of inverse Hessian and gradient, problem by problem (Nocedal and Wright, algorithm 7.4)."""
    q = gradient.copy()
    kept = []
    for step, change in reversed(pairs):
        along = _dot(step, change)
        rho = np.where(along > 1e-12, 1 / np.maximum(along, 1e-12), 0)
        alpha = rho * _dot(step, q)
        q -= _wide(alpha) * change
        kept.append((step, change, rho, alpha))
    q = curvature.solve(q)
    if pairs:  # the curvature has the right shape; the newest pair says how large it is (Shanno and Phua 1978)
        step, change = pairs[-1]
        along, size = _dot(step, change), _dot(change, curvature.solve(change))
        q *= _wide(np.where((along > 0) & (size > 0), along / np.maximum(size, _TINY), 1))
    for step, change, rho, alpha in reversed(kept):
        q += _wide(alpha - rho * _dot(change, q)) * step
    return q


def _for_other_penalty(pairs: Pairs, difference: float, ridge: np.ndarray) -> Pairs:
    """The same steps under a Hessian that has `difference` more on its penalised diagonal."""
    return [(step, change + difference * ridge * step) for step, change in pairs]


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(k,) float64 inner products, problem by problem."""
    return np.vecdot(a.reshape(len(a), -1), b.reshape(len(b), -1)).astype(np.float64)


def _wide(values: np.ndarray) -> np.ndarray:
    return values[:, None, None].astype(np.float32)
