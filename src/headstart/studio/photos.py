"""Photos in folders of their classes. The name of each ends in the hash of its content, so it is there once; those that
somebody put there by hand may be there more than once, and are called as they were."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from headstart.errors import DataError, short_name
from headstart.serve.refused import RefusedError
from headstart.storage.places import cannot_write
from headstart.storage.renames import rename_new
from headstart.studio.examples import ClassCount, Source
from headstart.studio.names import class_name, free_file
from headstart.studio.photo_files import (
    CONTENT,
    Checked,
    Photo,
    checked,
    content_named,
    files_in,
    kept,
    photo_in,
    place_of,
    same_content,
)
from headstart.studio.uploads import Upload
from headstart.studio.workspace import Project, Workspace

FEWEST = 10  # photos of a class, with which training begins to make sense
_TASK = "classification"


class Photos:
    """The photos of a project. Whoever changes them has the project alone."""

    def __init__(self, project: Project, workspace: Workspace) -> None:
        self._project, self._workspace = project, workspace
        self._top = project.data

    def names(self) -> list[str]:
        """The classes, sorted."""
        return self._folders()[0]

    def _folders(self) -> tuple[list[str], list[str]]:
        """Names of the folders that are classes; and of what is none, and might be thought one."""
        classes: list[str] = []
        odd: list[str] = []
        with suppress(FileNotFoundError), os.scandir(self._top) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.is_file(follow_symlinks=False):
                    continue
                is_class = entry.is_dir(follow_symlinks=False) and _is_text(entry.name)
                (classes if is_class else odd).append(entry.name)
        return sorted(classes), sorted(odd)

    def classes(self) -> list[ClassCount]:
        return [ClassCount(name, sum(1 for _ in files_in(self._top / name))) for name in self.names()]

    def count(self) -> int:
        return sum(each.n for each in self.classes())

    def why_not(self) -> str | None:
        classes, (_, odd) = self.classes(), self._folders()
        if odd:
            shown = short_name(odd[0].encode("utf-8", "replace").decode())
            return f"{shown} is a link, or has a name that is no text: put a folder in its place, with another name."
        if len(classes) < 2:
            first = f"beside {short_name(classes[0].name)}" if classes else "for each thing that it should tell apart"
            return f"Add a {'second class' if classes else 'class'} {first}."
        few = [each for each in classes if each.n < FEWEST]
        if not few:
            return None
        said = [f"{short_name(each.name)} has {_photos(each.n)}: add {FEWEST - each.n} more" for each in few[:3]]
        more = f" So it is with {len(few) - 3} more classes." if len(few) > 3 else ""
        return f"{'; '.join(said)}.{more}"

    def table(self) -> dict[str, Any] | None:
        return None

    def fingerprint(self) -> str:
        seen = hashlib.sha256()
        for name in self.names():
            seen.update(os.fsencode(f"{name}/\0"))
            for entry in files_in(self._top / name):
                status = entry.stat(follow_symlinks=False)
                seen.update(os.fsencode(f"{entry.name}\0{status.st_size} {status.st_mtime_ns}\0"))
        return seen.hexdigest()

    def source(self) -> Source:
        return Source(self._top, _TASK)

    def snapshot(self, folder: Path) -> Source:
        try:
            for name in self.names():
                (folder / name).mkdir(parents=True)
                for file in files_in(self._top / name):
                    _same_file(Path(file.path), folder / name / file.name)
        except OSError as error:
            raise cannot_write(folder, error) from error
        return Source(folder, _TASK)

    def of(self, name: str) -> list[Photo]:
        """The photos of a class, by their names. Raises RefusedError where there is no such class."""
        return [photo_in(Path(file.path)) for file in files_in(self._folder(name))]

    def everything(self) -> Iterator[Photo]:
        """All photos, class by class."""
        for name in self.names():
            yield from self.of(name)

    def photo(self, id: str) -> Photo:
        """The photo of an id. Raises RefusedError where there is none."""
        moved: list[Path] = []
        for name in self.names():
            for file in files_in(self._top / name):  # by their names alone, which costs little
                path = Path(file.path)
                if place_of(path) == id[CONTENT:] and (photo := photo_in(path)).id == id:
                    return photo
                if content_named(file.name) == id[:CONTENT]:
                    moved.append(path)
        if len(moved) == 1:
            return photo_in(moved[0])
        raise RefusedError(404, "there is no such photo", fix="it may have been removed; load the page again")

    def _wanted(self, ids: Iterable[str]) -> list[Photo]:
        """The photos of these ids that are there. One that was sent, and moved since, is known by its content."""
        there: dict[str, Photo] = {}
        sent: dict[str, list[Photo]] = defaultdict(list)
        for photo in self.everything():
            there[photo.id] = photo
            if photo.sent:
                sent[photo.content].append(photo)
        wanted: dict[Path, Photo] = {}
        for id in ids:
            moved = sent.get(id[:CONTENT], [])
            known = there.get(id) or (moved[0] if len(moved) == 1 else None)
            if known is not None:
                wanted[known.path] = known
        return list(wanted.values())

    def _folder(self, name: str) -> Path:
        """Of a class that is there; only names that the folder itself lists lead anywhere."""
        if name not in self.names():
            raise RefusedError(404, f"there is no class {short_name(name)!r}", fix="load the page again")
        return self._top / name

    def add_class(self, name: str) -> str:
        """Make a class without photos, or find the one that is called so; gives its name."""
        there = self.names()
        named = class_name(name, there)
        if named not in there and len(there) >= self._workspace.limits.classes:
            raise RefusedError(507, f"there are {len(there):,} classes, which is the most", fix="remove some")
        if named not in there:
            self._refuse_taken(named)
            (self._top / named).mkdir(parents=True)
        return named

    def _refuse_taken(self, name: str) -> None:
        """Raises RefusedError where something that is no class has the name of one."""
        if os.path.lexists(self._top / name):
            what = f"a file or a link in the project's folder is called {short_name(name)!r}"
            raise RefusedError(409, what, where="name", fix="choose another name, or move that away")

    def rename_class(self, old: str, new: str) -> tuple[str, bool]:
        """Give a class another name; where one is called so, its photos go there. Gives the name, and whether so."""
        folder, others = self._folder(old), [name for name in self.names() if name != old]
        named = class_name(new, others)
        if named in others:
            self._move([photo.path for photo in self.of(old)], named)
            if not any(folder.iterdir()):
                folder.rmdir()
            else:  # of other files of its owner's
                self._workspace.remove(folder)
            return named, True
        if named != old:
            same = named.casefold() == old.casefold()  # a file system may take the one for the other
            if not same:
                self._refuse_taken(named)
            (Path.rename if same else rename_new)(folder, self._top / named)
        return named, False

    def remove_class(self, name: str) -> str:
        """Move a class with all of its photos away; gives what it is called among what was removed."""
        return self._workspace.remove(self._folder(name))

    def move(self, ids: Iterable[str], name: str) -> int:
        """Put photos into a class; gives how many were not there before."""
        self._folder(name)
        moved = [photo.path for photo in self._wanted(ids) if photo.class_name != name]
        self._move(moved, name)
        return len(moved)

    def remove(self, ids: Iterable[str]) -> tuple[int, str | None]:
        """Move photos away; gives how many there were, and what they are called among what was removed."""
        gone = [photo.path for photo in self._wanted(ids)]
        return len(gone), self._workspace.remove_all(gone) if gone else None

    def _move(self, paths: Sequence[Path], name: str) -> None:
        for path in paths:
            place = self._top / name / path.name
            try:
                rename_new(path, place)
            except FileExistsError:
                if same_content(path, place):  # it is there already
                    self._workspace.remove(path)
                else:
                    rename_new(path, free_file(place))

    def add(self, checked: Sequence[Checked], name: str) -> dict[str, list[dict[str, Any]]]:
        """Keep those that are photos in a class: which were added, which cannot be used and why, which were there."""
        folder, there = self._folder(name), {photo.content: photo for photo in self.everything()}
        said: dict[str, list[dict[str, Any]]] = {"added": [], "refused": [], "already": []}
        for one in checked:
            error = one.error
            if error is None and (known := there.get(one.content)) is not None:
                said["already"].append(known.to_json() | {"name": one.upload.name})
                continue
            if error is None and len(there) >= self._workspace.limits.photos:
                error = f"the project has {len(there):,} photos, which is the most"
            if error is not None:
                said["refused"].append({"name": one.upload.name, "error": error})
                continue
            photo = kept(one, folder)
            there[photo.content] = photo
            said["added"].append(photo.to_json())
        if said["added"]:
            _names_to_disk(folder)
        return said

    def correct(self, upload: Upload, name: str) -> dict[str, Any]:
        """Keep a photo in the class that it is of; where it is there in another one, it goes from that to this.

        Raises:
            DataError: it is no photo. RefusedError: there is no such class.
        """
        one = checked(upload)
        if one.error is not None:
            raise DataError(one.error)
        said = self.add([one], name)
        same = [photo for photo in self.everything() if photo.content == one.content]
        self._move([photo.path for photo in same if photo.class_name != name], name)
        (photo, *_) = (photo for photo in self.of(name) if photo.content == one.content)
        return {"photo": photo.id, "class": name, "replaced": bool(said["already"])}


def _names_to_disk(folder: Path) -> None:
    """Have the system write the names in a folder to the disk, where it can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _same_file(old: Path, new: Path) -> None:
    """Another name of a file, or a copy where the file system has one name a file.

    Nothing here ever writes into a photo, so that is what it was, and takes no space; where somebody else does, both
    are other photos, and the fingerprint says so.
    """
    try:
        os.link(old, new)
    except FileExistsError:
        raise
    except OSError:
        shutil.copy2(old, new)


def _is_text(name: str) -> bool:
    """Whether it is one that a request can name: of a folder that another system made, bytes may be no UTF-8."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def _photos(n: int) -> str:
    return "no photos" if n == 0 else "1 photo" if n == 1 else f"{n} photos"
