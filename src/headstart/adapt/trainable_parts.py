"""The part of a backbone that is trained, for each depth that may be tried, always starting from its own weights."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from headstart.adapt.batches import Feed, Pixels, Stored, Texts
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.trunk import Cut, cut
from headstart.backbone import Backbone
from headstart.clock import Now
from headstart.encode.encode import encode_views
from headstart.encode.graph_file import is_int8
from headstart.inputs.augment import Views
from headstart.pretrained.opened import Trainable
from headstart.storage.kept import cache_root, free_bytes

VIEWS = 4  # of each image, the plain one among them
_DISK = 2 * 2**30  # bytes of stored activations of a run, at most
_DISK_SHARE = 0.25  # of what is free
_FORESEEN = 32  # views after the first batch from which the time for the rest is foreseen

GoOn = Callable[[float], bool]  # the seconds that it will take still -> whether to go on


@dataclass(frozen=True)
class TrainablePart:
    """What is trained at one depth, and how it is fed."""

    module: nn.Module  # inputs of the feeds -> features
    groups: list[list[nn.Parameter]]  # trained, from the input up
    plain: Feed  # all examples, as the model will be asked about them
    varied: Callable[[], Feed] | None  # another view of each example in each epoch; None: there are no views of texts
    stored: bool  # the trunk was run once; else the whole model runs in each step
    head: Sequence[nn.Parameter] = ()  # of a head that is part of the module
    dropout: bool = False  # the module drops out what it was trained to drop; not where batch norms would move with it


class TrainableParts(Protocol):
    """TrainableParts of one backbone over one set of examples."""

    @property
    def depths(self) -> int:
        """Groups of parameters that there are."""
        ...

    def at(self, depth: int) -> TrainablePart:
        """With `depth` groups trained, counted from the top; weights as they were at the start."""
        ...

    def prepare(self, depth: int, *, varied: bool, go_on: GoOn) -> bool:
        """Do beforehand what `at` and, if wanted, its other views need; False where `go_on` ended that."""
        ...

    def note(self, depth: int) -> str:
        """What the user should know of how it is trained at this depth, once it was; empty: nothing."""
        ...


class _Weights:
    """The module's weights as they were, to start from again."""

    def __init__(self, trainable: Trainable) -> None:
        self._module: nn.Module = trainable.module
        self._first = {name: tensor.detach().clone() for name, tensor in self._module.state_dict().items()}

    def reset(self) -> None:
        with torch.no_grad():
            for name, tensor in self._module.state_dict().items():
                tensor.copy_(self._first[name])

    def trained(self, groups: Sequence[Sequence[str]]) -> list[list[nn.Parameter]]:
        return [[self._module.get_parameter(name) for name in group] for group in groups]


class TextParts:
    """Texts go through the whole model in each step: what is frozen below costs no backward pass."""

    def __init__(self, trainable: Trainable, texts: Texts) -> None:
        self._trainable, self._texts, self._weights = trainable, texts, _Weights(trainable)

    @property
    def depths(self) -> int:
        return len(self._trainable.groups)

    def at(self, depth: int) -> TrainablePart:
        self._weights.reset()
        groups = self._weights.trained(self._trainable.groups[-depth:])
        (head,) = self._weights.trained([self._trainable.head])
        return TrainablePart(self._trainable.module, groups, self._texts, None, stored=False, head=head, dropout=True)

    def prepare(self, depth: int, *, varied: bool, go_on: GoOn) -> bool:
        return True

    def note(self, depth: int) -> str:
        return ""


