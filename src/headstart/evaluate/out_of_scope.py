"""Whether an example is like anything that was learned from, by features of length 1.

Three ways, of which leaving classes out says which is best: the cosine to the nearest training example; Mahalanobis'
distance to the nearest class; and, of many classes, how near the nearest example is with how sure the answer is, which
alone says little of what is far away. What they came to is measured by bench/confidence.py (docs/confidence.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from headstart.evaluate.neighbours import nearest, of_length_one

KEPT = 0.95  # of examples of the kind that was learned from, which are not called strangers
_LEFT_OUT = 0.25  # of the classes, and of the examples of the others
_UNSURE_COUNTS = 0.5  # as much as a deviation of the nearest example
_BEYOND = 0.01  # of AUROC, by which another way than the first has to be better, and by twice its standard error
_FEWEST = 3  # examples on either side
_FOLDS = 10
_LEAST = 1e-9  # variance of features of length 1

Unsure = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (rows to learn from, rows asked about) -> 1 - probability


def normalised(features: np.ndarray) -> np.ndarray:
    """(n, d) float32 of length 1, as half the precision keeps them."""
    return of_length_one(features).astype(np.float16).astype(np.float32)


@dataclass(frozen=True)
class Known:
    """Examples that others are held beside."""

    x: np.ndarray  # (m, d) float32 of length 1
    y: np.ndarray  # (m,) int: classes
    groups: np.ndarray | None = None  # (m,) int: equal numbers are (nearly) the same; None: each is by itself

    @cached_property
    def gaussian(self) -> Gaussian:
        """Its classes as normal distributions."""
        return fit_gaussian(self.x, self.y)


def from_nearest(known: Known, asked: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """(n,) 1 - the cosine to the nearest known example, so 0 of one that is there.

    Args:
        asked: (n, d) of length 1. groups: (n,) int; what is of the same group is no neighbour: itself, and its
            near-duplicates. None: everything is.

    Source: Sun, Ming, Zhu and Li, Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022.
    """
    both = None if groups is None or known.groups is None else (groups, known.groups)
    return np.asarray(1 - np.maximum(nearest(asked, known.x, 1, groups=both).cosines[:, 0], -1))


@dataclass(frozen=True)
class Gaussian:
    """Classes as normal distributions with one covariance: a sphere that is wider in some directions."""

    means: np.ndarray  # (c, d) float32
    narrow: float  # one over the variance in all other directions
    directions: np.ndarray  # (d, r) float32, as long as a unit there counts for less than elsewhere

    def distances(self, asked: np.ndarray) -> np.ndarray:
        """(n,) squared, to the nearest class."""
        return np.asarray(self._apart(asked, self.means).min(axis=1))

    def _apart(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.narrow * _squares(a, b) - _squares(a @ self.directions, b @ self.directions)


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, m) squared distances of the rows of the one from those of the other."""
    return np.asarray((a**2).sum(axis=1)[:, None] - 2 * a @ b.T + (b**2).sum(axis=1))


def fit_gaussian(x: np.ndarray, y: np.ndarray) -> Gaussian:
    """The class means, and the covariance within classes, drawn towards a sphere by as much as it is uncertain.

    It is taken apart on its smaller side, so that few examples cost little.

    Args:
        x: (n, d) of length 1. y: (n,) any integers.

    Source: Mueller and Hein, Mahalanobis++, ICML 2025 (features of length 1); Ledoit and Wolf, A well-conditioned
    estimator for large-dimensional covariance matrices, Journal of Multivariate Analysis 88, 2004 (how much).
    """
    _, of, counts = np.unique(y, return_inverse=True, return_counts=True)
    means = np.stack([x[of == c].mean(axis=0) for c in range(len(counts))])
    within, (n, d) = x - means[of], x.shape
    values, vectors = np.linalg.eigh(within.T @ within / n if d <= n else within @ within.T / n)
    vectors = vectors if d <= n else within.T @ (vectors / np.sqrt(np.maximum(n * values, _LEAST)))
    values = np.maximum(values, 0)
    lengths = (within**2).sum(axis=1)
    size, spread = float(lengths.mean()) / d, float((values**2).sum()) / d  # of the sphere, of the covariance
    noise, apart = float((lengths**2).sum()) / n**2 / d - spread / n, spread - size**2
    share = min(1.0, max(_LEAST, noise / apart)) if apart > _LEAST else 1.0
    ball = max(share * size, _LEAST)
    less = (1 - share) * values / (ball * (ball + (1 - share) * values))  # 1 / ball - 1 / (ball + ...)
    return Gaussian(means, 1 / ball, (vectors * np.sqrt(less)).astype(np.float32))


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """The probability that one from outside scores higher than one from inside; equal ones count a half.

    Source: Hanley and McNeil, The Meaning and Use of the Area under a ROC Curve, Radiology 143, 1982.
    """
    ranked = np.sort(inside)
    below, up_to = (np.searchsorted(ranked, outside, side=side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(inside)))


def _from_classes(known: Known, asked: np.ndarray) -> np.ndarray:
    return known.gaussian.distances(asked)


