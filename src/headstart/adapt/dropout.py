"""Dropout by a seed of its own, on a CPU by numbers that are drawn several times as fast as torch draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

_LEVELS = 2**16  # of a random number; a share is met to within 1 / 131,072


@contextmanager
def dropping(seed: Sequence[int], device: str) -> Iterator[None]:
    """What is dropped out meanwhile is said by the seed; other devices than the CPU draw their numbers themselves."""
    if device == "cpu":
        with Dropping(seed):
            yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(int(np.random.default_rng(seed).integers(2**62)))
        yield


class Dropping(TorchFunctionMode):
    """While it is entered, `torch.nn.functional.dropout`, which all modules end up in, is this one.

    On a CPU torch draws one number after the other, which takes an eighth of a training step of a small text encoder.
    Nothing but the seed decides what is dropped, and torch's own generator is left as it was.
    """

    def __init__(self, seed: Sequence[int]) -> None:
        super().__init__()
        self._rng = np.random.Generator(np.random.SFC64(seed))

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        chosen = self._dropout if func is torch.nn.functional.dropout else func
        return chosen(*args, **(kwargs or {}))

    def _dropout(
        self, input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> torch.Tensor:
        """As torch's, to the names of the arguments; what is to be written in place is not."""
        dropped = round(p * _LEVELS)
        if not training or not dropped:
            return input
        drawn = np.frombuffer(self._rng.bytes(2 * input.numel()), dtype=np.uint16)
        kept = torch.from_numpy(drawn >= dropped).view(input.shape).to(input.dtype)
        return input * kept.mul_(_LEVELS / max(1, _LEVELS - dropped))
