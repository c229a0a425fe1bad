"""What the long way of every fit has in common: a task trained within the budget, and its weights kept."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from headstart.adapt.checkpoint import Journal
from headstart.adapt.curves import Live
from headstart.adapt.fine_tune import Tuned, finetune
from headstart.adapt.loop import Recipe
from headstart.adapt.objective import Task
from headstart.adapt.search import Choices
from headstart.adapt.trial import Runs, Watch, until_interrupted
from headstart.clock import Budget
from headstart.encode.engines import device, may_train_in_bf16
from headstart.errors import OutputError
from headstart.pretrained.training import keep_tuned, with_weights
from headstart.progress import Progress
from headstart.storage.kept import cache_root, in_a_folder, room, writing
from headstart.storage.living import remove_folder
from headstart.storage.locks import Lock, take_lock
from headstart.storage.place import to_disk
from headstart.tracking.track import Record
from headstart.values import Backbone, Way

FORM = 7  # of journals: raise when what is written down changes
TUNED_AS: dict[str, Way] = {"auto": "tune", "tune": "tune", "full": "full", "lora": "lora"}
_TEXT_RATE, _TEXT_WIDTH = 2e-4, 384  # MiniLM's
_WIDTHS = ("hidden_size", "dim", "d_model", "emb_dim", "n_embd")
_IMAGE_RATE = 1e-4
_LORA = 10.0  # times the rate of the weights themselves: Schulman et al., LoRA Without Regret, 2025; docs/lora.md
_copies: dict[Path, Lock | None] = {}  # folders of tuned weights that this process made, and may read
_COPY = "copy-"  # decisions of a journal that name a folder of tuned weights
_STARTING = 6.0  # seconds kept for evaluating and saving: converting the tuned model takes most of it


@dataclass(frozen=True)
class Terms:
    """On which a task is trained."""

    how: str  # "auto", "tune", "full" or "lora"
    budget: Budget  # of the whole fit
    reserve: float  # seconds that are needed for the test part
    seed: int
    progress: Progress
    record: Record  # gets the curves


def tuned_on(
    task: Task,
    terms: Terms,
    journal: Journal,
    choices: Choices,
    *,
    folds: np.ndarray,
    insist: bool,
    look: Callable[[nn.Module, Recipe], Any] | None = None,
) -> Tuned | str:
    """Train, watched by the clock and the user; where nothing could be tried, why. Arguments as `finetune`."""
    budget = terms.budget
    live = Live(terms.progress, terms.record, lambda: budget.left)
    watch = Watch(
        left=lambda: budget.left - terms.reserve - _STARTING,
        listen=live.step,
        judged=live.judged,
        planned=lambda what: terms.progress.note(f"plan: {what}, of {max(0.0, budget.left):.0f} s that are left"),
    )
    runs = Runs(
        task,
        journal,
        watch,
        seed=terms.seed,
        may_bf16=may_train_in_bf16(),
        device=device(),
    )
    try:
        with until_interrupted(watch):
            tuned = finetune(runs, choices, folds=folds, insist=insist, look=look)
    except BaseException:
        journal.release()  # the error may be kept, and all that it came through: a notebook does that
        raise
    if tuned is not None:
        return tuned
    if watch.stopped:
        return "stopped before anything was tuned"
    return f"no time to tune within {budget.seconds:.0f} s: give it more with --budget"


def told(tuned: Tuned) -> dict[str, Any]:
    """What was tried and why it was taken or not, for the report and --json."""
    recipe, trials = asdict(tuned.recipe), [trial.row() for trial in tuned.trials]
    told = {"verdict": asdict(tuned.verdict), "trials": trials, "recipe": recipe}
    return told | {"share": tuned.share, "averaged_runs": tuned.averaged}


def rate(backbone: Backbone, *, how: str) -> float:
    """Where the search for the learning rate begins: wider models want smaller steps (docs/tuning.md)."""
    start = _IMAGE_RATE if backbone.kind == "image" else _TEXT_RATE * (_TEXT_WIDTH / _hidden(backbone)) ** 1.5
    return float(start * (_LORA if how == "lora" else 1))


def _hidden(backbone: Backbone) -> int:
    """The width of its layers, which every family of models has another name for."""
    told = backbone.config["transformers"]
    return int(next((told[name] for name in _WIDTHS if told.get(name)), _TEXT_WIDTH))


def keep(backbone: Backbone, module: nn.Module, journal: Journal) -> Backbone:
    """Write the tuned weights into the cache, into a folder of their own: equal fits end in equal weights.

    Args:
        journal: of the fit. Copies that it left when it was killed are removed.

    Raises:
        OutputError: they have no room, neither there nor where temporary files lie.
    """
    home, name = room("tuned"), secrets.token_hex(12)
    for left in map(str, journal.decided(f"{_COPY}*")):
        if left.isalnum():
            _remove_left(home / left)
    journal.once(f"{_COPY}{name}", lambda: name)
    made: list[Backbone] = []
    size = sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
    in_a_folder(
        home / name,
        lambda folder: made.append(_kept(backbone, module, folder)),
        what="the tuned model",
        size=size,
        say=False,  # it is saved elsewhere
    )
    return made[0]


def _kept(backbone: Backbone, module: nn.Module, folder: Path) -> Backbone:
    _copies[folder] = take_lock(folder)
    try:
        with writing(folder):
            folder.mkdir(parents=True)
        return keep_tuned(backbone, module, folder)
    except BaseException:
        _remove(folder)
        raise


def moved(backbone: Backbone, folder: Path) -> Backbone:
    """The same backbone, its weights in another folder."""
    return with_weights(backbone, folder / backbone.weights.name, backbone.weights_hash)


def settle(backbone: Backbone, folder: Path) -> Backbone:
    """The tuned backbone in the folder that it was saved to; the copy in the cache is removed, once that is on the disk
    and not only in the system's memory."""
    with suppress(OSError):  # a file system that cannot say when
        to_disk(folder)
    _remove(backbone.weights.parent)
    return moved(backbone, folder)


def _remove_left(copy: Path) -> None:
    """Unless a process that is alive has it."""
    with suppress(OutputError, OSError):  # read only
        lock = take_lock(copy)
        if lock is not None:
            try:
                remove_folder(cache_root(), copy)
            finally:
                lock.release()


def _remove(copy: Path) -> None:
    """With its lock; nothing that `keep` did not make in this process."""
    if copy not in _copies:
        return
    with suppress(OSError):  # read only
        if copy.parent == room("tuned"):
            remove_folder(cache_root(), copy)
        else:  # in the folder of this process's own, where the cache had no room
            shutil.rmtree(copy)
    lock = _copies.pop(copy)
    if lock is not None:
        with suppress(OSError):  # a lock's file that stays does no harm
            lock.release()
