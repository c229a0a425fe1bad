"""Saved folders: written whole or not at all, and proved by loading them again before they get their names."""

from __future__ import annotations

import csv
import glob
import io
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from headstart.errors import OutputError
from headstart.places import as_utf8, cannot_write, temporary_beside
from headstart.values import Finding

_ASIDE = ".old"  # of a folder that another is about to replace


def refuse_taken(folder: Path, *, force: bool) -> None:
    """Raises OutputError where something is already there, or nothing can be written there: before any work is done.

    What a killed run had moved aside is there again.
    """
    try:
        _sweep(folder.resolve())
    except OSError as error:
        raise cannot_write(folder.resolve().parent, error) from error
    if folder.exists() and not force:
        raise OutputError("already there", where=str(folder), fix="choose another --out, or replace it with --force")
    if folder.exists() and not (folder / "headstart.json").exists():
        raise OutputError("not a folder that headstart saved; it is left alone", where=str(folder), fix="another --out")
    parent = folder.resolve().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        probe = temporary_beside(folder.resolve())
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise cannot_write(parent, error) from error


def write_folder(folder: Path, *, write: Callable[[Path], None], prove: Callable[[Path], None]) -> None:
    """Write, prove, rename. A folder that is there already is replaced; it keeps its bytes until then. What killed runs
    left was swept by `refuse_taken`.

    Args:
        folder: resolved.
        write: into a folder that is there.
        prove: that what was written is what was meant; raises OutputError.

    Raises:
        OutputError: no space, no permission, or no proof (nothing is left behind).
    """
    temporary = temporary_beside(folder)
    try:
        temporary.mkdir(parents=True)
        write(temporary)
        prove(temporary)
        _put(temporary, folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put(new: Path, folder: Path) -> None:
    """Give it the name, in the place of what has it. Between the two renames the old folder has another name, of which
    a failure here, or after a kill the next run, makes the first again."""
    if not folder.exists():
        new.rename(folder)
        return
    old = temporary_beside(folder).with_suffix(_ASIDE)
    folder.rename(old)
    try:
        new.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


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


def _sweep(folder: Path) -> None:
    """Remove what killed runs left beside the folder, and put back what one had moved aside; runs that are alive are
    left alone."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*-*.*"):
        pid = left.name.removeprefix(f".{folder.name}.").split("-")[0]
        if not pid.isdigit() or _alive(int(pid)):
            continue
        if left.suffix == _ASIDE and not folder.exists():
            left.rename(folder)
        elif left.suffix in (_ASIDE, ".tmp"):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # there `os.kill` would end it, whatever the signal
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
