"""The long way of `fit_reader`: an encoder learns to find answers, and when it says that there is none."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart import __version__
from headstart.adapt.checkpoint import Journal, open_journal
from headstart.adapt.fine_tune import Tuned
from headstart.adapt.loop import Recipe, outputs_of
from headstart.adapt.lora import adapted
from headstart.adapt.search import Choices
from headstart.adapt.trainable_parts import TextBodies
from headstart.adapt.tuning import FORM, TUNED_AS, Terms, keep, rate, told, tuned_on
from headstart.adapt.validation import validation_folds
from headstart.answering.decode import Best, WindowSpans
from headstart.answering.objective import Reading, as_asked, as_texts, examples, longest_answer, spans_of, text_ends
from headstart.data.split import question_folds
from headstart.encode.engines import device, may_train_in_bf16
from headstart.errors import DataError, UserError
from headstart.inputs.windows import Slicer, Window, batches, cut, targets
from headstart.pretrained.training import open_for_training
from headstart.reader import Reader, Settings, settings_from
from headstart.values import Backbone, Finding, Questions, TextPreparation, Trainable, Way

_AT_ONCE = 2048  # tokens
_FEWEST = 200  # questions from which a model that finds answers already is trained unasked
_SAMPLE = 32  # windows that are read to see how long reading will take
_JUDGED = 2  # times that the validation part is read once training is over: after the main run, and after the last one
_MOST_SETTING = 500  # questions that the settings of a model as it is are fitted on
_MOST_READ = 2000  # windows that are read only for the settings
_READING = 0.1  # of the time that is left when training begins, at most, for that


@dataclass(frozen=True)
class Learned:
    """A reader and how it came about."""

    backbone: Backbone
    settings: Settings
    how: Way  # "probe": the weights are as they came
    why: str
    told: dict[str, Any] = field(default_factory=dict)  # for the report and --json
    journal: Journal | None = None  # to be removed once the model is saved
    left_out: dict[int, Finding] = field(default_factory=dict)  # rows that could not be learned from, and why


def learn(
    questions: Questions, backbone: Backbone, terms: Terms, *, tested: Questions, strict: bool = False
) -> Learned:
    """Train on the questions; a model that finds answers already is only replaced by a better one.

    Args:
        questions: of the training part.
        backbone: from `pretrained.load_reader`.
        terms: by "probe" a model is left as it is and only its settings are fitted; by "auto" it is trained unless
            questions are few.
        tested: the test part, which is only counted.
        strict: refuse questions that cannot be learned from, rather than leave them out.

    Raises:
        DataError: such a question, where it is refused.
        UserError: a new head, and no time to train it; or one question, which is too few to train on.
    """
    new = _has_new_head(backbone)
    if new and terms.how == "probe":
        raise UserError(
            f"{backbone.name} has no head that finds answers, so it must be trained",
            where="--how probe",
            fix="--how tune, or a model that was trained on SQuAD",
        )
    if terms.how == "probe":
        return _as_it_is(questions, backbone, "asked for", seed=terms.seed)
    if not new and terms.how == "auto" and len(questions) < _FEWEST:
        why = f"{len(questions)} training questions: too few to prove that training is better ({_FEWEST})"
        return _as_it_is(questions, backbone, why, seed=terms.seed)
    insist = new or terms.how != "auto"
    return _trained(questions, backbone, terms, tested=tested, insist=insist, strict=strict)


def _trained(
    questions: Questions, backbone: Backbone, terms: Terms, *, tested: Questions, insist: bool, strict: bool
) -> Learned:
    terms.progress.tell("cutting the texts into windows")
    slicer = Slicer(_preparation(backbone))
    windows, wanted, left_out = _lessons(questions, slicer, seed=terms.seed, strict=strict)
    folds = _folds(questions, windows, terms.seed)
    terms.progress.tell("opening the model")
    trainable, merge = _opened(backbone, terms)
    bodies = TextBodies(trainable, as_texts(windows, slicer))
    new = _has_new_head(backbone)
    task = Reading(
        bodies,
        text_ends(windows),
        wanted,
        new=new,
        bf16=may_train_in_bf16(),
        device=device(),
        longest=longest_answer(wanted),
    )
    journal = open_journal(_key(questions, backbone, terms))
    seconds = _seconds_a_window(trainable, slicer, windows)
    most = journal.once("reading", lambda: min(_MOST_READ, max(0, int(_READING * terms.budget.left / seconds))))
    judged = [windows[i] for i in np.flatnonzero(folds == 0).tolist()]
    exam = _exam(questions, judged, slicer, task, most=most, seed=terms.seed)
    read_later = sum(1 for _ in _windows(tested, slicer)) + _JUDGED * len(judged)
    read_later += len(exam.more) if insist else most
    depth = len(trainable.groups) if terms.how in ("full", "lora") else max(1, len(trainable.groups) - 1)
    tuned = tuned_on(
        task,
        replace(terms, reserve=terms.reserve + read_later * seconds),
        journal,
        Choices([depth], rate(backbone, how=terms.how)),
        folds=folds,
        insist=insist,
        look=exam.read,
    )
    if isinstance(tuned, str):
        journal.remove()
        if insist:
            raise UserError(tuned, where=questions.name)
        return _as_it_is(questions, backbone, tuned, seed=terms.seed, most=most)
    if tuned.network is None:
        why = f"training was not better beyond noise ({_said(tuned, new=new)})"
        kept = _as_it_is(questions, backbone, why, seed=terms.seed, most=most)
        return replace(kept, told=told(tuned), journal=journal)
    better = "" if tuned.verdict.tuned_is_better else "though not better beyond noise: "
    why = f"trained, {better}{_said(tuned, new=new)}"
    made = keep(backbone, merge(), journal)
    tried = told(tuned) | {"settings_from": exam.size}
    settings = exam.settings(questions, tuned)
    return Learned(made, settings, TUNED_AS[terms.how], why, tried, journal, left_out)


def _lessons(
    questions: Questions, slicer: Slicer, *, seed: int, strict: bool
) -> tuple[list[Window], np.ndarray, dict[int, Finding]]:
    """Windows that are learned from, their targets, and rows of the questions that have none, with the reason.

    Raises:
        DataError: there are such rows, and they are to be refused.
        UserError: there is nothing else.
    """
    windows, wanted = examples(_windows(questions, slicer), questions.answers, seed=seed)
    rows = sorted(set(range(len(questions))) - {window.row for window in windows})
    left_out = {row: _unlearnable(questions, row, slicer) for row in rows}
    for finding in left_out.values() if strict else ():
        raise DataError(finding.reason, where=finding.where, fix="leave it out, or give a shorter answer")
    if not len(wanted) or (any(questions.answers) and not (wanted[:, 0, 0] > 0).any()):
        raise UserError("no answer lies within a window of the model", where=questions.name, fix="use shorter answers")
    return windows, wanted, left_out


def _unlearnable(questions: Questions, row: int, slicer: Slicer) -> Finding:
    """Why no window of this question is learned from."""
    tokens = min((len(t) for t in slicer.tokens([text for text, _ in questions.answers[row]])), default=0)
    kind, reason = "unread-answer", "the model has no token for its answer, or none for its text"
    if tokens:
        kind, reason = "long-answer", f"its answer has {tokens} tokens, and none of the model's windows holds it whole"
    return Finding(kind, questions.where[row], f"{reason}: not learned from")


def _said(tuned: Tuned, *, new: bool) -> str:
    v = tuned.verdict
    said = f"on {v.n} windows of held-out training questions {v.tuned_accuracy:.3f} of the spans are exactly right"
    return said if new else f"{said}, {v.untuned_accuracy:.3f} before"


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

    def settings(self, questions: Questions, tuned: Tuned) -> Settings:
        found: dict[int, Best] = {}
        spans = dict(zip(map(_place, self.judged), spans_of(tuned.kept), strict=True))
        spans |= zip(map(_place, self.more), tuned.seen, strict=True)
        for window in self.windows:
            found.setdefault(window.row, Best()).take(window, spans[_place(window)], questions.contexts[window.text])
        settings = Settings(longest=self.task.longest)
        return settings_from({row: best.spans() for row, best in found.items()}, questions, settings)


def _exam(questions: Questions, judged: list[Window], slicer: Slicer, task: Reading, *, most: int, seed: int) -> _Exam:
    known = set(map(_place, judged))
    rows = np.unique([window.row for window in judged])
    windows = as_asked(questions, rows, slicer, most=most, seed=seed, known=known)
    more = [window for window in windows if _place(window) not in known]
    return _Exam(
        windows, judged, more, slicer, replace(task, ends=text_ends(more), targets=targets(more, questions.answers))
    )


def _place(window: Window) -> tuple[int, int]:
    return window.row, window.first


def _opened(backbone: Backbone, terms: Terms) -> tuple[Trainable, Callable[[], Any]]:
    """What is trained, and what gives the module with its own layers; a new head is the same at every start."""
    with torch.random.fork_rng():
        torch.manual_seed(terms.seed)
        trainable = open_for_training(backbone)
    trainable.module.to(device())
    if terms.how == "lora":
        return adapted(trainable, seed=terms.seed)
    return trainable, lambda: trainable.module


def _as_it_is(questions: Questions, backbone: Backbone, why: str, *, seed: int, most: int = _MOST_READ) -> Learned:
    """Its weights untouched; when it says that there is no answer, and how sure it is, fits the user's questions."""
    reader = Reader(backbone)
    rows = np.random.default_rng(seed).permutation(len(questions))[:_MOST_SETTING]
    windows = as_asked(questions, rows, reader.slicer, most=most, seed=seed)
    reader.settings = Settings(longest=longest_answer(targets(windows, questions.answers)))
    found = reader.read(windows, questions.contexts)
    return Learned(backbone, settings_from(found, questions, reader.settings), "probe", why)


