"""What a run that may be killed writes down: its decisions, its results, and the exact state of the part in progress.

A decision that was once made (how many steps fit into the time, say) is read on the next start, not made again, and a
part that was finished is not repeated. So the run ends in the same bytes, however often it was killed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart import __version__
from headstart.errors import OutputError
from headstart.storage.files import read_json
from headstart.storage.kept import cache_root, room, say_not_kept, write_kept
from headstart.storage.living import is_temporary, remove_folder, temporary
from headstart.storage.locks import Lock, take_lock
from headstart.storage.places import as_json

if TYPE_CHECKING:
    import torch

_KEPT = 2  # states of a part
_AT_ONCE = 8  # equal runs that can be taken up again
_LOOKS, _LOOK = 5, 0.01  # how often a lock is asked for, and seconds between
LATE = 10.0  # seconds after which a state of another machine is not waited for any more
_ARRIVES = 0.1  # seconds between two looks whether another machine's state is there


@dataclass(frozen=True)
class Checkpoint:
    """A folder of one run's decisions and states. What cannot be written there is held in memory: the run goes on then,
    but another start of it begins again."""

    folder: Path
    lock: Lock | None = field(default=None, compare=False)  # None: nobody else knows of the folder
    _held: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)  # by the name of their file

    def decide_once(self, name: str, decide: Callable[[], Any], *, stands: Callable[[], bool] = lambda: True) -> Any:
        """What was decided under this name before; else decide now. A decision is plain JSON.

        Args:
            stands: asked after it was made, whether it binds the next start too.
        """
        file = self.folder / f"{name}.json"
        if file.name in self._held:
            return self._held[file.name]
        with suppress(OSError, ValueError):  # not decided, or damaged
            return read_json(file)
        decided = json.loads(json.dumps(decide()))  # as the next start will read it
        if stands():
            self._write(file.name, as_json(decided), decided)
        return decided

    def decided(self, pattern: str) -> list[Any]:
        """All decisions so far under names like `stored-*`."""
        found = {name: value for name, value in self._held.items() if fnmatch(name, f"{pattern}.json")}
        for file in self.folder.glob(f"{pattern}.json"):
            with suppress(OSError, ValueError):
                found[file.name] = read_json(file)
        return [found[name] for name in sorted(found)]

    def results(self, name: str) -> dict[str, np.ndarray] | None:
        """Arrays that a finished part left: its results and, unless they were forgotten, its weights. None of one that
        is not finished, or damaged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        def arrays(file: Path) -> dict[str, np.ndarray] | None:
            if file.name in self._held:
                return dict(self._held[file.name])
            return load_file(file) if file.exists() else None

        try:
            results = arrays(self.folder / f"{name}.safetensors")
            weights = arrays(self.folder / f"{name}.weights.safetensors")
        except (SafetensorError, OSError):  # a disk's fault: writing is atomic
            return None
        return None if results is None else results | (weights or {})

    def finish(self, name: str, results: dict[str, np.ndarray], weights: dict[str, np.ndarray]) -> None:
        """Write what a part left; its states are not needed any more."""
        from safetensors.numpy import save

        whole = self._write(f"{name}.weights.safetensors", save(weights), weights)
        if whole:
            self._write(f"{name}.safetensors", save(results), results)
        else:  # another start must not find it finished, and no weights
            self._held[f"{name}.safetensors"] = results
        for state in self._states(name):
            _remove(state)

    def forget_weights(self, name: str) -> None:
        """A part whose weights nobody will want."""
        self._held.pop(f"{name}.weights.safetensors", None)
        _remove(self.folder / f"{name}.weights.safetensors")

    def keep(self, name: str, number: int, state: dict[str, torch.Tensor]) -> None:
        """Write the state of a part after so many steps; the last two are kept."""
        from safetensors.torch import save

        self._write(self._state(name, number).name, save(state), None)
        for old in self._states(name)[:-_KEPT]:
            _remove(old)

    def last(self, name: str) -> dict[str, torch.Tensor] | None:
        """The latest state of a part; the one before it, where that was damaged."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        for state in reversed(self._states(name)):
            try:
                return dict(load_file(state))
            except SafetensorError:  # a disk's fault: writing is atomic
                _remove(state)
            except OSError:  # it may be there again: on a shared disk others read it, too
                continue
        return None

    def arrived(self, name: str, number: int, *, patience: float = LATE) -> dict[str, torch.Tensor] | None:
        """The state of a part after so many steps, which another machine kept: folders that machines share show some of
        them late (NFS). None: it does not come within so many seconds."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        file, waited = self._state(name, number), 0.0
        while True:
            with suppress(SafetensorError, OSError):  # not there yet, or not whole
                return dict(load_file(file))
            if waited >= patience:
                return None
            time.sleep(_ARRIVES)
            waited += _ARRIVES

    def remove(self) -> None:
        """At success. A half of it would be a part's results without its weights, and the next start would take that
        part for done."""
        with suppress(OSError):  # nothing can be changed: then the whole of it stays
            remove_folder(cache_root(), self.folder)
        self.release()

    def release(self) -> None:
        """For another start of the run to take it up."""
        if self.lock is not None:
            with suppress(OSError):  # a lock's file that stays does no harm
                self.lock.release()

    def _write(self, file: str, content: bytes | str, held: Any) -> bool:
        """Whether it could be written; if not, `held` is held, unless it is None."""
        try:
            write_kept(self.folder / file, content)
            return True
        except OutputError as error:
            say_not_kept("states of training", error.__cause__ or error, self.folder.parent, len(content))
            if held is not None:
                self._held[file] = held
            return False

    def _state(self, name: str, number: int) -> Path:
        return self.folder / f"{name}@{number:08d}.safetensors"

    def _states(self, name: str) -> list[Path]:
        return sorted(self.folder.glob(f"{name}@*.safetensors"))


