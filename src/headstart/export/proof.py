"""The proof of an export: predict.py, run as it lies in the folder, beside headstart on the same files and texts."""

from __future__ import annotations

from contextlib import redirect_stderr
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np

from headstart.encode.encode import encode_afresh
from headstart.encode.graphs import quiet
from headstart.errors import OutputError, somebody_elses
from headstart.export import program
from headstart.export.deployable import Deployable
from headstart.values import Dataset

_REPORT = "please report this, with the name of the pre-trained model"
MOST_APART = 0.005  # of two probabilities, or of two numbers in deviations of the training targets


@dataclass(frozen=True)
class Proof:
    """How far the outputs of an export were from headstart's own in float32."""

    n: int  # inputs
    largest_difference: float  # of probabilities, or in deviations of a number
    same_top1: int  # inputs with the same answer: the likeliest class, or what thresholds make of the outputs


@dataclass(frozen=True)
class Answers:
    """What an export and headstart itself, in float32, answer to the same inputs: (n, n_outputs) each, all finite."""

    exported: np.ndarray
    own: np.ndarray

    def first(self, n: int) -> Answers:
        """Those to the first n inputs."""
        return Answers(self.exported[:n], self.own[:n])


def answered(made: Deployable, folder: Path, samples: Dataset) -> Answers:
    """The answers to these inputs.

    Raises:
        ModelError: the export's runtime cannot open or run it. OutputError: it gives something else than numbers.
    """
    exported, own = _exported(made, folder, samples), _own(made, samples)
    if exported.shape != own.shape:
        raise OutputError(f"the export gives outputs of shape {exported.shape}", fix=_REPORT)
    broken = np.flatnonzero(~np.isfinite(exported).all(1))
    if len(broken):
        what = f"on {samples.where[broken[0]]} the export gives what is no number; nothing was written"
        raise OutputError(what, fix=_REPORT)
    return Answers(exported, own)


def _exported(made: Deployable, folder: Path, samples: Dataset) -> np.ndarray:
    """(n, n_outputs) of the export, an input at a time, from the bytes of its file on."""
    with somebody_elses("the exported predict.py", where=made.backbone.name), quiet(), redirect_stderr(StringIO()):
        outputs = program.opened(folder)
        return np.stack([outputs(BytesIO(one) if isinstance(one, bytes) else one) for one in samples.inputs])


def _own(made: Deployable, samples: Dataset) -> np.ndarray:
    """(n, n_outputs) of headstart itself: probabilities, or numbers."""
    outputs = made.head.logits(encode_afresh(samples, made.backbone))
    return np.asarray(outputs if made.task.probabilities is None else made.task.probabilities(outputs))


def compared(made: Deployable, answers: Answers) -> Proof:
    """How far they are apart."""
    same = (_decided(made, answers.exported) == _decided(made, answers.own)).all(1)
    return Proof(len(answers.own), round(float(_apart(made, answers).max()), 9), int(same.sum()))


def _decided(made: Deployable, outputs: np.ndarray) -> np.ndarray:
    """(n, k) what is answered: whether each label or the one of two classes is, else the largest output's number."""
    decision = made.facts["decision"]
    if made.head.thresholds is not None:
        return outputs >= np.array(made.head.thresholds)
    if decision is not None:
        return outputs[:, [made.head.classes.index(decision["class"])]] >= decision["from"]
    return outputs.argmax(1)[:, None]


def refuse_apart(made: Deployable, answers: Answers, samples: Dataset) -> None:
    """Raises OutputError where the export answers otherwise than headstart, with the input on which it does most."""
    apart = _apart(made, answers)
    worst = int(np.argmax(apart))
    if apart[worst] <= MOST_APART:  # so where the largest output is another one, the two are as good as equal
        return
    name = samples.where[worst]
    what = f"on {name} the export differs from headstart by {apart[worst]:.2g}, and {MOST_APART:g} is allowed"
    raise OutputError(f"{what}; nothing was written", fix=_REPORT)


def _apart(made: Deployable, answers: Answers) -> np.ndarray:
    """(n,) the largest difference of each input."""
    unit = 1.0 if made.task.probabilities else made.head.deviation
    return np.abs(answers.exported.astype(np.float64) - answers.own).max(1) / unit
