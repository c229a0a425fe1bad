"""The trainings of a project: asked for, looked at, stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headstart.clock import seconds_of
from headstart.errors import UserError, shortened, some_of
from headstart.pretrained import catalog
from headstart.serve.refused import RefusedError
from headstart.storage.files import read_json
from headstart.studio.facts import read_facts
from headstart.studio.jobs import DONE, Job, Jobs
from headstart.studio.kinds import examples_of
from headstart.studio.numbered import Numbered, number_of
from headstart.studio.training import MODEL, RESULT
from headstart.studio.workspace import Project, Workspace

_METRICS, REPORT = "metrics.json", "report.html"  # of a saved folder
_LONGEST = 12 * 3600  # seconds of a budget
_WAYS = ("auto", "probe", "tune", "lora", "full")
_MOST_FINDINGS = 100  # of a fit's summary; the check has all of them


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
        _refuse_odd(budget, model, how)
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
        """The saved folder of one. Raises RefusedError where it has none."""
        job = self.job(number)
        if job.status != DONE:
            raise RefusedError(409, f"training {number} gave no model", fix="train again")
        return job.folder / MODEL

    def state(self, number: int) -> dict[str, Any]:
        """How far it is, and what came of it."""
        job = self.job(number)
        result = _summary(job.folder / MODEL / _METRICS) if job.status == DONE else None
        return {**self.without_result(job), "result": result}

    def without_result(self, job: Job) -> dict[str, Any]:
        """How far one is, and its score."""
        there = job.status == DONE and (job.folder / MODEL / REPORT).is_file()
        address = f"{self._project.address}/runs/{number_of(job.folder)}/report"
        return {
            **self.in_short(job),
            **progress_of(job),
            "waits_for": self._jobs.place(job) if not job.is_over else 0,
            "files": {"report": address if there else None},
        }

    def in_short(self, job: Job) -> dict[str, Any]:
        """How one is listed."""
        found = read_facts(job.folder / RESULT) if job.status == DONE else None
        headline = None if found is None else found.get("headline")
        return {
            "id": number_of(job.folder),
            "status": job.status,
            "budget": job.options.get("budget"),
            "asked": job.asked,
            "started": job.started,
            "ended": job.ended,
            "error": job.error,
            "headline": headline,
            "accuracy": headline["value"] if headline and headline["key"] == "accuracy" else None,
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


def _summary(file: Path) -> dict[str, Any] | None:
    try:
        summary = read_json(file)
    except (OSError, ValueError):
        return None
    return summary | {"findings": summary.get("findings", [])[:_MOST_FINDINGS]}


def _refuse_odd(budget: str, model: str, how: str) -> None:
    """Raises RefusedError where a training cannot be asked for so. Only models of the catalog are taken by name: a path
    would let whoever reaches the page open any folder of this computer."""
    try:
        seconds = seconds_of(budget)
    except UserError as error:
        raise RefusedError(422, error.what, where="budget", fix="for example 30s, 2m or 10m") from None
    if seconds > _LONGEST:
        raise RefusedError(422, f"{shortened(budget, 20)} is more than 12 hours", where="budget", fix="take less time")
    if model != "auto" and catalog.find(model) is None:
        names = some_of([card.name for card in catalog.cards()], most=20)
        raise RefusedError(422, f"no model is called {shortened(model, 60)!r}", where="model", fix=f"one of: {names}")
    if how not in _WAYS:
        raise RefusedError(
            422, f"no way is called {shortened(how, 20)!r}", where="how", fix=f"one of: {some_of(_WAYS)}"
        )
