"""Photos in folders of their classes. The name of each ends in the hash of its content, so it is there once."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from headstart.data.files.endings import PHOTOS
from headstart.errors import DataError, short_name
from headstart.inputs.decoders import identified
from headstart.inputs.image import MOST_BYTES, open_image
from headstart.serve.refused import RefusedError
from headstart.storage.files import sha256_of
from headstart.storage.places import cannot_write
from headstart.storage.renames import rename_new
from headstart.studio.examples import ClassCount, Source
from headstart.studio.names import class_name, file_stem
from headstart.studio.uploads import Upload
from headstart.studio.workspace import Project, Workspace

FEWEST = 10  # photos of a class, with which training begins to make sense
_DIGITS = 16  # of the sha256
_NAMED = re.compile(rf"(?:(.*)-)?([0-9a-f]{{{_DIGITS}}})(\.\w+)?")
_TASK = "classification"
SIDES = (96, 160, 320, 640, 1280)  # pixels of pictures that are shown, at most
_QUALITY = 80


@dataclass(frozen=True)
class Photo:
    """A photo of a class."""

    id: str
    name: str  # for people
    class_name: str
    path: Path

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "class": self.class_name}


class Photos:
    """The photos of a project. Whoever changes them has the project alone."""

    def __init__(self, project: Project, workspace: Workspace) -> None:
        self._project, self._workspace = project, workspace
        self._top = project.data

    def names(self) -> list[str]:
        """The classes, sorted."""
        try:
            with os.scandir(self._top) as entries:
                return sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith("."))
        except FileNotFoundError:
            return []

    def classes(self) -> list[ClassCount]:
        return [ClassCount(name, len(_files(self._top / name))) for name in self.names()]

    def count(self) -> int:
        return sum(each.n for each in self.classes())

    def why_not(self) -> str | None:
        classes = self.classes()
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
        names = [f"{name}/{file}" for name in self.names() for file in (*_files(self._top / name), "")]
        return hashlib.sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()

    def source(self) -> Source:
        return Source(self._top, _TASK)

    def snapshot(self, folder: Path) -> Source:
        try:
            for name in self.names():
                (folder / name).mkdir(parents=True)
                for file in _files(self._top / name):
                    _same_file(self._top / name / file, folder / name / file)
        except OSError as error:
            raise cannot_write(folder, error) from error
        return Source(folder, _TASK)

    def of(self, name: str) -> list[Photo]:
        """The photos of a class, by their names. Raises RefusedError where there is no such class."""
        folder = self._folder(name)
        return [_photo(folder / file, name) for file in _files(folder)]

    def everything(self) -> dict[str, Photo]:
        """All photos by their ids."""
        return {photo.id: photo for name in self.names() for photo in self.of(name)}

    def photo(self, id: str) -> Photo:
        """The photo of an id. Raises RefusedError where there is none."""
        for name in self.names():
            folder = self._top / name
            for file in _files(folder):
                if id_in(file) in (id, None) and _id_of(folder / file) == id:  # the former costs little
                    return _photo(folder / file, name)
        raise RefusedError(404, "there is no such photo", fix="it may have been removed; load the page again")

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
        (self._top / named).mkdir(parents=True, exist_ok=True)
        return named

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
            (Path.rename if same else rename_new)(folder, self._top / named)
        return named, False

    def remove_class(self, name: str) -> None:
        """Move a class with all of its photos away."""
        self._workspace.remove(self._folder(name))

    def move(self, ids: Iterable[str], name: str) -> int:
        """Put photos into a class; gives how many were not there before."""
        self._folder(name)
        there, wanted = self.everything(), dict.fromkeys(ids)
        moved = [there[id].path for id in wanted if id in there and there[id].class_name != name]
        self._move(moved, name)
        return len(moved)

    def remove(self, ids: Iterable[str]) -> int:
        """Move photos away; gives how many there were."""
        there = self.everything()
        gone = [there[id].path for id in dict.fromkeys(ids) if id in there]
        if gone:
            self._workspace.remove_all(gone)
        return len(gone)

    def _move(self, paths: Sequence[Path], name: str) -> None:
        for path in paths:
            try:
                rename_new(path, self._top / name / path.name)
            except FileExistsError:  # the same bytes, by the same name
                self._workspace.remove(path)
            except OSError as error:
                raise cannot_write(self._top / name, error) from error

    def add(self, checked: Sequence[Checked], name: str) -> dict[str, list[dict[str, Any]]]:
        """Keep those that are photos in a class: which were added, which cannot be used and why, which were there."""
        folder, there = self._folder(name), self.everything()
        said: dict[str, list[dict[str, Any]]] = {"added": [], "refused": [], "already": []}
        for one in checked:
            error = one.error
            if error is None and (known := there.get(one.id)) is not None:
                said["already"].append(known.to_json() | {"name": one.upload.name})
                continue
            if error is None and len(there) >= self._workspace.limits.photos:
                error = f"the project has {len(there):,} photos, which is the most"
            if error is not None:
                said["refused"].append({"name": one.upload.name, "error": error})
                continue
            photo = _kept(one, folder)
            there[photo.id] = photo
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
        self.move([one.id], name)
        return {"photo": one.id, "class": name, "replaced": bool(said["already"])}


@dataclass(frozen=True)
class Checked:
    """A file that was sent, and whether it is a photo."""

    upload: Upload
    ending: str = ""  # that says what it is
    error: str | None = None  # why it cannot be used

    @property
    def id(self) -> str:
        return self.upload.sha256[:_DIGITS]


def checked(upload: Upload) -> Checked:
    """Decode a file that was sent."""
    if upload.too_large:
        return Checked(upload, error=f"it has more than {upload.most / 2**20:.0f} MB")
    content = upload.path.read_bytes()  # as many as one photo may have
    try:
        open_image(upload.path, content=content)
        format = f".{(identified(content, where='').format or '').lower()}"
    except DataError as error:
        return Checked(upload, error=error.what)
    ending = os.path.splitext(upload.name)[1].lower()
    known = format if format in PHOTOS else ending if ending in PHOTOS else ""
    return Checked(upload, known.replace(".jpeg", ".jpg"))


def _kept(one: Checked, folder: Path) -> Photo:
    """A photo that was sent, in the folder of its class."""
    stem = file_stem(one.upload.name)
    file = f"{stem}-{one.id}{one.ending}" if stem else f"{one.id}{one.ending}"
    try:
        with one.upload.path.open("rb") as written:
            os.fsync(written.fileno())
        rename_new(one.upload.path, folder / file)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return _photo(folder / file, folder.name)


def _names_to_disk(folder: Path) -> None:
    """Have the system write the names in a folder to the disk, where it can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _files(folder: Path) -> list[str]:
    """Names of the visible files right in a folder; links lead nowhere here."""
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if e.is_file(follow_symlinks=False) and not e.name.startswith("."))
    except FileNotFoundError:
        return []


