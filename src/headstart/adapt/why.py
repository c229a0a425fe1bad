"""Why a tuned model is taken, or the probe kept: the paired test of the two, told to a person.

What reads like a contradiction is said in full: that 0.967 against 0.883 may be chance on sixty examples, or that
answers are right more often while the loss, which decides, is no lower.
"""

from __future__ import annotations

from dataclasses import dataclass

from headstart.evaluate.paired_test import FEWEST, PairedTest
from headstart.task import Task


@dataclass(frozen=True)
class Compared:
    """A tuned model beside the probe, on the same held-out training examples."""

    test: PairedTest
    task: Task
    weighted: bool = False  # whether the examples count as many

    def taken(self) -> str:
        """Why the tuned model is taken: it is better, or it was asked for."""
        if not self.test.tuned_is_better:
            return f"tuned as asked for, though {self._not_proved()}"
        if self._tuned >= self._probe:
            return f"tuned, better: {self._where} {self._figures} of the probe, {self._losses}"
        return f"tuned, better: {self._where} {self._losses} of the probe; {self._figures} can be chance"

    def likely(self) -> str:
        """Why a model is taken that is no worse, where examples are too few to prove more."""
        chance = "" if self.test.tuned_is_better else "; the difference can be chance"
        return f"tuned on pairs of texts: {self._where} {self._figures} of the probe, {self._losses}{chance}"

    def kept(self) -> str:
        """Why the probe is kept."""
        return f"the probe is kept: {self._not_proved()}"

    def _not_proved(self) -> str:
        told = f"{self._figures} of the probe, {self._losses}"
        if self.test.n < FEWEST:
            return f"too few were held out to prove that tuning is better ({self._where} {told})"
        if self._tuned <= self._probe:
            return f"tuning was no better: {self._where} {told}"
        if self._by_metric or self.test.right_errors <= self.test.noise:
            return f"{self._where} {self._difference} can be chance: {told}; more labels would tell"
        return f"{self._where} {self._figures} of the probe is more often right, but what decides is {self._losses}"

    @property
    def _by_metric(self) -> bool:
        """Whether the user chooses by a metric."""
        return self.task.chosen_by is not None and self.test.tuned_cost is not None

    @property
    def _tuned(self) -> float:
        return self._figure(self.test.tuned_cost, self.test.tuned_accuracy)

    @property
    def _probe(self) -> float:
        return self._figure(self.test.untuned_cost, self.test.untuned_accuracy)

    def _figure(self, cost: float | None, accuracy: float) -> float:
        by = self.task.chosen_by
        return accuracy if by is None or cost is None else by.figure(cost)

    @property
    def _figures(self) -> str:
        by = self.task.chosen_by
        what = by.in_words if by is not None and self._by_metric else self.task.words.right.lower()
        return f"{what} {self._tuned:.3f} against {self._probe:.3f}"

    @property
    def _losses(self) -> str:
        return f"{self.task.words.loss} {self.test.tuned_log_loss:.3f} against {self.test.untuned_log_loss:.3f}"

    @property
    def _where(self) -> str:
        whose = "" if self.test.groups is None else f" of {self.test.groups} groups"
        worth = " (weighted: as many as they are worth)" if self.weighted else ""
        return f"on {self.test.n} held-out training examples{whose}{worth}"

    @property
    def _difference(self) -> str:
        if self._by_metric or self.weighted:
            return "such a difference"
        answers = round((self._tuned - self._probe) * self.test.n)
        return f"a difference of {answers} answer{'' if answers == 1 else 's'}"
