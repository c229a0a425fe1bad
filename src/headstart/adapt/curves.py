"""What is told of training while it goes on: a line beside the bar, and curves to whoever tracks the fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

from headstart.adapt.loop import Recipe, Step
from headstart.adapt.search import Trial
from headstart.progress import Progress
from headstart.tracking.track import TrackedRun

_POINTS = 200  # of a curve, at most: each is the mean of its steps


@dataclass
class TrainingCurves:
    """Follows runs of training, which come one after the other."""

    progress: Progress
    record: TrackedRun
    left: Callable[[], float]  # seconds
    _trials: int = 0  # that were judged
    _judged: float | None = None  # what is chosen by, of the last one
    _run: str = ""
    _loss: float = 0.0  # of the steps since the last point
    _steps: int = 0

    def step(self, run: str, step: Step, recipe: Recipe) -> None:
        self.progress.tell(self._line(run, step, recipe))
        if run != self._run:
            self.record.parameters(asdict(recipe), run=run)
            self._run, self._loss, self._steps = run, 0.0, 0
        self._loss, self._steps = self._loss + step.loss, self._steps + 1
        if self._steps >= math.ceil(recipe.steps / _POINTS) or step.number == recipe.steps:
            self.record.scalars({"loss": self._loss / self._steps, "rate": step.rate}, run=run, step=step.number)
            self._loss, self._steps = 0.0, 0

    def judged(self, run: str, trial: Trial) -> None:
        """A trial has done so well on the validation part."""
        self._trials, self._judged = self._trials + 1, trial.cost
        scores = {"validation_log_loss": trial.log_loss, "validation_accuracy": trial.accuracy}
        scores |= {} if trial.other is None else {"validation_cost": trial.cost}
        self.record.scalars(scores, run=run, step=trial.recipe.steps)

    def _line(self, run: str, step: Step, recipe: Recipe) -> str:
        """At most 64 characters up to an hour, which 80 columns hold beside the name of the step."""
        name = f"trial {self._trials + 1}" if run.startswith("trial") else run
        judged = "" if self._judged is None else f" val {self._judged:.3f}"
        minutes, seconds = divmod(round(max(0.0, self.left())), 60)
        rate = f"{step.rate:.1e}".replace("e-0", "e-")
        return (
            f"{name} {step.number}/{recipe.steps} loss {step.loss:.3f}{judged} rate {rate} {minutes}:{seconds:02} left"
        )
