"""Find, verify and open weights safely: safetensors, or torch files with `weights_only=True`."""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import torch


NAMES = ("model.safetensors", "pytorch_model.bin")  # in a hub-style folder, the better one first
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spm.model", "sentencepiece.bpe.model")


def weights_in(folder: Path) -> Path | None:
    """The weights of a hub-style folder."""
    return next((folder / name for name in NAMES if (folder / name).exists()), None)


def is_whole(folder: Path) -> bool:
    """Whether a hub-style folder has all that it is opened with. Other tools fetch only some of a model's files."""
    config = folder / "config.json"
    if weights_in(folder) is None or not config.exists():
        return False
    return b'"model_type"' not in config.read_bytes() or any((folder / name).exists() for name in TOKENIZERS)


def file_sha256(path: Path) -> str:
    """Hashed once in a process, as long as the file's size and time stay the same."""
    stat = path.stat()
    return _sha256(path.resolve(), stat.st_size, stat.st_mtime_ns)


@cache
def _sha256(path: Path, size: int, changed: int) -> str:
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


@dataclass(frozen=True)
class RawTensor:
    """One tensor of a safetensors file as it stands there, whatever its type."""

    dtype: str  # safetensors' own: "F32", "BF16", ...
    shape: list[int]
    data: bytes | memoryview


def raw_tensors(path: Path) -> dict[str, RawTensor]:
    """Every tensor of a safetensors file by name, in the order of names; no torch, no conversion.

    Raises:
        ModelError: not a safetensors file, or cut short.
    """
    try:
        with path.open("rb") as file:  # mapped, not read: a large model is not in memory twice
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        length = int.from_bytes(content[:8], "little")
        header = json.loads(bytes(content[8 : 8 + length]))
        body = content[8 + length :]
        found = {}
        for name in sorted(k for k in header if k != "__metadata__"):
            start, stop = header[name]["data_offsets"]
            if stop > len(body):
                raise ValueError("cut short")
            found[name] = RawTensor(header[name]["dtype"], header[name]["shape"], body[start:stop])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"not a whole safetensors file: {error}", where=str(path)) from None
    return found


def tensors_hash(tensors: dict[str, RawTensor]) -> str:
    """sha256 over name, type, shape and bytes of every tensor, in the order of their names.

    The same tensors give the same hash in whichever file they are, with whichever metadata.
    """
    seen = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        seen.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        seen.update(tensor.data)
    return seen.hexdigest()


def write_tensors(path: Path, tensors: dict[str, RawTensor]) -> None:
    """A safetensors file that transformers and timm open (they look for the `format` note).

    Written here rather than through the library, whose writer of raw bytes has changed its form between releases and
    whose array writers know no bfloat16 without torch. The form is fixed: header length, JSON header, bytes.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in tensors.items():
        stop = offset + len(tensor.data)
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [offset, stop]}
        offset = stop
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of 8
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(tensor.data for tensor in tensors.values())


def raw(array: np.ndarray) -> RawTensor:
    """A float32 array as a RawTensor."""
    import numpy as np

    return RawTensor("F32", list(array.shape), np.ascontiguousarray(array, dtype="<f4").tobytes())


# torch's own unpickler meets cut and foreign bytes with all of these
_TRIPS: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
_TRIPS += (AssertionError, struct.error)


def open_torch_file(path: Path) -> dict[str, torch.Tensor]:
    """A state dict from a torch file; nothing in it is executed.

    Raises:
        ModelError: the file holds anything but plain tensors, or is damaged.
    """
    import pickle

    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        runs = "GLOBAL" in str(error)  # torch's word for a name to import and call
        raise ModelError(
            f"not a plain file of weights: {'opening it would run code' if runs else 'an object, or another format'}",
            where=str(path),
            fix="ask for a .safetensors file",
        ) from None
    except _TRIPS as error:
        reason = [line.strip() for line in str(error).splitlines() if line.strip()]
        told = reason[0][:160] if reason else "cut short"
        raise ModelError(f"damaged weights file: {told}", where=str(path), fix="fetch it again") from None
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ModelError("not a state dict (names to tensors)", where=str(path), fix="save model.state_dict()")
    return state
