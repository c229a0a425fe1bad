"""How hard texts are, by their words alone: a look at many more of them than there is time to encode."""

from __future__ import annotations

import numpy as np
import torch

from headstart.adapt.basis import fit_basis
from headstart.adapt.batches import Texts
from headstart.adapt.solver import solve_path
from headstart.evaluate.metrics import softmax

_PENALTY, _TOLERANCE = 1e-3, 1e-3
_LEARNED = 20_000  # texts that the probe learns from, at most
_AT_ONCE = 8192  # texts


def doubt_by_words(texts: Texts, table: torch.Tensor, y: np.ndarray, *, n_classes: int, seed: int) -> np.ndarray:
    """(n,) how little probability a linear probe on the mean of a text's word embeddings gives to its own answer.

    It sees no order and no negation, but texts that it is unsure of are mostly those that the encoder's probe is unsure
    of too (docs/tuning.md), and it takes a second where encoding takes a minute.

    Args:
        table: (vocabulary, d) the model's own word embeddings.
        y: (n,) class indices.
        seed: which of the texts are learned from depends on it, where they are many.
    """
    means = np.concatenate([_means(texts, table, at) for at in range(0, len(texts), _AT_ONCE)])
    some = np.random.default_rng(seed).permutation(len(texts))[:_LEARNED]
    basis = fit_basis(means[some])
    path = solve_path(
        basis.transform(means[some]),
        y[some],
        example_weights=np.ones((1, len(some)), dtype=np.float32),
        basis=basis,
        n_classes=n_classes,
        penalties=[_PENALTY],
        tolerance=_TOLERANCE,
    )
    weight, bias = basis.fold_in(next(path).at[0])
    return np.asarray(-softmax(means @ weight.T.astype(np.float32) + bias.astype(np.float32)).max(axis=1))


def _means(texts: Texts, table: torch.Tensor, at: int) -> np.ndarray:
    """(m, d) float32: the mean of each text's word embeddings, for the texts from `at` on."""
    starts = texts.starts[at : at + _AT_ONCE + 1]
    ids = torch.from_numpy(texts.ids[starts[0] : starts[-1]])
    offsets = torch.from_numpy((starts[:-1] - starts[0]).astype(np.int32))
    with torch.no_grad():
        found = torch.nn.functional.embedding_bag(ids, table.detach().cpu(), offsets, mode="mean")
    return found.float().numpy()