def _from_classes_held_out(known: Known, asked: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Of the known examples, each by the classes without its own fold: others say nothing more."""
    of = np.arange(len(known.x)) if known.groups is None else known.groups
    _, group = np.unique(of, return_inverse=True)
    fold = np.random.default_rng(0).permutation(group.max() + 1)[group] % _FOLDS
    out = np.empty(len(known.x), dtype=np.float32)
    for number in np.unique(fold):
        held = fold == number
        out[held] = fit_gaussian(known.x[~held], known.y[~held]).distances(known.x[held]) if (~held).any() else 0.0
    return out


@dataclass(frozen=True)
class Way:
    """A way of telling strangers: how far from what is known an example is, and what else counts."""

    words: str  # what they are told by
    distance: Callable[[Known, np.ndarray], np.ndarray]  # (known, (n, d) of length 1) -> (n,)
    # (known, (n, d), (n,) their groups) -> distances of examples of the same kind, none beside itself
    held_out: Callable[[Known, np.ndarray, np.ndarray], np.ndarray]
    unsure: float = 0.0  # deviations of the distance that a deviation of 1 - probability counts for


NEAREST, MAHALANOBIS, NEAREST_AND_UNSURE = "nearest", "mahalanobis", "nearest and probability"
WAYS = {
    NEAREST: Way("the nearest training example", from_nearest, from_nearest),
    MAHALANOBIS: Way("the distance to the nearest class", _from_classes, _from_classes_held_out),
    NEAREST_AND_UNSURE: Way(
        "the nearest training example and how sure the answer is",
        from_nearest,
        from_nearest,
        unsure=_UNSURE_COUNTS,
    ),
}


@dataclass(frozen=True)
class Scope:
    """How strangers are told."""

    method: str  # one of WAYS
    threshold: float  # the score above which an example is called one
    near_auroc: float | None  # of telling classes that were left out on purpose; None: none could be
    mean: tuple[float, float] = (0.0, 0.0)  # of the distance, and of 1 - probability
    deviation: tuple[float, float] = (1.0, 1.0)

    def scores(self, distance: np.ndarray, unsure: np.ndarray | None) -> np.ndarray:
        """How strange examples are, by their distance and, where that counts, by 1 - the probability of the answer."""
        near, counts = (distance - self.mean[0]) / self.deviation[0], WAYS[self.method].unsure
        if not counts or unsure is None:
            return np.asarray(near)
        return np.asarray(near + counts * (unsure - self.mean[1]) / self.deviation[1])


def scaled(method: str, distance: np.ndarray, unsure: np.ndarray | None) -> Scope:
    """A scope without its threshold, by held-out examples of the kind that was learned from."""
    if not WAYS[method].unsure or unsure is None:
        return Scope(method, 0.0, None)
    deviation = max(_LEAST, float(distance.std())), max(_LEAST, float(unsure.std()))
    return Scope(method, 0.0, None, (float(distance.mean()), float(unsure.mean())), deviation)


def chosen(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray, *, ask: Unsure | None = None, draws: int = 4, seed: int = 0
) -> tuple[str, float | None]:
    """The way that best tells examples of classes that were left out, and its AUROC; the first of equally good ones.

    In each draw a quarter of the classes is unknown. A quarter of the others' examples is held out, and told from all
    of the unknown ones by what is left. These are near: classes of one kind. Anything else is further away.

    Args:
        x: (n, d) of length 1. y: (n,) classes. groups: (n,) equal numbers are on one side.
        ask: how unsure a head is that is learned from some rows; None: that is no way of telling.

    Returns:
        The first way and None, where nothing can be left out.

    Source: Lin and Xu, Deep Unknown Intent Detection with Margin Loss, ACL 2019 (classes left out, to judge by); Vaze,
    Han, Vedaldi and Zisserman, Open-Set Recognition: A Good Closed-Set Classifier is All You Need, ICLR 2022 (that the
    near ones are hard).
    """
    names = [name for name, way in WAYS.items() if ask is not None or not way.unsure]
    found = [_aurocs(x, y, draw, names, ask) for draw in _draws(y, groups, draws, seed)]
    if not found:
        return NEAREST, None
    values = np.array(found)
    best = 0
    for way in range(1, values.shape[1]):
        gain = values[:, way] - values[:, best]
        if len(gain) > 2 and gain.mean() > max(_BEYOND, 2 * gain.std() / np.sqrt(len(gain))):
            best = way
    return names[best], float(values[:, best].mean())


@dataclass(frozen=True)
class _Draw:
    """Rows that are learned from, held out, and of classes that are unknown."""

    learn: np.ndarray
    held: np.ndarray
    unknown: np.ndarray


def _draws(y: np.ndarray, groups: np.ndarray, draws: int, seed: int) -> Iterator[_Draw]:
    classes, rng = np.unique(y), np.random.default_rng(seed)
    if len(classes) < 2:
        return
    order = rng.permutation(classes)
    n = max(1, round(_LEFT_OUT * len(classes)))
    for draw in range(min(draws, len(classes) // n)):
        unknown = np.isin(y, order[draw * n : (draw + 1) * n])
        whose = rng.permutation(np.unique(groups[~unknown]))
        held = ~unknown & np.isin(groups, whose[: max(1, round(_LEFT_OUT * len(whose)))])
        learn = ~unknown & ~held & ~np.isin(groups, groups[unknown])
        made = _Draw(*(np.flatnonzero(part) for part in (learn, held, unknown)))
        if min(map(len, (made.learn, made.held, made.unknown))) >= _FEWEST:
            yield made


def _aurocs(x: np.ndarray, y: np.ndarray, draw: _Draw, names: Sequence[str], ask: Unsure | None) -> list[float]:
    """Of each way."""
    known, asked = Known(x[draw.learn], y[draw.learn]), (draw.held, draw.unknown)
    unsure = [None if ask is None else ask(draw.learn, rows) for rows in asked]
    found = []
    for name in names:
        apart = [WAYS[name].distance(known, x[rows]) for rows in asked]
        scope = scaled(name, apart[0], unsure[0])
        found.append(auroc(*map(scope.scores, apart, unsure)))
    return found
