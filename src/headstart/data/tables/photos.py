"""Where the photos lie that a table names: as it says, or in a folder beside it, with or without the ending there."""

from __future__ import annotations

import filecmp
import os
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path, PurePosixPath, PureWindowsPath

from headstart.data.columns.names import TEXTS
from headstart.data.files.accents import spelled, spellings
from headstart.data.files.endings import PHOTOS, is_photo
from headstart.data.files.part_names import parts_among
from headstart.data.files.text_file import stem_of
from headstart.errors import DataError, some_of
from headstart.values import Columns

_TRIED = 50  # names of a column
_MOST_FOLDERS = 10_000  # beside a table: one a patient, or a video
_DEEP = 2  # of these within one another
_FEW = 10  # names that tell whether a column has any
_LONGEST = 200  # characters of a name
_FEW_FILES = 50  # of a folder, among which a photo is one of photos


@dataclass(frozen=True)
class Photos:
    """Where the photos of a table lie: as it says, or in folders beside it."""

    table: str
    base: str  # what relative names start from, where no folder has them
    folders: tuple[str, ...] = ()  # that have some of the first names, those first that have most
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by name, as `_known` has them
    there: bool = False  # whether some were found
    rooted: bool = False  # whether the user named the folder, in which then the end of a path may lie
    more: bool = False  # whether there are more folders than were looked through

    def paths(self, names: Iterable[str | None]) -> list[str]:
        """The path of each photo; of one that is not there, the path that was tried.

        Raises:
            DataError: other photos of the same name are in several folders, or in one with another ending.
        """
        here = [name and _of_this_system(name, self.base) for name in names]
        paths = [self._path(spelled(name, lambda one: _is_file(self._path(one)))) if name else "" for name in here]
        if self.rooted:
            self._refuse_shared(here, paths)
        return paths

    def _refuse_shared(self, names: Sequence[str | None], paths: Sequence[str]) -> None:
        """Raises DataError where two names end in one photo: which of them it is, nobody says."""
        of: dict[str, str] = {}
        for name, path in zip(names, paths, strict=True):
            if name and of.setdefault(path, name) != name and _is_file(path):
                what = f"{of[path]} and {name} would both be {_shown(path, self.base)}"
                raise DataError(what, where=self.table, fix="--image-root FOLDER names the folder that both start from")

    def said(self, paths: Iterable[str]) -> list[str]:
        """A note on the folders that photos were found in, where the table does not say them."""
        unseen = [_not_all(self.table, self.base)] if self.more else []
        if not self.folders:
            return unseen
        found = dict.fromkeys(map(os.path.dirname, filter(None, paths)))
        beside = [_shown(folder, self.base) for folder in found if not _is_same(folder, self.base)]
        return [*unseen, f"{self.table}: photos from {some_of(sorted(beside))}"] if beside else unseen

    def _path(self, name: str) -> str:
        found = next(filter(None, map(self._found, _ends(name) if self.rooted else (name,))), ())
        for other in found[1:]:
            if not filecmp.cmp(found[0], other, shallow=False):
                raise _two_photos(name, found[0], other, self)
        return found[0] if found else str(Path(self.folders[0] if self.folders else self.base, name))

    def _found(self, name: str) -> Sequence[str]:
        there = self.known.get(name) or [path for folder in self.folders if (path := _within(folder, name))]
        if there or os.sep not in name:
            return there
        alike, end = self.known.get(os.path.basename(name), ()), os.sep + name
        return [path for path in alike if path.endswith(end) or os.path.splitext(path)[0].endswith(end)]


