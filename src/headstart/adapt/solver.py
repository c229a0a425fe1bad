"""Multinomial logistic regression with an L2 penalty, many problems on one matrix at a time. Arrays in, weights out.

Cross-validation fits the same features again and again, with other rows left out. Here the folds are columns of one
problem: a fold is a row of example weights (0 for what is held out), the logits of all folds are one matrix product,
and the held-out logits fall out of it. Along the penalties each problem starts from its last solution.

The method is L-BFGS (Liu and Nocedal 1989) in the eigenbasis of the features' covariance, where the Hessian is nearly
diagonal, with that diagonal as its first approximation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_HISTORY = 8
_ARMIJO = 1e-4


@dataclass(frozen=True)
class Basis:
    """Standardised features in the eigenbasis of their covariance; directions without variance are dropped."""

    mean: np.ndarray  # (d,) float32
    scale: np.ndarray  # (d,) float32, 1 where a feature is constant
    rotation: np.ndarray  # (d, r) float32, orthonormal columns
    variance: np.ndarray  # (r,) float32, descending

    def transform(self, features: np.ndarray) -> np.ndarray:
        """(n, d) -> (n, r) float32."""
        return ((features - self.mean) / self.scale).astype(np.float32) @ self.rotation

    def fold_in(self, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (r, c) and bias (c,) on transformed features -> (c, d) and (c,) on the raw ones."""
        raw = (self.rotation.astype(np.float64) @ weight).T / self.scale
        return raw, bias - raw @ self.mean


def basis(features: np.ndarray) -> Basis:
    """Made from (n, d) features; exact also where d > n, at the cost of the smaller of the two sides."""
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = features.astype(np.float32) - mean
    scale = np.sqrt(np.einsum("ij,ij->j", centred, centred) / len(centred))
    scale = np.where(scale > 1e-6 * max(1e-12, float(scale.max(initial=0.0))), scale, 1.0).astype(np.float32)
    centred /= scale
    n, d = centred.shape
    if d <= n:
        values, vectors = np.linalg.eigh(centred.T @ centred / n)
        kept = values > values[-1] * 1e-6
        values, rotation = values[kept][::-1], vectors[:, kept][:, ::-1]
    else:
        values, vectors = np.linalg.eigh(centred @ centred.T / n)
        kept = values > values[-1] * 1e-6
        values = values[kept][::-1]
        rotation = centred.T @ (vectors[:, kept][:, ::-1] / np.sqrt(n * values))
    return Basis(mean, scale, np.ascontiguousarray(rotation, dtype=np.float32), values.astype(np.float32))


@dataclass(frozen=True)
class Solution:
    """All problems at one penalty."""

    penalty: float
    weight: np.ndarray  # (k, r, c) float32
    bias: np.ndarray  # (k, c) float32
    objective: np.ndarray  # (k,) mean weighted log loss + penalty / 2 * |weight|^2
    passes: int  # times the features were gone through


def solve_path(
    x: np.ndarray,
    y: np.ndarray,
    *,
    example_weights: np.ndarray,
    variance: np.ndarray,
    n_classes: int,
    penalties: Sequence[float],
    tolerance: float = 2e-6,
    most_passes: int = 200,
) -> Iterator[Solution]:
    """Minimise mean_i w_i log loss_i + penalty / 2 |W|^2 (bias free), for each row of weights, penalty by penalty.

    Args:
        x: (n, r) float32, from `Basis.transform`.
        y: (n,) class indices.
        example_weights: (k, n) float32; a row a problem, 0 for examples that are held out.
        variance: (r,) of the columns of x.
        n_classes: c.
        penalties: strong to weak, so that each solution is a good start for the next.
        tolerance: stop a problem at an estimated distance of this share of the objective from its optimum.
        most_passes: bound on the passes over x, for each penalty.

    Yields:
        One Solution a penalty, when it is found: the caller may stop where weaker penalties stop helping.
    """
    problem = _Problem(x, y, example_weights, variance, n_classes)
    at = np.zeros((len(example_weights), x.shape[1] + 1, n_classes), dtype=np.float32)
    at[:, -1] = problem.start_bias()
    for penalty in penalties:
        at, objective, passes = _lbfgs(problem, at, penalty, tolerance, most_passes)
        yield Solution(penalty, at[:, :-1].copy(), at[:, -1].copy(), objective, passes)


