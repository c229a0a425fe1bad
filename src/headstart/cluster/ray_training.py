"""Training on a cluster of Ray: short runs side by side, a node's cores each; a long one by Ray Train, on all nodes.

Whoever is killed is started again by Ray, and goes on from the last state that was kept.
"""

from __future__ import annotations

import logging
import pickle
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from headstart.cluster.ray_line import Line, News
from headstart.cluster.ray_worker import WHERE, passed_on, versions
from headstart.data.elsewhere import SEEN
from headstart.encode.machine import cores
from headstart.errors import UserError, first_line
from headstart.progress import note

if TYPE_CHECKING:
    from headstart.adapt.checkpoint import Checkpoint
    from headstart.adapt.loop import Step, Tuning
    from headstart.cluster.ray_trained import Job

_LOG = logging.getLogger("ray.train")
_LISTENS = 1.0  # seconds between two looks whether the time is over
_PATIENCE = 300.0  # seconds without a step: nobody is left then, or there is no room
_HANGS = 180  # seconds that ranks wait for one of them; there is time left then for all to be started again
_ENDS = 15.0  # seconds that a run has to keep its state once it is told to end
_LEAVES = 10.0  # seconds for processes to go
_FAILURES = 20  # of processes of one run; `Line` ends one that fails without a step between
_FOR_EVER = 2**31  # steps


