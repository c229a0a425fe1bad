"""What every fit has in common besides its steps: a clock, a place to save to, the versions of what was used."""

from __future__ import annotations

import datetime
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from headstart import __version__
from headstart.storage.files import resolved
from headstart.tracking.track import Record


@dataclass
class Clock:
    """Wall seconds of each step; `failed` is told of an error, or of Ctrl-C, in one."""

    failed: Callable[[BaseException], None]
    steps: dict[str, float] = field(default_factory=dict)
    start: float = field(default_factory=time.perf_counter)

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        except BaseException as error:
            self.failed(error)
            raise
        finally:
            self.steps[step] = time.perf_counter() - begun

    def seconds(self) -> dict[str, float]:
        total = time.perf_counter() - self.start
        return {name: round(value, 3) for name, value in {**self.steps, "total": total}.items()}


def folder_for(data: Any, out: str | Path | None) -> Path | None:
    """Where the fitted model is saved: as asked, or NAME.headstart here; None: nowhere.

    Raises:
        OSError: no path.
    """
    if out is not None:
        return Path(out)
    if isinstance(data, str | Path):
        path = resolved(data)
        return Path(f"{path.stem if path.is_file() else path.name}.headstart")
    return None


def today() -> str:
    """In UTC, as 2026-01-31."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def versions() -> dict[str, str]:
    """Of headstart, Python and what computes."""
    others = {name: version(name) for name in ("torch", "timm", "transformers", "openvino", "numpy")}
    return {"headstart": __version__, "python": platform.python_version(), **others}


def tracked(record: Record, told: dict[str, Any], folder: Path | None, scores: Sequence[str]) -> None:
    """Tell the tracker how the fit ended.

    Args:
        told: what `fit --json` prints. scores: names of the figures in it.
    """
    tuning = told["tuning"] or {}
    record.parameters({name: told[name] for name in ("how", "why", "why_how")} | {"recipe": tuning.get("recipe", {})})
    seconds = {f"seconds.{step}": value for step, value in told["seconds"].items()}
    verdict = {f"verdict.{name}": float(value) for name, value in tuning.get("verdict", {}).items()}
    record.scalars({name: told[name] for name in scores} | verdict | seconds)
    record.close("finished", folder)