class ImageParts:
    """Below what is trained, a frozen trunk runs once for each view; its activations are kept in the store."""

    def __init__(
        self,
        trainable: Trainable,
        backbone: Backbone,
        inputs: Sequence[Any],
        digests: np.ndarray,
        *,
        mirror: Callable[[], bool],
        checkpoint: Checkpoint | None = None,
        exact: bool = False,
        channels_last: bool = False,
        clock: Now = time.perf_counter,
    ) -> None:
        """Args:
        inputs, digests: as for `encode_views`.
        mirror: whether mirror images are among the views, asked for when there are any.
        checkpoint: where it is written down how many views are stored; None: nobody will take it up again.
        exact: what is frozen runs and is stored in float32.
        clock: by which is foreseen how long that takes.
        """
        module: Any = trainable.module
        if channels_last:
            module.to(memory_format=torch.channels_last)
        self._channels_last = channels_last
        self._trainable, self._backbone, self._preparation = trainable, backbone, backbone.images
        self._inputs, self._digests, self._weights = inputs, digests, _Weights(trainable)
        self._journal, self._mirror, self._exact, self._clock = checkpoint, mirror, exact, clock
        self._go_on: GoOn = lambda rest: True
        self._made: dict[int, TrainablePart] = {}
        self._notes: dict[int, str] = {}

    @property
    def depths(self) -> int:
        return len(self._trainable.groups)

    def at(self, depth: int) -> TrainablePart:
        self._weights.reset()
        if depth not in self._made:
            self._made[depth] = self._body(depth)
        return self._made[depth]

    def prepare(self, depth: int, *, varied: bool, go_on: GoOn) -> bool:
        """Run the frozen layers once; what was stored when `go_on` ended it is there for the next time."""
        self._go_on, always = go_on, self._go_on
        try:
            body = self.at(depth)
            if varied and body.varied is not None:
                body.varied()
        except _TakesTooLongError:
            return False
        finally:
            self._go_on = always
        return True

    def note(self, depth: int) -> str:
        return self._notes.get(depth, "")

    def _body(self, depth: int) -> TrainablePart:
        groups = self._trainable.groups[-depth:]
        trained = self._weights.trained(groups)
        example = torch.zeros((2, 3, *self._preparation.size), device=trained[0][0].device)
        if self._channels_last:
            example = example.contiguous(memory_format=torch.channels_last)
        whole = depth >= self.depths
        parts = None if whole else cut(self._trainable.module, example, {name for group in groups for name in group})
        views = 0 if parts is None else self._views(depth, 2 * len(self._inputs) * math.prod(parts.shape))
        if parts is None or views == 0:
            if not whole:
                why = "it could not be cut" if parts is None else "the disk has no room for what its frozen layers make"
                self._notes[depth] = f"trained whole: {why}"
            pixels = Pixels(self._inputs, self._digests, self._preparation, Views(1))
            return TrainablePart(self._trainable.module, trained, pixels, partial(self._pixels, pixels), stored=False)
        trunk = _as_backbone(self._backbone, parts.trunk, math.prod(parts.shape), lowest=groups[0][0])
        varied = partial(self._stored, trunk, parts, views) if views > 1 else None
        return TrainablePart(parts.suffix, trained, self._stored(trunk, parts, 1), varied, stored=True)

    def _views(self, depth: int, each: int) -> int:
        """How many views can be stored at a depth, of `each` bytes; 0: not even the plain one.

        What other depths take is counted. Decided once a run, since storing them leaves less room to decide by.
        """
        checkpoint = self._journal
        if checkpoint is None:  # nobody will take it up again
            return min(VIEWS, _room() // each)

        def decide() -> dict[str, int]:
            room = checkpoint.decide_once("room", _room) - sum(
                other["bytes"] for other in checkpoint.decided("stored-*")
            )
            views = min(VIEWS, room // each)
            return {"views": views, "bytes": views * each}

        return int(checkpoint.decide_once(f"stored-{depth}", decide)["views"])

    def _pixels(self, plain: Pixels) -> Feed:
        return replace(plain, views=Views(VIEWS, self._mirror()))

    def _stored(self, trunk: Backbone, parts: Cut, count: int) -> Feed:
        activations = encode_views(
            self._inputs,
            self._digests,
            trunk,
            views=Views(count, self._mirror() if count > 1 else False),
            precision="f32" if self._exact else None,
            half=not self._exact,
            advance=Foresight(count * len(self._inputs), self._go_on, self._clock),
        )
        last = self._channels_last and parts.channels_last
        return Stored(activations, parts.shape, np.arange(len(self._inputs)), count, last)


class _TakesTooLongError(Exception):
    """Running the frozen layers, or the user wants no more of it."""


@dataclass
class Foresight:
    """Told how many more views are stored, foresees the rest; from the first batch on, which prepares the engine."""

    views: int
    go_on: GoOn
    clock: Now = time.perf_counter
    _done: list[tuple[float, int]] = field(default_factory=list)  # after each batch: when, and how many views by then

    def __call__(self, more: int) -> None:
        done = more + (self._done[-1][1] if self._done else 0)  # the first is told of what was stored before
        self._done.append((self.clock(), done))
        since, before = self._done[:2][-1]
        new = done - before
        rest = (self.clock() - since) / new * (self.views - done) if new >= _FORESEEN else 0.0
        if done < self.views and not self.go_on(rest):
            raise _TakesTooLongError


def _room() -> int:
    """Bytes that the disk has for stored activations."""
    return int(min(_DISK, _DISK_SHARE * free_bytes(cache_root())))


def _as_backbone(backbone: Backbone, trunk: nn.Module, width: int, *, lowest: str) -> Backbone:
    """The trunk as a frozen backbone of its own, whose features are its activations.

    Args:
        lowest: the first parameter that is trained; it tells the trunks of one backbone apart, adapters' from others.
    """
    name = f"{backbone.weights_hash} below {lowest}"
    return replace(
        backbone,
        name=f"{backbone.name} below {lowest}",
        width=width,
        weights_hash=hashlib.sha256(name.encode()).hexdigest(),
        module=lambda: trunk,
        precision="auto" if is_int8(backbone.precision) else backbone.precision,
    )