class Trainers:
    """Processes on the nodes of the cluster that this one is connected to; see `adapt.elsewhere.Trainers`.

    Args:
        device: as for `using`. release: gives back what the fit holds of the nodes, so that there is room to train.
    """

    def __init__(self, ray: Any, device: str | None, release: Callable[[], None]) -> None:
        self._ray, self._device, self._release = ray, device, release
        self._tasks: dict[str, Any] = {}  # of runs that were begun beside each other
        self._groups: list[Thread] = []
        self._actor: Any = None
        self._log_level = _LOG.level  # the program's own
        self._stays = False  # whether it was said that a run cannot be sent

    def room(self) -> int:
        """As `elsewhere.Trainers.room`."""
        if any(not self._is_done(task) for task in self._tasks.values()):
            return 0
        return self._slots()[0]

    def begun(self, name: str) -> bool:
        """As `elsewhere.Trainers.begun`."""
        return name in self._tasks

    def side_by_side(self, runs: Mapping[str, Callable[[], Tuning]], checkpoint: Checkpoint) -> None:
        """As `elsewhere.Trainers.side_by_side`."""
        for name in [*self._tasks]:
            if name not in runs:
                self._give_up(name)
        slots, threads, gpus = self._slots()
        at_work = sum(not self._is_done(task) for task in self._tasks.values())
        new = [name for name in runs if name not in self._tasks][: max(0, slots - at_work)]
        if slots < 2 or len(new) + at_work < 2:
            return
        from headstart.cluster.ray_trained import train_alone

        resources = {"num_cpus": threads, "num_gpus": 1 if gpus else 0}
        task = self._ray.remote(train_alone).options(max_retries=-1, **resources)
        for name in new:
            tuning = runs[name]()
            content = self._sent(tuning)
            if content is None:
                continue
            self._release()
            job = self._job(name, checkpoint, threads, gpus)
            self._ray.get(self._line.open.remote(name, tuning.recipe.steps, tuning.recipe.steps))
            self._tasks[name] = task.remote(job, content)

    def steps(self, name: str, tuning: Tuning, checkpoint: Checkpoint, over: Callable[[], bool]) -> Generator[Step]:
        """As `elsewhere.Trainers.steps`.

        Raises:
            UserError: the nodes cannot do it.
        """
        task, first = self._tasks.get(name), tuning.done
        if task is None:
            content = self._sent(tuning)
            if content is None:
                return
            failed = self._together(name, tuning, checkpoint, content)
        else:
            failed = partial(self._error, task)
        with suppress(GeneratorExit):  # as at its end: the state has to come back
            yield from self._heard(name, tuning, failed, over)
        self._end(name, tuning, checkpoint, first)

    def close(self) -> None:
        """Give up whatever is at work."""
        for name in [*self._tasks]:
            self._give_up(name)
        if self._actor is not None:
            with suppress(Exception):  # it is gone
                self._ray.kill(self._actor)
        for group in self._groups:
            group.join(timeout=_LEAVES)
        _LOG.setLevel(self._log_level)

    def _heard(self, name: str, tuning: Tuning, failed: Callable[[], str], over: Callable[[], bool]) -> Generator[Step]:
        """The steps of a run on the nodes, as they are told of."""
        from headstart.adapt.loop import Step

        last, silent = tuning.done, 0.0
        while last < tuning.recipe.steps and silent < _PATIENCE:
            why = failed()
            news: News = self._ray.get(self._line.news.remote(name, last, _LISTENS))
            for report in news.steps:
                last = tuning.done = report[0]
                yield Step(*report)
                self._line.allow.remote(name, max(last, self._unattended(name)), tuning.recipe.steps)
            if news.fault is not None:
                what, where, fix = news.fault
                raise UserError(what, where=where, fix=fix)
            silent = 0.0 if news.steps else silent + _LISTENS
            if news.steps:
                continue
            if news.ended is not None or over():
                return
            if why:
                raise UserError(f"training ended on the nodes: {why}", where=WHERE, fix="the same call goes on")

    def _end(self, name: str, tuning: Tuning, checkpoint: Checkpoint, first: int) -> None:
        """Have a run end that came here after `first` steps, and take over the state that it came to."""
        self._ray.get(self._line.allow.remote(name, tuning.recipe.steps, 0))
        ended, listened = None, 0.0
        while ended is None and listened < _ENDS:
            news: News = self._ray.get(self._line.news.remote(name, _FOR_EVER, _LISTENS))
            ended, listened = news.ended, listened + _LISTENS
            if news.fault is not None or not news.started:
                break
        if name in self._tasks:
            self._give_up(name)
        state = checkpoint.arrived(name, ended) if ended else checkpoint.last(name)
        if ended and state is None:
            raise UserError("states of training do not come back from the nodes", where="HEADSTART_CACHE", fix=SEEN)
        if state is not None and int(state["done"]) > first:
            tuning.restore(state)
        else:
            tuning.done = first

    def _sent(self, tuning: Tuning) -> Any:
        """A run as Ray names it; None: it has something that cannot leave this process, and is done here."""
        from headstart.cluster.ray_trained import packed

        try:
            content = packed(tuning)
        except (TypeError, pickle.PicklingError) as error:  # Python raises either
            if not self._stays:
                note(f"what cannot be sent to nodes is trained here: {error}")
            self._stays = True
            return None
        return self._ray.put(content)

    def _together(self, name: str, tuning: Tuning, checkpoint: Checkpoint, content: Any) -> Callable[[], str]:
        """Begin a run on all nodes; why it has ended before its end, if so."""
        self._release()
        try:
            from ray.train.torch import TorchConfig, TorchTrainer
        except ImportError as error:
            raise UserError(first_line(error), where=WHERE, fix="pip install 'headstart[ray]'") from error
        from ray.train import FailureConfig, LoggingConfig, RunConfig, ScalingConfig

        from headstart.adapt.ranks import most_ranks
        from headstart.cluster.ray_trained import train_together

        _LOG.setLevel(logging.ERROR)
        slots, threads, gpus = self._slots()
        config = {"job": self._job(name, checkpoint, threads, gpus), "content": content}
        self._ray.get(self._line.open.remote(name, tuning.recipe.steps, tuning.done))
        each = {"CPU": threads, "GPU": 1} if gpus else {"CPU": threads}
        ranks = min(max(1, slots), most_ranks(tuning.recipe.batch, mixed=tuning.recipe.mixup > 0))
        scaling = ScalingConfig(num_workers=(1, ranks), use_gpu=bool(gpus), resources_per_worker=each)
        failures, logs, said = FailureConfig(max_failures=_FAILURES), LoggingConfig(log_level="ERROR"), list[str]()
        patient = TorchConfig(timeout_s=_HANGS)

        def fit() -> None:
            try:
                with tempfile.TemporaryDirectory(prefix="headstart-ray-") as folder:
                    run = RunConfig(name=name, storage_path=folder, failure_config=failures, logging_config=logs)
                    TorchTrainer(
                        train_together,
                        train_loop_config=config,
                        torch_config=patient,
                        scaling_config=scaling,
                        run_config=run,
                    ).fit()
                said.append("it came to no end")
            except (Exception, SystemExit) as error:  # Ray Train raises many; where the cluster goes, Ray ends threads
                said.append(first_line(error))

        group = Thread(target=fit, name=f"headstart-{name}", daemon=True)
        group.start()
        self._groups.append(group)
        return lambda: said[0] if said else ""

    @property
    def _line(self) -> Any:
        """An actor on this node: others may go."""
        if self._actor is None:
            here = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                self._ray.get_runtime_context().get_node_id(), soft=False
            )
            made = self._ray.remote(Line).options(num_cpus=0, max_concurrency=1000, scheduling_strategy=here)
            self._actor = made.remote()
        return self._actor

    def _slots(self) -> tuple[int, int, int]:
        """How many runs there is room for, by cores as this machine has them, or by GPUs; the cores of each; GPUs."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        each = [int(resources.get("CPU", 0)) for resources in nodes]
        gpus = 0 if self._device == "cpu" else sum(int(resources.get("GPU", 0)) for resources in nodes)
        if gpus:
            shares = [int(r.get("CPU", 0) // r["GPU"]) for r in nodes if r.get("GPU", 0) >= 1]
            return gpus, max(1, min(shares)), gpus
        threads = max(1, min(cores(), max(each, default=1)))
        return sum(count // threads for count in each), threads, 0

    def _job(self, name: str, checkpoint: Checkpoint, threads: int, gpus: int) -> Job:
        from headstart.adapt import trial
        from headstart.cluster.ray_trained import Job, Place

        place = Place(passed_on(), str(Path.cwd()), versions(), "cuda" if gpus else "cpu", threads)
        return Job(name, str(checkpoint.folder.absolute()), place, self._line, trial.SECONDS_LOST)

    def _unattended(self, name: str) -> int:
        """Up to which step a run goes on by itself."""
        return _FOR_EVER if name in self._tasks else 0

    def _is_done(self, task: Any) -> bool:
        return bool(self._ray.wait([task], timeout=0)[0])

    def _error(self, task: Any) -> str:
        """Why a task has ended, if it has by an error."""
        if self._is_done(task):
            try:
                self._ray.get(task)
            except Exception as error:  # whatever was raised there
                return first_line(getattr(error, "cause", None) or error)
        return ""

    def _give_up(self, name: str) -> None:
        with suppress(Exception):  # it is done
            self._ray.cancel(self._tasks.pop(name), force=True)
