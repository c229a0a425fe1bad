"""What of an answer is explained: the score of a class, of a label, or the number itself."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np

from headstart.backbone import Head
from headstart.errors import UserError, some_of
from headstart.evaluate.metrics import softmax
from headstart.task import Direction


def of_class(head: Head, logits: np.ndarray, prediction: Any, wanted: str | None) -> Direction:
    """The class that is answered, or another, against all others: the gradient of its log odds.

    log odds = logit - logsumexp of the others, so each of these counts by its share of their probability.

    Raises:
        UserError: there is no such class.
    """
    at = _place(head, prediction.label if wanted is None else wanted)
    rivals = logits.astype(np.float64).copy()
    rivals[at] = -np.inf
    return Direction(head.classes[at], (head.weight[at] - softmax(rivals[None])[0] @ head.weight).astype(np.float32))


def of_label(head: Head, logits: np.ndarray, prediction: Any, wanted: str | None) -> Direction:
    """The first label that is given, or the most probable one where none is; or another. Labels are no rivals.

    Raises:
        UserError: there is no such label.
    """
    at = _place(head, (*prediction.labels, *prediction.top)[0][0] if wanted is None else wanted)
    return Direction(head.classes[at], head.weight[at].astype(np.float32))


def of_number(head: Head, values: np.ndarray, prediction: Any, wanted: str | None) -> Direction:
    """The number.

    Raises:
        UserError: a class is asked for.
    """
    if wanted is not None:
        raise UserError(f"the model gives a number, and no class {wanted!r}", fix="leave the class out")
    return Direction(None, head.weight[0].astype(np.float32))


def _place(head: Head, name: str) -> int:
    if name in head.classes:
        return head.classes.index(name)
    near = difflib.get_close_matches(name, head.classes, n=1)
    fix = f"did you mean {near[0]!r}?" if near else f"it knows {some_of(head.classes)}"
    raise UserError(f"the model has no class {name!r}", fix=fix)
