"""The numbers that a comparison goes by, in one place, each with what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headstart.backbone import Kind


@dataclass(frozen=True)
class ComparingPolicy:
    """How much is compared, and how a model is trained from scratch; whoever compares may hand in another."""

    shares: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)  # of the training part's labels
    fewest_without_classes: int = 10  # labels of a point, where there are no classes to be covered
    most_tested: int = 2000  # examples that every model is asked about: its standard error is a point by then
    # What takes as long as it is given: in this order for each seed, with such shares of what time is left. The model
    # from scratch comes first, since nothing can be said without it; few labels first, which level off soonest.
    planned: tuple[tuple[str, float, float], ...] = (
        ("scratch", 0.1, 3.0),
        ("scratch", 0.25, 4.0),
        ("scratch", 0.5, 6.0),
        ("scratch", 1.0, 10.0),
        ("tuned", 1.0, 4.0),
        ("tuned", 0.25, 2.0),
        ("scratch", 0.05, 2.0),
        ("scratch", 0.02, 1.0),
        ("scratch", 0.01, 1.0),
        ("tuned", 0.5, 3.0),
        ("tuned", 0.1, 1.0),
        ("tuned", 0.05, 1.0),
        ("tuned", 0.02, 1.0),
        ("tuned", 0.01, 1.0),
    )
    writing: tuple[float, float] = (6.0, 0.03)  # seconds, or share of the budget, kept for what comes after training
    # Seconds for training, with less of which it is not begun, where the machine encodes as fast as it is supposed to:
    # opening a model and running its frozen layers once takes half of them, and cannot be cut short.
    shortest: float = 20.0
    enough: float = 0.8  # of the time that there is now: a run that had as much and was cut is not done again
    timed: tuple[int, int] = (2, 3)  # steps that warm up, and steps that are timed

    # Training from scratch. Rates are those that AdamW's users begin with: Touvron et al., DeiT, 2021 (images, per
    # batch of 512, of which the square root is taken here); Devlin et al., BERT, 2019, and RoBERTa (texts).
    batch: int = 32
    rates: Mapping[Kind, float] = field(default_factory=lambda: {"image": 1e-3, "text": 5e-4})
    held: int = 512 * 2**20  # bytes of decoded photos, at most, that are held in memory
    views: int = 16  # of each photo, the plain one among them: crops in other light, mirrored where that keeps classes
    warm_up: int = 50  # steps over which the rate rises
    cool_down: float = 0.25  # of the steps before, over which it falls to nothing in the end
    fewest_steps: int = 100  # before the loss may be called level
    foreseen_steps: int = 5  # after which it is foreseen whether there is time for the fewest, and half as many again
    most_steps: int = 1_000_000
    settled_on: int = 1024  # examples by which batch norms are measured at the end
    # Where the metric goes by thresholds: examples that are held out to find them, a tenth of those that there are, or
    # as many as this up to a quarter; where that is fewer than this, all are learned from, and a threshold is 0.5.
    held_out: int = 20

    # When a loss has levelled off.
    round_steps: int = 16  # steps, at least, over which it is averaged
    patience: int = 4  # rounds, at least, over which it must not have fallen
    patience_share: float = 1 / 3  # of the rounds before them: the longer it trained, the longer it is watched
    flat: float = 0.02  # share by which it may fall in that time
    by_heart: float = 0.05  # of the loss of one answer to all, below which there is nothing left to be learned
    learned: float = 0.9  # the same, above which it has not begun to learn

    # How photos are seen, where the time is too short for all their detail.
    foreseen_epochs: int = 60  # that levelling off takes, about
    details: Mapping[Kind, tuple[float, ...]] = field(  # of the pixels a side: 224, 160, 128, 96
        default_factory=lambda: {"image": (1.0, 0.75, 0.6, 0.45), "text": (1.0,)}
    )


COMPARING = ComparingPolicy()
