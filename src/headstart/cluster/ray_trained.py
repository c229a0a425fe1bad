"""What runs on the nodes of a cluster while a run of training is done there: alone, or as one rank of several.

A run comes as what it was made with, and its state; each process makes it anew on its own device. States are kept in
the checkpoint's folder, so that the next process goes on where one was killed.
"""

from __future__ import annotations

import io
import pickle
import socket
import sys
import time
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.elsewhere import kept_on_the_way
from headstart.adapt.loop import Step, Tuning
from headstart.adapt.ranks import PARALLEL, Ranks
from headstart.cluster.ray_worker import WHERE, as_there, not_usable, refuse_other_versions, versions
from headstart.encode.machine import limit_torch, using
from headstart.errors import UserError, first_line
from headstart.pretrained.torchvision_operators import declare_missing
from headstart.pretrained.unpickled import note


@dataclass(frozen=True)
class Place:
    """How a process comes to be one of the fit's."""

    environment: Mapping[str, str]  # variables that headstart goes by
    folder: str  # where the fit runs
    versions: Mapping[str, str]
    device: str
    threads: int

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Raises UserError where this node has other versions."""
        as_there(self.environment, self.folder)
        refuse_other_versions(socket.gethostname(), versions(), self.versions)
        with using(self.device, self.threads):
            limit_torch()
            yield


@dataclass(frozen=True)
class Job:
    """A run, as a node is told of it."""

    name: str
    folder: str  # of the checkpoint
    place: Place
    line: Any  # an actor, a `Line`
    every: float  # seconds between two states that are kept


def packed(tuning: Tuning) -> bytes:
    """What a run was made with, and its state, whatever device it is on."""
    made_with = (tuning.network, tuning.groups, tuning.feed, tuning.loss, tuning.recipe, tuning.seed, tuning.dropout)
    out = io.BytesIO()
    torch.save((made_with, tuning.state()), out, pickle_module=_by_value())
    return out.getvalue()


def _by_value() -> Any:
    """What pickles losses, which are closures, and hooks of other libraries. What these read from the context cannot be
    pickled: it is found under its name in their library there."""
    from ray import cloudpickle

    with warnings.catch_warnings(action="ignore"):  # of torch, that some of its names are old
        named = {
            id(value): (module, name)
            for module in [*sys.modules.values()]
            for name, value in [*getattr(module, "__dict__", {}).items()]
            if any(isinstance(one, ContextVar) for one in (value, *getattr(value, "__dict__", {}).values()))
        }

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, thing: Any) -> Any:
            return (getattr, named[id(thing)]) if id(thing) in named else super().reducer_override(thing)

    return SimpleNamespace(Pickler=Pickler, __name__=cloudpickle.__name__)


def unpacked(content: bytes, device: str) -> Tuning:
    """The same run in the same state. Its loss stays on the processor.

    Raises:
        UserError: something that it needs does not lie where this process looks for it.
    """
    declare_missing()
    made_with, state = torch.load(io.BytesIO(content), map_location="cpu", pickle_module=pickle, weights_only=False)
    network, groups, feed, loss, recipe, seed, dropout = made_with
    note(network)

    def on_processor(outputs: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
        return loss(outputs.cpu(), rows, smoothing)

    tuning = Tuning(network, groups, feed, on_processor, recipe, seed=seed, device=device, dropout=dropout)
    tuning.restore(state)
    return tuning


def train_alone(job: Job, content: bytes) -> None:
    """Do a run to its end, or until the fit ends it; a task of Ray."""
    if not _wanted(job.line.start.remote(job.name)):
        _wanted(job.line.end.remote(job.name, 0))
        return
    with suppress(Exception), _failures_reported(job, alone=True), job.place.entered():
        tuning, checkpoint, before = unpacked(content, job.place.device), Checkpoint(Path(job.folder)), None
        _restored(tuning, checkpoint, job.name)
        with closing(_kept(job, tuning, checkpoint)) as done:
            for step in done:
                if before is not None and not _wanted(before):  # one step late, so that it waits for nobody
                    break
                before = job.line.step.remote(job.name, _report(step))
        checkpoint.keep(job.name, tuning.done, tuning.state())
        if before is not None:  # a step that is heard of behind the end would undo it
            _wanted(before)
        _wanted(job.line.end.remote(job.name, tuning.done))


def train_together(config: Mapping[str, Any]) -> None:
    """Do a run to its end as one of several ranks, or until the fit ends it; for Ray Train."""
    import ray
    from ray import train

    job: Job = config["job"]
    context = train.get_context()
    ranks = Ranks(context.get_world_rank(), context.get_world_size(), job.place.device)
    leads = ranks.rank == 0
    steps = ranks.broadcast(_wanted(job.line.start.remote(job.name)) if leads else 0)
    if not steps:
        if leads:
            _wanted(job.line.end.remote(job.name, 0))
        return
    with _failures_reported(job), job.place.entered():
        tuning, checkpoint = unpacked(ray.get(config["content"]), job.place.device), Checkpoint(Path(job.folder))
        _share(tuning, ranks)
        if leads:
            _restored(tuning, checkpoint, job.name)
        _follow(tuning, checkpoint, job.name, ranks.broadcast(tuning.done))
        tuning.recipe = replace(tuning.recipe, steps=steps)
        with closing(_kept(job, tuning, checkpoint) if leads else (step for step in tuning)) as done:
            for step in done:
                steps = ranks.broadcast(_wanted(job.line.step.remote(job.name, _report(step))) if leads else 0)
                if not steps:
                    break
                tuning.recipe = replace(tuning.recipe, steps=steps)
        if leads:
            checkpoint.keep(job.name, tuning.done, tuning.state())
            _wanted(job.line.end.remote(job.name, tuning.done))


def _wanted(answer: Any) -> int:
    """How many steps there are to be, by what the fit answers; 0: it is to end, or the fit is gone."""
    import ray

    try:
        return int(ray.get(answer) or 0)
    except ray.exceptions.ActorDiedError:
        return 0


def _share(tuning: Tuning, ranks: Ranks) -> None:
    from ray.train.torch import prepare_model

    if ranks.world > 1:
        network = prepare_model(tuning.network, move_to_device=False, parallel_strategy_kwargs=PARALLEL)
        tuning.share(replace(ranks, network=network))


def _restored(tuning: Tuning, checkpoint: Checkpoint, name: str) -> None:
    """Go on from what was kept, where that is further."""
    state = checkpoint.last(name)
    if state is not None and int(state["done"]) > tuning.done:
        tuning.restore(state)


def _follow(tuning: Tuning, checkpoint: Checkpoint, name: str, number: int) -> None:
    """Go on from the state that the first rank goes on from, which may come to this node later."""
    if tuning.done == number:
        return
    state = checkpoint.arrived(name, number)
    if state is None:
        raise RuntimeError(f"the state after {number} steps is not where this node looks for it")
    tuning.restore(state)


def _kept(job: Job, tuning: Tuning, checkpoint: Checkpoint) -> Generator[Step]:
    return kept_on_the_way(job.name, tuning, checkpoint, every=job.every, clock=time.perf_counter)


def _report(step: Step) -> tuple[int, float, float, int]:
    return step.number, step.loss, step.rate, step.examples


@contextmanager
def _failures_reported(job: Job, *, alone: bool = False) -> Iterator[None]:
    """The fit comes to know why a process cannot go on. What does not lie where it should, no other would find; and
    one that is alone lost nobody."""
    import ray

    try:
        yield
    except Exception as error:
        known = isinstance(error, UserError) or (isinstance(error, OSError) and error.filename is not None)
        fault = not_usable(error) if known and isinstance(error, UserError | OSError) else None
        if alone and fault is None:
            fault = (f"training fails on a node: {first_line(error)}", WHERE, "leave --on out")
        with suppress(Exception):  # the fit is gone
            ray.get(job.line.failed.remote(job.name, first_line(error), fault))
        raise
