"""The trainings of a project: asked for, looked at, stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from headstart.serve.refused import RefusedError
from headstart.studio.facts import DamagedError, Facts, read_facts
from headstart.studio.jobs import DONE, Job, Jobs
from headstart.studio.kinds import examples_of
from headstart.studio.numbered import Numbered, number_of
from headstart.studio.plain_folders import inside, is_file
from headstart.studio.plain_words import plain_words
from headstart.studio.training import MODEL, RESULT, Result, refuse_odd
from headstart.studio.workspace import Project, Workspace

_METRICS, REPORT = "metrics.json", "report.html"  # of a saved folder
_MOST_FINDINGS = 100  # of a fit's summary; the check has all of them


class _Warning(Facts):
    kind: str
    text: str


class _Summary(Facts):
    """What the page reads of a saved folder's figures; all of them are there."""

    model_config = ConfigDict(extra="allow")
    findings: list[dict[str, Any]] = Field(default_factory=list)
    warnings: list[_Warning] = Field(default_factory=list)


class Runs:
    """The trainings of one project. Whoever asks for one has the project alone."""

    def __init__(self, project: Project, workspace: Workspace, jobs: Jobs) -> None:
        self._project, self._workspace, self._jobs = project, workspace, jobs
        self.folders = Numbered(project.folder / "runs", "training")

    def ask(self, budget: str, *, model: str = "auto", how: str = "auto") -> Job:
        """Have a model trained on the examples as they are now.

        Raises:
            RefusedError: one is being trained, something is missing, or there is no such time, model or way.
        """
        refuse_odd(budget, model, how)
        if any(not job.is_over for job in self.jobs().values()):
            raise RefusedError(409, "a training of this project is under way", fix="wait for it, or stop it")
        examples = examples_of(self._project, self._workspace)
        why_not = examples.why_not()
        if why_not is not None:
            raise RefusedError(422, why_not)

        fingerprint = examples.fingerprint()

        def fill(folder: Path) -> dict[str, Any]:
            return {"source": examples.snapshot(folder / self._project.id).as_facts(folder)}

        options = {"budget": budget, "model": model, "how": how, "fingerprint": fingerprint}
        return self._jobs.add(self.folders.make(self._workspace, "fit", options, fill=fill))

    def jobs(self) -> dict[int, Job]:
        """All of them, by their numbers."""
        return self.folders.jobs(self._jobs)

    def job(self, number: int) -> Job:
        """Raises RefusedError where there is none."""
        return self.folders.job(self._jobs, number, otherwise="it may have been removed; go back")

    def last_done(self) -> int | None:
        """The number of the last one that gave a model."""
        return next((number for number, job in reversed(self.jobs().items()) if job.status == DONE), None)

    def changed(self) -> bool:
        """Whether the examples are others than the last training that gave a model has learned from."""
        number = self.last_done()
        if number is None:
            return False
        known = self.job(number).options.get("fingerprint")
        return known is not None and known != examples_of(self._project, self._workspace).fingerprint()

    def model(self, number: int) -> Path:
        """The saved folder of one. Raises RefusedError where it has none, or one that leads elsewhere."""
        job = self.job(number)
        if job.status != DONE:
            raise RefusedError(409, f"training {number} gave no model", fix="train again")
        return inside(job.folder, MODEL)

    def state(self, number: int) -> dict[str, Any]:
        """How far it is, and what came of it."""
        job = self.job(number)
        said = self.without_result(job)
        try:
            summary = read_facts(self.model(number) / _METRICS, _Summary) if job.status == DONE else None
        except DamagedError as error:
            return {**said, "error": said["error"] or str(error), "result": None}
        if summary is None:
            return {**said, "result": None}
        warnings = [{"kind": each.kind, "text": plain_words(each.text)} for each in summary.warnings]
        mended = {"findings": summary.findings[:_MOST_FINDINGS], "warnings": warnings}
        return {**said, "result": summary.model_dump() | mended}

    def without_result(self, job: Job) -> dict[str, Any]:
        """How far one is, and its score."""
        there = job.status == DONE and is_file(job.folder / MODEL / REPORT)
        address = f"{self._project.address}/runs/{number_of(job.folder)}/report"
        before = [] if job.is_over else self._jobs.before(job)
        return {
            **self.in_short(job),
            **progress_of(job),
            "waits_for": len(before),
            "waits_behind": before[0].folder.relative_to(self._workspace.folder).parts[0] if before else None,
            "stopping": not job.is_over and job.stop_asked,
            "files": {"report": address if there else None},
        }

    def in_short(self, job: Job) -> dict[str, Any]:
        """How one is listed."""
        headline, error = None, job.error
        try:
            found = read_facts(job.folder / RESULT, Result) if job.status == DONE else None
            headline = None if found is None else found.headline
        except DamagedError as damaged:
            error = f"Its score is lost: {damaged.what}. Train again to have one."
        return {
            "id": number_of(job.folder),
            "status": job.status,
            "budget": job.options.get("budget"),
            "asked": job.asked,
            "started": job.started,
            "ended": job.ended,
            "error": error,
            "headline": None if headline is None else headline.model_dump(),
            "accuracy": headline.value if headline is not None and headline.key == "accuracy" else None,
        }


def progress_of(job: Job) -> dict[str, Any]:
    """How far a job is."""
    progress = job.progress
    if job.is_over:  # else whoever watches it reads
        progress.read_on()
    return {
        "step": progress.step,
        "text": progress.text,
        "share": 1.0 if job.status == DONE else progress.share,
        "seconds_left": None if job.is_over else progress.seconds_left,
        "steps": [{"name": name, "seconds": round(seconds, 1)} for name, seconds in list(progress.seconds.items())],
        "notes": list(progress.notes),
    }
