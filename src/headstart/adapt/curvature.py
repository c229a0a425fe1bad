"""How the loss bends: approximate Hessians that a solver can invert.

Of few examples it is one Kronecker product, the mean covariance of the class probabilities and that of the features (as
K-FAC approximates a layer: Martens and Grosse 2015), which is cheap to invert in the eigenbasis of the two.

Of very many, passes are dear and everything else is cheap, so it is worth knowing better. The weights look at the
features of an example along c directions only. Along these its probabilities depend on where it is, and the Hessian is
taken from a sample of the rows, which is in c dimensions large enough. What is left of the features, given the class,
has nothing to do with the probabilities, as far as classes differ by their means: there the Kronecker product holds,
with the covariance within classes, which the moments know. The inverse is by conjugate gradients, without any data.
On 25,000 x 160 examples of 16 classes that halves the passes to 1e-4 of the optimum, from 14 to 7; as many rows for a
Hessian in all directions bring less, 9 (docs/log/2026-11-head-of-many.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

_LEAST_CURVATURE = 1e-3  # of the largest between classes
_SHRUNK = 1e-3  # added to the variances, whose mean is about 1, so that all are above 0
_START_SHRUNK = 0.1  # the same for a start, which an error in a narrow direction throws far off
_LEAST_DIRECTION = 1e-5  # of the widest of the directions that weights look along
_SOLVED = 0.1  # of a gradient that may be left: closer saves no pass
_MOST_STEPS = 20
_LEAST_SHARE = 1e-4  # of a class, in the bias that is started from


class Curvature(Protocol):
    """An approximate Hessian of k problems."""

    @property
    def to_scale(self) -> bool:
        """Whether its size is right as well as its shape, so that gradients say how far away the optimum is."""
        ...

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        """Its inverse times `gradient`, (k, c, r + 1)."""
        ...


@dataclass(frozen=True)
class Kronecker:
    """An approximate Hessian, in its eigenbasis."""

    rotation: np.ndarray | None  # (k, c, c) between outputs; None: they do not depend on each other
    diagonal: np.ndarray  # (k, c, r + 1) float32
    to_scale = False

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        """As `Curvature.solve`."""
        if self.rotation is None:
            return gradient / self.diagonal
        return self.rotation @ ((self.rotation.transpose(0, 2, 1) @ gradient) / self.diagonal)


@dataclass(frozen=True)
class Sample:
    """Some of the rows, as weights see them."""

    logits: np.ndarray  # (m, c) float32
    y: np.ndarray  # (m,) class indices
    weights: np.ndarray  # (m,) float32, sum 1
    classes: Classes


@dataclass(frozen=True)
class Classes:
    """Where classes are in the transformed features, whose covariance is diagonal."""

    share: np.ndarray  # (c,) of the weights, sum 1
    mean: np.ndarray  # (c, r) float32, 0 for a class that is not there
    variance: np.ndarray  # (r,) float32, of all features

    @staticmethod
    def of(share: np.ndarray, sums: np.ndarray, variance: np.ndarray) -> Classes:
        """From (c, r) weighted sums of the features of each class."""
        mean = sums / np.where(share > 0, share, 1)[:, None]
        return Classes(share, mean.astype(np.float32), variance)

    @cached_property
    def apart(self) -> np.ndarray:
        """(c, r): what `variance` is too large by within classes is apart' apart."""
        return np.asarray(np.sqrt(self.share)[:, None] * (self.mean - self.share @ self.mean), dtype=np.float32)

    def within(self, weights: np.ndarray) -> np.ndarray:
        """(c, r) times the covariance within classes."""
        return np.asarray(weights * (self.variance + np.float32(_SHRUNK)) - (weights @ self.apart.T) @ self.apart)

    def discriminant(self) -> np.ndarray:
        """(c, r + 1) weights and biases of a linear discriminant analysis, whose classes have one covariance."""
        apart = self.apart.astype(np.float64)
        covariance = np.diag(self.variance.astype(np.float64) + _START_SHRUNK) - apart.T @ apart
        weights = np.linalg.solve(covariance, self.mean.T.astype(np.float64)).T
        bias = np.log(np.maximum(self.share, _LEAST_SHARE)) - 0.5 * np.vecdot(weights, self.mean)
        at = np.column_stack([weights, bias])
        return np.asarray(at - at.mean(axis=0), dtype=np.float32)


class SampledHessian:
    """The Hessian of one softmax problem: from a sample along its weights, by a Kronecker product across them."""

    to_scale = True

    def __init__(self, at: np.ndarray, sample: Sample, *, penalty: float) -> None:
        """`at` (c, r + 1), with which the sample's logits were made."""
        classes, weights = sample.classes, at[:, :-1]
        size, rotation = np.linalg.eigh(weights.astype(np.float64) @ classes.within(weights).T)
        wide = size > _LEAST_DIRECTION * max(size[-1], 1e-12)
        into = (rotation[:, wide] / np.sqrt(size[wide])).astype(np.float32)  # logits to coordinates of variance 1
        self.classes, self.penalty, self.w = classes, np.float32(penalty), sample.weights[:, None]
        self.along = classes.within(into.T @ weights)  # (q, r): coordinates back to features
        ones = np.ones((len(sample.y), 1), dtype=np.float32)
        self.seen = np.column_stack([(sample.logits - at[:, -1]) @ into, ones])  # (m, q + 1)
        p = sample.logits - sample.logits.max(axis=1, keepdims=True)
        np.exp(p, out=p)
        self.p = p / p.sum(axis=1, keepdims=True)
        weighted = self.w * self.p
        self.between = np.diag(weighted.sum(axis=0)) - weighted.T @ self.p
        self.near = self._kronecker()

    def _kronecker(self) -> Kronecker:
        """What conjugate gradients are preconditioned by."""
        size, rotation = np.linalg.eigh(self.between)
        size = np.maximum(size, _LEAST_CURVATURE * size[-1])
        ridge = np.append(np.full(len(self.classes.variance), self.penalty), 0)
        diagonal = size[:, None] * np.append(self.classes.variance, 1) + ridge
        return Kronecker(rotation[None], np.maximum(diagonal, 1e-8).astype(np.float32)[None])

    def times(self, v: np.ndarray) -> np.ndarray:
        """(c, r + 1) -> its product with the Hessian."""
        weights, bias = v[:, :-1], v[:, -1:]
        coordinates = weights @ self.along.T
        moved = self.seen @ np.column_stack([coordinates, bias]).T  # of each row's logits
        moved *= self.p
        moved -= self.p * moved.sum(axis=1, keepdims=True)
        moved *= self.w
        bent = moved.T @ self.seen
        across = self.between @ (self.classes.within(weights) - coordinates @ self.along)
        return np.column_stack([bent[:, :-1] @ self.along + across + self.penalty * weights, bent[:, -1:]])

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        """As `Curvature.solve`, of one problem, by conjugate gradients."""
        rest = gradient[0].copy()
        solution, enough = np.zeros_like(rest), _SOLVED * float(np.linalg.norm(rest))
        near = self.near.solve(rest[None])[0]
        direction, along = near, float(np.vdot(rest, near))
        for _ in range(_MOST_STEPS):
            bent = self.times(direction)
            curved = float(np.vdot(direction, bent))
            if curved <= 0 or along <= 0:
                break
            step = np.float32(along / curved)
            solution += step * direction
            rest -= step * bent
            if float(np.linalg.norm(rest)) <= enough:
                break
            near = self.near.solve(rest[None])[0]
            before, along = along, float(np.vdot(rest, near))
            direction = near + np.float32(along / before) * direction
        return solution[None]
