"""The models that are tried in the page: opened when first asked, opened anew after a training, closed when idle."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from headstart.clock import Now
from headstart.encode.engines import keep_ready
from headstart.model import load
from headstart.serve.models import Served, identity_of
from headstart.serve.refused import RefusedError
from headstart.studio.jobs import Jobs
from headstart.studio.runs import Runs
from headstart.studio.workspace import Workspace

_MOST = 3  # models that are open
_IDLE = 600.0  # seconds after which one that nobody asks is closed
_ENGINES = 2  # of a model: explanations run in float32, whatever it answers in


@dataclass
class _Open:
    served: Served
    asked: float


class ProjectModels:
    """The models of a workspace's projects, by "project" (of its last training) or "project.run"."""

    def __init__(self, workspace: Workspace, jobs: Jobs, *, now: Now = time.monotonic) -> None:
        self._workspace, self._jobs, self._now = workspace, jobs, now
        self._open: dict[str, _Open] = {}  # by "project.run" and what it is, the one that was asked last at the end
        self._lock, self._opening = threading.Lock(), threading.Lock()
        keep_ready(_ENGINES * (_MOST + 1))

    ready = True  # none has to be open before somebody asks

    def __iter__(self) -> Iterator[Served]:
        with self._lock:
            return iter([each.served for each in self._open.values()])

    def put(self, served: Served) -> None:
        """As of a shelf; nothing here is put in the place of anything."""
        raise TypeError("models of projects are opened when they are asked")

    def named(self, name: str | None) -> Served:
        """The model of a project, opened if it is not. Raises RefusedError where there is none."""
        if name is None:
            raise RefusedError(422, "no model is named", where="model", fix="name a project")
        key, folder = self._place(name)
        return self._known(key) or self._opened(name, key, folder)

    def _opened(self, name: str, key: str, folder: str) -> Served:
        with self._opening:  # one at a time: two would need the memory of both
            found = self._known(key)  # another request has opened it meanwhile
            if found is None:
                found = Served(name, load(folder), folder, None)
                _ = found.answers  # which opens what answers questions, here and not where others wait
                with self._lock:
                    self._open[key] = _Open(found, self._now())
                    for oldest in list(self._open)[:-_MOST]:
                        del self._open[oldest]
        return found

    def _place(self, name: str) -> tuple[str, str]:
        id, _, number = name.partition(".")
        project = self._workspace.project(id)
        runs = Runs(project, self._workspace, self._jobs)
        run = int(number) if number.isdecimal() and len(number) < 10 else runs.last_done()
        if run is None or (number and not number.isdecimal()):
            raise RefusedError(409, f"{project.name} has no model yet", where="model", fix="train one first")
        folder = str(runs.model(run))
        return f"{id}.{run} {identity_of(folder)}", folder  # a project that was removed may have had the same name

    def _known(self, key: str) -> Served | None:
        with self._lock:
            known = self._open.pop(key, None)
            if known is None:
                return None
            known.asked = self._now()
            self._open[key] = known
            return known.served

    def look_after(self) -> None:
        """Close what nobody has asked for a while."""
        with self._lock:
            for key in [key for key, each in self._open.items() if self._now() - each.asked > _IDLE]:
                del self._open[key]
