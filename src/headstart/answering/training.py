"""Training of a model that finds answers: windows of the questions, what judges them, and when to say nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.fine_tune import Tuned
from headstart.adapt.lesson import Training
from headstart.adapt.loop import Recipe, outputs_of
from headstart.adapt.lora import adapted
from headstart.adapt.rates import rate
from headstart.adapt.search import Choices
from headstart.adapt.trainable_parts import TextParts
from headstart.adapt.validation import validation_folds
from headstart.answering.decode import Best, WindowSpans
from headstart.answering.examples import as_asked, examples, longest_answer, text_ends
from headstart.answering.objective import Reading, as_texts, spans_of
from headstart.answering.settings import Settings, settings_from
from headstart.clock import Now
from headstart.encode.engines import device, may_train_in_bf16
from headstart.errors import DataError, UserError
from headstart.inputs.windows import Slicer, Window, batches, cut, targets
from headstart.pretrained.opened import Trainable
from headstart.pretrained.training import open_for_training
from headstart.values import Dataset, Finding, Passages

if TYPE_CHECKING:
    from headstart.answering.lesson import AnsweringLesson

_AT_ONCE = 2048  # tokens
_SAMPLE = 32  # windows that are read to see how long reading will take
_JUDGED = 2  # times that the validation part is read once training is over: after the main run, and after the last one
_READING = 0.1  # of the time that is left when training begins, at most, for reading only for the settings


def answering_training(lesson: AnsweringLesson, checkpoint: Checkpoint) -> Training:
    """What fine-tuning is given.

    Raises:
        DataError: a question that cannot be learned from, where that is refused.
        UserError: nothing can be learned from.
    """
    session, dataset, slicer = lesson.session, lesson.dataset, Slicer(lesson.backbone.texts)
    session.progress.tell("cutting the texts into windows")
    windows, wanted = _windows_learned_from(lesson, slicer)
    folds = _folds(lesson, windows)
    session.progress.tell("opening the model")
    trainable, merge = _opened(lesson)
    objective = Reading(
        TextParts(trainable, as_texts(windows, slicer)),
        text_ends(windows),
        wanted,
        new=lesson.new,
        bf16=may_train_in_bf16(),
        device=device(),
        longest=longest_answer(wanted),
    )
    seconds = _seconds_a_window(trainable, slicer, windows, session.now)
    left = session.budget.left
    most = checkpoint.decide_once("reading", lambda: min(lesson.most_read[0], max(0, int(_READING * left / seconds))))
    lesson.most_read[0] = most
    judged = [windows[i] for i in np.flatnonzero(folds == 0).tolist()]
    exam = _exam(dataset, judged, slicer, objective, most=most, seed=lesson.seed)
    read_later = sum(1 for _ in _windows(lesson.tested, slicer)) + _JUDGED * len(judged)
    read_later += len(exam.more) if lesson.insist else most
    groups = len(trainable.groups)
    depth = groups if lesson.method in ("full", "lora") else max(1, groups - 1)
    return Training(
        objective=objective,
        backbone=lesson.backbone,
        choices=Choices([depth], rate(lesson.backbone, how=lesson.method)),
        folds=folds,
        reserve=read_later * seconds,
        finish=lambda tuned: (exam.settings(dataset, tuned), merge()),
        note=lambda depth: "",
        seed=lesson.seed,
        insist=lesson.insist,
        look=exam.read,
        more={"settings_from": exam.size},
    )


def _windows_learned_from(lesson: AnsweringLesson, slicer: Slicer) -> tuple[list[Window], np.ndarray]:
    """Windows that are learned from, and their targets; the lesson is told which rows have none, with the reason.

    Raises:
        DataError: there are such rows, and they are to be refused.
        UserError: there is nothing else.
    """
    dataset = lesson.dataset
    windows, wanted = examples(_windows(lesson.passages, slicer), dataset.targets, seed=lesson.seed)
    for row in sorted(set(range(len(dataset))) - {window.row for window in windows}):
        lesson.left_out[row] = _unlearnable(dataset, row, slicer)
    for finding in lesson.left_out.values() if lesson.strict else ():
        raise DataError(finding.reason, where=finding.where, fix="leave it out, or give a shorter answer")
    if not len(wanted) or (any(dataset.targets) and not (wanted[:, 0, 0] > 0).any()):
        raise UserError("no answer lies within a window of the model", where=dataset.name, fix="use shorter answers")
    return windows, wanted


def _unlearnable(dataset: Dataset, row: int, slicer: Slicer) -> Finding:
    """Why no window of this question is learned from."""
    tokens = min((len(t) for t in slicer.tokens([text for text, _ in dataset.targets[row]])), default=0)
    kind, reason = "unread-answer", "the model has no token for its answer, or none for its text"
    if tokens:
        kind, reason = "long-answer", f"its answer has {tokens} tokens, and none of the model's windows holds it whole"
    return Finding(kind, dataset.where[row], f"{reason}: not learned from")


@dataclass(frozen=True)
class _Exam:
    """Held-out questions that the settings are fitted on, with all that answering them would read."""

    windows: list[Window]
    judged: list[Window]  # read when the run is judged
    more: list[Window]  # those of `windows` that are not
    slicer: Slicer
    task: Reading  # over `more`

    @property
    def size(self) -> dict[str, int]:
        return {"questions": len({window.row for window in self.windows}), "windows": len(self.windows)}

    def read(self, network: nn.Module, recipe: Recipe) -> list[WindowSpans]:
        """What the network of the judged run finds in the windows that it was not judged on."""
        if not self.more:
            return []
        feed = as_texts(self.more, self.slicer)
        return spans_of(outputs_of(network, feed, keep=self.task.kept, bf16=recipe.bf16, device=self.task.device))

    def settings(self, dataset: Dataset, tuned: Tuned) -> Settings:
        found: dict[int, Best] = {}
        contexts = dataset.passages.contexts
        kept = tuned.kept[: len(self.judged)]  # the validation part comes first
        spans = dict(zip(map(_place, self.judged), spans_of(kept), strict=True))
        spans |= zip(map(_place, self.more), tuned.seen, strict=True)
        for window in self.windows:
            found.setdefault(window.row, Best()).take(window, spans[_place(window)], contexts[window.text])
        settings = Settings(longest=self.task.longest)
        return settings_from({row: best.spans() for row, best in found.items()}, contexts, dataset.targets, settings)


def _exam(dataset: Dataset, judged: list[Window], slicer: Slicer, task: Reading, *, most: int, seed: int) -> _Exam:
    known = set(map(_place, judged))
    rows = np.unique([window.row for window in judged])
    windows = as_asked(dataset, rows, slicer, most=most, seed=seed, known=known)
    more = [window for window in windows if _place(window) not in known]
    return _Exam(
        windows, judged, more, slicer, replace(task, ends=text_ends(more), targets=targets(more, dataset.targets))
    )


def _place(window: Window) -> tuple[int, int]:
    return window.row, window.first


def _opened(lesson: AnsweringLesson) -> tuple[Trainable, Callable[[], Any]]:
    """What is trained, and what gives the module with its own layers; a new head is the same at every start."""
    with torch.random.fork_rng():
        torch.manual_seed(lesson.seed)
        trainable = open_for_training(lesson.backbone)
    trainable.module.to(device())
    if lesson.method == "lora":
        return adapted(trainable, seed=lesson.seed)
    return trainable, lambda: trainable.module


def _windows(passages: Passages, slicer: Slicer) -> Iterator[Window]:
    return cut(passages.questions, passages.contexts, passages.pairs, slicer)


def _folds(lesson: AnsweringLesson, windows: Sequence[Window]) -> np.ndarray:
    """(n,) fold of each window: all windows of a document are in one.

    Raises:
        UserError: only one question has windows, and it cannot be learned from and judge what was learned.
    """
    rows, of = np.unique([window.row for window in windows], return_inverse=True)
    if len(rows) < 2:
        what = "one question to learn from, and another is needed to judge by"
        raise UserError(what, where=lesson.dataset.name, fix="add questions")
    asked = replace(lesson, dataset=lesson.dataset.take(rows))
    return validation_folds(lambda k: asked.folds(k)[of], len(windows))


def _seconds_a_window(trainable: Trainable, slicer: Slicer, windows: Sequence[Window], now: Now) -> float:
    """What reading one takes, from a sample, the second time that it is read; the engine does it faster."""
    some = [windows[i] for i in np.linspace(0, len(windows) - 1, _SAMPLE).astype(int).tolist()]
    took, bf16 = 0.0, may_train_in_bf16()
    for _ in range(2):
        begun = now()
        for _, batch in batches(some, slicer, tokens=_AT_ONCE):
            with torch.inference_mode(), torch.autocast(device(), torch.bfloat16, enabled=bf16):
                trainable.module(*(torch.from_numpy(column).to(device()) for column in batch))
        took = now() - begun
    return took / len(some)
