"""The contract of a family of linear heads: how one is solved, trained and judged, as one frozen object of functions.

The word is that of generalised linear models: softmax for classes, and others for other targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from headstart.backbone import Head
from headstart.evaluate.criterion import Criterion
from headstart.evaluate.paired_test import HeldOut

if TYPE_CHECKING:
    from headstart.adapt.loop import Loss

Weights = np.ndarray | None


@dataclass(frozen=True)
class Probed:
    """A head that was fitted on examples, and what heads without them say of these."""

    head: Head
    outputs: np.ndarray  # (m, c) float32: of each example by a head that left its fold out, at this head's temperature
    rows: np.ndarray  # (m,) ascending: which examples were left out; of very many not all are


@dataclass(frozen=True)
class Family:
    """Linear heads for one kind of target. `y` is as the task encodes targets, a row an example; `weights`, where they
    are taken, say how many examples each row counts for, and None that all are one."""

    link: Literal["softmax", "logistic", "identity"]  # from a head's outputs to probabilities, or to numbers
    probe: Callable[..., Probed]  # (features, y, basis=, names=, fold=, by=, advance=): penalty by cross-validation
    refit: Callable[..., Head]  # (features, y, basis=, like=, weights=): by what another head was found to need
    # (features, y, basis=, like=, counted=, asked=): the same for parts of the rows, of which (k, n) says how much each
    # one counts; gives the (m, c) outputs of each part's head for `asked`, (m, d)
    by_parts: Callable[..., Iterator[np.ndarray]]
    held_out: Callable[..., HeldOut]  # (features, y, basis=, n_outputs=, fold=, by=): of the best penalty
    how_many_folds: Callable[[int, int], int]  # examples and outputs -> folds; 1: one part is held out, others never
    loss: Callable[[np.ndarray, Head, str], Loss]  # (y of the rows learned from, the probe, device)
    judged: Callable[[np.ndarray, np.ndarray, Criterion], HeldOut]  # outputs and y of examples not learned from, by
    constant: Callable[[np.ndarray, int], np.ndarray]  # (y, c) -> (c,) the outputs that suit all of y best alike
    uncertainty: Callable[[np.ndarray], np.ndarray]  # (n, c) outputs -> (n,) how unsure, whatever is right
    by_words: Callable[..., Any] | None  # the same from word embeddings alone; None: of no use
    smoothing: bool  # whether smoothed labels mean anything
    calibrated: Callable[[Head, np.ndarray, np.ndarray, Weights], Head]  # (head, outputs, y, weights of those held out)
    # (n, c) outputs of examples without labels, and what share of them is wanted: those whose labels are surest, and
    # these labels, as the task encodes them; None: nothing is learned from such examples
    surest: Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]] | None = None
    remarks: Callable[[int], tuple[str, ...]] = lambda n: ()  # what a calibration on so many cannot do, for notes
