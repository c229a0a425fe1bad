"""Weights in several files, with an index that says which tensor is in which: `model.safetensors.index.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headstart.errors import ModelError
from headstart.pretrained.foreign_files import MOST_WEIGHTS, json_object
from headstart.pretrained.weights import INDEXES, RawTensor, open_torch_file, raw_tensors, save_tensors, write_tensors
from headstart.storage.files import is_there

_MOST_FILES = 1_000


def index_in(folder: Path) -> Path | None:
    """The index of a folder whose weights are in several files."""
    return next((folder / name for name in INDEXES if is_there(folder / name)), None)


def shards_of(index: Path) -> list[Path]:
    """The files that an index names: beside it, and all there.

    Raises:
        ModelError: it names others, or one is missing, or they are too large together.
    """
    told = json_object(index).get("weight_map")
    if not isinstance(told, dict) or not told or not all(isinstance(name, str) for name in told.values()):
        raise ModelError("no index of weights: its weight_map does not name files", where=str(index), fix=_FIX)
    names, ending = sorted(set(told.values())), index.name.removesuffix(".index.json").rpartition(".")[2]
    strange = [name for name in names if Path(name).name != name or "\\" in name or not name.endswith(f".{ending}")]
    if strange or len(names) > _MOST_FILES:
        what = f"{strange[0][:100]!r}, no .{ending} file beside it" if strange else f"{len(names):,} files"
        raise ModelError(f"it names {what}", where=str(index), fix=_FIX)
    files = [index.with_name(name) for name in names]
    missing = [file.name for file in files if not is_there(file)]
    if missing:
        what = f"{len(missing)} of {len(files)} files are missing, first {missing[0]!r}"
        raise ModelError(what, where=str(index), fix=_FIX)
    size = sum(file.stat().st_size for file in files)
    if size > MOST_WEIGHTS:
        raise ModelError(f"{size:,} bytes in {len(files)} files, more than {MOST_WEIGHTS:,}", where=str(index))
    return files


_FIX = "fetch the folder again, with all files that the index names"


def join(index: Path, target: Path) -> None:
    """Write the tensors of all files as one safetensors file.

    Raises:
        ModelError: as `shards_of`; or a file is damaged, or a tensor is not where the index says.
    """
    files, wanted = shards_of(index), json_object(index)["weight_map"]
    if index.name == INDEXES[0]:
        raw: dict[str, RawTensor] = {}
        for file in files:
            raw |= _as_told(raw_tensors(file), file, wanted)
        write_tensors(target, dict(sorted(raw.items())))
        return
    state: dict[str, Any] = {}
    for file in files:
        state |= _as_told(open_torch_file(file), file, wanted)
    save_tensors({name: tensor.clone().contiguous() for name, tensor in state.items()}, target)


def _as_told(tensors: dict[str, Any], file: Path, wanted: dict[str, str]) -> dict[str, Any]:
    lacking = [name for name, place in wanted.items() if place == file.name and name not in tensors]
    if lacking:
        raise ModelError(f"{lacking[0][:100]!r} is not in it, as the index says", where=str(file), fix=_FIX)
    return {name: tensor for name, tensor in tensors.items() if wanted.get(name) == file.name}
