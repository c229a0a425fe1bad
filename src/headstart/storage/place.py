"""Saved folders: written whole or not at all, proved by loading them again before they get their names, and never in
the place of anything that headstart did not write."""

from __future__ import annotations

import csv
import io
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from headstart.errors import OutputError
from headstart.progress import note
from headstart.storage.files import resolved
from headstart.storage.locks import take_lock
from headstart.storage.manifest import remove_written, stranger_in, write_manifest
from headstart.storage.places import as_utf8, cannot_write
from headstart.storage.renames import exchange, rename_new
from headstart.values import Finding

T = TypeVar("T")
# Endings: of a saved folder that is being written, of one that another is to replace, and of a folder of any files.
_NEW, _ASIDE, _ANY = ".tmp", ".old", ".new"
_LEFT = re.compile(r"\.(?P<name>.+)\.\d+-[0-9a-f]{8}\.new", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """A folder name that is kept for one command: no other saves to it meanwhile."""

    folder: Path  # absolute, without links
    asked: Path  # as the user wrote it
    force: bool | None  # whether a folder that headstart saved there may be replaced; None: nobody can ask for it

    def write(self, *, write: Callable[[Path], None], prove: Callable[[Path], None]) -> None:
        """Write, prove, rename. A folder that is there already keeps its bytes until then.

        Args:
            write: into a folder that is there.
            prove: that what was written is what was meant; raises OutputError.

        Raises:
            OutputError: no space, no permission, no proof, or by now there is something of that name which may not be
                replaced. Nothing is left behind.
        """
        temporary = _beside(self.folder, _NEW)
        try:
            temporary.mkdir()
            write(temporary)
            write_manifest(temporary)
            prove(temporary)
            self._put(temporary)
        except OSError as error:
            raise cannot_write(self.folder, error) from error
        finally:
            with suppress(OSError):  # the next run sweeps it
                remove_written(temporary)

    def write_new(self, make: Callable[[Path], T]) -> T:
        """Write and prove a folder that nobody replaces later, so that it may hold files of any name, and rename.

        Args:
            make: writes into a folder that is there, and raises OutputError where what it wrote is not what was meant.

        Raises:
            OutputError: no space, no permission, no proof, or by now there is something of that name. Nothing is left
                behind.
        """
        temporary = _beside(self.folder, _ANY)
        try:
            temporary.mkdir()
            try:
                made = make(temporary)
                to_disk(temporary)
                rename_new(temporary, self.folder)
            finally:  # of a name that nobody else has
                shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            raise cannot_write(self.folder, error) from error
        return made

    def refuse(self) -> None:
        """Raises OutputError where something is there that may not be replaced."""
        if not os.path.lexists(self.folder):
            return
        why = stranger_in(self.folder) if self.folder.is_dir() else "it is no folder"
        if not self.force:
            replaceable = not why and self.force is not None
            fix = "choose another --out, or replace it with --force" if replaceable else "choose another --out"
            raise OutputError("already there", where=str(self.asked), fix=fix)
        if why:
            raise _not_replaced(self.asked, why)

    def _put(self, new: Path) -> None:
        """Give the name to what was written; what has it goes, if nothing in it is anyone's but headstart's."""
        self.refuse()
        if not os.path.lexists(self.folder):
            try:
                rename_new(new, self.folder)
            except FileExistsError:
                self.refuse()
                raise
            return
        to_disk(new)  # or a power cut might leave neither
        old = self._swap(new)
        if why := stranger_in(old):  # somebody put it there in this very moment
            self._swap_back(new, old)
            raise _not_replaced(self.asked, why)
        try:
            remove_written(old)
        except OSError as error:
            note(f"what was replaced cannot all be removed: {old}: {error.strerror}")

    def _swap(self, new: Path) -> Path:
        """Put the new folder in the place of the old one; where that is now.

        Whatever had the name is only ever under a name that no run sweeps without a look at each file.
        """
        old, swapped = new.with_suffix(_ASIDE), False
        new.rename(old)
        try:
            swapped = exchange(old, self.folder)
        finally:
            if not swapped:
                old.rename(new)
        if swapped:
            return old
        self.folder.rename(old)
        try:
            rename_new(new, self.folder)
        except BaseException:
            rename_new(old, self.folder)
            raise
        return old

    def _swap_back(self, new: Path, old: Path) -> None:
        try:
            if exchange(old, self.folder):
                old.rename(new)
                return
            self.folder.rename(new)
            rename_new(old, self.folder)
        except OSError as error:
            where = f"what was there is {old.name} now ({error.strerror})"
            raise OSError(error.errno, where, str(self.folder)) from error


@contextmanager
def reserve_place(folder: Path | None, *, force: bool | None) -> Iterator[Place | None]:
    """The place to save to, looked at before any work is done and kept until the end; None: nothing will be saved.

    What killed runs left beside it is swept, and what one had moved aside is there again.

    Raises:
        OutputError: something is there already that may not be replaced, nothing can be written there, or another
            command is going to save there.
    """
    if folder is None:
        yield None
        return
    try:
        place = Place(resolved(folder), folder, force)
        place.folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    if not place.folder.name:
        raise OutputError("already there", where=str(folder), fix="choose another --out")
    lock = take_lock(place.folder.with_name(f".{place.folder.name}"), without_locks=True)
    if lock is None:
        fix = "wait for it, or choose another --out"
        raise OutputError("another command is going to save there", where=str(folder), fix=fix)
    try:
        try:
            _sweep(place.folder)
            _sweep_others(place.folder.parent)
            place.refuse()
            probe = _beside(place.folder, _NEW)
            probe.mkdir()
            probe.rmdir()
        except OSError as error:
            raise cannot_write(place.folder.parent, error) from error
        yield place
    finally:
        lock.release()


def _not_replaced(asked: Path, why: str) -> OutputError:
    return OutputError(f"not replaced: {why}", where=str(asked), fix="move it out of there, or choose another --out")


def _beside(folder: Path, ending: str) -> Path:
    """A name of its own in the same folder, so that the rename stays on one file system."""
    return folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}{ending}")


