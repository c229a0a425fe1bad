"""Whether texts longer than a model reads are better read in windows, judged on a sample of the training part."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from headstart.backbone import Backbone
from headstart.choose.policy import ALONE, WINDOWS_SHARE
from headstart.choose.rate import OutOfTimeError, Rate
from headstart.data.sampling import sample
from headstart.encode.coverage import coverage, worth_knowing
from headstart.encode.encode import encode_rows
from headstart.encode.long_texts import in_windows
from headstart.evaluate.paired_test import FEWEST, PairedTest, verdict
from headstart.session import Session
from headstart.values import Dataset, Method


@dataclass(frozen=True)
class Reading:
    """How long texts are read."""

    backbone: Backbone
    notes: tuple[str, ...] = ()  # what was found, and why
    encoded: int = 0  # examples that this fit encoded in that way to find out


def choose_reading(
    dataset: Dataset, train: np.ndarray, backbone: Backbone, *, method: Method, session: Session
) -> Reading:
    """In windows whose features are averaged, where that is better on held-out examples of a sample, and there is time.

    Both ways are judged on the same folds, by what the fit chooses by, with the paired test that fine-tuning has to
    pass. Fine-tuning reads the beginning of a text: where it was asked for, nothing is tried.

    Args:
        dataset: checked. train: rows of its training part.
    """
    judge = dataset.task.learner.judge
    if not dataset.modality.windows or judge is None or method not in ("auto", "probe"):
        return Reading(backbone)
    long = coverage(dataset.inputs, train, backbone).tokens > backbone.texts.max_length
    if long.sum() < FEWEST or not worth_knowing(long):
        return Reading(backbone)
    some, windowed, begun = sample(dataset, train), in_windows(backbone), session.now()
    with session.progress.step("choose", 2 * len(some)) as advance:
        plain = encode_rows(some, np.arange(len(some)), backbone, advance=advance)
        encoded = len(some) - plain.cached
        rate = Rate(len(some), session.budget.share(WINDOWS_SHARE), advance, session.now)
        try:
            whole = encode_rows(some, np.arange(len(some)), windowed, advance=rate)
        except OutOfTimeError:
            took = (session.now() - begun) * len(some) / max(1, rate.done)
            return Reading(backbone, (_no_time("windows of long texts were not tried", took, session),), encoded)
    seconds = (session.now() - begun) * (len(dataset) - len(some)) / len(some)
    found = verdict(judge(some, plain), judge(some, whole))
    said = _said(dataset, found)
    if not found.tuned_is_better:
        clearly = "clearly " if found.tuned_accuracy > found.untuned_accuracy else ""
        why = f"windows of long texts are not {clearly}better than their beginning: {said}"
        return Reading(backbone, (why,), encoded)
    if seconds > session.budget.share(ALONE if method == "probe" else WINDOWS_SHARE).left:
        what = f"windows of long texts would be better ({said}), and are not used"
        return Reading(backbone, (_no_time(what, seconds, session),), encoded)
    note = (
        f"texts longer than {backbone.texts.max_length} tokens are read in windows, whose features are averaged: {said}"
    )
    return Reading(windowed, (note,), len(some) - whole.cached)


def _no_time(what: str, seconds: float, session: Session) -> str:
    """A note, with a budget that would do."""
    minutes = math.ceil((session.budget.seconds + seconds / WINDOWS_SHARE) / 60)
    return f"{what}: that takes about {seconds:.0f} s more; --budget {minutes}m leaves time for it"


def _said(dataset: Dataset, found: PairedTest) -> str:
    """What the paired test came to, windows first."""
    task, figures = dataset.task, (found.tuned_accuracy, found.untuned_accuracy)
    what = task.words.right.lower()
    if task.chosen_by is not None and found.tuned_cost is not None and found.untuned_cost is not None:
        what = task.chosen_by.in_words
        figures = task.chosen_by.figure(found.tuned_cost), task.chosen_by.figure(found.untuned_cost)
    return (
        f"on {found.n} held-out training examples {what} {figures[0]:.3f} against {figures[1]:.3f}, "
        f"{task.words.loss} {found.tuned_log_loss:.3f} against {found.untuned_log_loss:.3f}"
    )
