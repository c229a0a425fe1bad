"""Logistic regression with an L2 penalty, many problems on one matrix at a time. Arrays in, weights out.

Of one class among several (multinomial), or of any number of labels (a binary regression each, sharing the penalty).

Cross-validation fits the same features again and again, with other rows left out. Here the folds are rows of one
problem: a fold is a row of example weights (0 for what is held out), the logits of all folds are one matrix product,
and the held-out logits fall out of it. The features are gone through in slices, so they may lie on disk.

The method is L-BFGS (Liu and Nocedal 1989), whose first approximation of the Hessian is in `curvature.py`. Along the
penalties, which differ by a constant factor, each problem starts where a straight line through its last two solutions
points, and it keeps what L-BFGS learned about the Hessian: another penalty changes it by a known multiple of the
identity.

Of very many examples nothing is copied: slices of the raw features are read, centred and multiplied by a thread for
each core, and the basis is multiplied into the weights instead. There one problem begins at a linear discriminant
analysis, whose class means are the gradient of the first pass.

The labels of one problem step together, although none depends on another: on 5,000 texts with 28 labels an L-BFGS for
each label took more passes, since a step that one label has to shorten is a pass for all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import prod
from typing import TypeVar

import numpy as np

from headstart.adapt.basis import Basis, Unwritten
from headstart.adapt.curvature import Classes, Curvature, Kronecker, Sample, SampledHessian
from headstart.adapt.losses import Live, Loss, Sigmoid, Slice, Softmax
from headstart.adapt.policy import MANY
from headstart.backbone import Matrix
from headstart.clock import UNLIMITED, Budget
from headstart.encode.machine import side_by_side
from headstart.evaluate.calibration import temperature
from headstart.storage.matrix import ahead

_MOST_PAIRS, _FEWEST_PAIRS = 12, 5
_PAIR_CELLS = 2**26  # float32 in all pairs together: 256 MB
_RUN = 64  # rows of a sample that lie together
_LOGITS = 400_000  # computed at a time: they stay in the processor's cache
_CELLS = 2**22  # float32 of features that are read at a time: 16 MB
_ARMIJO = 1e-4
_LOOK_BACK = 5  # passes over which progress is judged; the gap to the optimum is about three times that progress
_TINY = 1e-30
_MOST_PASSES, _FEWEST_PASSES = 400, 6  # over x, for each penalty; and where there is no time

T = TypeVar("T")
Pairs = list[tuple[np.ndarray, np.ndarray]]  # (step, change of gradient), oldest first


@dataclass(frozen=True)
class Solution:
    """All problems at one penalty."""

    penalty: float
    at: np.ndarray  # (k, c, r + 1) float32: weights on the transformed features, the bias last
    objective: np.ndarray  # (k,) mean weighted log loss (labels: their sum) + penalty / 2 * |weights|^2
    passes: int  # times the features were gone through; a sample of them does not count
    pairs: Pairs
    trail: tuple[np.ndarray, ...] = ()  # (k,) the objective that each pass found, also of steps that were too long

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
        tolerance: stop when five passes lower every objective by less than this share of it; or, where the curvature
            is known to scale, when it is no further than this share above the optimum.
        within: after which each penalty gets a few passes more, and is as good as it is then.
        start: a solution of the same or similar problems.

    Yields:
        One Solution a penalty, when it is found: the caller may stop where weaker penalties stop helping.
    """
    problem = _Problem(x, y, example_weights, basis.variance, n_classes)
    last, before = start, None
    for penalty in penalties:
        passes, problem.trail = problem.passes, []
        at = problem.start() if last is None else last.at
        if last is not None and before is not None:
            at = 2 * at - before.at
        pairs = [] if last is None else _for_other_penalty(last.pairs, penalty - last.penalty, problem.ridge)
        solution = _lbfgs(problem, at, pairs, penalty, tolerance, within)
        before = last if last is not start else None
        last = replace(solution, passes=problem.passes - passes, trail=tuple(problem.trail))
        yield last


