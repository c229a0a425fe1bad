"""What was removed of a project, taken back from `.removed`."""

from __future__ import annotations

import os
from pathlib import Path

from headstart.serve.refused import RefusedError
from headstart.storage.places import cannot_write
from headstart.storage.renames import rename_new
from headstart.studio.workspace import REMOVED, REMOVED_ID, Project, Workspace


def take_back(project: Project, workspace: Workspace, id: str) -> int:
    """Put examples of a project that were removed at once where they were; gives how many files. Where something has
    their place by now, they stay removed. Whoever does so has the project alone.

    Raises:
        RefusedError: nothing of its examples was removed so.
    """
    top = workspace.folder / REMOVED / id
    removed = top / project.data.relative_to(workspace.folder)
    if not REMOVED_ID.fullmatch(id) or top.is_symlink() or not removed.is_dir():
        raise RefusedError(404, "it is not among what was removed", fix="look for it in the folder .removed")
    n = 0
    try:
        for folder, _, names in os.walk(removed):
            place = project.data / Path(folder).relative_to(removed)
            place.mkdir(exist_ok=True)
            n += sum(_is_back(Path(folder) / name, place / name) for name in names)
    except OSError as error:
        raise cannot_write(project.data, error) from error
    return n


def _is_back(file: Path, place: Path) -> bool:
    try:
        rename_new(file, place)
    except FileExistsError:
        return False
    return True
