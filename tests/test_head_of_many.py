"""The head of very many examples: features that lie on disk, moments that add up, one part held out."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from headstart.adapt.basis import basis_of, fit_basis
from headstart.adapt.moments import Moments
from headstart.adapt.penalty_path import IN_ALL
from headstart.adapt.probe import probe, refit
from headstart.adapt.ridge import probe as probe_numbers
from headstart.adapt.sigmoid import probe as probe_labels
from headstart.adapt.solver import solve_path
from headstart.backbone import Features
from headstart.evaluate.metrics import softmax
from headstart.storage.matrix import widened

N, WIDTH, CLASSES = 100_500, 200, 6  # more rows than are few, and more bytes than are held in memory


@dataclass(frozen=True)
class Counted:
    """A matrix that counts how many of its rows are read."""

    inside: np.ndarray
    read: list[int]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.inside.shape

    def __len__(self) -> int:
        return len(self.inside)

    def __getitem__(self, rows: slice) -> np.ndarray:
        block = widened(self.inside[rows])
        self.read.append(len(block))
        return block

    def __setitem__(self, rows: slice, values: np.ndarray) -> None:
        raise TypeError

    @property
    def passes(self) -> float:
        return sum(self.read) / len(self)


@pytest.fixture(scope="module")
def many() -> tuple[np.ndarray, np.ndarray]:
    """float16 features whose directions differ in width and are correlated, far from 0; and classes that overlap."""
    rng = np.random.default_rng(0)
    width = (1 + np.arange(WIDTH) / 3) ** -0.45
    mix = (width[:, None] * np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0].T).astype(np.float32)
    means = (rng.normal(size=(CLASSES, WIDTH)) * 0.5 * width / (1 + np.arange(WIDTH) / 8) ** 0.5) @ (
        mix / width[:, None]
    )
    y = rng.choice(CLASSES, size=N, p=np.array([6, 5, 4, 3, 2, 1]) / 21)
    x = rng.standard_normal((N, WIDTH), dtype=np.float32) @ mix + means[y].astype(np.float32) + 3
    return np.maximum(x, 2.5).astype(np.float16), y


def held_out(n: int) -> np.ndarray:
    return np.where(np.arange(n) % 5 == 0, 0, IN_ALL)


def test_the_optimum_is_that_of_a_copy_in_memory_and_is_near_after_a_few_passes(many, own_cache):
    half, y = many
    rows = Counted(half, [])
    basis = fit_basis(rows)
    assert rows.passes == 1  # all that a basis needs is in one pass
    unwritten = basis.transform(rows)
    copied = np.concatenate([basis.transformed(half[i : i + 5000].astype(np.float32)) for i in range(0, N, 5000)])
    np.testing.assert_allclose(unwritten[1000:1010], copied[1000:1010], atol=1e-5)
    everything = np.ones((1, N), np.float32)
    options = {"example_weights": everything, "basis": basis, "n_classes": CLASSES, "penalties": [1e-3]}
    close = next(solve_path(unwritten, y, tolerance=1e-8, **options))
    in_memory = next(solve_path(copied, y, tolerance=1e-8, **options))
    assert abs(close.objective[0] / in_memory.objective[0] - 1) < 1e-6
    rows.read.clear()
    soon = next(solve_path(unwritten, y, tolerance=5e-5, **options))
    assert soon.objective[0] / close.objective[0] - 1 < 1e-4
    assert soon.passes <= 12
    assert soon.passes <= rows.passes < soon.passes + 1.5  # what it says it read, and two samples
    slow = next(solve_path(copied[::2], y[::2], tolerance=2e-6, **options | {"example_weights": everything[:, ::2]}))
    assert close.passes < slow.passes  # of as many as are few


@pytest.mark.check
def test_a_head_of_many_is_that_of_the_same_rows_in_another_order(many, own_cache):
    """Rows in the order of their classes are the worst order for a sample."""
    half, y = many
    order = np.argsort(y, kind="stable")
    weights = (1 + (np.arange(N) % 3)).astype(np.float32)
    like = probe(
        Features(Counted(half, []), "k", 0),
        y,
        basis=fit_basis(Counted(half, [])),
        names=tuple("abcdef"),
        fold=held_out(N),
    )
    np.testing.assert_array_equal(like.rows, np.flatnonzero(held_out(N) == 0))
    assert like.outputs.shape == (len(like.rows), CLASSES)
    assert (like.outputs.argmax(axis=1) == y[like.rows]).mean() > 0.6
    assert like.head.penalty == min(like.head.cross_validation, key=lambda row: row["log_loss"])["penalty"]
    probabilities = []
    for rows in (np.arange(N), order):
        features, each = Features(Counted(half[rows], []), "k", 0), weights[rows]
        made = refit(features, y[rows], basis=fit_basis(features.matrix, each), like=like.head, weights=each)
        probabilities.append(softmax(made.logits(half[:2000].astype(np.float32))))
    np.testing.assert_allclose(*probabilities, atol=2e-3)


@pytest.mark.check
def test_labels_and_numbers_of_many_are_learned_too(many, own_cache):
    half, y = many
    features = Features(Counted(half, []), "k", 0)
    basis = fit_basis(features.matrix)
    labels = np.stack([y < 2, y % 2 == 0], axis=1).astype(np.int64)
    made = probe_labels(features, labels, basis=basis, names=("low", "even"), fold=held_out(N))
    told = made.head.logits(half[made.rows].astype(np.float32)) > 0
    assert (told == labels[made.rows]).mean() > 0.7
    target = half[:, 3].astype(np.float64) * 2 - half[:, 90] + np.random.default_rng(1).normal(size=N)
    number = probe_numbers(features, target, basis=basis, names=(), fold=np.arange(N) % 5).head
    errors = number.logits(half[:5000].astype(np.float32))[:, 0] - target[:5000]
    assert 0.9 < errors.std() < 1.1


def test_moments_add_up_and_can_be_taken_off_again():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(5000, 40)) * rng.uniform(0.1, 5, 40) + 100).astype(np.float32)
    weights = rng.uniform(0, 2, 5000)
    for w in (None, weights):
        parts = [Moments.of(x[a:b], None if w is None else w[a:b]) for a, b in pairwise([0, 10, 1700, 5000])]
        whole = Moments.of(x, w)
        together = parts[2] + parts[0] + parts[1]
        np.testing.assert_allclose(together.mean, whole.mean, rtol=1e-12)
        np.testing.assert_allclose(together.covariance, whole.covariance, atol=1e-5 * whole.covariance.max())
        np.testing.assert_allclose(
            whole.covariance, np.cov(x.T.astype(np.float64), aweights=w, ddof=0), atol=1e-5 * whole.covariance.max()
        )
        left = together - parts[1]
        np.testing.assert_allclose(left.mean, (parts[0] + parts[2]).mean, rtol=1e-12)
        np.testing.assert_allclose(left.scatter, (parts[0] + parts[2]).scatter, atol=1e-9 * whole.scatter.max())
    one, other = fit_basis(x), basis_of(whole := Moments.of(x))
    np.testing.assert_allclose(one.variance, other.variance, rtol=1e-3)
    assert (whole - whole).n == 0
    assert (Moments.none(40) + whole).n == 5000
    with pytest.raises(ValueError, match="cannot be taken off"):
        parts[0] - whole


def test_half_precision_is_widened_exactly():
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].reshape(-1, 2)
    np.testing.assert_array_equal(widened(finite), finite.astype(np.float32))


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process alone is in /proc")
def test_memory_does_not_grow_with_the_examples(own_cache, tmp_path):
    """Three times the examples, and their features are read in a process whose peak is looked at."""
    peaks = []
    for n in (110_000, 330_000):
        np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(n, 200)).astype(np.float16))
        done = subprocess.run(
            [sys.executable, "-c", _SOLVE, tmp_path / "x.npy"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 0.25 * 220_000 * 200 * 4 / 2**20  # what is held is far less than the features


_SOLVE = """
import re, sys
from pathlib import Path
import numpy as np
from headstart.adapt.basis import fit_basis
from headstart.adapt.solver import solve_path
from headstart.storage.matrix import widened

class Half:
    def __init__(self, file):
        self.half = np.load(file, mmap_mode="r")
        self.shape = self.half.shape
    def __len__(self):
        return len(self.half)
    def __getitem__(self, rows):
        with open(sys.argv[1], "rb") as file:
            start, stop, _ = rows.indices(len(self))
            file.seek(self.half.offset + 2 * self.shape[1] * start)
            return widened(np.fromfile(file, np.float16, (stop - start) * self.shape[1]).reshape(-1, self.shape[1]))

x = Half(sys.argv[1])
y = np.arange(len(x)) % 5
basis = fit_basis(x)
options = dict(example_weights=np.ones((1, len(x)), np.float32), basis=basis, n_classes=5, penalties=[1e-2])
next(solve_path(basis.transform(x), y, tolerance=1e-3, **options))
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
