"""The contract of an export format, and how every one is written: whole or not at all, and run before it has its name.

An exported folder needs no headstart: it has the files of the format, `model.json` with what its outputs mean and how
inputs are prepared, and a README with the code that runs it. It is that very code whose outputs are compared.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.backbone import Backbone, Head
from headstart.encode.encode import encode_afresh
from headstart.errors import DataError, OutputError, UserError
from headstart.inputs.modality import Modality
from headstart.storage.place import reserve_place, write_text
from headstart.storage.places import as_json
from headstart.task import Task
from headstart.values import Dataset

_APART = 1e-3  # an output from headstart's own in float32: of probabilities, or in deviations of a number

Run = Callable[[Any], np.ndarray]  # one input, as `Exporter.opened` takes it -> (n_outputs,)


@dataclass(frozen=True)
class Deployable:
    """What is exported: the parts of a model."""

    task: Task
    modality: Modality
    backbone: Backbone
    head: Head  # a linear one

    @property
    def title(self) -> str:
        """The task as users call it: "text-classification"."""
        return self.task.titles[self.modality.name]


@dataclass(frozen=True)
class Exporter:
    """A format that models are exported to."""

    name: str  # as `--format` takes it: "openvino"
    title: str  # "OpenVINO IR"
    refuse: Callable[[Deployable], str | None]  # why this model cannot be exported; None: it can
    write: Callable[[Deployable, Path], None]  # into a folder that is there, beside model.json
    opened: Callable[[Deployable, Path], Run]  # runs what was written, and uses nothing of headstart's
    snippet: Callable[[Deployable], str]  # the Python of `opened`, for the README


@dataclass(frozen=True)
class Exported:
    """A folder that was exported, and how it was proved."""

    folder: Path
    format: str
    files: tuple[str, ...]
    compared: int  # inputs on which it was run beside headstart
    difference: float  # the largest of any output: of probabilities, or in deviations of a number

    def to_json(self) -> dict[str, Any]:
        """What `export --json` prints."""
        return {**asdict(self), "folder": str(self.folder), "files": list(self.files)}


def export(made: Deployable, folder: Path, exporter: Exporter, examples: Dataset) -> Exported:
    """Write a model in a format, run it beside headstart, and only then give the folder its name.

    Args:
        folder: not there yet. examples: checked ones, at least one, on which both are run.

    Raises:
        UserError: the model cannot be exported to this format.
        DataError: no example can be used.
        OutputError: something is at the folder, nothing can be written there, or the outputs differ. Nothing is left
            behind then.
    """
    why = exporter.refuse(made) or _refuse_windows(made)
    if why is not None:
        raise UserError(f"not exported to {exporter.title}: {why}", fix="headstart serves it as it is: model.predict")
    if not len(examples):
        raise DataError("no input to compare outputs on can be used", where="inputs", fix="give some that can be read")
    if os.path.lexists(folder):
        raise OutputError("already there", where=str(folder), fix="choose another folder, or move it away")
    expected = _answers(made, examples)

    def make(new: Path) -> Exported:
        _write_facts(made, new)
        exporter.write(made, new)
        run = exporter.opened(made, new)
        difference = _compared(made, np.stack([run(given) for given in examples.inputs]), expected, exporter)
        write_text(new / "README.md", _readme(made, exporter, len(examples), difference))
        files = tuple(sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()))
        return Exported(folder, exporter.name, files, len(examples), difference)

    with reserve_place(folder, force=False) as place:
        if place is None:
            raise TypeError("an export has a folder")
        return place.write_new(make)


def _refuse_windows(made: Deployable) -> str | None:
    if made.backbone.config.get("windows"):
        return "it reads long texts in windows; a fit with --how tune, or on shorter texts, has none"
    return None


def _answers(made: Deployable, examples: Dataset) -> np.ndarray:
    """(n, n_outputs) what headstart itself says in float32: probabilities, or numbers."""
    outputs = made.head.logits(encode_afresh(examples, made.backbone))
    return np.asarray(outputs if made.task.probabilities is None else made.task.probabilities(outputs))


def _compared(made: Deployable, found: np.ndarray, expected: np.ndarray, exporter: Exporter) -> float:
    """The largest difference; raises OutputError where it is too large."""
    if found.shape != expected.shape:
        raise OutputError(f"{exporter.title} gives outputs of shape {found.shape}", fix="please report this")
    unit = 1.0 if made.task.probabilities else made.head.deviation
    difference = float(np.abs(found - expected).max()) / unit
    if not difference <= _APART:
        what = f"the outputs in {exporter.title} differ from headstart's by {difference:.2g}; nothing was written"
        raise OutputError(what, fix="please report this, with the name of the pre-trained model")
    return round(difference, 9)


def _write_facts(made: Deployable, folder: Path) -> None:
    """What outputs mean and how inputs are prepared; the tokenizer in the form of its own library."""
    head, preparation = made.head, made.backbone.preparation.told
    tokenizer = preparation.pop("tokenizer", None)
    if tokenizer is not None:
        write_text(folder / "tokenizer.json", tokenizer)
    numbers = None if head.width is None else {"half_width": head.width, "holds": 0.9}
    facts = {
        "task": made.title,
        "model": made.backbone.name,
        "licence": made.backbone.licence,
        "outputs": "values" if made.task.probabilities is None else "probabilities",
        "classes": list(head.classes),
        "thresholds": None if head.thresholds is None else list(head.thresholds),
        "interval": numbers,
        "preparation": preparation,
    }
    write_text(folder / "model.json", as_json(facts))


def _readme(made: Deployable, exporter: Exporter, n: int, difference: float) -> str:
    return f"""# {made.title}, as {exporter.title}

Exported by headstart from {made.backbone.name} with its head; calibration is inside. `model.json` names the columns of
the outputs, the thresholds of labels or the width of intervals, and how inputs are prepared.

Before this folder was there, the code below was run on {n} {made.modality.noun}{"s" if n > 1 else ""} beside headstart:
no output was further apart than {difference:.1e}.

```python
{exporter.snippet(made).strip()}
```
"""
