"""Files that are one data set together: what was typed (a pattern, a folder of shards), and the parts in it."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from headstart.data.files.names import BRACES, SPECIAL, expanded
from headstart.data.files.part_names import OFFICIAL, part_named, parts_among
from headstart.data.files.walk import Walk
from headstart.errors import DataError, some_of
from headstart.inputs.paths import existing, is_address, is_file, is_folder, local_path
from headstart.storage.files import is_there, read_json

TAR = ".tar"
_OF_MANY = re.compile(r"(?P<stem>.*)-\d{3,}-of-\d{3,}\.parquet", re.IGNORECASE)  # as the hub names them
_MOST = 100_000  # files
_MOST_WRAPPERS = 4
_MOST_TOLD = 2**24  # bytes of what a data set says of itself
_STATE, _DICT = "state.json", "dataset_dict.json"  # which `datasets` writes beside its files
# What lies beside shards and is none: names of classes, what a data set says of itself.
_BESIDE = frozenset((".txt", ".json", ".md", ".idx", ".yaml", ".yml", ".parquet.idx", ""))


@dataclass(frozen=True)
class Shards:
    """Files that are one data set together, each in a part or all in none."""

    root: Path  # the folder that all lie in
    parts: tuple[tuple[str | None, tuple[Path, ...]], ...]  # the training part first
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(file for _, files in self.parts for file in files)

    def name_of(self, file: Path) -> str:
        """What to call a file: its name, or that with its folder where several are called so."""
        return os.path.relpath(file, self.root) if self._names[file.name] > 1 else file.name

    @cached_property
    def _names(self) -> Counter[str]:
        return Counter(file.name for file in self.files)


def shards_at(given: str | Path) -> Shards | None:
    """The shards that were typed: one tar, a folder of them, or a pattern; None: something else was.

    Raises:
        DataError: a pattern that nothing is called by; or files of several kinds.
    """
    if is_pattern(given):
        return _of_pattern(str(given))
    try:
        path = local_path(given)
    except DataError:  # an address, or no path at all
        return None
    if is_folder(path):
        return saved_by_datasets(path) or _in_folder(path)
    return Shards(path.parent, ((None, (existing(path),)),)) if path.suffix.lower() == TAR and is_there(path) else None


def saved_by_datasets(folder: Path) -> Shards | None:
    """The files of a folder that `save_to_disk` of `datasets` wrote; None: it wrote none.

    Raises:
        DataError: what the folder says of itself cannot be read, or is not in it.
    """
    if not is_file(folder / _DICT):
        return Shards(folder, ((None, _saved(folder)),)) if is_file(folder / _STATE) else None
    splits = _told(folder / _DICT).get("splits")
    names = splits if isinstance(splits, list) and all(map(_is_name, splits)) else []
    parts = {name: part for name in names if (part := part_named(name)) is not None}
    if not parts:
        what = f"its parts are called {some_of([*map(str, names)])}" if names else "it names no parts"
        raise DataError(what, where=str(folder / _DICT), fix="name the folder of one part")
    named = [(part, _saved(folder / name)) for name, part in parts.items()]
    others = [name for name in names if name not in parts]
    said = (f"not read, since their names are not train, val or test: {some_of(others)}",) if others else ()
    return Shards(folder, tuple(sorted(named, key=lambda one: OFFICIAL.index(one[0]))), said)


def _saved(folder: Path) -> tuple[Path, ...]:
    """The files of one part, in their order."""
    told = _told(folder / _STATE)
    files = told.get("_data_files")
    names = [file.get("filename") if isinstance(file, dict) else None for file in files or ()]
    if not names or not all(map(_is_name, names)) or told.get("_indices_data_files"):
        code = f"hs.fit(datasets.load_from_disk({str(folder)!r}))"
        raise DataError("its files are not named there", where=str(folder / _STATE), fix=f"in Python: {code}")
    return tuple(folder / str(name) for name in names)


def _told(path: Path) -> dict[str, Any]:
    """What `datasets` wrote about a data set."""
    try:
        told = read_json(path, most=_MOST_TOLD)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path), fix="save the data set again") from None
    return told if isinstance(told, dict) else {}


def _is_name(name: object) -> bool:
    """Whether it is the name of something right in a folder."""
    return isinstance(name, str) and name not in ("", ".", "..") and not any(sign in name for sign in "/\\\0")


def is_pattern(given: str | Path) -> bool:
    """Whether it names several files: train-{000..099}.tar, data/train-*.parquet; never what is called so itself."""
    text = str(given)
    special = any(sign in text for sign in SPECIAL) or BRACES.search(text) is not None
    return special and text.lower().endswith((TAR, ".parquet")) and not is_address(text) and not is_there(text)


def title(given: str | Path) -> str:
    """What to call the data that were typed: of a pattern or an address, what comes before its numbers."""
    name = str(given).rstrip("/\\").replace("\\", "/").rpartition("/")[2]
    stem = re.split(r"[{*?\[]", name)[0] if is_pattern(given) else name
    return _stem(stem).rstrip("-_.") or "data"


def _of_pattern(pattern: str) -> Shards:
    local_path(pattern)
    files: list[Path] = []
    absent: list[str] = []
    for name in islice(expanded(pattern), _MOST + 1):
        found = _globbed(Path(name)) if any(sign in name for sign in SPECIAL) else [local_path(name)]
        there = [path for path in found if is_there(path)]
        files += there
        absent += [] if there else [name]
    files = list(dict.fromkeys(files))
    if not files:
        raise DataError(
            "no file is called so", where=pattern, fix="check the pattern; quote it, so that no shell reads it"
        )
    if len(files) + len(absent) > _MOST:
        raise DataError(f"more than {_MOST:,} files", where=pattern, fix="name fewer, and larger ones")
    if absent:
        what = f"{len(absent):,} of the files that it names are not there: {some_of(absent)}"
        raise DataError(what, where=pattern, fix="check the numbers in the pattern")
    root = Path(os.path.commonpath([str(file.parent.absolute()) for file in files]))
    return Shards(root, _in_parts({file: os.path.relpath(file.absolute(), root) for file in files}))


def _globbed(pattern: Path) -> list[Path]:
    root = Path(pattern.anchor) if pattern.anchor else Path()
    inside = str(pattern.relative_to(pattern.anchor) if pattern.anchor else pattern)
    return sorted(islice(root.glob(inside), _MOST + 1))


def _in_folder(folder: Path, deep: int = 0) -> Shards | None:
    """The shards of a folder, or of its folders of parts, where nothing else that could be the data is there."""
    found: dict[Path, str] = {}
    walk = Walk(folder)
    try:
        inner, names = walk.listing(walk.top)
        if len(inner) == 1 and not parts_among(inner) and _are_beside(names):  # what wraps all the rest
            return _in_folder(folder / inner[0], deep + 1) if deep < _MOST_WRAPPERS else None
        ahead = [(folder, name) for name in names]
        parts = parts_among(inner)
        if any(name not in parts for name in inner):
            return None
        for name in inner:
            deeper, files = walk.listing(os.path.join(walk.top, name))
            if deeper or not _are_shards(files):
                return None
            ahead += [(folder / name, file) for file in files]
    except OSError:  # which reading it says
        return None
    if inner and any(_kind(name) for name in names):
        return None
    for place, name in ahead:
        if _kind(name):
            found[place / name] = os.path.relpath(place / name, folder)
    kinds = {_kind(path.name) for path in found}
    if len(kinds) != 1 or (not inner and not _are_shards(names)):
        return None
    parts_found = _in_parts(found)
    if TAR not in kinds and not inner and all(len(files) == 1 for _, files in parts_found):
        return None  # a table, or one a part
    return Shards(folder, parts_found)


def _are_shards(names: Sequence[str]) -> bool:
    """Whether these are shards, with nothing beside them that could be data."""
    kinds = {kind for name in names if (kind := _kind(name))}
    return len(kinds) == 1 and _are_beside([name for name in names if not _kind(name)])


def _are_beside(names: Sequence[str]) -> bool:
    """Whether files of these names say something of shards, and are no data."""
    return all(os.path.splitext(name)[1].lower() in _BESIDE for name in names)


def _kind(name: str) -> str:
    """What kind of shard a file is called as; empty: none."""
    lower = name.lower()
    return TAR if lower.endswith(TAR) else "parquet" if _OF_MANY.fullmatch(lower) else ""


def _in_parts(files: dict[Path, str]) -> tuple[tuple[str | None, tuple[Path, ...]], ...]:
    """Files by the part that their folders or their names say; all in none where those say nothing of the training
    part, or only of that.

    Args:
        files: with their names within the whole.

    Raises:
        DataError: some are named like parts, and others are not.
    """
    folders = parts_among(sorted({name.split(os.sep)[0] for name in files.values() if os.sep in name}))
    stems = parts_among(sorted({_stem(name) for name in files.values()}))
    part_of = {path: folders.get(name.split(os.sep)[0]) or stems.get(_stem(name)) for path, name in files.items()}
    there = {part for part in part_of.values() if part in OFFICIAL}
    if len(there) < 2 or "train" not in there:
        return ((None, tuple(files)),)
    odd = [files[path] for path, part in part_of.items() if part not in OFFICIAL]
    if odd:
        what = f"some shards are named like parts ({some_of(sorted(map(str, there)))}), and others not: {some_of(odd)}"
        raise DataError(what, where=next(iter(files.values())), fix="move these away, or name a pattern: 'train-*.tar'")
    return tuple((part, tuple(path for path in files if part_of[path] == part)) for part in OFFICIAL if part in there)


def _stem(name: str) -> str:
    """The name of a shard without its number: "train" of train-00003-of-00010.parquet and of train-003.tar."""
    base = os.path.basename(name)
    many = _OF_MANY.fullmatch(base)
    return many["stem"] if many else re.sub(r"[-_.]?\d+$", "", os.path.splitext(base)[0])
