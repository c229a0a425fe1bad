"""The files of photos: what is one, what it is called, and how it is shown."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from headstart.data.files.endings import PHOTOS
from headstart.errors import DataError
from headstart.inputs.decoders import identified
from headstart.inputs.image import MOST_BYTES, open_image
from headstart.storage.files import sha256_of
from headstart.storage.places import cannot_write
from headstart.storage.renames import rename_new
from headstart.studio.names import file_stem
from headstart.studio.plain_folders import is_file
from headstart.studio.plain_words import plain_words
from headstart.studio.uploads import Upload

CONTENT = 16  # digits of the sha256 of its content in the name of a photo that was sent, and at the start of an id
_PLACE = 12  # of that of its class and name, at the end of an id
_NAMED = re.compile(rf"(?:(.*)-)?([0-9a-f]{{{CONTENT}}})(\.\w+)?")
SIDES = (96, 160, 320, 640, 1280)  # pixels of pictures that are shown, at most
_QUALITY = 80


@dataclass(frozen=True)
class Photo:
    """A photo of a class."""

    content: str  # the first digits of its hash: at the end of its name; of one that somebody put there, counted
    name: str  # for people
    class_name: str
    path: Path
    sent: bool  # to the studio, so that it is there once; somebody's hand may have copied any other

    @property
    def id(self) -> str:
        """Of this content, in this class, by this name: two photos have one only if they are one."""
        return self.content + place_of(self.path)

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "class": self.class_name}


def photo_in(path: Path) -> Photo:
    """A file in the folder of its class."""
    match = _NAMED.fullmatch(path.name)
    if match is None:
        return Photo(_hash_of(path)[:CONTENT], path.name, path.parent.name, path, sent=False)
    return Photo(match[2], f"{match[1] or 'photo'}{match[3] or ''}", path.parent.name, path, sent=True)


def content_named(file: str) -> str | None:
    """The content of a photo that was sent, by its file's name; None: somebody put it there."""
    match = _NAMED.fullmatch(file)
    return None if match is None else match[2]


def photo_at(data: Path, where: str) -> Photo | None:
    """The photo that a finding names by its class and name; None: it names none."""
    name, _, file = where.rpartition("/")
    if not name or "/" in name or not is_file(data / name / file):
        return None
    return photo_in(data / name / file)


def place_of(path: Path) -> str:
    """The end of a photo's id, by its class and name."""
    return hashlib.sha256(os.fsencode(f"{path.parent.name}/{path.name}")).hexdigest()[:_PLACE]


def files_in(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The visible files right in a folder, by their names; links lead nowhere here."""
    try:
        with os.scandir(folder) as entries:
            there = [e for e in entries if e.is_file(follow_symlinks=False) and not e.name.startswith(".")]
    except FileNotFoundError:
        there = []
    return iter(sorted(there, key=lambda entry: entry.name))


_hashes: dict[tuple[str, int, int], str] = {}  # by path, size and time of files that were put there by hand


def _hash_of(path: Path) -> str:
    try:
        status = path.stat()
        key = str(path), status.st_size, status.st_mtime_ns
        if key not in _hashes:
            _hashes[key] = sha256_of(path, most=MOST_BYTES)
    except OSError:  # gone, or not to be read: no photo that anybody could ask for
        return hashlib.sha256(os.fsencode(path)).hexdigest()
    return _hashes[key]


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes; of those that are no photos nobody says so."""
    return is_file(other) and _hash_of(one) == _hash_of(other)


@dataclass(frozen=True)
class Checked:
    """A file that was sent, and whether it is a photo."""

    upload: Upload
    ending: str = ""  # that says what it is
    error: str | None = None  # why it cannot be used

    @property
    def content(self) -> str:
        return self.upload.sha256[:CONTENT]


def checked(upload: Upload) -> Checked:
    """Decode a file that was sent."""
    if upload.too_large:
        return Checked(upload, error=f"it has more than {upload.most / 2**20:.0f} MB")
    content = upload.path.read_bytes()  # as many as one photo may have
    try:
        open_image(upload.path, content=content)
        format = f".{(identified(content, where='').format or '').lower()}"
    except DataError as error:
        return Checked(upload, error=plain_words(error.what) or error.what)
    ending = os.path.splitext(upload.name)[1].lower()
    known = format if format in PHOTOS else ending if ending in PHOTOS else ""
    return Checked(upload, known.replace(".jpeg", ".jpg"))


def kept(one: Checked, folder: Path) -> Photo:
    """A photo that was sent, in the folder of its class."""
    stem = file_stem(one.upload.name)
    file = f"{stem}-{one.content}{one.ending}" if stem else f"{one.content}{one.ending}"
    try:
        with one.upload.path.open("rb") as written:
            os.fsync(written.fileno())
        rename_new(one.upload.path, folder / file)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return photo_in(folder / file)


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
