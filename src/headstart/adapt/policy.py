"""The numbers that fine-tuning goes by, in one place, each with what it rests on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TuningPolicy:
    """What was decided by measurement; a test or a bench may put another one in its place."""

    # How long runs are.
    examples_seen: int = 30_000  # by a full run, about; between the fewest and the most epochs
    fewest_epochs: int = 3
    most_epochs: int = 15
    shortest_run: int = 30  # steps of a main run: with fewer nothing is learned
    searched_from: int = 150  # steps of a main run from which searching for its recipe is worth the time
    unsearched: int = 300  # steps (or half an epoch) of a main run that there was no time to search for
    safe_epochs: int = 2  # times an example is seen, below which it is not learned by heart: once more is worth more
    doubled_from: int = (
        600  # steps of a run of few epochs from which half of twice the examples is as good (docs/tuning.md)
    )
    # What a step takes later, over what it took when it was measured. Little is lost where it takes longer than that:
    # the rate falls to zero, so the last twentieth of a run moves next to nothing.
    margin: float = 1.02
    forward_share: float = 1 / 3  # of what training on an example takes, asking about it does
    recounted_at: tuple[float, ...] = (0.2, 0.5, 0.8)  # of a run's steps, it is counted again how many there can be

    # Trials, and where they look.
    trials: int = 4  # that a search does, about
    trial_share: float = 1 / 3  # steps of a trial, over those of the main run: shorter ones favour low rates
    shortest_trial: int = 60  # steps, unless a full run is shorter
    longest_trial: int = 500  # steps that say as much as more of them (docs/tuning.md)
    other_depth_share: float = 0.2  # of the time, at most, for a trial of another depth, and as much to prepare it
    preparing_share: float = 0.5  # of the time, at most, for running once what is frozen
    rate_factor: float = 3.0  # between one rate and the next
    highest_rate: float = 1e-2
    lowest_rate: float = 1e-6
    enough_gain: float = 1e-3  # nats by which the next rate must be better to go on in its direction
    # A loss that is so many times the lowest, and so many nats above that, is out of hand.
    broken_times: float = 2.0
    broken_by: float = 0.1
    range_test_steps: int = 16
    main_tries: int = 4  # of a main run that goes out of all bounds, each at a lower rate

    # Where rates begin.
    text_rate: float = 2e-4  # MiniLM's, of this width (docs/tuning.md)
    text_width: int = 384
    image_rate: float = 1e-4
    lora_rate: float = 10.0  # times the rate of the weights: Schulman et al., LoRA Without Regret, 2025; docs/lora.md
    rate_power: float = 0.32  # of a run's length, by which its best rate falls: Bjorck et al., ICLR 2025

    # A step.
    warm_up: float = 0.1  # share of the steps over which the rate rises
    layer_decay: float = 0.8  # of the rate, from a group to the one below
    weight_decay: float = 0.01  # of matrices; not of norms and biases
    largest_gradient: float = 1.0  # norm, from which it is clipped
    averaged_every: int = 4  # steps between two updates of the weights' average
    lora_rank: int = 8
    lora_alpha: int = 16  # the scale is alpha / rank

    # Very many examples.
    long_from: int = 64_000  # examples that a run sees, all times counted, from which it is a long one (docs/tuning.md)
    long_batch: int = 4  # times the batch of such a run
    long_batch_gain: float = 1.1  # by so much an example is cheaper then, about: measured again before the run
    averaged_share: float = 0.25  # of such a run, that the weights are averaged over (docs/tuning.md)
    most_runs: int = 3  # that are averaged: each one more brings less

    # What is held out, and the verdict.
    validation: tuple[int, int] = (500, 2000)  # examples, at least (or a quarter) and at most; in between a tenth
    folds: int = 4  # at least; the validation part is one of them
    folded_up_to: int = 1000  # examples up to which the other folds are run too, and how far to go is asked
    shares: tuple[float, ...] = (0.5, 1.0)  # of the way from the probe: half is better where examples are few
    refit_from: int = 2000  # examples from which the penalty is not searched for again
    small_validation: float = 0.12  # share of the training part from which a last run learns from all of it
    done_share: float = 0.95  # of the steps of a last run, which is as good as all
    drawn: int = 2  # times the examples that there is time for: of so many, the least sure ones are learned from


TUNING = TuningPolicy()


@dataclass(frozen=True)
class FewLabelsPolicy:
    """How few labels of texts are tuned on (docs/tuning.md has what each number rests on)."""

    labels: int = 16  # of a class, on average, below which they are few
    classes: int = 8  # in a batch, at most
    batch: int = 32  # texts of a step
    rate: float = 2e-4  # as good in 20 steps as a quarter of it in 40
    temperature: float = 0.1  # of the contrastive loss: Khosla et al. 2020
    fewest_steps: int = 20
    most_steps: int = 60
    epochs: float = 1.4  # times a text is seen, in between
    folds: int = 3  # by which it is judged; each is a run of its own
    told: int = 100  # labels in all, below which nobody can tell whether usual tuning is better
    share: float = 0.5  # of the time that is left, above which it is not tried
    # Of photos, other crops are learned from beside each, in the probe (docs/log/2026-11-few-labels.md).
    views: int = 3
    most_viewed: int = 300  # photos, which take as long to crop and encode as so many more


FEW = FewLabelsPolicy()


@dataclass(frozen=True)
class ManyPolicy:
    """What is done otherwise where examples are very many (docs/log/2026-11-head-of-many.md has why)."""

    rows: int = 100_000  # examples beyond which they are
    held_out: int = 5  # one in so many is held out to choose the penalty by
    most_judged: int = 50_000  # but never more than these: from there chance moves the log loss by less than a penalty
    sampled: int = 65_536  # rows, at most, by which the solver learns how the loss bends
    sampled_cells: int = 2**23  # and logits of them
    most_sampled_outputs: int = 400  # classes beyond which so few rows say nothing of each


MANY = ManyPolicy()


@dataclass(frozen=True)
class ElsewherePolicy:
    """When training goes to other machines."""

    worth_from: float = 60.0  # seconds of training here; starting processes elsewhere takes half of that
    trials_from: float = 10.0  # and of one trial, where several are begun at once: these processes stay for the next
    timed: int = 8  # steps in a row that say what one takes
    slower: float = 1.0  # times what a step takes here, above which a run comes back


ELSEWHERE = ElsewherePolicy()