class _Problem:
    """Objective and gradient of all problems in one pass over the features."""

    def __init__(self, x: Matrix, y: np.ndarray, weights: np.ndarray, variance: np.ndarray, n_classes: int) -> None:
        self.x, self.y = x, y
        self.w = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)  # (k, n), rows sum to 1
        self.loss: Loss = Softmax(y, self.w, n_classes) if y.ndim == 1 else Sigmoid(y, self.w)
        self.variance = np.append(variance, 1).astype(np.float32)  # of the column of ones: its mean square
        self.ridge = np.append(np.ones_like(variance), 0).astype(np.float32)  # which columns are penalised
        self.shape = (len(weights), n_classes, x.shape[1])
        longest = _LOGITS // (len(weights) * n_classes)
        if not isinstance(x, np.ndarray):  # each slice is a copy, several at a time
            longest = min(longest, _CELLS // x.shape[1])
        self.edges = self._edges(max(256, longest))
        self.most_pairs = int(np.clip(_PAIR_CELLS // (2 * prod(self.shape)), _FEWEST_PAIRS, _MOST_PAIRS))
        self.passes, self.trail = 0, list[np.ndarray]()
        one = len(weights) == 1 and y.ndim == 1 and n_classes <= MANY.most_sampled_outputs
        self.sampled = one and len(x) > MANY.rows

    def _edges(self, longest: int) -> list[int]:
        """Where slices begin and end: at most `longest` rows, and none across a fold's end where folds lie together."""
        counted = self.w > 0
        changes = 1 + np.flatnonzero((counted[:, 1:] != counted[:, :-1]).any(axis=0))
        fixed = [0, *(changes.tolist() if len(changes) < len(self.w) + 1 else ()), self.w.shape[1]]
        return [*(b for first, last in pairwise(fixed) for b in range(first, last, longest)), self.w.shape[1]]

    def start(self) -> np.ndarray:
        """(k, c, r + 1): no weights, and the bias that is best without features; of very many examples, a linear
        discriminant analysis, whose class means the gradient there is made of."""
        at = np.zeros(self.shape, dtype=np.float32)
        at[:, :, -1] = self.loss.start()
        if self.sampled:
            _, gradient = self.value(at, 0)
            share = np.bincount(self.y, weights=self.w[0], minlength=self.shape[1])
            at[0] = Classes.of(share, -gradient[0, :, :-1], self.variance[:-1]).discriminant()
            sample = self._sample(at)  # from weights that are too sure of themselves a step goes too far
            at /= np.float32(temperature(sample.logits, sample.y, sample.weights * len(sample.y)))
        return at

    def value(self, at: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """(k, c, r + 1) -> objective (k,) and gradient like `at`."""
        self.passes += 1
        seen = self._seen(at)
        gradient, loss = np.zeros_like(seen), np.zeros(len(at))
        for live, losses, change in self._each(partial(self._share, seen)):
            loss[live] += losses
            gradient[live] += change
        ridge = penalty * self.ridge * at
        self.trail.append(loss + 0.5 * _dot(ridge, at))
        return self.trail[-1], self._back(gradient) + ridge

    def _share(self, seen: np.ndarray, part: Slice) -> tuple[Live, np.ndarray, np.ndarray]:
        """Problems, and what a slice of the features adds to their losses and gradients."""
        x, rows, live = part
        losses, residuals = self.loss.residuals(seen[live], x, rows, live)
        return live, losses, (residuals.reshape(-1, len(x)) @ x).reshape(len(residuals), *seen.shape[1:])

    def _each(self, work: Callable[[Slice], T]) -> Iterator[T]:
        """What `work` makes of each slice of the features, in their order."""
        if isinstance(self.x, Unwritten):
            return side_by_side(lambda edges: work(self._part(edges)), pairwise(self.edges))
        return map(work, self._parts())

    def curvature(self, at: np.ndarray, penalty: float) -> Curvature:
        """The Hessian at `at`, approximately."""
        if self.sampled:
            return SampledHessian(at[0], self._sample(at), penalty=penalty)
        self.passes += 1
        size, rotation = self.loss.curvature(self._seen(at), self._parts())
        diagonal = size[:, :, None] * self.variance + penalty * self.ridge
        return Kronecker(rotation, np.maximum(diagonal, 1e-8))

    def _sample(self, at: np.ndarray) -> Sample:
        """Rows of all parts of the data, for it may be in the order of the classes."""
        seen, y = self._seen(at)[0], list[np.ndarray]()
        logits, weights, sums = list[np.ndarray](), list[np.ndarray](), np.zeros_like(seen)
        for x, rows in ahead((self._rows(rows), rows) for rows in self._sampled_slices()):
            logits.append(x @ seen.T)
            y.append(self.y[rows])
            weights.append(self.w[0, rows])
            each = (np.arange(self.shape[1])[:, None] == y[-1]) * weights[-1]
            sums += each @ x
        y_all, w = np.concatenate(y), np.concatenate(weights)
        share = np.bincount(y_all, weights=w, minlength=self.shape[1]) / w.sum()
        sums = self._back(sums)[:, :-1] / w.sum()
        return Sample(np.concatenate(logits), y_all, w / w.sum(), Classes.of(share, sums, self.variance[:-1]))

    def _sampled_slices(self) -> Iterator[slice]:
        n = len(self.x)
        runs = min(MANY.sampled, MANY.sampled_cells // self.shape[1], n) // _RUN
        return (slice(start, start + _RUN) for start in np.linspace(0, n - _RUN, runs, dtype=np.int64).tolist())

    def _parts(self) -> Iterator[Slice]:
        """Slices of the features, which rows they are, and the problems that any of these rows counts in."""
        made = map(self._part, pairwise(self.edges))
        return made if isinstance(self.x, np.ndarray) else ahead(made)

    def _part(self, edges: tuple[int, int]) -> Slice:
        rows = slice(*edges)
        live = np.flatnonzero(self.w[:, rows].any(axis=1))
        return self._rows(rows), rows, slice(None) if len(live) == len(self.w) else live

    # Features that are not written down are seen raw and centred, by weights that the basis is multiplied into.

    def _rows(self, rows: slice) -> np.ndarray:
        return self.x.centred(rows) if isinstance(self.x, Unwritten) else self.x[rows]

    def _seen(self, at: np.ndarray) -> np.ndarray:
        return at @ self.x.map.T if isinstance(self.x, Unwritten) else at

    def _back(self, gradient: np.ndarray) -> np.ndarray:
        return gradient @ self.x.map if isinstance(self.x, Unwritten) else gradient


def _lbfgs(
    problem: _Problem, at: np.ndarray, pairs: Pairs, penalty: float, tolerance: float, within: Budget
) -> Solution:
    """All problems step together; each has its own step length, and stands still once it is done."""
    value, gradient = problem.value(at, penalty)
    curvature = problem.curvature(at, penalty)
    memory = deque(pairs, maxlen=problem.most_pairs)
    values = deque([value], maxlen=_LOOK_BACK + 1)
    begun, length = problem.passes - 2, np.ones(len(at), dtype=np.float32)
    direction = -_two_loops(gradient, memory, curvature)
    active = _far(gradient, direction, value, tolerance) if curvature.to_scale else np.ones(len(at), dtype=bool)
    while active.any() and problem.passes - begun < (_MOST_PASSES if within.left > 0 else _FEWEST_PASSES):
        trial = at + _wide(length * active) * direction
        new_value, new_gradient = problem.value(trial, penalty)
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
        direction, length = -_two_loops(gradient, memory, curvature), np.ones_like(length)
        if curvature.to_scale:
            active &= _far(gradient, direction, value, tolerance)
        if len(values) > _LOOK_BACK:
            active &= values[0] - value > tolerance * value
    return Solution(penalty, at, value, problem.passes, list(memory))


def _far(gradient: np.ndarray, direction: np.ndarray, value: np.ndarray, tolerance: float) -> np.ndarray:
    """(k,) whether a Newton step, which `direction` nearly is, would gain more than this share of the objective."""
    return np.asarray(-0.5 * _dot(gradient, direction) > tolerance * value)


def _two_loops(gradient: np.ndarray, pairs: deque[tuple[np.ndarray, np.ndarray]], curvature: Curvature) -> np.ndarray:
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
