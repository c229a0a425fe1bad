"""What training is fed with: batches of texts, of stored activations or of pixels, in an order that the seed says.

An epoch's order is a function of the seed and the epoch's number (see `adapt.epoch_order`), so a run that was killed
goes on with the very batch that it would have had.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch

from headstart.adapt.devices import ready
from headstart.adapt.epoch_order import Blocks, blocks_of, epoch_order
from headstart.backbone import ImagePreparation, TextPreparation
from headstart.encode.encode import Activations
from headstart.errors import somebody_elses
from headstart.inputs.augment import Views, pixels_of
from headstart.inputs.tokens import shortened, truncating
from headstart.storage.columns import taken

_POOL = 64  # batches that are sorted by length together
# What goes through the model at once; a longer batch goes in parts. In texts x tokens x (tokens + 512), because memory
# grows with tokens and, in attention, with their square.
_MOST, _LINEAR = 2_500_000, 512
_TOKENISED = 16_384  # texts at a time
_DECODERS = 2
_SHORT, _STEP = 64, 32  # tokens up to which a text's length is free, and what longer ones are multiples of

Inputs = tuple[torch.Tensor, ...]
Part = tuple[np.ndarray, Inputs]  # example numbers, and what goes into the model for them


class Feed(Protocol):
    """Examples that a model can be trained on or asked about."""

    def __len__(self) -> int: ...

    def take(self, rows: np.ndarray) -> Feed:
        """Only these examples, numbered anew."""
        ...

    def batches(self, size: int, *, epoch: int, seed: int) -> list[np.ndarray]:
        """Example numbers of each batch of an epoch."""
        ...

    def parts(self, batch: np.ndarray, *, epoch: int) -> Iterator[Part]:
        """The batch as the model takes it, in as many parts as memory asks for."""
        ...


@dataclass(frozen=True)
class Texts:
    """Tokenised texts; each batch is padded to its own longest."""

    ids: np.ndarray  # (tokens of all texts,) int32
    starts: np.ndarray  # (n + 1,) int64
    pad_id: int
    types: np.ndarray | None = None  # (tokens of all texts,) int8: of a question or of its text; None: not asked for

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.starts)

    @property
    def vocabulary(self) -> np.ndarray:
        """(m,) every id that goes into a model, padding too, each once."""
        return np.union1d(self.ids, [self.pad_id])

    def take(self, rows: np.ndarray) -> Texts:
        starts = np.concatenate([[0], np.cumsum(self.lengths[rows])]).astype(np.int64)
        which = np.repeat(self.starts[rows] - starts[:-1], np.diff(starts)) + np.arange(starts[-1])
        types = None if self.types is None else self.types[which]
        return Texts(self.ids[which], starts, self.pad_id, types)

    def batches(self, size: int, *, epoch: int, seed: int) -> list[np.ndarray]:
        """Batches of texts of similar length: shuffled, then sorted within pools of 64 batches."""
        rng = np.random.default_rng([seed, epoch])
        order, lengths, made = rng.permutation(len(self)), self.lengths, []
        for start in range(0, len(order), _POOL * size):
            pool = order[start : start + _POOL * size]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            made += [pool[at : at + size] for at in range(0, len(pool), size)]
        return [made[i] for i in rng.permutation(len(made))]

    def parts(self, batch: np.ndarray, *, epoch: int) -> Iterator[Part]:
        batch = batch[np.argsort(self.lengths[batch], kind="stable")]
        while len(batch):
            longest = padded_length(int(self.lengths[batch[-1]]))
            most = max(1, _MOST // (longest * (longest + _LINEAR)))
            size = math.ceil(len(batch) / math.ceil(len(batch) / most))  # parts of about the same size
            here, batch = batch[-size:], batch[:-size]
            mask = np.arange(longest) < self.lengths[here][:, None]
            ids, types = self._padded(self.ids, here, mask, self.pad_id), self.types
            more = () if types is None else (self._padded(types, here, mask, 0),)
            yield here, (ids, torch.from_numpy(mask.astype(np.int64)), *more)

    def _padded(self, column: np.ndarray, rows: np.ndarray, mask: np.ndarray, filling: int) -> torch.Tensor:
        made = np.full(mask.shape, filling, dtype=np.int64)
        made[mask] = np.concatenate([column[self.starts[row] : self.starts[row + 1]] for row in rows.tolist()])
        return torch.from_numpy(made)


def padded_length(tokens: int) -> int:
    """Long texts are padded to one of a few lengths: for each new shape oneDNN makes, and keeps, programs of its own,
    which takes time and gigabytes where lengths are free."""
    step = 1 if tokens <= _SHORT else _STEP
    return max(1, math.ceil(tokens / step) * step)


def tokenised(texts: Sequence[str], preparation: TextPreparation) -> Texts:
    """Tokenise once; four bytes a token are kept."""
    tokenizer = truncating(preparation)
    ids: list[np.ndarray] = []
    for start in range(0, len(texts), _TOKENISED):
        some = [shortened(text, preparation) for text in texts[start : start + _TOKENISED]]
        with somebody_elses("tokenizers"):
            encodings = tokenizer.encode_batch_fast(some)
        ids += [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]
    starts = np.concatenate([[0], np.cumsum([len(i) for i in ids])]).astype(np.int64)
    return Texts(np.concatenate(ids) if ids else np.empty(0, np.int32), starts, preparation.pad_id)


@dataclass(frozen=True)
class Stored:
    """Activations of a frozen trunk, from the store; another view of each image in each epoch."""

    activations: Activations
    shape: tuple[int, ...]
    rows: np.ndarray  # (n,) which of the activations' examples these are
    views: int  # 1: only the plain one
    channels_last: bool = False  # in memory, as the suffix was cut for

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: np.ndarray) -> Stored:
        return replace(self, rows=self.rows[rows])

    def batches(self, size: int, *, epoch: int, seed: int) -> list[np.ndarray]:
        return in_batches(epoch_order(len(self), None, seed=seed, epoch=epoch), size)

    def parts(self, batch: np.ndarray, *, epoch: int) -> Iterator[Part]:
        found = self.activations.rows(self.rows[batch], (self.rows[batch] + epoch) % self.views)
        activation = torch.from_numpy(found.astype(np.float32)).reshape(len(batch), *self.shape)
        yield batch, (activation.contiguous(memory_format=torch.channels_last) if self.channels_last else activation,)


@dataclass(frozen=True)
class Pixels:
    """Images, opened anew in each epoch: for a model that is trained from its first layer on."""

    inputs: Sequence[Any]
    digests: np.ndarray
    preparation: ImagePreparation
    views: Views  # its count says how many different ones there are; 1: only the plain one

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: np.ndarray) -> Pixels:
        return Pixels(taken(self.inputs, rows), self.digests[rows], self.preparation, self.views)

    @cached_property
    def blocks(self) -> Blocks | None:
        """What the photos lie in; None: they are as quickly read in any order."""
        return blocks_of(self.inputs)

    def batches(self, size: int, *, epoch: int, seed: int) -> list[np.ndarray]:
        return in_batches(epoch_order(len(self), self.blocks, seed=seed, epoch=epoch), size)

    def parts(self, batch: np.ndarray, *, epoch: int) -> Iterator[Part]:
        with ThreadPoolExecutor(_DECODERS) as pool:
            pixels = np.stack(list(pool.map(lambda row: self._pixels(row, epoch), batch.tolist())))
        yield batch, (normalised(pixels, self.preparation),)

    def _pixels(self, row: int, epoch: int) -> np.ndarray:
        number = (row + epoch) % self.views.count
        return pixels_of(self.inputs[row], self.preparation, self.views, digest=self.digests[row], number=number)


@dataclass(frozen=True)
class Twice:
    """Another feed's batches, each of them two times in a row: to compare two ways of doing a step."""

    feed: Feed
    size: int  # of the batches

    def __len__(self) -> int:
        return 2 * self.size * math.ceil(len(self.feed) / self.size)

    def take(self, rows: np.ndarray) -> Twice:
        return replace(self, feed=self.feed.take(rows))

    def batches(self, size: int, *, epoch: int, seed: int) -> list[np.ndarray]:
        return [batch for batch in self.feed.batches(size, epoch=epoch, seed=seed) for _ in range(2)]

    def parts(self, batch: np.ndarray, *, epoch: int) -> Iterator[Part]:
        return self.feed.parts(batch, epoch=epoch)


