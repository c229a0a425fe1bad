"""What training does on a GPU and not on a CPU: convolutions with their channels last, batches copied while it works.

On a CPU nothing here changes a tensor.
"""

from __future__ import annotations

import torch


def channels_last(device: str) -> bool:
    """Whether convolutions are faster there with channels last in memory: tensor cores want them so."""
    return device == "cuda"


def ready(inputs: tuple[torch.Tensor, ...], device: str) -> tuple[torch.Tensor, ...]:
    """Inputs in memory that a GPU can copy from on its own; for a CPU, as they are."""
    return tuple(part.pin_memory() for part in inputs) if device == "cuda" else inputs


def moved(inputs: tuple[torch.Tensor, ...], device: str) -> tuple[torch.Tensor, ...]:
    """Inputs on the device. A GPU copies what is `ready` behind the work that it still has, and nobody waits."""
    return tuple(part.to(device, non_blocking=device == "cuda") for part in inputs)
