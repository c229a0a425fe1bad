"""A fit as an MLflow run, its runs of training as runs within it."""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import headstart.no_telemetry  # noqa: F401 - before mlflow
from headstart.errors import UserError
from headstart.tracking.tracker import Ended, Entry, one_line, without_password

_DEFAULT = "sqlite:///mlflow.db"
_STATUS = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_AT_ONCE = 1000  # metrics, and 100 parameters: what MLflow takes in one message
_REACHED = 5.0  # seconds within which a database answers
_LENGTH = 500  # of a parameter's value, the least that stores take
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",  # seconds; MLflow's own: 120
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # MLflow's own: 7, further and further apart
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # which belongs to --json
}


@dataclass
class MLflow:
    where: str
    client: Any  # MlflowClient
    experiment: str
    name: str
    runs: dict[str, str] = field(default_factory=dict)  # our names to MLflow's; "" is the fit
    _current: str = ""

    @classmethod
    def opened(cls, uri: str, name: str) -> MLflow:
        """Reach the store and find the experiment (MLFLOW_EXPERIMENT_NAME, else headstart), or make it.

        Raises:
            UserError: the store cannot be reached.
            ImportError: a package is missing.
        """
        from mlflow.tracking import MlflowClient  # mlflow-skinny has it

        uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or _DEFAULT
        where = f"--track mlflow:{without_password(uri)}"
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "headstart"
        try:
            _reach(uri)
            with _patience():
                client = MlflowClient(tracking_uri=uri)
                found = client.get_experiment_by_name(experiment)
                known = client.create_experiment(experiment) if found is None else found.experiment_id
        except ImportError:
            raise
        except Exception as error:  # of MLflow, SQLAlchemy, a driver or the system
            raise UserError(one_line(error), where=where, fix="start the server, or name another URI") from error
        if found is not None and found.lifecycle_stage == "deleted":
            fix = "restore it, or name another one in MLFLOW_EXPERIMENT_NAME"
            raise UserError(f"the experiment {experiment} was deleted", where=where, fix=fix)
        return cls(f"MLflow, {without_password(uri)}, experiment {experiment}", client, known, name)

    def log(self, entries: Sequence[Entry]) -> None:
        from mlflow.entities import Metric, Param

        with _patience():
            self._run("")
            for run in dict.fromkeys(entry.run for entry in entries):
                mine, number = [entry for entry in entries if entry.run == run], self._run(run)
                params = [Param(key, str(value)[:_LENGTH]) for entry in mine for key, value in entry.parameters.items()]
                metrics = [
                    Metric(key, value, round(1000 * entry.when), entry.step)
                    for entry in mine
                    for key, value in entry.scalars.items()
                ]
                for start in range(0, len(params), _AT_ONCE // 10):
                    self.client.log_batch(number, params=params[start : start + _AT_ONCE // 10])
                for start in range(0, len(metrics), _AT_ONCE):
                    self.client.log_batch(number, metrics=metrics[start : start + _AT_ONCE])

    def folder(self, path: Path) -> None:
        self.client.log_artifacts(self._run(""), str(path), artifact_path=path.name)

    def close(self, ended: Ended) -> None:
        with _patience():
            for run in dict.fromkeys([self._current, ""]):
                if run in self.runs:
                    self.client.set_terminated(self.runs[run], _STATUS[ended])

    def _run(self, name: str) -> str:
        """MLflow's number of a run; begun where it is new, which ends the one before it."""
        if name not in self.runs:
            if self._current:
                self.client.set_terminated(self.runs[self._current], _STATUS["finished"])
            tags = {"mlflow.source.name": "headstart"} | ({"mlflow.parentRunId": self.runs[""]} if name else {})
            made = self.client.create_run(self.experiment, run_name=name or self.name, tags=tags)
            self.runs[name], self._current = made.info.run_id, name
        return self.runs[name]


def _reach(uri: str) -> None:
    """Databases are asked by us first: MLflow tries for more than a minute before it says that there is none."""
    parts = urlsplit(uri)
    scheme = parts.scheme.split("+")[0]
    if scheme == "sqlite" and parts.path[1:]:
        file = Path(parts.path[1:])
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA schema_version")
    elif scheme in _PORTS:
        socket.create_connection((parts.hostname or "localhost", parts.port or _PORTS[scheme]), _REACHED).close()


@contextmanager
def _patience() -> Iterator[None]:
    """Give a server that is gone up after seconds, not minutes; what the user has set stays.

    And what goes wrong is told by us, in one line, not by MLflow with all that led to it.
    """
    mine = {name: value for name, value in _PATIENCE.items() if name not in os.environ}
    os.environ.update(mine)
    logger = logging.getLogger("mlflow.store.db.utils")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
        for name in mine:
            del os.environ[name]
