"""Walk through a folder: each real folder once, whatever links there are.

A link to a folder that lies in the data, or that the data lie in, is not followed; one that leads elsewhere is, once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from headstart.errors import DataError

MOST_ENTRIES = 10_000_000  # files and folders: the name of each is kept
SAVED = "headstart.json"  # in a folder that a model was saved to
MOST_DEEP = 64  # folders in one another
# What systems, network drives and programs leave in people's folders, in small letters.
_IGNORED = frozenset(
    {"__macosx", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir", "#recycle", "@recycle",
     "#snapshot", "@recently-snapshot", "$recycle.bin", "system volume information", "lost+found"}
)  # fmt: skip

_Identity = tuple[int, int]  # device and number of what a name leads to


class Walk:
    """The visible files and folders below a folder, as strings that start with its own name.

    What is not there to be read (a broken link, a folder without permission) is a file here: opening it says why.
    """

    def __init__(self, root: Path) -> None:
        self._top = "" if str(root) == "." else str(root)  # as Path writes what is joined to it
        self._real = os.path.realpath(root)
        self._seen: set[_Identity] = set()
        self._count = 0
        self._links: dict[str, _Identity] = {}  # files that are links, and what they lead to
        self.not_followed: dict[str, str] = {}  # links to folders -> why
        self.saved: list[str] = []  # folders that a model was saved to, which hold no examples

    @staticmethod
    def ignores(name: str) -> bool:
        """Whether a file or folder of this name is left out: it is hidden, or a system's own."""
        return name.startswith(".") or name.lower() in _IGNORED

    @property
    def top(self) -> str:
        """What `listing` and `files` take for the folder itself."""
        return self._top

    def relative(self, path: str) -> str:
        """The name of what is below the folder, without the folder's own."""
        return path[len(os.path.join(self._top, "")) :]

    def listing(self, folder: str) -> tuple[list[str], list[str]]:
        """Names of the folders and of the files right in a folder, each sorted.

        Raises:
            OSError: it may not be read. DataError: with it, too many files and folders.
        """
        folders: list[str] = []
        files: list[str] = []
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                self._count += 1
                if self._count > MOST_ENTRIES:
                    what = f"more than {MOST_ENTRIES:,} files and folders"
                    raise DataError(what, where=self._top or ".", fix="name a smaller folder")
                name = entry.name
                if self.ignores(name):
                    continue
                if entry.is_symlink():
                    kind = self._where_a_link_leads(entry, os.path.join(folder, name))
                    if kind != "nowhere":
                        (folders if kind == "folder" else files).append(name)
                elif entry.is_dir():
                    folders.append(name)
                else:
                    files.append(name)
        return sorted(folders), sorted(files)

    def files(self, folder: str) -> list[str]:
        """Every file below a folder.

        Raises:
            DataError: too many files and folders, or folders too deep in one another.
        """
        found: list[str] = []
        ahead = [(folder, 0)]
        while ahead:
            here, depth = ahead.pop()
            try:
                if not self._first_time(here):
                    continue
                folders, files = self.listing(here)
            except OSError:
                found.append(here)
                continue
            if SAVED in files and here != self._top:
                self.saved.append(here)
                continue
            found += [os.path.join(here, name) for name in files]
            if folders and depth == MOST_DEEP:
                raise DataError(f"more than {MOST_DEEP} folders in one another", where=here, fix="name one of them")
            ahead += [(os.path.join(here, name), depth + 1) for name in reversed(folders)]
        return found

    def same(self, files: Sequence[str]) -> dict[int, int]:
        """Which of these are links to the file that another is, or leads to: its number and that of the one to keep.

        A file itself comes before links to it, of several links the first.
        """
        links = [(number, self._links[path]) for number, path in enumerate(files) if path in self._links]
        wanted = {identity for _, identity in links}
        kept: dict[_Identity, int] = {}
        if links:
            for number, path in enumerate(files):
                if path not in self._links and (identity := _identity(path)) in wanted:
                    kept.setdefault(identity, number)
        return {number: first for number, identity in links if (first := kept.setdefault(identity, number)) != number}

    def _first_time(self, folder: str) -> bool:
        status = os.stat(folder or ".")
        identity = status.st_dev, status.st_ino
        if identity in self._seen:
            self.not_followed[folder] = "a folder that is read already, through another link"
            return False
        self._seen.add(identity)
        return True

    def _where_a_link_leads(self, entry: os.DirEntry[str], path: str) -> Literal["folder", "file", "nowhere"]:
        try:
            status = entry.stat()
        except OSError:  # to nothing, or in circles: opening it says so
            return "file"
        if not stat.S_ISDIR(status.st_mode):
            self._links[path] = status.st_dev, status.st_ino
            return "file"
        real = os.path.realpath(path)
        if _holds(self._real, real):
            self.not_followed[path] = "a link to a folder of the data"
        elif _holds(real, self._real):
            self.not_followed[path] = "a link to a folder that holds the data"
        return "nowhere" if path in self.not_followed else "folder"


def _identity(path: str) -> _Identity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _holds(folder: str, inner: str) -> bool:
    return inner == folder or inner.startswith(os.path.join(folder, ""))
