"""An export: written, run beside headstart, and only then given its name."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.data.learned import MadeOf
from headstart.errors import OutputError, UserError, plain
from headstart.export import int8, program
from headstart.export.deployable import LINKS, Deployable
from headstart.export.format import Format, Quantise
from headstart.export.proof import Proof, compared, expected, ran, refuse_apart
from headstart.export.samples import Labelled, labelled_for, samples_of
from headstart.storage.place import reserve_place, write_text
from headstart.storage.places import as_json
from headstart.values import Columns, Dataset

if TYPE_CHECKING:
    from headstart.model import Model

INT8 = "int8"


@dataclass(frozen=True)
class Exported:
    """A folder that was exported, and how it was proved."""

    folder: Path
    format: str
    files: tuple[str, ...]
    proof: Proof
    cost: int8.Cost | None = None  # of int8; None: it is in float32

    def to_json(self) -> dict[str, Any]:
        """What `export --json` prints."""
        cost = self.cost
        costs = {} if cost is None else {"accuracy_before": cost.before, "accuracy_after": cost.after}
        measured = {} if cost is None else {"metric": cost.metric, "n_held_out": cost.n}
        told = {"folder": str(self.folder), "format": self.format, "files": list(self.files)}
        return {**told, "proof": asdict(self.proof), **costs, **measured}


@dataclass(frozen=True)
class Wanted:
    """How a model is to be exported."""

    format: Format
    quantize: str | None = None  # "int8"; None: float32
    most_lost: float = int8.MOST_LOST  # that int8 may lose of the task's first metric
    data: Any = None  # labelled, to calibrate and compare on; None: what is at hand
    columns: Columns | None = None  # of these


def export(model: Model, folder: Path, asked: Wanted, *, given: Dataset | None, made_of: MadeOf | None) -> Exported:
    """As `Model.export`.

    Args:
        given: checked inputs to compare outputs on; None: those that are at hand.
        made_of: what the model was made of, while it is in memory.
    """
    made = Deployable(_name(model), model.task, model.modality, model.backbone, model.head)
    _refuse(made, asked)
    if os.path.lexists(folder):
        raise OutputError("already there", where=str(folder), fix="choose another --out, or move it away")
    labelled = None
    if asked.data is not None or asked.quantize is not None:
        labelled = labelled_for(model, asked.data, asked.columns, made_of)
    samples = samples_of(model, given, labelled, made_of)

    def make(new: Path) -> Exported:
        _write(made, asked, labelled, new)
        exported, own = ran(made, new, samples), expected(made, samples)
        cost = None
        if asked.quantize is None or labelled is None:
            refuse_apart(made, exported, own, samples)
        else:
            reference = None if model.scores is None else model.scores.details
            cost = int8.cost_of(made, new, labelled.held_out, reference)
            int8.refuse_loss(made, cost, asked.most_lost)
        proof = compared(made, exported, own)
        write_text(new / "README.md", _readme(made, asked, proof, cost))
        files = tuple(sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()))
        return Exported(folder, asked.format.name, files, proof, cost)

    with reserve_place(folder, force=False) as place:
        if place is None:
            raise TypeError("an export has a folder")
        return place.write_new(make)


def _name(model: Model) -> str:
    return plain(model.backbone.name if model.folder is None else model.folder.name.removesuffix(".headstart"))


def _refuse(made: Deployable, wanted: Wanted) -> None:
    """Raises UserError where the model cannot be exported so."""
    format, why = wanted.format, None
    if made.task.learner.family is None:
        why = f"a model for {made.task.name} is more than a backbone with a linear head"
    elif made.link not in LINKS:
        why = f"its outputs are made by {made.link}, which no export knows"
    else:
        why = format.refuse(made)
    if why is not None:
        raise UserError(f"not exported to {format.title}: {why}", fix="headstart serves it as it is: headstart serve")
    if wanted.quantize not in (None, INT8):
        raise UserError(f"nothing is made {wanted.quantize}", where="--quantize", fix=f"--quantize {INT8}")
    if wanted.quantize is not None and not format.quantises:
        raise UserError(f"{format.title} has no int8", where="--quantize", fix="--format openvino, or onnx")
    if not 0 <= wanted.most_lost <= 1:
        raise UserError(
            f"{wanted.most_lost:g} is no share", where="--most-lost", fix=f"{int8.MOST_LOST:g} is half a point"
        )
    lacking = [name for name in format.needs if find_spec(name) is None]
    if lacking:
        raise UserError(f"{format.title} needs {lacking[0]}", fix="pip install 'headstart[export]'")


def _write(made: Deployable, wanted: Wanted, labelled: Labelled | None, folder: Path) -> None:
    """The files of the format, what they mean, and predict.py; the tokenizer in the form of its own library."""
    quantise: Quantise = _as_it_is
    if wanted.quantize is not None and labelled is not None:
        quantise = int8.quantiser(made, labelled.learned)
    wanted.format.write(made, folder, quantise)
    write_text(folder / "model.json", as_json(made.facts))
    if not made.takes_photos:
        write_text(folder / "tokenizer.json", made.backbone.texts.tokenizer)
    write_text(folder / program.NAME, program.program(made, wanted.format.runtime(made)))


def _as_it_is(graph: Any) -> Any:
    return graph


def _readme(made: Deployable, wanted: Wanted, proof: Proof, cost: int8.Cost | None) -> str:
    packages = " ".join(program.packages(made, wanted.format.runtime(made)))
    usage = program.usage(made)
    return program.rendered(
        "README.md.jinja", made=made, format=wanted.format, packages=packages, usage=usage, proof=proof, cost=cost
    )
