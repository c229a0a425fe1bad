"""One run of training on some examples, judged on others: from the probe's head, watched by the clock, resumable."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.adapt.batches import Twice
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.elsewhere import steps_of, trainers
from headstart.adapt.loop import Recipe, Step, Tuning, outputs_of
from headstart.adapt.objective import Objective
from headstart.adapt.schedule import Recount, full_run
from headstart.adapt.search import Trial, range_test
from headstart.adapt.trainable_parts import TrainablePart
from headstart.errors import first_line

SECONDS_LOST = 15.0  # at most, by a kill: so often is the state kept
_WARMING = 2  # steps before any is timed
_PACED = (3, 24)  # steps (or pairs of them) that are timed, at least and at most
_PACING = 2.0  # seconds that timing takes, once there are enough steps
_PACING_SHARE = 0.05  # of the time that is left, after which one step must do
_COMPILED = 1200.0  # seconds of training from which trying to compile, 30 to 70 of them, is little
_RANGE = 100.0, 2.0  # how far below its rate a range test begins, and above it ends


@dataclass
class StopSignal:
    """Says when to stop: the time is over, or the user asked. What was reached by then counts."""

    left: Callable[[], float]  # seconds
    listen: Callable[[str, Step, Recipe], None] = lambda name, step, recipe: None  # after each step of a run
    judged: Callable[[str, Trial], None] = lambda name, trial: None  # after each trial
    foreseen: Callable[[float], None] = lambda seconds: None  # how long it would take to the end
    planned: Callable[[str], None] = lambda what: None  # what will be done, and about how long it takes
    stopped: bool = False
    a_step: float = math.inf  # seconds at most of a step, where there were too few to say more
    needs: float = math.inf  # seconds that would be enough to train anything, where there was no time

    @property
    def over(self) -> bool:
        return self.stopped or self.left() <= 0


@contextmanager
def until_interrupted(watch: StopSignal) -> Iterator[None]:
    """The first Ctrl-C ends training after the step in progress, the second one ends the program."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: Any) -> None:
        watch.stopped = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Runs:
    """What all runs on a user's training part share."""

    task: Objective
    checkpoint: Checkpoint
    watch: StopSignal
    seed: int = 0
    may_bf16: bool = False  # the processor has it
    device: str = "cpu"
    clock: Callable[[], float] = time.perf_counter
    preparing: dict[int, float] = field(default_factory=dict)  # by depth, seconds that it takes, as last foreseen

    def run(
        self,
        name: str,
        recipe: Recipe,
        *,
        start: Any,
        learn: np.ndarray,
        judge: np.ndarray,
        in_time: Callable[[int, float], int] | None = None,
    ) -> dict[str, np.ndarray]:
        """Train on the rows `learn`, from the task's `start`; the averaged weights' outputs for the rows `judge`.

        Args:
            name: of the run, in the checkpoint: what was finished under it before is not done again.
            in_time: how many steps there is time for in all, if so many are done and one takes so many seconds. Asked
                on the way, for a few steps say little: what one takes depends on how long its texts are.

        Where the user stops it, its state is kept, so that a later start goes on; at the end of the time it is done.

        Returns:
            "kept": (n_judge, k) float32, what the task keeps of them; "steps": how many were done; "seconds": one took
            of those that this start did, infinite where they were too few to say; "diverged": whether the loss was no
            number any more, and then nothing is kept; "weight NAME": what was trained.
        """
        known = self.checkpoint.results(name)
        if known is not None:
            return known
        body, network, tuning = self._begin(recipe, start, learn)
        others, diverged, ends = trainers(), False, list[float]()
        was_begun = others is not None and others.begun(name)  # its steps come from the first one on, many at once
        state = None if was_begun else self.checkpoint.last(name)
        if state is not None:
            tuning.restore(state)
        recount = Recount(
            in_time, lambda part, decide: self.decide_once(f"{name}-{part}", decide), resumed=tuning.done > 0
        )

        def count_again() -> None:
            steps = recount.steps(tuning.done, tuning.recipe.steps, _a_step(ends))
            tuning.recipe = replace(tuning.recipe, steps=steps)

        count_again()
        with closing(self._steps(name, tuning)) as steps:
            for step in steps:
                ends.append(self.clock())
                self.watch.listen(name, step, tuning.recipe)
                diverged = not math.isfinite(step.loss)
                if self.watch.over or diverged:
                    break
                count_again()
        unfinished = self.watch.stopped and tuning.done < tuning.recipe.steps
        if unfinished:
            self.checkpoint.keep(name, tuning.done, tuning.state())
        tuning.take_average()
        outputs = self._asked(network, body, judge[:0] if diverged else judge, recipe)
        told = {"steps": tuning.done, "seconds": math.inf if was_begun else _a_step(ends), "diverged": diverged}
        return self._left_behind(name, outputs, told, network, whole=not unfinished)

    def side_by_side(self, recipes: Mapping[str, Recipe], start: Any, learn: np.ndarray) -> None:
        """Have others begin these runs at once, the first ones first, before it is known which of them are wanted:
        `run` takes up what they came to. What they had begun besides is given up."""
        others = trainers()
        if others is not None:
            new = {name: recipe for name, recipe in recipes.items() if self.checkpoint.results(name) is None}
            runs = {name: partial(self._tuning, recipe, start, learn) for name, recipe in new.items()}
            others.side_by_side(runs, self.checkpoint)

    def _steps(self, name: str, tuning: Tuning) -> Generator[Step]:
        """Of a run, here or elsewhere."""
        watch = self.watch
        return steps_of(name, tuning, self.checkpoint, every=SECONDS_LOST, clock=self.clock, over=lambda: watch.over)

    def _tuning(self, recipe: Recipe, start: Any, learn: np.ndarray) -> Tuning:
        return self._begin(recipe, start, learn)[2]

    def _left_behind(
        self, name: str, outputs: np.ndarray, told: dict[str, Any], network: nn.Module, *, whole: bool
    ) -> dict[str, np.ndarray]:
        """What a run leaves; written down, if it was not stopped on its way."""
        results = {"kept": outputs, **{key: np.array(value) for key, value in told.items()}}
        weights = {f"weight {k}": v.detach().cpu().numpy().copy() for k, v in trained(network).items()}
        if whole:
            self.checkpoint.finish(name, results, weights)
        return results | weights

    def decide_once(self, name: str, decide: Callable[[], Any]) -> Any:
        """What was decided before; what is decided because the user stopped the run does not bind a later start."""
        return self.checkpoint.decide_once(name, decide, stands=lambda: not self.watch.stopped)

    def network(self, recipe: Recipe, start: Any, results: dict[str, np.ndarray], *, share: float = 1.0) -> nn.Module:
        """The network that a finished run left, or `share` of the way to it from its start.

        Its weights are in place in the backbone's module too.
        """
        return self._left(recipe, start, results, share)[1]

    def outputs(
        self, recipe: Recipe, start: Any, results: dict[str, np.ndarray], judge: np.ndarray, *, share: float
    ) -> np.ndarray:
        """(n_judge, k) float32: what the task keeps of that network's outputs for the rows `judge`."""
        body, network = self._left(recipe, start, results, share)
        return self._asked(network, body, judge, recipe)

    def prepared(self, depth: int, *, within: float, varied: bool = False) -> bool:
        """Run what is frozen at this depth; False where that takes longer than `within` seconds or the user ends it."""
        watch, end = self.watch, self.watch.left() - within

        def go_on(rest: float) -> bool:
            self.preparing[depth] = within + end - watch.left() + rest
            return not watch.stopped and watch.left() - rest >= end

        return self.task.bodies.prepare(depth, varied=varied, go_on=go_on)

    def needed(self, seconds: float) -> None:
        """Note what would have been enough: the least that any way of training takes."""
        self.watch.needs = min(self.watch.needs, seconds)

    def timed(self, recipe: Recipe, start: Any, learn: np.ndarray) -> tuple[Recipe, float]:
        """The recipe in the precision that is faster here, and what a step then takes, in seconds.

        bfloat16 halves the time of a transformer's steps and triples that of depthwise convolutions (torch 2.13, AMX).
        On a GPU, long training is compiled too, where that is faster.
        """
        if self.may_bf16:
            fastest, seconds = self._in_both(recipe, start, learn)
        else:
            fastest, seconds = recipe, self.seconds_a_step(recipe, start, learn)
        training = min(self.watch.left(), full_run(len(learn), recipe.batch) * seconds)
        if self.device != "cuda" or training < _COMPILED:
            return fastest, seconds
        return self._compiled(fastest, seconds, start, learn)

    def _compiled(self, recipe: Recipe, seconds: float, start: Any, learn: np.ndarray) -> tuple[Recipe, float]:
        """The recipe compiled, and what a step then takes, if that is less; what compiling took is spent by then."""
        tried = replace(recipe, compiled=True)
        try:
            found = self.seconds_a_step(tried, start, learn)
        except torch._dynamo.exc.TorchDynamoException as error:  # no compiler here, or code that it cannot read
            self.watch.planned(f"not compiled, for {first_line(error)}")
            return recipe, seconds
        return (tried, found) if found < seconds else (recipe, seconds)

    def seconds_a_step(self, recipe: Recipe, start: Any, learn: np.ndarray) -> float:
        """Infinite where the time was over before there was anything to say."""
        return _a_step(self._timed(recipe, start, learn))

    def _in_both(self, recipe: Recipe, start: Any, learn: np.ndarray) -> tuple[Recipe, float]:
        """The recipe in the faster precision, and what a step then takes.

        Each batch is done in both, one after the other, and what most batches say counts: whatever else is at work
        meets both alike. Timed one precision after the other, a busy moment decided it, and the same fit ended in one
        of two models.
        """
        most = _WARMING + _PACED[1]
        _, _, tuning = self._begin(replace(recipe, steps=2 * most), start, learn)
        tuning.feed = Twice(tuning.feed, recipe.batch)
        took: dict[bool, list[float]] = {False: [], True: []}
        begun = warm = before = self.clock()
        steps, left = iter(tuning), self.watch.left()
        for pairs in range(1, most + 1):
            for bf16 in (pairs % 2 > 0, pairs % 2 == 0):
                tuning.recipe = replace(tuning.recipe, bf16=bf16)
                next(steps)
                now = self.clock()
                took[bf16].append(now - before)
                before = now
            warm = now if pairs <= _WARMING else warm
            enough = pairs >= _WARMING + _PACED[0] and now - warm > 2 * _PACING
            slow = pairs > _WARMING and now - begun > 2 * _PACING_SHARE * left
            if enough or slow or self.watch.over:
                break
        plain, low = (np.array(took[bf16][_WARMING:]) for bf16 in (False, True))
        if not len(plain):
            self.watch.a_step = before - begun
            return replace(recipe, bf16=True), math.inf
        bf16 = bool(np.median(plain / np.maximum(low, 1e-9)) > 1)
        return replace(recipe, bf16=bf16), float((low if bf16 else plain).mean())

    def _timed(self, recipe: Recipe, start: Any, learn: np.ndarray) -> list[float]:
        """When each of a few steps ended, whose outcome is thrown away; the first ones, which warm up, do not count.

        Batches of texts are of many lengths, so a few of them say little: as many as two seconds hold, or all.
        """
        _, _, tuning = self._begin(replace(recipe, steps=_WARMING + _PACED[1]), start, learn)
        times, begun, left = list[float](), self.clock(), self.watch.left()
        for _ in tuning:
            times.append(self.clock())
            enough = len(times) >= _WARMING + _PACED[0] and times[-1] - times[_WARMING - 1] > _PACING
            slow = len(times) > _WARMING and times[-1] - begun > _PACING_SHARE * left
            if enough or slow or self.watch.over:
                break
        self.watch.a_step = (self.clock() - begun) / max(1, len(times))
        return times

    def range_tested(self, recipe: Recipe, start: Any, learn: np.ndarray) -> tuple[float, float]:
        """The recipe's learning rate, or a lower one that does not break out, for when there is time for one short run
        only; and what its steps take, in seconds."""
        _, _, tuning = self._begin(recipe, start, learn)
        times: list[float] = []
        below, above = _RANGE
        rate = range_test(
            tuning,
            lowest=recipe.rate / below,
            highest=recipe.rate * above,
            listen=lambda: times.append(self.clock()),
        )
        return rate, _a_step(times)

    def _begin(self, recipe: Recipe, start: Any, learn: np.ndarray) -> tuple[TrainablePart, nn.Module, Tuning]:
        body = self.task.bodies.at(recipe.depth)
        network, head = self.task.network(body, start)
        tuning = Tuning(
            network,
            [*body.groups, head],
            (body.varied() if recipe.varied and body.varied is not None else body.plain).take(learn),
            self.task.loss(learn, self.device),
            recipe,
            seed=self.seed,
            device=self.device,
            dropout=body.dropout and recipe.dropout,
        )
        return body, network, tuning

    def _left(
        self, recipe: Recipe, start: Any, results: dict[str, np.ndarray], share: float
    ) -> tuple[TrainablePart, nn.Module]:
        """The body and the network on it, `share` of the way from its start to what a finished run left."""
        body, network, _ = self._begin(recipe, start, np.arange(1))
        with torch.no_grad():
            for name, parameter in trained(network).items():
                parameter.lerp_(torch.from_numpy(results[f"weight {name}"]).to(parameter.device), share)
        return body, network

    def _asked(self, network: nn.Module, body: TrainablePart, rows: np.ndarray, recipe: Recipe) -> np.ndarray:
        if not len(rows):
            return np.empty((0, 1), dtype=np.float32)

        def keep(outputs: torch.Tensor, some: np.ndarray) -> np.ndarray:
            return self.task.kept(outputs, rows[some])

        return outputs_of(network, body.plain.take(rows), keep=keep, bf16=recipe.bf16, device=self.device)


def _a_step(times: Sequence[float]) -> float:
    """Seconds between the ends of steps, the first ones not counted."""
    if len(times) <= _WARMING:
        return math.inf
    return (times[-1] - times[_WARMING - 1]) / (len(times) - _WARMING)


def trained(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that a run changes, by name."""
    return {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
