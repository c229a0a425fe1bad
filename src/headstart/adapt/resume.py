"""What a run that may be killed writes down: its decisions, its results, and the exact state of the part in progress.

A decision that was once made (how many steps fit into the time, say) is read on the next start, not made again, and a
part that was finished is not repeated. So the run ends in the same bytes, however often it was killed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart import __version__
from headstart.locks import Lock, take_lock
from headstart.places import as_json, cache_folder, cannot_write, temporary_beside, write_whole

if TYPE_CHECKING:
    import torch

_KEPT = 2  # states of a part
_AT_ONCE = 8  # equal runs that can be taken up again


@dataclass(frozen=True)
class Journal:
    """A folder of one run's decisions and states."""

    folder: Path
    lock: Lock | None = field(default=None, compare=False)  # None: nobody else knows of the folder

    def once(self, name: str, decide: Callable[[], Any], *, stands: Callable[[], bool] = lambda: True) -> Any:
        """What was decided under this name before; else decide now. A decision is plain JSON.

        Args:
            stands: asked after it was made, whether it binds the next start too.
        """
        file = self.folder / f"{name}.json"
        if file.exists():
            return json.loads(file.read_text(encoding="utf-8"))
        decided = json.loads(json.dumps(decide()))  # as the next start will read it
        if stands():
            write_whole(file, as_json(decided))
        return decided

    def decided(self, pattern: str) -> list[Any]:
        """All decisions so far under names like `stored-*`."""
        return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(self.folder.glob(f"{pattern}.json"))]

    def has(self, name: str) -> bool:
        """Whether a part is finished."""
        return (self.folder / f"{name}.safetensors").exists()

    def results(self, name: str) -> dict[str, np.ndarray]:
        """Arrays that a finished part left: its results and, unless they were forgotten, its weights."""
        from safetensors.numpy import load_file

        files = [self.folder / f"{name}.safetensors", self.folder / f"{name}.weights.safetensors"]
        return {key: array for file in files if file.exists() for key, array in load_file(file).items()}

    def finish(self, name: str, results: dict[str, np.ndarray], weights: dict[str, np.ndarray]) -> None:
        """Write what a part left; its states are not needed any more."""
        from safetensors.numpy import save

        write_whole(self.folder / f"{name}.weights.safetensors", save(weights))
        write_whole(self.folder / f"{name}.safetensors", save(results))
        for state in self._states(name):
            state.unlink(missing_ok=True)

    def forget_weights(self, name: str) -> None:
        """A part whose weights nobody will want."""
        (self.folder / f"{name}.weights.safetensors").unlink(missing_ok=True)

    def keep(self, name: str, number: int, state: dict[str, torch.Tensor]) -> None:
        """Write the state of a part after so many steps; the last two are kept."""
        from safetensors.torch import save

        write_whole(self.folder / f"{name}@{number:08d}.safetensors", save(state))
        for old in self._states(name)[:-_KEPT]:
            old.unlink(missing_ok=True)

    def last(self, name: str) -> dict[str, torch.Tensor] | None:
        """The latest state of a part; the one before it, where that was damaged."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        for state in reversed(self._states(name)):
            try:
                return dict(load_file(state))
            except (SafetensorError, OSError):  # a disk's fault: writing is atomic
                state.unlink(missing_ok=True)
        return None

    def remove(self) -> None:
        """At success."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """For another start of the run to take it up."""
        if self.lock is not None:
            self.lock.release()

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


def open_journal(key: str) -> Journal:
    """The journal of the run that `key` names, made if it is new; no other process has it until it is released.

    Of equal runs at once each has one of its own. One that was begun and left comes first.
    """
    home = cache_folder() / "runs"
    folders = [home / (key if number == 1 else f"{key}-{number}") for number in range(1, _AT_ONCE + 1)]
    for folder in sorted(folders, key=lambda folder: not folder.exists()):
        lock = take_lock(folder)
        if lock is not None:
            return Journal(_made(folder), lock)
    return Journal(_made(temporary_beside(home / key)))


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder
