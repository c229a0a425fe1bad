"""A studio in this process: it opens its workspace, listens, says where, and ends when it is told to."""

from __future__ import annotations

import sys
from pathlib import Path

from headstart.serve.run import Server, address_of, listening, log_to_stderr, server_for
from headstart.serve.settings import Settings
from headstart.studio.app import create_app
from headstart.studio.workspace import Workspace


def studio_of(settings: Settings, workspace: Workspace) -> Server:
    """A server of a workspace that does not listen yet. Raises UserError where anybody on the network could ask it."""
    settings.refuse_open_door()
    return server_for(create_app(settings, workspace), settings)


def studio(settings: Settings, folder: Path) -> None:
    """Run a studio until a signal says to end. Trainings go on then, and the next one finds them.

    Raises:
        UserError: as `studio_of` and `listening`; or another one has the folder.
    """
    settings.refuse_open_door()
    opened = listening(settings)
    with opened:
        workspace = Workspace(folder)
        try:
            server = studio_of(settings, workspace)
            log_to_stderr()
            sys.stderr.write(f"headstart studio at {address_of(opened, settings)}\nprojects in {workspace.folder}\n")
            server.run([opened])
        finally:
            workspace.close()
