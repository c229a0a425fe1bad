"""The downloads of a project: its models packed, as they are or in a format that runs without headstart."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from headstart.errors import shortened, some_of
from headstart.export.export import INT8
from headstart.export.table import FORMATS
from headstart.export.to_web import WEB
from headstart.serve.refused import RefusedError
from headstart.studio.exporting import AS_IT_IS, RESULT, Result
from headstart.studio.facts import DamagedError, read_facts
from headstart.studio.jobs import DONE, FAILED, STOPPED, Job, Jobs
from headstart.studio.numbered import Numbered, number_of
from headstart.studio.plain_folders import inside, is_file
from headstart.studio.runs import Runs
from headstart.studio.workspace import Project, Workspace

PAGE_DATA = ("model.json", "model.onnx", "tokenizer.json")  # what is the model's own of a web page


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
        self._runs.model(run)
        named = {"name": self._project.id, "title": self._project.name}
        wanted = {"run": run, "format": format, "quantize": quantize, **named}
        for job in self.jobs().values():
            same = all(job.options.get(key) == value for key, value in wanted.items())
            if same and self.state(job)["status"] not in (FAILED, STOPPED):
                return job
        options = wanted | {"source": self._runs.job(run).options["source"]}
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
        found, status, error, number = None, job.status, job.error, number_of(job.folder)
        is_page = job.options.get("format") == WEB.name
        try:
            found = read_facts(job.folder / RESULT, Result) if job.status == DONE else None
        except DamagedError as damaged:
            status, error = FAILED, f"{damaged.what}: make it again."
        return {
            "id": number,
            **{key: job.options.get(key) for key in ("run", "format", "quantize")},
            "status": status,
            "share": 1.0 if job.status == DONE else job.progress.share,
            "seconds_left": None,
            "proof": None if found is None or found.proof is None else found.proof.model_dump(),
            "error": error,
            "size": None if found is None else found.size,
            "download": None if found is None else f"{self._project.address}/exports/{number}/download",
            "page": None if found is None or not is_page else f"look/{quote(self._project.id)}/{number}",
        }

    def page_file(self, number: int, name: str) -> Path:
        """What a web page has of the model, by the name of its file. Raises RefusedError where it is not there."""
        job = self.job(number)
        path = job.folder / f"{job.options.get('name')}-{WEB.name}" / name
        if job.status != DONE or name not in PAGE_DATA or not is_file(inside(job.folder, f"{path.parent.name}/{name}")):
            raise RefusedError(404, f"{shortened(name, 40)} of page {number} is not there", fix="make it again")
        return path

    def file(self, number: int) -> Path:
        """The zip of one. Raises RefusedError where it is not there."""
        job = self.job(number)
        found = read_facts(job.folder / RESULT, Result) if job.status == DONE else None
        path = None if found is None else job.folder / found.zip
        if path is None or not is_file(path):
            raise RefusedError(404, f"download {number} is not there", fix="make it again")
        return path


def _refuse_odd(format: str, quantize: str | None) -> None:
    smaller = {AS_IT_IS: False, **{each.name: each.quantises for each in FORMATS}}
    if format not in smaller:
        what = f"nothing is made for {shortened(format, 20)!r}"
        raise RefusedError(422, what, where="format", fix=f"one of: {some_of(list(smaller), most=20)}")
    if quantize is not None and not (quantize == INT8 and smaller[format]):
        raise RefusedError(422, f"{format} is not made smaller so", where="quantize", fix="leave it out")
