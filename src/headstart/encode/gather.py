"""Gathers a table's segments into shards with an index: nothing is lost and nothing is wrong, whenever it is killed.

Nothing is locked. Shards and index are written into a folder that has no name yet, which gets its own by one rename;
what it replaces is removed after that. Two that gather at once make one generation: the second rename fails, and who
was second begins anew with what is left. A reader whose files are gone finds their rows in the next generation.

Rows lie in the order of the data where parts were written of them (see `encode.parts`), whoever wrote these, and when;
else in the order in which they came. So a pass over the data reads shards from one end to the other.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.encode import forms, generations
from headstart.encode.generations import Generation
from headstart.encode.keys import first_of_each, order_of
from headstart.encode.row_files import RowFile
from headstart.encode.segments import segments
from headstart.errors import OutputError
from headstart.storage.place import to_disk

_TRIES = 5  # where others gather the same table at the same time
_ROWS = 4096  # read together
_READ = 64 * 2**20  # bytes, at most, read together


@dataclass(frozen=True)
class _Many:
    """Rows of several files, in an order."""

    keys: np.ndarray  # (n, 32) uint8
    file: np.ndarray  # (n,) int32, of a sequence of them
    row: np.ndarray  # (n,) int32

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, which: np.ndarray) -> _Many:
        return _Many(self.keys[which], self.file[which], self.row[which])

    def of(self, files: np.ndarray) -> _Many:
        """Those that are of these files."""
        return self.take(np.flatnonzero(np.isin(self.file, files)))


def gather(
    folder: Path,
    width: int,
    temporary: Callable[[Path], Path],
    *,
    leave: Callable[[Path], bool] = lambda path: False,
    drop_damaged: bool = True,
    closely: bool = False,
    remove: bool = True,
) -> bool:
    """Gather the segments of a table that are whole now; whether there was anything to gather.

    Args:
        temporary: a name beside a path, for what is not finished. leave: which segments stay as they are.
        remove: whether what was gathered goes from where it was; else a second call removes it.
        closely: whether damage is looked for where nothing is added, too.
        drop_damaged: whether rows that are damaged, and in no segment, are left out; else nothing is gathered then.

    Raises:
        OutputError: no space, no permission, or others gather it at the same time; the table is as it was.
    """
    for _ in range(_TRIES):
        try:
            # Before the last one is read: if another makes a generation meanwhile, it takes the number.
            number = max(map(generations.number_of, generations.generations(folder)), default=0) + 1
            old, found = generations.last(folder, width), list(segments(folder, width, leave=leave))
            files = [file for _, file in found]
            fresh = _fresh(old, found)
            target = generations.named(folder, number)
            if len(fresh) and not drop_damaged:
                _refuse_damaged(folder, old, fresh)
            spoiled = closely and old is not None and not _whole(old, np.arange(len(old.keys))).all()
            if (len(fresh) or spoiled) and not _written(target, old, fresh, files, width, temporary, closely=closely):
                continue
            if remove:
                _remove(folder, old, files, temporary, replaced=len(fresh) > 0 or spoiled)
            return bool(found)
        except FileNotFoundError:  # another has just gathered them
            continue
        except OSError as error:
            raise _not_gathered(folder, error) from error
    what = "others gather the same features, and were quicker each time"
    raise OutputError(what, where=str(folder), fix="wait for them, and run this again")


def _refuse_damaged(folder: Path, old: Generation | None, fresh: _Many) -> None:
    """Raises OutputError where the last generation has damaged rows of which no segment has others."""
    if old is None:
        return
    lost = np.flatnonzero(~_whole(old, np.arange(len(old.keys))))
    lost = np.setdiff1d(lost, old.keys.find(fresh.keys))
    if len(lost):
        fix = "headstart encode --merge says what to do"
        raise OutputError(f"{len(lost):,} rows are damaged", where=str(folder), fix=fix)


def _not_gathered(folder: Path, error: OSError) -> OutputError:
    """What a person reads of an error of the system, of what is read or of what is written."""
    where = str(error.filename or folder)
    if error.errno == errno.EIO:
        fix = "remove that file, and run the shards again: what is whole is not computed again"
    elif error.errno in (errno.ENOSPC, errno.EFBIG):
        fix = "free some space: that of the features again"
    else:
        fix = "run this as who may read and write there"
    return OutputError(f"cannot be gathered: {error.strerror or error}", where=where, fix=fix)


def _fresh(old: Generation | None, found: Sequence[tuple[np.ndarray, RowFile]]) -> _Many:
    """What the last generation has not, or not whole, in the order in which it is to lie: the first of each key."""
    sizes = [len(keys) for keys, _ in found]
    many = _Many(
        np.concatenate([np.empty((0, 32), np.uint8), *(keys for keys, _ in found)]),
        np.repeat(np.arange(len(found), dtype=np.int32), sizes),
        np.concatenate([np.empty(0, np.int32), *(np.arange(size, dtype=np.int32) for size in sizes)]),
    )
    first = np.sort(first_of_each(many.keys, order_of(many.keys)))
    if old is not None:
        at = old.keys.find(many.keys[first])
        known = np.flatnonzero(at >= 0)
        whole = np.zeros(len(first), dtype=bool)
        whole[known] = _whole(old, at[known])
        first = first[~whole]
    return many.take(first)


def _whole(old: Generation, at: np.ndarray) -> np.ndarray:
    """(n,) places in an index -> (n,) bool: whether their rows are what was written."""
    whole = np.empty(len(at), dtype=bool)
    for number in np.unique(old.shard[at]).tolist():
        here = np.flatnonzero(old.shard[at] == number)
        whole[here] = old.shards[number].whole(old.row[at[here]])
    return whole


def _written(
    target: Path,
    old: Generation | None,
    fresh: _Many,
    files: list[RowFile],
    width: int,
    temporary: Callable[[Path], Path],
    *,
    closely: bool,
) -> bool:
    """Write the next generation; whether it is the last one, so that what it holds may be removed elsewhere."""
    unfinished = temporary(target)
    unfinished.mkdir(parents=True)
    try:
        _write(unfinished, old, fresh, files, width, closely=closely)
        to_disk(unfinished)
        try:
            unfinished.rename(target)  # fails where there is one: it is not empty
        except OSError:
            if target.exists():
                return False
            raise
        to_disk(target)  # its name, before anything that it replaces is removed
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    if generations.generations(target.parent)[-1].name == target.name:
        return True
    _remove_whole(target, temporary)  # others were so quick that the number was taken, replaced and free again
    return False


def _write(
    folder: Path, old: Generation | None, fresh: _Many, files: list[RowFile], width: int, *, closely: bool
) -> None:
    """Full shards as they are, and after them the rows of the others with the fresh ones, one type after the other."""
    shards: list[RowFile] = []
    stays = _Many(
        *(np.empty((0, *shape), dtype) for shape, dtype in (((32,), np.uint8), ((), np.int32), ((), np.int32)))
    )
    if old is not None:
        index = _Many(old.keys.keys(slice(None)), old.shard, old.row)
        superseded = old.keys.find(fresh.keys)
        stays = index.take(np.setdiff1d(np.arange(len(index)), superseded))
        full = [number for number, shard in enumerate(old.shards) if _is_full(shard, width, closely=closely)]
        others = stays.of(np.setdiff1d(np.arange(len(old.shards)), full))
        others = others.take(np.flatnonzero(_whole(old, old.keys.find(others.keys))))
        others = others.take(np.lexsort((others.row, others.file)))
        stays = stays.of(np.array(full, dtype=np.int64))
        renumbered = np.zeros(len(old.shards), dtype=np.int32)
        renumbered[full] = np.arange(len(full))
        stays = _Many(stays.keys, renumbered[stays.file], stays.row)
        shards += [_linked(old.shards[number], generations.shard_path(folder, i)) for i, number in enumerate(full)]
        moved = _Many(others.keys, others.file + np.int32(len(files)), others.row)
        fresh, files = _joined([moved, fresh]), [*files, *old.shards]
    placed = [stays]
    for dtype in sorted({files[file].dtype.name for file in np.unique(fresh.file).tolist()}):
        own = fresh.of(np.array([i for i, file in enumerate(files) if file.dtype.name == dtype]))
        most = generations.shard_rows(width, np.dtype(dtype))
        for start in range(0, len(own), most):
            some = own.take(np.arange(start, min(start + most, len(own))))
            shards.append(generations.write_shard(folder, len(shards), _rows(some, files, np.dtype(dtype), width)))
            here = np.full(len(some), len(shards) - 1, dtype=np.int32)
            placed.append(_Many(some.keys, here, np.arange(len(some), dtype=np.int32)))
    everything = _joined(placed)
    everything = everything.take(order_of(everything.keys))
    generations.write_index(folder, everything.keys, everything.file, everything.row, shards, width)


def _is_full(shard: RowFile, width: int, *, closely: bool) -> bool:
    full = shard.count == generations.shard_rows(width, shard.dtype) and shard.path.exists()
    return full and (not closely or bool(shard.whole(np.arange(shard.count)).all()))


def _joined(parts: Sequence[_Many]) -> _Many:
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("keys", "file", "row"))
    return _Many(*columns)


def _linked(shard: RowFile, path: Path) -> RowFile:
    """A full shard in the next generation: the same file under another name, or a copy where there are no links."""
    try:
        path.hardlink_to(shard.path)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(shard.path, path)
    return RowFile(path, shard.offset, shard.dtype, shard.width, shard.count, shard.sums)


def _rows(some: _Many, files: Sequence[RowFile], dtype: np.dtype, width: int) -> np.ndarray:
    """(n, k): these rows as they are kept, read bit by bit."""
    stored = forms.columns(width, dtype)
    out = np.empty((len(some), stored), dtype=dtype)
    together = max(1, min(_ROWS, _READ // (stored * dtype.itemsize)))
    for start in range(0, len(some), together):
        file, row = some.file[start : start + together], some.row[start : start + together]
        for number in np.unique(file).tolist():
            here = np.flatnonzero(file == number)
            out[start + here] = files[number].kept(row[here])
    return out


def _remove(
    folder: Path,
    old: Generation | None,
    files: Sequence[RowFile],
    temporary: Callable[[Path], Path],
    *,
    replaced: bool,
) -> None:
    """Remove the segments whose rows the last generation has, and the generations before it.

    Args:
        old: the last one that was whole before. replaced: whether another one was written behind it.

    One that could not be opened stays: nobody knows what is in it.
    """
    for file in files:
        with suppress(OSError):  # somebody else's, or removed by who gathered too: its rows are known all the same
            file.path.unlink(missing_ok=True)
    if old is None:
        return
    for path in generations.generations(folder):
        if generations.number_of(path) < old.number + replaced:
            _remove_whole(path, temporary)


def _remove_whole(generation: Path, temporary: Callable[[Path], Path]) -> None:
    """Under another name, so that nobody finds a half of it. What stays does no harm: it is not the last; so does one
    in which somebody else has put something."""
    with suppress(OSError, OutputError):
        if generation.is_symlink() or not generations.is_ours(generation):
            return
        aside = temporary(generation)
        generation.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
