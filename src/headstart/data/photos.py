"""Where the photos lie that a table names: as it says, or in a folder beside it, with or without the ending there."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path

from headstart.data.accents import spellings
from headstart.data.columns import SUFFIXES
from headstart.data.parts import parts_among
from headstart.errors import DataError
from headstart.values import Columns

_TRIED = 50  # names of a column
_MOST_FOLDERS = 200  # beside a table
_FEW = 10  # names that tell whether a column has any
_LONGEST = 200  # characters of a name
_FEW_FILES = 50  # of a folder, among which a photo is one of photos


@dataclass(frozen=True)
class Photos:
    """The folders that the photos of a table are looked for in; of several, the first that has a name."""

    base: str  # what relative names start from, where no folder has them
    folders: tuple[str, ...] = ()
    there: bool = False  # whether some were found

    def paths(self, names: Iterable[str | None]) -> list[str]:
        """The path of each photo; of one that is not there, the path that was tried."""
        names = [name if not name or name.isascii() else self._spelled(name) for name in names]
        if not self.folders:
            base = Path(self.base)
            return [str(base / name) if name else "" for name in names]
        return [self._path(name) if name else "" for name in names]

    def _spelled(self, name: str) -> str:
        """A name as the disk writes its accents."""
        tried = self._path if self.folders else partial(os.path.join, self.base)
        return next((one for one in spellings(name) if _is_file(tried(one))), name)

    def _path(self, name: str) -> str:
        for folder in self.folders:
            found = self._known[folder].get(name) or _within(folder, name)
            if found is not None:
                return found
        return str(Path(self.folders[0], name))

    @cached_property
    def _known(self) -> dict[str, dict[str, str]]:
        return {folder: _by_name(folder) for folder in self.folders}


def photos_beside(values: Sequence[str | None], base: Path, root: str | None, table: Path) -> Photos:
    """Where the photos of a column lie: in the folder that was named, where the table says, or in one beside it.

    Args:
        values: the first of the column. base: the folder of the table. root: the folder that the user named.

    Raises:
        DataError: other photos of the same names are in several folders, or the folder that was named is not there.
    """
    some = dict.fromkeys(value for value in values if value and value.strip())
    names = [name for value in islice(some, _TRIED) for name in spellings(value)]
    if root is None and (any(_is_file(os.path.join(base, name)) for name in names) or not names):
        return Photos(str(base), there=bool(names))
    start = str(base) if root is None else _existing(root)
    hits: dict[str, dict[str, str]] = {}
    for folder in _folders(start):
        there = _by_name(folder)
        known = {name: path for name in names if (path := there.get(name) or _within(folder, name)) is not None}
        if known:
            hits[folder] = known
    if not hits:
        return Photos(start)
    return Photos(start, tuple(_unambiguous(hits, table)), there=True)


def with_photos(sample: Mapping[str, Sequence[str | None]], asked: Columns, base: Path) -> Columns:
    """What was asked for, with the column of names of photos without an ending, where such photos lie beside.

    Args:
        sample: the first rows. base: the folder of the table.
    """
    root = asked.image_root and _existing(asked.image_root)
    if asked.image or asked.texts or not (root or all(map(_no_texts, sample.values()))):
        return asked
    there = set().union(*(_by_name(folder) for folder in _folders(root or str(base)) if _has_photos(folder)))
    for name, values in sample.items() if there else ():
        some = list(dict.fromkeys(value for value in values if value and len(value) < _LONGEST))[:_FEW]
        if name == asked.label or name in (asked.labels or ()) or 2 * len(some) < min(_FEW, len(values)):
            continue
        if 2 * sum(value in there for value in some) > len(some):
            return replace(asked, image=name)
    if root and not any(map(names_photos, sample.values())):
        what = f"no column names photos that are in {root}"
        raise DataError(what, where="--image-root", fix="name the column, too, with --image COLUMN")
    return asked


def _existing(root: str) -> str:
    if not os.path.isdir(root):
        raise DataError("no such folder", where=f"--image-root {root}", fix="name the folder that the photos lie in")
    return root


def _no_texts(values: Sequence[str | None]) -> bool:
    """Whether a column holds no sentences, nor names of photos with their endings, which are found by these."""
    present = [value for value in values if value]
    words = sum(len(value.split()) for value in present)
    return words < 4 * max(1, len(present)) and not names_photos(values)


def names_photos(values: Sequence[str | None]) -> bool:
    """Whether most values of a column end as names of photos do."""
    present = [value for value in values if value]
    return 2 * sum(os.path.splitext(value)[1].lower() in SUFFIXES for value in present) > len(present)


def _unambiguous(hits: dict[str, dict[str, str]], table: Path) -> list[str]:
    """Folders of photos, those first that have most; of folders that are named like parts, the table's own.

    Raises:
        DataError: other photos of the same names are in several.
    """
    wanted = parts_among([table.stem]).get(table.stem)
    mine = [folder for folder in hits if wanted is not None and wanted in parts_among(Path(folder).parts).values()]
    folders = sorted(mine or hits, key=lambda folder: (-len(hits[folder]), folder))
    for number, folder in enumerate(folders):
        for other in folders[:number]:
            for name in sorted(hits[folder].keys() & hits[other].keys()):
                if os.path.getsize(hits[folder][name]) != os.path.getsize(hits[other][name]):
                    roots = " or ".join(f"--image-root {_quoted(one)}" for one in (other, folder))
                    both = f"{Path(other).name} and {Path(folder).name}"
                    raise DataError(f"{name} is in {both}, two photos", where=table.name, fix=roots)
    return folders


def _quoted(path: str) -> str:
    return path if shlex.quote(path) != path else f"'{path}'"


def _folders(base: str) -> Iterator[str]:
    """The folder and those in it, two deep, that have photos in them, or folders of such."""
    yield base
    ahead = [(base, 0)]
    for folder, depth in islice(iter(ahead), _MOST_FOLDERS):
        try:
            with os.scandir(folder) as entries:
                inner = sorted(one.path for one in entries if one.is_dir() and not one.name.startswith((".", "__")))
        except OSError:
            continue
        yield from inner[:_MOST_FOLDERS]
        if depth < 1:
            ahead += [(one, depth + 1) for one in inner]


def _has_photos(folder: str) -> bool:
    """Whether a photo is among the first files of a folder."""
    try:
        with os.scandir(folder) as entries:
            return any(os.path.splitext(one.name)[1].lower() in SUFFIXES for one in islice(entries, _FEW_FILES))
    except OSError:
        return False


def _within(folder: str, name: str) -> str | None:
    """The photo of this name in a folder of the folder, whatever its ending where the name has none."""
    path = os.path.join(folder, name)
    if os.sep not in name or len(name) > _LONGEST:
        return None
    endings = ("",) if os.path.splitext(name)[1].lower() in SUFFIXES else sorted(SUFFIXES)
    return next((path + ending for ending in endings if _is_file(path + ending)), None)


def _by_name(folder: str) -> dict[str, str]:
    """The photos right in a folder by their names, and by these without their endings."""
    known: dict[str, str] = {}
    try:
        with os.scandir(folder) as entries:
            photos = sorted(one.path for one in entries if os.path.splitext(one.name)[1].lower() in SUFFIXES)
    except OSError:
        return {}
    for path in photos:
        known.setdefault(os.path.splitext(os.path.basename(path))[0], path)
    return known | {os.path.basename(path): path for path in photos}


def _is_file(path: str) -> bool:
    try:
        return os.path.isfile(path)
    except ValueError:
        return False
