"""A fit as a folder of TensorBoard's event files, its runs of training as folders within it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headstart.storage.places import cannot_write
from headstart.tracking.tracker import RUNS, Ended, Entry


@dataclass
class TensorBoard:
    where: str
    home: Path  # of this fit
    _writers: dict[str, Any] = field(default_factory=dict)  # by run; "" is the fit
    _parameters: dict[str, Any] = field(default_factory=dict)
    _metrics: dict[str, float] = field(default_factory=dict)

    @classmethod
    def opened(cls, folder: str, name: str) -> TensorBoard:
        """A folder of the fit's own, NAME-DATE-TIME.

        Raises:
            OutputError: it cannot be made.
            ImportError: a package is missing.
        """
        from torch.utils.tensorboard import SummaryWriter  # noqa: F401 - says now if it is missing

        home = Path(folder or RUNS)
        try:
            home.mkdir(parents=True, exist_ok=True)
            mine = home / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
            while mine.exists():
                mine = mine.with_name(f"{mine.name}+")
            mine.mkdir()
        except OSError as error:
            raise cannot_write(home, error) from error
        return cls(f"TensorBoard, {mine}", mine)

    def log(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            writer = self._writer(entry.run)
            if entry.parameters:
                writer.add_text("parameters", _table(entry.parameters), walltime=entry.when)
            if not entry.run:
                self._parameters |= entry.parameters
                self._metrics |= entry.scalars
                continue
            for tag, value in entry.scalars.items():
                writer.add_scalar(tag, value, entry.step, walltime=entry.when)
        for writer in self._writers.values():
            writer.flush()

    def folder(self, path: Path) -> None:
        """Event files hold no files: its place is written down."""
        self._writer("").add_text("saved", str(path))

    def close(self, ended: Ended) -> None:
        """Parameters and metrics together make the fit a row of the table that compares fits."""
        if not self._writers:
            self.home.rmdir()
        if self._metrics:
            parameters = {k: v if isinstance(v, int | float) else str(v) for k, v in self._parameters.items()}
            self._writer("").add_hparams(parameters, self._metrics, run_name=".")
        if self._writers:
            self._writer("").add_text("ended", ended)
        for writer in self._writers.values():
            writer.close()

    def _writer(self, run: str) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        if run not in self._writers:
            self._writers[run] = SummaryWriter(str(self.home / run))
        return self._writers[run]


def _table(values: Mapping[str, Any]) -> str:
    """Markdown, as TensorBoard shows it."""
    rows = [f"| {key} | {str(value).replace('|', '/')} |" for key, value in values.items()]
    return "\n".join(["| | |", "|---|---|", *rows])