def _photo(path: Path, name: str) -> Photo:
    match = _NAMED.fullmatch(path.name)
    shown = path.name if match is None else f"{match[1] or 'photo'}{match[3] or ''}"
    return Photo(_id_of(path), shown, name, path)


def _id_of(path: Path) -> str:
    """A photo's id: at the end of its name; where somebody put it there by hand, of its content."""
    match = _NAMED.fullmatch(path.name)
    return match[2] if match is not None else _hash_of(path)


_hashes: dict[tuple[str, int, int], str] = {}  # by path, size and time of files that were put there by hand


def _hash_of(path: Path) -> str:
    try:
        status = path.stat()
        key = str(path), status.st_size, status.st_mtime_ns
        if key not in _hashes:
            _hashes[key] = sha256_of(path, most=MOST_BYTES)[:_DIGITS]
    except OSError:  # gone, or not to be read: no photo that anybody could ask for
        return hashlib.sha256(os.fsencode(path)).hexdigest()[:_DIGITS]
    return _hashes[key]


def id_in(where: str) -> str | None:
    """The id of a photo that a finding names by its path; None: it is of none with an id in its name."""
    match = _NAMED.fullmatch(where.rsplit("/", 1)[-1])
    return None if match is None else match[2]


def picture(path: Path, side: int) -> bytes:
    """A photo as a JPEG without anything that its file says besides, its longer side so many pixels at most.

    Raises:
        DataError: it cannot be decoded. OSError: it is gone.
    """
    photo = open_image(path, near=side // 2)
    scale = min(1.0, side / max(photo.size))
    width, height = (max(1, round(length * scale)) for length in photo.size)
    small = photo.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)
    written = io.BytesIO()
    small.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()


def _same_file(old: Path, new: Path) -> None:
    """Another name of a file, or a copy where the file system has one name a file."""
    try:
        os.link(old, new)
    except FileExistsError:
        raise
    except OSError:
        shutil.copy2(old, new)


def _photos(n: int) -> str:
    return "no photos" if n == 0 else "1 photo" if n == 1 else f"{n} photos"
