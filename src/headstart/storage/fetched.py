"""What was fetched to the cache from addresses: a folder each, and beside it a note of where it is from.

What is in such a folder is somebody's data, of any name; that headstart made it is known by the note.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from headstart.errors import OutputError
from headstart.storage.files import read_json
from headstart.storage.kept import write_kept
from headstart.storage.places import is_key

ROOM = "remote"
_NOTE = ".json"
_MOST = 200  # characters of an address


def say_fetched(folder: Path, address: str) -> None:
    """Write down that a folder of the cache was fetched, and is used now."""
    note = _note_of(folder)
    with suppress(OutputError, OSError):  # it is used all the same
        if is_fetched(folder):
            os.utime(note)
        else:
            write_kept(note, json.dumps({"address": address[:_MOST]}) + "\n")


def fetched_in(cache: Path) -> Iterator[tuple[Path, str, float]]:
    """Each folder that was fetched, the address, and when it was used last, in seconds since the epoch."""
    for folder in sorted((cache / ROOM).glob("*")):
        with suppress(FileNotFoundError):  # somebody else prunes
            if is_fetched(folder):
                note = _note_of(folder)
                yield folder, _address(note), note.stat().st_mtime


def is_fetched(folder: Path) -> bool:
    """Whether a folder of the cache was fetched by headstart."""
    return is_key(folder.name) and not folder.is_symlink() and folder.is_dir() and bool(_address(_note_of(folder)))


def forget(folder: Path) -> None:
    """Remove the note of a folder that is gone."""
    with suppress(OSError):
        _note_of(folder).unlink(missing_ok=True)


def _note_of(folder: Path) -> Path:
    return folder.with_suffix(_NOTE)


def _address(note: Path) -> str:
    """Empty where that is not said."""
    try:
        said = read_json(note)["address"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return re.sub(r"[^ -~]", "?", said) if isinstance(said, str) else ""