class _Problem:
    """Objective and gradient of all problems in one pass over the features."""

    def __init__(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray, variance: np.ndarray, n_classes: int) -> None:
        self.x, self.y, self.variance, self.c = x, y, variance, n_classes
        self.w = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)  # (k, n), rows sum to 1
        self.rows = np.arange(len(y))

    def start_bias(self) -> np.ndarray:
        """(k, c) log of the class shares: the optimum without features."""
        shares = np.stack([np.bincount(self.y, weights=w, minlength=self.c) for w in self.w])
        return np.log(np.maximum(shares, 1e-4)).astype(np.float32)

    def value(self, at: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(k, r + 1, c) -> objective (k,), gradient like `at`, and curvature h (k, c): mean of p (1 - p)."""
        k, r = len(at), at.shape[1] - 1
        stacked = np.ascontiguousarray(at[:, :-1].transpose(1, 0, 2)).reshape(r, k * self.c)
        logits = (self.x @ stacked).reshape(len(self.y), k, self.c)
        logits += at[:, -1]
        logits -= logits.max(axis=2, keepdims=True)
        own = logits[self.rows, :, self.y]  # (n, k)
        p = np.exp(logits, out=logits)
        total = p.sum(axis=2)
        loss = np.einsum("kn,nk->k", self.w, np.log(total) - own, dtype=np.float64)
        p *= (self.w.T / total)[:, :, None]  # now w p
        mean_p = p.sum(axis=0)
        p[self.rows, :, self.y] -= self.w.T
        flat = p.reshape(len(self.y), k * self.c)
        gradient = np.empty_like(at)
        gradient[:, :-1] = (self.x.T @ flat).reshape(r, k, self.c).transpose(1, 0, 2) + penalty * at[:, :-1]
        gradient[:, -1] = flat.sum(axis=0).reshape(k, self.c)
        ridge = np.einsum("krc,krc->k", at[:, :-1], at[:, :-1], dtype=np.float64)
        return loss + 0.5 * penalty * ridge, gradient, mean_p * (1 - np.minimum(mean_p, 0.9))

    def curvature(self, h: np.ndarray, penalty: float) -> np.ndarray:
        """(k, r + 1, c) diagonal of an approximate Hessian: h_c variance_j + penalty."""
        weights = h[:, None, :] * self.variance[None, :, None] + penalty
        return np.concatenate([weights, np.maximum(h, 1e-4)[:, None, :]], axis=1).astype(np.float32)


def _lbfgs(
    problem: _Problem, at: np.ndarray, penalty: float, tolerance: float, most_passes: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """All problems step together; each has its own step length, and stands still once it is done."""
    value, gradient, h = problem.value(at, penalty)
    diagonal = problem.curvature(h, penalty)
    steps: list[np.ndarray] = []
    changes: list[np.ndarray] = []
    passes, length = 1, np.ones(len(at), dtype=np.float32)
    direction = -gradient / diagonal
    slope = _dot(gradient, direction)
    active = -slope / 2 > tolerance * value
    while active.any() and passes < most_passes:
        trial = at + (length * active)[:, None, None] * direction
        new_value, new_gradient, h = problem.value(trial, penalty)
        passes += 1
        accepted = new_value <= value + _ARMIJO * length * slope + 1e-7 * np.abs(value)
        if not accepted[active].all() and length[active & ~accepted].min(initial=1) > 1e-4:
            length = np.where(accepted, length, 0.4 * length)
            continue
        moved = (active & accepted)[:, None, None]
        steps.append(np.where(moved, trial - at, 0))
        changes.append(np.where(moved, new_gradient - gradient, 0))
        del steps[:-_HISTORY], changes[:-_HISTORY]
        at, gradient = np.where(moved, trial, at), np.where(moved, new_gradient, gradient)
        better = value - new_value
        value = np.where(active & accepted, new_value, value)
        diagonal = problem.curvature(h, penalty)
        direction = -_two_loops(gradient, steps, changes, diagonal)
        slope = _dot(gradient, direction)
        stalled = ~accepted | (better < 1e-7 * np.abs(value))
        active &= (-slope / 2 > tolerance * value) & ~stalled
        length = np.ones_like(length)
    return at, value, passes


def _two_loops(
    gradient: np.ndarray, steps: list[np.ndarray], changes: list[np.ndarray], diagonal: np.ndarray
) -> np.ndarray:
    """The L-BFGS product of inverse Hessian and gradient, problem by problem (Nocedal and Wright, algorithm 7.4)."""
    q = gradient.copy()
    kept = []
    for s, t in zip(reversed(steps), reversed(changes), strict=True):
        curvature = _dot(s, t)
        rho = np.where(curvature > 1e-12, 1 / np.maximum(curvature, 1e-12), 0)
        alpha = rho * _dot(s, q)
        q -= alpha[:, None, None].astype(np.float32) * t
        kept.append((s, t, rho, alpha))
    q /= diagonal
    if steps:  # the diagonal has the right shape; the newest pair says how large it is (Shanno and Phua 1978)
        newest, change = steps[-1], changes[-1]
        along, size = _dot(newest, change), _dot(change, change / diagonal)
        q *= np.where((along > 0) & (size > 0), along / np.maximum(size, 1e-30), 1)[:, None, None].astype(np.float32)
    for s, t, rho, alpha in reversed(kept):
        q += (alpha - rho * _dot(t, q))[:, None, None].astype(np.float32) * s
    return q


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("krc,krc->k", a, b, dtype=np.float64)