def to_disk(folder: Path) -> None:
    """Have the system write all of a folder to the disk, and the folder's name.

    Raises:
        OSError: it cannot.
    """
    names = [os.path.join(root, name) for root, _, files in os.walk(folder) for name in (*files, ".")]
    for path in (*names, str(folder.parent)):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove what killed runs left beside the folder, and put back what one had moved aside. No other run is at it: who
    sweeps has the lock."""
    left = re.compile(rf"\.{re.escape(folder.name)}\.\d+-[0-9a-f]{{8}}\.(?:tmp|old|new)")
    for path in sorted(folder.parent.iterdir()):
        if not left.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
            continue
        if path.suffix == _ANY:  # which may hold files of any name
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix == _ASIDE and not os.path.lexists(folder):
            rename_new(path, folder)
        elif path.suffix == _NEW or not stranger_in(path):
            with suppress(OSError):  # it stays, and does no harm
                remove_written(path)


def _sweep_others(parent: Path) -> None:
    """Remove what killed exports and the like left of folders of other names: nobody need ask for these again."""
    for path in sorted(parent.iterdir()):
        found = _LEFT.fullmatch(path.name)
        if found is None or path.is_symlink() or not path.is_dir():
            continue
        with suppress(OutputError):  # something of the user's has the lock's name: it stays, and does no harm
            lock = take_lock(path.with_name(f".{found['name']}"))
            if lock is not None:  # else it is being written
                shutil.rmtree(path, ignore_errors=True)
                lock.release()


def write_text(path: Path, content: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(as_utf8(content))


def rejected_table(rejected: Sequence[Finding]) -> str:
    return table(("example", "kind", "reason"), ((f.where, f.kind, f.reason) for f in rejected))


def table(header: Sequence[str], rows: Any) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