def key_of(digests: np.ndarray, y: np.ndarray, asked: Sequence[object]) -> str:
    """Names a run: the same command on the same data finds what it had done before it was killed.

    Args:
        digests: (n, 32) uint8 and y: (n,) class indices of the examples. asked: all else that the run depends on.
    """
    seen = hashlib.sha256(digests.tobytes() + y.tobytes())
    seen.update(repr([*asked, __version__, version("torch")]).encode())
    return seen.hexdigest()[:24]


def open_checkpoint(key: str) -> Checkpoint:
    """The checkpoint of the run that `key` names, made if it is new; no other process has it until it is released.

    Of equal runs at once each has one of its own. One that was begun and left comes first.
    """
    home = room("runs")
    own = temporary(cache_root(), home / key)  # nobody else comes to know of it
    folders = [home / (key if number == 1 else f"{key}-{number}") for number in range(1, _AT_ONCE + 1)]
    try:
        for folder in sorted(folders, key=lambda folder: not folder.exists()):
            lock = _taken(folder)
            if lock is not None:
                return Checkpoint(_made(folder), lock)
        return Checkpoint(_made(own))
    except (OutputError, OSError) as error:  # a lock that was taken goes with its file
        say_not_kept("states of training", error.__cause__ or error, home, 0)
        return Checkpoint(own)


def _taken(folder: Path) -> Lock | None:
    """The lock on a folder that nobody works in; somebody who looks whether it is in use has it for a moment, too."""
    for _ in range(_LOOKS):
        lock = take_lock(folder)
        if lock is not None or not folder.exists():
            return lock
        time.sleep(_LOOK)
    return None


def _remove(file: Path) -> None:
    with suppress(OSError):  # gone, or read only
        file.unlink()


def _made(folder: Path) -> Path:
    """With nothing in it that a kill left half written: only who has the folder writes there."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if is_temporary(file):
            file.unlink(missing_ok=True)
    return folder
