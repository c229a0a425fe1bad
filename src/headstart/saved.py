"""Saved folders: written whole or not at all, and proved by loading them again before they get their names."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from headstart.errors import OutputError
from headstart.places import as_utf8, cannot_write, temporary_beside
from headstart.values import Finding


def refuse_taken(folder: Path, *, force: bool) -> None:
    """Raises OutputError where something is already there, or nothing can be written there: before any work is done."""
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
    """Write, prove, rename. A folder that is there already is replaced; it keeps its bytes until then.

    Args:
        folder: resolved.
        write: into a folder that is there.
        prove: that what was written is what was meant; raises OutputError.

    Raises:
        OutputError: no space, no permission, or no proof (nothing is left behind).
    """
    _sweep(folder)
    temporary = temporary_beside(folder)
    try:
        temporary.mkdir(parents=True)
        write(temporary)
        prove(temporary)
        if folder.exists():
            old = temporary_beside(folder)
            folder.rename(old)
            temporary.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            temporary.rename(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
    """Remove what a killed run left beside the folder; runs that are alive are left alone."""
    for left in folder.parent.glob(f".{folder.name}.*-*.tmp"):
        pid = left.name.removeprefix(f".{folder.name}.").split("-")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
