"""Whatever ends a fit's training, the clock, the user or a loss out of bounds, the best model so far comes out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.fine_tune import Tuned, finetune
from headstart.adapt.loop import Recipe, Tuning
from headstart.adapt.policy import TUNING
from headstart.adapt.search import Choices, label_smoothing, mixup, other_views, rate_between
from headstart.adapt.training_plan import for_a_long_run
from headstart.adapt.trial import Runs, StopSignal
from toy_task import Clock, Toy

pytestmark = pytest.mark.check


class Fit:
    """One fit of a toy task, which may be stopped at a step of a run, and is seen."""

    def __init__(
        self,
        home,
        *,
        n=400,
        budget=1e9,
        stop=None,
        breaks=float("inf"),
        rate=1e-3,
        regularisers=(),
        shares=(1.0,),
        insist=True,
        depths=(1,),
        preparing=None,
        paces=None,
        many=None,
    ):
        self.toy = Toy(n, Clock(), breaks=breaks, preparing=preparing or {})
        self.steps: dict[str, int] = {}
        self.rates: dict[str, float] = {}  # at the last step
        self.plans: list[str] = []
        left = lambda: budget - self.toy.clock()  # noqa: E731
        self.watch = StopSignal(left=left, listen=self._listen, planned=self.plans.append)
        self.stop, self.paces = stop, paces or {}
        runs = Runs(self.toy, Checkpoint(home), self.watch, clock=self.toy.clock)
        folds = np.arange(n) % (4 if n <= 2000 else 10)
        choices = Choices(depths, rate, regularisers, shares, many)
        self.tuned: Tuned | None = finetune(runs, choices, folds=folds, insist=insist)

    def _listen(self, name, step, recipe):
        self.steps[name], self.rates[name] = step.number, step.rate
        self.toy.clock.a_step *= self.paces.get((name, step.number), 1.0)
        run, at = self.stop or ("", 0)
        if run and name.startswith(run) and step.number == at:
            self.watch.stopped = True

    @property
    def logits(self):
        return self.toy.asked(self.tuned.network)


def apart(a, b) -> float:
    return float(np.abs(a - b).max())


@pytest.fixture
def calm(tmp_path) -> Fit:
    return Fit(tmp_path / "calm")


def test_a_last_run_that_was_hardly_begun_is_not_taken(tmp_path, calm):
    """It starts as a probe of all examples, so it knows those that it is judged on: that proves nothing."""
    stopped = Fit(tmp_path / "stopped", stop=("last", 1))
    assert stopped.steps["last"] == 1
    probe = stopped.toy.start(np.arange(400))
    network, _ = stopped.toy.network(stopped.toy.at(1), probe)
    at_start = stopped.toy.asked(network)
    stopped_again = Fit(tmp_path / "stopped", stop=("last", 1))
    assert apart(stopped_again.logits, at_start) > 0.1
    assert stopped.tuned.verdict == calm.tuned.verdict


@pytest.mark.parametrize("n", [400, 6000])
def test_stopped_early_in_the_main_run_the_best_trial_is_taken(tmp_path, n):
    stopped = Fit(tmp_path / "stopped", n=n, stop=("main", 2))
    best = min(trial.log_loss for trial in stopped.tuned.trials)
    assert stopped.steps["main"] == 2
    assert stopped.tuned.recipe in [trial.recipe for trial in stopped.tuned.trials]
    assert stopped.tuned.verdict.n == n / (4 if n <= 2000 else 10)
    assert stopped.tuned.verdict.tuned_log_loss == pytest.approx(best, abs=1e-3)


@pytest.mark.parametrize("moment", [("trial", 20), ("main", 3), ("last", 5)])
def test_what_the_user_stopped_goes_on_at_the_next_start(tmp_path, calm, moment):
    """If the model of a stopped fit could not be saved, the same command ends where an undisturbed one does."""
    stopped = Fit(tmp_path / "stopped", stop=moment)
    assert stopped.tuned is not None
    again = Fit(tmp_path / "stopped")
    assert apart(again.logits, calm.logits) == 0
    assert again.tuned.trials == calm.tuned.trials
    assert again.tuned.verdict == calm.tuned.verdict
    assert apart(stopped.logits, calm.logits) > 0


def test_stopped_in_the_first_trial_its_weights_are_taken(tmp_path):
    stopped = Fit(tmp_path / "stopped", stop=("trial", 40))
    assert list(stopped.steps.values()) == [40]
    assert not stopped.tuned.trials
    assert stopped.tuned.verdict.tuned_log_loss < stopped.tuned.verdict.untuned_log_loss


def test_a_rate_at_which_the_loss_is_no_number_is_left(tmp_path):
    found = Fit(tmp_path / "fit", rate=1e-3, breaks=0.02)
    diverged = [trial for trial in found.tuned.trials if not np.isfinite(trial.log_loss)]
    assert diverged
    assert all(trial.row()["log_loss"] is None for trial in diverged)
    assert found.tuned.recipe.rate < min(trial.recipe.rate for trial in diverged)
    assert np.isfinite(found.logits).all()


def test_a_main_run_out_of_bounds_is_tried_more_slowly(tmp_path):
    """Without time for a search, nothing but the main run meets a rate that is too high."""
    found = Fit(tmp_path / "fit", n=6000, budget=6.0, rate=9e-3, breaks=0.05)
    assert not found.tuned.trials
    assert "main-1" in found.steps
    assert np.isfinite(found.logits).all()


@pytest.mark.parametrize(("n", "share"), [(40, 0.5), (60, 1.0)])
def test_few_examples_go_half_the_way_where_that_does_better(tmp_path, n, share):
    """By log loss on what was held out; the weights are then those midway between the start and the trained ones."""
    half, whole, found = (Fit(tmp_path / f"{shares}", n=n, shares=shares) for shares in [(0.5,), (1.0,), (0.5, 1.0)])
    better = min(half, whole, key=lambda fit: fit.tuned.verdict.tuned_log_loss)
    assert found.tuned.share == better.tuned.share == share
    assert found.tuned.verdict == better.tuned.verdict
    assert apart(found.logits, better.logits) == 0
    toy = half.toy
    midway = {name: tensor.clone() for name, tensor in half.tuned.network.state_dict().items()}
    start, _ = toy.network(toy.at(1), toy.start(np.arange(n)))
    for name, tensor in start.state_dict().items():
        torch.testing.assert_close(midway[name], (tensor + whole.tuned.network.state_dict()[name]) / 2)


def test_many_examples_go_all_the_way(tmp_path):
    assert Fit(tmp_path / "fit", n=1200, shares=(0.5, 1.0)).tuned.share == 1


def test_a_change_that_helps_next_to_nothing_does_not_lose_the_weights_before_it(tmp_path, monkeypatch):
    """A trial lower by less than what counts is passed over: the one that is held must still have its weights."""
    monkeypatch.setattr("headstart.adapt.search.TUNING", replace(TUNING, enough_gain=0.5))
    found = Fit(tmp_path / "fit", n=120, regularisers=(mixup, label_smoothing))
    assert (found.tuned.recipe.rate, found.tuned.recipe.mixup) == (1e-3, 0.0)
    assert min(trial.log_loss for trial in found.tuned.trials[1:]) < found.tuned.trials[0].log_loss
    assert np.isfinite(found.logits).all()


@pytest.mark.parametrize("budget", [4.0, 15.0, 60.0, 200.0])
@pytest.mark.parametrize("n", [900, 20_000])
def test_the_budget_is_kept_and_used(tmp_path, n, budget):
    """By a clock on which each step takes 0.05 seconds, asking a third of that, and nothing else takes any."""
    found = Fit(tmp_path / "fit", n=n, budget=budget)
    if found.tuned is None:
        assert found.toy.clock() < 0.4 * budget
        return
    assert found.toy.clock() <= budget + 2 * found.toy.clock.a_step
    (plan,) = found.plans
    foreseen = float(plan.split()[-2])
    assert 0.6 * foreseen <= found.toy.clock() <= 1.8 * foreseen
    full = 15 * 24 if n == 900 else 3 * 563
    assert found.toy.clock() >= min(0.8 * budget, full * found.toy.clock.a_step)


def test_where_the_time_is_over_at_once_there_is_no_model(tmp_path):
    found = Fit(tmp_path / "fit", budget=0.01)
    assert found.tuned is None
    assert found.toy.clock() <= 3 * found.toy.clock.a_step


def test_a_depth_that_takes_too_long_to_prepare_is_left(tmp_path):
    found = Fit(tmp_path / "fit", depths=(1, 2), budget=100.0, preparing={(1, False): 60.0, (2, False): 10.0})
    assert {trial.recipe.depth for trial in found.tuned.trials} == {2}
    assert found.toy.clock() <= 100.0


def test_another_depth_gets_less_time_to_be_prepared(tmp_path):
    found = Fit(tmp_path / "fit", depths=(1, 2), budget=100.0, preparing={(1, False): 10.0, (2, False): 40.0})
    assert {trial.recipe.depth for trial in found.tuned.trials} == {1}


def test_where_nothing_can_be_prepared_in_time_nothing_is_tuned(tmp_path):
    found = Fit(tmp_path / "fit", depths=(1, 2), budget=100.0, preparing={(1, False): 60.0, (2, False): 60.0})
    assert found.tuned is None
    assert found.toy.clock() == 0


@pytest.mark.parametrize(("seconds", "tried"), [(1.0, True), (1e6, False)])
def test_other_views_are_made_where_that_leaves_time_for_the_main_run(tmp_path, seconds, tried):
    found = Fit(tmp_path / "fit", budget=300.0, regularisers=(other_views, mixup), preparing={(1, True): seconds})
    assert any(trial.recipe.varied for trial in found.tuned.trials) == tried
    assert any(trial.recipe.mixup for trial in found.tuned.trials)
    assert found.toy.clock() <= 300.0


@pytest.mark.parametrize(("budget", "batch"), [(20, 32), (50, 64)])
def test_a_long_run_of_few_epochs_takes_larger_batches(tmp_path, budget, batch):
    """Where each example is seen less than twice; 400 steps of 32 are too few to halve their number."""
    found = Fit(tmp_path / "fit", n=40_000, budget=budget, many=3)
    recipe = found.tuned.recipe
    assert (recipe.depth, recipe.batch, recipe.dropout) == (3, batch, False)
    assert recipe.rate == pytest.approx(1e-3 * 2 * (batch / 32) ** 0.5)
    assert recipe.steps * batch < 2 * 36_000
    assert 0.9 * budget < found.toy.clock() <= budget


@pytest.mark.parametrize("later", [0.6, 1.5])
def test_a_long_run_of_few_epochs_is_as_long_as_there_is_time_for_whatever_its_first_steps_took(tmp_path, later):
    """A machine becomes faster, or slower, once the run is on its way; what was cut short goes on as it would have."""
    slower = {("main", 2): later}  # or faster
    found = Fit(tmp_path / "fit", n=40_000, budget=50, paces=slower)
    assert 0.9 * 50 < found.toy.clock() <= 50.5
    assert found.tuned.recipe.steps == found.steps["main"]
    stop = ("main", round(0.9 * found.steps["main"]))
    stopped = Fit(tmp_path / "stopped", n=40_000, budget=50, paces=slower, stop=stop)
    assert stopped.steps["main"] == stop[1]
    again = Fit(tmp_path / "stopped", n=40_000, budget=50, paces=slower)
    assert again.tuned.recipe == found.tuned.recipe
    assert apart(again.logits, found.logits) == 0


@pytest.mark.parametrize("later", [0.6, 1.5])
def test_so_is_a_run_after_a_search(tmp_path, later):
    found = Fit(tmp_path / "fit", n=6000, budget=70, paces={("main", 2): later})
    assert found.tuned.trials
    assert 0.9 * 70 < found.toy.clock() <= 70.5
    assert found.rates["main"] < 0.01 * found.tuned.recipe.rate  # it came to its end


def test_a_run_longer_than_any_trial_takes_less_than_the_rate_that_they_found(tmp_path):
    found = Fit(tmp_path / "fit", n=6000)
    best, recipe = min(found.tuned.trials, key=lambda trial: trial.log_loss).recipe, found.tuned.recipe
    assert recipe.steps > 1000
    assert 0.7 * best.rate < recipe.rate < 0.9 * best.rate
    shorter = Fit(tmp_path / "shorter", n=1200)
    assert shorter.tuned.recipe.steps < 500
    assert shorter.tuned.recipe.rate in [trial.recipe.rate for trial in shorter.tuned.trials]


def test_a_very_long_run_trains_more_of_the_model_in_larger_batches(tmp_path):
    """Two epochs without dropout, averaged over more of them, with or without time for a search before. What may help
    against learning by heart is not tried: in a shorter trial it can seem to help where it does not."""
    found = Fit(tmp_path / "fit", n=40_000, many=3, regularisers=(label_smoothing,))
    trials, recipe = [trial.recipe for trial in found.tuned.trials], found.tuned.recipe
    assert {(trial.depth, trial.batch, trial.steps) for trial in trials} == {(1, 32, 500)}
    assert (recipe.depth, recipe.batch, recipe.steps, recipe.dropout) == (3, 128, 2 * 282, False)
    assert f"then {recipe.steps} steps of 128: about" in found.plans[0]
    assert {trial.smoothing for trial in (*trials, recipe)} == {0.0}
    assert recipe.averaged == 0.25
    between = rate_between(found.tuned.trials, found.tuned.trials[0])  # hardly any other is better than the first rate
    assert 1e-3 / 3 < between < 1e-3
    assert recipe.rate == pytest.approx(2 * (500 / (2 * 282)) ** 0.32 * between)
    hurried = Fit(tmp_path / "hurried", n=24_000, many=3, budget=115).tuned
    assert (len(hurried.trials), hurried.recipe.batch, hurried.recipe.averaged) == (0, 128, 0.25)
    tried = Fit(tmp_path / "shorter", n=20_000, many=3, regularisers=(label_smoothing,)).tuned
    shorter = tried.recipe
    assert (shorter.depth, shorter.batch, shorter.steps) == (1, 32, 3 * 563)
    assert shorter.averaged == 0.05
    assert 0.1 in [trial.recipe.smoothing for trial in tried.trials]


def test_a_run_that_turns_out_to_be_long_after_the_search_is_not_smoothed():
    """A machine that got faster has time for one, where label smoothing was tried because none was foreseen."""
    short = label_smoothing(Recipe(2, 1e-3, 3000, 32))
    recipe = for_a_long_run(short, Choices((2,), 1e-3, many=3))
    assert (short.smoothing, recipe.smoothing) == (0.1, 0.0)
    assert (recipe.depth, recipe.batch, recipe.steps, recipe.dropout) == (3, 128, 750, False)


@pytest.fixture(scope="module")
def long(tmp_path_factory) -> Fit:
    return Fit(tmp_path_factory.mktemp("long"), n=24_000)


def test_a_long_run_is_averaged_with_others_in_another_order(tmp_path, long):
    """As long as there is time, and each of them makes the answers to what none of them has seen better."""
    alone = Fit(tmp_path / "alone", n=24_000, budget=0.65 * long.toy.clock())
    assert [name for name in alone.steps if not name.startswith("trial")] == ["main"]
    assert [name for name in long.steps if not name.startswith("trial")] == ["main", "again-1", "again-2"]
    assert long.tuned.recipe == alone.tuned.recipe
    assert (alone.tuned.averaged, long.tuned.averaged) == (1, 3)
    assert long.tuned.verdict.tuned_log_loss < alone.tuned.verdict.tuned_log_loss
    assert 0 < apart(long.logits, alone.logits) < 1
    assert [plan.split(",")[0] for plan in long.plans[1:]] == [f"the same {3 * 675} steps in another order"] * 2


@pytest.mark.parametrize(("moment", "left"), [(("again-1", 900), 1), (("again-2", 900), 2)])
def test_what_is_stopped_in_another_run_keeps_those_before_it(tmp_path, long, moment, left):
    stopped = Fit(tmp_path / "stopped", n=24_000, stop=moment)
    assert stopped.tuned.averaged >= left
    assert stopped.tuned.verdict.tuned_log_loss < 1.02 * long.tuned.verdict.tuned_log_loss
    again = Fit(tmp_path / "stopped", n=24_000)
    assert apart(again.logits, long.logits) == 0
    assert again.tuned.verdict == long.tuned.verdict


def test_what_was_cut_short_goes_on_by_its_plan_though_it_has_all_the_time_again(tmp_path):
    early = {"n": 40_000, "budget": 50}
    planned = Fit(tmp_path / "fit", **early).steps["main"]
    Fit(tmp_path / "stopped", **early, stop=("main", round(0.6 * planned)))
    assert Fit(tmp_path / "stopped", **early).steps["main"] == pytest.approx(planned, rel=0.02)


def test_the_average_of_a_run_that_is_cut_short_has_left_the_start():
    """Though it was to be over a quarter of ten times as many steps."""
    toy = Toy(400)
    body, rows = toy.at(1), np.arange(400)
    network, head = toy.network(body, toy.start(rows))
    weights = lambda: torch.cat([p.detach().flatten() for p in network.parameters()])  # noqa: E731
    start, recipe = weights(), Recipe(1, 1e-2, steps=400, averaged=0.25)
    tuning = Tuning(network, [*body.groups, head], body.plain, toy.loss(rows, "cpu"), recipe)
    for step in tuning:
        if step.number == 40:
            break
    last = weights()
    tuning.take_average()
    assert 0 < (weights() - last).norm() < 0.5 * (start - last).norm()
