"""Few examples of a data set, and how a probe of them does: for the benches beside this file."""

import numpy as np

from headstart.adapt.basis import fit_basis
from headstart.adapt.cross_validation import fit_probe
from headstart.evaluate.scores import evaluate
from headstart.values import Dataset, Features


def drawn(dataset: Dataset, train: np.ndarray, size: int, draw: int) -> np.ndarray:
    """So many of each class of the rows `train`, ascending."""
    rng = np.random.default_rng(draw)
    mine = [train[dataset.y[train] == c] for c in range(len(dataset.classes))]
    return np.sort(np.concatenate([rng.permutation(of_class)[:size] for of_class in mine]))


def scored(
    dataset: Dataset, features: Features, rows: np.ndarray, tested: np.ndarray, test: np.ndarray
) -> tuple[float, float]:
    """Accuracy and log loss on the rows `test`, whose features are `tested`, of a probe of `features` of the `rows`."""
    head = fit_probe(dataset, rows, features, basis=fit_basis(features.matrix))
    found = evaluate(head.logits(tested), dataset.y[test], classes=dataset.classes, majority_class=dataset.classes[0])
    return found.accuracy, found.log_loss
