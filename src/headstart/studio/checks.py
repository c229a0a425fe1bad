"""The looks at a project's examples: asked for, and what they found as far as it still is so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from headstart.serve.refused import RefusedError
from headstart.studio.checking import RESULT, Result
from headstart.studio.corrections import Corrections
from headstart.studio.examples import Examples
from headstart.studio.facts import DamagedError, known_facts, read_facts
from headstart.studio.jobs import DONE, FAILED, Job, Jobs
from headstart.studio.kinds import examples_of
from headstart.studio.numbered import Numbered, number_of
from headstart.studio.photos import Photos
from headstart.studio.runs import Runs
from headstart.studio.training import DOUBTS, Doubts
from headstart.studio.workspace import Project, Workspace

_DOUBTFUL = "doubtful-label"


class Checks:
    """The looks at one project's examples. Whoever asks for one has the project alone."""

    def __init__(self, project: Project, workspace: Workspace, jobs: Jobs) -> None:
        self._project, self._workspace, self._jobs = project, workspace, jobs
        self._examples: Examples = examples_of(project, workspace)
        self.folders = Numbered(project.folder / "checks", "check")

    def last(self) -> Job | None:
        """The last one that was asked for."""
        folder = self.folders.last()
        return None if folder is None else self._jobs.of(folder)

    def ask(self) -> Job:
        """Have the examples looked at; where nothing has changed since, the last look is it.

        Raises:
            UserError: there are none, or none that can be looked at.
        """
        source, fingerprint, last = self._examples.source(), self._examples.fingerprint(), self.last()
        if last is not None and not last.is_over:
            return last
        is_known = last is not None and last.options.get("fingerprint") == fingerprint
        if last is not None and is_known and self.state()["status"] == DONE:
            return last
        facts = source.as_facts(self._project.folder)
        options = {"source": facts, "table": self._project.table, "fingerprint": fingerprint}
        Corrections(self._project, self._workspace).begin()
        return self._jobs.add(self.folders.make(self._workspace, "check", options, fill=lambda _: {}))

    def table(self) -> str | None:
        """The table whose rows findings name. Raises RefusedError where none was looked at yet."""
        last = self.last()
        if last is None or last.status != DONE:
            raise RefusedError(409, "the examples are not checked", fix="check them, and wait until that is done")
        return last.options.get("table")

    def state(self) -> dict[str, Any]:
        """How far the last one is, and what is odd about the examples as they are now."""
        job = self.last()
        if job is None:
            return {"id": None, "status": "none", "share": 0.0, "seconds_left": None, "error": None, "result": None}
        result, status, error = None, job.status, job.error
        try:
            result = read_facts(job.folder / RESULT, Result) if job.status == DONE else None
        except DamagedError as damaged:
            status, error = FAILED, f"{damaged.what}: check again."
        return {
            "id": number_of(job.folder),
            "status": status,
            "share": 1.0 if job.status == DONE else job.progress.share,
            "seconds_left": None if job.is_over else job.progress.seconds_left,
            "error": error,
            "result": None if result is None else self._as_now(job, result.model_dump()),
        }

    def _as_now(self, job: Job, result: dict[str, Any]) -> dict[str, Any]:
        """With the doubts of a training since, and without what was mended."""
        found, later = result["findings"], self._doubts_since(job)
        if later is not None:
            found = [*(one for one in found if one["kind"] != _DOUBTFUL), *later]
        is_open = self._still_open()
        changed = job.options.get("fingerprint") != self._examples.fingerprint()
        return result | {"findings": [one for one in found if is_open(one)], "changed": changed}

    def _doubts_since(self, job: Job) -> list[dict[str, Any]] | None:
        """The labels that the last training doubts; None: none was since the check, or it is of another table."""
        runs = Runs(self._project, self._workspace, self._jobs)
        number = runs.last_done()
        if number is None or runs.job(number).asked < job.asked:
            return None
        doubts = known_facts(runs.job(number).folder / DOUBTS, Doubts)
        if doubts is None or (self._project.table is not None and doubts.table != job.options.get("table")):
            return None
        return [finding.model_dump() for finding in doubts.findings]

    def _still_open(self) -> Callable[[Mapping[str, Any]], bool]:
        """Tells whether a finding is about an example that is as it was."""
        if isinstance(self._examples, Photos):
            there = {photo.id: photo.class_name for photo in self._examples.everything()}
            return lambda one: (
                one["photo"] is None or (one["photo"] in there and one["label"] in (None, there[one["photo"]]))
            )
        done = Corrections(self._project, self._workspace).changed_rows()
        return lambda one: one["where"] not in done
