"""Claim: the cross-validated path of heads against scikit-learn's on the same features, folds and penalties.

    python bench/head.py DATA [--folds N]

DATA is anything `headstart fit` reads. Five penalties, five folds. scikit-learn's `LogisticRegression`, warm-started
along the penalties too, goes down the path of the first N folds and is scaled up to five: once at its default
tolerance, once at one that comes as close to the optimum as we do. "gap" is how far the worst of the objectives lies
above the lowest known for that fit, relative.
"""

import time
from dataclasses import dataclass

import numpy as np
from common import arguments, asked, encoded, read, texts
from sklearn.linear_model import LogisticRegression

from headstart.adapt.basis import fit_basis
from headstart.adapt.solver import solve_path
from headstart.backbone import Matrix
from headstart.data.check import check
from headstart.data.split import folds
from headstart.values import Dataset

PENALTIES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
DEFAULT_TOLERANCE, CLOSE_TOLERANCE = 1e-4, 3e-6  # of scikit-learn's gradient


@dataclass(frozen=True)
class Problem:
    """One fold's."""

    x: np.ndarray  # (n, r + 1), the last column being 1
    y: np.ndarray

    def objective(self, at: np.ndarray, penalty: float) -> float:
        """(c, r + 1) weights and bias, in float64."""
        logits = self.x.astype(np.float64) @ at.T.astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        loss = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), self.y]
        return float(loss.mean() + 0.5 * penalty * np.square(at[:, :-1], dtype=np.float64).sum())

    def by_sklearn(self, tolerance: float) -> tuple[float, list[np.ndarray]]:
        """Seconds and weights, penalty by penalty."""
        ats, seconds, train = [], 0.0, self.x[:, :-1]
        model = LogisticRegression(warm_start=True, tol=tolerance, max_iter=10_000)
        for penalty in PENALTIES:
            model.set_params(C=1 / (penalty * len(self.y)))
            start = time.perf_counter()
            model.fit(train, self.y)
            seconds += time.perf_counter() - start
            ats.append(np.column_stack([model.coef_, model.intercept_]))
        return seconds, ats


def bench(dataset: Dataset, features: Matrix, measured: int) -> None:
    y, n_classes = dataset.y, len(dataset.classes)
    fold = folds(y, dataset.checked_groups, dataset.checked_digests, k=5)
    held = np.stack([fold != k for k in range(5)]).astype(np.float32)
    start = time.perf_counter()
    basis = fit_basis(features)
    x = basis.transform(features)
    path = list(solve_path(x, y, example_weights=held, basis=basis, n_classes=n_classes, penalties=PENALTIES))
    ours = time.perf_counter() - start

    seconds = {DEFAULT_TOLERANCE: 0.0, CLOSE_TOLERANCE: 0.0}
    gaps: dict[float | str, float] = {"ours": 0.0, DEFAULT_TOLERANCE: 0.0, CLOSE_TOLERANCE: 0.0}
    for k in range(measured):
        problem = Problem(x[fold != k], y[fold != k])
        ats: dict[float | str, list[np.ndarray]] = {"ours": [solution.at[k] for solution in path]}
        for tolerance in seconds:
            spent, ats[tolerance] = problem.by_sklearn(tolerance)
            seconds[tolerance] += spent * 5 / measured
        tight = problem.by_sklearn(1e-7)[1]
        for number, penalty in enumerate(PENALTIES):
            values = {name: problem.objective(at[number], penalty) for name, at in ats.items()}
            lowest = min(*values.values(), problem.objective(tight[number], penalty))
            gaps = {name: max(gaps[name], value / lowest - 1) for name, value in values.items()}

    shape = f"{len(y)} x {features.shape[1]}, {n_classes} classes"
    print(f"{shape}, 5 penalties x 5 folds; {measured} measured of theirs")
    print(f"headstart                  {ours:7.1f} s  gap {gaps['ours']:.0e}  {sum(s.passes for s in path)} passes")
    for tolerance, spent in seconds.items():
        gap = f"gap {gaps[tolerance]:.0e}"
        print(f"scikit-learn, tol {tolerance:.0e}    {spent:7.1f} s  {gap}  ratio {spent / ours:.1f}")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data")
    parser.add_argument("--folds", type=int, default=1)
    with asked(parser, lambda work: [texts(work / "texts.csv", 60)]) as options:
        dataset = check(read(options.data))
        bench(dataset, encoded(dataset).matrix, options.folds)


if __name__ == "__main__":
    main()
