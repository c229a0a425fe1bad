"""Facts of a project or a job in JSON files that are whole or not there, whatever ends the process that writes them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from headstart.storage.files import read_json
from headstart.storage.places import as_json, as_utf8, cannot_write


def write_facts(path: Path, facts: Any) -> None:
    """Put these facts in the place of those before, in one step.

    Raises:
        OutputError: no space, no permission.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as file:
            file.write(as_utf8(as_json(facts)))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def read_facts(path: Path) -> dict[str, Any] | None:
    """The facts in a file; None: there is none, or it is damaged."""
    try:
        facts = read_json(path)
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None