def photos_beside(values: Sequence[str | None], base: Path, root: str | None, table: str) -> Photos:
    """Where the photos of a column lie: in the folder that was named, where the table says, or in those beside it.

    Args:
        values: the first of the column. base: the folder of the table. root: the folder that the user named.

    Raises:
        DataError: the folder that was named is not there.
    """
    some = dict.fromkeys(value for value in values if value and value.strip())
    tried = (_of_this_system(value, str(base)) for value in islice(some, _TRIED))
    names = [name for value in tried for name in spellings(value)]
    if root is None and (any(_is_file(os.path.join(base, name)) for name in names) or not names):
        return Photos(table, str(base), there=bool(names))
    start = str(base) if root is None else _existing(root)
    names = names if root is None else [end for name in names for end in _ends(name)]
    beside, more = _folders(start)
    there = {folder: _by_name(folder) for folder in beside}
    hits = {folder: _hits(names, folder, known) for folder, known in there.items()}
    mine = _of_the_part(hits, start, table)
    order = sorted(mine, key=lambda folder: (-mine[folder], folder))
    known = _known([there[folder] for folder in order if there[folder]])
    folders = tuple(folder for folder in order if hits[folder])
    return Photos(table, start, folders, known, there=bool(folders), rooted=root is not None, more=more)


def _of_this_system(name: str, base: str) -> str:
    """A path as this system writes it: of Windows, where \\ stands between folders, without its drive."""
    if os.sep == "\\" or "\\" not in name or _is_file(os.path.join(base, name)):
        return name
    path = PureWindowsPath(name)
    return path.relative_to(path.drive).as_posix() if path.drive else path.as_posix()


def _ends(name: str) -> Iterator[str]:
    """A path, and what is left of it without its first folders, in turn: they are those of another place."""
    yield name
    parts = PurePosixPath(name).parts
    yield from ("/".join(parts[first:]) for first in range(1, len(parts)))


def with_photos(
    sample: Mapping[str, Sequence[str | None]], asked: Columns, base: Path, where: str
) -> tuple[Columns, list[str]]:
    """What was asked for, with the column of names of photos without an ending, where such photos lie beside; and
    notes on it.

    Args:
        sample: the first rows. base: the folder of the table. where: the table.
    """
    root = asked.image_root and _existing(asked.image_root)
    if asked.image or asked.texts or not (root or all(map(_no_texts, sample.values()))):
        return asked, []
    beside, more = _folders(root or str(base))
    there = {name: folder for folder in filter(_has_photos, beside) for name in _by_name(folder)}
    unseen = [_not_all(where, root or str(base))] if more else []
    name = _without_endings(sample, there, asked)
    if name is not None:
        text = next((other for other in sample if other != name and _called_texts(other, sample[other])), None)
        if root or text is None:
            note = f"{where}: column {name!r} taken as names of photos; --text COLUMN takes texts"
            return replace(asked, image=name), [note]
        folder = Path(next(there[value] for value in sample[name] if value in there)).name
        note = f"{where}: column {text!r} taken as the text; --image {shlex.quote(name)} takes photos in {folder}"
        return asked, [note]
    if root and not any(map(names_photos, sample.values())):
        what = "; ".join([f"no column names photos that are in {root}", *unseen])
        raise DataError(what, where="--image-root", fix="name the column, too, with --image COLUMN")
    return asked, unseen


def _without_endings(sample: Mapping[str, Sequence[str | None]], there: Collection[str], asked: Columns) -> str | None:
    """The column of which the first values are mostly names of photos that are there."""
    for name, values in sample.items() if there else ():
        some = list(dict.fromkeys(value for value in values if value and len(value) < _LONGEST))[:_FEW]
        if name == asked.label or name in (asked.labels or ()) or 2 * len(some) < min(_FEW, len(values)):
            continue
        if 2 * sum(value in there for value in some) > len(some):
            return name
    return None


def _called_texts(name: str, values: Sequence[str | None]) -> bool:
    """Whether a column is called as those of texts are, and holds words."""
    return name.strip().lower() in TEXTS and any(char.isalpha() for value in values for char in value or "")


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
    return 2 * sum(map(is_photo, present)) > len(present)


def _hits(names: Sequence[str], folder: str, known: Mapping[str, Sequence[str]]) -> int:
    """How many of these names have a photo in a folder."""
    inside = {name: name.partition(os.sep)[0] for name in names if os.sep in name}
    there = {head for head in {*inside.values()} if os.path.isdir(os.path.join(folder, head))}
    return sum(name in known or (inside.get(name) in there and _within(folder, name) is not None) for name in names)