def normalised(pixels: np.ndarray, preparation: ImagePreparation) -> torch.Tensor:
    """(n, h, w, 3) uint8 -> (n, 3, h, w) float32, channels last in memory."""
    mean, std = (255 * torch.tensor(values).view(1, 3, 1, 1) for values in (preparation.mean, preparation.std))
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - mean) / std


def ahead(feed: Feed, batches: Sequence[np.ndarray], *, epoch: int, device: str = "cpu") -> Iterator[list[Part]]:
    """The parts of each batch; the next batch is made, ready for the device, while the model has this one."""

    def made(batch: np.ndarray) -> list[Part]:
        return [(rows, ready(inputs, device)) for rows, inputs in feed.parts(batch, epoch=epoch)]

    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[list[Part]]] = deque()
        try:
            for batch in batches:
                waiting.append(pool.submit(made, batch))
                if len(waiting) > 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def in_order(feed: Feed, size: int, *, device: str = "cpu") -> Iterator[list[Part]]:
    """Every example once, for a model that is asked; texts by length."""
    lengths = getattr(feed, "lengths", None)
    order = np.arange(len(feed)) if lengths is None else np.argsort(-lengths, kind="stable")
    return ahead(feed, in_batches(order, size), epoch=0, device=device)


def in_batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """The examples of an order in batches, of which the last one may be smaller."""
    return [order[at : at + size] for at in range(0, len(order), size)]
