"""How much may be sent to a studio and kept in it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from headstart.serve.refused import RefusedError


@dataclass(frozen=True)
class StudioLimits:
    """What one upload may bring, and what a workspace holds."""

    files: int = 1000  # of one upload
    photo_bytes: int = 64 * 2**20
    table_bytes: int = 128 * 2**20
    upload_bytes: int = 2 * 2**30  # of one upload
    idle_seconds: float = 60.0  # between two pieces of an upload
    upload_seconds: float = 1800.0  # in which all of it has to be there
    uploads: int = 8  # at the same time
    photos: int = 100_000  # of a project
    classes: int = 1000  # of a project
    projects: int = 1000
    free_bytes: int = 512 * 2**20  # that stay free on the disk


def refuse_full_disk(folder: Path, limits: StudioLimits, *, more: int = 0) -> None:
    """Raises RefusedError where so many bytes more would leave too little space on the disk."""
    if shutil.disk_usage(folder).free - more < limits.free_bytes:
        what = f"the disk has less than {limits.free_bytes / 2**20:,.0f} MB left"
        raise RefusedError(507, what, fix="free some space, then try again")
