"""What of this machine is used: the device that models run on, and how many processor cores."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from headstart.errors import ModelError, UserError, shortened

FEW = 64  # inputs that are asked about at once, at most, so that each is waited for
_DEVICES = ("cpu", "cuda", "mps")
_MOST_SIDE_BY_SIDE = 8  # threads: each holds what it works on in memory

P = TypeVar("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Machine:
    """What a user asked for; None: as it comes."""

    device: str | None = None
    threads: int | None = None


_MOST_THREADS = 4096
_AS_IT_COMES = Machine()
_asked: ContextVar[Machine] = ContextVar("machine", default=_AS_IT_COMES)


@contextmanager
def using(device: str | None, threads: int | None) -> Iterator[None]:
    """Run models on this device and with so many processor cores, within the block.

    Args:
        device: "cpu", "cuda" or "mps"; None: what HEADSTART_DEVICE says, else CUDA where there is a driver.
        threads: of the forward pass, of training and of linear algebra each; None: one for each core that the process
            may use.

    Raises:
        UserError: there is no such device, or not one thread.
    """
    if device is not None and device not in _DEVICES:
        raise UserError(f"no such device: {device!r}", where="--device", fix=f"choose from {', '.join(_DEVICES)}")
    if threads is not None and not (type(threads) is int and 1 <= threads <= _MOST_THREADS):
        fix = f"1 or more, up to {_MOST_THREADS:,}"
        raise UserError(f"{shortened(str(threads))} threads cannot compute anything", where="--threads", fix=fix)
    token = _asked.set(Machine(device, threads))
    try:
        gpu()  # a device that is not there is known before any work is done
        with _limited(threads):
            yield
    finally:
        _asked.reset(token)


def cores() -> int:
    """How many threads compute at once."""
    asked = _asked.get().threads
    if asked is not None:
        return asked
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu() -> str | None:
    """The GPU that was asked for, or CUDA where a driver is present. Loads torch only then.

    Raises:
        ModelError: the device that was asked for is not there.
    """
    option = _asked.get().device
    asked = option or os.environ.get("HEADSTART_DEVICE")
    if asked == "cpu" or (asked is None and not Path("/proc/driver/nvidia/version").exists()):
        return None
    import torch

    if torch.cuda.is_available() and asked in (None, "cuda"):
        return "cuda"
    if torch.backends.mps.is_available() and asked == "mps":
        return "mps"
    if asked in ("cuda", "mps"):
        where, fix = (
            ("--device", "leave it out, or --device cpu") if option else ("HEADSTART_DEVICE", "unset it, or cpu")
        )
        raise ModelError(f"no such device here: {asked}", where=where, fix=fix)
    return None


def limit_torch() -> None:
    """Let torch, which is loaded late, have as many threads as were asked for; called before it trains."""
    asked = _asked.get().threads
    if asked is not None:
        import torch

        torch.set_num_threads(asked)


@contextmanager
def _limited(threads: int | None) -> Iterator[None]:
    """Linear algebra and torch, as far as they are loaded, within these threads."""
    if threads is None:
        yield
        return
    import numpy  # noqa: F401 - its linear algebra has to be loaded before it can be limited
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    try:
        with threadpool_limits(limits=threads):
            if torch:
                limit_torch()
            yield
    finally:
        torch = sys.modules.get("torch")
        if torch:
            torch.set_num_threads(before or cores())


class _OneThread:
    """Numpy's linear algebra on one thread while anybody is within; the setting is of the whole process."""

    def __init__(self) -> None:
        self._lock, self._within = threading.Lock(), 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._within:
                self._limit = _algebra().limit(limits=1, user_api="blas")
            self._within += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._within -= 1
            if not self._within and self._limit is not None:
                self._limit.restore_original_limits()


_one_thread = _OneThread()


@contextmanager
def algebra_of(rows: int) -> Iterator[None]:
    """Linear algebra of so many rows, within the block: of few on one thread. Others that it wakes spin for a while
    when they are done, and the engine's next forward pass takes three times as long beside them."""
    if rows > FEW:
        yield
        return
    with _one_thread:
        yield


def side_by_side(work: Callable[[P], R], parts: Iterable[P]) -> Iterator[R]:
    """What `work` makes of each part, in their order: by a thread for each core, whose linear algebra is on that core.

    Where reading and linear algebra alternate, this keeps all cores at work, and what comes out does not depend on
    their number.
    """
    threads = min(cores(), _MOST_SIDE_BY_SIDE)
    waiting: deque[Future[R]] = deque()
    with _one_thread, ThreadPoolExecutor(threads, thread_name_prefix="side-by-side") as pool:
        for part in parts:
            waiting.append(pool.submit(work, part))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@cache
def _algebra() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
