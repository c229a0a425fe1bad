"""What runs on the nodes of a cluster: a worker that looks at photos, and encodes chunks by engines of its own.

It needs no Ray here.
"""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from headstart import __version__
from headstart.backbone import Backbone
from headstart.data.alike.known import KnownImages
from headstart.data.elsewhere import SEEN, Looks
from headstart.data.looks import look_for_others
from headstart.encode.elsewhere import Chunk, Made
from headstart.encode.encode import batching_of, finite
from headstart.encode.engines import Engine, open_engine
from headstart.encode.known_photos import KnownPhotos, ReadPhotos
from headstart.encode.machine import using
from headstart.encode.precision import may_encode_in_bf16
from headstart.encode.store import features_in, image_hashes
from headstart.errors import UserError
from headstart.pretrained.rebuild import from_where_kept

_LOOKERS = 2  # threads that read and decode, at least
WHERE = "--on ray"  # what messages name
_PASSED_ON = "HEADSTART_"  # how variables begin that processes on nodes are given
_LIBRARIES = ("openvino", "ray", "torch", "tokenizers", "pillow")  # by which features may differ


def versions() -> dict[str, str]:
    """Of all that features depend on, in this process."""
    known = {"python": platform.python_version(), "headstart": __version__}
    return known | {library: metadata.version(library) for library in _LIBRARIES}


def refuse_other_versions(node: str, there: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Raises UserError where a node has others than the fit."""
    both = [(name, there.get(name, "none"), version) for name, version in here.items()]
    other = [f"{name} {its}, here {version}" for name, its, version in both if its != version]
    if other:
        raise UserError(f"node {node} has {'; '.join(other)}", where=WHERE, fix="install the same on every node")


def passed_on() -> dict[str, str]:
    """The variables of this process that headstart goes by."""
    return {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}


def as_there(environment: Mapping[str, str], folder: str) -> None:
    """Make this process one that sees what the fit's sees: its variables that headstart goes by, and its folder."""
    os.environ.update(environment)
    with suppress(OSError):  # where names of photos are relative, it is said of the first
        os.chdir(folder)


def not_usable(error: UserError | OSError) -> tuple[str, str, str]:
    """What cannot be used on this node, where, and what to do."""
    node = socket.gethostname()
    if isinstance(error, UserError):
        return f"node {node}: {error.what}", error.where, SEEN
    return f"node {node}: {error.strerror or error}", str(error.filename or ""), SEEN


class Worker:
    """Looks at photos and encodes chunks in a process of its own; its engines stay open.

    Args:
        environment: variables of the fit's process that headstart goes by. folder: where that runs.
        device, threads: as for `using`.
    """

    def __init__(self, environment: Mapping[str, str], folder: str, device: str | None, threads: int) -> None:
        as_there(environment, folder)
        self._device, self._threads = device, threads
        self._backbones: dict[tuple[str, str], tuple[Backbone, Engine]] = {}
        self._known: dict[Path | None, KnownPhotos] = {}

    def about(self) -> tuple[str, dict[str, str]]:
        """The node's name, and the versions there."""
        return socket.gethostname(), versions()

    def encode(
        self, chunk: Chunk, kept: Mapping[str, Any], function: str, precision: str
    ) -> Made | tuple[str, str, str]:
        """Batch by batch which examples, and their features; or what cannot be used, where, and what to do.

        Args:
            kept: the backbone, as `where_kept` describes it. function: what its features have to be.
        """
        try:
            with using(self._device, self._threads):
                backbone, engine = self._open(kept, function, precision)
                batches = batching_of(chunk.inputs, chunk.digests, backbone)(np.arange(len(chunk.inputs)))
                return [(which, finite(made, backbone)) for which, made in engine(batches)]
        except (UserError, OSError) as error:
            return not_usable(error)

    def look(self, photos: Sequence[Any], store: Path | None) -> Looks:
        """What is seen of photos; those whose content the store knows need no decoding.

        Args:
            store: the folder of the store; None: the cache.
        """
        who, workers = f"node {socket.gethostname()}", max(_LOOKERS, self._threads)
        with features_in(store):
            if store not in self._known:
                self._known[store] = ReadPhotos(image_hashes(), None)
            try:
                return look_for_others(photos, KnownImages(self._known[store]), who=who, workers=workers)
            except OSError:  # somebody emptied the cache just now
                return look_for_others(photos, KnownImages(), who=who, workers=workers)

    def _open(self, kept: Mapping[str, Any], function: str, precision: str) -> tuple[Backbone, Engine]:
        known = function, precision
        if known not in self._backbones:
            backbone = from_where_kept(kept)
            if backbone.function != function:
                raise UserError("another model lies there", where=str(kept["weights"]))
            if precision == "bf16" and not may_encode_in_bf16(backbone):
                raise UserError("no bfloat16, in which this model's features are made", where="--precision float32")
            self._backbones[known] = backbone, open_engine(backbone, precision)
        return self._backbones[known]
