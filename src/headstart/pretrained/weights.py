"""Find, verify and open weights safely: safetensors, or torch files with `weights_only=True`."""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import ModelError, first_line
from headstart.pretrained.foreign_files import MOST_WEIGHTS, refuse_special, unreadable
from headstart.storage.files import MOST_JSON, is_there, open_file, parse_json, read_file, sha256_of
from headstart.storage.kept import writing

if TYPE_CHECKING:
    import numpy as np
    import torch


NAMES = ("model.safetensors", "pytorch_model.bin")  # in a hub-style folder, the better one first
INDEXES = tuple(f"{name}.index.json" for name in NAMES)  # of weights in several files
_MOST_TIED = 4  # times its size that a torch file's tensors may have: some share their numbers
_MOST_HEADER, _MOST_SIDES = 100 * 2**20, 32
_BITS = {  # a number, by safetensors' names of types
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
    **{"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6},
}
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spm.model", "sentencepiece.bpe.model")


def weights_in(folder: Path) -> Path | None:
    """The weights of a hub-style folder."""
    return next((folder / name for name in NAMES if is_there(folder / name)), None)


def is_whole(folder: Path) -> bool:
    """Whether a hub-style folder has all that it is opened with. Other tools fetch only some of a model's files."""
    if weights_in(folder) is None:
        return False
    try:
        config = read_file(folder / "config.json", most=MOST_JSON)
    except OSError:
        return False
    return b'"model_type"' not in config or any(is_there(folder / name) for name in TOKENIZERS)


def file_sha256(path: Path, *, most: int = MOST_WEIGHTS) -> str:
    """Hashed once in a process, as long as the file's size and time stay the same; of at most so many bytes.

    Raises:
        ModelError: it cannot be read, or is no regular file of a bounded size.
    """
    try:
        stat = path.stat()
        return _sha256(path.resolve(), stat.st_size, stat.st_mtime_ns, most)
    except OSError as error:
        raise unreadable(path, error) from None


@cache
def _sha256(path: Path, size: int, changed: int, most: int) -> str:
    return sha256_of(path, most=most)


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
        ModelError: no regular file, not a safetensors file, or cut short.
    """
    try:
        with open_file(path, most=MOST_WEIGHTS) as file:  # mapped, not read: a large model is not in memory twice
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        length = int.from_bytes(content[:8], "little")
        if not 2 <= length <= min(_MOST_HEADER, len(content) - 8):
            raise ValueError("its header does not fit into it")
        header, body = parse_json(bytes(content[8 : 8 + length])), content[8 + length :]
        if not isinstance(header, dict):
            raise ValueError("its header is no object")
        header.pop("__metadata__", None)
        found, end = {}, 0
        for name, told in sorted(header.items(), key=_first_byte):
            name.encode()  # half a character is no name
            dtype, shape, start, stop = _described(told)
            if start != end or stop > len(body):
                raise ValueError("cut short" if start == end else "its tensors do not follow each other")
            if (stop - start) * 8 != _BITS[dtype] * math.prod(shape):
                raise ValueError(f"{name[:100]!r} has not the bytes that its shape needs")
            found[name], end = RawTensor(dtype, shape, body[start:stop]), stop
        if end != len(body):
            raise ValueError("there is more in it than its header says")
    except OSError as error:
        raise ModelError(f"not a whole safetensors file: {error.strerror or error}", where=str(path)) from None
    except (ValueError, LookupError, TypeError) as error:
        raise ModelError(f"not a whole safetensors file: {first_line(error)}", where=str(path)) from None
    return {name: found[name] for name in sorted(found)}


def _first_byte(entry: tuple[str, Any]) -> tuple[int, int]:
    """Where a tensor begins; empty ones before the one that begins at the same byte."""
    start, stop = entry[1]["data_offsets"]
    return _whole(start), _whole(stop)


def _described(told: dict[str, Any]) -> tuple[str, list[int], int, int]:
    dtype, shape, (start, stop) = told["dtype"], told["shape"], told["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BITS or not isinstance(shape, list) or len(shape) > _MOST_SIDES:
        raise ValueError(f"a tensor of type {str(dtype)[:20]!r}")
    return dtype, [_whole(side) for side in shape], _whole(start), _whole(stop)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_WEIGHTS:
        raise ValueError("a size that is none")
    return value


def refuse_unlike_its_name(path: Path) -> None:
    """Raises ModelError where a file of weights cannot be what its name says; nothing is hashed for that."""
    if path.suffix == ".safetensors":
        raw_tensors(path)
    else:
        refuse_special(path)


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


def without_head(tensors: dict[str, RawTensor], config: dict[str, Any]) -> dict[str, RawTensor]:
    """The tensors that are not of the classifier (or classifiers) that `config` names, or of a norm before one."""
    named = config.get("classifier") or ()
    heads = tuple(f"{name}." for name in (*([named] if isinstance(named, str) else named), *config.get("norms", ())))
    return {k: t for k, t in tensors.items() if not heads or not k.startswith(heads)}


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


def open_torch_file(path: Path) -> dict[str, torch.Tensor]:
    """A state dict from a torch file, which may be a training script's checkpoint; nothing in it is executed.

    Raises:
        ModelError: the file holds no plain tensors, or objects that cannot be made without running code; or is damaged.
    """
    import pickle

    import torch

    from headstart.pretrained.checkpoint import inert, state_in

    refuse_special(path)
    _refuse_bomb(path)
    try:
        with torch.serialization.safe_globals(inert()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _not_plain(error, path) from None
    except Exception as error:  # torch's own unpickler meets cut and foreign bytes with any of Python's
        raise ModelError(
            f"damaged weights file: {first_line(error) if str(error).strip() else 'cut short'}",
            where=str(path),
            fix="fetch it again",
        ) from None
    state = state_in(content, str(path))
    size, there = sum(tensor.numel() * tensor.element_size() for tensor in state.values()), path.stat().st_size
    if size > _MOST_TIED * there + 2**30:  # one number can stand for a tensor of any shape
        raise ModelError(f"{size:,} bytes of tensors in a file of {there:,}", where=str(path), fix="fetch it again")
    return state


def _not_plain(error: Exception, path: Path) -> ModelError:
    """A file that holds more than tensors and plain values."""
    runs = re.search(r"GLOBAL (\S+)", str(error))  # torch's word for a name to import and call
    if not runs:
        what, fix = "an object, or another format", "ask for a .safetensors file"
    else:
        what = f"opening it would run code ({runs[1][:100]})"
        fix = "ask for a .safetensors file; or, of a checkpoint of your own, save its 'state_dict' or 'model' alone"
    return ModelError(f"not a plain file of weights: {what}", where=str(path), fix=fix)


def _refuse_bomb(path: Path) -> None:
    """torch writes its archives without compressing them, so one that is more than its file was made to burst."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (OSError, ValueError, LookupError, struct.error, zipfile.BadZipFile, NotImplementedError):
        return  # torch says what is wrong with it
    if size > 2 * path.stat().st_size + 2**20:
        raise ModelError(f"{size:,} bytes packed into {path.stat().st_size:,}", where=str(path), fix="fetch it again")


def save_tensors(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """A safetensors file of contiguous tensors, as transformers and timm open it.

    Raises:
        OutputError: no space, no permission.
    """
    from safetensors.torch import save_file

    with writing(path):
        save_file(dict(tensors), path, metadata={"format": "pt"})
