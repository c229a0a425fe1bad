"""Find, verify and open weights safely: safetensors, or torch files with `weights_only=True`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import safe_open

from headstart.errors import ModelError

if TYPE_CHECKING:
    import torch


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path, expected: str) -> None:
    """Raises ModelError where the file is not the pinned one."""
    found = file_sha256(path)
    if found != expected:
        raise ModelError(
            f"sha256 {found[:12]}..., but {expected[:12]}... is the pinned one",
            where=str(path),
            fix="the file is damaged or another version: install it again",
        )


def tensors_hash(path: Path, *, prefix_left_out: str | None = None) -> str:
    """sha256 over name, type, shape and bytes of every tensor of a safetensors file, in the order of their names.

    The same tensors give the same hash in whichever file they are, with whichever metadata; `prefix_left_out` leaves
    out the head, so that a saved model's backbone is known for the one it was made from.
    """
    seen = hashlib.sha256()
    with safe_open(path, framework="numpy") as file:
        for name in sorted(file.keys()):
            if prefix_left_out and name.startswith(prefix_left_out + "."):
                continue
            tensor: np.ndarray = file.get_tensor(name)
            seen.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
            seen.update(np.ascontiguousarray(tensor).data)
    return seen.hexdigest()


def open_torch_file(path: Path) -> dict[str, torch.Tensor]:
    """A state dict from a torch file; nothing in it is executed.

    Raises:
        ModelError: the file holds anything but plain tensors, or is damaged.
    """
    import pickle

    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ModelError(
            "not a plain file of weights: opening it would run code",
            where=str(path),
            fix="ask for a .safetensors file",
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise ModelError(f"damaged weights file: {str(error).splitlines()[0]}", where=str(path)) from None
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ModelError("not a state dict (names to tensors)", where=str(path), fix="save model.state_dict()")
    return state
