"""Claim: the cross-validated path of heads against scikit-learn's LogisticRegression on the same features and folds.

    python bench/head.py DATA [--fits N]

DATA is anything `headstart fit` reads. Five penalties, five folds; scikit-learn is timed on the first N of the 25 fits
(it takes minutes) and scaled up. Objectives are compared on those fits.
"""

import argparse
import time

import numpy as np
from sklearn.linear_model import LogisticRegression

from headstart.adapt.solver import basis, solve_path
from headstart.data import check, folds, read
from headstart.encode import encode
from headstart.pretrained import DEFAULT, load

PENALTIES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4)

parser = argparse.ArgumentParser()
parser.add_argument("data")
parser.add_argument("--fits", type=int, default=2)
options = parser.parse_args()

dataset = check(read(options.data))
features = encode(dataset.inputs, dataset.digests, load(DEFAULT[dataset.kind], kind=dataset.kind)).array
y, n_classes = dataset.y, len(dataset.classes)
fold = folds(y, dataset.groups, dataset.digests, k=5)
held = np.stack([fold != k for k in range(5)]).astype(np.float32)

start = time.perf_counter()
made = basis(features)
x = made.transform(features)
path = list(
    solve_path(
        x, y, example_weights=held, variance=made.variance, n_classes=n_classes, penalties=PENALTIES, tolerance=1e-5
    )
)
ours = time.perf_counter() - start

theirs, gaps = [], []
for number in range(options.fits):
    penalty, k = PENALTIES[number % 5], number % 5
    mine = fold != k
    start = time.perf_counter()
    model = LogisticRegression(C=1 / (penalty * mine.sum()), max_iter=2000, tol=1e-4).fit(x[mine], y[mine])
    theirs.append(time.perf_counter() - start)
    p = model.predict_proba(x[mine])[np.arange(mine.sum()), y[mine]]
    best = -np.log(p).mean() + 0.5 * penalty * (model.coef_**2).sum()
    gaps.append((path[number % 5].objective[k] - best) / best)

print(f"{len(y)} x {features.shape[1]}, {n_classes} classes, 5 penalties x 5 folds")
print(f"headstart     {ours:7.1f} s, {sum(s.passes for s in path)} passes")
print(f"scikit-learn  {np.mean(theirs) * 25:7.1f} s (scaled from {options.fits} fits: {np.round(theirs, 1)})")
print(f"ratio         {np.mean(theirs) * 25 / ours:7.1f}")
print(f"objective above scikit-learn's, relative: {np.array2string(np.array(gaps), precision=6)}")