def _has_new_head(backbone: Backbone) -> bool:
    """Whether its head has yet to be trained."""
    return bool(backbone.config["head"] == "new spans")


def _windows(questions: Questions, slicer: Slicer) -> Any:
    return cut(questions.questions, questions.contexts, questions.pairs, slicer)


def _folds(questions: Questions, windows: Sequence[Window], seed: int) -> np.ndarray:
    """(n,) fold of each window: all windows of a document are in one.

    Raises:
        UserError: only one question has windows, and it cannot be learned from and judge what was learned.
    """
    rows, of = np.unique([window.row for window in windows], return_inverse=True)
    if len(rows) < 2:
        raise UserError(
            "one question to learn from, and another is needed to judge by", where=questions.name, fix="add questions"
        )
    asked = questions.take(rows)
    return validation_folds(lambda k: question_folds(asked, k=k, seed=seed)[of], len(windows))


def _seconds_a_window(trainable: Trainable, slicer: Slicer, windows: Sequence[Window]) -> float:
    """What reading one takes, from a sample, the second time that it is read; the engine does it faster."""
    some = [windows[i] for i in np.linspace(0, len(windows) - 1, _SAMPLE).astype(int).tolist()]
    took, bf16 = 0.0, may_train_in_bf16()
    for _ in range(2):
        begun = time.perf_counter()
        for _, batch in batches(some, slicer, tokens=_AT_ONCE):
            with torch.inference_mode(), torch.autocast(device(), torch.bfloat16, enabled=bf16):
                trainable.module(*(torch.from_numpy(column).to(device()) for column in batch))
        took = time.perf_counter() - begun
    return took / len(some)


def _preparation(backbone: Backbone) -> TextPreparation:
    if not isinstance(backbone.preparation, TextPreparation):
        raise TypeError("a reader reads texts")
    return backbone.preparation


def _key(questions: Questions, backbone: Backbone, terms: Terms) -> str:
    """Names the run: the same command on the same data finds what it had done before it was killed."""
    asked = [FORM, "spans", backbone.function, asdict(_preparation(backbone)), terms.how, terms.budget.seconds]
    told = [*asked, terms.seed, __version__, version("torch"), questions.questions, questions.context.tolist()]
    seen = hashlib.sha256(repr([*told, questions.answers]).encode("utf-8", "surrogatepass"))
    for text in (*questions.contexts, *questions.documents):  # folds go by document
        seen.update(text.encode("utf-8", "surrogatepass"))
    return seen.hexdigest()[:24]
