"""Tuned weights in the cache, until they are saved: a folder of their own for each fit, removed when it is over."""

from __future__ import annotations

import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from torch import nn

from headstart.adapt.checkpoint import Checkpoint
from headstart.backbone import Backbone
from headstart.errors import OutputError
from headstart.pretrained.training import keep_tuned, with_weights
from headstart.storage.kept import cache_root, in_a_folder, room, writing
from headstart.storage.living import remove_folder
from headstart.storage.locks import Lock, take_lock
from headstart.storage.place import to_disk

_copies: dict[Path, Lock | None] = {}  # folders of tuned weights that this process made, and may read
_COPY = "copy-"  # decisions of a checkpoint that name a folder of tuned weights


def keep(backbone: Backbone, module: nn.Module, checkpoint: Checkpoint) -> Backbone:
    """Write the tuned weights into the cache, into a folder of their own: equal fits end in equal weights.

    Args:
        checkpoint: of the fit. Copies that it left when it was killed are removed.

    Raises:
        OutputError: they have no room, neither there nor where temporary files lie.
    """
    home, name = room("tuned"), secrets.token_hex(12)
    for left in map(str, checkpoint.decided(f"{_COPY}*")):
        if left.isalnum():
            _remove_left(home / left)
    checkpoint.decide_once(f"{_COPY}{name}", lambda: name)
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


def settled(backbone: Backbone, folder: Path) -> Backbone:
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
