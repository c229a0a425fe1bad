"""A fit on a cluster of Ray: photos are looked at and features are made by actors, one engine each, and what takes long
is trained there.

Chunks are given to whoever is free; what a killed actor or node had is given to another one, and Ray starts the actor
again where there is room. Batches are those of one process (`encode.kinds`), so features are its bytes.
"""

from __future__ import annotations

import heapq
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import headstart.no_telemetry  # noqa: F401 - before Ray
from headstart.adapt.elsewhere import trained_by
from headstart.backbone import Backbone
from headstart.cluster.ray_worker import WHERE, Worker, passed_on, refuse_other_versions, versions
from headstart.data.elsewhere import Looks, looked_at_by
from headstart.encode.elsewhere import Chunk, Made, encoded_by
from headstart.encode.machine import cores
from headstart.encode.store import store_folder
from headstart.errors import UserError, first_line
from headstart.pretrained.rebuild import where_kept

PLACES = ("ray",)
_STORE = 200 * 2**20  # bytes of shared memory of a cluster of our own
_CORES = 8  # of an actor at most: two threads decode for its engine
_EACH = 2  # chunks that an actor is given: the next is there when one is done
_AHEAD = 4  # chunks for each actor between the first that is missing and the last that is given out
_PATIENCE = 300.0  # seconds without any actor, before that is an error
_LISTENS = 10.0  # seconds for a cluster to answer
_TRIES = 20  # of one chunk: actors that die of it would go on dying
_STARTS = 3  # on a busy machine Ray gives up on its own processes after half a minute


@contextmanager
def computed_on(place: str | None, *, device: str | None = None, precision: str = "auto") -> Iterator[None]:
    """Within the block, a cluster makes features and trains; None: this process, and nothing of Ray is imported.

    The cluster is the one that RAY_ADDRESS names; or a program that has connected to one already goes on with it; or it
    is this machine, and ends with the block.

    Raises:
        UserError: Ray is not installed, or the cluster cannot be used.
    """
    if place is None:
        yield
        return
    if place not in PLACES:
        raise UserError(f"no such place: {place!r}", where="--on", fix=f"one of: {', '.join(PLACES)}")
    if precision == "int8":
        raise UserError("int8 is calibrated on one machine", where=WHERE, fix="--precision auto")
    from headstart.cluster.ray_training import Trainers

    with _unless_set(RAY_TRAIN_ENABLE_PREEMPTION_WATCHER="0"), _connected() as ray:  # it guards what is kept anyway
        actors = Actors(ray, device)
        trainers = Trainers(ray, device, actors.release)
        with looked_at_by(actors), encoded_by(actors), trained_by(trainers), closing(actors), closing(trainers):
            yield


@contextmanager
def _connected() -> Iterator[Any]:
    with _unless_set(RAY_DEDUP_LOGS_SKIP_REGEX="."):  # it would print what its processes say, into results
        try:
            import ray
        except ImportError:
            raise UserError("Ray is not installed", where=WHERE, fix="pip install 'headstart[ray]'") from None
    if ray.is_initialized():
        yield ray
        return
    with _key_of_our_own() if not os.environ.get("RAY_ADDRESS") else nullcontext():
        try:
            _connect(ray)
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def _key_of_our_own() -> Iterator[None]:
    """Ray would write a key for its own processes into the home folder, unless one is in its environment."""
    if os.environ.get("RAY_AUTH_MODE", "token") != "token":
        yield
        return
    try:
        with _unless_set(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32)):
            _read_environment_again()
            yield
    finally:
        _read_environment_again()


def _read_environment_again() -> None:
    """Ray reads what is about keys when it is imported, and remembers it."""
    with suppress(ImportError, AttributeError):
        from ray._raylet import AuthenticationTokenLoader, Config

        Config.initialize("")
        AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _unless_set(**variables: str) -> Iterator[None]:
    """Within the block, the environment has these variables, too."""
    own = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(own)
    try:
        yield
    finally:
        for name in own:
            os.environ.pop(name, None)


def _connect(ray: Any) -> None:
    """To the cluster that is named, or to one of this machine."""
    address, quiet = os.environ.get("RAY_ADDRESS"), {"log_to_driver": False, "logging_level": "ERROR"}
    if address:
        _refuse_unreachable(address)
    for attempt in range(1, _STARTS + 1):
        try:
            if address:
                ray.init(**quiet)
            else:
                own = {"num_cpus": cores(), "include_dashboard": False, "object_store_memory": _STORE}
                ray.init(address="local", **own, **quiet)
        except Exception as error:  # Ray raises plain ones
            ray.shutdown()
            if address:
                raise _unreachable(address, error) from error
            if attempt == _STARTS:
                fix = "its logs are in /tmp/ray/session_latest/logs; or leave --on out"
                raise UserError(f"Ray does not start: {first_line(error)}", where=WHERE, fix=fix) from error
        else:
            return


def _refuse_unreachable(address: str) -> None:
    """Raises UserError where nobody listens, which Ray tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():  # "auto"
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_LISTENS).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> UserError:
    fix = "ray status says whether it runs; without RAY_ADDRESS a cluster of this machine is started"
    return UserError(f"the cluster cannot be reached: {first_line(error)}", where=f"RAY_ADDRESS {address}", fix=fix)


class Actors:
    """Actors on all nodes of the cluster that this process is connected to, started when they are first needed."""

    def __init__(self, ray: Any, device: str | None) -> None:
        self._ray, self._device = ray, device
        self._starting: dict[Any, Any] = {}  # what an actor will say of itself once it is there -> the actor
        self._idle: list[Any] = []
        self._all: list[Any] = []
        self._why = ""  # the last of them that was lost
        self._lost = (
            ray.exceptions.RayActorError, ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError,
            ray.exceptions.ObjectLostError, ray.exceptions.OutOfMemoryError,
        )  # fmt: skip

    def worth(self) -> float:
        """How many machines like this one they are, by their processor cores."""
        return sum(_cpus(node) for node in self._nodes()) / cores()

    def encode(self, count: int, chunk: Callable[[int], Chunk], backbone: Backbone, precision: str) -> Iterator[Made]:
        """As `Runner.encode`.

        Raises:
            UserError: a node cannot use what it is given, or there are no actors left.
        """
        kept, function = self._ray.put(where_kept(backbone)), backbone.function
        return self._shared_out(
            count, lambda actor, number: actor.encode.remote(chunk(number), kept, function, precision)
        )

    def look(self, count: int, chunk: Callable[[int], Sequence[Any]]) -> Iterator[Looks]:
        """As `Lookers.look`. Raises UserError where there are no actors left."""
        store = store_folder()
        return self._shared_out(count, lambda actor, number: actor.look.remote(chunk(number), store))

    def _shared_out(self, count: int, given: Callable[[Any, int], Any]) -> Iterator[Any]:
        """What actors make of so many chunks, in their order.

        Args:
            given: gives a chunk to an actor, and what it makes of it as Ray names it.
        """
        if not self._starting and not self._idle:
            self._start()
        todo, tries = list(range(count)), [0] * count
        running: dict[Any, tuple[int, Any]] = {}
        made: dict[int, Any] = {}
        first = 0
        try:
            while first < count:
                while self._idle and todo and todo[0] < first + _AHEAD * len(self._all):
                    number, actor = heapq.heappop(todo), self._idle.pop()
                    running[given(actor, number)] = number, actor
                for done in self._next(running):
                    number, actor = running.pop(done)
                    try:
                        made[number] = self._result(done)
                        self._idle.append(actor)
                    except self._lost as error:
                        self._wait_for(actor, error)
                        heapq.heappush(todo, number)
                        tries[number] += 1
                        if tries[number] == _TRIES:
                            fix = "a node may have too little memory for it: fewer or larger nodes"
                            raise UserError(
                                f"{_TRIES} actors died: {first_line(error)}", where=WHERE, fix=fix
                            ) from None
                while first in made:
                    yield made.pop(first)
                    first += 1
        finally:  # where it is cut short, they first come to an end
            for _, actor in running.values():
                self._wait_for(actor)

    def release(self) -> None:
        """Let all actors go, and what they hold of the nodes; others are started when they are needed again."""
        for actor in self._all:
            self._ray.kill(actor)
        self._idle, self._starting, self._all = [], {}, []

    def close(self) -> None:
        """As `release`, also where the cluster is gone."""
        with suppress(Exception):
            self.release()

    def _start(self) -> None:
        """Ask for an actor for every eight cores, and one for each GPU, of every node; a node that has no room for it
        now gets its own later."""
        ray, self._all = self._ray, []  # of those there were, all are lost
        # What a restarted actor says is waited for, a chunk is not: it goes to another one.
        ray.method(max_task_retries=-1)(Worker.about)
        remote, own = ray.remote(Worker), passed_on()
        on_node = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        for node in self._nodes():
            gpus = 0 if self._device == "cpu" else int(node["Resources"].get("GPU", 0))
            actors = gpus or -(-_cpus(node) // _CORES)
            threads = max(1, _cpus(node) // actors)
            for _ in range(actors):
                actor = remote.options(
                    num_cpus=threads, num_gpus=1 if gpus else 0, max_restarts=-1,
                    scheduling_strategy=on_node(node["NodeID"], soft=True),
                ).remote(own, str(Path.cwd()), self._device, threads)  # fmt: skip
                for _ in range(_EACH):
                    self._wait_for(actor)
                self._all.append(actor)
        if not self._starting:
            raise UserError("the cluster has no processor cores", where=WHERE, fix="start nodes with --num-cpus")

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"] and _cpus(node)]

    def _next(self, running: dict[Any, tuple[int, Any]]) -> list[Any]:
        """The chunks that are done, once there is news; actors that are there by then are idle."""
        waiting = [*running, *self._starting]
        patience = None if running or self._idle else _PATIENCE
        ready, _ = self._ray.wait(waiting, num_returns=1, timeout=patience) if waiting else ([], [])
        if not ready:
            fix = "ray status says which nodes there are; the same call goes on from what is kept"
            what = f"no actors are left: {self._why}" if self._why else "the cluster has no room for an actor"
            raise UserError(what, where=WHERE, fix=fix)
        for ref in ready:
            if ref in self._starting:
                self._admit(self._starting.pop(ref), ref)
        return [ref for ref in ready if ref in running]

    def _wait_for(self, actor: Any, lost: Exception | None = None) -> None:
        self._why = self._why if lost is None else first_line(lost)
        self._starting[actor.about.remote()] = actor

    def _admit(self, actor: Any, said: Any) -> None:
        """An actor that is there, if it runs the same versions; one that will never be is forgotten."""
        try:
            node, there = self._ray.get(said)
        except self._lost as error:
            self._why = first_line(error)
            if "ModuleNotFoundError" in str(error):
                fix = "install the same version on every node"
                raise UserError("headstart is not installed on a node", where=WHERE, fix=fix) from error
            return
        refuse_other_versions(node, there, versions())
        self._idle.append(actor)

    def _result(self, done: Any) -> Any:
        result = self._ray.get(done)
        if isinstance(result, tuple):
            what, where, fix = result
            raise UserError(what, where=where, fix=fix)
        return result


def _cpus(node: dict[str, Any]) -> int:
    return int(node["Resources"].get("CPU", 0))