def _of_the_part(hits: Mapping[str, int], start: str, table: str) -> dict[str, int]:
    """The folders that are named like the part that the table is named like, where these have photos of it; or all."""
    stem = stem_of(Path(table))
    wanted = parts_among([stem]).get(stem)
    parts = {folder: parts_among(Path(os.path.relpath(folder, start)).parts).values() for folder in hits}
    mine = {folder: n for folder, n in hits.items() if wanted is not None and wanted in parts[folder]}
    return mine if any(mine.values()) else dict(hits)


def _known(folders: Sequence[Mapping[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """The photos of several folders by their names; by these without their endings where none is called so."""
    if len(folders) == 1:
        return dict(folders[0])
    whole: dict[str, tuple[str, ...]] = {}
    stems: dict[str, tuple[str, ...]] = {}
    for photos in folders:
        for name, paths in photos.items():
            known = whole if os.path.basename(paths[0]) == name else stems
            known[name] = (*known.get(name, ()), *paths)
    return stems | whole


def _two_photos(name: str, one: str, other: str, photos: Photos) -> DataError:
    folders = [os.path.dirname(path) for path in (one, other)]
    if len(set(folders)) == 1 and os.sep not in name:
        what = f"{name} is {os.path.basename(one)} and {os.path.basename(other)} in {_shown(folders[0], photos.base)}"
        return DataError(what, where=photos.table, fix="write the endings into the table, too, or move the others away")
    both = " and ".join(_shown(folder, photos.base) for folder in folders)
    roots = " or ".join(
        f"--image-root {_quoted(folder.removesuffix(os.path.dirname(os.sep + name)))}" for folder in folders
    )
    return DataError(f"{name} is in {both}, two photos", where=photos.table, fix=roots)


def _shown(folder: str, base: str) -> str:
    return Path(folder).name if _is_same(folder, base) else os.path.relpath(folder, base)


def _is_same(folder: str, other: str) -> bool:
    return os.path.normpath(folder or ".") == os.path.normpath(other or ".")


def _quoted(path: str) -> str:
    return path if shlex.quote(path) != path else f"'{path}'"


def _folders(base: str) -> tuple[list[str], bool]:
    """The folder and those in it, two deep; and whether there are more of them than are looked through."""
    found, level = [base], [base]
    for _ in range(_DEEP):
        room = _MOST_FOLDERS + 1 - len(found)
        level = list(islice(chain.from_iterable(map(_inner, level)), room))
        found += level
    return found[:_MOST_FOLDERS], len(found) > _MOST_FOLDERS


def _inner(folder: str) -> list[str]:
    """The visible folders right in a folder; of one that may not be read, none."""
    try:
        with os.scandir(folder) as entries:
            return sorted(one.path for one in entries if one.is_dir() and not one.name.startswith((".", "__")))
    except OSError:
        return []


def _not_all(table: str, base: str) -> str:
    return f"{table}: only the first {_MOST_FOLDERS:,} folders in {base} were looked through for photos"


def _has_photos(folder: str) -> bool:
    """Whether a photo is among the first files of a folder."""
    try:  # a folder that may not be read is none to look in; photos in it that a table names are said
        with os.scandir(folder) as entries:
            return any(is_photo(one.name) for one in islice(entries, _FEW_FILES))
    except OSError:
        return False


def _within(folder: str, name: str) -> str | None:
    """The photo of this name in a folder of the folder, whatever its ending where the name has none."""
    path = os.path.join(folder, name)
    if os.sep not in name or len(name) > _LONGEST:
        return None
    endings = ("",) if is_photo(name) else sorted(PHOTOS)
    return next((path + ending for ending in endings if _is_file(path + ending)), None)


def _by_name(folder: str) -> dict[str, tuple[str, ...]]:
    """The photos right in a folder by their names, and by these without their endings."""
    try:
        with os.scandir(folder) as entries:
            photos = sorted(one.path for one in entries if is_photo(one.name) and one.is_file())
    except OSError:
        return {}
    stems: dict[str, tuple[str, ...]] = {}
    for path in photos:
        stem = os.path.splitext(os.path.basename(path))[0]
        stems[stem] = (*stems.get(stem, ()), path)
    return stems | {os.path.basename(path): (path,) for path in photos}


def _is_file(path: str) -> bool:
    try:
        return os.path.isfile(path)
    except ValueError:
        return False
