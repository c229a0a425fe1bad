"""The contract of a lesson: a training part as one task learns it, with what fine-tuning has to be given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headstart.adapt.auxiliary import NOTHING, Auxiliary
from headstart.adapt.checkpoint import Checkpoint
from headstart.backbone import Backbone, Features
from headstart.evaluate.learning_curve import LearningCurve
from headstart.values import Caution, Finding, Method, Split

if TYPE_CHECKING:
    from torch import nn

    from headstart.adapt.basis import Basis
    from headstart.adapt.fine_tune import Tuned
    from headstart.adapt.objective import Objective
    from headstart.adapt.search import Choices

FORM = 7  # of checkpoints: raise when what is written down changes
TUNED_AS: dict[str, Method] = {"auto": "tune", "tune": "tune", "full": "full", "lora": "lora"}


@dataclass(frozen=True)
class HeldOutputs:
    """What models that had not learned from examples say of these: what confidence and doubt are measured on."""

    rows: np.ndarray  # (n,) of the dataset
    outputs: np.ndarray  # (n, c) float32, at the temperature of the head that is kept


@dataclass(frozen=True)
class Adapted:
    """A backbone with its head as they were learned, and how that came about."""

    backbone: Backbone
    head: Any  # as the task has it
    method: Method  # "tune", "full", "lora", or "probe" where the backbone is as it came
    why: str
    features: Features | None  # of this backbone, of the test part at least; None: nothing is encoded
    rows: np.ndarray  # (n,) of the dataset: what was learned from
    tuning: dict[str, Any] | None = None  # what was tried, for the report and JSON
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    cautions: tuple[Caution, ...] = ()
    checkpoint: Checkpoint | None = None  # to be removed once the model is saved
    held_out: np.ndarray | None = None  # outputs for each of `rows` while it was held out; None: others are the test
    calibration: HeldOutputs | None = None  # of training examples, as this model would say; None: nobody has asked
    probed: HeldOutputs | None = None  # of training examples, by probes on frozen features; None: there are none
    basis: Basis | None = None  # of the frozen features, in which the probe was solved
    learning_curve: LearningCurve | None = None  # of the probe; None: there is none, or there was no time
    beside: Auxiliary = NOTHING  # what the probe learned from beside labelled examples
    unlabelled: dict[str, int | bool | None] | None = (
        None  # what JSON says of examples without a label; None: there are none
    )
    final: bool = False  # whether it learned from the test part as well, after that was scored

    def parts(self, split: Split) -> Split:
        """The split with the training rows that were learned from; out-of-fold they are tested, too."""
        return replace(split, train=self.rows, test=self.rows if split.out_of_fold else split.test)


@dataclass(frozen=True)
class Training:
    """What fine-tuning is given."""

    objective: Objective
    backbone: Backbone  # as it is kept once it is trained, with other weights
    choices: Choices
    folds: np.ndarray  # (n,) of the objective's examples; fold 0 is the validation part
    reserve: float  # seconds that are needed when training is over
    finish: Callable[[Tuned], tuple[Any, nn.Module]]  # the head, and the module with its own layers again
    note: Callable[[int], str]  # what the user should know of how it was trained at a depth; empty: nothing
    seed: int
    insist: bool  # take the tuned model whatever the verdict says
    look: Callable[..., Any] | None = None  # as for `finetune`
    more: dict[str, Any] = field(default_factory=dict)  # what JSON says of a tuned model besides


class Lesson(Protocol):
    """A training part as one task learns it."""

    def declined(self) -> str | None:
        """Why nothing is trained, where that is known beforehand; None: it is tried."""
        ...

    @property
    def few(self) -> bool:
        """Whether labels are so few that they are tuned on in a way of their own, in seconds."""
        ...

    def from_few(self) -> Adapted:
        """What is made of few labels; loads torch."""
        ...

    def key(self) -> str:
        """Names the run: the same command on the same data finds what it had done before it was killed."""
        ...

    def training(self, checkpoint: Checkpoint) -> Training:
        """What fine-tuning is given; loads torch."""
        ...

    def without_training(self, why: str) -> Adapted:
        """What is taken where nothing is trained, or training did not earn its place.

        Raises:
            UserError: there is nothing that works without training.
        """
        ...

    def with_training(self, backbone: Backbone, head: Any, tuned: Tuned, method: Method, note: str) -> Adapted:
        """What is taken where it did."""
        ...

    def kept(self, tuned: Tuned, note: str) -> str:
        """Why the tuned model is not taken."""
        ...

    def learning_curve(self, head: Any) -> LearningCurve | None:
        """How what needs no training does with fewer labels, once all is learned; None: there is no telling.

        Args:
            head: that is taken, by whose threshold it answers.
        """
        ...
