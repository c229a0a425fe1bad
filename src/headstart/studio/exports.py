"""The downloads of a project: its models packed, as they are or in a format that runs without headstart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headstart.errors import shortened, some_of
from headstart.export.export import INT8
from headstart.export.table import FORMATS
from headstart.serve.refused import RefusedError
from headstart.studio.exporting import AS_IT_IS, RESULT
from headstart.studio.facts import read_facts
from headstart.studio.jobs import DONE, FAILED, STOPPED, Job, Jobs
from headstart.studio.numbered import Numbered, number_of
from headstart.studio.runs import Runs
from headstart.studio.workspace import Project, Workspace


class Exports:
    """The downloads of one project. Whoever asks for one has the project alone."""

    def __init__(self, project: Project, workspace: Workspace, jobs: Jobs) -> None:
        self._project, self._workspace, self._jobs = project, workspace, jobs
        self._runs = Runs(project, workspace, jobs)
        self.folders = Numbered(project.folder / "exports", "download")

    def ask(self, run: int, format: str, quantize: str | None) -> Job:
        """Have the model of a run packed; where that is done or under way, this is it.

        Raises:
            RefusedError: there is no such model or format.
        """
        _refuse_odd(format, quantize)
        model, trained = self._runs.model(run), self._runs.job(run)
        wanted = {"run": run, "format": format, "quantize": quantize, "name": self._project.id}
        for job in self.jobs().values():
            same = all(job.options.get(key) == value for key, value in wanted.items())
            if same and job.status not in (FAILED, STOPPED):
                return job
        source = trained.options["source"]
        options = wanted | {"source": source, "model": model.relative_to(self._project.folder).as_posix()}
        return self._jobs.add(
            self.folders.make(self._workspace, "export", options, ending=f"-{format}", fill=lambda _: {})
        )

    def jobs(self) -> dict[int, Job]:
        """All of them, by their numbers."""
        return self.folders.jobs(self._jobs)

    def job(self, number: int) -> Job:
        """Raises RefusedError where there is none."""
        return self.folders.job(self._jobs, number, otherwise="make it again")

    def is_busy_with(self, run: int) -> bool:
        """Whether the model of a run is being packed, or waits for that."""
        return any(not job.is_over and job.options.get("run") == run for job in self.jobs().values())

    def state(self, job: Job) -> dict[str, Any]:
        """How far one is, and what came of it."""
        found = (read_facts(job.folder / RESULT) or {}) if job.status == DONE else {}
        number = number_of(job.folder)
        return {
            "id": number,
            **{key: job.options.get(key) for key in ("run", "format", "quantize")},
            "status": job.status,
            "share": 1.0 if job.status == DONE else job.progress.share,
            "seconds_left": None,
            "proof": found.get("proof"),
            "error": job.error,
            "size": found.get("size"),
            "download": f"{self._project.address}/exports/{number}/download" if found else None,
        }

    def file(self, number: int) -> Path:
        """The zip of one. Raises RefusedError where it is not there."""
        job = self.job(number)
        found = read_facts(job.folder / RESULT) if job.status == DONE else None
        path = None if found is None else job.folder / Path(str(found.get("zip"))).name
        if path is None or path.is_symlink() or not path.is_file():
            raise RefusedError(404, f"download {number} is not there", fix="make it again")
        return path


def _refuse_odd(format: str, quantize: str | None) -> None:
    smaller = {AS_IT_IS: False, **{each.name: each.quantises for each in FORMATS}}
    if format not in smaller:
        what = f"nothing is made for {shortened(format, 20)!r}"
        raise RefusedError(422, what, where="format", fix=f"one of: {some_of(list(smaller), most=20)}")
    if quantize is not None and not (quantize == INT8 and smaller[format]):
        raise RefusedError(422, f"{format} is not made smaller so", where="quantize", fix="leave it out")
