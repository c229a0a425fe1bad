"""Few labels of texts, tuned in seconds: texts of one class are drawn together, and the probe is solved on that.

So few labels cannot teach a head by its own loss; but each two of them say whether they are alike, and there are many
pairs. Names of classes take part as examples. A few steps are enough, and more bring nothing (docs/tuning.md).

Source: Khosla et al., Supervised Contrastive Learning, NeurIPS 2020; for few labels of texts, in pairs: Tunstall et
al., Efficient Few-Shot Learning Without Prompts (SetFit), 2022.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from headstart.adapt.auxiliary import Auxiliary, joined
from headstart.adapt.basis import fit_basis
from headstart.adapt.batches import Part, Texts, tokenised
from headstart.adapt.cross_validation import grouped_folds, refit
from headstart.adapt.loop import Loss, Recipe, Tuning, outputs_of
from headstart.adapt.policy import FEW
from headstart.adapt.trainable_parts import TextParts, TrainablePart
from headstart.adapt.trainable_texts import with_rows
from headstart.backbone import Features, Head
from headstart.encode.engines import device, may_train_in_bf16
from headstart.pretrained.training import open_for_training
from headstart.storage.matrix import take

if TYPE_CHECKING:
    from headstart.adapt.linear_lesson import LinearLesson

_TIMED = 4  # steps
_TIMING = 0.1  # of the time that there is, for that


@dataclass(frozen=True)
class ByClass:
    """Texts in batches of a few classes, of each of which there are several: else there is nothing to draw together."""

    texts: Texts
    y: np.ndarray  # (n,) class of each

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: np.ndarray) -> ByClass:
        return ByClass(self.texts.take(rows), self.y[rows])

    def batches(self, size: int, *, epoch: int, seed: int) -> list[np.ndarray]:
        """As many batches as an epoch would have, of classes that are drawn anew for each."""
        rng = np.random.default_rng([seed, epoch])
        members = [np.flatnonzero(self.y == number) for number in np.unique(self.y)]
        each = max(2, size // min(FEW.classes, len(members)))
        return [self._batch(rng, members, each, size) for _ in range(math.ceil(len(self) / size))]

    def _batch(self, rng: np.random.Generator, members: list[np.ndarray], each: int, size: int) -> np.ndarray:
        chosen = rng.permutation(len(members))[: max(1, size // each)]
        return np.concatenate([rng.permutation(members[number])[:each] for number in chosen.tolist()])

    def parts(self, batch: np.ndarray, *, epoch: int) -> Iterator[Part]:
        return self.texts.parts(batch, epoch=epoch)


def contrastive_loss(y: np.ndarray) -> Loss:
    """For each text of a batch, how far it is from the others of its class, beside all of them.

    Args:
        y: (n,) class of each example that is learned from.
    """
    classes = torch.from_numpy(y)

    def loss(features: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
        """(b, width) features -> (b,); 0 for a text that is alone of its class in the batch."""
        mine = classes[rows].to(features.device)
        itself = torch.eye(len(mine), dtype=torch.bool, device=features.device)
        alike = (mine[:, None] == mine[None]) & ~itself
        unit = nn.functional.normalize(features, dim=1)
        near = (unit @ unit.T / FEW.temperature).masked_fill(itself, -torch.inf)
        of_each = near - torch.logsumexp(near, dim=1, keepdim=True)
        return -torch.where(alike, of_each, 0.0).sum(dim=1) / alike.sum(dim=1).clamp(min=1)

    return loss


@dataclass(frozen=True)
class Contrast:
    """A backbone that is opened to be tuned in this way over a lesson's texts and the names of its classes."""

    lesson: LinearLesson
    body: Callable[[], TrainablePart]  # as it was before any training
    texts: Texts  # the lesson's, and then the names
    y: np.ndarray  # of both
    whole: Callable[[], nn.Module]  # the module with its own layers again
    depth: int  # groups of parameters, all of which are trained
    bf16: bool

    def tuned(self, learn: np.ndarray) -> nn.Module:
        """The module after it was tuned on these rows of the lesson, and on the names."""
        module, tuning = self._begun(learn)
        for step in tuning:
            self.lesson.session.progress.tell(f"step {step.number} of {tuning.recipe.steps}")
        return module

    def seconds_a_step(self, within: float) -> float:
        """What a step takes here, from a few of them whose outcome is thrown away.

        Args:
            within: seconds, a tenth of which timing may take, but for the two steps that it needs.
        """
        _, tuning = self._begun(np.arange(self.lesson.encoded))
        now, ends = self.lesson.session.now, list[float]()
        begun = now()
        for _ in tuning:
            ends.append(now())
            if len(ends) > _TIMED or (len(ends) > 1 and ends[-1] - begun > _TIMING * within):
                break
        return (ends[-1] - ends[0]) / max(1, len(ends) - 1)

    def _begun(self, learn: np.ndarray) -> tuple[nn.Module, Tuning]:
        body, rows = self.body(), np.concatenate([learn, np.arange(self.lesson.encoded, len(self.y))])
        recipe = Recipe(self.depth, FEW.rate, steps_of(len(rows)), FEW.batch, bf16=self.bf16)
        feed, loss = ByClass(self.texts, self.y).take(rows), contrastive_loss(self.y[rows])
        groups, seed = [*body.groups, body.head], self.lesson.seed
        return body.module, Tuning(
            body.module, groups, feed, loss, recipe, seed=seed, device=device(), dropout=body.dropout
        )

    def features(self, module: nn.Module, rows: np.ndarray) -> tuple[Features, Auxiliary]:
        """What a tuned module makes of these rows of the lesson, and of the names."""
        n = self.lesson.encoded
        both = self.texts.take(np.concatenate([rows, np.arange(n, len(self.y))]))
        made = outputs_of(module, both, bf16=self.bf16, device=device()).astype(np.float32)
        words = self.lesson.begun.beside.words
        return Features(made[: len(rows)], "", 0), Auxiliary(words, made[len(rows) :])

    def head(self, features: Features, rows: np.ndarray, beside: Auxiliary) -> Head:
        """The probe on these features, at the penalty of the frozen one: features that were tuned on labels call all of
        these easy."""
        dataset, like = self.lesson.dataset, self.lesson.head
        both = joined(dataset, rows, features, beside)
        basis = fit_basis(both.features.matrix, both.weights)
        return refit(dataset, rows, features, basis=basis, like=like, beside=beside)


