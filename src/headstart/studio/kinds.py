"""The kinds of examples that a project may have: one row a kind."""

from __future__ import annotations

from collections.abc import Callable

from headstart.serve.refused import RefusedError
from headstart.studio.examples import Examples
from headstart.studio.photos import Photos
from headstart.studio.tables import Table
from headstart.studio.workspace import Project, Workspace

KINDS: dict[str, Callable[[Project, Workspace], Examples]] = {"photos": Photos, "table": Table}


def examples_of(project: Project, workspace: Workspace) -> Examples:
    """The examples of a project. Raises RefusedError where they are of a kind that this version does not know."""
    if project.kind not in KINDS:
        raise RefusedError(409, "the project was made by another version of headstart", fix="use that one for it")
    return KINDS[project.kind](project, workspace)


def photos_of(project: Project, workspace: Workspace) -> Photos:
    """Its photos. Raises RefusedError where it is no project of photos."""
    examples = examples_of(project, workspace)
    if not isinstance(examples, Photos):
        raise RefusedError(409, f"{project.name} is no project of photos", fix="make one for photos")
    return examples


def table_of(project: Project, workspace: Workspace) -> Table:
    """Its table. Raises RefusedError where it is no project of a table."""
    examples = examples_of(project, workspace)
    if not isinstance(examples, Table):
        raise RefusedError(409, f"{project.name} is no project of a table", fix="make one for a table")
    return examples
