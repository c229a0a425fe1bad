"""Thresholds and intervals of a tuned model: of weights like its own, from examples that these have not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import headstart as hs
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.fine_tune import finetune
from headstart.adapt.policy import TUNING
from headstart.adapt.ridge import GAUSSIAN
from headstart.adapt.sigmoid import SIGMOID
from headstart.adapt.trial import Runs, StopSignal
from small_models import WORDS, small_text_model
from test_sample_weight import lesson_of

pytestmark = pytest.mark.usefixtures("on_a_cpu")


def texts(n: int = 48) -> list[str]:
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS[:10], 6)) for _ in range(n)]


def times(word: str) -> list[float]:
    """A number for each text."""
    return [text.split().count(word) + number / 1000 for number, text in enumerate(texts())]


def which(*words: str) -> list[list[str]]:
    """Labels for each text."""
    return [[word for word in words if word in text.split()] for text in texts()]


class Fit:
    """One fit half the way from the probe, which may be stopped at a step of a run."""

    def __init__(self, home, targets, *, stop=("", 0)):
        dataset, weights = hs.check(texts(), targets).dataset, np.linspace(1, 5, len(targets))
        self.lesson = lesson_of(dataset, home / "bert", weights)
        self.training = self.lesson.training(Checkpoint(home / "run"))
        self.watch = StopSignal(left=lambda: 1e9, listen=self._listen)
        self.stop, self.runs = stop, Runs(self.training.objective, Checkpoint(home / "run"), self.watch)
        self.tuned = finetune(self.runs, self.training.choices, folds=self.training.folds, insist=True)
        self.head, _ = self.training.finish(self.tuned)

    def _listen(self, name, step, recipe):
        self.watch.stopped = self.watch.stopped or (name, step.number) == self.stop

    def left(self, fold: int) -> dict[str, np.ndarray]:
        """By the run that this fold was held out of; of the validation part that is the best trial."""
        recipe, kept = self.tuned.recipe, self.runs.checkpoint
        (best,) = kept.folder.glob(f"trial-{recipe.depth}-{recipe.rate:.2e}-*.weights.safetensors")
        return kept.results(f"fold-{fold}" if fold else best.name.removesuffix(".weights.safetensors"))

    def held_out(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Its rows, and what half the way of the run that has not learned from them answers."""
        learn, rows = np.flatnonzero(self.training.folds != fold), np.flatnonzero(self.training.folds == fold)
        start = self.training.objective.start(learn)
        return rows, self.runs.outputs(self.tuned.recipe, start, self.left(fold), rows, share=0.5)


@pytest.fixture
def half(tmp_path, monkeypatch):
    """A folder with a model, for short runs."""
    monkeypatch.setattr("headstart.adapt.linear_training.TUNING", replace(TUNING, shares=(0.5,)))
    monkeypatch.setattr("headstart.adapt.schedule.TUNING", replace(TUNING, most_epochs=4))
    small_text_model("bert", tmp_path / "bert")
    return tmp_path


@pytest.mark.parametrize(("targets", "family"), [(times("card"), GAUSSIAN), (which("card", "pin"), SIGMOID)])
def test_they_are_of_the_weights_that_are_kept_and_of_all_folds(half, targets, family):
    fit = Fit(half, targets)
    assert fit.tuned.share == 0.5
    rows, outputs = (np.concatenate(columns) for columns in zip(*map(fit.held_out, range(4)), strict=True))
    assert sorted(rows) == list(range(len(targets)))
    dataset, head = fit.lesson.dataset, fit.head
    expected = family.calibrated(head, outputs / head.temperature, dataset.y[rows], dataset.weights_of(rows))
    assert (head.width, head.thresholds) == (expected.width, expected.thresholds)
    few, whole = rows[fit.training.folds[rows] == 0], fit.left(0)["kept"]
    other = family.calibrated(head, whole / head.temperature, dataset.y[few], dataset.weights_of(few))
    assert (head.width, head.thresholds) != (other.width, other.thresholds)  # those of another network


def test_stopped_in_another_fold_they_end_the_same(half):
    stopped = Fit(half, times("card"), stop=("fold-2", 5))
    again = Fit(half, times("card"))
    assert len(stopped.tuned.rows) < len(again.tuned.rows) == len(texts())
    (half / "run").rename(half / "before")
    calm = Fit(half, times("card"))
    assert again.head.width == calm.head.width
    np.testing.assert_array_equal(again.head.weight, calm.head.weight)