def steps_of(n: int) -> int:
    """How many steps so many texts are tuned for: each is seen a few times."""
    return min(FEW.most_steps, max(FEW.fewest_steps, math.ceil(FEW.epochs * n / FEW.batch)))


def opened(lesson: LinearLesson) -> Contrast:
    """Open the lesson's backbone over its texts and names."""
    backbone, words, n = lesson.plan.backbone, lesson.begun.beside.words, lesson.encoded
    texts = tokenised([*lesson.dataset.inputs[:n], *words.texts], backbone.texts)
    trainable = open_for_training(backbone)
    trainable.module.to(device())
    trainable, whole = with_rows(trainable, texts)
    parts = TextParts(trainable, texts)
    y = np.concatenate([lesson.dataset.y[:n], words.classes])
    return Contrast(lesson, lambda: parts.at(parts.depths), texts, y, whole, parts.depths, may_train_in_bf16())


def held_out(contrast: Contrast) -> np.ndarray:
    """(n, c) outputs of each labelled example by a model that was tuned without its fold."""
    lesson = contrast.lesson
    rows = np.arange(lesson.encoded)
    fold = grouped_folds(lesson.dataset, rows, lesson.features, basis=lesson.basis, k=FEW.folds, seed=lesson.seed)
    outputs = np.empty_like(lesson.outputs)
    for number in np.unique(fold):
        learn, asked = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        module = contrast.tuned(learn)
        features, beside = contrast.features(module, rows)
        some = Features(take(features.matrix, learn), "", 0)
        outputs[asked] = contrast.head(some, learn, beside).logits(take(features.matrix, asked))
    return outputs
